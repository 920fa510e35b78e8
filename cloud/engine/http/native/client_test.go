package native_test

import (
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

var (
	everyType  = []string{"password", "oob"}
	everyThing = []string{"mfa_required", "registration_required"}
)

// The published client, unmodified, in a real browser.
func TestPublishedClient(t *testing.T) {
	h := build(t)
	h.Advance(time.Since(h.Now())) // the client looks at its own clock
	p := browse(t, h)
	shop := h.addApp(t, both, func(a *engine.NativeApp) { a.Name, a.Origins = "Shop", []string{p.origin} })
	h.person(t, bob, "+1 4255550111", "bob@fabrikam.example")
	for name, run := range map[string]func(*testing.T, *house, *page, engine.NativeApp){
		"password then text":        clientPasswordThenText,
		"wrong code then right":     clientWrongCode,
		"resend kills the old code": clientResend,
		"redirect":                  clientRedirect,
		"refresh":                   clientRefresh,
		"password then mail code":   clientPasswordThenMail,
		"mail code first":           clientMailFirst,
		"sign-up":                   clientSignUp,
		"sign-up, preverified":      clientPreverified,
		"password reset":            clientReset,
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			h.Advance(time.Minute)
			run(t, h, p, shop)
		})
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
	words := h.addApp(t, func(a *engine.NativeApp) { a.Name, a.Origins = "Words", []string{p.origin} })
	p.create(words.ID, []string{"oob"}, everyThing)
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
	h.Advance(time.Minute)
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

func clientPasswordThenMail(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	if at := p.begin(bob); len(at.Methods) != 2 {
		t.Errorf("methods: %+v", at.Methods)
	}
	if asked := p.in("MfaVerificationRequiredState", "ask", "email"); asked.Channel != "email" || asked.SentTo != "b***b@f***m.example" {
		t.Errorf("asked: %+v", asked)
	}
	code, to := h.mail.last(t)
	if to != "bob@fabrikam.example" {
		t.Errorf("sent to %s", to)
	}
	p.in("MfaCompletedState", "go", "submitChallenge", code)
	p.signedIn(h, bob, "pwd", "otp", "mfa")
}

func clientMailFirst(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, []string{"oob"}, everyThing)
	p.in("SignInCodeRequiredState", "start", "signIn", map[string]any{"username": bob})
	old, _ := h.mail.last(t)
	p.in("SignInCodeRequiredState", "go", "resendCode")
	code, _ := h.mail.last(t)
	if old != code {
		if d := p.fails("invalid_grant", "invalid_oob_value", "go", "submitCode", old); d.Asks["isInvalidCode"] != true {
			t.Errorf("%+v", d)
		}
	}
	if at := p.in("MfaAwaitingState", "go", "submitCode", code); len(at.Methods) != 1 || at.Methods[0].Channel != "sms" {
		t.Errorf("methods: %+v", at.Methods)
	}
	p.in("MfaVerificationRequiredState", "ask", "sms")
	text, _ := h.texts.last(t)
	p.in("MfaCompletedState", "go", "submitChallenge", text)
	p.signedIn(h, bob, "otp", "sms", "mfa")
}

// newcomer signs up, up to what follows the account.
func (p *page) newcomer(h *house, name string) {
	p.t.Helper()
	p.in("SignUpCodeRequiredState", "start", "signUp", map[string]any{"username": name, "password": password})
	p.fails("invalid_grant", "invalid_oob_value", "go", "submitCode", "00000000")
	code, to := h.mail.last(p.t)
	if to != name {
		p.t.Errorf("sent to %s", to)
	}
	if d := p.in("SignUpAttributesRequiredState", "go", "submitCode", code); len(d.Attributes) != 1 || d.Attributes[0].Name != "displayName" {
		p.t.Errorf("attributes: %+v", d.Attributes)
	}
	p.in("SignUpCompletedState", "go", "submitAttributes", map[string]any{"displayName": "New Comer"})
	if d := p.in("AuthMethodRegistrationRequiredState", "go", "signIn", map[string]any{}); len(d.Methods) != 2 {
		p.t.Errorf("methods: %+v", d.Methods)
	}
}

func clientSignUp(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	p.newcomer(h, "carol@fabrikam.example")
	if d := p.call("enrol", "sms", "+99912345678"); d.Asks["isVerificationContactBlocked"] != true && d.Error != "access_denied" {
		t.Errorf("a closed region: %+v", d)
	}
	p.in("AuthMethodVerificationRequiredState", "enrol", "sms", "+14255550122")
	text, to := h.texts.last(t)
	if to != "+1 4255550122" {
		t.Errorf("sent to %s", to)
	}
	p.in("AuthMethodRegistrationCompletedState", "go", "submitChallenge", text)
	p.signedIn(h, "carol@fabrikam.example", "pwd", "sms", "mfa")
}

func clientPreverified(t *testing.T, h *house, p *page, app engine.NativeApp) {
	p.create(app.ID, everyType, everyThing)
	p.newcomer(h, "dave@fabrikam.example")
	p.in("AuthMethodRegistrationCompletedState", "enrol", "email", "dave@fabrikam.example")
	p.signedIn(h, "dave@fabrikam.example", "pwd", "otp", "mfa")
}

func clientReset(t *testing.T, h *house, p *page, app engine.NativeApp) {
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name, a.Origins, a.Reset = "Reset", []string{p.origin}, true })
	defer func() {
		if err := h.RemoveNativeApp(t.Context(), operator, other.ID); err != nil {
			t.Error(err)
		}
	}()
	p.create(other.ID, everyType, everyThing)
	const word = "Fresh-Heron-99"
	p.in("ResetPasswordCodeRequiredState", "start", "resetPassword", map[string]any{"username": bob})
	p.in("ResetPasswordCodeRequiredState", "go", "resendCode")
	if d := p.fails("invalid_grant", "invalid_oob_value", "go", "submitCode", "00000000"); d.Asks["isInvalidCode"] != true {
		t.Errorf("%+v", d)
	}
	code, _ := h.mail.last(t)
	p.in("ResetPasswordPasswordRequiredState", "go", "submitCode", code)
	if d := p.fails("invalid_grant", "password_too_short", "go", "submitNewPassword", "x"); d.Asks["isInvalidPassword"] != true {
		t.Errorf("%+v", d)
	}
	p.in("ResetPasswordCompletedState", "go", "submitNewPassword", word)
	if d := p.in("MfaAwaitingState", "go", "signIn", map[string]any{}); len(d.Methods) != 1 || d.Methods[0].Channel != "sms" {
		t.Errorf("methods: %+v", d.Methods)
	}
	p.in("MfaVerificationRequiredState", "ask", "sms")
	text, _ := h.texts.last(t)
	p.in("MfaCompletedState", "go", "submitChallenge", text)
	p.signedIn(h, bob, "pwd", "sms", "mfa")
	if err := h.SetPassword(t.Context(), operator, h.id(t, bob), secret.FromString(password)); err != nil {
		t.Fatal(err)
	}
}
