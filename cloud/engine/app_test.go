package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// app is an authenticator with a key of its own.
type app struct {
	key    *ecdsa.PrivateKey
	public []byte
	got    engine.Enrolled
}

func newApp(t *testing.T) *app {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &app{key: key, public: public}
}

func (a *app) sign(t *testing.T, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, signature.Size)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b
}

func (a *app) enrolment(t *testing.T, made engine.Activation, name string) engine.Enrolment {
	t.Helper()
	return engine.Enrolment{User: made.User, Code: made.Code, Name: name, Key: a.public,
		Signature: a.sign(t, signature.Activation(made.User, made.Code, name, a.public, secret.Bytes{}))}
}

func (a *app) answer(t *testing.T, c cloud.ChallengeID, word engine.PushAnswer, number string, at time.Time) engine.SignedResponse {
	t.Helper()
	r := engine.Response{User: a.got.User, Device: a.got.Device, Challenge: c, Answer: word, Number: number}
	return engine.SignedResponse{Response: r, At: at, Signature: a.sign(t, r.Text(at))}
}

func (h *house) invite(t *testing.T, id cloud.UserID) string {
	t.Helper()
	device, _, err := h.Invite(t.Context(), operator, id)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// opened is a code for an invited user, by a pass of the helpdesk.
func (h *house) opened(t *testing.T, id cloud.UserID) engine.Activation {
	t.Helper()
	_, word := h.pass(t, id, false)
	made, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForActivation, cloud.Client{Station: "helpdesk"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// enrolled is a user's new authenticator.
func (h *house) enrolled(t *testing.T, id cloud.UserID, name string) *app {
	t.Helper()
	h.invite(t, id)
	a := newApp(t)
	var err error
	if a.got, err = h.Enrol(t.Context(), a.enrolment(t, h.opened(t, id), name), cloud.Client{}); err != nil {
		t.Fatal(err)
	}
	return a
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if cloud.KindOf(err) != cloud.Denied {
		t.Errorf("%s: %v, want it refused", what, err)
	}
}
