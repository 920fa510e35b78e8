package native_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

const (
	signUpStart   = "/signup/v1.0/start"
	signUpAsk     = "/signup/v1.0/challenge"
	signUpGoOn    = "/signup/v1.0/continue"
	resetStart    = "/resetpassword/v1.0/start"
	resetAsk      = "/resetpassword/v1.0/challenge"
	resetGoOn     = "/resetpassword/v1.0/continue"
	resetSubmit   = "/resetpassword/v1.0/submit"
	resetPoll     = "/resetpassword/v1.0/poll_completion"
	enrolList     = "/register/v1.0/introspect"
	enrolAsk      = "/register/v1.0/challenge"
	enrolGoOn     = "/register/v1.0/continue"
	eve           = "eve@fabrikam.example"
	every         = "password oob redirect"
	everyCapacity = "mfa_required registration_required"
)

// both takes an application that has everything but reset.
func both(a *engine.NativeApp) {
	a.First, a.SignUp, a.Enrol = []string{engine.FirstPassword, engine.FirstEmail}, true, true
	a.Attributes = []engine.NativeAttribute{{Name: engine.AttributeDisplayName, Required: true}, {Name: "city"}}
}

// signedUp walks a sign-up up to its last continuation token.
func (h *house) signedUp(t testing.TB, name, word string) answer {
	t.Helper()
	form := h.form("username", name, "challenge_type", every, "capabilities", everyCapacity, "attributes", `{"displayName":"Eve","city":"Berlin"}`)
	if word != "" {
		form.Set("password", word)
	}
	a := h.send(signUpStart, form)
	a = h.call(signUpAsk, "continuation_token", a.token(t), "challenge_type", every)
	if a.text("challenge_type") != "oob" || a.text("challenge_channel") != "email" || a.text("challenge_target_label") != "e***e@f***m.example" || a.body["interval"] == nil {
		t.Fatalf("challenge: %s", a.raw)
	}
	code, to := h.mail.last(t)
	if to != name {
		t.Fatalf("sent to %s", to)
	}
	h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", "000").is(t, "a wrong code", "invalid_grant", "invalid_oob_value")
	b := h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
	h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code).is(t, "the same again", "invalid_request", "")
	return b
}

func (h *house) finish(continuation string) answer {
	return h.call(token, "grant_type", "continuation_token", "continuation_token", continuation, "scope", everything, "client_info", "1")
}

// An account of one's own: the address is proven, a second factor registered.
func TestSignUpAndRegister(t *testing.T) {
	h := build(t, both)
	done := h.signedUp(t, eve, password)
	a := h.finish(done.token(t))
	a.is(t, "after sign-up", "invalid_grant", "registration_required")
	h.finish(done.token(t)).is(t, "once more", "invalid_request", "")
	methods := h.call(enrolList, "continuation_token", a.token(t))
	if methodID(t, methods, "sms") != "sms" || methodID(t, methods, "email") != "email" {
		t.Errorf("methods: %s", methods.raw)
	}
	asks := func(target, channel string) answer {
		return h.call(enrolAsk, "continuation_token", methods.token(t), "challenge_type", "oob", "challenge_target", target, "challenge_channel", channel)
	}
	asks("12345", "sms").is(t, "no number", "invalid_request", "")
	asks("+99912345678", "sms").is(t, "a closed region", "access_denied", "provider_blocked_by_admin")
	asks("nobody", "email").is(t, "no address", "invalid_request", "")
	asks("+1 425 555 0177", "fax").is(t, "another channel", "invalid_request", "")
	sent := asks("+1 (425) 555-0177", "sms")
	code, to := h.texts.last(t)
	if to != "+1 4255550177" || sent.text("challenge_target") == "" {
		t.Fatalf("sent to %s: %s", to, sent.raw)
	}
	h.call(enrolGoOn, "continuation_token", sent.token(t), "grant_type", "oob", "oob", "000").is(t, "a wrong code", "invalid_grant", "invalid_oob_value")
	h.call(enrolGoOn, "continuation_token", sent.token(t), "grant_type", "continuation_token").is(t, "not proven", "invalid_request", "")
	enrolled := h.call(enrolGoOn, "continuation_token", sent.token(t), "grant_type", "oob", "oob", code)
	got := h.finish(enrolled.token(t))
	c := h.claimsOf(t, got.text("id_token"), "JWT")
	if c["preferred_username"] != eve || c["name"] != "Eve" || c["acr"] != "urn:mfabridge:acr:multi-factor" {
		t.Errorf("claims %v", c)
	}
	u, err := h.Show(t.Context(), eve)
	if err != nil || u.Mobile != "+1 4255550177" || !u.EmailConfirmed || u.Email != eve || u.Default != cloud.SMS {
		t.Errorf("%+v, %v", u, err)
	}
	if given, err := h.SignUpAttributes(t.Context(), u.ID); err != nil || given["city"] != "Berlin" || len(given) != 1 {
		t.Errorf("attributes %v, %v", given, err)
	}
	h.Advance(time.Hour)
	h.signedIn(t, eve)
	// Who has a second factor is not asked to register another one.
	if a := h.typed(h.begun(t, eve).token(t), password); a.text("suberror") != "mfa_required" {
		t.Errorf("again: %s", a.raw)
	}
}

