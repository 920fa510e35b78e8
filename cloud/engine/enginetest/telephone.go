package enginetest

import (
	"slices"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

// Telephone is an authenticator of each user, which speaks to the engine
// itself. It asks for the engine whenever it needs it: a test may open another.
func Telephone(now func() *engine.Engine) *cloudtest.Telephone {
	return &cloudtest.Telephone{
		Activate: func(t *testing.T, user cloud.UserID) {
			t.Helper()
			Activate(t, now(), user)
		},
		Press: func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string) {
			t.Helper()
			r := engine.Response{User: user, Device: device(t, now(), user), Challenge: id, Answer: engine.PushAnswer(answer), Number: number}
			if _, err := now().Respond(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// Activate gives a user an authenticator.
func Activate(t testing.TB, e *engine.Engine, user cloud.UserID) (id string) {
	t.Helper()
	invite := cloud.Change{User: user, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}
	if r := e.Write(t.Context(), []cloud.Change{invite})[0]; r.Outcome != cloud.Done {
		t.Fatal(r.Err)
	}
	users, err := e.Read(t.Context(), []cloud.UserID{user})
	if err != nil {
		t.Fatal(err)
	}
	all := users[0].Authenticators
	id = all[slices.IndexFunc(all, func(a cloud.AuthenticatorEntry) bool { return a.State == "invited" })].ID
	if err := e.Activate(t.Context(), user, id, "Synthetic phone"); err != nil {
		t.Fatal(err)
	}
	return id
}

// device is the one authenticator of a user.
func device(t testing.TB, e *engine.Engine, user cloud.UserID) string {
	t.Helper()
	users, err := e.Read(t.Context(), []cloud.UserID{user})
	if err != nil || len(users[0].Authenticators) != 1 {
		t.Fatalf("authenticators: %+v, %v", users, err)
	}
	return users[0].Authenticators[0].ID
}
