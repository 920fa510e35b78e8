package engine_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

func (h *house) set(t *testing.T, edit func(*engine.Settings)) {
	t.Helper()
	if _, err := h.ChangeSettings(t.Context(), operator, edit); err != nil {
		t.Fatal(err)
	}
}

// with is an approval with a PIN, signed.
func (a *app) with(t *testing.T, c cloud.ChallengeID, pin string, at time.Time) engine.SignedResponse {
	t.Helper()
	r := engine.Response{User: a.got.User, Device: a.got.Device, Challenge: c, Answer: engine.PushApprove, PIN: secret.FromString(pin)}
	return engine.SignedResponse{Response: r, At: at, Signature: a.sign(t, r.Text(at))}
}

func (a *app) setPIN(t *testing.T, h *house, pin, old string) engine.PINState {
	t.Helper()
	n := engine.NewPIN{User: a.got.User, Device: a.got.Device, PIN: secret.FromString(pin), Old: secret.FromString(old), At: h.Now()}
	if old == "" {
		n.Old = secret.Bytes{}
	}
	n.Signature = a.sign(t, signature.PIN(n.User, n.Device, secret.FromString(pin), secret.FromString(old), n.At))
	state, _, err := h.SetPIN(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (h *house) pressed(t *testing.T, s engine.SignedResponse, state cloud.State, pin engine.PINState) engine.Pressed {
	t.Helper()
	p, err := h.Press(t.Context(), s)
	if err != nil || p.State != state || p.PIN != pin {
		t.Fatalf("%+v, %v; want %s and PIN %q", p, err, state, pin)
	}
	return p
}

// Five wrong PINs lock the device, and neither the user nor another device.
func TestWrongPINsLockTheDevice(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN = true })
	id := h.user(t, 1)
	one := h.enrolledWith(t, id, "one", "2739")
	two := h.enrolledWith(t, id, "two", "8624")
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	for left := 4; left > 0; left-- {
		if p := h.pressed(t, one.with(t, c.ID, "0007", h.Now()), cloud.Pending, engine.PINWrong); p.Left != left {
			t.Errorf("%d tries are left, want %d", p.Left, left)
		}
	}
	h.pressed(t, one.with(t, c.ID, "0007", h.Now()), cloud.Pending, engine.PINLocked)
	if last := h.lastEntry(t); last.Action != "device.pin-locked" || last.Subject != string(id) || last.Actor != "device "+one.got.Device {
		t.Errorf("the audit says %+v", last)
	}
	h.pressed(t, one.with(t, c.ID, "2739", h.Now()), cloud.Pending, engine.PINLocked)
	if state := one.setPIN(t, h, "5182", "2739"); state != engine.PINLocked {
		t.Errorf("a locked device sets a PIN: %q", state)
	}
	if d, err := h.Respond(t.Context(), engine.Response{User: id, Device: two.got.Device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Pending {
		t.Errorf("past the PIN: %+v, %v", d, err)
	}
	h.pressed(t, two.with(t, c.ID, "8624", h.Now()), cloud.Approved, "")

	h.Advance(time.Second)
	c = h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, one.answer(t, c.ID, engine.PushDeny, "", h.Now()), cloud.Refused, "") // to deny needs none
	if err := h.UnlockDevice(t.Context(), engine.Owner{User: id, Device: one.got.Device}, one.got.Device); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a device unlocks itself: %v", err)
	}
	if err := h.UnlockDevice(t.Context(), engine.Owner{User: id}, one.got.Device); err != nil {
		t.Fatal(err)
	}
	if state := one.setPIN(t, h, "5182", ""); state != "" {
		t.Errorf("a new PIN: %q", state)
	}
	if last := h.lastEntry(t); last.Action != "device.pin" || last.Actor != "device "+one.got.Device {
		t.Errorf("the audit says %+v", last)
	}
	h.Advance(time.Second)
	c = h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, one.with(t, c.ID, "2739", h.Now()), cloud.Pending, engine.PINWrong)
	h.pressed(t, one.with(t, c.ID, "5182", h.Now()), cloud.Approved, "")
}

