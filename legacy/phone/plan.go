package phone

import (
	"sync"

	"github.com/nyaruka/phonenumbers"
)

const (
	minNational = phonenumbers.MIN_LENGTH_FOR_NSN // digits that the library parses at least
	maxNational = phonenumbers.MAX_LENGTH_FOR_NSN // and at most
)

// plan is the numbering plan behind one calling code. Its table is made when
// it is first needed.
type plan struct {
	number int
	code   string // the number in digits
	made   sync.Once
	table  *table // nil: the library decides everything
}

// judge gives the verdict on a number without its calling code, and its
// national significant number if it is possible.
func (p *plan) judge(number []byte) (national string, v verdict) {
	p.made.Do(func() { p.table, _ = newTable(p.number) }) // an error is a plan that a table cannot hold
	if p.table != nil {
		if digits, v, decided := p.table.decide(number); decided {
			return string(digits), v
		}
	}
	return p.ask(string(number))
}

// table decides numbers of one calling code as the library would.
type table struct {
	*automaton
	byLength [maxNational + 1]verdict // of numbers in no range: possible, or why not
	trunks   []string                 // prefixes that may have to go, the first that fits counts
}

// decide gives the verdict on a number, unless it is a case for the library.
func (t *table) decide(number []byte) (national []byte, v verdict, decided bool) {
	switch {
	case len(number) < minNational:
		return nil, tooShort, true
	case len(number) > maxNational:
		return nil, 0, false
	}
	rest, end, simple := t.shorten(number)
	switch v = t.byLength[len(rest)]; {
	case !simple:
		return nil, 0, false
	case len(rest) < minNational:
		return nil, tooShort, true
	case end&markValid != 0:
		v = valid
	case v != possible:
		return nil, v, true
	}
	if len(rest) < len(number) {
		again, _, simple := t.shorten(rest)
		if !simple {
			return nil, 0, false
		}
		if len(again) < len(rest) {
			return nil, unstable, true
		}
	}
	return rest, v, true
}

// shorten takes off the prefix that the library would take off, and returns
// the rest with what the automaton says of it. It is not simple if a prefix
// may have to go that is not among trunks.
func (t *table) shorten(number []byte) (rest []byte, end marks, simple bool) {
	end, seen := t.walk(number)
	if seen&markPrefix != 0 || end&markPrefixEnd != 0 {
		return nil, 0, false
	}
	trunk := t.trunk(number)
	if trunk == "" {
		return number, end, true
	}
	rest = number[len(trunk):]
	restEnd, _ := t.walk(rest)
	if end&markGeneral != 0 && restEnd&markGeneral == 0 {
		return number, end, true // only the whole number is one
	}
	if v := t.byLength[len(rest)]; v != possible && v != tooLong {
		return number, end, true // no number is that long
	}
	return rest, restEnd, true
}

// trunk returns the prefix that may have to go, or "".
func (t *table) trunk(number []byte) string {
	for _, trunk := range t.trunks {
		if len(trunk) <= len(number) && string(number[:len(trunk)]) == trunk {
			return trunk
		}
	}
	return ""
}

// newTable makes the table of a calling code. It fails where the metadata
// hold what a table cannot.
func newTable(code int) (*table, error) {
	metadata, err := metadataOf(code)
	if err != nil {
		return nil, err
	}
	var t table
	if t.byLength, err = lengths(metadata[0].GetGeneralDesc()); err != nil {
		return nil, err
	}
	trunks, prefix, err := readPrefix(metadata[0])
	if err != nil {
		return nil, err
	}
	t.trunks = trunks
	p := patterns{index: make(map[string]int)}
	rules, err := p.rules(metadata, prefix)
	if err != nil {
		return nil, err
	}
	if t.automaton, err = p.automaton(maxNodes, rules.marks); err != nil {
		return nil, err
	}
	return &t, nil
}
