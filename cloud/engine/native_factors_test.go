package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/secret"
)

const blueHeron = "Blue-Heron-42" // synthetic

var can = engine.Offer{Password: true, Code: true, Second: true, Enrol: true}

// shopOf is a shop as an edit leaves it.
func (h *house) shopOf(t *testing.T, edit func(*engine.NativeApp)) engine.NativeApp {
	t.Helper()
	app := h.shop(t)
	h.edited(t, app, edit)
	app, err := h.NativeApp(t.Context(), app.ID)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// twoFactors says whether the rules of access ask for a second factor.
func (h *house) twoFactors(t *testing.T, ask bool) {
	t.Helper()
	state := access.Off
	if ask {
		state = access.On
	}
	if err := h.SetAccessRule(t.Context(), operator, access.Rule{Name: "everybody", State: state, Grant: access.GrantMFA}); err != nil {
		t.Fatal(err)
	}
}

// customer is somebody with a password and a confirmed address.
func (h *house) customer(t *testing.T, app engine.NativeApp, name string) cloud.UserID {
	t.Helper()
	h.Advance(time.Second) // messages lie in the order of their time
	h.twoFactors(t, false)
	id := h.signedUp(t, app, name).User
	h.Advance(time.Second)
	return id
}

// worded is somebody with a password and nothing else.
func (h *house) worded(t *testing.T, n int) cloud.UserID {
	t.Helper()
	id := h.user(t, n)
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString(blueHeron)); err != nil {
		t.Fatal(err)
	}
	return id
}

