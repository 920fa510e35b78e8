package legacy

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"mfabridge/internal/hint"
	"mfabridge/internal/xmlpull"
)

// xmlTable is a table in XML: a root element, in it an element a row, in that
// an element a column, by the names of the Web Service SDK. Attributes of the
// row's element are columns too. Namespaces do not count.
//
// Text that is not XML ends the reading: there is no next row to go on with.
type xmlTable struct {
	pull *xmlpull.Reader
	keys
	arena []byte // text of the row; never grows, so that cells stay
}

func openXML(r text, o reading) (*xmlTable, error) {
	t := &xmlTable{keys: keys{o, map[string]int{}}, arena: make([]byte, 0, MaxRow),
		pull: xmlpull.NewReader(xmlText(r), xmlpull.Options{MaxToken: MaxRow})}
	if _, err := t.pull.Next(); err != nil {
		if err == io.EOF {
			return nil, hint.New(o.file+" is empty", "export it again")
		}
		return nil, t.broken(err)
	}
	return t, nil
}

// broken says where the file stops being XML.
func (t *xmlTable) broken(err error) error {
	bad, ok := errors.AsType[*xmlpull.Error](err)
	if !ok {
		return err
	}
	return hint.New(fmt.Sprintf("%s cannot be read: %s", t.file, bad.Error()),
		"export it again; a file that is not UTF-8 needs a byte order mark or --encoding")
}

func (t *xmlTable) next(cells []cell) (int, error) {
	for {
		tok, err := t.pull.Next()
		switch {
		case err == io.EOF:
			return 0, io.EOF
		case err != nil:
			return 0, t.broken(err)
		case tok.Kind == xmlpull.End:
			continue // of the root
		case tok.Kind == xmlpull.Text:
			if len(bytes.TrimSpace(tok.Text)) > 0 {
				return tok.Line, &badRow{line: tok.Line, col: tok.Column, position: -1, text: "text stands between the rows"}
			}
			continue
		}
		return t.row(tok, cells)
	}
}

// row reads to the end of a row, whatever is wrong with it.
func (t *xmlTable) row(tok *xmlpull.Token, cells []cell) (line int, err error) {
	line, depth := tok.Line, t.pull.Depth()
	t.arena = t.arena[:0]
	bad, err := t.attributes(tok, cells)
	for err == nil && t.pull.Depth() >= depth {
		if tok, err = t.pull.Next(); err != nil {
			break
		}
		var worse *badRow
		switch tok.Kind {
		case xmlpull.Start:
			worse, err = t.value(tok, cells)
		case xmlpull.Text:
			if len(bytes.TrimSpace(tok.Text)) > 0 {
				worse = &badRow{line: tok.Line, col: tok.Column, position: -1, text: "text stands between the columns of the row"}
			}
		}
		if bad == nil {
			bad = worse
		}
	}
	switch {
	case err == io.EOF:
		return line, io.ErrUnexpectedEOF
	case err != nil:
		return line, t.broken(err)
	case bad != nil:
		return line, bad
	}
	return line, nil
}

func (t *xmlTable) attributes(tok *xmlpull.Token, cells []cell) (*badRow, error) {
	for _, a := range tok.Attr {
		if a.Name.Space != "" {
			continue
		}
		column, bad, err := t.find(a.Name.Local, tok.Line, tok.Column)
		if bad == nil && err == nil && column >= 0 {
			bad = t.keep(cells, column, a.Name.Local, a.Value, tok.Line, tok.Column)
		}
		if bad != nil || err != nil {
			return bad, err
		}
	}
	return nil, nil
}

// value reads one element of a row.
func (t *xmlTable) value(tok *xmlpull.Token, cells []cell) (*badRow, error) {
	name, line, col := tok.Name.Local, tok.Line, tok.Column
	column, bad, err := t.find(name, line, col)
	if err != nil {
		return nil, err
	}
	if bad != nil || column < 0 {
		return bad, t.pull.Skip()
	}
	depth := t.pull.Depth()
	for {
		tok, err := t.pull.Next()
		switch {
		case err != nil:
			return nil, err
		case tok.Kind == xmlpull.Start:
			bad = &badRow{line: tok.Line, col: tok.Column, position: -1, field: name, text: "an element stands within the value"}
			if err := t.pull.Skip(); err != nil {
				return nil, err
			}
		case tok.Kind == xmlpull.Text && bad == nil:
			bad = t.keep(cells, column, name, tok.Text, tok.Line, tok.Column)
		}
		if t.pull.Depth() < depth {
			if bad == nil && cells[column].col == 0 {
				cells[column] = cell{nil, line, col}
			}
			return bad, nil
		}
	}
}

// keep copies a value into the row.
func (t *xmlTable) keep(cells []cell, column int, name string, value []byte, line, col int) *badRow {
	if len(t.arena)+len(value) > cap(t.arena) {
		return &badRow{line: line, col: col, position: -1, field: name, text: tooLongText()}
	}
	from := len(t.arena)
	t.arena = append(t.arena, value...)
	return t.put(cells, column, name, cell{bytes.TrimSpace(t.arena[from:]), line, col})
}

// xmlText is what a reader of XML takes.
func xmlText(t text) io.Reader {
	if t.wrong == wrongUTF8 {
		return t
	}
	return &undeclared{r: t}
}

// undeclared blanks out an XML declaration, which names an encoding that the
// text has no more. Places stay what they are.
type undeclared struct {
	r     io.Reader
	begun bool
	head  []byte
}

func (u *undeclared) Read(b []byte) (int, error) {
	if !u.begun {
		u.begun = true
		const most = 256
		head := make([]byte, most)
		n, err := io.ReadFull(u.r, head)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		u.head = head[:n]
		if end := bytes.Index(u.head, []byte("?>")); end >= 0 && bytes.HasPrefix(u.head, []byte("<?xml")) {
			for i := range u.head[:end+2] {
				if u.head[i] != '\n' {
					u.head[i] = ' '
				}
			}
		}
	}
	if len(u.head) > 0 {
		n := copy(b, u.head)
		u.head = u.head[n:]
		return n, nil
	}
	return u.r.Read(b)
}
