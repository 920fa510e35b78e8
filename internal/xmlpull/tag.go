package xmlpull

import (
	"bytes"
	"fmt"
	"io"
)

// rawAttr is an attribute before its prefix is resolved.
type rawAttr struct {
	name   *rawName
	value  []byte
	offset int
}

// tag reads the tag at the start of the window.
func (r *Reader) tag() error {
	r.here()
	if r.expectedEnd() {
		return nil
	}
	n := r.plainStart()
	if n > 0 {
		return r.startTag(r.window()[:n])
	}
	n, err := r.tagEnd()
	if err != nil {
		return err
	}
	if n > r.opt.MaxToken {
		return r.tooLong()
	}
	b := r.window()[:n]
	if b[1] == '/' {
		return r.endTag(b)
	}
	return r.startTag(b)
}

// expectedEnd reads the end tag of the element that is open, as nearly all
// documents write it.
func (r *Reader) expectedEnd() bool {
	if len(r.stack) == 0 {
		return false
	}
	name, w := r.stack[len(r.stack)-1].raw.full, r.window()
	n := len(name) + 3
	if len(w) < n || w[1] != '/' || w[n-1] != '>' || string(w[2:n-1]) != name {
		return false
	}
	r.pop()
	r.start += n
	r.mark = r.start // no line ends in it
	return true
}

// plainStart is the length of a start tag that is nothing but a name, or 0.
func (r *Reader) plainStart() int {
	w := r.window()
	n := 1 + nameLength(w[1:])
	if n > MaxName || n > r.opt.MaxToken || n >= len(w) || w[n] != '>' {
		return 0
	}
	return n + 1
}

// tagEnd is the length of the tag. A ">" in quotes does not end it.
func (r *Reader) tagEnd() (int, error) {
	quote := byte(0)
	for i := 1; ; {
		w := r.window()
		for ; i < len(w); i++ {
			switch c := w[i]; {
			case quote != 0:
				j := bytes.IndexByte(w[i:], quote)
				if j < 0 {
					i = len(w) - 1
					continue
				}
				i, quote = i+j, 0
			case c == '>':
				return i + 1, nil
			case c == '"' || c == '\'':
				quote = c
			case c == '<':
				return 0, r.refuse(i, `"<" stands within a tag`)
			}
		}
		if err := r.more(); err == io.EOF {
			return 0, r.refuse(0, "the document ends within a tag")
		} else if err != nil {
			return 0, err
		}
	}
}

func (r *Reader) endTag(b []byte) error {
	name := b[2 : len(b)-1]
	for len(name) > 0 && isSpace(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	switch {
	case len(r.stack) == 0:
		return r.refuse(0, "an end tag stands where no element is open")
	case string(name) != r.stack[len(r.stack)-1].raw.full:
		return r.refuse(0, "this is not the end tag of the element that is open")
	}
	r.pop()
	r.start += len(b)
	return nil
}

// pop ends the innermost element: it is the token.
func (r *Reader) pop() {
	top := &r.stack[len(r.stack)-1]
	r.token.Kind, r.token.Name = End, top.name
	r.bindings = r.bindings[:top.bindings]
	r.stack = r.stack[:len(r.stack)-1]
}

func (r *Reader) startTag(b []byte) error {
	switch {
	case len(r.stack) == 0 && r.rooted:
		return r.refuse(0, "there is a second root element")
	case len(r.stack) == r.opt.MaxDepth:
		return r.refuse(0, fmt.Sprintf("more than %d elements stand within each other", r.opt.MaxDepth))
	}
	n := nameLength(b[1:])
	name := r.intern(b[1 : 1+n])
	if name == nil {
		return r.refuse(1, badName)
	}
	empty := false
	r.raw = r.raw[:0]
	if n+2 < len(b) {
		var err error
		if empty, err = r.attributes(b, 1+n); err != nil {
			return err
		}
	}
	opened := element{raw: name, bindings: len(r.bindings)}
	if len(r.raw) > 0 {
		if err := r.declare(); err != nil {
			return err
		}
		if err := r.resolveAttributes(); err != nil {
			return err
		}
	}
	var ok bool
	if opened.name, ok = r.resolve(name, true); !ok {
		return r.refuse(1, undeclared)
	}
	r.token.Kind, r.token.Name = Start, opened.name
	r.stack = append(r.stack, opened)
	r.rooted, r.selfEnd = true, empty
	r.start += len(b)
	if n+2 == len(b) {
		r.mark = r.start // no line ends in it
	}
	return nil
}

// attributes reads what stands in a start tag behind its name.
func (r *Reader) attributes(b []byte, i int) (empty bool, err error) {
	for {
		spaces := notSpace(b[i:])
		i += spaces
		switch {
		case b[i] == '>':
			return false, nil
		case b[i] == '/' && i+2 == len(b):
			return true, nil
		case spaces == 0:
			return false, r.refuse(i, "this does not belong into a tag")
		case len(r.raw) == r.opt.MaxAttributes:
			return false, r.refuse(i, fmt.Sprintf("an element has more than %d attributes", r.opt.MaxAttributes))
		}
		a := rawAttr{offset: i}
		n := nameLength(b[i:])
		if a.name = r.intern(b[i : i+n]); a.name == nil {
			return false, r.refuse(i, badName)
		}
		for j := range r.raw {
			if r.raw[j].name.full == a.name.full {
				return false, r.refuse(i, "an attribute is there twice")
			}
		}
		i += n
		i += notSpace(b[i:])
		if b[i] != '=' {
			return false, r.refuse(i, "an attribute has no value")
		}
		i++
		i += notSpace(b[i:])
		if b[i] != '"' && b[i] != '\'' {
			return false, r.refuse(i, "the value of an attribute is not in quotes")
		}
		length := bytes.IndexByte(b[i+1:], b[i])
		if length < 0 {
			return false, r.refuse(i, "the value of an attribute does not end")
		}
		if a.value, err = r.value(b[i+1:i+1+length], i+1); err != nil {
			return false, err
		}
		i += length + 2
		r.raw = append(r.raw, a)
	}
}

// value decodes the value of an attribute. Several share scratch.
func (r *Reader) value(b []byte, offset int) ([]byte, error) {
	before := len(r.scratch)
	out, clean, err := r.decode(r.scratch, b, offset, inValue)
	if err != nil || clean {
		return b, err
	}
	r.scratch = out
	return out[before:len(out):len(out)], nil
}
