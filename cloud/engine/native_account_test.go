package engine_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// Nobody sets a new password by a code who administers, may not sign in, or
// reads no mail at a confirmed address: not at the beginning, and not at the end.
func TestWhoSetsNoNewPassword(t *testing.T) {
	const ada = "ada@contoso.example"
	type stopping = func(*testing.T, *house, engine.NativeApp, cloud.UserID)
	all := map[string]stopping{
		"administers": func(t *testing.T, h *house, _ engine.NativeApp, id cloud.UserID) { h.administrator(t, id) },
		"no longer confirmed": func(t *testing.T, h *house, _ engine.NativeApp, id cloud.UserID) {
			if err := h.UnconfirmEmail(t.Context(), operator, id); err != nil {
				t.Fatal(err)
			}
		},
		"may use no mail": func(t *testing.T, h *house, _ engine.NativeApp, _ cloud.UserID) {
			h.policy(t, engine.PolicyEmail, engine.MethodPolicy{})
		},
		"gone": func(t *testing.T, h *house, _ engine.NativeApp, id cloud.UserID) {
			if _, err := h.ErasePerson(t.Context(), operator, id); err != nil {
				t.Fatal(err)
			}
		},
	}
	maps.Copy(all, stops())
	for name, stop := range all {
		h := build(t)
		app := h.shopOf(t, func(a *engine.NativeApp) { a.Reset = true })
		id := h.customer(t, app, ada)
		if name == "no passwords" { // an application without passwords resets none
			stop = func(t *testing.T, h *house, app engine.NativeApp, _ cloud.UserID) {
				h.edited(t, app, func(a *engine.NativeApp) { a.First, a.Reset = []string{engine.FirstEmail}, false })
			}
		}
		begun, err := h.BeginReset(t.Context(), app, ada, can)
		if err != nil || begun.User != id {
			t.Fatalf("%+v, %v", begun, err)
		}
		coded, _, err := h.AskReset(t.Context(), app, begun, somewhere)
		if err != nil {
			t.Fatal(err)
		}
		code := h.lastSent(t)
		proven := h.newWord(t, app, ada)
		stop(t, h, app, id)
		if _, err := h.SetWord(t.Context(), app, proven, secret.FromString("Grey-Heron-43"), somewhere); err == nil || cloud.KindOf(err) == cloud.Internal {
			t.Errorf("%s: a new password: %v", name, err)
		}
		if strings.Contains(strings.Join(h.actions(t), " "), "native.reset") {
			t.Errorf("%s: the audit tells of a new password", name)
		}
		if f, err := h.AnswerReset(t.Context(), coded, code, somewhere); err == nil {
			if _, err = h.SetWord(t.Context(), app, f, secret.FromString("Grey-Heron-43"), somewhere); err == nil {
				t.Errorf("%s: a new password by a code from before", name)
			}
		}
		if strings.HasPrefix(name, "application") || name == "no passwords" {
			continue // looked at where somebody begins, by whoever reads the application
		}
		sent := len(h.messages(t))
		f, err := h.BeginReset(t.Context(), app, ada, can)
		if err != nil || f.User != "" {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		if _, asked, err := h.AskReset(t.Context(), app, f, somewhere); err != nil || asked.Redirect != "" || len(h.messages(t)) != sent {
			t.Errorf("%s: %+v, %v", name, asked, err)
		}
		if _, _, err := h.AskReset(t.Context(), app, begun, somewhere); err != nil && cloud.KindOf(err) != cloud.Stale {
			t.Errorf("%s: another code: %v", name, err)
		}
	}
}

// A code that was guessed is nothing where there is nobody, or an account
// already.
func TestGuessedCodesOfNobody(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.Reset = true })
	h.customer(t, app, "ada@contoso.example")
	f, err := h.BeginReset(t.Context(), app, "ada@contoso.example", can)
	if err == nil {
		f, _, err = h.AskReset(t.Context(), app, f, somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.User = ""
	if next, err := h.AnswerReset(t.Context(), f, h.lastSent(t), somewhere); cloud.KindOf(err) != cloud.Denied || next.Step == engine.AtNewWord {
		t.Errorf("a reset of nobody: %+v, %v", next, err)
	}
	h.Advance(time.Second)
	f = h.signingUp(t, app, "bob@contoso.example")
	f.Want = "taken"
	if next, err := h.AnswerSignUp(t.Context(), app, f, h.lastSent(t), somewhere); cloud.KindOf(err) != cloud.Denied || next.Step == engine.AtReady {
		t.Errorf("a sign-up of somebody who has an account: %+v, %v", next, err)
	}
	revealing := h.shopOf(t, func(a *engine.NativeApp) { a.Reset, a.Reveal = true, true })
	if f, err := h.BeginReset(t.Context(), revealing, "nobody@contoso.example", can); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("where it is told who there is: %+v, %v", f, err)
	}
	if f, err := h.BeginSignIn(t.Context(), revealing, "nobody@contoso.example", can); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("where it is told who there is: %+v, %v", f, err)
	}
}

