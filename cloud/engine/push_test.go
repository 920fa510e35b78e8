package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

func (h *house) press(t *testing.T, r engine.Response) (cloud.Decision, error) {
	t.Helper()
	return h.Respond(t.Context(), r)
}

func TestPushIsAnsweredByTheUsersDevice(t *testing.T) {
	h := build(t)
	id, other := h.coded(t, 1), h.coded(t, 2)
	device, foreign := h.activate(t, id), h.activate(t, other)
	c := h.ask(t, id, nil)
	waiting, _, err := h.Pushes(t.Context(), id, device)
	if err != nil || len(waiting) != 1 || waiting[0].Challenge != c.ID || waiting[0].App != "vpn" || waiting[0].From == "" || waiting[0].Matched {
		t.Fatalf("what waits: %+v, %v", waiting, err)
	}
	if _, _, err := h.Pushes(t.Context(), id, foreign); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("what waits, for a device of somebody else: %v", err)
	}
	typed := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.OATHCode })
	for name, bad := range map[string]struct {
		r    engine.Response
		kind cloud.Kind
	}{
		"a foreign device":      {engine.Response{User: id, Device: foreign, Challenge: c.ID, Answer: engine.PushApprove}, cloud.Denied},
		"no device":             {engine.Response{User: id, Challenge: c.ID, Answer: engine.PushApprove}, cloud.Denied},
		"a push of another":     {engine.Response{User: other, Device: foreign, Challenge: c.ID, Answer: engine.PushApprove}, cloud.NotFound},
		"a challenge by code":   {engine.Response{User: id, Device: device, Challenge: typed.ID, Answer: engine.PushApprove}, cloud.NotFound},
		"an unknown challenge":  {engine.Response{User: id, Device: device, Challenge: "none", Answer: engine.PushApprove}, cloud.NotFound},
		"a word that is no one": {engine.Response{User: id, Device: device, Challenge: c.ID, Answer: "yes"}, cloud.Invalid},
	} {
		if d, err := h.press(t, bad.r); cloud.KindOf(err) != bad.kind {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	invited := h.user(t, 3)
	h.write(t, cloud.Change{User: invited, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}})
	if c := h.ask(t, invited, nil); c.Reason != cloud.NoMethod {
		t.Errorf("an invitation was asked: %+v", c)
	}
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Approved {
		t.Errorf("the answer: %+v, %v", d, err)
	}
	if last := h.lastEntry(t); last.Action != "verify.approved" || last.Subject != string(id) || !strings.Contains(last.Detail, string(c.ID)) {
		t.Errorf("the audit says %+v", last)
	}
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.Reason != cloud.RepeatRefused {
		t.Errorf("the answer again: %+v, %v", d, err)
	}
}

// The verdict reaches who waits, and so does the end of a push that another
// one of the same login replaced.
func TestPushVerdictsAreStreamed(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	device := h.activate(t, id)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	first, second := h.ask(t, id, nil), h.ask(t, id, nil)
	if _, err := h.press(t, engine.Response{User: id, Device: device, Challenge: second.ID, Answer: engine.PushApprove}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for d, err := range stream {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(d.State))
		if len(got) == 1 && d.Challenge != first.ID || len(got) == 2 && d.Challenge != second.ID {
			t.Errorf("decision %d: %+v", len(got), d)
		}
		if len(got) == 2 {
			break
		}
	}
	if strings.Join(got, " ") != "expired approved" {
		t.Errorf("decisions: %v", got)
	}
}

// What became of a push is its user's to know, and no other challenge is one.
func TestFateOfAPush(t *testing.T) {
	h := build(t)
	id, other := h.coded(t, 1), h.coded(t, 2)
	device := h.activate(t, id)
	fate := func(of cloud.UserID, c cloud.Challenge, want cloud.State) {
		t.Helper()
		if state, _, err := h.Fate(t.Context(), of, c.ID); err != nil || state != want {
			t.Errorf("%s, %v; want %s", state, err, want)
		}
	}
	c, code := h.ask(t, id, nil), h.ask(t, other, nil)
	fate(id, c, cloud.Pending)
	fate(other, c, cloud.Expired)
	fate(other, code, cloud.Expired)
	fate(id, cloud.Challenge{ID: "none"}, cloud.Expired)
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Approved {
		t.Fatalf("%+v, %v", d, err)
	}
	waits := h.ask(t, id, nil)
	h.Advance(3 * time.Minute)
	fate(id, c, cloud.Approved)
	fate(id, waits, cloud.Expired)
	if waiting, _, err := h.Pushes(t.Context(), id, device); err != nil || len(waiting) != 0 {
		t.Errorf("what waits: %+v, %v", waiting, err)
	}
}