// enrolledWith is a new authenticator with a PIN.
func (h *house) enrolledWith(t *testing.T, id cloud.UserID, name, pin string) *app {
	t.Helper()
	made, err := h.IssueActivation(t.Context(), operator, id)
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t)
	n := engine.Enrolment{User: made.User, Code: made.Code, Name: name, Key: a.public, PIN: secret.FromString(pin)}
	n.Signature = a.sign(t, signature.Activation(n.User, n.Code, n.Name, n.Key, secret.FromString(pin)))
	if a.got, err = h.Enrol(t.Context(), n, cloud.Client{}); err != nil || a.got.NeedsPIN {
		t.Fatalf("%+v, %v", a.got, err)
	}
	return a
}

// Where a PIN is needed nobody activates without one, and the code stays good
// until they have one.
func TestActivationAsksForThePIN(t *testing.T) {
	for name, ask := range map[string]func(h *house, id cloud.UserID) error{
		"of everybody": func(h *house, _ cloud.UserID) error {
			h.set(t, func(s *engine.Settings) { s.PIN = true })
			return nil
		},
		"of this user": func(h *house, id cloud.UserID) error { return h.RequirePIN(t.Context(), operator, id, true, false) },
	} {
		h := build(t)
		id := h.user(t, 1)
		if err := ask(h, id); err != nil {
			t.Fatal(err)
		}
		made, err := h.IssueActivation(t.Context(), operator, id)
		if err != nil || !made.PIN || made.PINLength < 4 {
			t.Fatalf("%s: %+v, %v", name, made, err)
		}
		a := newApp(t)
		got, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{})
		if err != nil || !got.NeedsPIN || got.PINLength != made.PINLength || got.Device != "" || !got.OATH.Secret.IsZero() {
			t.Errorf("%s: without a PIN: %+v, %v", name, got, err)
		}
		if u := h.read(t, id); u.Authenticators[0].State != "invited" || len(u.OATH) != 0 {
			t.Errorf("%s: the user is %+v", name, u)
		}
		n := engine.Enrolment{User: made.User, Code: made.Code, Name: "phone", Key: a.public, PIN: secret.FromString("2739")}
		n.Signature = a.sign(t, signature.Activation(n.User, n.Code, n.Name, n.Key, n.PIN))
		if got, err = h.Enrol(t.Context(), n, cloud.Client{}); err != nil || got.NeedsPIN || got.User != id {
			t.Errorf("%s: with one: %+v, %v", name, got, err)
		}
	}
}

// Tries at the same moment are not more than tries one after the other.
func TestPINsAreNotTriedAtOnce(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN = true })
	id := h.user(t, 1)
	a := h.enrolledWith(t, id, "one", "2739")
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	var wrong, locked int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 12 {
		guess := a.with(t, c.ID, "0007", h.Now())
		wg.Go(func() {
			p, err := h.Press(t.Context(), guess)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case p.PIN == engine.PINWrong:
				wrong++
			case p.PIN == engine.PINLocked:
				locked++
			}
		})
	}
	wg.Wait()
	if wrong != 4 || locked != 8 {
		t.Errorf("%d were compared and wrong, %d locked", wrong, locked)
	}
}

// A wrong PIN costs a try where a push of the user waits for it, and nowhere else.
func TestPINsAreTriedForWhatWaits(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN = true })
	id, other := h.coded(t, 1), h.user(t, 2)
	a := h.enrolledWith(t, id, "one", "2739")
	h.enrolledWith(t, other, "two", "8624")
	over := h.ask(t, id, nil)
	h.Advance(3 * time.Minute)
	for name, c := range map[string]cloud.Challenge{
		"none at all":        {ID: "none"},
		"another user's":     h.ask(t, other, nil),
		"by code":            h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.OATHCode }),
		"over":               over,
		"denied, with a PIN": {},
	} {
		s := a.with(t, c.ID, "0007", h.Now())
		if c.ID == "" {
			c = h.ask(t, id, func(r *cloud.Request) { r.Client.Station = "elsewhere" })
			s.Challenge, s.Answer = c.ID, engine.PushDeny
			s.Signature = a.sign(t, s.Text(s.At))
		}
		if p, err := h.Press(t.Context(), s); p.PIN != "" || p.State == cloud.Approved {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	c := h.ask(t, id, nil)
	if p := h.pressed(t, a.with(t, c.ID, "0007", h.Now()), cloud.Pending, engine.PINWrong); p.Left != 4 {
		t.Errorf("%d tries are left", p.Left)
	}
	if _, err := h.Press(t.Context(), a.with(t, c.ID, strings.Repeat("1", 1000), h.Now())); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a PIN without end: %v", err)
	}
}

