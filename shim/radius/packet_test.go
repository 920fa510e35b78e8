package radius_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"mfabridge/shim/radius"
)

// packet makes a packet of the given length in its header, with attributes
// appended as they are.
func packet(code radius.Code, length int, attributes ...byte) []byte {
	b := make([]byte, radius.HeaderLength, radius.HeaderLength+len(attributes))
	b[0], b[1] = byte(code), 7
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	return append(b, attributes...)
}

func TestParseRefusesWrongLengths(t *testing.T) {
	long := packet(1, 4097)
	for len(long) < 4097 {
		long = append(long, 26, 255)
		long = append(long, make([]byte, 253)...)
	}
	for _, test := range []struct {
		name   string
		in     []byte
		offset int
	}{
		{"empty", nil, 0},
		{"19 octets", packet(1, 20)[:19], 19},
		{"Length below 20", packet(1, 19), 2},
		{"Length zero", packet(1, 0), 2},
		{"Length above the datagram", packet(1, 21), 20},
		{"Length above 4096", long, 2},
		{"attribute without length", packet(1, 21, 1), 20},
		{"attribute of length 0", packet(1, 22, 1, 0), 21},
		{"attribute of length 1", packet(1, 22, 1, 1), 21},
		{"attribute past the end", packet(1, 24, 1, 5, 'a', 'b'), 21},
		{"attribute into the padding", packet(1, 24, 1, 5, 'a', 'b', 'c'), 21},
		{"second attribute of length 1", packet(1, 26, 1, 3, 'a', 1, 1, 0), 24},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := radius.Parse(test.in)
			problem, ok := errors.AsType[*radius.ParseError](err)
			if !ok {
				t.Fatalf("error %v is no ParseError", err)
			}
			if problem.Offset != test.offset {
				t.Errorf("offset %d (%v), want %d", problem.Offset, err, test.offset)
			}
			if p.Bytes() != nil {
				t.Error("a partial packet came with the error")
			}
		})
	}
}

func TestParseAcceptsTheLimits(t *testing.T) {
	full := packet(1, 4096)
	for range 15 {
		full = append(full, 26, 255)
		full = append(full, make([]byte, 253)...)
	}
	full = append(full, 26, 251)
	full = append(full, make([]byte, 249)...)
	for _, in := range [][]byte{packet(1, 20), full, packet(1, 22, 1, 2)} {
		p, err := radius.Parse(in)
		if err != nil || len(p.Bytes()) != len(in) {
			t.Errorf("%d octets: %v", len(in), err)
		}
	}
}

func TestPaddingIsIgnored(t *testing.T) {
	s := radius.NewSecret([]byte("padding secret"))
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{1})
	w.Add(radius.UserName, []byte("ada"))
	b, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	p := mustParse(t, append(bytes.Clone(b), 1, 0, 0xff))
	if err := s.VerifyRequest(p); err != nil {
		t.Errorf("padded request: %v", err)
	}
	if !bytes.Equal(p.Bytes(), b) {
		t.Error("padding is part of the packet")
	}
}

func TestAttributesAndLookup(t *testing.T) {
	p := mustParse(t, packet(1, 31, 1, 3, 'a', 33, 2, 33, 3, 'x', 1, 3, 'b'))
	var got strings.Builder
	for kind, value := range p.Attributes() {
		fmt.Fprintf(&got, "%d=%s ", kind, value)
	}
	if want := "1=a 33= 33=x 1=b "; got.String() != want {
		t.Errorf("attributes %q, want %q", got.String(), want)
	}
	for range p.Attributes() {
		break // an early end must not panic
	}
	if v, n := p.Lookup(radius.UserName); string(v) != "a" || n != 2 {
		t.Errorf("first User-Name %q of %d", v, n)
	}
	if v, n := p.Lookup(radius.State); v != nil || n != 0 {
		t.Errorf("absent State: %q of %d", v, n)
	}
}

func TestTextIsSplitBetweenCharacters(t *testing.T) {
	for _, text := range []string{
		"", "short", strings.Repeat("a", 253), strings.Repeat("a", 254), strings.Repeat("é", 200),
		"x" + strings.Repeat("漢", 300), strings.Repeat("\xbf", 600),
	} {
		s := radius.NewSecret([]byte("split"))
		w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{})
		w.AddText(radius.ReplyMessage, text)
		b, err := s.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		var joined []byte
		for kind, value := range mustParse(t, b).Attributes() {
			if kind != radius.ReplyMessage {
				continue
			}
			if len(value) == 0 || utf8.ValidString(text) && !utf8.Valid(value) {
				t.Errorf("part %q is empty or ends inside a character", value)
			}
			joined = append(joined, value...)
		}
		if string(joined) != text {
			t.Errorf("%d octets came back as %d", len(text), len(joined))
		}
	}
}

