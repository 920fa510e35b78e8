package engine_test

import (
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// edited changes an application.
func (h *house) edited(t *testing.T, app engine.NativeApp, edit func(*engine.NativeApp)) {
	t.Helper()
	if err := h.ChangeNativeApp(t.Context(), operator, app.ID, func(a *engine.NativeApp) error { edit(a); return nil }); err != nil {
		t.Fatal(err)
	}
}

// stops are what keeps a user of an application out, by whoever has begun
// before.
func stops() map[string]func(*testing.T, *house, engine.NativeApp, cloud.UserID) {
	return map[string]func(*testing.T, *house, engine.NativeApp, cloud.UserID){
		"blocked": func(t *testing.T, h *house, _ engine.NativeApp, id cloud.UserID) {
			if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		},
		"disabled": func(t *testing.T, h *house, _ engine.NativeApp, id cloud.UserID) { _ = h.disable(t, id) },
		"application off": func(t *testing.T, h *house, app engine.NativeApp, _ cloud.UserID) {
			h.edited(t, app, func(a *engine.NativeApp) { a.Disabled = true })
		},
		"application removed": func(t *testing.T, h *house, app engine.NativeApp, _ cloud.UserID) {
			if err := h.RemoveNativeApp(t.Context(), operator, app.ID); err != nil {
				t.Fatal(err)
			}
		},
		"no passwords": func(t *testing.T, h *house, app engine.NativeApp, _ cloud.UserID) {
			h.edited(t, app, func(a *engine.NativeApp) { a.First = []string{engine.FirstEmail} })
		},
	}
}

// Whoever has proven who they are gets no tokens, and none in exchange, once the
// user or the application may not sign in any more.
func TestTokensStopWithTheirUserAndApplication(t *testing.T) {
	for name, stop := range stops() {
		h := build(t)
		if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
			t.Fatal(err)
		}
		app := h.shop(t)
		g := h.signedUp(t, app, "ada@contoso.example")
		h.Advance(time.Second) // messages lie in the order of their time
		f := h.signingUp(t, app, "bob@contoso.example")
		f, err := h.AnswerSignUp(t.Context(), app, f, h.lastSent(t), somewhere)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []cloud.UserID{g.User, f.User} {
			if stop(t, h, app, id); name != "blocked" && name != "disabled" {
				break
			}
		}
		if out, err := h.Finish(t.Context(), app, f, somewhere, engine.Wish{Offline: true}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
			t.Errorf("%s: tokens: %+v, %v", name, out, err)
		}
		if last := h.lastEntry(t); last.Action != "native.refused" || last.Subject != string(f.User) {
			t.Errorf("%s: the audit says %+v", name, last)
		}
		if got, err := h.RefreshGrant(t.Context(), app, g.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied || got != nil {
			t.Errorf("%s: an exchange: %+v, %v", name, got, err)
		}
		if last := h.lastEntry(t); name != "application removed" && (last.Action != "native.refused" || last.Subject != string(g.User)) {
			t.Errorf("%s: the audit says %+v", name, last) // a removed one takes its sign-ins along
		}
	}
}

// signingUp is somebody to whose address a code was sent.
func (h *house) signingUp(t *testing.T, app engine.NativeApp, name string) engine.Flow {
	t.Helper()
	f, err := h.BeginSignUp(t.Context(), app, name, secret.FromString("Blue-Heron-42"), nil, engine.Offer{Password: true, Code: true}, engine.NativeClient{})
	if err == nil {
		f, _, err = h.AskSignUp(t.Context(), app, f, somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Nobody makes an account by a code that was sent before the application stopped
// to let people do that.
func TestSignUpStopsWithItsApplication(t *testing.T) {
	all := stops()
	all["no sign-up"] = func(t *testing.T, h *house, app engine.NativeApp, _ cloud.UserID) {
		h.edited(t, app, func(a *engine.NativeApp) { a.SignUp = false })
	}
	for _, name := range []string{"application off", "application removed", "no sign-up"} {
		h := build(t)
		app := h.shop(t)
		f := h.signingUp(t, app, "ada@contoso.example")
		all[name](t, h, app, "")
		if _, err := h.AnswerSignUp(t.Context(), app, f, h.lastSent(t), somewhere); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %v", name, err)
		}
		if found, err := h.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: "ada@contoso.example"}}); err != nil || len(found[0]) != 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

// A code that proves an address is good for a while, a few tries and one use.
func TestCodeOfASignUp(t *testing.T) {
	for name, c := range map[string]struct {
		wait  time.Duration
		wrong int
		right bool
	}{
		"in time":      {5*time.Minute - 1, 0, true},
		"too late":     {5 * time.Minute, 0, false},
		"the last try": {0, 4, true},
		"one too many": {0, 5, false},
		"much later":   {time.Minute, 5, false}, // the limit on failures has nothing to say by then
	} {
		h := build(t)
		app := h.shop(t)
		f := h.signingUp(t, app, "ada@contoso.example")
		code := h.lastSent(t)
		for range c.wrong {
			if _, err := h.AnswerSignUp(t.Context(), app, f, secret.FromString("x"), somewhere); cloud.KindOf(err) != cloud.Denied {
				t.Errorf("%s: a wrong code: %v", name, err)
			}
		}
		h.Advance(c.wait)
		if _, err := h.AnswerSignUp(t.Context(), app, f, code, somewhere); (err == nil) != c.right || err != nil && cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A new password is not set, and signs nobody in, once the application stopped
// to let people set one.
func TestResetStopsWithItsApplication(t *testing.T) {
	for name, late := range map[string]bool{"before it is set": false, "before tokens": true} {
		h := build(t)
		if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
			t.Fatal(err)
		}
		app := h.shop(t)
		h.edited(t, app, func(a *engine.NativeApp) { a.Reset = true })
		app.Reset = true
		h.signedUp(t, app, "ada@contoso.example")
		h.Advance(time.Second) // messages lie in the order of their time
		f, err := h.BeginReset(t.Context(), app, "ada@contoso.example", engine.Offer{Password: true, Code: true})
		if err == nil {
			f, _, err = h.AskReset(t.Context(), app, f, somewhere)
		}
		if err == nil {
			f, err = h.AnswerReset(t.Context(), f, h.lastSent(t), somewhere)
		}
		if err != nil {
			t.Fatal(err)
		}
		stop := func() { h.edited(t, app, func(a *engine.NativeApp) { a.Reset = false }) }
		if !late {
			stop()
		}
		f, err = h.SetWord(t.Context(), app, f, secret.FromString("Grey-Heron-43"), somewhere)
		if !late {
			if cloud.KindOf(err) != cloud.Denied {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			f, err = h.ResetDone(t.Context(), f)
		}
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if out, err := h.Finish(t.Context(), app, f, somewhere, engine.Wish{}); cloud.KindOf(err) != cloud.Denied || out.Granted != nil {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

// A refresh token is good for its life, its application and the scopes of both.
func TestRefreshIsRefused(t *testing.T) {
	h := build(t)
	if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
		t.Fatal(err)
	}
	app, other := h.shop(t), h.shop(t)
	g := h.signedUp(t, app, "ada@contoso.example")
	if last := h.lastEntry(t); last.Action != "native.signin" || last.Subject != string(g.User) {
		t.Errorf("the audit says %+v", last)
	}
	if got, err := h.RefreshGrant(t.Context(), other, g.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("at another application: %+v, %v", got, err)
	}
	if got, err := h.RefreshGrant(t.Context(), app, g.Refresh, []string{"openid", "everything"}, somewhere); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("for a scope of nobody: %+v, %v", got, err)
	}
	h.Advance(app.RefreshLife() - 1)
	next, err := h.RefreshGrant(t.Context(), app, g.Refresh, nil, somewhere)
	if err != nil || !slices.Equal(next.Scopes, []string{"openid"}) {
		t.Fatalf("%+v, %v", next, err)
	}
	if last := h.lastEntry(t); last.Action != "native.refreshed" || last.Subject != string(g.User) {
		t.Errorf("the audit says %+v", last)
	}
	h.Advance(1)
	if got, err := h.RefreshGrant(t.Context(), app, next.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("too late: %+v, %v", got, err)
	}
}
