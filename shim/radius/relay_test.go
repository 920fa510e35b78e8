package radius_test

import (
	"bytes"
	"crypto/md5"
	"testing"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2868"
	microsoft "layeh.com/radius/vendors/microsoft"

	"mfabridge/shim/radius"
)

func TestSaltedThereAndBack(t *testing.T) {
	s, other := radius.NewSecret([]byte("one secret")), radius.NewSecret([]byte("another secret"))
	authenticator := bytes.Repeat([]byte{7}, 16)
	for _, n := range []int{0, 1, 15, 16, 17, 32, 64, radius.MaxSalted} {
		clear := bytes.Repeat([]byte{0xa5}, n)
		hidden, err := s.AppendSalted(nil, clear, authenticator, 0x1234)
		if err != nil || hidden[0] != 0x92 || hidden[1] != 0x34 || (len(hidden)-2)%16 != 0 {
			t.Fatalf("%d octets: %x, %v", n, hidden, err)
		}
		if got, err := s.Salted(hidden, authenticator); err != nil || !bytes.Equal(got, clear) {
			t.Errorf("%d octets come back as %x, %v", n, got, err)
		}
		if n < 15 {
			continue
		}
		if got, err := other.Salted(hidden, authenticator); err == nil && bytes.Equal(got, clear) {
			t.Errorf("%d octets: another secret reveals them", n)
		}
		if got, err := s.Salted(hidden, make([]byte, 16)); err == nil && bytes.Equal(got, clear) {
			t.Errorf("%d octets: another authenticator reveals them", n)
		}
	}
	if _, err := s.AppendSalted(nil, make([]byte, radius.MaxSalted+1), authenticator, 1); err == nil {
		t.Error("a value that is too long is hidden")
	}
	for name, value := range map[string][]byte{"none": nil, "salt alone": {0x80, 1}, "no whole block": append([]byte{0x80, 1}, make([]byte, 17)...),
		"bit of the salt": make([]byte, 18)} {
		if got, err := s.Salted(value, authenticator); err == nil {
			t.Errorf("%s: revealed as %x", name, got)
		}
	}
}