// asked is a sign-in whose first factor is asked for.
func (h *house) asked(t *testing.T, app engine.NativeApp, name string, offer engine.Offer) engine.Flow {
	t.Helper()
	f, err := h.BeginSignIn(t.Context(), app, name, offer)
	if err == nil {
		f, _, err = h.AskFirst(t.Context(), app, f, somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// byWord is what comes of the right password.
func (h *house) byWord(t *testing.T, app engine.NativeApp, name string, offer engine.Offer) engine.Outcome {
	t.Helper()
	out, err := h.AnswerPassword(t.Context(), app, h.asked(t, app, name, offer), secret.FromString(blueHeron), somewhere, engine.Wish{Scopes: []string{"openid"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// byMail is what comes of the right code by mail.
func (h *house) byMail(t *testing.T, app engine.NativeApp, name string) engine.Outcome {
	t.Helper()
	f := h.asked(t, app, name, engine.Offer{Code: true, Second: true, Enrol: true})
	out, err := h.AnswerCode(t.Context(), app, f, h.lastSent(t), somewhere, engine.Wish{Scopes: []string{"openid"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Second)
	return out
}

func refusedAs(err error) cloud.Reason {
	if e, ok := errors.AsType[*cloud.Error](err); ok {
		return e.Reason
	}
	return ""
}

// What one user proves is nothing for a flow of another, though the flow says
// the one's name or holds the one's challenge.
func TestFactorsOfSomebodyElse(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.First = []string{engine.FirstPassword, engine.FirstEmail} })
	ada, bob := h.customer(t, app, "ada@contoso.example"), h.customer(t, app, "bob@contoso.example")

	f := h.asked(t, app, "bob@contoso.example", can)
	f.User = ada
	if out, err := h.AnswerPassword(t.Context(), app, f, secret.FromString(blueHeron), somewhere, engine.Wish{}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
		t.Errorf("another's password: %+v, %v", out, err)
	}
	f, err := h.BeginSignIn(t.Context(), app, "bob@contoso.example", engine.Offer{Code: true})
	if err != nil || f.User != bob || f.Want != engine.FirstEmail {
		t.Fatalf("%+v, %v", f, err)
	}
	f.User = ada
	if next, _, err := h.AskFirst(t.Context(), app, f, somewhere); err != nil || next.Challenge != "" {
		t.Errorf("a flow holds another's challenge: %+v, %v", next, err)
	}
	h.Advance(time.Second)
	f = h.asked(t, app, "bob@contoso.example", engine.Offer{Code: true})
	f.User = ada
	if out, err := h.AnswerCode(t.Context(), app, f, h.lastSent(t), somewhere, engine.Wish{}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
		t.Errorf("another's code: %+v, %v", out, err)
	}
	f.User, f.Challenge = bob, ""
	if out, err := h.AnswerCode(t.Context(), app, f, h.lastSent(t), somewhere, engine.Wish{}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
		t.Errorf("a code for no challenge: %+v, %v", out, err)
	}
}

// A code of native authentication ends the one before it, and no login that
// something else began.
func TestResendEndsNoOtherLogin(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	ada := h.customer(t, app, "ada@contoso.example")
	h.write(t, cloud.Change{User: ada, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550142")})
	h.twoFactors(t, true)
	vpn := h.ask(t, ada, func(r *cloud.Request) { r.Method = cloud.SMS })
	f := h.byWord(t, app, "ada@contoso.example", can).Flow
	f.Challenge = vpn.ID
	methods, f, err := h.SecondFactors(t.Context(), app, f)
	if err != nil || len(methods) != 2 {
		t.Fatalf("%+v, %v", methods, err)
	}
	if _, asked, err := h.AskSecond(t.Context(), app, f, methods[0].ID, somewhere); err != nil || asked.Redirect != "" {
		t.Fatalf("%+v, %v", asked, err)
	}
	if ds, err := h.Look(t.Context(), []cloud.ChallengeID{vpn.ID}); err != nil || ds[0].State != cloud.Pending {
		t.Errorf("a login elsewhere: %+v, %v", ds, err)
	}
	if _, _, err := h.AskSecond(t.Context(), app, f, "none", somewhere); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a method that is none: %v", err)
	}
	h.block(t)
	sent := len(h.messages(t))
	if got, _, err := h.SecondFactors(t.Context(), app, f); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("second factors of a blocked user: %+v, %v", got, err)
	}
	if _, _, err := h.AskSecond(t.Context(), app, f, methods[0].ID, somewhere); cloud.KindOf(err) != cloud.Denied || len(h.messages(t)) != sent {
		t.Errorf("a code for a blocked user: %v", err)
	}
}

// Who knows the password registers a second factor where there is none of any
// kind, and nobody replaces by it what the user has.
func TestRegistrationIsForWhoHasNothing(t *testing.T) {
	telephone := func(method cloud.Method, number string) func(*testing.T, *house, cloud.UserID) {
		return func(t *testing.T, h *house, id cloud.UserID) {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: method, After: cloud.TextValue(number)})
		}
	}
	for name, has := range map[string]func(*testing.T, *house, cloud.UserID){
		"a generator": func(t *testing.T, h *house, id cloud.UserID) {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
		},
		"an authenticator":            func(t *testing.T, h *house, id cloud.UserID) { h.activate(t, id) },
		"a telephone at work":         telephone(cloud.Office, "+1 4255550142"),
		"a number without texts":      telephone(cloud.Mobile, "+44 2079460142"),
		"nothing, but it is blocked":  func(t *testing.T, h *house, _ cloud.UserID) { h.block(t) },
		"nothing, but no texts may":   func(t *testing.T, h *house, _ cloud.UserID) { h.policy(t, engine.PolicySMS, engine.MethodPolicy{}) },
		"nothing, and it is disabled": func(t *testing.T, h *house, id cloud.UserID) { _ = h.disable(t, id) },
	} {
		h := build(t)
		app := h.shopOf(t, func(a *engine.NativeApp) { a.Enrol, a.Reset, a.Closed = true, true, []string{"+44"} })
		id := h.worded(t, 1)
		h.twoFactors(t, true)
		out := h.byWord(t, app, "user1@contoso.example", can)
		if out.Kind != engine.OutEnrol {
			t.Fatalf("%+v", out)
		}
		begun, _, err := h.AskEnrol(t.Context(), app, out.Flow, "sms", "+1 425 555 0188", somewhere)
		if err != nil {
			t.Fatal(err)
		}
		code := h.lastSent(t)
		h.Advance(time.Second)
		has(t, h, id)
		sent := len(h.messages(t))
		if all, _, err := h.EnrolMethods(t.Context(), app, out.Flow); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: could register %+v, %v", name, all, err)
		}
		if _, _, err := h.AskEnrol(t.Context(), app, out.Flow, "sms", "+1 425 555 0188", somewhere); cloud.KindOf(err) != cloud.Denied || len(h.messages(t)) != sent {
			t.Errorf("%s: a code: %v", name, err)
		}
		if _, err := h.AnswerEnrol(t.Context(), app, begun, code, somewhere); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: a code from before: %v", name, err)
		}
		f := h.asked(t, app, "user1@contoso.example", can)
		if out, err := h.AnswerPassword(t.Context(), app, f, secret.FromString(blueHeron), somewhere, engine.Wish{}); err == nil && out.Kind != engine.OutRedirect {
			t.Errorf("%s: %+v", name, out)
		}
		if u := h.read(t, id); u.Mobile == "+1 4255550188" {
			t.Errorf("%s: %q was registered", name, u.Mobile)
		}
	}
}

// Whoever makes accounts and has numbers registered uses up half of all texts at
// most: those who have a number are texted.
func TestNewcomersLeaveTexts(t *testing.T) {
	h := build(t)
	h.texts = engine.Texts{TenantHour: 20}
	h.Reopen(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.Enrol = true })
	owner := h.texted(t, 900, "+44 2079460900")
	h.twoFactors(t, true)
	sent := 0
	for n := range 14 { // each of them may have one
		id := h.worded(t, n)
		out := h.byWord(t, app, h.read(t, id).UPN, can)
		if _, _, err := h.AskEnrol(t.Context(), app, out.Flow, "sms", fmt.Sprintf("+1 425 555 %04d", 100+n), somewhere); err == nil {
			sent++
		}
	}
	if sent != 10 {
		t.Errorf("newcomers had %d texts of 20", sent)
	}
	if c := h.ask(t, owner, nil); c.State != cloud.Pending || c.Method != cloud.SMS {
		t.Errorf("who has a number: %+v", c)
	}
}

// What is registered is of a channel that counts, and asked of a client that can.
func TestWhatCanBeRegistered(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.Enrol, a.Reset, a.Closed = true, true, []string{"+44"} }) // mail resets passwords: it is no second factor
	id := h.worded(t, 1)
	h.twoFactors(t, true)
	if out := h.byWord(t, app, "user1@contoso.example", engine.Offer{Password: true, Second: true}); out.Kind != engine.OutRedirect {
		t.Errorf("a client that cannot: %+v", out)
	}
	f := h.byWord(t, app, "user1@contoso.example", can).Flow
	all, f, err := h.EnrolMethods(t.Context(), app, f)
	if err != nil || len(all) != 1 || all[0].Channel != "sms" {
		t.Errorf("%+v, %v", all, err)
	}
	for target, want := range map[string]cloud.Reason{"ada@fabrikam.example": engine.RefusedTarget, "+1": engine.RefusedTarget, "+44 20 7946 0142": engine.RefusedRegion} {
		if _, _, err := h.AskEnrol(t.Context(), app, f, "", target, somewhere); refusedAs(err) != want {
			t.Errorf("%s: %v", target, err)
		}
	}
	// An address that is the user's, as somebody else says, was not proven here.
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue("ada@fabrikam.example")})
	if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		target         string
		proven, resets bool
	}{
		"that was not proven":       {"ada@fabrikam.example", false, false},
		"that is another":           {"eve@fabrikam.example", true, false},
		"where mail does not count": {"ada@fabrikam.example", true, true},
	} {
		h.edited(t, app, func(a *engine.NativeApp) { a.Reset = c.resets })
		f.Target, f.Mail = c.target, c.proven
		if _, err := h.EnrolKnown(t.Context(), app, f, somewhere); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("an address %s: %v", name, err)
		}
	}
	if len(h.messages(t)) != 0 {
		t.Errorf("%d messages", len(h.messages(t)))
	}
}

