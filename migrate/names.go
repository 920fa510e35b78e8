package migrate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/hint"
)

// Limits of a file of names. What is beyond them is refused.
const (
	MaxNames    = 2_000_000 // lines with a name
	MaxName     = 320       // bytes of one
	maxNameFile = 256 << 20 // bytes of the file
)

// Names is a set of users by name, read from a file that has a Username or a
// user principal name a line. It holds 16 bytes for each; names are compared
// case-folded.
type Names struct {
	File   string // its name, for people
	SHA256 string // of its bytes, in hexadecimal

	set  sumSet
	open func() (io.ReadCloser, error)
}

const namesAdvice = "the file is plain text in UTF-8 with one Username or user principal name a line; lines that begin with # are comments"

// ReadNames reads the names of a file. It is opened a second time to say which
// of them nobody has.
func ReadNames(file string, open func() (io.ReadCloser, error)) (*Names, error) {
	n := &Names{File: file, open: open}
	all := sha256.New()
	err := n.each(all, func(_ int, name string) error {
		if n.set.len() == MaxNames {
			return fmt.Errorf("it has more than %d names", MaxNames)
		}
		n.set.add(name)
		return nil
	})
	if err == nil && n.set.len() == 0 {
		err = errors.New("it has no name")
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the names in %s cannot be used: %w", file, err), namesAdvice)
	}
	n.SHA256 = hex.EncodeToString(all.Sum(nil))
	n.set.sort()
	return n, nil
}

// Each visits the names in the order of the file, as it is now, with their
// lines from 1.
func (n *Names) Each(visit func(line int, name string) error) error { return n.each(io.Discard, visit) }

// each visits the names with their lines, from 1.
func (n *Names) each(also io.Writer, visit func(line int, name string) error) error {
	f, err := n.open()
	if err != nil {
		return err
	}
	defer f.Close()
	read := &io.LimitedReader{R: f, N: maxNameFile + 1}
	lines := bufio.NewScanner(io.TeeReader(read, also))
	lines.Buffer(make([]byte, 0, 4<<10), 4<<10)
	for line := 1; lines.Scan(); line++ {
		name, err := nameOf(lines.Bytes(), line)
		if err != nil {
			return fmt.Errorf("line %d %w", line, err)
		}
		if name == "" {
			continue
		}
		if err := visit(line, name); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes", MaxName)
	}
	if lines.Err() == nil && read.N <= 0 {
		return fmt.Errorf("it is larger than %d bytes", maxNameFile)
	}
	return lines.Err()
}

// nameOf is the name on a line, empty where it has none.
func nameOf(text []byte, line int) (string, error) {
	if line == 1 {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0 || text[0] == '#':
		return "", nil
	case len(text) > MaxName:
		return "", fmt.Errorf("is longer than %d bytes", MaxName)
	case !utf8.Valid(text):
		return "", errors.New("is not UTF-8")
	case bytes.ContainsAny(text, `",;`):
		return "", errors.New("holds more than a name: this is no table")
	case bytes.ContainsFunc(text, unicode.IsControl):
		return "", errors.New("holds a control character")
	case bytes.Contains(text, []byte(" #")):
		return "", errors.New("has something behind the name: a comment needs a line of its own")
	}
	return string(text), nil
}

// has tells whether any of the spellings of a user stands in the file, and
// remembers all of those that do.
func (n *Names) has(spellings ...string) bool {
	found := false
	for _, s := range spellings {
		if s != "" && n.set.has(s) {
			found = true
		}
	}
	return found
}

// unknown visits the names that has was never asked for, at most some of them,
// and returns how many there are.
func (n *Names) unknown(most int, visit func(line int, name string) error) (total int, err error) {
	if n.set.missed() == 0 {
		return 0, nil
	}
	err = n.each(io.Discard, func(line int, name string) error {
		at, ok := n.set.find(name)
		if ok && n.set.seen.has(uint64(at)) {
			return nil
		}
		if total++; total > most {
			return nil
		}
		return visit(line, name)
	})
	if err != nil {
		err = fmt.Errorf("the names in %s cannot be read again: %w", n.File, err)
	}
	return total, err
}

// sumSet is a set of texts, case-folded, 16 bytes each: first add, then sort,
// then has.
type sumSet struct {
	sums []sum
	seen bitmap
}

func (s *sumSet) len() int { return len(s.sums) }

func nameSum(text string) sum {
	full := sha256.Sum256([]byte(fold(text)))
	return sum(full[:sumSize])
}

func (s *sumSet) add(text string) { s.sums = append(s.sums, nameSum(text)) }

func (s *sumSet) sort() {
	slices.SortFunc(s.sums, func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
	s.sums = slices.Compact(s.sums)
}

func (s *sumSet) find(text string) (int, bool) {
	wanted := nameSum(text)
	return slices.BinarySearchFunc(s.sums, wanted, func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
}

// has tells whether text is in the set, and remembers that it was asked for.
func (s *sumSet) has(text string) bool {
	at, ok := s.find(text)
	if ok {
		s.seen.set(uint64(at))
	}
	return ok
}

// missed counts what has was never asked for.
func (s *sumSet) missed() int {
	n := len(s.sums)
	for i := range s.sums {
		if s.seen.has(uint64(i)) {
			n--
		}
	}
	return n
}