func TestBuilderKeepsItsError(t *testing.T) {
	s := radius.NewSecret([]byte("builder"))
	request := mustParse(t, packet(1, 20))
	for name, fill := range map[string]func(*radius.Builder){
		"value too long":    func(w *radius.Builder) { w.Add(radius.State, make([]byte, 254)) },
		"password too long": func(w *radius.Builder) { w.AddPassword(s, make([]byte, 129)) },
		"packet too long": func(w *radius.Builder) {
			for range 17 {
				w.Add(radius.ProxyState, make([]byte, 253))
			}
		},
	} {
		w := radius.NewReply(nil, radius.AccessAccept, request)
		fill(&w)
		w.AddUint32(radius.SessionTimeout, 1)
		w.AddText(radius.ReplyMessage, "late")
		if b, err := s.SealReply(&w, request); err == nil || b != nil {
			t.Errorf("%s: sealed %d octets, error %v", name, len(b), err)
		}
	}
	var empty radius.Builder
	if b, err := s.SealReply(&empty, request); err == nil || b != nil {
		t.Error("a Builder that was not begun was sealed")
	}
}

func TestPasswordRefusesWrongLengths(t *testing.T) {
	s := radius.NewSecret([]byte("lengths"))
	for _, n := range []int{0, 1, 15, 17, 127, 129, 144} {
		if got, err := s.Password(nil, make([]byte, n), make([]byte, 16)); err == nil || len(got) != 0 {
			t.Errorf("%d octets: %d revealed, error %v", n, len(got), err)
		}
	}
	for _, n := range []int{16, 32, 112, 128} {
		if _, err := s.Password(nil, make([]byte, n), make([]byte, 16)); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

func TestVendor(t *testing.T) {
	if v, k, ok := radius.Vendor([]byte{0, 0, 1, 0x37, 25, 2}); v != 311 || k != 25 || !ok {
		t.Errorf("vendor %d type %d ok %v", v, k, ok)
	}
	for _, in := range [][]byte{nil, {0, 0, 1, 0x37, 25}, {1, 0, 1, 0x37, 25, 2}, {0, 0, 1, 0x37, 25, 1}, {0, 0, 1, 0x37, 25, 9, 1}} {
		if _, _, ok := radius.Vendor(in); ok {
			t.Errorf("%x is taken for a vendor attribute", in)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, x := range exchanges() {
		f.Add(unhex(f, x.request))
		if x.reply != "" {
			f.Add(unhex(f, x.reply))
		}
	}
	f.Add(packet(1, 22, 1, 0))
	f.Add(packet(1, 24, 26, 4, 0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := radius.Parse(in)
		if err != nil {
			if problem, ok := errors.AsType[*radius.ParseError](err); !ok || problem.Offset > len(in) {
				t.Fatalf("error %v with offset past %d octets", err, len(in))
			}
			return
		}
		again := bytes.Clone(in[:radius.HeaderLength])
		for kind, value := range p.Attributes() {
			if again, err = radius.AppendAttribute(again, kind, value); err != nil {
				t.Fatal(err)
			}
			radius.Vendor(value)
		}
		if !bytes.Equal(again, in[:len(p.Bytes())]) {
			t.Fatalf("parsed and built again: %x, want %x", again, p.Bytes())
		}
		s := radius.NewSecret([]byte(vectorSecret))
		_ = s.VerifyRequest(p)
		_ = s.VerifyReply(p, p)
	})
}

func FuzzUserPassword(f *testing.F) {
	f.Add([]byte("arctangent"), []byte(vectorSecret), []byte("0123456789abcdef"))
	f.Add([]byte(""), []byte("s"), []byte("0123456789abcdef"))
	f.Add(bytes.Repeat([]byte("é"), 64), []byte("s"), []byte("0123456789abcdef"))
	f.Add(make([]byte, 129), []byte("s"), []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, password, key, authenticator []byte) {
		if len(authenticator) != 16 {
			return
		}
		s := radius.NewSecret(key)
		_, _ = s.Password(nil, password, authenticator) // as a hidden value: no panic
		w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte(authenticator))
		w.AddPassword(s, password)
		b, err := s.SealRequest(&w)
		if (err != nil) != (len(password) > radius.MaxPassword) {
			t.Fatalf("%d octets: %v", len(password), err)
		}
		if err != nil {
			return
		}
		hidden, _ := mustParse(t, b).Lookup(radius.UserPassword)
		got, err := s.Password([]byte("kept"), hidden, authenticator)
		if want := "kept" + string(bytes.TrimRight(password, "\x00")); err != nil || string(got) != want {
			t.Fatalf("revealed %q, %v; want %q", got, err, want)
		}
	})
}

// What is to be added as it stands has to be attributes to its end: nothing may
// swallow, or cut, what comes behind it.
func TestEncodedAttributesAreChecked(t *testing.T) {
	s := radius.NewSecret([]byte("a synthetic secret of the client"))
	for _, c := range []struct {
		encoded []byte
		right   bool
	}{
		{nil, true}, {[]byte{25, 2}, true}, {[]byte{25, 3, 'a', 18, 4, 'b', 'c'}, true},
		{[]byte{25}, false}, {[]byte{25, 2, 18}, false}, {[]byte{25, 1}, false}, {[]byte{25, 0}, false}, {[]byte{25, 4, 'a'}, false}, {[]byte{25, 2, 18, 5, 'b'}, false},
	} {
		w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{})
		w.AddEncoded(c.encoded)
		w.Add(radius.UserName, []byte("ada")) // mends nothing
		if _, err := s.SealRequest(&w); (err == nil) != c.right {
			t.Errorf("%v: %v", c.encoded, err)
		}
	}
}