// The last ten answers are shown, newest first, whichever device gave them.
func TestApprovalsOfTwoDevices(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	devices := []string{h.enrolled(t, id, "one").got.Device, h.enrolled(t, id, "two").got.Device}
	var given []cloud.ChallengeID
	for n := range 12 {
		h.Advance(time.Minute)
		c := h.ask(t, id, nil)
		if d, err := h.press(t, engine.Response{User: id, Device: devices[n%2], Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Approved {
			t.Fatalf("%+v, %v", d, err)
		}
		given = append(given, c.ID)
	}
	all, err := h.Approvals(t.Context(), id)
	if err != nil || len(all) != 10 {
		t.Fatalf("%d, %v", len(all), err)
	}
	for i, a := range all {
		if n := 11 - i; a.Challenge != given[n] || a.Device != devices[n%2] || a.State != cloud.Approved {
			t.Errorf("%d: %+v", i, a)
		}
	}
}

// Pushes that wait at many places at once are as tiring as those that were
// denied; what was approved is not.
func TestPushesAtManyPlacesTire(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	device := h.activate(t, id)
	at := func(station string) cloud.Challenge {
		return h.ask(t, id, func(r *cloud.Request) { r.Client.Station = station })
	}
	for range 5 {
		c := at("a")
		if c.Method != cloud.Push {
			t.Fatalf("after approvals: %+v", c)
		}
		if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Approved {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	for _, station := range []string{"a", "b", "c"} {
		if c := at(station); c.Method != cloud.Push {
			t.Fatalf("at %s: %+v", station, c)
		}
	}
	if c := at("d"); c.Method != cloud.OATHCode {
		t.Errorf("the fourth at once: %+v", c)
	}
}

func TestForbiddenPush(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	device := h.activate(t, id)
	c := h.ask(t, id, nil)
	h.policy(t, engine.PolicyAuthenticator, engine.MethodPolicy{})
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.Reason != cloud.NotAllowed {
		t.Errorf("a push that was open: %+v, %v", d, err)
	}
	if c := h.ask(t, id, nil); c.Method != cloud.OATHCode {
		t.Errorf("the next: %+v", c)
	}
}

func TestFraudReport(t *testing.T) {
	for _, block := range []time.Duration{0, time.Hour} {
		h := build(t)
		var reports []engine.FraudReport
		h.fraud = engine.Fraud{Block: block, Notify: func(_ context.Context, r engine.FraudReport) { reports = append(reports, r) }}
		h.Reopen(t)
		id := h.coded(t, 1)
		device := h.activate(t, id)
		c := h.ask(t, id, nil)
		d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushFraud})
		if err != nil || d.State != cloud.Refused || d.Reason != cloud.UserDenied {
			t.Fatalf("%+v, %v", d, err)
		}
		if len(reports) != 1 || reports[0].User != id || reports[0].App != "vpn" || reports[0].Blocked.IsZero() != (block == 0) {
			t.Errorf("reports: %+v", reports)
		}
		if got := h.ask(t, id, nil); (got.Reason == cloud.UserBlocked) != (block > 0) {
			t.Errorf("the next login with a block of %v: %+v", block, got)
		}
		if got := strings.Join(h.actions(t), "\n"); !strings.Contains(got, "user.fraud by device "+device) {
			t.Errorf("audit:\n%s", got)
		}
	}
}

// Who is kept from verifying waits for nothing any more: whoever holds a login for
// the push hears of it at once, the device shows it no longer, and it is not
// there again for who is let back.
func TestBlockEndsPushesThatWait(t *testing.T) {
	blocked := func(h *house, id cloud.UserID, until time.Time) error {
		before := h.read(t, id).BlockedUntil
		h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, Before: cloud.Value{Until: before}, After: cloud.Value{Until: until}})
		return nil
	}
	enabled := func(h *house, id cloud.UserID, enabled bool) error {
		before := h.read(t, id).Profile
		after := before
		after.Enabled = enabled
		h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &before}, After: cloud.Value{Profile: &after}})
		return nil
	}
	imported := func(h *house, id cloud.UserID, enabled bool) error {
		p := h.read(t, id).Profile
		p.Enabled = enabled
		return h.ImportUsers(t.Context(), operator, []engine.Newcomer{{Profile: p}})[0].Err
	}
	for _, c := range []struct {
		reason    cloud.Reason
		out, back func(*house, cloud.UserID) error
	}{
		{cloud.UserBlocked, func(h *house, id cloud.UserID) error {
			return h.Block(t.Context(), operator, id, h.Now().Add(time.Hour))
		}, func(h *house, id cloud.UserID) error { return h.Unblock(t.Context(), operator, id) }},
		{cloud.UserDisabled, func(h *house, id cloud.UserID) error { return h.SetEnabled(t.Context(), operator, id, false) },
			func(h *house, id cloud.UserID) error { return h.SetEnabled(t.Context(), operator, id, true) }},
		{cloud.UserBlocked, func(h *house, id cloud.UserID) error { return blocked(h, id, h.Now().Add(time.Hour)) },
			func(h *house, id cloud.UserID) error { return blocked(h, id, time.Time{}) }},
		{cloud.UserDisabled, func(h *house, id cloud.UserID) error { return enabled(h, id, false) },
			func(h *house, id cloud.UserID) error { return enabled(h, id, true) }},
		{cloud.UserDisabled, func(h *house, id cloud.UserID) error { return imported(h, id, false) },
			func(h *house, id cloud.UserID) error { return imported(h, id, true) }},
	} {
		reason := c.reason
		h := build(t)
		id := h.coded(t, 1)
		device := h.activate(t, id)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		stream := h.Decisions(ctx)
		push, typed := h.ask(t, id, nil), h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.OATHCode })
		if err := c.out(h, id); err != nil {
			t.Fatal(err)
		}
		for d, err := range stream {
			if err != nil || d.Challenge != push.ID || d.State != cloud.Refused || d.Reason != reason {
				t.Errorf("streamed: %+v, %v", d, err)
			}
			break
		}
		cancel()
		stand := func(state cloud.State, why cloud.Reason, id cloud.ChallengeID) {
			t.Helper()
			if ds, err := h.Look(t.Context(), []cloud.ChallengeID{id}); err != nil || ds[0].State != state || ds[0].Reason != why {
				t.Errorf("%s: %+v, %v; want %s %q", reason, ds, err, state, why)
			}
		}
		stand(cloud.Refused, reason, push.ID)
		stand(cloud.Refused, reason, typed.ID)
		if waiting, _, err := h.Pushes(t.Context(), id, device); err != nil || len(waiting) != 0 {
			t.Errorf("%s: the device shows %+v, %v", reason, waiting, err)
		}
		if err := c.back(h, id); err != nil {
			t.Fatal(err)
		}
		stand(cloud.Refused, reason, push.ID)
		stand(cloud.Pending, "", typed.ID) // nobody has answered it
	}
}

