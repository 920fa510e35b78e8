package engine_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// desk is a person at a helpdesk.
var desk = engine.Actor{Who: "grace via desk", Reason: "ticket 4711", Desk: true}

// mobile is a user whose authenticator is their default, with a mobile besides.
func (h *house) mobile(t *testing.T, n int) (cloud.UserID, *app) {
	t.Helper()
	id := h.user(t, n)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550142")})
	return id, h.enrolled(t, id, "Ada's phone")
}

func (h *house) entriesOf(t *testing.T, action string) (found []audit.Entry) {
	t.Helper()
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Action == action {
			found = append(found, entry)
		}
	}
	return found
}

// A stolen telephone is worth nothing once the helpdesk has removed it, whatever
// its thief had begun.
func TestHelpdeskRemovesADevice(t *testing.T) {
	h := build(t)
	id, a := h.mobile(t, 1)
	upn := h.read(t, id).UPN
	s := engine.Subscription{Endpoint: endpoint, P256DH: b64u(a.public), Auth: b64u(bytes.Repeat([]byte{7}, 16))}
	if err := h.Subscribe(t.Context(), id, a.got.Device, &s); err != nil {
		t.Fatal(err)
	}
	waits := h.ask(t, id, nil)
	typed := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.OATHCode })
	_, word := h.pass(t, id, false)
	owner, err := h.ProvePass(t.Context(), upn, word, engine.ForManagement, cloud.Client{Station: "home"})
	if err != nil {
		t.Fatal(err)
	}
	h.invite(t, id)
	made := h.opened(t, id)
	press, token := a.answer(t, waits.ID, engine.PushApprove, "", h.Now()), signature.Token{User: id, Device: a.got.Device, At: h.Now(), Signature: a.sign(t, signature.Request(id, a.got.Device, h.Now()))}.String()
	if _, _, err := h.AuthenticateDevice(t.Context(), token); err != nil {
		t.Fatal(err)
	}

	h.Advance(time.Second) // messages lie in the order of their time
	did, err := h.RemoveDevice(t.Context(), desk, id, a.got.Device)
	if err != nil || did != (engine.Dismissed{Name: "Ada's phone", Left: cloud.SMS, Ended: 1}) {
		t.Fatalf("%+v, %v", did, err)
	}
	_, err = h.Press(t.Context(), press)
	denied(t, "what it had signed before", err)
	_, err = h.Respond(t.Context(), press.Response)
	denied(t, "its answer", err)
	_, _, err = h.AuthenticateDevice(t.Context(), token)
	denied(t, "its token", err)
	_, _, err = h.Pushes(t.Context(), id, a.got.Device)
	denied(t, "what waits, for it", err)
	_, err = h.Enrol(t.Context(), newApp(t).enrolment(t, made, "another of the thief"), cloud.Client{})
	denied(t, "a code to activate another one that was given out before", err)
	_, err = h.AuthenticateOwner(t.Context(), string(owner.Token.Reveal()))
	denied(t, "a sign-in to look after devices of before", err)
	if wakes, err := h.Wakes(t.Context(), id); err != nil || len(wakes) != 0 {
		t.Errorf("it is woken: %+v, %v", wakes, err)
	}
	if d, err := h.Look(t.Context(), []cloud.ChallengeID{waits.ID}); err != nil || d[0].State != cloud.Expired {
		t.Errorf("the login that waited: %+v, %v", d, err)
	}
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: typed.ID, Code: cloudtest.Code(a.got.OATH.Secret.Reveal(), &a.got.OATH, h.Now())}); err != nil || d.State == cloud.Approved {
		t.Errorf("its code, for a login of before: %+v, %v", d, err)
	}
	h.login(t, id, &a.got.OATH, cloud.Refused, cloud.NoMethod)
	if u := h.read(t, id); u.Default != cloud.SMS || len(u.Authenticators) != 1 || u.Authenticators[0].State != "invited" || len(u.OATH) != 0 {
		t.Errorf("the user: %+v", u)
	}
	if all := h.entriesOf(t, "device.remove"); len(all) != 1 || all[0].Actor != desk.Who || all[0].Reason != desk.Reason || all[0].Subject != string(id) || all[0].Detail != "device="+a.got.Device {
		t.Errorf("the audit: %+v", all)
	}
	h.AwaitSent()
	if sent := h.newest(t); sent.Channel != "sms" || !strings.Contains(sent.Text, `"Ada's phone" of `+upn+" was removed by your organisation") {
		t.Errorf("the user is told %+v", sent)
	}

	h.Advance(time.Second)
	owner, err = h.ProvePass(t.Context(), upn, word, engine.ForManagement, cloud.Client{Station: "home"})
	if err == nil {
		_, err = h.AuthenticateOwner(t.Context(), string(owner.Token.Reveal()))
	}
	if err != nil {
		t.Errorf("the owner signs in anew: %v", err)
	}
	if _, err := h.Enrol(t.Context(), a.enrolment(t, h.opened(t, id), "new phone"), cloud.Client{}); err != nil {
		t.Errorf("and activates anew: %v", err)
	}
}

