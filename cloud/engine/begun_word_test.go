package engine_test

import (
	"testing"

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
		h.Advance(60e9) // another code of the generator
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