// Whoever knows the password registers what is theirs: not they alone hear of it
// where the user has an address, though nobody has confirmed it.
func TestRegistrationIsToldWhereTheUserWas(t *testing.T) {
	const theirs, eves = "ada@fabrikam.example", "eve@fabrikam.example"
	for name, c := range map[string]struct {
		target    string
		confirmed bool
		want      []string
	}{
		"a number":                      {"+1 425 555 0188", false, []string{"+1 4255550188", theirs}},
		"a number, beside a proven one": {"+1 425 555 0188", true, []string{"+1 4255550188", theirs}},
		"another address":               {eves, false, []string{theirs, eves}},
		"the address":                   {theirs, false, []string{theirs}},
	} {
		h := build(t)
		app := h.shopOf(t, func(a *engine.NativeApp) { a.Enrol = true })
		id := h.worded(t, 1)
		h.twoFactors(t, true)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(theirs)})
		f := h.byWord(t, app, "user1@contoso.example", can).Flow
		f, _, err := h.AskEnrol(t.Context(), app, f, "", c.target, somewhere)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		code := h.lastSent(t)
		if c.confirmed { // meanwhile, by a helpdesk
			if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.AnswerEnrol(t.Context(), app, f, code, somewhere); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var told []string
		for _, m := range h.messages(t) {
			if strings.Contains(m.Text, "was registered") {
				told = append(told, m.To)
			}
		}
		if slices.Sort(told); !slices.Equal(told, c.want) {
			t.Errorf("%s: %q was told, want %q", name, told, c.want)
		}
	}
}

