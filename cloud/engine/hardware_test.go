package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// shelf is a house that rehearses Entra ID, with two users and an inventory.
type shelf struct {
	*house
	ada, bob cloud.UserID
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	h := rehearsal(t, engine.Assumptions{Activates: true})
	return &shelf{h, h.user(t, 1), h.user(t, 2)}
}

// add puts the token n into the inventory.
func (h *shelf) add(t *testing.T, n int, user cloud.UserID) engine.Hardware {
	t.Helper()
	o := hardware(n)
	d, err := h.AddHardware(t.Context(), "desk", engine.Hardware{Serial: o.Serial, Manufacturer: o.Manufacturer, Model: o.Model, Name: o.Name,
		Algorithm: o.Algorithm, Period: o.Period, User: user}, o.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stands checks how a token stands, and what of it its users have.
func (h *shelf) stands(t *testing.T, id, stage string, user cloud.UserID) {
	t.Helper()
	d, err := h.Hardware(t.Context(), id, "")
	if err != nil || d.Stage != stage || d.User != user {
		t.Errorf("%+v, %v; want it %s of %q", d, err, stage, user)
	}
	for _, u := range []cloud.UserID{h.ada, h.bob} {
		all, err := h.HardwareOf(t.Context(), u)
		if err != nil || (len(all) == 1 && all[0] == d) != (u == user) || len(all) > 1 {
			t.Errorf("of %s: %+v, %v", u, all, err)
		}
	}
}

func (h *shelf) is(t *testing.T, what string, err error, want cloud.Kind) {
	t.Helper()
	if err == nil || cloud.KindOf(err) != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// code is what the token n shows now.
func (h *shelf) code(n int) secret.Bytes {
	return cloudtest.Code(hardware(n).Secret.Reveal(), hardware(n), h.Now())
}

// A token of the inventory is one user's from its assignment on, verifies from its
// activation on, and goes back.
func TestHardwareOfTheInventory(t *testing.T) {
	h := newShelf(t)
	d := h.add(t, 1, h.ada)
	h.stands(t, d.ID, engine.HardwareAssigned, h.ada)
	if same, err := h.Hardware(t.Context(), "", strings.ToLower(d.Serial)); err != nil || same.ID != d.ID {
		t.Errorf("by its serial number: %+v, %v", same, err)
	}
	h.login(t, h.ada, hardware(1), cloud.Refused, cloud.NoMethod)
	edit := func(d *engine.Hardware) { d.Name, d.Serial, d.User = "blue", "other", h.bob }
	h.is(t, "edited while somebody has it", h.EditHardware(t.Context(), "desk", d.ID, edit), cloud.Conflict)
	h.is(t, "assigned twice", h.AssignHardware(t.Context(), "desk", d.ID, h.bob), cloud.Conflict)
	h.is(t, "removed while somebody has it", h.RemoveHardware(t.Context(), "desk", d.ID), cloud.Conflict)
	h.is(t, "activated by another user", h.ActivateHardware(t.Context(), "desk", d.ID, h.bob, h.code(1), ""), cloud.NotFound)
	h.is(t, "deactivated before it is active", h.DeactivateHardware(t.Context(), "desk", d.ID, h.ada), cloud.Invalid)
	h.is(t, "activated by the code of another", h.ActivateHardware(t.Context(), "desk", d.ID, h.ada, h.code(2), ""), cloud.Invalid)
	h.stands(t, d.ID, engine.HardwareFailed, h.ada)
	if err := h.ActivateHardware(t.Context(), "desk", d.ID, h.ada, h.code(1), "red"); err != nil {
		t.Fatal(err)
	}
	h.stands(t, d.ID, engine.HardwareActivated, h.ada)
	h.is(t, "activated twice", h.ActivateHardware(t.Context(), "desk", d.ID, h.ada, h.code(1), ""), cloud.Conflict)
	h.login(t, h.ada, hardware(1), cloud.Refused, cloud.UsedCode) // by the activation
	h.Advance(time.Minute)
	h.login(t, h.ada, hardware(1), cloud.Approved, "")
	h.is(t, "deactivated by another user", h.DeactivateHardware(t.Context(), "desk", d.ID, h.bob), cloud.NotFound)
	if err := h.DeactivateHardware(t.Context(), "desk", d.ID, h.ada); err != nil {
		t.Fatal(err)
	}
	h.stands(t, d.ID, engine.HardwareAssigned, h.ada)
	h.Advance(time.Minute)
	h.login(t, h.ada, hardware(1), cloud.Refused, cloud.NoMethod)
	h.is(t, "taken from another user", h.UnassignHardware(t.Context(), "desk", d.ID, h.bob), cloud.NotFound)
	if err := h.UnassignHardware(t.Context(), "desk", d.ID, h.ada); err != nil {
		t.Fatal(err)
	}
	h.stands(t, d.ID, engine.HardwareAvailable, "")
	if err := h.EditHardware(t.Context(), "desk", d.ID, edit); err != nil {
		t.Fatal(err)
	}
	if now, err := h.Hardware(t.Context(), d.ID, ""); err != nil || now.Name != "blue" || now.Serial != d.Serial || now.User != "" {
		t.Errorf("edited: %+v, %v", now, err)
	}
	h.is(t, "edited into no token", h.EditHardware(t.Context(), "desk", d.ID, func(d *engine.Hardware) { d.Period = 7 }), cloud.Invalid)
	h.is(t, "edited into one that the target has not", h.EditHardware(t.Context(), "desk", d.ID, func(d *engine.Hardware) { d.Algorithm = cloud.SHA512 }), cloud.Invalid)
	if err := h.RemoveHardware(t.Context(), "desk", d.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{d.ID, "", "none", strings.Repeat("x", 65)} {
		_, err := h.Hardware(t.Context(), id, "")
		h.is(t, "what is not there", err, cloud.NotFound)
		h.is(t, "what is not there, assigned", h.AssignHardware(t.Context(), "desk", id, h.ada), cloud.NotFound)
	}
	again := h.add(t, 1, "")
	if again.ID == d.ID {
		t.Error("the id comes again")
	}
	for n := range 6 { // one more than a user can have methods: what was had does not count
		d := h.add(t, 10+n, h.bob)
		if err := errors.Join(h.UnassignHardware(t.Context(), "desk", d.ID, h.bob), h.AssignHardware(t.Context(), "desk", d.ID, h.ada),
			h.UnassignHardware(t.Context(), "desk", d.ID, h.ada)); err != nil {
			t.Fatal(err)
		}
	}
	if all := h.entriesOf(t, "hardware.activate"); len(all) != 2 || all[1].Actor != "desk" || all[1].Subject != string(h.ada) || all[1].Detail != "device="+d.ID+" stage=activated" {
		t.Errorf("the audit: %+v", all)
	}
}

// A token does not remember whose it was once that person is gone.
func TestHardwareForgetsWhoIsGone(t *testing.T) {
	h := newShelf(t)
	assigned, active, removed := h.add(t, 1, h.ada), h.add(t, 2, h.ada), h.add(t, 3, h.bob)
	if err := h.ActivateHardware(t.Context(), "desk", active.ID, h.ada, h.code(2), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ErasePerson(t.Context(), operator, h.ada); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ErasePerson(t.Context(), operator, h.bob); err != nil {
		t.Fatal(err)
	}
	for _, d := range []engine.Hardware{assigned, active, removed} {
		h.stands(t, d.ID, engine.HardwareAvailable, "")
		err := h.Keep(t.Context(), "hardware/"+d.ID, func(kept secret.Bytes) (secret.Bytes, error) {
			if text := string(kept.Reveal()); strings.Contains(text, string(h.ada)) || strings.Contains(text, string(h.bob)) || !strings.Contains(text, d.ID) {
				t.Error("what is kept of a token names who is gone")
			}
			return secret.Bytes{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is done to a user past the inventory counts there, too.
func TestHardwareFollowsItsUser(t *testing.T) {
	h := newShelf(t)
	active, assigned := h.add(t, 1, h.ada), h.add(t, 2, h.bob)
	if err := h.ActivateHardware(t.Context(), "desk", active.ID, h.ada, h.code(1), ""); err != nil {
		t.Fatal(err)
	}
	h.write(t, cloud.Change{User: h.ada, Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: hardware(1)}})
	if _, err := h.ErasePerson(t.Context(), operator, h.bob); err != nil {
		t.Fatal(err)
	}
	h.leavesNothing(t, "hardware-user/"+string(h.bob))
	h.stands(t, active.ID, engine.HardwareAvailable, "")
	h.stands(t, assigned.ID, engine.HardwareAvailable, "")
	if err := h.AssignHardware(t.Context(), "desk", assigned.ID, h.ada); err != nil {
		t.Fatal(err)
	}
	h.stands(t, assigned.ID, engine.HardwareAssigned, h.ada)
	h.leavesNothing(t, "hardware-user/"+string(h.bob))

	h.write(t, cloud.Change{User: h.ada, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(3)}})
	all, err := h.HardwareOf(t.Context(), h.ada)
	if err != nil || len(all) != 2 || all[1].Serial != hardware(3).Serial || all[1].Stage != engine.HardwareActivated || all[1].User != h.ada || all[1].Model != "token" || all[1].Period != 30 {
		t.Fatalf("with one that never was in the inventory: %+v, %v", all, err)
	}
	if err := h.UnassignHardware(t.Context(), "desk", all[1].ID, h.ada); err != nil {
		t.Error(err)
	}
	h.stands(t, assigned.ID, engine.HardwareAssigned, h.ada)
	first, err := h.HardwareAfter(t.Context(), "", 1)
	if err != nil || len(first) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := h.HardwareAfter(t.Context(), first[0].ID, 2)
	if err != nil || len(rest) != 1 || rest[0].ID == first[0].ID {
		t.Errorf("%+v, %v", rest, err)
	}
}

// What is no token of the target is not taken.
func TestHardwareIsRefused(t *testing.T) {
	h := newShelf(t)
	h.add(t, 1, "")
	for name, c := range map[string]struct {
		edit func(*engine.Hardware)
		kind cloud.Kind
	}{
		"its serial number again": {func(d *engine.Hardware) { d.Serial = strings.ToLower(hardware(1).Serial) }, cloud.Conflict},
		"no serial number":        {func(d *engine.Hardware) { d.Serial = "" }, cloud.Invalid},
		"no manufacturer":         {func(d *engine.Hardware) { d.Manufacturer = "" }, cloud.Invalid},
		"no model":                {func(d *engine.Hardware) { d.Model = "" }, cloud.Invalid},
		"a strange period":        {func(d *engine.Hardware) { d.Period = 45 }, cloud.Invalid},
		"SHA512":                  {func(d *engine.Hardware) { d.Algorithm = cloud.SHA512 }, cloud.Invalid},
		"of nobody":               {func(d *engine.Hardware) { d.User = "nobody" }, cloud.NotFound},
	} {
		d := engine.Hardware{Serial: "S2", Manufacturer: "mfabridge", Model: "token", Algorithm: cloud.SHA1, Period: 30}
		c.edit(&d)
		_, err := h.AddHardware(t.Context(), "desk", d, hardware(2).Secret)
		h.is(t, name, err, c.kind)
	}
	if all, err := h.HardwareAfter(t.Context(), "", 10); err != nil || len(all) != 1 {
		t.Errorf("the inventory: %+v, %v", all, err)
	}
	plain := build(t)
	h.is(t, "a store of the engine's own kind", plain.AssignHardware(t.Context(), "desk", "x", plain.user(t, 1)), cloud.Unsupported)
}
