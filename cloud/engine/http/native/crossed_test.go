package native_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// What anybody may ask for about a name, asked until it is refused, tells
// nothing by what is answered to another question about that name afterwards.
func TestQuestionsInTurnTellNobodyWhoThereIs(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	ask := map[string]func(name string) answer{
		"mail first": func(name string) answer {
			a := h.call(initiate, "username", name, "challenge_type", "oob redirect")
			return h.call(challenge, "continuation_token", a.token(t))
		},
		"reset": func(name string) answer {
			return h.call(resetAsk, "continuation_token", h.call(resetStart, "username", name, "challenge_type", every).token(t))
		},
		"sign-up": func(name string) answer {
			return h.call(signUpAsk, "continuation_token", h.call(signUpStart, "username", name, "challenge_type", every).token(t))
		},
	}
	n := 0
	for before, first := range ask {
		for after, then := range ask {
			for what, domain := range map[string]string{"mail at the name": "", "mail elsewhere": "mail."} {
				h.Advance(time.Hour)
				n++
				h.from = fmt.Sprintf("203.0.%d.7:1", n)
				there, nobody := fmt.Sprintf("a%02d@fabrikam.example", n), fmt.Sprintf("b%02d@fabrikam.example", n)
				h.person(t, there, "", fmt.Sprintf("a%02d@%sfabrikam.example", n, domain))
				var seen [2]string
				for i, name := range []string{there, nobody} {
					for range 6 { // more than one place has mailed to one name in an hour
						seen[i] += shape(first(name))
					}
					for range 12 { // up to all that one place has said to be sent
						seen[i] += shape(then(name))
					}
				}
				if seen[0] != seen[1] {
					t.Errorf("%s, then %s, %s:\n%s\n%s", before, after, what, seen[0], seen[1])
				}
			}
		}
	}
}

// shape is what an answer tells at a glance.
func shape(a answer) string {
	if a.status != http.StatusOK {
		return fmt.Sprint(" ", a.status)
	}
	return fmt.Sprint(" ", a.text("challenge_type"))
}

// Whoever may register a number for an account of their own does not keep its
// owner from texts: neither here nor where programs ask.
func TestRegisteringUsesUpNobodysNumber(t *testing.T) {
	h := build(t, both)
	h.person(t, bob, "+1 4255550111", "")
	for n := range 4 { // accounts are free
		h.from = fmt.Sprintf("203.0.113.%d:1", n)
		name := fmt.Sprintf("eve+%d@fabrikam.example", n)
		h.person(t, name, "", "")
		a := h.typed(h.begun(t, name).token(t), password)
		for range 20 {
			h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", "+14255550111", "challenge_channel", "sms")
		}
	}
	if n := h.texts.count(); n < 5 || n > 10 {
		t.Errorf("%d texts to somebody else's number in an hour", n)
	}
	h.from = "192.0.2.10:1"
	h.signedIn(t, bob)
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.id(t, bob))}, Client: cloud.Client{App: "VPN", Station: "gateway"}, Tries: 3})
	if err != nil || c.State != cloud.Pending {
		t.Errorf("at a gateway: %+v, %v", c, err)
	}
}
