package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/secret"
)

// The length of a continuation token tells nobody who there is.
func TestTokensAreAsLongForNobody(t *testing.T) {
	for what, edit := range map[string]func(*engine.NativeApp){"password": nil, "mail": func(a *engine.NativeApp) { a.First = []string{engine.FirstEmail} }} {
		h := build(t, both, func(a *engine.NativeApp) {
			if a.Reset = true; edit != nil {
				edit(a)
				a.Reset = false
			}
		})
		h.person(t, "mary@contoso.example", "", "mary@contoso.example")
		for _, c := range []struct{ start, ask string }{{initiate, challenge}, {resetStart, resetAsk}, {signUpStart, signUpAsk}} {
			lengths := map[int]bool{}
			for _, name := range []string{"mary@contoso.example", "nora@contoso.example"} {
				if c.start == resetStart && edit != nil {
					continue
				}
				a := h.call(c.start, "username", name, "challenge_type", every)
				b := h.call(c.ask, "continuation_token", a.token(t))
				lengths[len(a.token(t))], lengths[-len(b.token(t))] = true, true
			}
			if len(lengths) > 2 {
				t.Errorf("%s, %s: lengths %v", what, c.start, lengths)
			}
		}
	}
}

// A reset of somebody whose mail cannot be delivered looks like that of nobody.
func TestResetWhereMailFails(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	h.person(t, eve, "", eve)
	h.mail.dead = true
	var shown []answer
	for _, name := range []string{eve, "eva@fabrikam.example"} {
		a := h.call(resetAsk, "continuation_token", h.call(resetStart, "username", name, "challenge_type", every).token(t))
		shown = append(shown, a)
	}
	if a, b := shown[0], shown[1]; a.text("challenge_type") != "oob" || len(a.body) != len(b.body) || len(a.raw) != len(b.raw)+len("e***e")-len("e***a") {
		t.Errorf("%s\n%s", a.raw, b.raw)
	}
}

// How long it takes to hand mail over tells nobody who there is: where that is
// not told, the answer comes before.
func TestAnswersDoNotWaitForTheMail(t *testing.T) {
	for what, c := range map[string]struct{ start, ask, answer string }{"sign-in": {initiate, challenge, token}, "reset": {resetStart, resetAsk, resetGoOn}} {
		h := build(t, both, func(a *engine.NativeApp) {
			a.Reset = c.start == resetStart
			if !a.Reset {
				a.First = []string{engine.FirstEmail}
			}
		})
		h.person(t, eve, "+1 4255550133", eve)
		h.mail.hold = make(chan struct{})
		a := h.call(c.ask, "continuation_token", h.call(c.start, "username", eve, "challenge_type", every, "capabilities", everyCapacity).token(t))
		h.mail.mu.Lock()
		sent := len(h.mail.got)
		h.mail.mu.Unlock()
		if close(h.mail.hold); sent != 0 || a.text("challenge_channel") != "email" {
			t.Errorf("%s: %d mails were sent before the answer: %s", what, sent, a.raw)
		}
		code, to := h.mail.last(t)
		pairs := []string{"continuation_token", a.token(t), "grant_type", "oob", "oob", code}
		if c.answer == token {
			pairs = append(pairs, "scope", everything)
		}
		if b := h.call(c.answer, pairs...); to != eve || b.token(t) == "" {
			t.Errorf("%s: the code sent to %s: %s", what, to, b.raw)
		}
	}
}

// What was proven with a password is worth nothing once there is another one.
func TestPasswordChangesInMidFlow(t *testing.T) {
	h := build(t, both)
	h.person(t, eve, "", "")
	change := func(name, word string) {
		t.Helper()
		if err := h.SetPassword(t.Context(), operator, h.id(t, name), secret.FromString(word)); err != nil {
			t.Fatal(err)
		}
	}
	second, sent := h.second(t, ada), h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	enrol := h.typed(h.begun(t, eve).token(t), password)
	asked := h.call(enrolAsk, "continuation_token", enrol.token(t), "challenge_type", "oob", "challenge_target", "+14255550123")
	text, _ := h.texts.last(t)
	change(ada, "Another-Heron-43")
	change(eve, "Another-Heron-43")
	texts := h.texts.count()
	h.call(introspect, "continuation_token", second.token(t)).is(t, "the list of factors", "invalid_request", "")
	h.call(challenge, "continuation_token", sent.token(t), "id", "3179e48a-750b-4051-897c-87b9720928f7").is(t, "another code", "invalid_request", "")
	if a := h.coded(sent.token(t), code); a.status == http.StatusOK || a.text("access_token") != "" {
		t.Errorf("the code: %s", a.raw)
	}
	h.call(enrolAsk, "continuation_token", enrol.token(t), "challenge_type", "oob", "challenge_target", "+14255550124").is(t, "a registration", "invalid_request", "")
	h.call(enrolGoOn, "continuation_token", asked.token(t), "grant_type", "oob", "oob", text).is(t, "its code", "invalid_request", "")
	if u, err := h.Show(t.Context(), eve); err != nil || u.Mobile != "" || h.texts.count() != texts {
		t.Errorf("registered %q, %d texts, %v", u.Mobile, h.texts.count()-texts, err)
	}
}