// Whoever has guessed too often at codes for one address waits before the next
// one is compared, though another code was sent.
func TestGuessersOfASignUpWait(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	f := h.signingUp(t, app, "ada@contoso.example")
	for range 5 {
		_, err := h.AnswerSignUp(t.Context(), app, f, secret.FromString("x"), somewhere)
		denied(t, "a wrong code", err)
	}
	h.Advance(time.Second) // messages lie in the order of their time
	f = h.signingUp(t, app, "ada@contoso.example")
	code := h.lastSent(t)
	_, err := h.AnswerSignUp(t.Context(), app, f, code, somewhere)
	denied(t, "at once", err)
	h.Advance(5 * time.Second)
	if _, err := h.AnswerSignUp(t.Context(), app, f, code, somewhere); err != nil {
		t.Errorf("after a while: %v", err)
	}
}

// What keeps people from making themselves an account.
func TestSignUpIsRefused(t *testing.T) {
	const eve = "eve@contoso.example"
	both := []string{engine.FirstPassword, engine.FirstEmail}
	for name, c := range map[string]struct {
		edit       func(*engine.NativeApp)
		name, word string
		attributes map[string]string
		offer      engine.Offer
		primary    bool
		kind       cloud.Kind
		as         cloud.Reason
	}{
		"not offered":             {edit: func(a *engine.NativeApp) { a.SignUp = false }, kind: cloud.Unsupported},
		"no address":              {name: "eve", kind: cloud.Invalid},
		"a weak password":         {word: "abcdefgh", kind: cloud.Denied, as: engine.RefusedTooWeak},
		"a password for codes":    {edit: func(a *engine.NativeApp) { a.First = []string{engine.FirstEmail} }, word: blueHeron, kind: cloud.Unsupported},
		"not of this client":      {edit: func(a *engine.NativeApp) { a.First = both }, word: blueHeron, offer: engine.Offer{Code: true}, kind: cloud.Unsupported},
		"kept elsewhere":          {edit: func(a *engine.NativeApp) { a.First = both }, word: blueHeron, primary: true, kind: cloud.Unsupported},
		"all is kept elsewhere":   {primary: true, kind: cloud.Unsupported},
		"an unknown attribute":    {attributes: map[string]string{"role": "x"}, kind: cloud.Denied, as: engine.RefusedAttributes},
		"an empty attribute":      {attributes: map[string]string{"city": ""}, kind: cloud.Denied, as: engine.RefusedAttributes},
		"a long attribute":        {attributes: map[string]string{"city": strings.Repeat("x", 257)}, kind: cloud.Denied, as: engine.RefusedAttributes},
		"an attribute of no text": {attributes: map[string]string{"city": "a\nb"}, kind: cloud.Denied, as: engine.RefusedAttributes},
		"a name that there is":    {edit: func(a *engine.NativeApp) { a.Reveal = true }, name: "user1@contoso.example", kind: cloud.Denied, as: engine.RefusedExists},
	} {
		h := build(t)
		h.user(t, 1)
		app := h.shopOf(t, func(a *engine.NativeApp) {
			if c.edit != nil {
				c.edit(a)
			}
		})
		if c.primary {
			if err := h.SetPrimaries(map[string]engine.Primary{"corp": &elsewhere{}}, "corp"); err != nil {
				t.Fatal(err)
			}
		}
		if c.name == "" {
			c.name = eve
		}
		if c.offer == (engine.Offer{}) {
			c.offer = can
		}
		var word secret.Bytes
		if c.word != "" {
			word = secret.FromString(c.word)
		}
		if f, err := h.BeginSignUp(t.Context(), app, c.name, word, c.attributes, c.offer, engine.NativeClient{}); cloud.KindOf(err) != c.kind || refusedAs(err) != c.as {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// An address is proven, and no account comes of it: what is missing is asked
// for, and what somebody else has meanwhile is not given.
func TestSignUpAfterItsCode(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.First = []string{engine.FirstPassword, engine.FirstEmail} })
	proves := func(name string, offer engine.Offer, meanwhile func()) (engine.Flow, error) {
		t.Helper()
		h.Advance(time.Second)
		f, err := h.BeginSignUp(t.Context(), app, name, secret.Bytes{}, nil, offer, engine.NativeClient{})
		if err == nil {
			f, _, err = h.AskSignUp(t.Context(), app, f, somewhere)
		}
		if err != nil {
			t.Fatal(err)
		}
		if meanwhile != nil {
			meanwhile()
		}
		return h.AnswerSignUp(t.Context(), app, f, h.lastSent(t), somewhere)
	}
	f, err := proves("ada@contoso.example", engine.Offer{Password: true}, nil)
	if refusedAs(err) != engine.RefusedPassword {
		t.Errorf("nothing to sign in with: %v", err)
	}
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": &elsewhere{}}, "corp"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.PasswordForSignUp(t.Context(), app, f, secret.FromString(blueHeron), somewhere); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("a password that is kept elsewhere: %v", err)
	}
	if err := h.SetPrimaries(nil, ""); err != nil {
		t.Fatal(err)
	}
	codes := app
	codes.First = []string{engine.FirstEmail}
	if _, err := h.PasswordForSignUp(t.Context(), codes, f, secret.FromString(blueHeron), somewhere); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("a password for codes: %v", err)
	}
	if _, err := h.AttributesForSignUp(t.Context(), app, f, map[string]string{"role": "x"}, somewhere); refusedAs(err) != engine.RefusedAttributes {
		t.Errorf("an unknown attribute: %v", err)
	}
	if _, err := proves("bob@contoso.example", can, func() {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: "bob@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}); refusedAs(err) != engine.RefusedExists {
		t.Errorf("a name that somebody has meanwhile: %v", err)
	}
	h.edited(t, app, func(a *engine.NativeApp) { a.Attributes[1].Required = true })
	if app, err = h.NativeApp(t.Context(), app.ID); err != nil {
		t.Fatal(err)
	}
	_, err = proves("eve@contoso.example", can, nil)
	if missing, _ := errors.AsType[engine.Attributes](err); refusedAs(err) != engine.RefusedMissing || missing.Error() != "city" {
		t.Errorf("without a city: %v", err)
	}
}

