package engine_test

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Whoever knows a password that is changed does not go on with what they began
// with it on a page: neither a sign-in that waits for its code, nor the code to
// activate an authenticator with, nor the token of an owner.
func TestPasswordChangeEndsWhatWasBegunOnPages(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	upn := h.read(t, id).UPN
	words := []string{"correct horse battery", "another horse battery"}
	change := func(to string) {
		t.Helper()
		if err := h.SetPassword(t.Context(), operator, id, secret.FromString(to)); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(word string, purpose engine.Purpose) (c cloud.Challenge, prove func() (engine.Activation, error)) {
		t.Helper()
		h.Advance(time.Minute) // another code of the generator
		c, err := h.SignIn(t.Context(), engine.SignIn{Name: upn, Password: secret.FromString(word), For: purpose, Client: cloud.Client{Station: "home"}})
		if err != nil {
			t.Fatal(err)
		}
		return c, func() (engine.Activation, error) { return h.ProveCode(t.Context(), c.ID, h.shows(1, 0)) }
	}
	h.invite(t, id)
	change(words[0])
	for _, purpose := range []engine.Purpose{engine.ForActivation, engine.ForManagement} {
		_, prove := begin(words[0], purpose)
		change(words[1])
		_, err := prove()
		denied(t, "a sign-in with the password before, for "+string(purpose), err)
		change(words[0])
	}

	_, prove := begin(words[0], engine.ForActivation)
	made, err := prove()
	if err != nil {
		t.Fatal(err)
	}
	change(words[1])
	a := newApp(t)
	_, err = h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{})
	denied(t, "the code of a sign-in with the password before", err)

	_, prove = begin(words[1], engine.ForManagement)
	if made, err = prove(); err != nil {
		t.Fatal(err)
	}
	token := string(made.Token.Reveal())
	if got, err := h.AuthenticateOwner(t.Context(), token); err != nil || got != id {
		t.Fatalf("the owner: %s, %v", got, err)
	}
	change(words[0])
	_, err = h.AuthenticateOwner(t.Context(), token)
	denied(t, "the token of an owner with the password before", err)

	// What the helpdesk has given out is no password's.
	made, err = h.IssueActivation(t.Context(), operator, id)
	if err != nil {
		t.Fatal(err)
	}
	change(words[1])
	if _, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{}); err != nil {
		t.Errorf("the code of a helpdesk: %v", err)
	}
}

// A pass that is revoked takes along what somebody else may have begun with it a
// moment ago, also if it was for one use; what the helpdesk gave out stays.
func TestRevokedPassEndsWhatItOpened(t *testing.T) {
	for _, once := range []bool{true, false} {
		h := build(t)
		id := h.user(t, 1)
		upn := h.read(t, id).UPN
		h.invite(t, id)
		issue := func() (engine.Pass, secret.Bytes) {
			t.Helper()
			p, word, err := h.IssuePass(t.Context(), operator, id, time.Hour, once)
			if err != nil {
				t.Fatal(err)
			}
			return p, word
		}
		use := func(word secret.Bytes, purpose engine.Purpose) engine.Activation {
			t.Helper()
			made, err := h.ProvePass(t.Context(), upn, word, purpose, cloud.Client{Station: "home"})
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
		revoke := func(p engine.Pass) error { return h.RevokePass(t.Context(), operator, id, p.ID) }

		p, word := issue()
		made := use(word, engine.ForActivation)
		h.Advance(9 * time.Minute)
		if err := revoke(p); err != nil {
			t.Fatalf("once=%t: %v", once, err)
		}
		if err := revoke(p); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("once=%t: revoked twice: %v", once, err)
		}
		a := newApp(t)
		_, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{})
		denied(t, "the code of a pass that was revoked", err)

		p, word = issue()
		h.Advance(time.Minute)
		token := string(use(word, engine.ForManagement).Token.Reveal())
		if err := revoke(p); err != nil {
			t.Fatalf("once=%t: %v", once, err)
		}
		_, err = h.AuthenticateOwner(t.Context(), token)
		denied(t, "the token of a pass that was revoked", err)

		p, word = issue()
		use(word, engine.ForActivation)
		if made, err = h.IssueActivation(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
		if err := revoke(p); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{}); err != nil {
			t.Errorf("the code of a helpdesk: %v", err)
		}

		p, word = issue()
		use(word, engine.ForManagement)
		h.Advance(10 * time.Minute)
		if err := revoke(p); once != (cloud.KindOf(err) == cloud.NotFound && err != nil) {
			t.Errorf("once=%t: what is over is revoked: %v", once, err)
		}
	}
}

// Self-activation that is switched off ends it for who is about to give their code.
func TestSelfActivationEndsAtOnce(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.invite(t, id)
	word := secret.FromString("correct horse battery")
	if err := h.SetPassword(t.Context(), operator, id, word); err != nil {
		t.Fatal(err)
	}
	c, err := h.SignIn(t.Context(), engine.SignIn{Name: h.read(t, id).UPN, Password: word, Client: cloud.Client{Station: "home"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Activate = false }); err != nil {
		t.Fatal(err)
	}
	_, err = h.ProveCode(t.Context(), c.ID, h.shows(1, 0))
	denied(t, "where only the helpdesk lets people activate", err)
}
