package engine_test

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

func invitation(id cloud.UserID, op cloud.Op, before, after string) cloud.Change {
	return cloud.Change{User: id, Op: op, Method: cloud.Authenticator, Before: cloud.Value{State: before}, After: cloud.Value{State: after}}
}

// An invitation lives 14 days, is made once, can be renewed when it is over,
// and can be revoked.
func TestInvitationLives(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	add := invitation(id, cloud.Add, "", "invited")
	h.write(t, add)
	first := h.read(t, id).Authenticators
	if len(first) != 1 || first[0].State != "invited" || !first[0].Until.Equal(h.Now().Add(14*24*time.Hour)) {
		t.Fatalf("invited: %+v", first)
	}
	if r := h.Write(t.Context(), []cloud.Change{add})[0]; r.Outcome != cloud.Already || r.ID != first[0].ID {
		t.Errorf("again: %+v", r)
	}
	h.Advance(14 * 24 * time.Hour)
	if a := h.read(t, id).Authenticators; len(a) != 1 || a[0].State != "expired" {
		t.Errorf("after 14 days: %+v", a)
	}
	if r := h.Write(t.Context(), []cloud.Change{add})[0]; r.Outcome != cloud.Outdated {
		t.Errorf("an invitation beside an expired one: %+v", r)
	}
	h.write(t, invitation(id, cloud.Update, "expired", "invited"))
	again := h.read(t, id).Authenticators
	if len(again) != 1 || again[0].ID != first[0].ID || again[0].State != "invited" || !again[0].Until.Equal(h.Now().Add(14*24*time.Hour)) {
		t.Errorf("renewed: %+v", again)
	}
	account := cloud.Change{User: id, Op: cloud.Remove, Method: cloud.Account, Before: cloud.Value{Profile: &h.readp(t, id).Profile}}
	if r := h.Write(t.Context(), []cloud.Change{account})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Conflict {
		t.Errorf("the account while an invitation is open: %+v", r)
	}
	h.write(t, invitation(id, cloud.Remove, "invited", ""))
	if a := h.read(t, id).Authenticators; len(a) != 0 {
		t.Errorf("revoked: %+v", a)
	}
	h.write(t, account)
}

func TestInvitationRefused(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for _, state := range []string{"active", "expired", "x"} {
		if r := h.Write(t.Context(), []cloud.Change{invitation(id, cloud.Add, "", state)})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Invalid {
			t.Errorf("made %s: %+v", state, r)
		}
	}
	for n := range 5 {
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n + 1)}})
	}
	if r := h.Write(t.Context(), []cloud.Change{invitation(id, cloud.Add, "", "invited")})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Invalid {
		t.Errorf("a sixth method: %+v", r)
	}
}

// Owners read since when a device is theirs: that is its activation, however
// long the invitation had been open.
func TestDeviceIsAsOldAsItsActivation(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, invitation(id, cloud.Add, "", "invited"))
	h.Advance(10 * 24 * time.Hour)
	if err := h.Activate(t.Context(), id, h.read(t, id).Authenticators[0].ID, "phone"); err != nil {
		t.Fatal(err)
	}
	me, err := h.Owned(t.Context(), id)
	if err != nil || len(me.Devices) != 1 || !me.Devices[0].Created.Equal(h.Now()) {
		t.Errorf("activated at %s: %+v, %v", h.Now(), me.Devices, err)
	}
}

// A device that is active is read, counts, and can be removed, on both kinds.
func TestActiveDevice(t *testing.T) {
	for _, kind := range []engine.Kind{engine.KindEngine, engine.KindEntra} {
		h := buildAs(t, engine.Setup{Kind: kind})
		id := h.user(t, 1)
		err := h.store.Update(t.Context(), func(tx engine.Tx) error {
			u, err := tx.User(id)
			if err != nil {
				return err
			}
			u.Devices = 1
			if err := tx.PutUser(u); err != nil {
				return err
			}
			return tx.PutDevice(&engine.Device{User: id, ID: "d1", Name: "phone", State: "active", Created: h.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
		if a := h.read(t, id).Authenticators; len(a) != 1 || a[0].State != "active" || a[0].Name != "phone" || !a[0].Until.IsZero() {
			t.Errorf("%s: %+v", kind, a)
		}
		for n := range 4 {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(n + 1)}})
		}
		if r := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.HardwareOATH,
			After: cloud.Value{OATH: hardware(9)}}})[0]; r.Outcome != cloud.Failed {
			t.Errorf("%s: a fifth generator beside an app: %+v", kind, r)
		}
		h.write(t, invitation(id, cloud.Remove, "active", ""))
		if a := h.read(t, id).Authenticators; len(a) != 0 {
			t.Errorf("%s: %+v", kind, a)
		}
	}
}
