package shim_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

func TestCodeInThePasswordField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		want(t, r.login(ask{user: "ada", password: "000000", id: 1}), radius.AccessReject)
		want(t, r.login(ask{user: "ada", password: "123456", id: 2}), radius.AccessAccept)
		time.Sleep(cloud.RepeatWindow)
		want(t, r.login(ask{user: "ada", password: "123456", id: 3}), radius.AccessReject)
		if got := r.server.Counters(); got.Reasons["wrong_code"] != 1 || got.Reasons["used_code"] != 1 || got.Logins["accept"] != 1 {
			t.Errorf("counters %+v", got)
		}
	})
}

func TestChallengeThenCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		p := r.login(ask{from: "127.0.0.2", user: "ada", password: "ignored"})
		state := stateOf(t, p)
		if len(state) > 96 {
			t.Errorf("State has %d octets", len(state))
		}
		if prompt, _ := p.Lookup(radius.ReplyMessage); string(prompt) != "Enter the code of your app: " {
			t.Errorf("prompt %q", prompt)
		}
		if v, _ := p.Lookup(radius.SessionTimeout); binary.BigEndian.Uint32(v) != 180 {
			t.Errorf("Session-Timeout %v", v)
		}
		want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: state, id: 1}), radius.AccessAccept)
		if got := r.engine.calls(); got != [3]int{1, 1, 0} {
			t.Errorf("calls %v", got)
		}
	})
}

func TestWrongCodeEndsTheChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		state := stateOf(t, r.login(ask{from: "127.0.0.2", user: "ada"}))
		want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "000000", state: state, id: 1}), radius.AccessReject)
		want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: state, id: 2}), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["wrong_code"] != 1 || got["repeat_refused"] != 1 {
			t.Errorf("reasons %v", got)
		}
		// A new login is possible at once, and is a new challenge.
		again := stateOf(t, r.login(ask{from: "127.0.0.2", user: "ada", id: 3}))
		want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: again, id: 4}), radius.AccessAccept)
	})
}

// Whoever starts a login like one that has just been approved is asked for a
// code like everybody.
func TestFirstLegAfterAnApprovedLoginIsNoAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
			r.engine.set(func() { clear(r.engine.used) })
			first := ask{from: from, user: "ada", password: "correct horse", station: "laptop"}
			state := stateOf(t, r.login(first))
			want(t, r.login(ask{from: from, user: "ada", password: "123456", station: "laptop", state: state, id: 1}), radius.AccessAccept)
			first.id = 2
			next := stateOf(t, r.login(first))
			want(t, r.login(ask{from: from, user: "ada", password: "123456", station: "laptop", state: next, id: 3}), radius.AccessReject)
		}
	})
}

func TestEngineChecksThePasswordAndNamesTheUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		state := stateOf(t, r.login(ask{from: "127.0.0.3", user: "bob", password: "battery staple", station: "198.51.100.7"}))
		if got, want := r.engine.subjects[0], (cloud.Key{Kind: cloud.ByID, Value: "id-bob"}); got != want {
			t.Errorf("second factor asked of %v, want %v", got, want)
		}
		if got := r.engine.asked[0]; got.App != "full" || got.Station != "198.51.100.7" || got.Address.String() != "198.51.100.7" {
			t.Errorf("asker %+v", got)
		}
		want(t, r.login(ask{from: "127.0.0.3", user: "bob", password: "654321", state: state, station: "198.51.100.7", id: 1}), radius.AccessAccept)
	})
}

func TestRefusedPasswordIsRememberedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		q := ask{from: "127.0.0.3", user: "ada", password: "wrong"}
		for i := range 3 {
			q.id, q.station = byte(i), string(rune('a'+i))
			want(t, r.login(q), radius.AccessReject)
		}
		if got := r.engine.calls(); got[2] != 1 || got[0] != 0 {
			t.Errorf("calls %v, want one check and no second factor", got)
		}
		q.password, q.id = "other", 4
		want(t, r.login(q), radius.AccessReject)
		time.Sleep(60 * time.Second)
		q.password, q.id = "wrong", 5
		want(t, r.login(q), radius.AccessReject)
		if got := r.engine.calls(); got[2] != 3 {
			t.Errorf("%d checks, want 3", got[2])
		}
		q.password, q.id = "correct horse", 6
		want(t, r.login(q), radius.AccessChallenge)
		if got := r.server.Counters().Reasons["wrong_password"]; got != 5 {
			t.Errorf("%d wrong passwords counted", got)
		}
	})
}

// A verdict on another challenge than was asked lets nobody in, and tells nobody
// anything.
func TestVerdictOnAnotherChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		q := ask{from: "127.0.0.2", user: "ada"}
		q.state, q.password, q.id = stateOf(t, r.login(q)), "123456", 1
		r.engine.hook = func(_ *cloud.Challenge, d *cloud.Decision) {
			if d != nil {
				d.Challenge = "another"
			}
		}
		r.start(q)
		r.silent("a verdict on another challenge")
		if got := r.server.Counters().Reasons["outage"]; got != 1 {
			t.Errorf("reasons %v", r.server.Counters().Reasons)
		}
	})
}

// A challenge says something in any case, since PAM drops one that does not;
// and none is made that is over before it can be answered.
func TestPromptOfAChallenge(t *testing.T) {
	for name, test := range map[string]struct {
		prompt string
		life   time.Duration
		code   radius.Code
		text   string
	}{
		"without a prompt":    {" \n", time.Minute, radius.AccessChallenge, "Enter your code: "},
		"of nothing seen":     {"\u202e\u200f", time.Minute, radius.AccessChallenge, "Enter your code: "},
		"of less than a line": {"Code?\r\n", time.Second, radius.AccessChallenge, "Code? "},
		"with a colon":        {"Code: ", time.Minute, radius.AccessChallenge, "Code: "},
		"that is reordered":   {"Code\u202e of\u2066 Ada\u2069\u061c\x1b[2J", time.Minute, radius.AccessChallenge, "Code of Ada [2J: "},
		"of two attributes":   {strings.Repeat("é", 200), time.Minute, radius.AccessChallenge, strings.Repeat("é", 125) + ": "},
		"over at once":        {"Code?", time.Second - 1, radius.AccessReject, "Sign-in was not accepted."},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			r.engine.hook = func(c *cloud.Challenge, _ *cloud.Decision) {
				c.Prompt, c.ExpiresAt = test.prompt, time.Now().Add(test.life)
			}
			p := r.login(ask{from: "127.0.0.2", user: "ada"})
			text, _ := p.Lookup(radius.ReplyMessage)
			if p.Code() != test.code || string(text) != test.text {
				t.Errorf("%s: %v %q", name, p.Code(), text)
			}
			synctest.Wait()
			if two := strings.Contains(r.log.String(), "by the engine's clock, and it is 00:00:00 here"); two != (test.code == radius.AccessReject) {
				t.Errorf("%s: the log says of two clocks: %v", name, two)
			}
		})
	}
}

func TestRefusalsLookAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		var texts []string
		for i, q := range []ask{
			{from: "127.0.0.3", user: "ada", password: "wrong"},
			{from: "127.0.0.3", user: "nobody", password: "wrong"},
			{from: "127.0.0.1", user: "ada", password: "000000"},
			{from: "127.0.0.2", user: "gone"},
		} {
			q.id = byte(i)
			p := r.login(q)
			want(t, p, radius.AccessReject)
			texts = append(texts, string(p.Bytes()[radius.HeaderLength+18:]))
		}
		if !strings.Contains(texts[0], "Sign-in was not accepted.") {
			t.Errorf("a refusal says %q", texts[0])
		}
		for _, text := range texts[1:] {
			if text != texts[0] {
				t.Errorf("refusals differ: %q and %q", texts[0], text)
			}
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	long := strings.Repeat("x", 120)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		for i, test := range []struct {
			reason string
			ask    ask
		}{
			{"no_user_name", ask{password: "123456"}},
			{"no_user_name", ask{password: "123456", fill: func(w *radius.Builder) { w.Add(radius.UserName, nil) }}},
			{"bad_user_name", ask{user: "ada\n", password: "123456"}},
			{"bad_user_name", ask{user: "ada\x1b[2J", password: "123456"}},
			{"bad_user_name", ask{user: "ad\xffa", password: "123456"}},
			{"attribute_twice", ask{user: "ada", password: "123456", fill: func(w *radius.Builder) { w.Add(radius.UserName, []byte("bob")) }}},
			{"attribute_twice", ask{user: "ada", password: "123456", fill: func(w *radius.Builder) { w.AddPassword(r.secret, []byte("654321")) }}},
			{"attribute_twice", ask{user: "ada", password: "123456", state: []byte("a"), fill: func(w *radius.Builder) { w.Add(radius.State, []byte("b")) }}},
			{"no_password", ask{user: "ada", bare: true}},
			{"no_password", ask{user: "ada", bare: true, state: []byte("x")}},
			{"empty_password", ask{user: "ada"}},
			{"empty_password", ask{from: "127.0.0.3", user: "ada"}},
			{"bad_password", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.UserPassword, []byte("123456")) }}},
			{"bad_password", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.UserPassword, nil) }}},
			{"bad_password", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.UserPassword, make([]byte, 144)) }}},
			{"bad_password", ask{user: "ada", password: "12345\xff"}},
			{"protocol_not_supported", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) }}},
			{"protocol_not_supported", ask{user: "ada", password: "123456", fill: func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) }}},
			{"protocol_not_supported", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.EAPMessage, []byte{2, 1, 0, 5, 1}) }}},
			{"protocol_not_supported", ask{user: "ada", bare: true, fill: func(w *radius.Builder) { w.Add(radius.VendorSpecific, []byte{0, 0, 1, 0x37, 25, 2}) }}},
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(1, 2)},
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(3, 2)},
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(4, 2)},
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(27, 2)},
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(11, 2, 25, 2)},  // not the first inside
			{"protocol_not_supported", ask{user: "ada", password: "123456"}.proving(25, 2, 11, 99)}, // and the rest is no attribute
			{"user_unknown", ask{user: "nobody", password: "123456"}},
			{"user_unknown", ask{user: "ada ", password: "123456"}},
			{"user_unknown", ask{user: "ａｄａ", password: "123456"}},
			{"user_unknown", ask{user: long, password: "123456"}},
			{"user_disabled", ask{from: "127.0.0.2", user: "gone"}},
			{"state_malformed", ask{from: "127.0.0.2", user: "ada", state: []byte{}}},
			{"state_malformed", ask{from: "127.0.0.2", user: "ada", bare: true, state: []byte{}, fill: func(w *radius.Builder) { w.Add(radius.UserPassword, nil) }}},
			{"state_malformed", ask{from: "127.0.0.2", user: "ada", state: []byte("somebody else's")}},
			{"state_malformed", ask{from: "127.0.0.2", user: "ada", state: bytes.Repeat([]byte{1}, 253)}},
		} {
			test.ask.id = byte(i)
			before := r.server.Counters().Reasons[test.reason]
			want(t, r.login(test.ask), radius.AccessReject)
			if r.server.Counters().Reasons[test.reason] != before+1 {
				t.Errorf("request %d: reason %s was not counted: %v", i, test.reason, r.server.Counters().Reasons)
			}
		}
		if strings.Contains(r.log.String(), "\x1b") || strings.Contains(r.log.String(), "\xff") {
			t.Error("raw bytes of a user name are in the log")
		}
	})
}

// proving has attributes of Microsoft besides, each a type and a length.
func (q ask) proving(inside ...byte) ask {
	q.fill = func(w *radius.Builder) { w.Add(radius.VendorSpecific, append([]byte{0, 0, 1, 0x37}, inside...)) }
	return q
}