// Where no mail goes out any more nothing hangs on it, whatever began before.
func TestWithoutMail(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) {
		a.First, a.Reset = []string{engine.FirstPassword, engine.FirstEmail}, true
	})
	h.customer(t, app, "ada@contoso.example")
	up, err := h.BeginSignUp(t.Context(), app, "eve@contoso.example", secret.Bytes{}, nil, can, engine.NativeClient{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.BeginReset(t.Context(), app, "ada@contoso.example", can)
	if err != nil {
		t.Fatal(err)
	}
	silent, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now})
	if _, asked, err := silent.AskSignUp(t.Context(), app, up, somewhere); err != nil || asked.Redirect == "" {
		t.Errorf("a sign-up: %+v, %v", asked, err)
	}
	if _, asked, err := silent.AskReset(t.Context(), app, again, somewhere); err != nil || asked.Redirect == "" {
		t.Errorf("a reset: %+v, %v", asked, err)
	}
	if f, err := silent.BeginSignUp(t.Context(), app, "bob@contoso.example", secret.Bytes{}, nil, can, engine.NativeClient{}); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("a sign-up: %+v, %v", f, err)
	}
	if f, err := silent.BeginReset(t.Context(), app, "ada@contoso.example", can); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("a reset: %+v, %v", f, err)
	}
	if f, err := silent.BeginSignIn(t.Context(), app, "ada@contoso.example", engine.Offer{Code: true}); err != nil || f.User != "" {
		t.Errorf("a sign-in by mail: %+v, %v", f, err)
	}
	if f, err := silent.BeginSignIn(t.Context(), app, "ada@contoso.example", can); err != nil || f.Want != engine.FirstPassword {
		t.Errorf("a sign-in: %+v, %v", f, err)
	}
}

