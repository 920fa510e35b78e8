package migrate

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
)

// Limits of a match file. A million rows of usual names take about 80 MiB of
// memory while the plan is made.
const (
	maxMatchFile  = 256 << 20 // bytes
	maxMatchLine  = 4 << 10   // bytes
	maxMatchRows  = 1_000_000
	maxComplaints = 20 // bad rows that are named
	matchBlock    = 1 << 20
)

// MatchFile says for some users of the export which user of the target they
// are, whatever their own keys say. Not for concurrent use.
type MatchFile struct {
	name   string
	seed   maphash.Seed
	rows   []matchRow // by hash
	blocks [][]byte   // texts: Username, kind of key, value
	used   bitmap
	sum    string // hexadecimal SHA-256 of the file
}

// Input is the file and its digest, for the header of a plan.
func (m *MatchFile) Input() Input { return Input{Name: m.name, SHA256: m.sum} }

// matchRow is where a row's texts stand.
type matchRow struct {
	hash  uint64
	block uint32
	at    uint32
	line  uint32
}

// ReadMatchFile reads a CSV file with a header: Username, and
// UserPrincipalName or TargetId, of which each row fills in one. Columns may
// stand in any order; others are passed over. Case, spaces, _ and - do not
// count in the header. A row is one line.
//
// If any row is wrong the whole file is refused, and the error names the
// first of them as file:line:column: a row that were left out would be matched
// by other keys, against what somebody meant. name is the file's, for that.
func ReadMatchFile(r io.Reader, name string) (*MatchFile, error) {
	in := &matchReader{MatchFile: &MatchFile{name: name, seed: maphash.MakeSeed()}}
	digest := sha256.New()
	limited := &io.LimitedReader{R: io.TeeReader(r, digest), N: maxMatchFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxMatchLine), maxMatchLine)
	for line := 1; lines.Scan(); line++ {
		text := lines.Text()
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if err := in.line(line, text); err != nil {
			return nil, err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s: a line is longer than %d bytes", name, maxMatchLine)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	case limited.N <= 0:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxMatchFile)
	case in.columns == nil:
		return nil, hint.New(name+" has no header", matchHint)
	}
	in.sum = hex.EncodeToString(digest.Sum(nil))
	in.sort()
	if len(in.wrong) > 0 {
		return nil, in.refusal()
	}
	return in.MatchFile, nil
}

const matchHint = "its first line is Username,UserPrincipalName or Username,TargetId"

// matchReader is a match file in the making.
type matchReader struct {
	*MatchFile
	columns []string // folded header; nil: not read yet
	wrong   []string
	more    int
}

func (in *matchReader) line(line int, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	cells, at, err := matchCells(text)
	switch {
	case err != nil && in.columns == nil:
		return fmt.Errorf("%s:%d:%d: %w", in.name, line, at[len(at)-1], err)
	case err != nil:
		in.complain(line, at[len(at)-1], err.Error())
		return nil
	case in.columns == nil:
		return in.header(line, cells, at)
	case len(cells) > len(in.columns):
		in.complain(line, at[len(in.columns)], fmt.Sprintf("the row has %d fields, the header %d", len(cells), len(in.columns)))
		return nil
	}
	if len(in.rows) >= maxMatchRows {
		return hint.New(fmt.Sprintf("%s has more than %d rows", in.name, maxMatchRows), "leave out users whose own keys lead to the right user")
	}
	in.row(line, cells, at)
	return nil
}

// matchCells splits one line as RFC 4180 says. at are the columns, from 1, at
// which the fields begin; with an error the last one is where it stands.
func matchCells(text string) (cells []string, at []int, err error) {
	s := csvText{rest: text}
	for more := true; more; {
		at = append(at, len(text)-len(s.rest)+1)
		var cell string
		if cell, more, err = s.cell(); err != nil {
			return nil, at, err
		}
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells, at, nil
}

func (in *matchReader) header(line int, cells []string, at []int) error {
	for i, cell := range cells {
		name := strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(cell))
		if known := name == "username" || name == "userprincipalname" || name == "targetid"; known && slices.Contains(in.columns, name) {
			return fmt.Errorf("%s:%d:%d: the column stands twice", in.name, line, at[i])
		}
		in.columns = append(in.columns, name)
	}
	if !slices.Contains(in.columns, "username") || !slices.Contains(in.columns, "userprincipalname") && !slices.Contains(in.columns, "targetid") {
		return hint.New(fmt.Sprintf("%s:%d: the header lacks Username, or both UserPrincipalName and TargetId", in.name, line), matchHint)
	}
	return nil
}

