package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Selection is a set of users, as --scope and --wave name it. One of its
// fields besides Given says which; none of them: everybody.
type Selection struct {
	Given string // "all", "users:pilot.txt", "group:Pilot", "20%"
	Names *Names // of users:FILE
	Group string // of group:ID: the target's id of a group, or its name
	Share int    // of N%: hundredths of a percent, 1 to 10,000
}

const selectionAdvice = "users:FILE (a Username or user principal name a line), group:ID of the target, or N% with up to two decimals"

// ParseSelection understands users:FILE, group:ID, N% and all. Files are
// opened with open.
func ParseSelection(given string, open func(path string) (io.ReadCloser, error)) (Selection, error) {
	s := Selection{Given: given}
	kind, rest, _ := strings.Cut(given, ":")
	switch {
	case given == "all":
		return s, nil
	case kind == "users" && rest != "":
		var err error
		s.Given = "users:" + filepath.Base(rest)
		s.Names, err = ReadNames(filepath.Base(rest), func() (io.ReadCloser, error) { return open(rest) })
		return s, err
	case kind == "group" && rest != "":
		s.Group = rest
		return s, nil
	case strings.HasSuffix(given, "%"):
		var ok bool
		if s.Share, ok = parseShare(strings.TrimSuffix(given, "%")); ok {
			return s, nil
		}
		return s, hint.New(fmt.Sprintf("%q is no share of the users", given), "a share is more than 0% and at most 100%, e.g. 5% or 0.25%")
	}
	return s, hint.New(fmt.Sprintf("%q names no users", given), selectionAdvice)
}

var sharePattern = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,2}))?$`)

// parseShare returns hundredths of a percent.
func parseShare(text string) (int, bool) {
	m := sharePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	whole, _ := strconv.Atoi(m[1])
	parts, _ := strconv.Atoi((m[2] + "00")[:2])
	n := 100*whole + parts
	return n, n >= 1 && n <= 100*100
}

// shareOf places a user among 10,000 equal parts, always in the same one:
// whoever is in the first 5 % is in the first 20 % too, in every plan.
func shareOf(username string) int {
	sum := sha256.Sum256([]byte("mfabridge wave 1\x00" + fold(username)))
	return int(binary.BigEndian.Uint64(sum[:]) % (100 * 100))
}

// members is a Selection with its group resolved.
type members struct {
	Selection
	group *sumSet // ids; nil: not a group
}

// resolve asks the target who is in the group.
func (s Selection) resolve(ctx context.Context, dir cloud.DirectoryReader) (members, error) {
	m := members{Selection: s}
	if s.Group == "" {
		return m, nil
	}
	groups, ok := dir.(cloud.GroupReader)
	if !ok {
		return m, hint.Wrap(&cloud.Error{Kind: cloud.Unsupported, Message: "the target knows no groups, so " + s.Given + " names nobody"},
			"name the users with users:FILE")
	}
	m.group = new(sumSet)
	for id, err := range groups.Members(ctx, s.Group) {
		if err != nil {
			err = fmt.Errorf("the members of %s cannot be read: %w", s.Given, err)
			if cloud.KindOf(err) == cloud.NotFound {
				err = hint.Wrap(err, "give the id or the name of a group that the target has")
			}
			return m, err
		}
		m.group.add(string(id))
	}
	m.group.sort()
	return m, nil
}

// take tells whether a user belongs to the selection.
func (m *members) take(id cloud.UserID, username string, others ...string) bool {
	switch {
	case m.Names != nil:
		return m.Names.has(append(others, username)...)
	case m.group != nil:
		return id != "" && m.group.has(string(id))
	case m.Share > 0:
		return shareOf(username) < m.Share
	default:
		return true
	}
}

// Wave is a part of a plan that is applied by itself.
type Wave struct {
	Name string
	Selection
}

// MaxWaves is how many waves a plan takes.
const MaxWaves = 100

var waveName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$`)

// ParseWave understands NAME=users:FILE, NAME=group:ID and NAME=N%.
func ParseWave(given string, open func(path string) (io.ReadCloser, error)) (Wave, error) {
	name, who, ok := strings.Cut(given, "=")
	if !ok || !waveName.MatchString(name) {
		return Wave{}, hint.New(fmt.Sprintf("%q is no wave", given),
			"a wave is NAME=users:FILE, NAME=group:ID or NAME=N%; a name has up to 32 letters, digits, dots, hyphens and underscores")
	}
	s, err := ParseSelection(who, open)
	if err != nil {
		return Wave{}, fmt.Errorf("wave %s: %w", name, err)
	}
	return Wave{name, s}, nil
}

// CheckWaves refuses waves that cannot be told apart, and too many.
func CheckWaves(waves []Wave) error {
	if len(waves) > MaxWaves {
		return fmt.Errorf("there are %d waves, and a plan takes at most %d", len(waves), MaxWaves)
	}
	seen := map[string]bool{}
	for _, w := range waves {
		if !waveName.MatchString(w.Name) {
			return fmt.Errorf("%q is no name of a wave", w.Name)
		}
		if seen[fold(w.Name)] {
			return hint.New(fmt.Sprintf("the wave %s stands twice", w.Name), "give each wave a name of its own")
		}
		seen[fold(w.Name)] = true
	}
	return nil
}

// errNobody ends a plan whose scope nobody is in.
var errNobody = errors.New("there is nobody to plan for: no user of the export is in the scope")
