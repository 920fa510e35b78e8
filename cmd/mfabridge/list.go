package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/migrate"
)

// listing is what a command says of several things: a table for people, or with
// --format json an object a line for programs. Every command that lists does so
// through it, so that both say the same.
type listing struct {
	p      *program
	asJSON bool
	table  *grid
}

// list begins what the command's --format asks for. Without a head the table
// has none.
func (p *program) list(c *cli.Context, head ...string) (*listing, error) {
	asJSON, err := format(c)
	l := &listing{p: p, asJSON: asJSON, table: table(p.out)}
	if !asJSON && len(head) > 0 {
		l.row(head)
	}
	return l, err
}

// add says one thing: object is what programs read of it, with its "type", and
// cells are the line of the table.
func (l *listing) add(object any, cells ...string) error {
	if l.asJSON {
		return l.p.jsonLine(object)
	}
	l.row(cells)
	return nil
}

func (l *listing) row(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(l.table, "\t")
		}
		fmt.Fprint(l.table, migrate.Plain(cell))
	}
	fmt.Fprintln(l.table)
}

// note says something below the table, of which programs read object.
func (l *listing) note(object any, sentence string) error {
	if err := l.table.Flush(); err != nil {
		return err
	}
	return l.add(object, sentence)
}

// end writes the table.
func (l *listing) end() error { return l.table.Flush() }

// orNull is a moment in JSON; none is null, not the year 1.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orEmpty is a list in JSON; one without elements is empty, not null.
func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// orNone are words in a cell; without any it says none.
func orNone(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// members are those of an object in JSON, in their order, for people.
func members(object any) (rows [][2]string, err error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	if _, err := in.Token(); err != nil { // {
		return nil, err
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		rows = append(rows, [2]string{fmt.Sprint(name), inWords(value)})
	}
	return rows, nil
}

// inWords is a value of JSON for people.
func inWords(value any) string {
	switch v := value.(type) {
	case bool:
		return yesNo(v)
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, inWords(one))
		}
		return strings.Join(all, ", ")
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, name+" "+inWords(v[name]))
		}
		return strings.Join(all, " ")
	}
	return fmt.Sprint(value)
}