// The address that was proven just now is registered without another code.
func TestPreverified(t *testing.T) {
	h := build(t, both)
	a := h.finish(h.signedUp(t, eve, password).token(t))
	sent := h.mail.count()
	h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "password", "challenge_target", eve).is(t, "by another challenge", "unsupported_challenge_type", "")
	h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", eve, "challenge_channel", "voice").is(t, "by another channel", "invalid_request", "")
	b := h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", strings.ToUpper(eve), "challenge_channel", "email")
	if b.text("challenge_type") != "preverified" || h.mail.count() != sent {
		t.Fatalf("%s", b.raw)
	}
	h.call(enrolGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", "123456").is(t, "with a code", "invalid_request", "")
	got := h.finish(h.call(enrolGoOn, "continuation_token", b.token(t), "grant_type", "continuation_token").token(t))
	if c := h.claimsOf(t, got.text("id_token"), "JWT"); c["acr"] != "urn:mfabridge:acr:multi-factor" {
		t.Errorf("%v: %s", c, got.raw)
	}
	// At the next sign-in the address is known, and a code goes there.
	h.Advance(time.Hour)
	c := h.sent(t, eve, "email")
	code, to := h.mail.last(t)
	if to != eve {
		t.Fatalf("sent to %s", to)
	}
	if got := h.coded(c.token(t), code); got.status != http.StatusOK {
		t.Errorf("password then mail: %s", got.raw)
	}
}

// An address that is confirmed from earlier is not preverified: whoever knows
// the password has not read mail there.
func TestKnownAddressIsNotPreverified(t *testing.T) {
	h := build(t, both)
	h.person(t, eve, "", eve)
	if err := h.SetPolicy(t.Context(), operator, engine.PolicyEmail, engine.MethodPolicy{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	a := h.typed(h.begun(t, eve).token(t), password)
	a.is(t, "mail is there", "invalid_grant", "mfa_required")
	h.call(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", eve).is(t, "registering instead", "invalid_request", "")
}

// What is missing at a sign-up is asked for, and the flow goes on from there.
func TestSignUpAsksForMore(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.First = []string{engine.FirstPassword} })
	a := h.call(signUpStart, "username", eve, "challenge_type", every)
	a = h.call(signUpAsk, "continuation_token", a.token(t))
	code, _ := h.mail.last(t)
	a = h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
	a.is(t, "without a password", "credential_required", "")
	if !strings.Contains(a.text("error_description"), "55103") {
		t.Errorf("%s", a.raw)
	}
	for word, sub := range map[string]string{"short1!": "password_too_short", strings.Repeat("aB3!", 65): "password_too_long", "alllowercase": "password_too_weak",
		"Password1!": "password_banned", "P4ssw0rd2026": "password_banned", "aaaaAAAA1111": "password_too_weak"} {
		h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "password", "password", word).is(t, word, "invalid_grant", sub)
	}
	b := h.call(signUpGoOn, "continuation_token", a.token(t), "grant_type", "password", "password", password)
	b.is(t, "without a name", "attributes_required", "")
	if required, _ := b.body["required_attributes"].([]any); len(required) != 1 || required[0].(map[string]any)["name"] != "displayName" {
		t.Errorf("%s", b.raw)
	}
	attributes := func(text string) answer {
		return h.call(signUpGoOn, "continuation_token", b.token(t), "grant_type", "attributes", "attributes", text)
	}
	attributes(`{"displayName":"Eve","role":"admin"}`).is(t, "one of nobody", "invalid_grant", "attribute_validation_failed")
	attributes(`{"displayName":""}`).is(t, "empty", "invalid_grant", "attribute_validation_failed")
	attributes(`{"displayName":"a\u0007b"}`).is(t, "a control character", "invalid_grant", "attribute_validation_failed")
	attributes(`{"displayName":"Eve","displayName":"Eva"}`).is(t, "two of a name", "invalid_request", "")
	attributes(`["displayName"]`).is(t, "no object", "invalid_request", "")
	c := attributes(`{"displayName":"Eve"}`)
	if c.status != http.StatusOK {
		t.Fatalf("%d %s", c.status, c.raw)
	}
	attributes(`{"displayName":"Eve"}`).is(t, "once more", "invalid_request", "")
}

