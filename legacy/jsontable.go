package legacy

import (
	"fmt"
	"strings"

	"mfabridge/internal/hint"
)

// keys finds the columns of a table that has no header: each row names its own.
type keys struct {
	reading
	columns map[string]int // as written: column of the schema, or -1
}

// find returns the column that a name leads to, and reports a name that was
// not met before. A table has no more different names than a header may have.
func (k *keys) find(name string, line, col int) (int, *badRow, error) {
	if column, ok := k.columns[name]; ok {
		return column, nil, nil
	}
	if len(name) > MaxName {
		return -1, &badRow{line: line, col: col, position: -1, text: fmt.Sprintf("a key has more than %d bytes", MaxName)}, nil
	}
	if len(k.columns) == MaxColumns {
		return -1, &badRow{line: line, col: col, position: -1, text: fmt.Sprintf("the table has more than %d different keys", MaxColumns)}, nil
	}
	column := k.column(name)
	k.columns[name] = column
	return column, nil, k.tell(heading{strings.TrimSpace(name), 0, line, col, column})
}

// put enters a value into its cell, if nothing stands there.
func (k *keys) put(cells []cell, column int, name string, c cell) *badRow {
	if cells[column].col != 0 {
		return &badRow{line: c.line, col: c.col, position: -1, field: name,
			text: k.schema.columns[column].name + " stands twice in the row"}
	}
	cells[column] = c
	return nil
}

// lineTable is a table of JSON objects, one a line.
type lineTable struct {
	lines *lines
	keys
}

func openLines(r text, o reading) (*lineTable, error) {
	t := &lineTable{newLines(r), keys{o, map[string]int{}}}
	if err := t.lines.fill(); err != nil {
		return nil, err
	}
	if t.lines.end == 0 {
		return nil, hint.New(o.file+" is empty", "export it again; each line must be a JSON object")
	}
	return t, nil
}

func (t *lineTable) next(cells []cell) (int, error) {
	line, src, err := t.lines.next()
	if err != nil {
		return line, err
	}
	row, bad := readJSON(src, line)
	if bad != nil {
		return line, bad
	}
	if row.kind != nodeObject {
		return line, &badRow{line: line, col: row.col, position: -1, text: "the row must be an object, not " + row.kind.String()}
	}
	for _, m := range row.members {
		column, bad, err := t.find(m.key, m.line, m.col)
		if err != nil {
			return line, err
		}
		if bad != nil {
			return line, bad
		}
		if column < 0 {
			continue
		}
		v := m.value
		if v.kind == nodeObject || v.kind == nodeList {
			return line, &badRow{line: v.line, col: v.col, position: -1, field: m.key, text: "the value must be a text, a number, true, false or null, not " + v.kind.String()}
		}
		text := strings.TrimSpace(v.text)
		if bad := t.put(cells, column, m.key, cell{[]byte(text), v.line, v.col}); bad != nil {
			return line, bad
		}
	}
	return line, nil
}
