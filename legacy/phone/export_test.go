package phone

import (
	"unsafe"

	"github.com/nyaruka/phonenumbers"
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

// Decided tells whether a table decides a number.
func Decided(p *Parser, code int, number string) bool {
	plan := p.plans[code]
	plan.judge([]byte(number))
	if plan.table == nil {
		return false
	}
	_, _, decided := plan.table.decide([]byte(number))
	return decided
}

var _ = phonenumbers.UNKNOWN