// Who is turned away since too much is being checked has not tried.
func TestTurnedAwayIsNoTry(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN = true })
	id := h.user(t, 1)
	a := h.enrolledWith(t, id, "one", "2739")
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	leave := h.Crowd()
	for range 6 {
		if _, err := h.Press(t.Context(), a.with(t, c.ID, "2739", h.Now())); cloud.KindOf(err) != cloud.Throttled {
			t.Fatalf("in a crowd: %v", err)
		}
	}
	leave()
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Approved, "")
}

func TestPINsAreChosenWell(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "one")
	set := func(pin string) error {
		n := engine.NewPIN{User: id, Device: a.got.Device, PIN: secret.FromString(pin), At: h.Now()}
		n.Signature = a.sign(t, signature.PIN(id, a.got.Device, secret.FromString(pin), secret.FromString(""), n.At))
		_, _, err := h.SetPIN(t.Context(), n)
		return err
	}
	for _, pin := range []string{"", "123", "1234", "9876", "0000", "111111", "12a4", "12345678901234567", "12 4", "١٢٣٤"} {
		if err := set(pin); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%q: %v", pin, err)
		}
	}
	h.set(t, func(s *engine.Settings) { s.Length, s.WeakPINs = 6, true })
	if err := set("27391"); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a short one: %v", err)
	}
	if err := set("123456"); err != nil {
		t.Errorf("a weak one where they are taken: %v", err)
	}
	// What one device signs is nothing for another.
	other := h.enrolled(t, h.user(t, 2), "other")
	n := engine.NewPIN{User: id, Device: a.got.Device, PIN: secret.FromString("482915"), Old: secret.FromString("123456"), At: h.Now()}
	n.Signature = other.sign(t, signature.PIN(id, a.got.Device, secret.FromString("482915"), secret.FromString("123456"), n.At))
	if _, _, err := h.SetPIN(t.Context(), n); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("signed by another: %v", err)
	}
	n.Signature = a.sign(t, signature.PIN(id, a.got.Device, secret.FromString("482915"), secret.FromString("123456"), n.At))
	h.Advance(3 * time.Minute)
	if _, _, err := h.SetPIN(t.Context(), n); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("signed minutes ago: %v", err)
	}
}

// A PIN that was typed is bound to the answer that it came with.
func TestPINIsSigned(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolledWith(t, id, "one", "2739")
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	s := a.with(t, c.ID, "0007", h.Now())
	s.PIN = secret.FromString("2739")
	_, err := h.Press(t.Context(), s)
	denied(t, "another PIN than was signed", err)
	s = a.with(t, c.ID, "2739", h.Now())
	s.PIN = secret.Bytes{}
	_, err = h.Press(t.Context(), s)
	denied(t, "a PIN left out", err)
	h.pressed(t, a.answer(t, c.ID, engine.PushApprove, "", h.Now()), cloud.Pending, engine.PINNeeded)
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Approved, "")

	// Nothing waits any more: a wrong PIN uses up no try.
	for range 6 {
		h.pressed(t, a.with(t, c.ID, "0007", h.Now()), cloud.Refused, "")
	}
	o, err := h.Owned(t.Context(), id)
	if err != nil || o.Devices[0].Locked || !o.Devices[0].PIN {
		t.Errorf("%+v, %v", o, err)
	}
}

// One user who approves with a PIN, though not all do.
func TestPINOfOneUser(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "one")
	if err := h.RequirePIN(t.Context(), operator, id, true, false); err != nil {
		t.Fatal(err)
	}
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Pending, engine.PINNeeded) // it has none
	if state := a.setPIN(t, h, "2739", ""); state != "" {
		t.Fatal(state)
	}
	if state := a.setPIN(t, h, "5182", ""); state != engine.PINNeeded {
		t.Errorf("another PIN without the old one: %q", state)
	}
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Approved, "")
	if err := h.ResetPINs(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Second)
	c = h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Pending, engine.PINNeeded) // as before, and the old one is gone
	if err := h.ResetPINs(t.Context(), engine.Actor{}, id); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("by nobody: %v", err)
	}
	if err := h.RequirePIN(t.Context(), operator, id, false, true); err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Second)
	c = h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, a.answer(t, c.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
}
