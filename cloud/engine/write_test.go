package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

// Of the changes of one call each is refused for itself; only of a user whose
// account could not be changed all that follow are. What was there already leaves
// nothing in the audit.
func TestChangesAreRefusedOneByOne(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.user(t, 2)
	profile := func(upn string, aliases ...string) cloud.Value {
		return cloud.Value{Profile: &cloud.Profile{UPN: upn, Aliases: aliases, Enabled: true}}
	}
	const third, fourth, nobody = "user3@contoso.example", "user4@contoso.example", "nobody@contoso.example"
	mobile := cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")}
	steps := []struct {
		change  cloud.Change
		outcome cloud.Outcome
		kind    cloud.Kind
	}{
		{cloud.Change{User: id, Op: cloud.Update, Method: cloud.Office, Before: cloud.TextValue("+1 4255550198"), After: cloud.TextValue("+1 4255550199")}, cloud.Outdated, cloud.Stale},
		{cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, ID: "x", After: mobile.After}, cloud.Failed, cloud.NotFound},
		{mobile, cloud.Done, 0},
		{mobile, cloud.Already, 0},
		{cloud.Change{UPN: third, Op: cloud.Add, Method: cloud.Account, After: profile(third, "user2@contoso.example")}, cloud.Failed, cloud.Conflict},
		{cloud.Change{UPN: third, Op: cloud.Remove, Method: cloud.Mobile, Before: mobile.After}, cloud.Failed, cloud.Conflict},
		{cloud.Change{UPN: fourth, Op: cloud.Add, Method: cloud.Account, After: profile("user5@contoso.example")}, cloud.Failed, cloud.Invalid},
		{cloud.Change{User: "no such id", Op: cloud.Add, Method: cloud.Account, After: profile("user6@contoso.example")}, cloud.Failed, cloud.NotFound},
		{cloud.Change{UPN: nobody, Op: cloud.Add, Method: cloud.Mobile, After: mobile.After}, cloud.Failed, cloud.NotFound},
		{cloud.Change{UPN: nobody, Op: cloud.Remove, Method: cloud.Mobile, Before: mobile.After}, cloud.Already, 0},
		{cloud.Change{UPN: nobody, Op: cloud.Update, Method: cloud.Account, Before: profile(nobody), After: profile(nobody, "nobody else")}, cloud.Outdated, cloud.Stale},
		{cloud.Change{UPN: nobody, Op: cloud.Remove, Method: cloud.Mobile, Before: mobile.After}, cloud.Failed, cloud.Conflict},
	}
	var changes []cloud.Change
	for _, s := range steps {
		changes = append(changes, s.change)
	}
	for i, r := range h.Write(t.Context(), changes) {
		if s := steps[i]; r.Outcome != s.outcome || s.kind != 0 && (r.Err == nil || cloud.KindOf(r.Err) != s.kind) {
			t.Errorf("change %d: %s, %v; want %s, %s", i, r.Outcome, r.Err, s.outcome, s.kind)
		}
	}
	if r := h.Write(t.Context(), []cloud.Change{mobile}); r[0].Outcome != cloud.Already {
		t.Errorf("once more: %+v", r)
	}
	if all := h.entriesOf(t, "directory.write"); len(all) != 1 || all[0].Subject != string(id) || all[0].Detail != "add mobile" {
		t.Errorf("the audit: %+v", all)
	}
	second := h.user(t, 7)
	h.write(t, cloud.Change{UPN: "USER7@contoso.example", Op: cloud.Add, Method: cloud.Mobile, After: mobile.After},
		cloud.Change{User: second, Op: cloud.Add, Method: cloud.Office, After: mobile.After}) // one user by two keys
	if u := h.read(t, second); u.Mobile == "" || u.Office == "" {
		t.Errorf("%+v", u)
	}
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: profile("user1@contoso.example"), After: profile("renamed@contoso.example")})
	h.write(t, cloud.Change{UPN: fourth, Op: cloud.Add, Method: cloud.Account, After: profile(fourth, "user1@contoso.example")}) // the name is free
	account := cloud.Change{User: id, Op: cloud.Remove, Method: cloud.Account, Before: profile("renamed@contoso.example")}
	for _, m := range []cloud.Method{cloud.Mobile, cloud.Office, cloud.Email} {
		v := cloud.TextValue("+1 4255550100")
		if m == cloud.Email {
			v = cloud.TextValue("ada@mail.example")
		}
		if m != cloud.Mobile {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: m, After: v})
		}
		if r := h.Write(t.Context(), []cloud.Change{account})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Conflict {
			t.Errorf("an account with %s goes: %+v", m, r)
		}
		h.write(t, cloud.Change{User: id, Op: cloud.Remove, Method: m, Before: v})
	}
	h.write(t, account)
	if found, err := h.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: third}, {Kind: cloud.ByName, Value: "user6@contoso.example"},
		{Kind: cloud.ByName, Value: strings.Repeat("x", 1<<20)}}); err != nil || len(found[0])+len(found[1])+len(found[2]) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// One secret is nobody's but one user's, under whatever serial number: its codes
