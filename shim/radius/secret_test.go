package radius_test

import (
	"bytes"
	"testing"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"mfabridge/shim/radius"
)

// sealed is a request with Message-Authenticator and a reply to it.
func sealed(t testing.TB, s *radius.Secret) (request, reply []byte) {
	t.Helper()
	w := radius.NewRequest(nil, radius.AccessRequest, 9, [16]byte{1, 2, 3})
	w.Add(radius.UserName, []byte("ada@contoso.example"))
	w.AddPassword(s, []byte("a password that takes two blocks"))
	w.Add(radius.ProxyState, []byte("one"))
	w.Add(radius.ProxyState, bytes.Repeat([]byte{2}, 253))
	request, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	p := mustParse(t, request)
	r := radius.NewReply(nil, radius.AccessChallenge, p)
	r.Add(radius.State, []byte("state"))
	r.AddText(radius.ReplyMessage, "Enter your code")
	r.AddProxyStates(p)
	reply, err = s.SealReply(&r, p)
	if err != nil {
		t.Fatal(err)
	}
	return request, reply
}

func TestMessageAuthenticatorIsFirst(t *testing.T) {
	request, reply := sealed(t, radius.NewSecret([]byte("first")))
	for _, b := range [][]byte{request, reply} {
		if b[20] != byte(radius.MessageAuthenticator) || b[21] != 18 {
			t.Errorf("first attribute is %d of length %d", b[20], b[21])
		}
	}
}

func TestOneFlippedBitFails(t *testing.T) {
	s := radius.NewSecret([]byte("flip"))
	request, reply := sealed(t, s)
	if err := s.VerifyRequest(mustParse(t, request)); err != nil {
		t.Fatalf("untouched request: %v", err)
	}
	if err := s.VerifyReply(mustParse(t, reply), mustParse(t, request)); err != nil {
		t.Fatalf("untouched reply: %v", err)
	}
	for _, test := range []struct {
		name   string
		b      []byte
		verify func(radius.Packet) error
	}{
		{"request", request, s.VerifyRequest},
		{"reply", reply, func(p radius.Packet) error { return s.VerifyReply(p, mustParse(t, request)) }},
	} {
		for bit := range len(test.b) * 8 {
			flipped := bytes.Clone(test.b)
			flipped[bit/8] ^= 1 << (bit % 8)
			if p, err := radius.Parse(flipped); err == nil && test.verify(p) == nil {
				t.Errorf("%s with bit %d flipped is accepted", test.name, bit)
			}
		}
	}
}

func TestMessageAuthenticatorMissingShortOrTwice(t *testing.T) {
	s := radius.NewSecret([]byte("thrice"))
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{7})
	good, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	with := func(attributes ...byte) radius.Packet {
		b := append(bytes.Clone(good[:20]), attributes...)
		b[3] = byte(len(b))
		return mustParse(t, b)
	}
	if err := s.VerifyRequest(with()); err != radius.ErrNoMessageAuthenticator {
		t.Errorf("none: %v", err)
	}
	short := append([]byte{80, 17}, good[22:37]...)
	if err := s.VerifyRequest(with(short...)); err != radius.ErrMessageAuthenticator {
		t.Errorf("short: %v", err)
	}
	if err := s.VerifyRequest(with(80, 2)); err != radius.ErrMessageAuthenticator {
		t.Errorf("empty: %v", err)
	}
	twice := append(bytes.Clone(good[20:]), good[20:]...)
	if err := s.VerifyRequest(with(twice...)); err != radius.ErrMessageAuthenticator {
		t.Errorf("twice: %v", err)
	}
	other := radius.NewSecret([]byte("other"))
	if err := other.VerifyRequest(mustParse(t, good)); err != radius.ErrMessageAuthenticator {
		t.Errorf("other secret: %v", err)
	}
}

// A forged prefix as in CVE-2024-3596: whoever can make the MD5 right still
// has no Message-Authenticator.
func TestReplyWithRightMD5ButNoMessageAuthenticatorIsRefused(t *testing.T) {
	key := []byte("forged")
	s := radius.NewSecret(key)
	request, _ := sealed(t, s)
	p, err := layeh.Parse(request, key)
	if err != nil {
		t.Fatal(err)
	}
	forged := p.Response(layeh.CodeAccessAccept)
	forged.Add(224, []byte("garbage of the attacker"))
	b, err := forged.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifyReply(mustParse(t, b), mustParse(t, request)); err != radius.ErrNoMessageAuthenticator {
		t.Errorf("forged reply: %v", err)
	}
}

