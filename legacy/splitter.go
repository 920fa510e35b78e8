package legacy

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Limits of a table.
const (
	MaxRow     = 256 << 10 // bytes of one row
	MaxColumns = 512       // fields of one row
	MaxFile    = 64 << 30  // bytes of one file
	MaxName    = 1024      // bytes of a Username or UserPrincipalName

	readBuffer = 1 << 20
)

// endsWithCR is what is wrong with a file of old Macs, whatever else is.
const endsWithCR = "its lines end with CR alone"

// badRow says why a row cannot be read. Reading goes on after it.
type badRow struct {
	line, col int
	position  int    // of the field in its row, or -1
	field     string // its column as the header spells it, where there is one
	text      string
}

func (b *badRow) Error() string { return b.text }

// field is one value as it was cut, with the place where it begins (a quote
// included). Its text is valid until the next row.
type field struct {
	text      []byte
	line, col int
}

// splitter cuts RFC 4180 text into rows and fields, in place in one buffer.
// Rows end with LF or CR LF; lines without any character are passed over. What
// stands within quotes stays as it is, line ends included.
//
// After a row whose quotes are wrong it goes on with the next line, so that a
// forgotten quote costs one row and not all that follow.
type splitter struct {
	r    io.Reader
	buf  []byte
	pos  int // of the next row
	end  int // of what was read
	eof  bool
	line int // of pos, from 1

	wrong string // see text

	cut    cutter
	fields []field

	unended int // line of a last row without a line end; 0: there is none
}

func newSplitter(t text) *splitter {
	return &splitter{r: t, wrong: t.wrong, buf: make([]byte, readBuffer), line: 1}
}

// next returns the fields of the next row and the line on which it begins. The
// error is io.EOF at the end, a *badRow after which next may be called again,
// or one of reading.
func (s *splitter) next() (line int, fields []field, err error) {
	for {
		b, last := s.window()
		if last && len(b) == 0 {
			clear(s.buf) // secrets went through it
			return s.line, nil, io.EOF
		}
		line = s.line
		what, bad := s.cut.row(b, last, line)
		if what == rowOpen && len(b) <= MaxRow {
			if err := s.fill(); err != nil {
				return line, nil, err
			}
			continue
		}
		if what == rowOpen || what == rowWhole && s.cut.size > MaxRow {
			what, bad = rowBad, s.cut.tooLong(line)
		}
		if what == rowBad {
			if line == 1 && bytes.IndexByte(b, '\r') >= 0 && bytes.IndexByte(b, '\n') < 0 {
				bad.text = endsWithCR
			}
			if err := s.skipLine(); err != nil {
				return line, nil, err
			}
			return line, nil, bad
		}
		s.pos += s.cut.size
		s.line = s.cut.line
		if b[max(s.cut.size, 1)-1] != '\n' {
			s.unended = line
		}
		if what == rowBlank {
			continue
		}
		clean := utf8.Valid(b[:s.cut.size]) && bytes.IndexByte(b[:s.cut.size], 0) < 0
		s.take(b)
		if !clean {
			return line, nil, s.blame()
		}
		return line, s.fields, nil
	}
}

// window is what was read of the next row and of what follows: no more than a
// row may have and one byte. last tells that nothing comes after it.
func (s *splitter) window() (b []byte, last bool) {
	b = s.buf[s.pos:s.end]
	if len(b) > MaxRow {
		return b[:MaxRow+1], false
	}
	return b, s.eof
}

// fill reads on, behind what is left of the buffer.
func (s *splitter) fill() error {
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos = 0
	n, err := io.ReadFull(s.r, s.buf[s.end:])
	s.end += n
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof = true
		return nil
	}
	return err
}

// skipLine goes to the line after the one on which the row begins.
func (s *splitter) skipLine() error {
	for {
		if i := bytes.IndexByte(s.buf[s.pos:s.end], '\n'); i >= 0 {
			s.pos += i + 1
			s.line++
			return nil
		}
		s.pos = s.end
		if s.eof {
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// take makes the fields of the row that was cut. Doubled quotes become single
// ones in place, which is why this comes after the row is known to be whole.
func (s *splitter) take(b []byte) {
	s.fields = s.fields[:0]
	for _, sp := range s.cut.spans {
		text := b[sp.start:sp.end]
		if sp.doubled {
			text = undouble(text)
		}
		s.fields = append(s.fields, field{text, sp.line, sp.col})
	}
}

func undouble(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		b[n] = b[i]
		n++
		if b[i] == '"' {
			i++
		}
	}
	return b[:n]
}

// blame finds the value in a row that cannot be decoded or holds a NUL byte.
func (s *splitter) blame() *badRow {
	for i, f := range s.fields {
		switch {
		case !utf8.Valid(f.text):
			return &badRow{line: f.line, col: f.col, position: i, text: s.wrong}
		case bytes.IndexByte(f.text, 0) >= 0:
			return &badRow{line: f.line, col: f.col, position: i, text: "the value holds a NUL byte"}
		}
	}
	return &badRow{line: s.fields[0].line, position: -1, text: s.wrong}
}
