package legacy

import (
	"encoding/binary"
	"iter"

	"mfabridge/internal/spill"
)

// Memory of the external sorts, in bytes.
const (
	namesMemory    = 8 << 20
	attachedMemory = 8 << 20
	problemsMemory = 1 << 20
)

// problems collects what is wrong with an export and gives it back in the
// order of files and lines. There may be one for every row of a large export.
type problems struct {
	sorter *spill.Sorter
	counts map[Code]int64
	ranks  map[string]uint32 // of the files of the export
	buf    []byte
}

func newProblems(dir string, parts []part) *problems {
	p := &problems{sorter: spill.New(spill.Options{Dir: dir, Memory: problemsMemory}), counts: map[Code]int64{}, ranks: map[string]uint32{}}
	for i, part := range parts {
		p.ranks[part.name] = uint32(i)
	}
	return p
}

// rank is the order of files: those that are read, in that order, then
// everything else.
func (p *problems) rank(file string) uint32 {
	if r, ok := p.ranks[file]; ok {
		return r
	}
	return MaxParts
}

func (p *problems) add(q Problem) error {
	p.counts[q.Code]++
	b := binary.BigEndian.AppendUint32(p.buf[:0], p.rank(q.Place.File))
	b = binary.BigEndian.AppendUint64(b, uint64(q.Place.Line))
	b = binary.BigEndian.AppendUint32(b, uint32(q.Place.Column))
	b = binary.BigEndian.AppendUint64(b, uint64(p.sorter.Len()))
	for _, s := range []string{string(q.Code), q.Place.File, q.Username, q.Field, q.Detail} {
		b = appendBytes(b, s)
	}
	p.buf = b
	return p.sorter.Add(b)
}

func (p *problems) all() iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		for rec, err := range p.sorter.Sorted() {
			var q Problem
			if err == nil {
				q, err = readProblem(rec)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

func readProblem(rec []byte) (Problem, error) {
	u := unpacker{b: rec}
	u.take(4)
	place := u.take(12)
	u.take(8)
	q := Problem{Code: Code(u.bytes())}
	q.Place.File = string(u.bytes())
	q.Username, q.Field, q.Detail = string(u.bytes()), string(u.bytes()), string(u.bytes())
	if u.failed {
		return Problem{}, errPacked
	}
	q.Place.Line = int(binary.BigEndian.Uint64(place))
	q.Place.Column = int(binary.BigEndian.Uint32(place[8:]))
	return q, nil
}
