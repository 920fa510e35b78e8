package xmlpull

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// where text stands decides what is special in it.
type where byte

const (
	inText where = iota
	inValue
	inCDATA
	inComment // and processing instructions: checked, not used
)

func (r *Reader) tooLong() error {
	return r.refuse(0, fmt.Sprintf("a tag, comment or text has more than %d bytes", r.opt.MaxToken))
}

// ordinary tells the bytes that mean themselves wherever text stands.
var ordinary = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '&' && c != ']' && c != '<'
	}
	t['\t'], t['\n'] = true, true
	return t
}()

// decode appends text to dst with references and line ends resolved. If there
// is nothing to resolve it leaves dst alone and returns clean: text is to be
// used as it is. offset is that of text from the start of the token.
func (r *Reader) decode(dst, text []byte, offset int, in where) (out []byte, clean bool, err error) {
	clean, from := true, 0 // from: what is not in dst yet
	for i := 0; i < len(text); {
		if ordinary[text[i]] {
			i++
			continue
		}
		size, what, bad := special(text[i:], in)
		if bad != "" {
			return nil, false, r.refuse(offset+i, bad)
		}
		if what >= 0 {
			clean = false
			dst = append(dst, text[from:i]...)
			dst = utf8.AppendRune(dst, what)
			from = i + size
		}
		i += size
	}
	if clean || in == inComment {
		return dst, clean, nil
	}
	return append(dst, text[from:]...), false, nil
}

// special reads what stands at the start of text. It returns its size and, if
// it means something else than itself, what; otherwise -1.
func special(text []byte, in where) (size int, what rune, bad string) {
	switch c := text[0]; {
	case c >= utf8.RuneSelf:
		s, n := utf8.DecodeRune(text)
		switch {
		case s == utf8.RuneError && n == 1:
			return 0, 0, "this is not UTF-8"
		case !allowed(s):
			return 0, 0, "this character may not stand in XML"
		}
		return n, -1, ""
	case c == '\r':
		if len(text) > 1 && text[1] == '\n' {
			return 2, '\n', ""
		}
		return 1, '\n', ""
	case c == '&' && in <= inValue:
		return reference(text)
	case c == '<' && in == inValue:
		return 0, 0, `"<" stands in the value of an attribute`
	case c == ']' && in == inText && len(text) > 2 && text[1] == ']' && text[2] == '>':
		return 0, 0, `"]]>" stands in text`
	case c < ' ' && c != '\t' && c != '\n':
		return 0, 0, "this character may not stand in XML"
	}
	return 1, -1, ""
}

// maxReference is the length of the longest reference that is read; leading
// zeros are in it.
const maxReference = 32

// reference reads one of the five entities, or a character by number (XML 1.0
// §4.1).
func reference(text []byte) (size int, what rune, bad string) {
	end := 1
	for end < len(text) && end < maxReference && text[end] != ';' {
		end++
	}
	if end == len(text) || text[end] != ';' {
		return 0, 0, `"&" does not begin a reference`
	}
	name := text[1:end]
	switch string(name) {
	case "amp":
		return end + 1, '&', ""
	case "lt":
		return end + 1, '<', ""
	case "gt":
		return end + 1, '>', ""
	case "apos":
		return end + 1, '\'', ""
	case "quot":
		return end + 1, '"', ""
	}
	if name = name[:len(name):len(name)]; len(name) < 2 || name[0] != '#' {
		return 0, 0, "this entity is none of the five of XML"
	}
	base, digits := 10, name[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	for _, c := range digits {
		if c == '+' || c == '-' || c == '_' {
			return 0, 0, "this is not the number of a character"
		}
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || n > utf8.MaxRune || !allowed(rune(n)) {
		return 0, 0, "this is not the number of a character"
	}
	return end + 1, rune(n), ""
}

// allowed tells the characters of XML 1.0 §2.2.
func allowed(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' ||
		c >= 0x20 && c <= 0xD7FF || c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}