// A new password is of the address that was proven, not of one that came since.
func TestAddressChangesInMidReset(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	id := h.person(t, eve, "", eve)
	a := h.call(resetAsk, "continuation_token", h.call(resetStart, "username", eve, "challenge_type", every).token(t))
	code, _ := h.mail.last(t)
	b := h.call(resetGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
	if r := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Update, Method: cloud.Email, Before: cloud.TextValue(eve), After: cloud.TextValue("eve@contoso.example")}}); r[0].Outcome != cloud.Done {
		t.Fatalf("%+v", r[0])
	}
	if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if a := h.call(resetSubmit, "continuation_token", b.token(t), "new_password", "Other-Heron-77"); a.status == http.StatusOK {
		t.Errorf("%s", a.raw)
	}
	h.typed(h.begun(t, eve).token(t), password).is(t, "the old password", "invalid_grant", "registration_required")
}

// Policy that changes in mid-flow holds for what comes next.
func TestPolicyChangesInMidFlow(t *testing.T) {
	forbid := func(h *house) {
		t.Helper()
		if err := h.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{}); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(h *house) (answer, string) {
		a := h.finish(h.signedUp(t, eve, password).token(t))
		b := h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", "+14255550123")
		code, _ := h.texts.last(t)
		return b, code
	}
	h := build(t, both)
	a, code := asked(h)
	forbid(h)
	if b := h.call(enrolGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code); b.status == http.StatusOK {
		t.Errorf("texts forbidden before the code: %s", b.raw)
	}
	h = build(t, both)
	a, code = asked(h)
	b := h.call(enrolGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
	forbid(h)
	if c := h.finish(b.token(t)); c.status == http.StatusOK {
		t.Errorf("texts forbidden before the tokens: %s", c.raw)
	}
	h = build(t, both)
	a, code = asked(h)
	if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Closed = []string{"+1425"}; return nil }); err != nil {
		t.Fatal(err)
	}
	if b := h.call(enrolGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code); b.status == http.StatusOK {
		t.Errorf("the region closed: %s", b.raw)
	}
	h = build(t)
	sent := h.sent(t, ada, "sms")
	code, _ = h.texts.last(t)
	h.only(t, access.Rule{Name: "closed", Grant: access.GrantBlock})
	if a := h.coded(sent.token(t), code); !strings.Contains(a.raw, "53003") || a.text("continuation_token") != "" {
		t.Errorf("blocked by a rule: %s", a.raw)
	}
}

// A sign-in is not refreshed where its factors are none any more.
func TestRefreshLooksAtFactors(t *testing.T) {
	h := build(t, both)
	h.person(t, bob, "", "bob@fabrikam.example")
	a := h.sent(t, bob, "email")
	code, _ := h.mail.last(t)
	refresh := h.coded(a.token(t), code).text("refresh_token")
	if a := h.refresh(refresh); a.status != http.StatusOK {
		t.Fatalf("%s", a.raw)
	}
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name, a.Reset = "Other", true })
	h.refresh(refresh).is(t, "where mail resets passwords", "invalid_grant", "")
	if err := h.RemoveNativeApp(t.Context(), operator, other.ID); err != nil {
		t.Fatal(err)
	}
	refresh = h.signedIn(t, ada).text("refresh_token")
	if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.First = []string{engine.FirstEmail}; return nil }); err != nil {
		t.Fatal(err)
	}
	h.refresh(refresh).is(t, "where passwords are no first factor any more", "invalid_grant", "")
}

// A code that is all that somebody proves is harder to guess than one beside a
// password: anybody may have it sent, and guess.
func TestLengthsOfCodes(t *testing.T) {
	h := build(t, both)
	h.person(t, bob, "", "bob@fabrikam.example")
	first := h.call(challenge, "continuation_token", h.call(initiate, "username", bob, "challenge_type", "oob redirect").token(t))
	if code, _ := h.mail.last(t); len(code) != 8 || first.body["code_length"] != 8.0 {
		t.Errorf("the first factor has %d digits, and %v are told", len(code), first.body["code_length"])
	}
	second := h.sent(t, ada, "sms")
	if code, _ := h.texts.last(t); len(code) != 6 || second.body["code_length"] != 6.0 {
		t.Errorf("the second factor has %d digits, and %v are told", len(code), second.body["code_length"])
	}
}

