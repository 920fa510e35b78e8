package xmlpull

import (
	"bytes"
	"io"
)

var (
	lessThan   = []byte("<")
	commentBeg = []byte("<!--")
	commentEnd = []byte("--")
	cdataBeg   = []byte("<![CDATA[")
	cdataEnd   = []byte("]]>")
	piEnd      = []byte("?>")
)

// next scans up to the next tag and makes it the token, or the text before it.
func (r *Reader) next() error {
	if !r.begun {
		r.begun = true
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.selfEnd {
		r.selfEnd = false
		r.here()
		r.pop()
		return nil
	}
	r.scratch = r.scratch[:0]
	for {
		ok, err := r.have(2)
		if err != nil {
			return err
		}
		done := false
		switch w := r.window(); {
		case len(w) == 0:
			return r.finish()
		case w[0] != '<':
			done, err = r.stretch()
		case !ok:
			return r.refuse(0, "the document ends within a tag")
		case w[1] == '!':
			err = r.exclamation()
		case w[1] == '?':
			err = r.instruction()
		case len(r.scratch) > 0:
			r.token.Kind, r.token.Text = Text, r.scratch
			return nil
		default:
			return r.tag()
		}
		if done || err != nil {
			return err
		}
	}
}

// finish ends a document.
func (r *Reader) finish() error {
	switch {
	case len(r.stack) > 0:
		return r.refuse(0, "the document ends within an element")
	case !r.rooted:
		return r.refuse(0, "there is no element")
	}
	return io.EOF
}

// stretch reads text up to the next "<". If a tag follows and nothing was
// collected before, the token is the text as it stands in the buffer, and
// stretch is done; otherwise it collects the text in scratch.
func (r *Reader) stretch() (done bool, err error) {
	n := bytes.IndexByte(r.window(), '<')
	if n < 0 {
		if n, err = r.find(0, lessThan); err != nil {
			return false, err
		}
	}
	if n < 0 {
		n = r.end - r.start
	}
	if n > r.opt.MaxToken {
		return false, r.tooLong()
	}
	if len(r.stack) == 0 {
		if i := notSpace(r.window()[:n]); i < n {
			return false, r.refuse(i, "there is text outside the root element")
		}
		r.start += n
		return false, nil
	}
	if ok, err := r.have(n + 2); err != nil {
		return false, err
	} else if ok {
		c := r.buf[r.start+n+1]
		done = c != '!' && c != '?'
	}
	text := r.window()[:n]
	out, clean, err := r.decode(r.scratch, text, 0, inText)
	if err != nil {
		return false, err
	}
	if len(r.scratch) == 0 {
		r.here()
	}
	r.start += n
	if done = done && clean && len(r.scratch) == 0; done {
		r.token.Kind, r.token.Text = Text, text
		return true, nil
	}
	if clean {
		out = append(out, text...)
	}
	r.scratch = out
	return false, r.bounded()
}

// bounded limits the text that is collected.
func (r *Reader) bounded() error {
	if len(r.scratch) > r.opt.MaxToken {
		return r.tooLong()
	}
	return nil
}

// exclamation reads a comment or a CDATA section.
func (r *Reader) exclamation() error {
	if ok, err := r.have(len(cdataBeg)); !ok && err != nil {
		return err
	}
	switch w := r.window(); {
	case bytes.HasPrefix(w, commentBeg):
		return r.comment()
	case bytes.HasPrefix(w, cdataBeg):
		return r.cdata()
	case len(w) >= 9 && bytes.EqualFold(w[:9], []byte("<!DOCTYPE")):
		return r.refuse(0, "a DOCTYPE is refused; remove it, exports need none")
	}
	return r.refuse(0, "this is neither a comment nor a CDATA section")
}

func (r *Reader) comment() error {
	n, err := r.find(len(commentBeg), commentEnd)
	if err != nil {
		return err
	}
	if n < 0 {
		return r.refuse(0, "the document ends within a comment")
	}
	if ok, err := r.have(n + 3); err != nil {
		return err
	} else if !ok || r.buf[r.start+n+2] != '>' {
		return r.refuse(n, `"--" stands within a comment`)
	}
	return r.pass(n + 3)
}

func (r *Reader) cdata() error {
	if len(r.stack) == 0 {
		return r.refuse(0, "there is text outside the root element")
	}
	n, err := r.find(len(cdataBeg), cdataEnd)
	if err != nil {
		return err
	}
	if n < 0 {
		return r.refuse(0, "the document ends within a CDATA section")
	}
	if n > r.opt.MaxToken {
		return r.tooLong()
	}
	text := r.window()[len(cdataBeg):n]
	out, clean, err := r.decode(r.scratch, text, len(cdataBeg), inCDATA)
	if err != nil {
		return err
	}
	if len(r.scratch) == 0 {
		r.here()
	}
	if clean {
		out = append(out, text...)
	}
	r.scratch = out
	r.start += n + len(cdataEnd)
	return r.bounded()
}

// instruction passes over a processing instruction.
func (r *Reader) instruction() error {
	n, err := r.find(2, piEnd)
	if err != nil {
		return err
	}
	if n < 0 {
		return r.refuse(0, "the document ends within a processing instruction")
	}
	body := r.window()[2:n]
	target := body[:nameLength(body)]
	switch rest := body[len(target):]; {
	case !validName(target) || len(rest) > 0 && !isSpace(rest[0]):
		return r.refuse(0, "the name of a processing instruction is none")
	case bytes.EqualFold(target, []byte("xml")):
		return r.refuse(0, "an XML declaration stands elsewhere than at the very start")
	}
	return r.pass(n + len(piEnd))
}

// pass goes on behind n bytes of which only the characters matter.
func (r *Reader) pass(n int) error {
	if n > r.opt.MaxToken {
		return r.tooLong()
	}
	if _, _, err := r.decode(nil, r.window()[:n], 0, inComment); err != nil {
		return err
	}
	r.start += n
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// notSpace is the offset of the first byte that is no white space, or len(b).
func notSpace(b []byte) int {
	i := 0
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}
