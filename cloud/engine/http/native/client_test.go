package native_test

import (
	"testing"
	"time"

	"mfabridge/cloud/engine"
)

var (
	everyType  = []string{"password", "oob"}
	everyThing = []string{"mfa_required", "registration_required"}
)

// The published client, unmodified, in a real browser.
func TestPublishedClient(t *testing.T) {
	h := build(t)
	h.now = time.Now().UTC() // the client looks at its own clock
	p := browse(t, h)
	shop := h.addApp(t, func(a *engine.NativeApp) { a.Name, a.Origins = "Shop", []string{p.origin} })
	for name, run := range map[string]func(*testing.T, *house, *page, engine.NativeApp){
		"password then text":        clientPasswordThenText,
		"wrong code then right":     clientWrongCode,
		"resend kills the old code": clientResend,
		"redirect":                  clientRedirect,
		"refresh":                   clientRefresh,
	} {
		if !t.Run(name, func(t *testing.T) {
			p.t = t
			h.advance(time.Minute)
			run(t, h, p, shop)
		}) && t.Failed() {
			continue
		}
	}
}

// begin signs in with the password, up to the second factor.
func (p *page) begin(name string) did {
	p.t.Helper()
	p.in("SignInPasswordRequiredState", "start", "signIn", map[string]any{"username": name})
	p.fails("invalid_grant", "", "go", "submitPassword", "not it")
	return p.in("MfaAwaitingState", "go", "submitPassword", password)
}

// signedIn verifies what the client holds after a sign-in.
func (p *page) signedIn(h *house, user string, amr ...any) did {
	p.t.Helper()
	got := p.call("tokens", false, []string{})
	c := h.claimsOf(p.t, got.IDToken, "JWT")
	if got.Username != user || c["preferred_username"] != user || c["iss"] != public+"/native/v2.0" {
		p.t.Errorf("%+v, %v", got, c)
	}
	found, _ := c["amr"].([]any)
	if len(found) != len(amr) {
		p.t.Errorf("amr %v, want %v", found, amr)
	}
	for i := range min(len(found), len(amr)) {
		if found[i] != amr[i] {
			p.t.Errorf("amr %v, want %v", found, amr)
		}
	}
	h.claimsOf(p.t, got.AccessToken, "at+jwt")
	return got
}

func clientPasswordThenText(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	at := p.begin(ada)
	if len(at.Methods) != 1 || at.Methods[0].Channel != "sms" || at.Methods[0].Hint == "" {
		t.Fatalf("methods: %+v", at)
	}
	asked := p.in("MfaVerificationRequiredState", "ask", "sms")
	if asked.Channel != "sms" || asked.SentTo != "+1*********0" || asked.CodeLength != 6 {
		t.Errorf("asked: %+v", asked)
	}
	code, _ := h.texts.last(t)
	p.in("MfaCompletedState", "go", "submitChallenge", code)
	p.signedIn(h, ada, "pwd", "sms", "mfa")
}

func clientWrongCode(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	p.begin(ada)
	p.in("MfaVerificationRequiredState", "ask", "sms")
	code, _ := h.texts.last(t)
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	if d := p.fails("invalid_grant", "invalid_oob_value", "go", "submitChallenge", wrong); d.Asks["isIncorrectChallenge"] != true {
		t.Errorf("the client does not see that the code is wrong: %+v", d)
	}
	p.in("MfaCompletedState", "go", "submitChallenge", code)
}

func clientResend(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	at := p.begin(ada)
	p.in("MfaVerificationRequiredState", "ask", "sms")
	old, _ := h.texts.last(t)
	p.in("MfaVerificationRequiredState", "askAgain", at.Methods[0].ID)
	fresh, _ := h.texts.last(t)
	if old != fresh {
		p.fails("invalid_grant", "invalid_oob_value", "go", "submitChallenge", old)
	}
	p.in("MfaCompletedState", "go", "submitChallenge", fresh)
}

func clientRedirect(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, []string{"oob"}, everyThing)
	if d := p.call("start", "signIn", map[string]any{"username": ada}); d.Asks["isRedirectRequired"] != true {
		t.Errorf("without passwords: %+v", d)
	}
	p.create(app.ID, everyType, nil)
	p.in("SignInPasswordRequiredState", "start", "signIn", map[string]any{"username": ada})
	if d := p.call("go", "submitPassword", password); d.Error != "redirect" {
		t.Errorf("without second factors: %+v", d)
	}
}

func clientRefresh(t *testing.T, h *house, p *page, app engine.NativeApp) {
	clientPasswordThenText(t, h, p, app)
	before := p.call("tokens", false, []string{})
	h.advance(time.Minute)
	after := p.call("tokens", true, []string{"api://shop/orders"})
	if after.AccessToken == "" || after.AccessToken == before.AccessToken || after.Error != "" {
		t.Fatalf("refreshed: %+v", after)
	}
	if c := h.claimsOf(t, after.AccessToken, "at+jwt"); c["scp"] != "api://shop/orders" || c["acr"] != "urn:mfabridge:acr:multi-factor" {
		t.Errorf("%v", c)
	}
	if _, err := h.EndSignIns(t.Context(), operator, h.ada); err != nil {
		t.Fatal(err)
	}
	if d := p.call("tokens", true, []string{}); d.Error == "" {
		t.Errorf("after the sign-in was ended: %+v", d)
	}
}