// Another encoder reads what we write, and we read what it writes.
func TestAgreesWithAnotherEncoder(t *testing.T) {
	key := []byte("between two")
	s := radius.NewSecret(key)
	request, reply := sealed(t, s)
	theirs, err := layeh.Parse(request, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := rfc2865.UserPassword_GetString(theirs); got != "a password that takes two blocks" {
		t.Errorf("they reveal %q", got)
	}
	if !layeh.IsAuthenticResponse(reply, request, key) {
		t.Error("they do not take our reply")
	}
	for _, password := range []string{"x", "0123456789abcdef", "0123456789abcdefg", string(bytes.Repeat([]byte("é"), 64))} {
		out := layeh.New(layeh.CodeAccessRequest, key)
		if err := rfc2865.UserPassword_SetString(out, password); err != nil {
			t.Fatal(err)
		}
		b, err := out.Encode()
		if err != nil {
			t.Fatal(err)
		}
		p := mustParse(t, b)
		hidden, _ := p.Lookup(radius.UserPassword)
		if got, err := s.Password(nil, hidden, p.Authenticator()); err != nil || string(got) != password {
			t.Errorf("we reveal %q, %v; want %q", got, err, password)
		}
	}
}

func TestProxyStatesAreCopiedInOrder(t *testing.T) {
	s := radius.NewSecret([]byte("proxy"))
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{})
	values := [][]byte{{1}, bytes.Repeat([]byte{2}, 100), bytes.Repeat([]byte{3}, 253), {}}
	for i, v := range values {
		w.Add(radius.ProxyState, v)
		w.AddUint32(radius.NASPort, uint32(i))
	}
	b, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	request := mustParse(t, b)
	r := radius.NewReply(nil, radius.AccessAccept, request)
	r.AddProxyStates(request)
	b, err = s.SealReply(&r, request)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for kind, value := range mustParse(t, b).Attributes() {
		if kind == radius.MessageAuthenticator {
			continue
		}
		if kind != radius.ProxyState || i >= len(values) || !bytes.Equal(value, values[i]) {
			t.Fatalf("attribute %d is %d=%x", i, kind, value)
		}
		i++
	}
	if i != len(values) {
		t.Errorf("%d Proxy-State came back, want %d", i, len(values))
	}
}

// once is the whole codec path of a PAP exchange.
func once(s *radius.Secret, datagram, reply, password []byte) error {
	p, err := radius.Parse(datagram)
	if err != nil {
		return err
	}
	if err := s.VerifyRequest(p); err != nil {
		return err
	}
	hidden, _ := p.Lookup(radius.UserPassword)
	if _, err := s.Password(password[:0], hidden, p.Authenticator()); err != nil {
		return err
	}
	w := radius.NewReply(reply, radius.AccessAccept, p)
	w.AddProxyStates(p)
	_, err = s.SealReply(&w, p)
	return err
}

func TestCodecDoesNotAllocate(t *testing.T) {
	s := radius.NewSecret([]byte("allocations"))
	request, _ := sealed(t, s)
	reply, password := make([]byte, radius.MaxLength), make([]byte, radius.MaxPassword)
	n := testing.AllocsPerRun(100, func() {
		if err := once(s, request, reply, password); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations an exchange, want none", n)
	}
	n = testing.AllocsPerRun(100, func() {
		for range mustParse(t, request).Attributes() {
			continue
		}
	})
	if n != 0 {
		t.Errorf("%v allocations to walk the attributes, want none", n)
	}
}

func BenchmarkCodec(b *testing.B) {
	s := radius.NewSecret([]byte("benchmark"))
	request, _ := sealed(b, s)
	reply, password := make([]byte, radius.MaxLength), make([]byte, radius.MaxPassword)
	b.ReportAllocs()
	for b.Loop() {
		if err := once(s, request, reply, password); err != nil {
			b.Fatal(err)
		}
	}
}

// Of two, the first of which is right, none counts: what stands in the second is
// anybody's.
func TestSecondMessageAuthenticatorIsRefused(t *testing.T) {
	s := radius.NewSecret([]byte("thrice"))
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{7})
	w.Add(radius.MessageAuthenticator, make([]byte, 16))
	b, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifyRequest(mustParse(t, b)); err != radius.ErrMessageAuthenticator {
		t.Errorf("two: %v", err)
	}
}

// An answer is one to the identifier that it has, though another request has the
// same authenticator.
func TestReplyToAnotherIdentifierIsRefused(t *testing.T) {
	s := radius.NewSecret([]byte("same"))
	var requests []radius.Packet
	for id := range byte(2) {
		w := radius.NewRequest(nil, radius.AccessRequest, id, [16]byte{7})
		b, err := s.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, mustParse(t, b))
	}
	w := radius.NewReply(nil, radius.AccessAccept, requests[1])
	b, err := s.SealReply(&w, requests[1])
	if err != nil {
		t.Fatal(err)
	}
	reply := mustParse(t, b)
	if err := s.VerifyReply(reply, requests[1]); err != nil {
		t.Errorf("its own: %v", err)
	}
	if err := s.VerifyReply(reply, requests[0]); err != radius.ErrResponseAuthenticator {
		t.Errorf("the other: %v", err)
	}
}
