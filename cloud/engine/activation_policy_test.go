package engine_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Whoever may have no authenticator activates none: not by a code that was made
// while that was allowed, and no code is made or sent for it.
func TestPolicyForbidsActivation(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	upn := h.read(t, id).UPN
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	h.invite(t, id)
	made := h.opened(t, id)
	h.policy(t, engine.PolicyAuthenticator, engine.MethodPolicy{Enabled: false})
	a := newApp(t)
	_, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{})
	if refusedAs(err) != cloud.NotAllowed {
		t.Errorf("a code of before: %v", err)
	}
	if _, err = h.IssueActivation(t.Context(), operator, id); refusedAs(err) != cloud.NotAllowed {
		t.Errorf("a code of the helpdesk: %v", err)
	}
	_, word := h.pass(t, id, true)
	if _, err = h.ProvePass(t.Context(), upn, word, engine.ForActivation, cloud.Client{Station: "home"}); refusedAs(err) != cloud.NotAllowed {
		t.Errorf("a pass: %v", err)
	}
	signIn := engine.SignIn{Name: upn, Password: secret.FromString("correct horse battery"), Client: cloud.Client{Station: "home"}}
	if _, err = h.SignIn(t.Context(), signIn); refusedAs(err) != cloud.NotAllowed {
		t.Errorf("signing in: %v", err)
	}
	if u := h.read(t, id); len(u.Authenticators) != 1 || u.Authenticators[0].State != "invited" || len(u.OATH) != 1 {
		t.Errorf("the user is %+v", u)
	}
	h.policy(t, engine.PolicyAuthenticator, engine.MethodPolicy{Enabled: true})
	h.set(t, func(s *engine.Settings) { s.Activate = false })
	if _, err = h.SignIn(t.Context(), signIn); refusedAs(err) != cloud.HelpdeskOnly {
		t.Errorf("where only the helpdesk activates: %v", err)
	}
	if _, err = h.IssueActivation(t.Context(), operator, id); err != nil {
		t.Errorf("the helpdesk: %v", err)
	}
}

// A code opens an invitation that is there and not over, and nothing else: no
// authenticator that the user has.
func TestWhatACodeOpens(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "phone")
	opens := func() cloud.Reason {
		t.Helper()
		_, word := h.pass(t, id, true)
		_, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForActivation, cloud.Client{Station: "home"})
		return refusedAs(err)
	}
	if got := opens(); got != cloud.NoInvitation {
		t.Errorf("an authenticator of the user's: %q", got)
	}
	h.invite(t, id)
	h.Advance(15 * 24 * time.Hour)
	if got := opens(); got != cloud.NoInvitation {
		t.Errorf("an invitation that is over: %q", got)
	}
	if c := h.ask(t, id, nil); c.Method != cloud.Push {
		t.Errorf("the authenticator is as it was: %+v", c)
	} else if d, err := h.Press(t.Context(), a.answer(t, c.ID, engine.PushApprove, "", h.Now())); err != nil || d.State != cloud.Approved {
		t.Errorf("approved by it: %+v, %v", d, err)
	}
}

// An authenticator brings no generator where the policy forbids those.
func TestActivationWithoutCodes(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.policy(t, engine.PolicySoftwareOATH, engine.MethodPolicy{Enabled: false})
	got := h.enrolled(t, id, "phone").got
	if u := h.read(t, id); len(u.OATH) != 0 || !got.OATH.Secret.IsZero() || u.Authenticators[0].State != "active" {
		t.Errorf("the user is %+v", u)
	}
}

// A helpdesk makes no code that would let it be an administrator.
func TestHelpdeskActivatesNoAdministrator(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	desk := engine.Actor{Who: "desk", Reason: "a new phone", Desk: true}
	if _, err := h.IssueActivation(t.Context(), desk, id); err != nil {
		t.Errorf("an ordinary user: %v", err)
	}
	h.administrator(t, id)
	_, err := h.IssueActivation(t.Context(), desk, id)
	denied(t, "an administrator", err)
	if _, err := h.IssueActivation(t.Context(), operator, id); err != nil {
		t.Errorf("by another administrator: %v", err)
	}
	if _, err := h.IssueActivation(t.Context(), engine.Actor{}, id); err == nil {
		t.Error("by nobody")
	}
	if _, err := h.IssueActivation(t.Context(), operator, "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("for nobody: %v", err)
	}
}

// The token of an owner lets in whom it was given to, for ten minutes, as long as
// they may sign in at all.
func TestWhomAnOwnersTokenLetsIn(t *testing.T) {
	h := build(t)
	ada, grace := h.user(t, 1), h.user(t, 2)
	given := func(id cloud.UserID) string {
		t.Helper()
		_, word := h.pass(t, id, false)
		made, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForManagement, cloud.Client{Station: "home"})
		if err != nil {
			t.Fatal(err)
		}
		return string(made.Token.Reveal())
	}
	token, other := given(ada), given(grace)
	who := func(token string) cloud.UserID {
		t.Helper()
		user, err := h.AuthenticateOwner(t.Context(), token)
		if err != nil {
			denied(t, "a token", err)
			return ""
		}
		return user
	}
	parts := strings.Split(strings.TrimPrefix(token, engine.OwnerTokenPrefix), ".")
	if len(parts) != 3 || who(token) != ada || who(other) != grace {
		t.Fatalf("a token of %d parts lets in %q, the other %q", len(parts), who(token), who(other))
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	made := func(parts ...string) string { return engine.OwnerTokenPrefix + strings.Join(parts, ".") }
	for name, wrong := range map[string]string{
		"nothing":            "",
		"without its word":   strings.Join(parts, "."),
		"of another user":    made(string(grace), parts[1], parts[2]),
		"for longer":         made(parts[0], strconv.FormatInt(until+600, 10), parts[2]),
		"written otherwise":  made(parts[0], "0"+parts[1], parts[2]),
		"with no end":        made(parts[0], "", parts[2]),
		"without its proof":  made(parts[0], parts[1], ""),
		"with more":          token + ".x",
		"of fewer parts":     made(parts[0], parts[1]),
		"with another proof": made(parts[0], parts[1], strings.Split(other, ".")[3]),
	} {
		if got := who(wrong); got != "" {
			t.Errorf("%s: lets %s in", name, got)
		}
	}
	if err := h.Block(t.Context(), operator, ada, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if who(token) != "" {
		t.Error("lets a blocked user in")
	}
	if err := h.Unblock(t.Context(), operator, ada); err != nil {
		t.Fatal(err)
	}
	if who(token) != ada {
		t.Error("lets nobody in whose block has ended")
	}
	if err := h.disable(t, grace); err != nil {
		t.Fatal(err)
	}
	if who(other) != "" {
		t.Error("lets a disabled user in")
	}
	h.Advance(-2 * time.Minute) // the clock was wrong when it was given
	if who(token) != "" {
		t.Error("lets in for more than ten minutes")
	}
	h.Advance(12 * time.Minute)
	if who(token) != "" {
		t.Error("lets in after its end")
	}
}
