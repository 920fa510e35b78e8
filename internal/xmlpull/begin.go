package xmlpull

import (
	"bytes"
	"fmt"
)

// begin looks at the encoding and passes over byte order mark and XML
// declaration.
func (r *Reader) begin() error {
	if _, err := r.have(4); err != nil {
		return err
	}
	w := r.window()
	switch {
	case bytes.HasPrefix(w, []byte{0xEF, 0xBB, 0xBF}):
		r.start += 3
		r.mark, r.lineStart = r.start, r.start // it takes no column
	case bytes.HasPrefix(w, []byte{0xFF, 0xFE}), bytes.HasPrefix(w, []byte{0xFE, 0xFF}),
		len(w) > 1 && (w[0] == 0 || w[1] == 0):
		return r.refuse(0, "the encoding UTF-16 is not read; save the file as UTF-8")
	}
	if _, err := r.have(6); err != nil {
		return err
	}
	if w = r.window(); len(w) < 6 || string(w[:5]) != "<?xml" || !isSpace(w[5]) {
		return nil
	}
	n, err := r.find(2, piEnd)
	switch {
	case err != nil:
		return err
	case n < 0:
		return r.refuse(0, "the document ends within the XML declaration")
	case n > r.opt.MaxToken:
		return r.tooLong()
	}
	if bad := declaration(r.window()[5:n]); bad != "" {
		return r.refuse(0, bad)
	}
	r.start += n + len(piEnd)
	return nil
}

// declaration reads what stands between "<?xml" and "?>" (XML 1.0 §2.8) and
// returns what is wrong with it.
func declaration(b []byte) (bad string) {
	for position := 0; ; {
		spaces := notSpace(b)
		if b = b[spaces:]; len(b) == 0 {
			if position == 0 {
				return "the XML declaration has no version"
			}
			return ""
		}
		name, value, rest, ok := assignment(b)
		if !ok || spaces == 0 {
			return "the XML declaration cannot be read"
		}
		switch {
		case name == "version" && position == 0:
			position = 1
			if value != "1.0" {
				return "only version 1.0 of XML is read"
			}
		case name == "encoding" && position == 1:
			position = 2
			if !bytes.EqualFold([]byte(value), []byte("utf-8")) {
				return fmt.Sprintf("the encoding %s is not read; save the file as UTF-8", spoken(value))
			}
		case name == "standalone" && (position == 1 || position == 2) && (value == "yes" || value == "no"):
			position = 3
		default:
			return "the XML declaration cannot be read"
		}
		b = rest
	}
}

// assignment reads name = "value".
func assignment(b []byte) (name, value string, rest []byte, ok bool) {
	n := nameLength(b)
	rest = b[n+notSpace(b[n:]):]
	if len(rest) == 0 || rest[0] != '=' {
		return "", "", nil, false
	}
	rest = rest[1+notSpace(rest[1:]):]
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return "", "", nil, false
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return "", "", nil, false
	}
	return string(b[:n]), string(rest[1 : 1+end]), rest[end+2:], true
}

// spoken is the name of an encoding if it may be one.
func spoken(encoding string) string {
	if len(encoding) > 40 || nameLength([]byte(encoding)) < len(encoding) {
		return "that the XML declaration names"
	}
	return encoding
}