// The address that a sign-up has proven is a second factor once it is registered,
// and no telephone.
func TestProvenAddressIsRegistered(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.Enrol = true })
	f, err := h.BeginSignUp(t.Context(), app, "ada@contoso.example", secret.FromString(blueHeron), nil, can, engine.NativeClient{})
	if err == nil {
		f, _, err = h.AskSignUp(t.Context(), app, f, somewhere)
	}
	if err == nil {
		f, err = h.AnswerSignUp(t.Context(), app, f, h.lastSent(t), somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Finish(t.Context(), app, f, somewhere, engine.Wish{})
	if err != nil || out.Kind != engine.OutEnrol {
		t.Fatalf("%+v, %v", out, err)
	}
	f, asked, err := h.AskEnrol(t.Context(), app, out.Flow, "email", "ADA@contoso.example", somewhere)
	if err != nil || !asked.Known {
		t.Fatalf("%+v, %v", asked, err)
	}
	if f, err = h.EnrolKnown(t.Context(), app, f, somewhere); err != nil {
		t.Fatal(err)
	}
	if last := h.lastEntry(t); last.Action != "native.enrol" || last.Subject != string(f.User) || !strings.Contains(last.Detail, "method=email") {
		t.Errorf("the audit says %+v", last)
	}
	if u := h.read(t, f.User); u.Mobile != "" || u.Email != "ada@contoso.example" || u.Default != "" {
		t.Errorf("%+v", u)
	}
	out, err = h.Finish(t.Context(), app, f, somewhere, engine.Wish{Scopes: []string{"openid"}})
	if err != nil || out.Granted == nil || !out.Granted.Second || !slices.Equal(out.Granted.Ways, []string{engine.WayPassword, engine.WayEmail}) {
		t.Errorf("%+v, %v", out, err)
	}
}

// A sign-in goes on as long as what it was proven with still proves as much.
func TestRefreshLooksAtItsFactors(t *testing.T) {
	const ada = "ada@contoso.example"
	word := func(t *testing.T, h *house, app engine.NativeApp) engine.Outcome { return h.byWord(t, app, ada, can) }
	mail := func(t *testing.T, h *house, app engine.NativeApp) engine.Outcome { return h.byMail(t, app, ada) }
	both := func(t *testing.T, h *house, app engine.NativeApp) engine.Outcome {
		h.twoFactors(t, true)
		f := h.byWord(t, app, ada, can).Flow
		methods, f, err := h.SecondFactors(t.Context(), app, f)
		if err != nil || len(methods) != 1 {
			t.Fatalf("%+v, %v", methods, err)
		}
		if f, _, err = h.AskSecond(t.Context(), app, f, methods[0].ID, somewhere); err != nil {
			t.Fatal(err)
		}
		out, err := h.AnswerCode(t.Context(), app, f, h.lastSent(t), somewhere, engine.Wish{Scopes: []string{"openid"}, Offline: true})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	reset := func(t *testing.T, h *house, app engine.NativeApp) engine.Outcome {
		h.edited(t, app, func(a *engine.NativeApp) { a.Reset = true })
		app.Reset = true
		f := h.newWord(t, app, ada)
		f, err := h.SetWord(t.Context(), app, f, secret.FromString("Grey-Heron-43"), somewhere)
		if err == nil {
			f, err = h.ResetDone(t.Context(), f)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.Finish(t.Context(), app, f, somewhere, engine.Wish{Scopes: []string{"openid"}, Offline: true})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	noMail := func(t *testing.T, h *house, _ engine.NativeApp) {
		h.policy(t, engine.PolicyEmail, engine.MethodPolicy{})
	}
	otherMail := func(t *testing.T, h *house, _ engine.NativeApp) {
		id := h.first(t)
		h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Email, Before: cloud.TextValue(ada), After: cloud.TextValue("ada@fabrikam.example")})
		if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
	}
	ruled := func(t *testing.T, h *house, _ engine.NativeApp) { h.twoFactors(t, true) }
	resets := func(t *testing.T, h *house, _ engine.NativeApp) {
		h.shopOf(t, func(a *engine.NativeApp) { a.Reset = true })
	}
	first := func(ways ...string) func(*testing.T, *house, engine.NativeApp) {
		return func(t *testing.T, h *house, app engine.NativeApp) {
			h.edited(t, app, func(a *engine.NativeApp) { a.First, a.Reset = ways, false })
		}
	}
	type signsIn func(*testing.T, *house, engine.NativeApp) engine.Outcome
	for name, c := range map[string]struct {
		in   signsIn
		then func(*testing.T, *house, engine.NativeApp)
		ok   bool
	}{
		"by password, then two are asked for":    {word, ruled, false},
		"by password, without mail":              {word, noMail, true},
		"by password, with another address":      {word, otherMail, true},
		"by password, then none are taken":       {word, first(engine.FirstEmail), false},
		"by mail, without mail":                  {mail, noMail, false},
		"by mail, with another address":          {mail, otherMail, false},
		"by mail, then it is not taken":          {mail, first(engine.FirstPassword), false},
		"by both, without mail":                  {both, noMail, false},
		"by both, once mail resets":              {both, resets, false},
		"by both, once mail resets, one asked":   {both, func(t *testing.T, h *house, a engine.NativeApp) { resets(t, h, a); h.twoFactors(t, false) }, true},
		"by a new password, without mail":        {reset, noMail, false},
		"by a new password, with another mail":   {reset, otherMail, false},
		"by a new password, no more reset":       {reset, first(engine.FirstPassword), false},
		"by a new password, two are asked for":   {reset, ruled, false},
		"by mail, two are asked for":             {mail, ruled, false},
		"by both, and what is asked for is both": {both, ruled, true},
	} {
		h := build(t)
		app := h.shopOf(t, func(a *engine.NativeApp) { a.First = []string{engine.FirstPassword, engine.FirstEmail} })
		h.customer(t, app, ada)
		out := c.in(t, h, app)
		if out.Granted == nil {
			t.Fatalf("%s: %+v", name, out)
		}
		before, err := h.RefreshGrant(t.Context(), app, out.Granted.Refresh, nil, somewhere)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.then(t, h, app)
		if g, err := h.RefreshGrant(t.Context(), app, before.Refresh, nil, somewhere); (err == nil) != c.ok || err != nil && cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
}

// newWord is a flow that may set a new password.
func (h *house) newWord(t *testing.T, app engine.NativeApp, name string) engine.Flow {
	t.Helper()
	h.Advance(time.Second) // messages lie in the order of their time
	f, err := h.BeginReset(t.Context(), app, name, can)
	if err == nil {
		f, _, err = h.AskReset(t.Context(), app, f, somewhere)
	}
	if err == nil {
		f, err = h.AnswerReset(t.Context(), f, h.lastSent(t), somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A scope is given as long as the application has it: to whoever comes to need
// it, and not to whoever had it.
func TestScopesOfARefresh(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.Scopes = []string{"api://shop/orders", "api://shop/prices"} })
	h.customer(t, app, "ada@contoso.example")
	out, err := h.AnswerPassword(t.Context(), app, h.asked(t, app, "ada@contoso.example", can), secret.FromString(blueHeron), somewhere,
		engine.Wish{Scopes: []string{"openid", "api://shop/orders"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	refresh := out.Granted.Refresh
	gives := func(what string, ask []string, want ...string) {
		t.Helper()
		g, err := h.RefreshGrant(t.Context(), app, refresh, ask, somewhere)
		switch {
		case want == nil && cloud.KindOf(err) != cloud.Invalid:
			t.Errorf("%s: %+v, %v", what, g, err)
		case want != nil && (err != nil || !slices.Equal(g.Scopes, want)):
			t.Errorf("%s: %+v, %v", what, g, err)
		}
		if err == nil {
			refresh = g.Refresh
		}
	}
	gives("what was asked for", nil, "openid", "api://shop/orders")
	gives("another one", []string{"api://shop/prices"}, "api://shop/prices")
	gives("what every application has", []string{"openid", "profile"}, "openid", "profile")
	h.edited(t, app, func(a *engine.NativeApp) { a.Scopes = []string{"api://shop/prices"} })
	gives("what was taken away", []string{"openid", "api://shop/orders"})
	gives("what is left", nil, "openid")
	out, err = h.AnswerPassword(t.Context(), app, h.asked(t, app, "ada@contoso.example", can), secret.FromString(blueHeron), somewhere,
		engine.Wish{Scopes: []string{"api://shop/prices"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	refresh = out.Granted.Refresh
	h.edited(t, app, func(a *engine.NativeApp) { a.Scopes = nil })
	gives("nothing is left", nil)
}

// A helpdesk ends no sign-ins of who administers, and nobody those of nobody.
func TestWhoEndsSignIns(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	id := h.customer(t, app, "ada@contoso.example")
	h.administrator(t, id)
	g := h.byWord(t, app, "ada@contoso.example", can).Granted
	desk := engine.Actor{Who: "desk", Reason: "asked", Desk: true}
	if n, err := h.EndSignIns(t.Context(), desk, id); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a helpdesk: %d, %v", n, err)
	}
	if n, err := h.EndSignIns(t.Context(), engine.Actor{}, id); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("somebody without a name: %d, %v", n, err)
	}
	if n, err := h.EndSignIns(t.Context(), operator, "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %d, %v", n, err)
	}
	g, err := h.RefreshGrant(t.Context(), app, g.Refresh, nil, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	waits := h.asked(t, app, "ada@contoso.example", can)
	isNew := func() bool {
		t.Helper()
		s, _, err := h.TestAccess(t.Context(), id, app.ID, somewhere, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.NewDevice
	}
	if isNew() {
		t.Error("from where the user has signed in nobody came before")
	}
	if n, err := h.EndSignIns(t.Context(), operator, id); err != nil || n != 2 { // of the sign-up, and of the password
		t.Errorf("%d, %v", n, err)
	}
	if _, err := h.RefreshGrant(t.Context(), app, g.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("after its end: %v", err)
	}
	if !isNew() {
		t.Error("a rule for new devices lets in from where somebody else may have been")
	}
	if out, err := h.AnswerPassword(t.Context(), app, waits, secret.FromString(blueHeron), somewhere, engine.Wish{}); err != nil || out.Granted == nil {
		t.Errorf("a sign-in that begins anew: %+v, %v", out, err)
	}
}