// would let each in as the other. A user may have it twice, and Entra ID does not
// look.
func TestSecretOfSomebodyElse(t *testing.T) {
	h := build(t)
	ada, bob := h.user(t, 1), h.user(t, 2)
	with := func(user cloud.UserID, op cloud.Op, serial string, seed int, before *cloud.OATH) cloud.Change {
		o := cloudtest.Generator(seed)
		o.Serial = serial
		c := cloud.Change{User: user, Op: op, Method: cloud.HardwareOATH, After: cloud.Value{OATH: o}}
		if before != nil {
			c.Before = cloud.Value{OATH: before}
		}
		return c
	}
	h.write(t, with(ada, cloud.Add, "A1", 1, nil), with(ada, cloud.Add, "A2", 2, nil), with(bob, cloud.Add, "B1", 3, nil))
	for what, c := range map[string]cloud.Change{"added": with(bob, cloud.Add, "B2", 1, nil), "given to another": with(bob, cloud.Update, "B1", 2, &h.read(t, bob).OATH[0].OATH)} {
		if r := h.Write(t.Context(), []cloud.Change{c})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Conflict || !strings.HasSuffix(r.Err.Error(), "another user, "+h.read(t, ada).UPN) {
			t.Errorf("%s: %+v", what, r)
		}
	}
	if u := h.read(t, bob); len(u.OATH) != 1 || u.OATH[0].Fingerprint == h.read(t, ada).OATH[0].Fingerprint {
		t.Errorf("%+v", u.OATH)
	}
	removed := cloud.Change{User: ada, Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: &h.read(t, ada).OATH[0].OATH}}
	h.write(t, removed, with(bob, cloud.Add, "B2", 1, nil)) // it is free
}

// An authenticator that the default method needs stays, whatever invitation is
// beside it; one that goes takes its generator with it at once.
func TestDefaultKeepsItsDevice(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	first := h.enrolled(t, id, "first")
	invited := h.invite(t, id)
	remove := func(device, state string) cloud.Change {
		c := invitation(id, cloud.Remove, state, "")
		c.ID = device
		return c
	}
	set := func(before, after cloud.Preference) cloud.Change {
		return cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue(string(before)), After: cloud.TextValue(string(after))}
	}
	stays := func(what string, c cloud.Change) {
		t.Helper()
		if r := h.Write(t.Context(), []cloud.Change{c})[0]; r.Outcome != cloud.Failed {
			t.Errorf("%s: %+v", what, r)
		}
		if u := h.read(t, id); len(u.OATH) != 1 || len(u.Authenticators) != 2 {
			t.Errorf("%s: %+v", what, u)
		}
	}
	if u := h.read(t, id); u.Default != cloud.Push {
		t.Fatalf("%+v", u)
	}
	stays("the last device", remove(first.got.Device, "active"))
	h.write(t, set(cloud.Push, cloud.OATHCode))
	stays("the last generator", remove(first.got.Device, "active"))
	h.write(t, set(cloud.OATHCode, cloud.Push))
	again := invitation(id, cloud.Update, "active", "invited")
	again.ID = first.got.Device
	stays("a device that is invited anew", again)
	s := engine.Subscription{Endpoint: endpoint, P256DH: b64u(first.public), Auth: b64u(bytes.Repeat([]byte{7}, 16))}
	denied(t, "an invitation that hears of pushes", h.Subscribe(t.Context(), id, invited, &s))

	if err := h.Activate(t.Context(), id, invited, "second"); err != nil {
		t.Fatal(err)
	}
	generator := cloud.Change{User: id, Op: cloud.Remove, Method: cloud.SoftwareOATH, ID: first.got.Device, Before: cloud.Value{OATH: &first.got.OATH}}
	r := h.Write(t.Context(), []cloud.Change{remove(first.got.Device, "active"), remove(first.got.Device, "active"), generator})
	if r[0].Outcome != cloud.Done || r[1].Outcome != cloud.Already || r[2].Outcome != cloud.Already {
		t.Errorf("one of two: %+v", r)
	}
}

