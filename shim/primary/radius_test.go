package primary_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/primary"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

const key = "a secret of the home server"

// ask has a home server answer a login in one way, and returns what reached it.
func ask(t *testing.T, l shim.Login, code radius.Code, fill func(*radius.Builder)) (proof shim.Proof, seen radius.Packet, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		buf := make([]byte, radius.MaxLength)
		n, err := theirs.Read(buf)
		if err != nil {
			return
		}
		if seen, err = radius.Parse(buf[:n]); err != nil {
			t.Error(err)
			return
		}
		w := radius.NewReply(nil, code, seen)
		if fill != nil {
			fill(&w)
		}
		b, err := radius.NewSecret([]byte(key)).SealReply(&w, seen)
		if err != nil {
			t.Error(err)
		}
		_, _ = theirs.Write(b) // closed: nobody waits any more
	}()
	c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: "home:1812", Secret: secret.FromString(key)}},
		Dial: func(context.Context, string) (net.Conn, error) { return ours, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	proof, err = primary.RADIUS{Client: c}.Prove(t.Context(), l)
	return proof, seen, err
}

// foreign are attributes that are of one hop, or of another protocol, or none.
var foreign = []struct {
	t     radius.Type
	value []byte
}{
	{radius.CHAPChallenge, []byte("8 octets")}, {radius.EAPMessage, []byte{2, 1, 0, 5, 1}},
	{radius.VendorSpecific, []byte{0, 0, 1, 55, 7, 3, 1, 12, 3, 1}}, // keys behind something harmless
	{radius.VendorSpecific, []byte{0, 0, 1, 55, 7, 3, 1, 16}},       // and what is none to its end
	{radius.VendorSpecific, []byte{0, 0, 1}},
}

// login is what a client has sent, with more attributes than are passed on.
func login(t *testing.T) shim.Login {
	t.Helper()
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{1})
	w.Add(radius.UserName, []byte("CORP\\ada"))
	w.AddPassword(radius.NewSecret([]byte("secret of the client")), []byte("pa55"))
	w.Add(radius.NASIdentifier, []byte("gate"))
	w.Add(radius.CallingStationID, []byte("192.0.2.7"))
	w.Add(radius.State, []byte("ours"))
	w.Add(radius.ProxyState, []byte("theirs"))
	w.Add(radius.VendorSpecific, []byte{0, 0, 0, 9, 1, 5, 'a', 'v', 'p'})
	w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, 25, 5, 'm', 's', '2'})
	w.AddUint32(radius.SessionTimeout, 9)
	for _, of := range foreign {
		w.Add(of.t, of.value)
	}
	b, err := radius.NewSecret([]byte("secret of the client")).SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return shim.Login{User: "CORP\\ada", Password: secret.FromString("pa55"), Request: p}
}

func TestWhatTheHomeServerGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, err := ask(t, login(t), radius.AccessAccept, nil)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[radius.Type]int{}
		for kind := range p.Attributes() {
			counts[kind]++
		}
		for kind, want := range map[radius.Type]int{radius.UserName: 1, radius.UserPassword: 1, radius.NASIdentifier: 1, radius.CallingStationID: 1,
			radius.State: 0, radius.ProxyState: 0, radius.VendorSpecific: 1, radius.MessageAuthenticator: 1,
			radius.CHAPChallenge: 0, radius.EAPMessage: 0, radius.SessionTimeout: 0} {
			if counts[kind] != want {
				t.Errorf("attribute %d arrives %d times, want %d", kind, counts[kind], want)
			}
		}
		value, _ := p.Lookup(radius.UserPassword)
		clear, err := radius.NewSecret([]byte(key)).Password(nil, value, p.Authenticator())
		if err != nil || string(clear) != "pa55" {
			t.Error("the password is not hidden under the home server's secret")
		}
	})
}

func TestProofs(t *testing.T) {
	for name, test := range map[string]struct {
		code    radius.Code
		fill    func(*radius.Builder)
		ok      bool
		kind    cloud.Kind // of the error; Internal: none
		subject string
		reply   string
	}{
		"accept": {code: radius.AccessAccept, ok: true, subject: `CORP\ada`},
		"accept with a name": {code: radius.AccessAccept, ok: true, subject: "ada@contoso.example", reply: "\x01\x15ada@contoso.example", fill: func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("ada@contoso.example"))
		}},
		"accept with two names": {code: radius.AccessAccept, kind: cloud.Conflict, fill: func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("ada"))
			w.Add(radius.UserName, []byte("bob"))
		}},
		"accept with no name": {code: radius.AccessAccept, kind: cloud.Conflict, fill: func(w *radius.Builder) { w.Add(radius.UserName, nil) }},
		"attributes": {code: radius.AccessAccept, ok: true, subject: `CORP\ada`, reply: "\x1b\x06\x00\x00\x0e\x10\x19\x07staff\x0b\x05vpn", fill: func(w *radius.Builder) {
			w.Add(radius.ReplyMessage, []byte("hello"))
			w.AddUint32(radius.SessionTimeout, 3600) // how long the session may last
			w.Add(25, []byte("staff"))
			w.Add(radius.State, []byte("theirs"))
			w.Add(11, []byte("vpn"))
			w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, 12, 5, 'k', 'e', 'y'}) // MS-CHAP-MPPE-Keys
			for _, of := range foreign {
				w.Add(of.t, of.value)
			}
		}},
		"a key that is none": {code: radius.AccessAccept, kind: cloud.Unsupported, fill: func(w *radius.Builder) {
			w.Add(radius.VendorSpecific, []byte{0, 0, 1, 55, 16, 5, 'k', 'e', 'y'})
		}},
		"reject":    {code: radius.AccessReject, fill: func(w *radius.Builder) { w.Add(25, []byte("staff")) }},
		"challenge": {code: radius.AccessChallenge, kind: cloud.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proof, _, err := ask(t, login(t), test.code, test.fill)
				if test.kind != cloud.Internal {
					if cloud.KindOf(err) != test.kind {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil || proof.OK != test.ok || proof.Subject.Value != test.subject || string(proof.Reply) != test.reply {
					t.Errorf("got %+v, %v", proof, err)
				}
				if !proof.OK && proof.Reason != cloud.WrongPassword {
					t.Errorf("reason %q", proof.Reason)
				}
			})
		})
	}
}

func TestPasswordTooLongIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := login(t)
		l.Password = secret.FromString(strings.Repeat("a", 129))
		if _, _, err := ask(t, l, radius.AccessAccept, nil); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("got %v", err)
		}
	})
}

// Status-Server says no while no home server answers.
func TestReadyIsThatOfTheHomeServers(t *testing.T) {
	c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: "home:1812", Secret: secret.FromString(key)}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := (primary.RADIUS{Client: c}).Ready(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("got %v", err)
	}
}
