package api_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// because compares a refusal with what a program goes by.
func because(t *testing.T, what string, w *httptest.ResponseRecorder, status int, why cloud.Reason) {
	t.Helper()
	var body wire.Refusal
	if err := wire.Decode(w.Body, &body); err != nil || body.Error == nil {
		t.Fatalf("%s: %d %s, %v", what, w.Code, w.Body, err)
	}
	if w.Code != status || body.Error.Reason != why || body.Error.Message == "" {
		t.Errorf("%s: %d and reason %q (%s), want %d and %q", what, w.Code, body.Error.Reason, body.Error.Message, status, why)
	}
}

// What a device or a person has to tell from other refusals of its kind has a
// word of its own.
func TestRefusalsSayWhy(t *testing.T) {
	h := build(t)
	pass := func(word string) *httptest.ResponseRecorder {
		return h.post(t, "/pass", wire.PassRequest{User: "ada@contoso.example", Pass: word})
	}
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	good := string(word.Reveal())
	because(t, "another pass", pass("aaaaaaaaaaaa"), 403, cloud.WrongCode)
	because(t, "nobody has invited", pass(good), 403, cloud.NoInvitation)
	h.set(t, func(s *engine.Settings) { s.Enrol, s.Devices = true, 1 })
	because(t, "no room", pass(good), 400, cloud.DeviceLimit)
	because(t, "no sign-in", h.post(t, "/sign-in", wire.SignInRequest{User: "ada@contoso.example", Password: "wrong"}), 403, cloud.WrongPassword)
	because(t, "no challenge", h.post(t, "/code", wire.CodeRequest{Challenge: "none", Code: "000000"}), 404, cloud.Ended)

	p, public := newKey(t, h)
	because(t, "another activation code", h.post(t, "/activate", wire.EnrolRequest{User: "ada@contoso.example", Code: "aaaa-aaaa-aaaa", Name: "Phone", Key: public,
		Signature: p.sign(t, "activation 1", "ada@contoso.example", "aaaaaaaaaaaa", "Phone", public)}), 403, cloud.WrongCode)
	because(t, "a PIN that is guessed", h.phone.setPIN(t, "1234", ""), 400, cloud.WeakPIN)
	because(t, "the last device", h.post(t, "/devices/"+h.phone.got.Device+"/remove", wire.RemoveRequest{}, by(h.phone.token(t))...), 409, cloud.LastMethod)
	because(t, "an owner who is none", h.do(serve.Pages, "GET", base+"/me", "", by("mfo1.over")...), 401, cloud.Ended)

	me := func() *httptest.ResponseRecorder {
		return h.do(serve.Pages, "GET", base+"/me", "", by(h.phone.token(t))...)
	}
	early := h.phone.token(t)
	h.Advance(3 * time.Minute)
	because(t, "a clock that is wrong", h.do(serve.Pages, "GET", base+"/me", "", by(early)...), 401, cloud.WrongClock)
	if w := me(); w.Code != 200 {
		t.Errorf("the device: %d %s", w.Code, w.Body)
	}
	if err := h.engine.DismissDevice(t.Context(), engine.Owner{User: h.user}, h.phone.got.Device, true); err != nil {
		t.Fatal(err)
	}
	because(t, "a device that was removed", me(), 401, cloud.NotActive)
	because(t, "the same by a wrong clock", h.do(serve.Pages, "GET", base+"/me", "", by(early)...), 401, cloud.NotActive)
}
