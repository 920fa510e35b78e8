package migrate

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Limits of a file of deadlines.
const (
	MaxDeadlineFile = 64 << 10 // bytes
	maxDeadlineCell = 1 << 10  // bytes of one cell
)

// Classes of users, by which a cloud ends its own texts and calls.
const (
	classMember      = "member"
	classExternal    = "external"    // belongs to another organisation
	classGlobalAdmin = "globalAdmin" // has the role above all others
)

// publicCloud is the cloud of a target that names none.
const publicCloud = "global"

// noDeadline is how Summary.Deadlines counts users for whom no date is
// published.
const noDeadline = "unknown"

const deadlineAdvice = "each line has cloud (global, usgov, china), class (member, external, globalAdmin), date (2027-02-01, or empty where none is published) and source"

// Deadlines tell when a cloud ends the texts and calls that it delivers
// itself, by cloud and by class of user, each with the source that says so.
type Deadlines struct {
	File   string // its name, for people; empty: built in
	SHA256 string // of its bytes, in hexadecimal

	ends map[deadlineKey]deadline
}

type deadlineKey struct{ cloud, class string }

// deadline is the end of a cloud's own texts and calls for a class of users.
type deadline struct {
	date   time.Time // zero: none is published
	source string    // empty: the table does not know the cloud
}

//go:embed deadlines.csv
var builtInDeadlines string

// BuiltInDeadlines are those that were published when this program was made.
func BuiltInDeadlines() *Deadlines {
	d, err := parseDeadlines(builtInDeadlines)
	if err != nil {
		panic("deadlines.csv: " + err.Error()) // part of the program; a test reads it
	}
	return d
}

// ReadDeadlines reads a file of deadlines: CSV as RFC 4180 has it, in UTF-8,
// with the header cloud,class,date,source in any order. A date may be empty
// where none is published; a source may not. name is what errors call the
// file.
func ReadDeadlines(r io.Reader, name string) (*Deadlines, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxDeadlineFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(text) > MaxDeadlineFile {
		return nil, hint.New(fmt.Sprintf("%s is larger than %d bytes", name, MaxDeadlineFile), deadlineAdvice)
	}
	d, err := parseDeadlines(string(text))
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s:%w", name, err), deadlineAdvice)
	}
	sum := sha256.Sum256(text)
	d.File, d.SHA256 = name, hex.EncodeToString(sum[:])
	return d, nil
}

// parseDeadlines reads the text of a table. Its errors begin with a line.
func parseDeadlines(text string) (*Deadlines, error) {
	d := &Deadlines{ends: map[deadlineKey]deadline{}}
	var columns []int
	for row, err := range csvRows(text) {
		switch {
		case err != nil:
			return nil, err
		case columns == nil:
			columns, err = deadlineColumns(row.cells)
		default:
			err = d.add(row.cells, columns)
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", row.line, err)
		}
	}
	if len(d.ends) == 0 {
		return nil, fmt.Errorf("1: there is no deadline in it")
	}
	return d, nil
}

// deadlineColumns says which cell is which of cloud, class, date and source.
func deadlineColumns(header []string) ([]int, error) {
	names := []string{"cloud", "class", "date", "source"}
	columns := make([]int, len(names))
	for i, name := range names {
		if columns[i] = slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) }); columns[i] < 0 {
			return nil, fmt.Errorf("the header has no column %s", name)
		}
	}
	if len(header) > len(names) {
		return nil, fmt.Errorf("the header has %d columns, not %d", len(header), len(names))
	}
	return columns, nil
}

func (d *Deadlines) add(cells []string, columns []int) error {
	if len(cells) != len(columns) {
		return fmt.Errorf("the line has %d fields, the header has %d", len(cells), len(columns))
	}
	for _, cell := range cells {
		if len(cell) > maxDeadlineCell || !utf8.ValidString(cell) || strings.ContainsFunc(cell, unicode.IsControl) {
			return fmt.Errorf("a field is longer than %d bytes, or holds something else than text in UTF-8 on one line", maxDeadlineCell)
		}
	}
	cell := func(i int) string { return strings.TrimSpace(cells[columns[i]]) }
	key := deadlineKey{cell(0), cell(1)}
	if !slices.Contains([]string{publicCloud, "usgov", "china"}, key.cloud) {
		return fmt.Errorf("there is no cloud %q", Plain(key.cloud))
	}
	if !slices.Contains([]string{classMember, classExternal, classGlobalAdmin}, key.class) {
		return fmt.Errorf("there is no class of users %q", Plain(key.class))
	}
	if _, twice := d.ends[key]; twice {
		return fmt.Errorf("%s of %s stand twice", key.class, key.cloud)
	}
	end := deadline{source: cell(3)}
	if end.source == "" {
		return fmt.Errorf("the source is empty")
	}
	if date := cell(2); date != "" {
		var err error
		if end.date, err = time.Parse(time.DateOnly, date); err != nil || end.date.Year() < 2000 {
			return fmt.Errorf("the date %q is none such as 2027-02-01", Plain(date))
		}
	}
	d.ends[key] = end
	return nil
}

// of is the deadline of a user in a cloud. A global administrator is one
// whatever organisation the account belongs to.
func (d *Deadlines) of(cloudName string, u *cloud.User) deadline {
	key := deadlineKey{cloudName, classMember}
	if key.cloud == "" {
		key.cloud = publicCloud
	}
	switch {
	case u.GlobalAdmin:
		key.class = classGlobalAdmin
	case u.External:
		key.class = classExternal
	}
	return d.ends[key]
}

// key is how Summary.Deadlines counts the users of a deadline.
func (e deadline) key() string {
	if e.date.IsZero() {
		return noDeadline
	}
	return e.date.Format(time.DateOnly)
}

// when ends a sentence: "on 2027-02-01 (source)".
func (e deadline) when() string {
	switch {
	case e.source == "":
		return "on a date that is not known"
	case e.date.IsZero():
		return "on a date that is not known (" + e.source + ")"
	default:
		return "on " + e.date.Format(time.DateOnly) + " (" + e.source + ")"
	}
}

// Telephony says which of texts and calls a provider of the customer's own
// delivers.
type Telephony struct{ SMS, Voice bool }

// delivers tells whether the provider serves a preference.
func (t Telephony) delivers(p cloud.Preference) bool {
	switch p {
	case cloud.SMS:
		return t.SMS
	case cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice:
		return t.Voice
	default:
		return false
	}
}