// Whose address has an account gets a mail that says so; nobody else learns it.
func TestSignUpOfSomebodyWhoIsThere(t *testing.T) {
	h := build(t, both)
	var seen []answer
	for _, name := range []string{ada, eve} {
		a := h.call(signUpStart, "username", name, "challenge_type", every, "password", password, "attributes", `{"displayName":"X"}`)
		b := h.call(signUpAsk, "continuation_token", a.token(t))
		c := h.call(signUpGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", "123456")
		seen = append(seen, a, b, c)
	}
	for i := range 3 {
		if x, y := seen[i], seen[i+3]; x.status != y.status || len(x.body) != len(y.body) || x.text("suberror") != y.text("suberror") || len(x.token2()) != len(y.token2()) {
			t.Errorf("%s\n%s", x.raw, y.raw)
		}
	}
	if h.mail.code[0] != "" || !strings.Contains(h.mail.text[0], "has one already") || h.mail.code[1] == "" {
		t.Errorf("%q", h.mail.text)
	}
	if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Reveal = true; return nil }); err != nil {
		t.Fatal(err)
	}
	h.call(signUpStart, "username", strings.ToUpper(ada), "challenge_type", every).is(t, "where it is told", "user_already_exists", "")
	h.call(signUpStart, "username", "no address", "challenge_type", every).is(t, "no address", "invalid_request", "")
}

// token2 is the continuation token of an answer up to where lengths differ by
// the length of a name.
func (a answer) token2() string {
	return a.text("continuation_token")[:min(len(a.text("continuation_token")), 300)]
}

