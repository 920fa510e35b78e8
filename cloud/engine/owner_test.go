package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Who proves who they are needs no invitation where the settings say so, and
// only there.
func TestSelfEnrolment(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	upn := h.read(t, id).UPN
	signIn := func() (cloud.Challenge, error) {
		return h.SignIn(t.Context(), engine.SignIn{Name: upn, Password: secret.FromString("correct horse battery"), Client: cloud.Client{Station: "home"}})
	}
	_, err := signIn()
	denied(t, "without an invitation", err)
	h.set(t, func(s *engine.Settings) { s.Enrol, s.Devices = true, 1 })
	c, err := signIn()
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.ProveCode(t.Context(), c.ID, h.shows(1, 0))
	if err != nil || made.Code.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	a := newApp(t)
	if a.got, err = h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{}); err != nil || a.got.Account != "mfabridge" {
		t.Fatalf("%+v, %v", a.got, err)
	}
	// One is all that the settings allow: that is told before anything is used up,
	// and also where it has become so since.
	h.Advance(30 * time.Second)
	if _, err = signIn(); cloud.KindOf(err) != cloud.Invalid || cloud.ReasonOf(err) != cloud.DeviceLimit {
		t.Errorf("a second one: %v", err)
	}
	h.set(t, func(s *engine.Settings) { s.Devices = 2 })
	if c, err = signIn(); err != nil {
		t.Fatal(err)
	}
	h.set(t, func(s *engine.Settings) { s.Devices = 1 })
	if _, err = h.ProveCode(t.Context(), c.ID, h.shows(1, 1)); cloud.ReasonOf(err) != cloud.DeviceLimit {
		t.Errorf("a second one after all: %v", err)
	}
}

// A challenge of a sign-in to manage gives no activation code, and no other
// challenge gives anything.
func TestSignInIsForOneThing(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.invite(t, id)
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	c, err := h.SignIn(t.Context(), engine.SignIn{Name: h.read(t, id).UPN, Password: secret.FromString("correct horse battery"), For: engine.ForManagement})
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.ProveCode(t.Context(), c.ID, h.shows(1, 0))
	if err != nil || !made.Code.IsZero() || made.Token.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	if user, err := h.AuthenticateOwner(t.Context(), string(made.Token.Reveal())); err != nil || user != id {
		t.Errorf("%s, %v", user, err)
	}
	h.Advance(30 * time.Second)
	vpn := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	if _, err := h.ProveCode(t.Context(), vpn.ID, h.shows(1, 1)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a challenge of a login: %v", err)
	}
}

// A restore makes void what was given out before it: also the token of an owner,
// which no row of the store remembers.
func TestRestoreEndsSignInsOfOwners(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	_, word := h.pass(t, id, false)
	signIn := func() string {
		t.Helper()
		made, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForManagement, cloud.Client{Station: "home"})
		if err != nil {
			t.Fatal(err)
		}
		return string(made.Token.Reveal())
	}
	before := signIn()
	if user, err := h.AuthenticateOwner(t.Context(), before); err != nil || user != id {
		t.Fatalf("%s, %v", user, err)
	}
	conf, s := onStore(t, h, backedUp(t, h))
	h.Advance(time.Minute)
	goOnRestored(t, h, conf, s)
	if user, err := h.AuthenticateOwner(t.Context(), before); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a token of before the restore: %s, %v", user, err)
	}
	h.Advance(time.Second)
	_, word = h.pass(t, id, false)
	if user, err := h.AuthenticateOwner(t.Context(), signIn()); err != nil || user != id {
		t.Errorf("a token of after it: %s, %v", user, err)
	}
}