// What other vendors have under the numbers of proofs, and what Microsoft has
// under other numbers, leaves a password what it is.
func TestAttributesThatProveNothing(t *testing.T) {
	for name, value := range map[string][]byte{"another vendor's": {0, 0, 0, 9, 25, 2}, "another of Microsoft's": {0, 0, 1, 0x37, 11, 2}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			q := ask{user: "ada", password: "123456", fill: func(w *radius.Builder) { w.Add(radius.VendorSpecific, value) }}
			if p := r.login(q); p.Code() != radius.AccessAccept {
				t.Errorf("%s: answered by %v", name, p.Code())
			}
		})
	}
}

// A calling station that is no text is the engine's to tell apart, and no
// reader's of the log to stumble over.
func TestStationThatIsNoText(t *testing.T) {
	for station, told := range map[string]string{"lap\x1btop\xff": "0x6c61701b746f70ff", "lap\x1btop": "0x6c61701b746f70", "lap\xfftop": "0x6c6170ff746f70", "l\u00e4ptop": "l\u00e4ptop"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			want(t, r.login(ask{user: "ada", password: "123456", station: station}), radius.AccessAccept)
			if got := r.engine.asked[0].Station; got != told {
				t.Errorf("the engine is told of %q", got)
			}
		})
	}
}

func TestUserNamesAreComposedAndElsePassedOnAsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		state := stateOf(t, r.login(ask{from: "127.0.0.2", user: "nai\u0308ve"}))
		want(t, r.login(ask{from: "127.0.0.2", user: "NA\u00cfVE", password: "111111", state: state, id: 1}), radius.AccessAccept)
		r.login(ask{user: `CONTOSO\Ada`, password: "1", id: 2})
		r.login(ask{user: " ada@contoso.example", password: "1", id: 3})
		for i, name := range []string{"na\u00efve", `CONTOSO\Ada`, " ada@contoso.example"} {
			if got, want := r.engine.subjects[i], (cloud.Key{Kind: cloud.ByName, Value: name}); got != want {
				t.Errorf("asked of %q, want %q", got, want)
			}
		}
	})
}

func TestProxyStatesComeBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		values := []string{"1", strings.Repeat("2", 100), strings.Repeat("3", 253)}
		for id, password := range []string{"123456", "000000"} {
			p := r.login(ask{user: "ada", password: password, id: byte(id), fill: func(w *radius.Builder) {
				for _, v := range values {
					w.Add(radius.ProxyState, []byte(v))
				}
			}})
			var got []string
			for kind, v := range p.Attributes() {
				if kind == radius.ProxyState {
					got = append(got, string(v))
				}
			}
			if strings.Join(got, ",") != strings.Join(values, ",") {
				t.Errorf("%v: Proxy-State %q", p.Code(), got)
			}
		}
	})
}

func TestLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		state := stateOf(t, r.login(ask{from: "127.0.0.3", user: "ada", password: "correct horse"}))
		r.login(ask{from: "127.0.0.3", user: "ada", password: "123456", state: state, id: 1})
		r.login(ask{from: "127.0.0.3", user: "ada", password: "wrong canary", id: 2})
		r.engine.set(func() { r.engine.err = &cloud.Error{Kind: cloud.Unavailable, Message: "store is locked"} })
		r.send(r.build(ask{user: "ada", password: "canary-4711", id: 3}), ask{}.source())
		r.close()
		for _, secret := range []string{"correct horse", "123456", "canary", clientSecret, string(state)} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		for _, word := range []string{`"outcome":"accept"`, `"outcome":"challenge"`, `"reason":"wrong_password"`, `"reason":"outage"`, `"user":"ada"`, `"client":"full"`} {
			if !strings.Contains(r.log.String(), word) {
				t.Errorf("the log lacks %s", word)
			}
		}
	})
}