// Who forgot the password sets another one by a code to the confirmed address.
func TestPasswordReset(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	id := h.person(t, eve, "+1 4255550133", eve)
	before := h.signedIn(t, eve).text("refresh_token")
	h.Advance(time.Minute)
	a := h.call(resetStart, "username", eve, "challenge_type", "oob redirect", "capabilities", everyCapacity)
	b := h.call(resetAsk, "continuation_token", a.token(t), "challenge_type", "oob redirect")
	code, to := h.mail.last(t)
	if b.text("challenge_channel") != "email" || to != eve {
		t.Fatalf("%s to %s", b.raw, to)
	}
	h.call(resetSubmit, "continuation_token", b.token(t), "new_password", "Other-Heron-77").is(t, "without the code", "invalid_request", "")
	h.call(resetGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", "000").is(t, "a wrong code", "invalid_grant", "invalid_oob_value")
	c := h.call(resetGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", code)
	if c.body["expires_in"] != 600.0 {
		t.Errorf("%s", c.raw)
	}
	h.call(resetSubmit, "continuation_token", c.token(t), "new_password", "short").is(t, "short", "invalid_grant", "password_too_short")
	h.call(resetSubmit, "continuation_token", c.token(t), "new_password", "ÄÖ1!ü").is(t, "five characters", "invalid_grant", "password_too_short")
	h.call(resetSubmit, "continuation_token", c.token(t), "new_password", strings.Repeat("aB1-x", 52)).is(t, "long", "invalid_grant", "password_too_long")
	h.call(resetSubmit, "continuation_token", c.token(t), "new_password", password).is(t, "the old one", "invalid_grant", "password_recently_used")
	d := h.call(resetSubmit, "continuation_token", c.token(t), "new_password", "Other-Heron-77")
	if d.body["poll_interval"] != 1.0 {
		t.Fatalf("%d %s", d.status, d.raw)
	}
	h.call(resetSubmit, "continuation_token", c.token(t), "new_password", "Third-Heron-78").is(t, "once more", "invalid_request", "")
	e := h.call(resetPoll, "continuation_token", d.token(t))
	if e.text("status") != "succeeded" {
		t.Fatalf("%s", e.raw)
	}
	// The mailbox alone is not enough: a second factor is asked for, and it is not the mailbox.
	f := h.finish(e.token(t))
	f.is(t, "after the reset", "invalid_grant", "mfa_required")
	methods := h.call(introspect, "continuation_token", f.token(t))
	if strings.Contains(methods.raw, `"email"`) {
		t.Errorf("methods: %s", methods.raw)
	}
	g := h.call(challenge, "continuation_token", methods.token(t), "id", methodID(t, methods, "sms"))
	text, _ := h.texts.last(t)
	if got := h.coded(g.token(t), text); got.status != http.StatusOK {
		t.Fatalf("%s", got.raw)
	}
	h.refresh(before).is(t, "what was signed in before", "invalid_grant", "")
	h.typed(h.begun(t, eve).token(t), password).is(t, "the old password", "invalid_grant", "")
	if !slices.ContainsFunc(h.texts.text, func(s string) bool { return strings.Contains(s, "password of "+eve+" was changed") }) {
		t.Errorf("the user was not told: %q", h.texts.text)
	}
	// Mail is no second factor to a password where mail can set another one.
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString(password)); err != nil {
		t.Fatal(err)
	}
	if m := h.call(introspect, "continuation_token", h.second(t, eve).token(t)); strings.Contains(m.raw, `"email"`) {
		t.Errorf("methods: %s", m.raw)
	}
}

// Nobody sets a new password who may not, and nobody learns why.
func TestWhoMayNotReset(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.Reset = true })
	h.person(t, eve, "", eve)
	disabled := h.person(t, "disabled@contoso.example", "", "disabled@fabrikam.example")
	if err := h.SetEnabled(t.Context(), operator, disabled, false); err != nil {
		t.Fatal(err)
	}
	var want answer
	for i, name := range []string{eve, ada, "disabled@contoso.example", "nobody@contoso.example"} {
		sent := h.mail.count()
		a := h.call(resetStart, "username", name, "challenge_type", "oob redirect")
		b := h.call(resetAsk, "continuation_token", a.token(t))
		c := h.call(resetGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", "123456")
		c.is(t, name, "invalid_grant", "invalid_oob_value")
		if b.text("challenge_type") != "oob" || b.text("challenge_channel") != "email" {
			t.Errorf("%s: %s", name, b.raw)
		}
		if i == 0 {
			want = b
		}
		if len(want.body) != len(b.body) || (h.mail.count() > sent) != (i == 0) {
			t.Errorf("%s: %s, sent %v", name, b.raw, h.mail.count() > sent)
		}
	}
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name = "Other" })
	h.send(resetStart, url.Values{"client_id": {other.ID}, "username": {eve}, "challenge_type": {"oob redirect"}}).is(t, "another application", "invalid_request", "")
	h.send(signUpStart, url.Values{"client_id": {other.ID}, "username": {eve}, "challenge_type": {every}}).is(t, "sign-up there", "invalid_request", "")
}

