package xmlpull

import (
	"bytes"
	"fmt"
	"io"
)

// Options of NewReader; the zero value is usable. A limit of 0 is the constant
// of its name.
type Options struct {
	MaxDepth      int
	MaxToken      int
	MaxAttributes int

	// MaxBytes is the size of the whole document; 0: any.
	MaxBytes int64
}

func (o Options) withDefaults() Options {
	if o.MaxDepth <= 0 {
		o.MaxDepth = MaxDepth
	}
	if o.MaxToken <= 0 {
		o.MaxToken = MaxToken
	}
	if o.MaxAttributes <= 0 {
		o.MaxAttributes = MaxAttributes
	}
	return o
}

// Reader reads one document. It is not for concurrent use.
type Reader struct {
	in  io.Reader
	opt Options
	err error // once there is one, Next returns nothing else

	buf   []byte
	start int // of the token at hand; all offsets of the scanner count from here
	end   int // of what was read
	eof   bool
	total int64

	mark      int // up to which lines are counted
	line      int // of mark, from 1
	lineStart int // where that line begins in buf; may be negative

	token    Token
	begun    bool // the start of the document was looked at
	rooted   bool // the root element was seen
	selfEnd  bool // the End of <a/> is due
	scratch  []byte
	attrs    []Attr
	raw      []rawAttr
	stack    []element
	bindings []binding
	interned map[string]*rawName
	recent   [recentNames]*rawName
	spaces   map[string]string
}

// element is one that is open.
type element struct {
	raw      *rawName
	name     Name
	bindings int // how many there were before it
}

// NewReader returns a reader of the document that in yields. It reads ahead.
func NewReader(in io.Reader, o Options) *Reader {
	return &Reader{
		in: in, opt: o.withDefaults(), buf: make([]byte, readBuffer), line: 1,
		interned: map[string]*rawName{},
		spaces:   map[string]string{},
		bindings: []binding{{prefix: "xml", space: xmlSpace}},
	}
}

// Depth is how many elements are open; the element of a Start counts, that of
// an End no more.
func (r *Reader) Depth() int { return len(r.stack) }

// Next returns the next token. The error is io.EOF after the root element and
// what may follow it, an *Error, or one of reading. After an error it is
// returned again. The token is the same one at each call.
func (r *Reader) Next() (*Token, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.token = Token{}
	if err := r.next(); err != nil {
		r.err = err
		clear(r.buf) // secrets went through it
		clear(r.scratch[:cap(r.scratch)])
		return nil, err
	}
	return &r.token, nil
}

// Skip reads to the end of the element whose Start Next returned last. With
// text read since, or a child, it ends the element that is open.
func (r *Reader) Skip() error {
	for depth := len(r.stack); depth > 0 && len(r.stack) >= depth; {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Leaf reads to the end of the element whose Start Next returned last and
// returns its text, which is valid until the next call of Next. An element
// within it is refused.
func (r *Reader) Leaf() ([]byte, error) {
	t, err := r.Next()
	if err != nil || t.Kind == End {
		return nil, err
	}
	if t.Kind == Start {
		return nil, r.refuseAt(t, "an element stands where only text may be")
	}
	// Text ends at a tag, so that the next token is one; End leaves scratch
	// alone.
	held := r.hold(t.Text)
	if t, err = r.Next(); err != nil {
		return nil, err
	}
	if t.Kind == Start {
		return nil, r.refuseAt(t, "an element stands where only text may be")
	}
	return held, nil
}

// hold keeps text over one call of Next.
func (r *Reader) hold(text []byte) []byte {
	if len(r.scratch) > 0 && len(text) > 0 && &r.scratch[0] == &text[0] {
		return text // an end tag leaves scratch alone
	}
	r.scratch = append(r.scratch[:0], text...)
	return r.scratch
}

func (r *Reader) refuseAt(t *Token, text string) error {
	r.err = &Error{Line: t.Line, Column: t.Column, Text: text}
	return r.err
}

// window is what was read from the start of the token on.
func (r *Reader) window() []byte { return r.buf[r.start:r.end] }

// more reads on. It returns io.EOF at the end of the document.
func (r *Reader) more() error {
	if r.eof {
		return io.EOF
	}
	if r.end-r.start > r.opt.MaxToken {
		return r.refuse(0, fmt.Sprintf("a tag, comment or text has more than %d bytes", r.opt.MaxToken))
	}
	if r.start > 0 && r.end == len(r.buf) {
		r.slide()
	}
	if r.end == len(r.buf) {
		grown := make([]byte, min(2*len(r.buf), r.opt.MaxToken+readBuffer))
		copy(grown, r.buf)
		clear(r.buf)
		r.buf = grown
	}
	for range 100 { // as many empty reads as the standard library bears
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		r.total += int64(n)
		if r.opt.MaxBytes > 0 && r.total > r.opt.MaxBytes {
			return r.refuse(0, fmt.Sprintf("the document has more than %d bytes", r.opt.MaxBytes))
		}
		if err == io.EOF {
			r.eof = true
			if n == 0 {
				return io.EOF
			}
			return nil
		}
		if err != nil || n > 0 {
			return err
		}
	}
	return io.ErrNoProgress
}

// slide moves the token at hand to the front of the buffer.
func (r *Reader) slide() {
	r.count()
	copy(r.buf, r.buf[r.start:r.end])
	r.end -= r.start
	r.mark -= r.start
	r.lineStart -= r.start
	r.start = 0
}

// count brings the count of lines up to the start of the token.
func (r *Reader) count() {
	if passed := r.buf[r.mark:r.start]; len(passed) > 0 {
		if n := bytes.Count(passed, newline); n > 0 {
			r.line += n
			r.lineStart = r.mark + bytes.LastIndexByte(passed, '\n') + 1
		}
		r.mark = r.start
	}
}

var newline = []byte{'\n'}

// here puts the place of the start of the window into the token.
func (r *Reader) here() {
	r.count()
	r.token.Line, r.token.Column = r.line, r.start-r.lineStart+1
}

// refuse makes the error of the byte at an offset of the token at hand.
func (r *Reader) refuse(offset int, text string) error {
	r.count()
	e := &Error{Line: r.line, Column: r.start - r.lineStart + 1, Text: text}
	seen := r.window()
	seen = seen[:min(offset, len(seen))]
	e.Column += len(seen)
	if n := bytes.Count(seen, newline); n > 0 {
		e.Line += n
		e.Column = len(seen) - bytes.LastIndexByte(seen, '\n')
	}
	return e
}

// have makes sure that n bytes from the start of the token on are there. It
// returns false at the end of the document.
func (r *Reader) have(n int) (bool, error) {
	if r.end-r.start >= n {
		return true, nil
	}
	for r.end-r.start < n {
		if err := r.more(); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}

// find returns the offset of what, from an offset on, or -1 at the end of the
// document.
func (r *Reader) find(from int, what []byte) (int, error) {
	for {
		w := r.window()
		if i := bytes.Index(w[min(from, len(w)):], what); i >= 0 {
			return from + i, nil
		}
		from = max(from, len(w)-len(what)+1)
		if err := r.more(); err == io.EOF {
			return -1, nil
		} else if err != nil {
			return -1, err
		}
	}
}