// Another code ends the one before also where the client has moved meanwhile.
func TestResendFromElsewhere(t *testing.T) {
	h := build(t, both)
	a := h.sent(t, ada, "sms")
	old, _ := h.texts.last(t)
	methods := h.call(introspect, "continuation_token", a.token(t))
	h.from = "198.51.100.7:1"
	b := h.call(challenge, "continuation_token", methods.token(t), "id", methodID(t, methods, "sms"))
	fresh, _ := h.texts.last(t)
	h.coded(a.token(t), old).is(t, "the old code with its token", "invalid_grant", "invalid_oob_value")
	if got := h.coded(b.token(t), fresh); got.status != http.StatusOK {
		t.Errorf("the new code: %s", got.raw)
	}
	h.person(t, bob, "+1 4255550111", "bob@fabrikam.example")
	c := h.call(challenge, "continuation_token", h.call(initiate, "username", bob, "challenge_type", "oob redirect").token(t))
	old, _ = h.mail.last(t)
	h.from = "192.0.2.10:1"
	h.call(challenge, "continuation_token", c.token(t))
	h.call(token, "grant_type", "oob", "continuation_token", c.token(t), "oob", old, "scope", everything).is(t, "the old code by mail", "invalid_grant", "invalid_oob_value")
}

// Whoever knows a name and nothing else does not use up the codes of its user:
// neither for those elsewhere, nor where a password was proven.
func TestOutsidersUseNothingUp(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	h.person(t, bob, "", "bob@fabrikam.example")
	h.from = "203.0.113.66:1"
	for i := range 50 {
		h.Advance(time.Minute)
		for _, c := range []struct{ start, ask, name string }{{initiate, challenge, bob}, {resetStart, resetAsk, bob}, {signUpStart, signUpAsk, "bob@fabrikam.example"}} {
			a := h.call(c.start, "username", c.name, "challenge_type", "oob redirect")
			if b := h.call(c.ask, "continuation_token", a.token(t)); i > 6 && c.ask != challenge && b.status != http.StatusTooManyRequests {
				t.Fatalf("%d %s: %d %s", i, c.ask, b.status, b.raw)
			}
		}
	}
	if n := h.mail.count(); n > 15 {
		t.Errorf("%d mails to one address from one place in an hour", n)
	}
	h.from = "192.0.2.10:1"
	sent := h.mail.count()
	h.call(resetAsk, "continuation_token", h.call(resetStart, "username", bob, "challenge_type", "oob redirect").token(t))
	h.call(challenge, "continuation_token", h.call(initiate, "username", bob, "challenge_type", "oob redirect").token(t))
	if h.mail.count() != sent+2 {
		t.Errorf("%d mails for the user", h.mail.count()-sent)
	}
}

// Of what anybody may ask for: wrong codes, then the right one; and one code by
// fifty racing requests.
func TestCodesOfNewcomers(t *testing.T) {
	asks := map[string]func(*house) (path, continuation, code string){
		"sign-up": func(h *house) (string, string, string) {
			a := h.call(signUpAsk, "continuation_token", h.call(signUpStart, "username", eve, "challenge_type", every, "capabilities", everyCapacity, "password", password, "attributes", `{"displayName":"Eve"}`).token(t))
			code, _ := h.mail.last(t)
			return signUpGoOn, a.token(t), code
		},
		"reset": func(h *house) (string, string, string) {
			h.person(t, bob, "", "bob@fabrikam.example")
			a := h.call(resetAsk, "continuation_token", h.call(resetStart, "username", bob, "challenge_type", every).token(t))
			code, _ := h.mail.last(t)
			return resetGoOn, a.token(t), code
		},
		"registration": func(h *house) (string, string, string) {
			h.person(t, bob, "", "")
			a := h.typed(h.begun(t, bob).token(t), password)
			b := h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", "+14255550123")
			code, _ := h.texts.last(t)
			return enrolGoOn, b.token(t), code
		},
	}
	for name, ask := range asks {
		h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
		path, continuation, code := ask(h)
		for i := range 12 {
			h.Advance(time.Second)
			h.call(path, "continuation_token", continuation, "grant_type", "oob", "oob", fmt.Sprintf("%08d", i)).is(t, name, "invalid_grant", "invalid_oob_value")
		}
		h.call(path, "continuation_token", continuation, "grant_type", "oob", "oob", code).is(t, name+", the right one", "invalid_grant", "invalid_oob_value")

		h = build(t, both, func(a *engine.NativeApp) { a.Reset = true })
		path, continuation, code = ask(h)
		var wg sync.WaitGroup
		var on, other atomic.Int32
		for range 50 {
			wg.Go(func() {
				switch a := h.call(path, "continuation_token", continuation, "grant_type", "oob", "oob", code); {
				case a.status == http.StatusOK:
					on.Add(1)
				case a.status != http.StatusBadRequest:
					other.Add(1)
				}
			})
		}
		wg.Wait()
		if on.Load() != 1 || other.Load() != 0 {
			t.Errorf("%s: %d went on, %d other answers", name, on.Load(), other.Load())
		}
	}
}