// A code by mail first: the second factor is a text and nothing else.
func TestMailFirst(t *testing.T) {
	h := build(t, both)
	h.person(t, eve, "+1 4255550133", eve)
	a := h.call(initiate, "username", eve, "challenge_type", "oob redirect", "capabilities", "mfa_required")
	b := h.call(challenge, "continuation_token", a.token(t), "challenge_type", "oob redirect")
	if b.text("challenge_channel") != "email" || b.text("challenge_target_label") != "e***e@f***m.example" {
		t.Fatalf("%s", b.raw)
	}
	old, _ := h.mail.last(t)
	h.Advance(time.Second)
	b2 := h.call(challenge, "continuation_token", b.token(t))
	code, _ := h.mail.last(t)
	types := func(continuation, code string) answer {
		return h.call(token, "grant_type", "oob", "continuation_token", continuation, "oob", code, "scope", everything, "client_info", "1")
	}
	if old != code {
		types(b2.token(t), old).is(t, "the old code", "invalid_grant", "invalid_oob_value")
	}
	c := types(b2.token(t), code)
	c.is(t, "the code", "invalid_grant", "mfa_required")
	types(b2.token(t), code).is(t, "once more", "invalid_request", "")
	methods := h.call(introspect, "continuation_token", c.token(t))
	if strings.Contains(methods.raw, `"challenge_channel":"email"`) {
		t.Errorf("methods: %s", methods.raw)
	}
	d := h.call(challenge, "continuation_token", methods.token(t), "id", methodID(t, methods, "sms"))
	text, _ := h.texts.last(t)
	got := h.coded(d.token(t), text)
	if cl := h.claimsOf(t, got.text("id_token"), "JWT"); cl["acr"] != "urn:mfabridge:acr:multi-factor" {
		t.Errorf("%v", cl)
	}
	// Of nobody, and of somebody whose address is not confirmed: the same answers, no mail, no code that is right.
	if r := h.Write(t.Context(), []cloud.Change{{User: h.ada, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(ada)}}); r[0].Outcome != cloud.Done {
		t.Fatalf("%+v", r)
	}
	for _, name := range []string{ada, "nobody@fabrikam.example"} {
		sent := h.mail.count()
		x := h.call(challenge, "continuation_token", h.call(initiate, "username", name, "challenge_type", "oob redirect").token(t))
		if x.text("challenge_type") != "oob" || len(x.body) != len(b.body) || h.mail.count() != sent {
			t.Errorf("%s: %s", name, x.raw)
		}
		types(x.token(t), code).is(t, name, "invalid_grant", "invalid_oob_value")
	}
}

// Who has a second factor that this API does not know is not given another one
// for the password.
func TestNoSecondFactorBesideAStrongerOne(t *testing.T) {
	h := build(t, both)
	id := h.person(t, eve, "", "")
	if _, _, err := h.Invite(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	a := h.typed(h.begun(t, eve).token(t), password)
	if a.text("challenge_type") != "redirect" {
		t.Errorf("with an invitation: %d %s", a.status, a.raw)
	}
}

// What a sign-up leaves is in the export of a person, and goes with the person.
func TestPersonIsErased(t *testing.T) {
	h := build(t, both)
	h.only(t)
	got := h.finish(h.signedUp(t, eve, password).token(t))
	if got.text("refresh_token") == "" {
		t.Fatalf("%s", got.raw)
	}
	id := h.id(t, eve)
	var out strings.Builder
	if err := h.ExportPerson(t.Context(), operator, id, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"city":"Berlin"`, `"kind":"grant"`, `"kind":"device"`, "native.signup"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the export has no %s", want)
		}
	}
	if _, err := h.ErasePerson(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if given, err := h.SignUpAttributes(t.Context(), id); err != nil || len(given) > 0 {
		t.Errorf("%v, %v", given, err)
	}
	h.refresh(got.text("refresh_token")).is(t, "after the erasure", "invalid_grant", "")
}

// Another directory proves passwords: then nobody signs up with one, or resets
// one, here.
func TestPasswordsOfAnotherDirectory(t *testing.T) {
	h := build(t, both, func(a *engine.NativeApp) { a.First, a.Reset = []string{engine.FirstPassword}, true })
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": trusting{}}, "corp"); err != nil {
		t.Fatal(err)
	}
	h.typed(h.begun(t, ada).token(t), "whatever it says").is(t, "a password", "invalid_grant", "mfa_required")
	h.typed(h.begun(t, "nobody@contoso.example").token(t), "whatever it says").is(t, "of nobody here", "invalid_grant", "")
	h.call(signUpStart, "username", eve, "challenge_type", every, "password", password).is(t, "sign-up", "invalid_request", "")
	h.call(resetStart, "username", ada, "challenge_type", every).is(t, "reset", "invalid_request", "")
}
