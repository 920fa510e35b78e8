package planfile

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// batchRows is how many rows one statement takes: the cost of a call into
// SQLite is shared by so many.
const batchRows = 8

// batch inserts rows into one table, in their order, some at a time.
type batch struct {
	one, many *stmt
	columns   int
	args      []driver.Value // of rows that wait
}

func (d *db) batch(table string, columns int) (*batch, error) {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	one, err := d.prepare("INSERT INTO " + table + " VALUES " + row)
	if err != nil {
		return nil, err
	}
	many, err := d.prepare("INSERT INTO " + table + " VALUES " + row + strings.Repeat(", "+row, batchRows-1))
	if err != nil {
		return nil, err
	}
	return &batch{one: one, many: many, columns: columns, args: make([]driver.Value, 0, batchRows*columns)}, nil
}

// add takes one row.
func (b *batch) add(values ...driver.Value) error {
	b.args = append(b.args, values...)
	if len(b.args) < batchRows*b.columns {
		return nil
	}
	err := b.many.exec(b.args...)
	clear(b.args)
	b.args = b.args[:0]
	return err
}

// flush inserts the rows that wait.
func (b *batch) flush() error {
	for row := range slices.Chunk(b.args, b.columns) {
		if err := b.one.exec(row...); err != nil {
			return err
		}
	}
	b.args = b.args[:0]
	return nil
}
