package primary_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/primary"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// vsa is a Microsoft attribute in the form of a packet.
func vsa(t *testing.T, kind uint8, value []byte) []byte {
	t.Helper()
	b, err := radius.AppendVendor(nil, radius.Microsoft, kind, value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// relayed is a request of a client, with these attributes.
func relayed(t *testing.T, protocol shim.Protocol, attributes []byte) shim.Relayed {
	t.Helper()
	w := radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{9, 9, 9})
	w.Add(radius.UserName, []byte("CORP\\Ada"))
	w.AddEncoded(attributes)
	w.Add(radius.ProxyState, []byte("theirs"))
	b, err := radius.NewSecret([]byte("secret of the client")).SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	eap, _, err := radius.JoinEAP(p)
	if err != nil {
		t.Fatal(err)
	}
	return shim.Relayed{Login: shim.Login{User: "CORP\\Ada", Request: p}, Protocol: protocol, EAP: eap}
}

// relay has a home server answer in one way, and returns what reached it.
func relay(t *testing.T, r shim.Relayed, code radius.Code, fill func(w *radius.Builder, authenticator []byte)) (answer shim.Answer, seen radius.Packet, err error) {
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
		if err := radius.NewSecret([]byte(key)).VerifyRequest(seen); err != nil {
			t.Error(err)
		}
		w := radius.NewReply(nil, code, seen)
		if fill != nil {
			fill(&w, seen.Authenticator())
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
	defer func() { _ = ours.Close() }() // nobody may have asked
	answer, err = primary.RADIUS{Client: c, NamesTunnelUser: true}.Relay(t.Context(), r)
	return answer, seen, err
}

func TestWhatAHomeServerGetsOfAProof(t *testing.T) {
	chap := append([]byte{3, 19}, make([]byte, 17)...)
	challenge := append([]byte{60, 10}, "8 octets"...)
	state := []byte{24, 7, 't', 'h', 'e', 'i', 'r'}
	mschap := append(vsa(t, radius.MSCHAPChallenge, make([]byte, 16)), vsa(t, radius.MSCHAP2Response, make([]byte, 50))...)
	eap := radius.AppendEAP(nil, append(radius.EAP{2, 7, 1, 44, 21}, make([]byte, 295)...))
	for name, test := range map[string]struct {
		r      shim.Relayed
		server string
		want   []byte // attributes behind User-Name
	}{
		"CHAP":                     {r: relayed(t, shim.CHAP, append(chap, challenge...)), want: append(chap, challenge...)},
		"CHAP and no challenge":    {r: relayed(t, shim.CHAP, chap), want: append(append(chap, 60, 18, 9, 9, 9), make([]byte, 13)...)},
		"MS-CHAPv2":                {r: relayed(t, shim.MSCHAPv2, mschap), want: mschap},
		"MS-CHAPv2 and more":       {r: relayed(t, shim.MSCHAPv2, append(vsa(t, 27, make([]byte, 68)), mschap...)), want: mschap},
		"EAP":                      {r: relayed(t, shim.EAP, eap), want: eap},
		"EAP and its State":        {r: relayed(t, shim.EAP, append(state, eap...)), server: "home:1812", want: append(state, eap...)},
		"State of nobody":          {r: relayed(t, shim.EAP, append(state, eap...)), want: eap},
		"MS-CHAPv2 and CHAP":       {r: relayed(t, shim.MSCHAPv2, append(append([]byte(nil), challenge...), mschap...)), want: mschap},
		"MS-CHAPv2 in disguise":    {r: relayed(t, shim.MSCHAPv2, append([]byte{69, 9, 0, 0, 1, 55, 11, 3, 1}, mschap...)), want: mschap},
		"MS-CHAPv2 that is none":   {r: relayed(t, shim.MSCHAPv2, append([]byte{26, 7, 0, 0, 1, 55, 25}, mschap...)), want: mschap},
		"CHAP and EAP":             {r: relayed(t, shim.CHAP, append(append(append([]byte(nil), chap...), challenge...), eap...)), want: append(chap, challenge...)},
		"EAP and MS-CHAPv2":        {r: relayed(t, shim.EAP, append(append([]byte(nil), mschap...), eap...)), want: eap},
		"EAP and another protocol": {r: relayed(t, shim.EAP, append(chap, eap...)), want: eap},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.r.Server = test.server
				_, seen, err := relay(t, test.r, radius.AccessReject, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := seen.Bytes()[radius.HeaderLength+18:]
				if want := append([]byte("\x01\x0aCORP\\Ada"), test.want...); !bytes.Equal(got, want) {
					t.Errorf("the home server gets\n%x, want\n%x", got, want)
				}
			})
		})
	}
}

func TestStateGoesToNoOtherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := relayed(t, shim.EAP, []byte{24, 4, 'x', 'y', 79, 8, 2, 1, 0, 6, 6, 1})
		r.Server = "elsewhere:1812"
		if _, _, err := relay(t, r, radius.AccessAccept, nil); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("got %v", err)
		}
	})
}

func TestKeysAreTakenOutOfAnAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, _, err := relay(t, relayed(t, shim.MSCHAPv2, vsa(t, radius.MSCHAP2Response, make([]byte, 50))), radius.AccessAccept,
			func(w *radius.Builder, authenticator []byte) {
				s := radius.NewSecret([]byte(key))
				hide := func(clear string, salt uint16) []byte {
					b, err := s.AppendSalted(nil, []byte(clear), authenticator, salt)
					if err != nil {
						t.Error(err)
					}
					return b
				}
				w.AddEncoded(vsa(t, radius.MSMPPESendKey, hide("send key", 1)))
				w.AddEncoded(vsa(t, radius.MSMPPERecvKey, hide("receive key", 2)))
				w.Add(radius.TunnelPassword, append([]byte{3}, hide("tunnel", 3)...))
				w.AddEncoded(vsa(t, radius.MSCHAP2Success, []byte("\x01S=proof")))
				// A key that hides behind something harmless in one attribute.
				w.Add(radius.VendorSpecific, append([]byte{0, 0, 1, 55, 7, 6, 0, 0, 0, 1, 16, 20}, hide("second", 4)...))
				w.Add(25, []byte("staff"))
			})
		if err != nil || !answer.OK || answer.Named || string(answer.Reply) != "\x19\x07staff" || !bytes.Contains(answer.Attributes, []byte("S=proof")) {
			t.Fatalf("got %+v, %v", answer, err)
		}
		var got []string
		for _, h := range answer.Hidden {
			got = append(got, string(h.Value.Reveal()))
		}
		if len(got) != 4 || got[0] != "send key" || got[1] != "receive key" || got[2] != "tunnel" || got[3] != "second" || answer.Hidden[2].Tag != 3 {
			t.Errorf("keys %q", got)
		}
	})
}

// TestAnswersThatDoNotFit: the client never hears of them.
func TestAnswersThatDoNotFit(t *testing.T) {
	eap := []byte{79, 8, 2, 7, 0, 6, 6, 'x'}
	add := func(b ...byte) func(*radius.Builder, []byte) {
		return func(w *radius.Builder, _ []byte) { w.AddEncoded(b) }
	}
	for name, test := range map[string]struct {
		protocol shim.Protocol
		code     radius.Code
		fill     func(*radius.Builder, []byte)
	}{
		"acceptance with EAP-Failure":    {shim.EAP, radius.AccessAccept, add(79, 6, 4, 7, 0, 4)},
		"acceptance with an EAP request": {shim.EAP, radius.AccessAccept, add(79, 7, 1, 7, 0, 5, 6)},
		"acceptance without EAP":         {shim.EAP, radius.AccessAccept, nil},
		"refusal with EAP-Success":       {shim.EAP, radius.AccessReject, add(79, 6, 3, 7, 0, 4)},
		"challenge with EAP-Success":     {shim.EAP, radius.AccessChallenge, add(24, 3, 's', 79, 6, 3, 7, 0, 4)},
		"challenge without State":        {shim.EAP, radius.AccessChallenge, add(79, 7, 1, 7, 0, 5, 6)},
		"challenge with two States":      {shim.EAP, radius.AccessChallenge, add(24, 3, 's', 24, 3, 't', 79, 7, 1, 7, 0, 5, 6)},
		"challenge with an empty State":  {shim.EAP, radius.AccessChallenge, add(24, 2, 79, 7, 1, 7, 0, 5, 6)},
		"EAP of a wrong length":          {shim.EAP, radius.AccessAccept, add(79, 6, 3, 7, 0, 5)},
		"EAP where there was none":       {shim.CHAP, radius.AccessAccept, add(79, 6, 3, 7, 0, 4)},
		"key that cannot be revealed":    {shim.CHAP, radius.AccessAccept, add(26, 10, 0, 0, 1, 55, 16, 4, 0x80, 1)},
		"two names":                      {shim.CHAP, radius.AccessAccept, add(1, 3, 'a', 1, 3, 'b')},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attributes := eap
				if test.protocol == shim.CHAP {
					attributes = append([]byte{3, 19}, make([]byte, 17)...)
				}
				answer, _, err := relay(t, relayed(t, test.protocol, attributes), test.code, test.fill)
				if kind := cloud.KindOf(err); err == nil || kind != cloud.Unsupported && kind != cloud.Conflict {
					t.Errorf("got %+v, %v", answer, err)
				}
			})
		})
	}
}

func TestChallengeIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := append(radius.EAP{1, 7, 1, 144, 21}, make([]byte, 395)...)
		answer, _, err := relay(t, relayed(t, shim.EAP, []byte{79, 8, 2, 7, 0, 6, 1, 'x'}), radius.AccessChallenge, func(w *radius.Builder, _ []byte) {
			w.Add(radius.State, []byte("theirs"))
			w.AddUint32(radius.SessionTimeout, 30)
			w.AddEncoded(radius.AppendEAP(nil, long))
			w.Add(25, []byte("staff"))
		})
		if err != nil || !answer.Challenge || answer.OK || string(answer.State) != "theirs" || answer.Timeout.Seconds() != 30 || answer.Method != 21 ||
			answer.Server != "home:1812" || !bytes.Equal(answer.Attributes, radius.AppendEAP(nil, long)) {
			t.Errorf("got %+v, %v", answer, err)
		}
	})
}

// A server that answers EAP-Start without Message-Authenticator gets a word of
// its own: what comes behind EAP-Start may well work there.
func TestEAPStartThatIsAnsweredUnsigned(t *testing.T) {
	for name, test := range map[string]struct {
		eap  []byte
		says bool
	}{"EAP-Start": {[]byte{79, 2}, true}, "identity": {[]byte{79, 8, 2, 7, 0, 6, 1, 'x'}, false}} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			go func() {
				buf := make([]byte, radius.MaxLength)
				for {
					n, err := theirs.Read(buf)
					if err != nil {
						return
					}
					reply := append([]byte{byte(radius.AccessChallenge), buf[1], 0, 30}, buf[4:20]...)
					reply = append(reply, 24, 3, 's', 79, 7, 1, 7, 0, 5, 1)
					sum := md5.Sum(append(reply[:len(reply):len(reply)], key...)) // RFC 2865 section 3, and no more
					copy(reply[4:], sum[:])
					if _, err := theirs.Write(reply); err != nil || n == 0 {
						return
					}
				}
			}()
			c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: "home:1812", Secret: secret.FromString(key), Observe: true}},
				Dial: func(context.Context, string) (net.Conn, error) { return ours, nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = primary.RADIUS{Client: c}.Relay(t.Context(), relayed(t, shim.EAP, test.eap))
			if cloud.KindOf(err) != cloud.Unavailable || strings.Contains(err.Error(), "begins with EAP-Response/Identity") != test.says || !strings.Contains(err.Error(), "no Message-Authenticator") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestRefusalPassesWhyTheServerSaysNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, _, err := relay(t, relayed(t, shim.MSCHAPv2, vsa(t, radius.MSCHAP2Response, make([]byte, 50))), radius.AccessReject,
			func(w *radius.Builder, _ []byte) { w.AddEncoded(vsa(t, radius.MSCHAPError, []byte("\x01E=691 R=0"))) })
		if err != nil || answer.OK || answer.Reason != cloud.WrongPassword || !bytes.Contains(answer.Attributes, []byte("E=691")) {
			t.Errorf("got %+v, %v", answer, err)
		}
	})
}

