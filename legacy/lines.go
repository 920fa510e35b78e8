package legacy

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// lines cuts text into lines that end with LF or CR LF, in one buffer.
type lines struct {
	r     io.Reader
	wrong string // see text
	buf   []byte
	pos   int
	end   int
	eof   bool
	line  int // of pos, from 1
}

func newLines(t text) *lines {
	return &lines{r: t, wrong: t.wrong, buf: make([]byte, readBuffer), line: 1}
}

// next returns the next line that is not blank, without its end, valid until
// the next call. The error is io.EOF, a *badRow after which next may be called
// again, or one of reading.
func (l *lines) next() (int, []byte, error) {
	for {
		b := l.buf[l.pos:l.end]
		i := bytes.IndexByte(b, '\n')
		switch {
		case i < 0 && !l.eof && len(b) <= MaxRow:
			if err := l.fill(); err != nil {
				return l.line, nil, err
			}
			continue
		case i < 0 && l.eof && len(b) == 0:
			clear(l.buf) // secrets went through it
			return l.line, nil, io.EOF
		case i > MaxRow || i < 0 && len(b) > MaxRow:
			line := l.line
			if err := l.skip(); err != nil {
				return line, nil, err
			}
			return line, nil, &badRow{line: line, position: -1, text: tooLongText()}
		case i < 0:
			i = len(b)
		}
		line := l.line
		l.pos += min(i+1, len(b))
		l.line++
		b = bytes.TrimSuffix(b[:i], []byte{'\r'})
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		if !utf8.Valid(b) {
			return line, nil, &badRow{line: line, col: firstInvalid(b) + 1, position: -1, text: l.wrong}
		}
		return line, b, nil
	}
}

func tooLongText() string {
	return fmt.Sprintf("the row is longer than %d bytes, the most that is read", MaxRow)
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

func (l *lines) fill() error {
	l.end = copy(l.buf, l.buf[l.pos:l.end])
	l.pos = 0
	n, err := io.ReadFull(l.r, l.buf[l.end:])
	l.end += n
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		l.eof = true
		return nil
	}
	return err
}

// skip goes to the next line, however long this one is.
func (l *lines) skip() error {
	for {
		if i := bytes.IndexByte(l.buf[l.pos:l.end], '\n'); i >= 0 {
			l.pos += i + 1
			l.line++
			return nil
		}
		l.pos = l.end
		if l.eof {
			return nil
		}
		if err := l.fill(); err != nil {
			return err
		}
	}
}