// What a helpdesk may not do, or cannot, changes nothing, and is in no audit.
func TestRemoveDeviceSaysNo(t *testing.T) {
	h := build(t)
	ada, phone := h.mobile(t, 1)
	boss, bosses := h.mobile(t, 2)
	h.administrator(t, boss)
	gone := h.enrolled(t, ada, "old phone").got.Device
	if _, err := h.RemoveDevice(t.Context(), desk, ada, gone); err != nil {
		t.Fatal(err)
	}
	invited := h.invite(t, ada)
	before := h.entries(t)
	for name, c := range map[string]struct {
		by     engine.Actor
		user   cloud.UserID
		device string
		kind   cloud.Kind
		says   string
	}{
		"an unknown device":          {desk, ada, "none", cloud.NotFound, "never was theirs"},
		"no device":                  {desk, ada, "", cloud.NotFound, "no such authenticator"},
		"a device removed before":    {desk, ada, gone, cloud.NotFound, "removed before"},
		"a device of somebody else":  {desk, ada, bosses.got.Device, cloud.NotFound, "no such authenticator"},
		"an unknown user":            {desk, "nobody", phone.got.Device, cloud.NotFound, "no such user"},
		"an invitation":              {desk, ada, invited, cloud.Conflict, "invitation"},
		"one of an administrator":    {desk, boss, bosses.got.Device, cloud.Denied, "administrative role"},
		"an administrator's unknown": {desk, boss, "none", cloud.Denied, "administrative role"},
		"by nobody":                  {engine.Actor{Reason: "x"}, ada, phone.got.Device, cloud.Invalid, "name of who"},
		"a broken reason":            {engine.Actor{Who: "grace", Reason: "x\ny"}, ada, phone.got.Device, cloud.Invalid, "reason"},
	} {
		if did, err := h.RemoveDevice(t.Context(), c.by, c.user, c.device); cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || did != (engine.Dismissed{}) {
			t.Errorf("%s: %+v, %v", name, did, err)
		}
	}
	if after := h.entries(t); after != before {
		t.Errorf("%d entries were written", after-before)
	}
	for id, a := range map[cloud.UserID]*app{ada: phone, boss: bosses} {
		c := h.ask(t, id, nil)
		h.pressed(t, a.answer(t, c.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
	}
	if _, err := h.RemoveDevice(t.Context(), operator, boss, bosses.got.Device); err != nil {
		t.Errorf("an administrator removes that of another: %v", err)
	}
}

// A helpdesk is told how the user is asked from now on, and of what is no second
// factor not.
func TestRemoveDeviceTellsWhatIsLeft(t *testing.T) {
	add := func(m cloud.Method, text string) func(*testing.T, *house, cloud.UserID) {
		return func(t *testing.T, h *house, id cloud.UserID) {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: m, After: cloud.TextValue(text)})
		}
	}
	all := func(steps ...func(*testing.T, *house, cloud.UserID)) func(*testing.T, *house, cloud.UserID) {
		return func(t *testing.T, h *house, id cloud.UserID) {
			for _, step := range steps {
				step(t, h, id)
			}
		}
	}
	mobile := add(cloud.Mobile, "+1 4255550142")
	for name, c := range map[string]struct {
		before func(*testing.T, *house, cloud.UserID)
		want   cloud.Preference
	}{
		"nothing":         {func(*testing.T, *house, cloud.UserID) {}, ""},
		"another device":  {func(t *testing.T, h *house, id cloud.UserID) { h.enrolled(t, id, "two") }, cloud.Push},
		"an invitation":   {func(t *testing.T, h *house, id cloud.UserID) { h.invite(t, id) }, ""},
		"a mobile":        {mobile, cloud.SMS},
		"an office phone": {add(cloud.Office, "+1 4255550143"), cloud.VoiceOffice},
		"a generator": {func(t *testing.T, h *house, id cloud.UserID) {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
		}, cloud.OATHCode},
		"an address that nobody proved": {add(cloud.Email, address), ""},
		"a proven address": {all(add(cloud.Email, address), func(t *testing.T, h *house, id cloud.UserID) {
			if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
				t.Fatal(err)
			}
		}), cloud.EmailCode},
		"a mobile that is forbidden": {all(mobile, func(t *testing.T, h *house, _ cloud.UserID) {
			h.policy(t, engine.PolicySMS, engine.MethodPolicy{})
			h.policy(t, engine.PolicyVoice, engine.MethodPolicy{})
		}), ""},
		"a mobile to sign in with": {all(mobile, func(t *testing.T, h *house, id cloud.UserID) {
			h.policy(t, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true, Include: []string{h.field(t)}})
			h.join(t, h.field(t), id)
			if err := h.SetNumberSignIn(t.Context(), operator, id, true); err != nil {
				t.Fatal(err)
			}
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			id := h.user(t, 1)
			a := h.enrolled(t, id, "one")
			c.before(t, h, id)
			did, err := h.RemoveDevice(t.Context(), desk, id, a.got.Device)
			if err != nil || did.Left != c.want {
				t.Fatalf("%+v, %v; want %q", did, err, c.want)
			}
			if asked := h.ask(t, id, nil); c.want == "" && asked.State != cloud.Refused {
				t.Errorf("the next login: %+v", asked)
			}
		})
	}
}