// Whoever has one device of a user has nothing of another user's.
func TestOwnerIsNobodyElse(t *testing.T) {
	h := build(t)
	ada, grace := h.user(t, 1), h.user(t, 2)
	mine, theirs := h.enrolled(t, ada, "mine"), h.enrolled(t, grace, "theirs")
	as := engine.Owner{User: ada, Device: mine.got.Device}
	for name, err := range map[string]error{
		"rename": h.RenameDevice(t.Context(), as, theirs.got.Device, "x"),
		"remove": h.DismissDevice(t.Context(), as, theirs.got.Device, true),
		"unlock": h.UnlockDevice(t.Context(), engine.Owner{User: ada}, theirs.got.Device),
	} {
		if cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := h.ask(t, grace, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	if _, err := h.Press(t.Context(), theirs.answer(t, c.ID, engine.PushApprove, "", h.Now())); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReportApproval(t.Context(), as, c.ID); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("report: %v", err)
	}
	if state, _, err := h.Fate(t.Context(), ada, c.ID); err != nil || state != cloud.Expired {
		t.Errorf("what became of another's push: %s, %v", state, err)
	}
	if err := h.DismissDevice(t.Context(), engine.Owner{User: grace}, theirs.got.Device, true); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a removed device renames":    h.RenameDevice(t.Context(), engine.Owner{User: grace, Device: theirs.got.Device}, theirs.got.Device, "x"),
		"a removed device subscribes": h.Subscribe(t.Context(), grace, theirs.got.Device, nil),
	} {
		denied(t, name, err)
	}
}

// A report is made once, and again changes nothing.
func TestReportIsMadeOnce(t *testing.T) {
	h := build(t)
	told := 0
	h.SetFraud(engine.Fraud{Block: time.Hour, Notify: func(context.Context, engine.FraudReport) { told++ }})
	id := h.texted(t, 1, "+1 4255550142")
	a := h.enrolled(t, id, "one")
	c := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.Push })
	if _, err := h.Press(t.Context(), a.answer(t, c.ID, engine.PushApprove, "", h.Now())); err != nil {
		t.Fatal(err)
	}
	h.AwaitSent()
	before := len(h.messages(t)) // of the activation
	h.Advance(time.Second)       // messages lie in the order of their time
	as := engine.Owner{User: id}
	until, err := h.ReportApproval(t.Context(), as, c.ID)
	if err != nil || until.IsZero() {
		t.Fatalf("%v, %v", until, err)
	}
	_, err = h.ReportApproval(t.Context(), as, c.ID)
	denied(t, "of a blocked user", err)
	if err := h.Unblock(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if until, err := h.ReportApproval(t.Context(), as, c.ID); err != nil || !until.IsZero() {
		t.Errorf("again: %v, %v", until, err)
	}
	if n := strings.Count(strings.Join(h.actions(t), " "), "user.fraud"); n != 1 || told != 1 {
		t.Errorf("%d reports, %d told", n, told)
	}
	h.AwaitSent()
	sent := h.messages(t)
	if last := sent[len(sent)-1].Text; len(sent) != before+1 || !strings.Contains(last, "was reported as somebody else's") {
		t.Errorf("%d messages, the last %q", len(sent)-before, last)
	}
}

// A pushed login that waits when the engine stops waits when it is back.
func TestPushesOutliveTheEngine(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "one")
	c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.Reopen(t)
	waiting, _, err := h.Pushes(t.Context(), id, a.got.Device)
	if err != nil || len(waiting) != 1 || waiting[0].Challenge != c.ID {
		t.Fatalf("%+v, %v", waiting, err)
	}
	h.pressed(t, a.answer(t, c.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
}

func TestPushKeyIsTheStores(t *testing.T) {
	h := build(t)
	public, private, err := h.PushKey()
	if err != nil || len(public) != 65 || private.Len() != 32 {
		t.Fatalf("%d bytes, %v", len(public), err)
	}
	h.Reopen(t)
	again, _, err := h.PushKey()
	if err != nil || string(again) != string(public) {
		t.Errorf("another one after a restart, %v", err)
	}
	if other, _, _ := build(t).PushKey(); string(other) == string(public) {
		t.Error("another store has the same one")
	}
}