func (in *matchReader) row(line int, cells []string, at []int) {
	var username, upn, id string
	for i, cell := range cells {
		if strings.ContainsFunc(cell, unicode.IsControl) || !utf8.ValidString(cell) {
			in.complain(line, at[i], "the field holds a control character, or is not UTF-8")
			return
		}
		switch in.columns[i] {
		case "username":
			username = cell
		case "userprincipalname":
			upn = cell
		case "targetid":
			id = cell
		}
	}
	switch {
	case username == "":
		in.complain(line, 1, "Username is empty")
	case upn == "" && id == "":
		in.complain(line, 1, "the row names no user of the target")
	case upn != "" && id != "":
		in.complain(line, 1, "UserPrincipalName and TargetId are both filled in; one of them counts")
	case upn != "" && !isAddress(upn):
		in.complain(line, at[slices.Index(in.columns, "userprincipalname")], "UserPrincipalName is none")
	case id != "":
		in.add(line, username, cloud.Key{Kind: cloud.ByID, Value: id})
	default:
		in.add(line, username, cloud.Key{Kind: cloud.ByUPN, Value: upn})
	}
}

func (in *matchReader) complain(line, column int, what string) {
	if len(in.wrong) == maxComplaints {
		in.more++
		return
	}
	in.wrong = append(in.wrong, fmt.Sprintf("%s:%d:%d: %s", in.name, line, column, what))
}

func (in *matchReader) refusal() error {
	if in.more > 0 {
		in.wrong = append(in.wrong, fmt.Sprintf("and %d more", in.more))
	}
	return hint.New("the match file is refused: "+strings.Join(in.wrong, "; "), "correct the rows; no row is left out by itself, since other keys would count then")
}

func (m *MatchFile) add(line int, username string, key cloud.Key) {
	p := packer{m.block()}
	at := len(p.b)
	p.text(username)
	p.text(string(key.Kind))
	p.text(key.Value)
	m.blocks[len(m.blocks)-1] = p.b
	m.rows = append(m.rows, matchRow{hash: m.hash(username), block: uint32(len(m.blocks) - 1), at: uint32(at), line: uint32(line)})
}

// block is the block that the next row's texts go to.
func (m *MatchFile) block() []byte {
	if n := len(m.blocks); n > 0 && matchBlock-len(m.blocks[n-1]) > 2*maxMatchLine {
		return m.blocks[n-1]
	}
	m.blocks = append(m.blocks, make([]byte, 0, matchBlock))
	return m.blocks[len(m.blocks)-1]
}

func (m *MatchFile) hash(username string) uint64 {
	return maphash.String(m.seed, legacy.Fold(username))
}

func (m *MatchFile) texts(row matchRow) (username string, key cloud.Key) {
	p := unpacker{b: m.blocks[row.block][row.at:]}
	return p.text(), cloud.Key{Kind: cloud.KeyKind(p.text()), Value: p.text()}
}

// sort makes the rows ready to be found, and complains about a Username that
// stands twice.
func (in *matchReader) sort() {
	slices.SortFunc(in.rows, func(a, b matchRow) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line)) })
	var twice [][2]int // line, line before it
	for i, row := range in.rows {
		username, _ := in.texts(row)
		for j := i - 1; j >= 0 && in.rows[j].hash == row.hash; j-- {
			if first, _ := in.texts(in.rows[j]); legacy.Fold(first) == legacy.Fold(username) {
				twice = append(twice, [2]int{int(row.line), int(in.rows[j].line)})
				break
			}
		}
	}
	slices.SortFunc(twice, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	for _, lines := range twice {
		in.complain(lines[0], 1, fmt.Sprintf("this Username stands in line %d already", lines[1]))
	}
}

// of returns the key that the file gives a user, and notes that it was of use.
func (m *MatchFile) of(username string) (rowKey, bool) {
	if m == nil {
		return rowKey{}, false
	}
	hash := m.hash(username)
	first, _ := slices.BinarySearchFunc(m.rows, hash, func(r matchRow, h uint64) int { return cmp.Compare(r.hash, h) })
	for i := first; i < len(m.rows) && m.rows[i].hash == hash; i++ {
		if name, key := m.texts(m.rows[i]); legacy.Fold(name) == legacy.Fold(username) {
			m.used.set(uint64(i))
			return rowKey{by: MatchedByFile, key: key}, true
		}
	}
	return rowKey{}, false
}

// unused yields the rows that met no user, in their order.
func (m *MatchFile) unused(yield func(username string, place legacy.Place) bool) {
	if m == nil {
		return
	}
	var rows []matchRow
	for i, row := range m.rows {
		if !m.used.has(uint64(i)) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b matchRow) int { return cmp.Compare(a.line, b.line) })
	for _, row := range rows {
		name, _ := m.texts(row)
		if !yield(name, legacy.Place{File: m.name, Line: int(row.line)}) {
			return
		}
	}
}