// Who has lost one of two devices is not asked to approve, on the other one, what
// somebody began with the first; they can report it, and the next login is theirs.
func TestLostDeviceEndsWhatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		remove func(ctx context.Context, h *house, id cloud.UserID, lost, other string) error
		ends   bool
	}{
		"by a helpdesk": {func(ctx context.Context, h *house, id cloud.UserID, lost, _ string) error {
			_, err := h.RemoveDevice(ctx, desk, id, lost)
			return err
		}, true},
		"by the owner, lost": {func(ctx context.Context, h *house, id cloud.UserID, lost, other string) error {
			return h.DismissDevice(ctx, engine.Owner{User: id, Device: other}, lost, true)
		}, true},
		"by the owner, not lost": {func(ctx context.Context, h *house, id cloud.UserID, lost, other string) error {
			return h.DismissDevice(ctx, engine.Owner{User: id, Device: other}, lost, false)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			id := h.user(t, 1)
			lost, other := h.enrolled(t, id, "lost"), h.enrolled(t, id, "other")
			waits := h.ask(t, id, nil)
			h.invite(t, id)
			made := h.opened(t, id)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream := h.Decisions(ctx)
			if err := c.remove(ctx, h, id, lost.got.Device, other.got.Device); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Enrol(t.Context(), newApp(t).enrolment(t, made, "third"), cloud.Client{}); c.ends != (cloud.KindOf(err) == cloud.Denied) {
				t.Errorf("a code to activate that was given out before: %v", err)
			}
			if !c.ends {
				h.pressed(t, other.answer(t, waits.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
				return
			}
			for d, err := range stream {
				if err != nil || d.Challenge != waits.ID || d.State != cloud.Expired {
					t.Errorf("who began the login hears %+v, %v", d, err)
				}
				break
			}
			if p, err := h.Press(t.Context(), other.answer(t, waits.ID, engine.PushApprove, "", h.Now())); err != nil || p.State == cloud.Approved {
				t.Errorf("the other device approves it: %+v, %v", p, err)
			}
			if _, err := h.Press(t.Context(), other.answer(t, waits.ID, engine.PushFraud, "", h.Now())); err != nil || len(h.entriesOf(t, "user.fraud")) != 1 {
				t.Errorf("the other device reports it: %v", err)
			}
			next := h.ask(t, id, nil)
			h.pressed(t, other.answer(t, next.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
		})
	}
}

// Who gives up the last telephone in favour of a new one keeps the code for that,
// and what waits can still be approved by it.
func TestDeviceThatEndsItselfIsNotLost(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	old := h.enrolled(t, id, "old")
	waits := h.ask(t, id, nil)
	h.invite(t, id)
	made := h.opened(t, id)
	as := engine.Owner{User: id, Device: old.got.Device}
	if err := h.DismissDevice(t.Context(), as, old.got.Device, false); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("the last one, not lost: %v", err)
	}
	if err := h.DismissDevice(t.Context(), as, old.got.Device, true); err != nil {
		t.Fatal(err)
	}
	a := newApp(t)
	var err error
	if a.got, err = h.Enrol(t.Context(), a.enrolment(t, made, "new"), cloud.Client{}); err != nil {
		t.Fatalf("the code that was there: %v", err)
	}
	h.pressed(t, a.answer(t, waits.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
}

// Who administers sees which device is which.
func TestAuthenticatorsAreShown(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	first, second := h.enrolled(t, id, "first"), h.enrolled(t, id, "second")
	h.invite(t, id)
	h.Advance(time.Minute)
	c := h.ask(t, id, nil)
	h.pressed(t, second.answer(t, c.ID, engine.PushApprove, "", h.Now()), cloud.Approved, "")
	all, err := h.Authenticators(t.Context(), id)
	if err != nil || len(all) != 2 || all[0].ID != first.got.Device || !all[0].Used.IsZero() || all[1].Name != "second" || !all[1].Used.Equal(h.Now()) {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := h.Authenticators(t.Context(), "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// A rehearsal of Entra ID lets an authenticator go, and its default with it.
func TestRemoveDeviceInARehearsal(t *testing.T) {
	h := buildAs(t, engine.Setup{Kind: engine.KindEntra})
	id := h.user(t, 1)
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		u, err := tx.User(id)
		if err != nil {
			return err
		}
		u.Devices, u.Default = 1, cloud.Push
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return tx.PutDevice(&engine.Device{User: id, ID: "d1", Name: "phone", State: "active", Created: h.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	if did, err := h.RemoveDevice(t.Context(), desk, id, "d1"); err != nil || did.Left != "" || did.Name != "phone" {
		t.Errorf("%+v, %v", did, err)
	}
	if u := h.read(t, id); len(u.Authenticators) != 0 || u.Default != "" {
		t.Errorf("%+v", u)
	}
}

// An erasure takes what is said of a removed device, too, and an export tells it.
func TestRemovedDeviceOfAPerson(t *testing.T) {
	h := build(t)
	id, a := h.mobile(t, 1)
	if _, err := h.RemoveDevice(t.Context(), desk, id, a.got.Device); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := h.ExportPerson(t.Context(), operator, id, &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"action":"device.remove"`, `"signed_out":"` + h.Now().UTC().Format(time.RFC3339)} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the export does not tell %s", want)
		}
	}
	if _, err := h.ErasePerson(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(h.entriesOf(t, "device.remove"), func(e audit.Entry) bool {
		return strings.Contains(e.Subject+e.Detail+e.Reason, a.got.Device) || e.Subject == string(id)
	}) {
		t.Error("the audit still says whose device it was")
	}
}

// Two who remove one device at once: it is removed once.
func TestDeviceIsRemovedOnce(t *testing.T) {
	h := build(t)
	id, a := h.mobile(t, 1)
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			_, err := h.RemoveDevice(t.Context(), desk, id, a.got.Device)
			results <- err
		}()
	}
	done := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			done++
		case cloud.KindOf(err) != cloud.NotFound:
			t.Error(err)
		}
	}
	if all := h.entriesOf(t, "device.remove"); done != 1 || len(all) != 1 {
		t.Errorf("%d succeeded, %d entries", done, len(all))
	}
}

// That a sign-in has ended outlives the process, and what else is written of the
// user.
func TestSignedOutIsKept(t *testing.T) {
	h := build(t)
	id, a := h.mobile(t, 1)
	_, word := h.pass(t, id, false)
	made, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForManagement, cloud.Client{Station: "home"})
	if err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Minute)
	if _, err := h.RemoveDevice(t.Context(), desk, id, a.got.Device); err != nil {
		t.Fatal(err)
	}
	h.Reopen(t)
	_, err = h.AuthenticateOwner(t.Context(), string(made.Token.Reveal()))
	denied(t, "a token of before", err)
	h.ask(t, id, func(r *cloud.Request) { r.Method, r.Code = cloud.SMS, secret.Bytes{} }) // writes the user's row
	_, err = h.AuthenticateOwner(t.Context(), string(made.Token.Reveal()))
	denied(t, "a token of before, after a login", err)
}
