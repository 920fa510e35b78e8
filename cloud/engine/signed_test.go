package engine_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/signature"
)

func TestSignedAnswers(t *testing.T) {
	h := build(t)
	id, other := h.user(t, 1), h.user(t, 2)
	a, foreign := h.enrolled(t, id, "phone"), h.enrolled(t, other, "phone")
	c := h.ask(t, id, nil)
	now := h.Now()
	tampered := func(edit func(*engine.SignedResponse)) engine.SignedResponse {
		s := a.answer(t, c.ID, engine.PushApprove, "", now)
		edit(&s)
		return s
	}
	for name, bad := range map[string]engine.SignedResponse{
		"another decision":    tampered(func(s *engine.SignedResponse) { s.Answer = engine.PushDeny }),
		"another number":      tampered(func(s *engine.SignedResponse) { s.Number = "12" }),
		"another time":        tampered(func(s *engine.SignedResponse) { s.At = now.Add(time.Second) }),
		"another challenge":   tampered(func(s *engine.SignedResponse) { s.Challenge = "none" }),
		"another device":      tampered(func(s *engine.SignedResponse) { s.Device = foreign.got.Device }),
		"another user":        tampered(func(s *engine.SignedResponse) { s.User = other }),
		"no signature":        tampered(func(s *engine.SignedResponse) { s.Signature = nil }),
		"a signature of zero": tampered(func(s *engine.SignedResponse) { s.Signature = make([]byte, signature.Size) }),
		"too late":            a.answer(t, c.ID, engine.PushApprove, "", now.Add(-3*time.Minute)),
		"too early":           a.answer(t, c.ID, engine.PushApprove, "", now.Add(3*time.Minute)),
	} {
		_, err := h.Press(t.Context(), bad)
		denied(t, name, err)
	}
	if _, err := h.Press(t.Context(), foreign.answer(t, c.ID, engine.PushApprove, "", now)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a foreign device: %v", err)
	}
	good := a.answer(t, c.ID, engine.PushApprove, "", now)
	if d, err := h.Press(t.Context(), good); err != nil || d.State != cloud.Approved {
		t.Fatalf("the answer: %+v, %v", d, err)
	}
	if d, err := h.Press(t.Context(), good); err != nil || d.State != cloud.Refused || d.Reason != cloud.RepeatRefused {
		t.Errorf("the answer again: %+v, %v", d, err)
	}
}

// A bearer token of a device is four parts behind a prefix, signed a moment ago.
func TestTokensOfDevices(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "phone")
	device := a.got.Device
	token := func(at time.Time) string {
		signed := a.sign(t, signature.Request(id, device, at))
		return fmt.Sprintf("mfd1.%s.%s.%d.%s", id, device, at.Unix(), base64.RawURLEncoding.EncodeToString(signed))
	}
	now := h.Now()
	for _, at := range []time.Time{now, now.Add(2 * time.Minute), now.Add(-2 * time.Minute).Truncate(time.Second).Add(time.Second)} {
		if user, got, err := h.AuthenticateDevice(t.Context(), token(at)); err != nil || user != id || got != device {
			t.Errorf("at %v: %s %s, %v", at, user, got, err)
		}
	}
	good := token(now)
	parts := strings.Split(good, ".")
	for name, bad := range map[string]string{
		"nothing":            "",
		"no prefix":          strings.TrimPrefix(good, "mfd1."),
		"another prefix":     "mfd2" + strings.TrimPrefix(good, "mfd1"),
		"a part less":        strings.Join(parts[:4], "."),
		"a part more":        good + ".x",
		"no time":            strings.Join([]string{parts[0], parts[1], parts[2], "now", parts[4]}, "."),
		"another time":       strings.Join([]string{parts[0], parts[1], parts[2], fmt.Sprint(now.Unix() + 1), parts[4]}, "."),
		"no signature":       strings.Join([]string{parts[0], parts[1], parts[2], parts[3], ""}, "."),
		"what is no base64":  good + "!",
		"too long ago":       token(now.Add(-2*time.Minute - time.Second)),
		"too far ahead":      token(now.Add(2*time.Minute + 2*time.Second)),
		"of no such device":  strings.Replace(good, device, "none", 1),
		"of another account": strings.Replace(good, string(id), string(h.user(t, 2)), 1),
	} {
		_, _, err := h.AuthenticateDevice(t.Context(), bad)
		denied(t, name, err)
	}
}

// A device that was activated without a key signs nothing, and one that was
// removed neither; its codes go with it.
func TestOnlyActiveDevicesSign(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	keyless := h.activate(t, id)
	c := h.ask(t, id, nil)
	forged := newApp(t)
	forged.got = engine.Enrolled{User: id, Device: keyless}
	_, err := h.Press(t.Context(), forged.answer(t, c.ID, engine.PushApprove, "", h.Now()))
	denied(t, "a device without a key", err)
	a := h.enrolled(t, id, "lost")
	token := signature.Token{User: id, Device: a.got.Device, At: h.Now(), Signature: a.sign(t, signature.Request(id, a.got.Device, h.Now()))}.String()
	if user, device, err := h.AuthenticateDevice(t.Context(), token); err != nil || user != id || device != a.got.Device {
		t.Fatalf("the token: %s %s %v", user, device, err)
	}
	for name, bad := range map[string]string{
		"another device": strings.Replace(token, a.got.Device, keyless, 1),
		"half of it":     token[:len(token)/2],
		"no signature":   token[:strings.LastIndex(token, ".")+1],
		"one more part":  token + ".x",
		"another prefix": "mfd2." + strings.TrimPrefix(token, signature.TokenPrefix),
	} {
		_, _, err := h.AuthenticateDevice(t.Context(), bad)
		denied(t, name, err)
	}
	h.Advance(3 * time.Minute)
	_, _, err = h.AuthenticateDevice(t.Context(), token)
	denied(t, "an old token", err)
	h.write(t, cloud.Change{User: id, Op: cloud.Remove, Method: cloud.Authenticator, ID: a.got.Device, Before: cloud.Value{State: "active"}})
	at := h.Now()
	_, _, err = h.AuthenticateDevice(t.Context(), signature.Token{User: id, Device: a.got.Device, At: at, Signature: a.sign(t, signature.Request(id, a.got.Device, at))}.String())
	denied(t, "a removed device", err)
	if u := h.read(t, id); len(u.OATH) != 1 || u.OATH[0].Fingerprint == a.got.OATH.Fingerprint {
		t.Errorf("its generator stays: %+v", u.OATH)
	}
}

func TestFirstAnswerOfSeveralDevicesCounts(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	one, two := h.enrolled(t, id, "one"), h.enrolled(t, id, "two")
	c := h.ask(t, id, func(r *cloud.Request) { r.ShowsNumber = true })
	if c.Number == "" {
		t.Fatalf("no number: %+v", c)
	}
	if d, err := h.Press(t.Context(), two.answer(t, c.ID, engine.PushDeny, "", h.Now())); err != nil || d.State != cloud.Refused {
		t.Fatalf("the first: %+v, %v", d, err)
	}
	if d, err := h.Press(t.Context(), one.answer(t, c.ID, engine.PushApprove, c.Number, h.Now())); err != nil || d.Reason != cloud.RepeatRefused {
		t.Errorf("the second: %+v, %v", d, err)
	}
	c = h.ask(t, id, func(r *cloud.Request) { r.ShowsNumber = true })
	if d, err := h.Press(t.Context(), one.answer(t, c.ID, engine.PushApprove, c.Number, h.Now())); err != nil || d.State != cloud.Approved {
		t.Errorf("the number: %+v, %v", d, err)
	}
}
