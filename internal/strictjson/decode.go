// Package strictjson reads JSON that strangers send, without the surprises of
// encoding/json. A text is one value and nothing after it. An object that names
// a member twice is refused: encoding/json takes the last one, other readers
// the first, and who has looked at a body before us may have seen another one
// than we do (RFC 8259 section 4, RFC 7493 section 2.3). Names that differ in
// case only are one name, as encoding/json takes them for one. A text that is not
// UTF-8 (RFC 8259 section 8.1) is refused, and so is one that escapes half a
// letter (RFC 8259 section 8.2, RFC 7493 section 2.1): encoding/json puts U+FFFD in
// place of each letter that it cannot read, so that different texts would be one.
// Nesting and the number of members are limited.
//
// What this package refuses by itself it refuses with a [Refused]; errors of
// encoding/json are handed on as they are.
package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits on a text. The longest objects that we read have some thirty members.
const (
	MaxDepth   = 64 // objects and arrays in each other
	MaxMembers = 64 // of one object
)

// Refused says what is wrong with a text, in words that go on from "the text is
// refused:". It quotes nothing of the text but the name of a member.
type Refused string

func (r Refused) Error() string { return string(r) }

// quoted is the longest name that stands in an error, in bytes.
const quoted = 64

// Decode reads a text into what into points to, as [json.Unmarshal] does.
// Members that have no field there are ignored.
func Decode(text []byte, into any) error { return decode(text, into, false) }

// DecodeKnown is Decode that refuses members that have no field.
func DecodeKnown(text []byte, into any) error { return decode(text, into, true) }

func decode(text []byte, into any, known bool) error {
	if !utf8.Valid(text) {
		return Refused("it is not UTF-8")
	}
	if err := once(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if known {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return Refused("something follows the value")
	}
	return nil
}

// walk is what is open at one place of a text.
type walk struct {
	names [][]byte // of the objects that are open, the innermost last
	open  []int    // for each of them where its names begin; of an array: isArray
}

const isArray = -1

// once refuses a text that is over a limit or names a member twice. Whether it
// is JSON at all is for others to say: of what is not, it may say anything.
func once(text []byte) error {
	w := walk{names: make([][]byte, 0, 16), open: make([]int, 0, 8)}
	named := false // whether a string at this place is a name
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			if len(w.open) == MaxDepth {
				return Refused(fmt.Sprintf("it is nested more than %d times", MaxDepth))
			}
			named = text[i] == '{'
			if named {
				w.open = append(w.open, len(w.names))
			} else {
				w.open = append(w.open, isArray)
			}
		case '}', ']':
			w.close()
			named = false
		case ',':
			named = len(w.open) > 0 && w.open[len(w.open)-1] != isArray
		case '"':
			begin, whole := i, true
			if i, whole = stringEnd(text, i+1); !whole {
				return Refused("it escapes half a letter (a surrogate without the other one)")
			}
			if named && i < len(text) {
				if err := w.name(text[begin : i+1]); err != nil {
					return err
				}
			}
			named = false
		}
	}
	return nil
}

// stringEnd is where the quote is that closes a string; whole: all letters that
// are escaped in it are.
func stringEnd(text []byte, i int) (end int, whole bool) {
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		switch first := escaped(text[i:]); {
		case !utf16.IsSurrogate(first):
		case i+5 >= len(text) || text[i+5] != '\\', utf16.DecodeRune(first, escaped(text[i+6:])) == unicode.ReplacementChar:
			return i, false
		default:
			i += 10 // to the last digit of the other half
		}
	}
	return i, true
}

// escaped is what uXXXX stands for at the beginning of a text; 0: it is not there.
func escaped(text []byte) (r rune) {
	if len(text) < 5 || text[0] != 'u' {
		return 0
	}
	for _, c := range text[1:5] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 {
			return 0 // no JSON, which is found later
		}
		r = r<<4 | rune(digit)
	}
	return r
}

func (w *walk) close() {
	if len(w.open) == 0 {
		return
	}
	last := len(w.open) - 1
	if at := w.open[last]; at != isArray {
		w.names = w.names[:at]
	}
	w.open = w.open[:last]
}

// name notes a name, with its quotes, of the innermost object.
func (w *walk) name(raw []byte) error {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil // no JSON, which is found later
		}
		name = []byte(s)
	}
	others := w.names[w.open[len(w.open)-1]:]
	for _, other := range others {
		if bytes.EqualFold(name, other) {
			if len(name) >= quoted {
				return Refused("it names a member twice")
			}
			return Refused(fmt.Sprintf("it names member %q twice", name))
		}
	}
	if len(others) == MaxMembers {
		return Refused(fmt.Sprintf("an object has more than %d members", MaxMembers))
	}
	w.names = append(w.names, name)
	return nil
}