// What a device keeps of its answers and its notices does not grow for ever.
func TestDeviceKeepsTheNewest(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	device := h.activate(t, id)
	full := []byte(`{"answers":[` + strings.Repeat(`{"challenge":"old"},`, 10) + `{"challenge":"last"}],"notices":[` + strings.Repeat(`{"id":"old"},`, 5) + `{"id":"last"}]}`)
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		devices, err := tx.Devices(id)
		if err != nil {
			return err
		}
		devices[0].Aside = full
		return tx.PutDevice(&devices[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	c := h.ask(t, id, nil)
	if _, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil {
		t.Fatal(err)
	}
	err = h.store.View(t.Context(), func(r engine.Reader) error {
		devices, err := r.Devices(id)
		if err != nil {
			return err
		}
		var kept struct {
			Answers []struct {
				Challenge cloud.ChallengeID
			}
			Notices []struct{ ID string }
		}
		if err := json.Unmarshal(devices[0].Aside, &kept); err != nil {
			return err
		}
		if a, n := kept.Answers, kept.Notices; len(a) != 10 || a[9].Challenge != c.ID || a[8].Challenge != "last" || len(n) != 5 || n[4].ID != "last" {
			return fmt.Errorf("%+v", kept)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A rename takes all of its names or none, and later changes of the call know the
// user by the new one. A bypass does not outlive that somebody is disabled.
func TestRenameInOneCall(t *testing.T) {
	h := build(t)
	id, other := h.user(t, 1), h.user(t, 2)
	account := func(id cloud.UserID, edit func(*cloud.Profile)) cloud.Change {
		before := h.read(t, id).Profile
		after := before
		edit(&after)
		return cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &before}, After: cloud.Value{Profile: &after}}
	}
	number := func(upn string, m cloud.Method) cloud.Change {
		return cloud.Change{UPN: upn, Op: cloud.Add, Method: m, After: cloud.TextValue("+1 4255550100")}
	}
	renamed := account(id, func(p *cloud.Profile) { p.UPN = "ada@contoso.example" })
	renamed.User, renamed.UPN = "", "user1@contoso.example"
	r := h.Write(t.Context(), []cloud.Change{renamed,
		number("ADA@contoso.example", cloud.Mobile), number("user1@contoso.example", cloud.Office)})
	if r[0].Outcome != cloud.Done || r[1].Outcome != cloud.Done || r[2].Outcome != cloud.Failed {
		t.Errorf("%+v", r)
	}
	if u := h.read(t, id); u.UPN != "ada@contoso.example" || u.Mobile == "" || u.Office != "" {
		t.Errorf("%+v", u)
	}
	taken := account(id, func(p *cloud.Profile) { p.Aliases = []string{"free", "user2@contoso.example"} })
	if r := h.Write(t.Context(), []cloud.Change{taken})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Conflict {
		t.Errorf("a name of somebody else: %+v", r)
	}
	h.write(t, account(other, func(p *cloud.Profile) { p.Aliases = []string{"free"} }))

	if err := h.AllowBypass(t.Context(), operator, id, "", h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.write(t, account(id, func(p *cloud.Profile) { p.Enabled = false }))
	h.write(t, account(id, func(p *cloud.Profile) { p.Enabled = true }))
	if x, err := h.Exceptions(t.Context(), id); err != nil || x.Bypass != nil {
		t.Errorf("%+v, %v", x, err)
	}
	if found, err := h.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: "ada@contoso.example"}, {Kind: cloud.ByName, Value: "free"}}); err != nil ||
		len(found[0]) != 1 || found[0][0] != id || len(found[1]) != 1 || found[1][0] != other {
		t.Errorf("by names that stayed: %v, %v", found, err)
	}
}

// A number gives way to another one whatever hangs on it; the last method of a
// default stays, and to sign in with a number ends with that number alone.
func TestNumberIsReplaced(t *testing.T) {
	h := build(t)
	id := h.fieldworker(t, 1, "+1 4255550100")
	change := func(op cloud.Op, m cloud.Method, before, after string) cloud.Change {
		return cloud.Change{User: id, Op: op, Method: m, Before: cloud.TextValue(before), After: cloud.TextValue(after)}
	}
	h.write(t, change(cloud.Add, cloud.Office, "", "+1 4255550101"), change(cloud.Add, cloud.AlternateMobile, "", "+1 4255550102"))
	if u := h.read(t, id); u.NumberSignIn != true {
		t.Errorf("another number came: %+v", u)
	}
	h.write(t, change(cloud.Update, cloud.Mobile, "+1 4255550100", "+1 4255550103"))
	if u := h.read(t, id); u.NumberSignIn || u.Mobile != "+1 4255550103" {
		t.Errorf("the number went: %+v", u)
	}
	h.write(t, change(cloud.Remove, cloud.AlternateMobile, "+1 4255550102", ""), change(cloud.Remove, cloud.Office, "+1 4255550101", ""),
		change(cloud.Set, cloud.DefaultMethod, "", string(cloud.SMS)), change(cloud.Update, cloud.Mobile, "+1 4255550103", "+1 4255550104"))
	if r := h.Write(t.Context(), []cloud.Change{change(cloud.Remove, cloud.Mobile, "+1 4255550104", "")})[0]; r.Outcome != cloud.Failed {
		t.Errorf("the number of the default went: %+v", r)
	}
	if u := h.read(t, id); u.Default != cloud.SMS || u.Mobile != "+1 4255550104" {
		t.Errorf("%+v", u)
	}
}
