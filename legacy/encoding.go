package legacy

import (
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"mfabridge/internal/hint"
)

// Encodings, as Options.Encoding.
const (
	EncodingUTF8        = "utf-8"
	EncodingUTF16       = "utf-16"       // without a byte order mark: little endian, as Windows writes it
	EncodingWindows1252 = "windows-1252" // bytes that it does not have are refused
)

// text is a file as UTF-8, without a byte order mark. What the file's own
// encoding does not have comes out as bytes that are not UTF-8, so that it is
// complained about where it stands.
type text struct {
	io.Reader
	wrong string // what to say about bytes that are not UTF-8
}

const (
	wrongUTF8        = "the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8"
	wrongUTF16       = "the value is not UTF-16: a half of a character stands alone"
	wrongWindows1252 = "the value holds a byte that Windows-1252 does not have"
)

// decodeText finds out how a file is encoded: a byte order mark says it, else
// the option, else it is UTF-8. A file that is said to be Windows-1252 and turns
// out to be UTF-8 ends with a *misread instead of io.EOF.
func decodeText(r io.Reader, file, option string) (text, error) {
	head := make([]byte, 3)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return text{}, err
	}
	head = head[:n]
	rest := func(mark int) io.Reader { return io.MultiReader(bytes.NewReader(head[mark:]), r) }
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return text{r, wrongUTF8}, nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return text{&wide{r: rest(2)}, wrongUTF16}, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return text{&wide{r: rest(2), big: true}, wrongUTF16}, nil
	case option == EncodingUTF16:
		return text{&wide{r: rest(0)}, wrongUTF16}, nil
	case option == EncodingWindows1252:
		return text{&narrow{r: rest(0), file: file}, wrongWindows1252}, nil
	default:
		return text{rest(0), wrongUTF8}, nil
	}
}

// invalid is what stands for something that cannot be decoded: a byte that
// UTF-8 never has.
const invalid = 0xff

const decodeBuffer = 64 << 10

// pending is decoded text that nobody has asked for yet.
type pending struct {
	out  []byte
	from int
	err  error
}

// read hands out what is there, and has more made by fill as needed.
func (p *pending) read(b []byte, fill func()) (int, error) {
	for p.from == len(p.out) {
		if p.err != nil {
			return 0, p.err
		}
		p.out, p.from = p.out[:0], 0
		fill()
	}
	n := copy(b, p.out[p.from:])
	p.from += n
	return n, nil
}

// wide reads UTF-16.
type wide struct {
	r   io.Reader
	big bool
	pending
	in   []byte
	rest int // bytes at the start of in that are not decoded yet
}

func (w *wide) Read(b []byte) (int, error) { return w.read(b, w.fill) }

func (w *wide) fill() {
	if w.in == nil {
		w.in = make([]byte, decodeBuffer)
	}
	n, err := w.r.Read(w.in[w.rest:])
	w.err = err
	in := w.in[:w.rest+n]
	at := 0
	for at+1 < len(in) {
		unit := w.unit(in[at:])
		if !utf16.IsSurrogate(unit) {
			w.out = utf8.AppendRune(w.out, unit)
			at += 2
			continue
		}
		if at+3 >= len(in) && err == nil {
			break // the other half is not read yet
		}
		r := rune(utf8.RuneError)
		if at+3 < len(in) {
			r = utf16.DecodeRune(unit, w.unit(in[at+2:]))
		}
		if r == utf8.RuneError {
			w.out = append(w.out, invalid)
			at += 2
			continue
		}
		w.out = utf8.AppendRune(w.out, r)
		at += 4
	}
	w.rest = copy(w.in, in[at:])
	if err == io.EOF && w.rest > 0 {
		w.out = append(w.out, invalid)
	}
}

func (w *wide) unit(b []byte) rune {
	if w.big {
		return rune(b[0])<<8 | rune(b[1])
	}
	return rune(b[1])<<8 | rune(b[0])
}

// misread is a file that is not in the encoding that it is said to be in.
type misread struct{ err error }

func (m *misread) Error() string { return m.err.Error() }
func (m *misread) Unwrap() error { return m.err }

// narrow reads Windows-1252.
type narrow struct {
	r    io.Reader
	file string
	pending
	in   []byte
	seen lettersSeen
}

func (n *narrow) Read(b []byte) (int, error) { return n.read(b, n.fill) }

func (n *narrow) fill() {
	if n.in == nil {
		n.in = make([]byte, decodeBuffer)
	}
	size, err := n.r.Read(n.in)
	n.err = err
	for _, c := range n.in[:size] {
		n.seen.add(c)
		switch r := charmap.Windows1252.DecodeByte(c); {
		case c < utf8.RuneSelf:
			n.out = append(n.out, c)
		case r == utf8.RuneError || r < 0xa0: // its five holes
			n.out = append(n.out, invalid)
		default:
			n.out = utf8.AppendRune(n.out, r)
		}
	}
	if err == io.EOF && n.seen.areUTF8() {
		n.err = &misread{hint.New(n.file+" is in UTF-8, and --encoding says windows-1252",
			"leave --encoding out; where other files of the export need it, save this one as UTF-8 with a byte order mark")}
	}
}

// lettersSeen tells whether all letters of a file that are not ASCII are those
// of UTF-8. Read as Windows-1252 each of them would be two or three others, and
// hardly any text of Windows-1252 is like that throughout.
type lettersSeen struct {
	more          int // bytes that the letter still needs
	whole, broken bool
}

func (l *lettersSeen) add(c byte) {
	switch {
	case l.more > 0 && 0x80 <= c && c < 0xc0:
		l.more--
		l.whole = l.whole || l.more == 0
	case l.more > 0:
		l.more, l.broken = 0, true
	case c < utf8.RuneSelf:
	case 0xc2 <= c && c < 0xe0:
		l.more = 1
	case 0xe0 <= c && c < 0xf0:
		l.more = 2
	case 0xf0 <= c && c < 0xf5:
		l.more = 3
	default:
		l.broken = true
	}
}

func (l *lettersSeen) areUTF8() bool { return l.whole && !l.broken && l.more == 0 }
