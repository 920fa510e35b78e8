package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth is how deep objects and lists may lie within each other.
const maxJSONDepth = 32

// nodeKind says what a value of JSON is.
type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeText
	nodeNumber
	nodeBool
	nodeObject
	nodeList
)

// String names the kind for a message: "must be …, not …".
func (k nodeKind) String() string {
	return [...]string{"null", "a text", "a number", "true or false", "an object", "a list"}[k]
}

// node is a value of JSON with its place.
type node struct {
	kind      nodeKind
	text      string // of a text, a number, or "true" and "false"
	line, col int
	members   []entry
	items     []*node
}

// entry is a member of an object, in the order of the file.
type entry struct {
	key       string
	line, col int // of the key
	value     *node
}

// jsonReader makes the tree of one value that is in memory as a whole.
type jsonReader struct {
	src  []byte
	dec  *json.Decoder
	line int // of at
	bol  int // where that line begins
	at   int
}

// readJSON reads text, which begins on the given line and is UTF-8. A key that
// stands twice in an object is refused, and so is what JSON allows and no text
// can hold: NUL, and half a character.
func readJSON(src []byte, line int) (*node, *badRow) {
	r := &jsonReader{src: src, line: line}
	var whole json.RawMessage
	if err := json.Unmarshal(src, &whole); err != nil {
		return nil, r.broken(err)
	}
	r.dec = json.NewDecoder(bytes.NewReader(src))
	r.dec.UseNumber()
	return r.value(0)
}

// broken says where text stops being JSON, without quoting it.
func (r *jsonReader) broken(err error) *badRow {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok || syntax.Offset > int64(len(r.src)) {
		return r.bad(len(r.src), "this is not JSON")
	}
	if err.Error() == "unexpected end of JSON input" {
		return r.bad(len(r.src), "this is not JSON: it ends before it is complete")
	}
	return r.bad(int(syntax.Offset)-1, "this is not JSON: what stands here does not belong here")
}

func (r *jsonReader) bad(at int, text string) *badRow {
	line, col := r.place(at)
	return &badRow{line: line, col: col, position: -1, text: text}
}

// place counts lines up to an offset. Offsets are asked for in ascending order.
func (r *jsonReader) place(at int) (line, col int) {
	at = max(at, r.at)
	for {
		i := bytes.IndexByte(r.src[r.at:at], '\n')
		if i < 0 {
			break
		}
		r.at += i + 1
		r.line, r.bol = r.line+1, r.at
	}
	r.at = at
	return r.line, at - r.bol + 1
}

// token returns the next token and where it begins.
func (r *jsonReader) token() (json.Token, int, *badRow) {
	from := int(r.dec.InputOffset())
	t, err := r.dec.Token()
	if err != nil && err != io.EOF { // cannot be: the text was checked
		return nil, from, r.bad(from, "this is not JSON")
	}
	for from < len(r.src) && bytes.IndexByte([]byte(" \t\r\n,:"), r.src[from]) >= 0 {
		from++
	}
	return t, from, nil
}

func (r *jsonReader) value(depth int) (*node, *badRow) {
	t, from, bad := r.token()
	if bad != nil {
		return nil, bad
	}
	n := &node{}
	n.line, n.col = r.place(from)
	switch t := t.(type) {
	case nil:
	case string:
		n.kind, n.text = nodeText, t
		return n, r.clean(t, from)
	case json.Number:
		n.kind, n.text = nodeNumber, string(t)
	case bool:
		n.kind, n.text = nodeBool, fmt.Sprint(t)
	case json.Delim:
		if depth == maxJSONDepth {
			return nil, r.bad(from, fmt.Sprintf("values are nested more than %d deep", maxJSONDepth))
		}
		if t == '{' {
			n.kind = nodeObject
			return n, r.object(n, depth+1)
		}
		n.kind = nodeList
		return n, r.list(n, depth+1)
	}
	return n, nil
}

func (r *jsonReader) object(n *node, depth int) *badRow {
	seen := map[string]bool{}
	for r.dec.More() {
		t, from, bad := r.token()
		if bad != nil {
			return bad
		}
		key, _ := t.(string)
		if bad := r.clean(key, from); bad != nil {
			return bad
		}
		if seen[key] {
			return r.bad(from, fmt.Sprintf("the key %s stands twice", shortKey(key)))
		}
		seen[key] = true
		e := entry{key: key}
		e.line, e.col = r.place(from)
		if e.value, bad = r.value(depth); bad != nil {
			return bad
		}
		n.members = append(n.members, e)
	}
	_, _, bad := r.token()
	return bad
}

// shortKey quotes a key, and not more of it than a name has.
func shortKey(key string) string {
	const most = 64
	if len(key) > most {
		key = key[:most]
		for !utf8.ValidString(key) {
			key = key[:len(key)-1]
		}
		return fmt.Sprintf("%q…", key)
	}
	return fmt.Sprintf("%q", key)
}

func (r *jsonReader) list(n *node, depth int) *badRow {
	for r.dec.More() {
		item, bad := r.value(depth)
		if bad != nil {
			return bad
		}
		n.items = append(n.items, item)
	}
	_, _, bad := r.token()
	return bad
}

// clean refuses a text with NUL or half a character in it. encoding/json
// replaces the latter by U+FFFD, which nobody would notice.
func (r *jsonReader) clean(text string, from int) *badRow {
	if strings.IndexByte(text, 0) >= 0 {
		return r.bad(from, "the value holds a NUL byte")
	}
	if n := strings.Count(text, "\ufffd"); n > 0 {
		raw := bytes.ToLower(r.src[from:r.dec.InputOffset()])
		if n > bytes.Count(raw, []byte("\ufffd"))+bytes.Count(raw, []byte(`\ufffd`)) {
			return r.bad(from, "the value holds half a character")
		}
	}
	return nil
}