// What looks like a key, a proof or a name and is none stays what it is.
func TestAnswersThatHoldNothingSpecial(t *testing.T) {
	eap := relayed(t, shim.EAP, []byte{79, 8, 2, 7, 0, 6, 6, 'x'})
	mschap := relayed(t, shim.MSCHAPv2, vsa(t, radius.MSCHAP2Response, make([]byte, 50)))
	for name, test := range map[string]struct {
		r          shim.Relayed
		code       radius.Code
		attributes []byte
		reply, end string
		named      bool
		timeout    int // seconds
	}{
		"an empty Tunnel-Password":  {r: mschap, code: radius.AccessAccept, attributes: []byte{69, 2}},
		"a vendor's that is none":   {r: mschap, code: radius.AccessAccept, attributes: []byte{26, 7, 0, 0, 1, 55, 16}},
		"another vendor's":          {r: mschap, code: radius.AccessAccept, attributes: []byte{26, 9, 0, 0, 0, 9, 16, 3, 1}, reply: "\x1a\x09\x00\x00\x00\x09\x10\x03\x01"},
		"another vendor's ending":   {r: mschap, code: radius.AccessAccept, attributes: []byte{26, 9, 0, 0, 0, 9, 26, 3, 1}, reply: "\x1a\x09\x00\x00\x00\x09\x1a\x03\x01"},
		"a class that looks so":     {r: mschap, code: radius.AccessAccept, attributes: []byte{25, 9, 0, 0, 1, 55, 16, 3, 1}, reply: "\x19\x09\x00\x00\x017\x10\x03\x01"},
		"a class, another":          {r: mschap, code: radius.AccessAccept, attributes: []byte{25, 9, 0, 0, 1, 55, 26, 3, 1}, reply: "\x19\x09\x00\x00\x017\x1a\x03\x01"},
		"an error, with a yes":      {r: mschap, code: radius.AccessAccept, attributes: vsa(t, radius.MSCHAPError, []byte("E=691"))},
		"a proof, with a no":        {r: mschap, code: radius.AccessReject, attributes: vsa(t, radius.MSCHAP2Success, []byte("S=1"))},
		"a name":                    {r: mschap, code: radius.AccessAccept, attributes: []byte{1, 5, 'a', 'd', 'a'}, reply: "\x01\x05ada", named: true},
		"a time":                    {r: eap, code: radius.AccessChallenge, attributes: []byte{24, 3, 's', 27, 6, 0, 0, 0, 9, 79, 7, 1, 7, 0, 5, 6}, end: "\x4f\x07\x01\x07\x00\x05\x06", timeout: 9},
		"a time that is too long":   {r: eap, code: radius.AccessChallenge, attributes: []byte{24, 3, 's', 27, 6, 1, 0, 0, 9, 79, 7, 1, 7, 0, 5, 6}, end: "\x4f\x07\x01\x07\x00\x05\x06", timeout: 600},
		"a time of three octets":    {r: eap, code: radius.AccessChallenge, attributes: []byte{24, 3, 's', 27, 5, 0, 0, 9, 79, 7, 1, 7, 0, 5, 6}, end: "\x4f\x07\x01\x07\x00\x05\x06"},
		"two times":                 {r: eap, code: radius.AccessChallenge, attributes: []byte{24, 3, 's', 27, 6, 0, 0, 0, 9, 27, 6, 0, 0, 0, 9, 79, 7, 1, 7, 0, 5, 6}, end: "\x4f\x07\x01\x07\x00\x05\x06"},
		"a refusal without any EAP": {r: eap, code: radius.AccessReject},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer, _, err := relay(t, test.r, test.code, func(w *radius.Builder, _ []byte) { w.AddEncoded(test.attributes) })
				if err != nil || string(answer.Reply) != test.reply || string(answer.Attributes) != test.end || len(answer.Hidden) != 0 ||
					answer.Named != test.named || answer.Timeout != time.Duration(test.timeout)*time.Second {
					t.Errorf("got %+v, %v", answer, err)
				}
			})
		})
	}
}