// A push whose time was over before its user was kept from verifying has timed
// out: nobody is told another reason, nor does the audit say one.
func TestBlockLeavesPushesThatAreOver(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.activate(t, id)
	push := h.ask(t, id, nil)
	h.Advance(time.Hour)
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if ds, err := h.Look(t.Context(), []cloud.ChallengeID{push.ID}); err != nil || ds[0].State != cloud.Expired || ds[0].Reason != cloud.TimedOut {
		t.Errorf("%+v, %v", ds, err)
	}
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil || strings.Contains(entry.Detail, string(cloud.UserBlocked)) {
			t.Errorf("%+v, %v", entry, err)
		}
	}
}

// A report of fraud that blocks ends what else waits for the user: whoever knows
// the password may have begun that, too. What was reported has its own verdict.
func TestFraudReportEndsOtherPushes(t *testing.T) {
	h := build(t)
	h.SetFraud(engine.Fraud{Block: time.Hour})
	id := h.coded(t, 1)
	device := h.activate(t, id)
	other := h.ask(t, id, func(r *cloud.Request) { r.Client.Station = "elsewhere" })
	seen := h.ask(t, id, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: seen.ID, Answer: engine.PushFraud}); err != nil || d.Reason != cloud.UserDenied {
		t.Fatalf("%+v, %v", d, err)
	}
	want := map[cloud.ChallengeID]cloud.Reason{seen.ID: cloud.UserDenied, other.ID: cloud.UserBlocked}
	for d, err := range stream {
		if err != nil || d.State != cloud.Refused || d.Reason != want[d.Challenge] {
			t.Fatalf("streamed: %+v, %v", d, err)
		}
		if delete(want, d.Challenge); len(want) == 0 {
			break
		}
	}
	if len(want) > 0 {
		t.Fatalf("nobody heard of %v", want)
	}
	if all := h.entriesOf(t, "verify."+string(cloud.Refused)); len(all) != 2 {
		t.Errorf("the audit says %+v", all)
	}
	if waiting, _, err := h.Pushes(t.Context(), id, device); err != nil || len(waiting) != 0 {
		t.Errorf("the device shows %+v, %v", waiting, err)
	}
}

