package migrate

import (
	"encoding/binary"
	"encoding/json"
	"iter"

	"mfabridge/internal/spill"
)

// Severities, the gravest first.
var Severities = [...]Severity{SeverityError, SeverityWarning, SeverityInfo}

// Listing is a [Sink] that puts findings in the order of reports: by severity,
// then by code, then as they come. It keeps a number of each code and counts
// the rest. Memory does not grow with the export. It must be closed.
type Listing struct {
	most   int
	ranks  map[Code]uint16
	counts map[Code]int
	sorter *spill.Sorter
	buf    []byte
}

// Listed is one finding of a Listing.
type Listed struct {
	Username string // empty: it belongs to no user
	Finding
}

// NewListing returns a Listing that keeps the first most findings of each
// code; 0: all. What does not fit into memory goes, sealed, to files in dir;
// empty: the system's folder for temporary files.
func NewListing(most int, dir string) *Listing {
	l := &Listing{most: most, ranks: map[Code]uint16{}, counts: map[Code]int{}, sorter: spill.New(spill.Options{Dir: dir})}
	for _, severity := range Severities {
		for _, e := range Catalogue() {
			if e.Severity == severity {
				l.ranks[e.Code] = uint16(len(l.ranks))
			}
		}
	}
	return l
}

// Add takes the findings of a user.
func (l *Listing) Add(d Decision) error {
	for i := range d.Findings {
		if err := l.add(d.Username, &d.Findings[i]); err != nil {
			return err
		}
	}
	return nil
}

// Problem takes a finding that belongs to no user.
func (l *Listing) Problem(f Finding) error { return l.add("", &f) }

func (l *Listing) add(username string, f *Finding) error {
	rank, known := l.ranks[f.Code]
	if !known {
		rank = uint16(len(l.ranks))
		l.ranks[f.Code] = rank
	}
	n := l.counts[f.Code]
	l.counts[f.Code]++
	if l.most > 0 && n >= l.most {
		return nil
	}
	body, err := json.Marshal(Listed{clip(username), clipped(f)})
	if err != nil {
		return err
	}
	l.buf = binary.BigEndian.AppendUint16(l.buf[:0], rank)
	l.buf = binary.BigEndian.AppendUint64(l.buf, uint64(n))
	l.buf = append(l.buf, body...)
	return l.sorter.Add(l.buf)
}

// Count is how many findings of a code there are, kept or not.
func (l *Listing) Count(code Code) int { return l.counts[code] }

// Findings yields what was kept. It may be called again; then nothing can be
// added any more.
func (l *Listing) Findings() iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		for rec, err := range l.sorter.Sorted() {
			var f Listed
			if err == nil {
				err = json.Unmarshal(rec[2+8:], &f)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// Close removes the temporary files.
func (l *Listing) Close() error { return l.sorter.Close() }

// maxShown is how much of a text from outside a report for people shows, in
// characters.
const maxShown = 400

// clip shortens a text and makes it harmless on a terminal.
func clip(s string) string {
	n := 0
	for i := range s {
		if n == maxShown {
			return Plain(s[:i]) + "…"
		}
		n++
	}
	return Plain(s)
}

func clipped(f *Finding) Finding {
	g := *f
	g.Field, g.Detail, g.Action, g.Place = clip(f.Field), clip(f.Detail), clip(f.Action), clip(f.Place)
	return g
}