// TestSaltedAgreesWithAnotherEncoder: in both directions.
func TestSaltedAgreesWithAnotherEncoder(t *testing.T) {
	key := []byte("a shared secret")
	s := radius.NewSecret(key)
	clear := []byte("0123456789abcdef0123456789abcdef")
	p := layeh.New(layeh.CodeAccessAccept, key)
	if err := microsoft.MSMPPESendKey_Add(p, clear); err != nil {
		t.Fatal(err)
	}
	if err := rfc2868.TunnelPassword_Add(p, 3, []byte("tunnel")); err != nil {
		t.Fatal(err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	q, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	tunnel, _ := q.Lookup(radius.TunnelPassword)
	if got, err := s.Salted(tunnel[1:], q.Authenticator()); err != nil || string(got) != "tunnel" || tunnel[0] != 3 {
		t.Errorf("Tunnel-Password %q, %v", got, err)
	}
	vsa, _ := q.Lookup(radius.VendorSpecific)
	_, inside, ok := radius.VendorAttributes(vsa)
	for kind, value := range inside {
		if got, err := s.Salted(value, q.Authenticator()); !ok || kind != radius.MSMPPESendKey || err != nil || !bytes.Equal(got, clear) {
			t.Errorf("attribute %d: %x, %v", kind, got, err)
		}
	}

	hidden, err := s.AppendSalted(nil, clear, q.Authenticator(), 77)
	if err != nil {
		t.Fatal(err)
	}
	p.Attributes = nil
	one, err := radius.AppendVendor(nil, radius.Microsoft, radius.MSMPPERecvKey, hidden)
	if err != nil {
		t.Fatal(err)
	}
	p.Add(layeh.Type(radius.VendorSpecific), one[2:])
	if got := microsoft.MSMPPERecvKey_Get(p, p); !bytes.Equal(got, clear) {
		t.Errorf("the other encoder reads %x", got)
	}
}

func TestVendorAttributes(t *testing.T) {
	for name, value := range map[string][]byte{"empty": nil, "no attribute": {0, 0, 1, 55}, "cut": {0, 0, 1, 55, 16, 4, 1}, "length 1": {0, 0, 1, 55, 16, 1},
		"second cut": {0, 0, 1, 55, 7, 3, 1, 16}, "length 0": {0, 0, 1, 55, 16, 0}, "no vendor": {1, 0, 1, 55, 16, 3, 1}} {
		if _, _, ok := radius.VendorAttributes(value); ok {
			t.Errorf("%s: taken", name)
		}
	}
	vendor, inside, ok := radius.VendorAttributes([]byte{0, 0, 1, 55, 7, 3, 1, 16, 4, 9, 8})
	var kinds []uint8
	for kind := range inside {
		kinds = append(kinds, kind)
	}
	if !ok || vendor != radius.Microsoft || !bytes.Equal(kinds, []byte{7, 16}) {
		t.Errorf("got %d %v %v", vendor, kinds, ok)
	}
}

// packetOf makes a packet of attributes.
func packetOf(t testing.TB, attributes []byte) radius.Packet {
	t.Helper()
	b := append([]byte{1, 1, 0, 0}, make([]byte, 16)...)
	b = append(b, attributes...)
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEAPIsJoinedAndSplit(t *testing.T) {
	for _, n := range []int{5, 252, 253, 254, 506, 507, 1400} {
		whole := append([]byte{2, 9, byte(n >> 8), byte(n), 21}, bytes.Repeat([]byte{3}, n-5)...)
		attributes := radius.AppendEAP([]byte{1, 5, 'a', 'd', 'a'}, radius.EAP(whole))
		got, there, err := radius.JoinEAP(packetOf(t, attributes))
		if err != nil || !there || !bytes.Equal(got, whole) || got.Code() != radius.EAPResponse || got.Identifier() != 9 || got.Type() != 21 {
			t.Errorf("%d octets: %x, %v, %v", n, got, there, err)
		}
		if want := 5 + n + 2*((n+252)/253); len(attributes) != want {
			t.Errorf("%d octets become %d, want %d", n, len(attributes), want)
		}
	}
	start, there, err := radius.JoinEAP(packetOf(t, []byte{79, 2}))
	if err != nil || !there || start.Code() != 0 || start.Data() != nil || !bytes.Equal(radius.AppendEAP(nil, start), []byte{79, 2}) {
		t.Errorf("EAP-Start is %x, %v, %v", start, there, err)
	}
	if _, there, err := radius.JoinEAP(packetOf(t, []byte{1, 3, 'a'})); there || err != nil {
		t.Error("EAP where there is none")
	}
}

func TestEAPThatIsRefused(t *testing.T) {
	for name, attributes := range map[string][]byte{
		"apart":                  {79, 4, 2, 1, 1, 3, 'a', 79, 5, 0, 5, 1},
		"too short":              {79, 5, 2, 1, 0},
		"longer than it says":    {79, 8, 2, 1, 0, 5, 1, 9},
		"shorter than it says":   {79, 7, 2, 1, 0, 9, 1},
		"response without type":  {79, 6, 2, 1, 0, 4},
		"success with more":      {79, 7, 3, 1, 0, 5, 1},
		"unknown code":           {79, 7, 9, 1, 0, 5, 1},
		"two packets in one row": {79, 7, 2, 1, 0, 5, 1, 79, 7, 2, 1, 0, 5, 1},
	} {
		if e, _, err := radius.JoinEAP(packetOf(t, attributes)); err == nil {
			t.Errorf("%s: taken as %x", name, e)
		}
	}
}

// FuzzEAP: whatever is taken comes back as it was, and nothing goes past its end.
func FuzzEAP(f *testing.F) {
	f.Add([]byte{79, 7, 2, 1, 0, 5, 1, 26, 8, 0, 0, 1, 55, 25, 2})
	f.Add([]byte{79, 2})
	f.Fuzz(func(t *testing.T, attributes []byte) {
		b := append([]byte{1, 1, 0, 0}, make([]byte, 16)...)
		b = append(b, attributes...)
		if len(b) > radius.MaxLength {
			return
		}
		b[2], b[3] = byte(len(b)>>8), byte(len(b))
		p, err := radius.Parse(b)
		if err != nil {
			return
		}
		s := radius.NewSecret([]byte("a secret"))
		for kind, value := range p.Attributes() {
			if clear, err := s.Salted(value, p.Authenticator()); err == nil && len(clear) >= len(value) {
				t.Error("a salted value becomes longer")
			}
			if kind == radius.VendorSpecific {
				if _, inside, ok := radius.VendorAttributes(value); ok {
					for range inside {
					}
				}
			}
		}
		e, there, err := radius.JoinEAP(p)
		if err != nil || !there {
			return
		}
		_, _, _ = e.Code(), e.Type(), e.Data()
		again, _, err := radius.JoinEAP(packetOf(t, radius.AppendEAP(nil, e)))
		if err != nil || !bytes.Equal(again, e) {
			t.Errorf("%x comes back as %x, %v", e, again, err)
		}
	})
}

// What a wrong length or a salt that is none would make of a value is refused.
func TestSaltedThatIsNone(t *testing.T) {
	secret, authenticator := []byte("a secret"), make([]byte, 16)
	s := radius.NewSecret(secret)
	hide := func(salt byte) []byte { // an empty value
		sum := md5.Sum(append(append(append([]byte(nil), secret...), authenticator...), salt, 1))
		return append([]byte{salt, 1}, sum[:]...)
	}
	if got, err := s.Salted(hide(0x80), authenticator); err != nil || len(got) != 0 {
		t.Fatalf("%x, %v", got, err)
	}
	for name, value := range map[string][]byte{
		"first bit clear": hide(0x00), "no block": {0x80, 1}, "nothing": nil, "a part of a block": hide(0x80)[:17], "too long": append([]byte{0x80, 1}, make([]byte, 256)...),
	} {
		if got, err := s.Salted(value, authenticator); err == nil {
			t.Errorf("%s: taken as %x", name, got)
		}
	}
}
