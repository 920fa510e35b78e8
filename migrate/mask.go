package migrate

import (
	"strings"
	"unicode/utf8"

	"mfabridge/cloud"
)

// MaskValue returns v as it may be shown to anybody: a telephone number keeps
// its calling code and its last two digits ("+44 ********00"), an address its
// first letter and its domain ("a***@contoso.example"), a code generator
// loses its secret and its fingerprint.
func MaskValue(m cloud.Method, v cloud.Value) cloud.Value {
	switch {
	case m.IsPhone():
		v.Text = MaskPhone(v.Text)
	case m == cloud.Email:
		v.Text = MaskEmail(v.Text)
	}
	if v.OATH != nil {
		o := publicOATH(*v.OATH)
		v.OATH = &o
	}
	return v
}

// publicOATH is what reports show of a generator.
func publicOATH(o cloud.OATH) cloud.OATH {
	return cloud.OATH{Name: o.Name, Serial: o.Serial, Algorithm: o.Algorithm, Digits: o.Digits, Period: o.Period}
}

// MaskFact masks the value of a fact by what the fact is about; a fact of an
// unknown name is masked by what it looks like.
func MaskFact(f Fact) Fact {
	switch m := cloud.Method(f.Name); {
	case m.IsPhone():
		f.Value = MaskPhone(f.Value)
	case m == cloud.Email:
		f.Value = MaskEmail(f.Value)
	case strings.HasPrefix(f.Value, "+"):
		f.Value = MaskPhone(f.Value)
	}
	return f
}

// MaskPhone masks "+CC NNN" and "+CC NNNxNNN". What does not look like that
// loses every digit.
func MaskPhone(s string) string {
	code, rest, ok := strings.Cut(s, " ")
	if !ok || !strings.HasPrefix(code, "+") {
		return stars(s, 0)
	}
	number, extension, has := strings.Cut(rest, "x")
	if !has {
		return code + " " + stars(number, 2)
	}
	return code + " " + stars(number, 2) + "x" + stars(extension, 0)
}

// stars replaces all but the last keep characters, and all of a short text.
func stars(s string, keep int) string {
	n := utf8.RuneCountInString(s)
	if n < 3*keep {
		keep = 0
	}
	tail := s
	for range n - keep {
		_, size := utf8.DecodeRuneInString(tail)
		tail = tail[size:]
	}
	return strings.Repeat("*", n-keep) + tail
}

// MaskEmail keeps the first letter and the domain of an address. What is no
// address is masked whole.
func MaskEmail(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return stars(s, 0)
	}
	_, size := utf8.DecodeRuneInString(s)
	return s[:size] + "***" + s[at:]
}