// Whoever holds a login for a user who is erased hears of it at once.
func TestErasureEndsPushes(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.activate(t, id)
	c := h.ask(t, id, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	if _, err := h.ErasePerson(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	for d, err := range stream {
		if err != nil || d.Challenge != c.ID || d.State != cloud.Refused || d.Reason != cloud.UserDisabled {
			t.Errorf("streamed: %+v, %v", d, err)
		}
		return
	}
	t.Error("nobody heard of it")
}

// A report of fraud never shortens a block that an administrator has set.
func TestFraudReportLeavesALongerBlock(t *testing.T) {
	h := build(t)
	var told engine.FraudReport
	h.SetFraud(engine.Fraud{Block: time.Hour, Notify: func(_ context.Context, r engine.FraudReport) { told = r }})
	id := h.user(t, 1)
	device := h.activate(t, id)
	c := h.ask(t, id, nil)
	until := h.Now().Add(24 * time.Hour)
	if err := h.Block(t.Context(), operator, id, until); err != nil {
		t.Fatal(err)
	}
	if _, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushFraud}); err != nil {
		t.Fatal(err)
	}
	if u := h.read(t, id); !u.BlockedUntil.Equal(until) || told.User != id || !told.Blocked.IsZero() {
		t.Errorf("blocked until %v, report %+v", u.BlockedUntil, told)
	}
}

// Whoever tries to log in again at once ends the push that the user sees: its
// report counts all the same, once.
func TestFraudReportOnAPushThatWasReplaced(t *testing.T) {
	h := build(t)
	reports := 0
	h.fraud = engine.Fraud{Block: time.Hour, Notify: func(context.Context, engine.FraudReport) { reports++ }}
	h.Reopen(t)
	id := h.coded(t, 1)
	device := h.activate(t, id)
	seen, next := h.ask(t, id, nil), h.ask(t, id, nil)
	for range 2 {
		d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: seen.ID, Answer: engine.PushFraud})
		if err != nil || d.State != cloud.Refused {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
	if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: next.ID, Answer: engine.PushApprove}); err != nil || d.State == cloud.Approved {
		t.Errorf("approved after a report: %+v, %v", d, err)
	}
}

// Who has an authenticator of somebody else's, or has activated one as them, is
// quicker than they are: the report of the owner, from another device, counts all
// the same, once.
func TestFraudReportOnAPushThatAnotherDeviceAnswered(t *testing.T) {
	for _, answer := range []engine.PushAnswer{engine.PushApprove, engine.PushDeny} {
		h := build(t)
		var reports []engine.FraudReport
		h.SetFraud(engine.Fraud{Block: time.Hour, Notify: func(_ context.Context, r engine.FraudReport) { reports = append(reports, r) }})
		id := h.coded(t, 1)
		foreign, own := h.enrolled(t, id, "foreign").got.Device, h.enrolled(t, id, "own").got.Device
		c := h.ask(t, id, nil)
		if _, err := h.press(t, engine.Response{User: id, Device: foreign, Challenge: c.ID, Answer: answer}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			d, err := h.press(t, engine.Response{User: id, Device: own, Challenge: c.ID, Answer: engine.PushFraud})
			if err != nil || d.State != cloud.Refused || d.Reason != cloud.RepeatRefused {
				t.Fatalf("%s: %+v, %v", answer, d, err)
			}
		}
		if len(reports) != 1 || reports[0].Blocked.IsZero() {
			t.Errorf("%s: reports %+v", answer, reports)
		}
		if all := h.entriesOf(t, "user.fraud"); len(all) != 1 || strings.Contains(all[0].Detail, "after=approved") != (answer == engine.PushApprove) {
			t.Errorf("%s: the audit says %+v", answer, all)
		}
		if got := h.ask(t, id, nil); got.Reason != cloud.UserBlocked {
			t.Errorf("%s: the next login: %+v", answer, got)
		}
	}
}

func TestActivateSaysNo(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}})
	device := h.read(t, id).Authenticators[0].ID
	if err := h.Activate(t.Context(), id, "another", ""); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another invitation: %v", err)
	}
	if err := h.Activate(t.Context(), h.user(t, 2), device, ""); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of another user: %v", err)
	}
	if err := h.SetEnabled(t.Context(), operator, id, false); err != nil {
		t.Fatal(err)
	}
	if err := h.Activate(t.Context(), id, device, ""); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("of a disabled user: %v", err)
	}
	if err := h.SetEnabled(t.Context(), operator, id, true); err != nil {
		t.Fatal(err)
	}
	h.Advance(14 * 24 * time.Hour)
	if err := h.Activate(t.Context(), id, device, ""); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("too late: %v", err)
	}
	other := h.coded(t, 3)
	h.write(t, cloud.Change{User: other, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.OATHCode))})
	device = h.activate(t, other)
	if u := h.read(t, other); u.Default != cloud.Push {
		t.Errorf("the default after activation: %q", u.Default)
	}
	if err := h.Activate(t.Context(), other, device, ""); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("twice: %v", err)
	}
	if c := h.ask(t, other, func(r *cloud.Request) { r.Code = cloudtest.Code(cloudtest.Seed(3), cloudtest.Generator(3), h.Now()) }); c.State != cloud.Approved {
		t.Errorf("a code of who is asked by push: %+v", c)
	}
}