// Somebody who is gone, or has no password, is told what everybody is told who
// types a wrong one.
func TestPasswordsOfNobody(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	gone := h.worded(t, 1)
	h.user(t, 2)
	types := func(what, name string, meanwhile func()) {
		t.Helper()
		f := h.asked(t, app, name, can)
		meanwhile()
		if out, err := h.AnswerPassword(t.Context(), app, f, secret.FromString(blueHeron), somewhere, engine.Wish{}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
			t.Errorf("%s: %+v, %v", what, out, err)
		}
	}
	types("without a password", "user2@contoso.example", func() {})
	types("nobody", "nobody@contoso.example", func() {})
	types("gone", "user1@contoso.example", func() {
		if _, err := h.ErasePerson(t.Context(), operator, gone); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPasswordsThatAreTaken(t *testing.T) {
	for word, want := range map[string]cloud.Reason{
		"Ab1!xyz": engine.RefusedTooShort, "Ab1!xyzw": "", "éÀ1xyzw": engine.RefusedTooShort,
		"Ab1!" + strings.Repeat("xyzw", 63): "", "Ab1!" + strings.Repeat("xyzw", 63) + "v": engine.RefusedTooLong,
		"abcdefgh": engine.RefusedTooWeak, "abcdefg1": engine.RefusedTooWeak, "Abcdefg1": "", "ABCDEFG1!": "", "abcdefg12!": "", "Abcdefg!": "",
		"abcdefghjkmnpqr": engine.RefusedTooWeak, "abcdefghjkmnpqrs": "",
		"Aa1Aa1Aa1Aa1Aa1Aa1": engine.RefusedTooWeak, "Aa1!Aa1!Aa1!Aa1!": engine.RefusedTooWeak, "Aa1!bAa1!b": "",
		"Password1!": engine.RefusedBanned, "P4ssw0rd!1": engine.RefusedBanned, "Dragon-Xyz-12": engine.RefusedBanned, "Dragon-Xyz-124": "",
		"Lovelace1!": engine.RefusedBanned, "1!Lovelace-Ada-Byron": "", "Tim1!Blue": "",
	} {
		name := "lovelace@contoso.example"
		if strings.HasPrefix(word, "Tim") {
			name = "tim@contoso.example" // too short a name to be guessed by
		}
		if err := engine.CheckWord(secret.FromString(word), name); refusedAs(err) != want {
			t.Errorf("%q: %v, want %q", word, err, want)
		}
	}
}

// What people are shown of numbers and addresses is theirs, and never more of
// what somebody typed.
func TestMasksForOwners(t *testing.T) {
	for address, want := range map[string]string{
		"ada@contoso.example": "a***a@c***o.example", "ad@co.example": "a**@c**.example", "a@b": "a**@b**.", "ädä@contoso.example": "ä***ä@c***o.example",
		"": "your address", "ada": "your address", "@contoso.example": "your address", "ada@": "your address", "ada@.example": "your address",
	} {
		if got := engine.MaskMail(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
	for number, want := range map[string]string{"+1 4255550100": "+1*********0", "+44 12": "+44*2", "+44 1": "your phone", "4255550100": "your phone", "": "your phone"} {
		if got := engine.MaskDigits(number); got != want {
			t.Errorf("%q: %q, want %q", number, got, want)
		}
	}
}
