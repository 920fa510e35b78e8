package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
// encoding/json says whether it is JSON at all; what is left is to cut it.
type jsonReader struct {
	src  []byte
	pos  int // of what is read next
	line int // of at
	bol  int // where that line begins
	at   int
}

// readJSON reads text, which begins on the given line and is UTF-8. A key that
// stands twice in an object is refused, and so is what JSON allows and no text
// can hold: NUL, and half a character.
func readJSON(src []byte, line int) (*node, *badRow) {
	r := &jsonReader{src: src, line: line}
	if json.Valid(src) {
		return r.value(0)
	}
	var whole json.RawMessage
	return nil, r.broken(json.Unmarshal(src, &whole))
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

// skip goes to the next byte that means something. There is one: the text is
// JSON.
func (r *jsonReader) skip() byte {
	for r.src[r.pos] <= ' ' || r.src[r.pos] == ',' || r.src[r.pos] == ':' {
		r.pos++
	}
	return r.src[r.pos]
}

func (r *jsonReader) value(depth int) (*node, *badRow) {
	c := r.skip()
	from := r.pos
	n := &node{}
	n.line, n.col = r.place(from)
	switch c {
	case '"':
		n.kind = nodeText
		var bad *badRow
		n.text, bad = r.text()
		return n, bad
	case '{', '[':
		if depth == maxJSONDepth {
			return nil, r.bad(from, fmt.Sprintf("values are nested more than %d deep", maxJSONDepth))
		}
		r.pos++
		if c == '{' {
			n.kind = nodeObject
			return n, r.object(n, depth+1)
		}
		n.kind = nodeList
		return n, r.list(n, depth+1)
	}
	for r.pos < len(r.src) && r.src[r.pos] > ' ' && bytes.IndexByte([]byte(",]}"), r.src[r.pos]) < 0 {
		r.pos++
	}
	switch word := string(r.src[from:r.pos]); word {
	case "null":
	case "true", "false":
		n.kind, n.text = nodeBool, word
	default:
		n.kind, n.text = nodeNumber, word
	}
	return n, nil
}

// text reads a string.
func (r *jsonReader) text() (string, *badRow) {
	from, plain := r.pos, true
	for r.pos++; r.src[r.pos] != '"'; r.pos++ {
		if r.src[r.pos] == '\\' {
			plain = false
			r.pos++
		}
	}
	r.pos++
	raw := r.src[from:r.pos]
	if plain { // neither NUL nor half a character can stand there as itself
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil { // cannot be: the text was checked
		return "", r.bad(from, "this is not JSON")
	}
	return text, r.clean(text, raw, from)
}

func (r *jsonReader) object(n *node, depth int) *badRow {
	var seen map[string]bool // of large objects
	for r.skip() != '}' {
		e, from := entry{}, r.pos
		e.line, e.col = r.place(from)
		var bad *badRow
		if e.key, bad = r.text(); bad != nil {
			return bad
		}
		const few = 64
		twice := seen[e.key]
		if seen == nil {
			twice = slices.ContainsFunc(n.members, func(m entry) bool { return m.key == e.key })
		}
		if twice {
			return &badRow{line: e.line, col: e.col, position: -1, text: fmt.Sprintf("the key %s stands twice", shortKey(e.key))}
		}
		if e.value, bad = r.value(depth); bad != nil {
			return bad
		}
		n.members = append(n.members, e)
		if seen == nil && len(n.members) > few {
			seen = map[string]bool{}
			for _, m := range n.members {
				seen[m.key] = true
			}
		} else if seen != nil {
			seen[e.key] = true
		}
	}
	r.pos++
	return nil
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
	for r.skip() != ']' {
		item, bad := r.value(depth)
		if bad != nil {
			return bad
		}
		n.items = append(n.items, item)
	}
	r.pos++
	return nil
}

// clean refuses a text with NUL or half a character in it. encoding/json
// replaces the latter by U+FFFD, which nobody would notice.
func (r *jsonReader) clean(text string, raw []byte, from int) *badRow {
	if strings.IndexByte(text, 0) >= 0 {
		return r.bad(from, "the value holds a NUL byte")
	}
	if n := strings.Count(text, "\ufffd"); n > 0 {
		raw = bytes.ToLower(raw)
		if n > bytes.Count(raw, []byte("\ufffd"))+bytes.Count(raw, []byte(`\ufffd`)) {
			return r.bad(from, "the value holds half a character")
		}
	}
	return nil
}
