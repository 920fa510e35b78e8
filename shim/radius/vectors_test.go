package radius_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"mfabridge/shim/radius"
)

const vectorSecret = "xyzzy5461" // of RFC 2865 section 7 and RFC 5997 section 6

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustParse(t testing.TB, b []byte) radius.Packet {
	t.Helper()
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exchange is a request and its reply as an RFC prints them.
type exchange struct {
	name           string
	request, reply string
	code           radius.Code // of the reply
	user, password string
}

func exchanges() []exchange {
	return []exchange{{
		name: "RFC 2865 section 7.1",
		request: `01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d
			93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03`,
		reply: `02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00
			0e 06 c0 a8 01 03`,
		code: radius.AccessAccept, user: "nemo", password: "arctangent",
	}, {
		name: "RFC 2865 section 7.2",
		request: `01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9
			75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00
			02 07 06 00 00 00 01`,
		reply: `02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01
			08 06 ff ff ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc`,
		code: radius.AccessAccept, user: "flopsy",
	}, {
		name: "RFC 2865 section 7.3, first leg",
		request: `01 02 00 39 f3 a4 7a 1f 6a 6d 76 71 0b 94 7a b9 30 41 a0 39 01 07 6d 6f 70 73 79 02 12 33 65 75
			73 77 82 89 b5 70 88 5e 15 08 48 25 c5 04 06 c0 a8 01 10 05 06 00 00 00 07`,
		reply: `0b 02 00 4e 36 f3 c8 76 4a e8 c7 11 57 40 3c 0c 71 ff 9c 45 12 30 43 68 61 6c 6c 65 6e 67 65 20
			33 32 37 36 39 34 33 30 2e 20 20 45 6e 74 65 72 20 72 65 73 70 6f 6e 73 65 20 61 74 20 70 72 6f
			6d 70 74 2e 18 0a 33 32 37 36 39 34 33 30`,
		code: radius.AccessChallenge, user: "mopsy", password: "challenge",
	}, {
		// The RFC prints "18 10" for State, which does not fit its own Length.
		name: "RFC 2865 section 7.3, second leg",
		request: `01 03 00 43 b1 22 55 6d 42 8a 13 d0 d6 25 38 07 c4 57 ec f0 01 07 6d 6f 70 73 79 02 12 69 2c 1f
			20 5f c0 81 b9 19 b9 51 95 f5 61 a5 81 04 06 c0 a8 01 10 05 06 00 00 00 07 18 0a 33 32 37 36 39
			34 33 30`,
		reply: `03 03 00 14 a4 2f 4f ca 45 91 6c 4e 09 c8 34 0f 9e 74 6a a0`,
		code:  radius.AccessReject, user: "mopsy", password: "99101462",
	}, {
		name: "RFC 5997 section 6.1",
		request: `0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23 50 12 5a 66 5e 2e 1e 84 11 f3 e2 43
			82 20 97 c8 4f a3`,
		reply: `02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66`,
		code:  radius.AccessAccept,
	}, {
		name: "RFC 5997 section 6.2",
		request: `0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 60 50 12 e8 d6 ea bd a9 10 87 5c d9 1f
			da de 26 36 78 58`,
	}}
}

// The replies of these RFCs carry no Message-Authenticator: a right one passes
// the Response Authenticator and is refused for that alone.
func TestVectorReplies(t *testing.T) {
	s := radius.NewSecret([]byte(vectorSecret))
	for _, x := range exchanges() {
		if x.reply == "" {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			request, raw := mustParse(t, unhex(t, x.request)), unhex(t, x.reply)
			reply := mustParse(t, raw)
			if reply.Code() != x.code {
				t.Errorf("code %v, want %v", reply.Code(), x.code)
			}
			if err := s.VerifyReply(reply, request); err != radius.ErrNoMessageAuthenticator {
				t.Errorf("as printed: %v, want %v", err, radius.ErrNoMessageAuthenticator)
			}
			for bit := range len(raw) * 8 {
				flipped := bytes.Clone(raw)
				flipped[bit/8] ^= 1 << (bit % 8)
				p, err := radius.Parse(flipped)
				if err != nil {
					continue
				}
				if err := s.VerifyReply(p, request); !errors.Is(err, radius.ErrResponseAuthenticator) {
					t.Fatalf("bit %d flipped: %v, want %v", bit, err, radius.ErrResponseAuthenticator)
				}
			}
		})
	}
}

func TestVectorPasswords(t *testing.T) {
	s := radius.NewSecret([]byte(vectorSecret))
	for _, x := range exchanges() {
		if x.password == "" {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			raw := unhex(t, x.request)
			p := mustParse(t, raw)
			if user, n := p.Lookup(radius.UserName); string(user) != x.user || n != 1 {
				t.Errorf("User-Name %q (%d of them), want %q", user, n, x.user)
			}
			hidden, _ := p.Lookup(radius.UserPassword)
			got, err := s.Password(nil, hidden, p.Authenticator())
			if err != nil || string(got) != x.password {
				t.Errorf("revealed %q, %v; want %q", got, err, x.password)
			}
			w := radius.NewRequest(nil, radius.AccessRequest, p.Identifier(), [16]byte(p.Authenticator()))
			w.AddPassword(s, []byte(x.password))
			b, err := s.SealRequest(&w)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := mustParse(t, b).Lookup(radius.UserPassword)
			if !bytes.Equal(again, hidden) {
				t.Errorf("hidden again: %x, want %x", again, hidden)
			}
			wrong := radius.NewSecret([]byte(vectorSecret + "x"))
			if got, _ := wrong.Password(nil, hidden, p.Authenticator()); string(got) == x.password {
				t.Error("another secret reveals the password")
			}
		})
	}
}

func TestVectorStatusServer(t *testing.T) {
	s := radius.NewSecret([]byte(vectorSecret))
	for _, x := range exchanges() {
		raw := unhex(t, x.request)
		p := mustParse(t, raw)
		if p.Code() != radius.StatusServer {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			if err := s.VerifyRequest(p); err != nil {
				t.Errorf("as printed: %v", err)
			}
			w := radius.NewRequest(nil, radius.StatusServer, p.Identifier(), [16]byte(p.Authenticator()))
			if b, err := s.SealRequest(&w); err != nil || !bytes.Equal(b, raw) {
				t.Errorf("built: %x, %v; want %x", b, err, raw)
			}
			for bit := range len(raw) * 8 {
				flipped := bytes.Clone(raw)
				flipped[bit/8] ^= 1 << (bit % 8)
				if q, err := radius.Parse(flipped); err == nil && s.VerifyRequest(q) == nil {
					t.Fatalf("bit %d flipped: accepted", bit)
				}
			}
		})
	}
}
