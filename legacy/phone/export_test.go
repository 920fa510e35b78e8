package phone

import (
	"unsafe"
)

// Table is what NewTable reports of the table of one calling code.
type Table struct {
	Nodes, Bytes int
	Trunks       []string
}

// NewTable makes the table of a calling code.
func NewTable(code int) (Table, error) {
	t, err := newTable(code)
	if err != nil {
		return Table{}, err
	}
	return Table{
		Nodes:  len(t.nodes),
		Bytes:  len(t.nodes) * int(unsafe.Sizeof(node{})),
		Trunks: t.trunks,
	}, nil
}

// Automaton makes an automaton of one pattern within a limit of nodes.
func Automaton(pattern string, limit int) error {
	p := patterns{index: make(map[string]int)}
	if _, err := p.add(pattern); err != nil {
		return err
	}
	_, err := p.automaton(limit, func(_ int, matched, _ []bool) marks {
		if matched[0] {
			return markValid
		}
		return 0
	})
	return err
}

// Decided tells whether a table decides a number, or the library.
func Decided(p *Parser, code int, number string) bool {
	plan := p.plans.of[code]
	plan.judge([]byte(number))
	if plan.table == nil {
		return false
	}
	_, _, decided := plan.table.decide([]byte(number))
	return decided
}
