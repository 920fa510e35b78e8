package storetest

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/tries"
)

// upkeepUsers are more than one transaction of a re-sealing looks at.
const upkeepUsers = 120

// logIn tries the code that user i's generator shows now.
func (n *node) logIn(t *testing.T, i int) cloud.Challenge {
	t.Helper()
	c, err := n.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: name(i)}, Tries: 1,
		Client: cloud.Client{App: "vpn", Station: "here"}, Code: cloudtest.Code(cloudtest.Seed(i), cloudtest.Generator(i), n.clock.Now())})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// intact tells that every secret opens and that the audit is as it was written.
func (n *node) intact(t *testing.T) engine.KeyUse {
	t.Helper()
	use, err := n.CheckKeys(t.Context())
	if err != nil || use.Failed > 0 {
		t.Errorf("keys: %+v, %v", use, err)
	}
	if found, err := n.VerifyAudit(t.Context()); err != nil || len(found.Flaws) > 0 {
		t.Errorf("the audit: %+v, %v", found.Flaws, err)
	}
	return use
}

// A key is rotated by one node while another one goes on; in the end nothing
// needs the old one.
func keysRotate(t *testing.T, p Place) {
	path := filepath.Join(t.TempDir(), "engine.key")
	if err := p.Key.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.Key, err = seal.LoadKey("file:" + path); err != nil {
		t.Fatal(err)
	}
	both := p.nodes(t, 2)
	rotates, works := both[0], both[1]
	for i := range upkeepUsers {
		rotates.enrol(t, i)
	}
	file, err := seal.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := file.Primary()
	if _, err := file.Stage(); err != nil {
		t.Fatal(err)
	}
	if err := file.Promote(); err != nil {
		t.Fatal(err)
	}
	if c := works.logIn(t, 0); c.State != cloud.Approved {
		t.Errorf("between two keys: %+v", c)
	}
	if _, err := rotates.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	gone, err := rotates.RetireKeys(t.Context(), operator)
	if err != nil || len(gone) != 1 || gone[0] != old {
		t.Fatalf("retired %v, %v", gone, err)
	}
	if err := file.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if use := works.intact(t); use.Of(old) != 0 || use.Of(use.Primary) < upkeepUsers {
		t.Errorf("at the end: %+v", use)
	}
	if c := works.logIn(t, 1); c.State != cloud.Approved {
		t.Errorf("with the new key: %+v", c)
	}
}

// Who is erased is gone on all nodes, the audit holds, and a code that was used
// stays used when the generator comes again.
func personGoes(t *testing.T, p Place) {
	both := p.nodes(t, 2)
	id := both[0].enrol(t, 0)
	both[0].enrol(t, 1)
	if c := both[1].logIn(t, 0); c.State != cloud.Approved {
		t.Fatalf("%+v", c)
	}
	both[0].hold(t, id)
	done, err := both[0].ErasePerson(t.Context(), operator, id)
	if err != nil || done.Entries == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := both[1].Show(t.Context(), name(0)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("on the other node: %v", err)
	}
	for entry, err := range both[1].Audit(t.Context(), 0) {
		if err != nil || entry.Subject == string(id) {
			t.Errorf("the audit leads to the person: %+v, %v", entry, err)
		}
	}
	if left := both[1].held(t, id); len(left) > 0 {
		t.Errorf("what is left: %v", left)
	}
	both[1].intact(t)
	both[1].enrol(t, 0)
	if c := both[0].logIn(t, 0); c.State == cloud.Approved {
		t.Error("a code that was used is taken again")
	}
	if c := both[0].logIn(t, 1); c.State != cloud.Approved {
		t.Errorf("the neighbour: %+v", c)
	}
}

// hold keeps of a user what ends by itself.
func (n *node) hold(t *testing.T, id cloud.UserID) {
	t.Helper()
	update(t, n.store, func(tx engine.Tx) error {
		return errors.Join(tx.PutSlip(&engine.Slip{ID: "grant/x", User: id, Data: []byte("{}"), Until: n.clock.Now().Add(time.Hour)}),
			tx.PutFlight(&engine.Flight{ID: "f", User: id, Due: n.clock.Now(), State: []byte("{}")}), tx.PutReceipt("receipt", "f"),
			tx.PutDevice(&engine.Device{User: id, ID: "d", Name: "phone", State: "active", Key: []byte{4}, Aside: []byte("{}")}),
			tx.PutFailures(tries.Counter{User: string(id), Way: "oath", Place: "here"}, tries.Failures{Count: 1, Last: n.clock.Now()}))
	})
}

// held says what is left of it.
func (n *node) held(t *testing.T, id cloud.UserID) (left []string) {
	t.Helper()
	err := n.store.View(t.Context(), func(r engine.Reader) error {
		slips, err := r.SlipsOf(id)
		flight, err2 := r.Flight("f")
		landed, err3 := r.FlightOf("receipt")
		devices, err4 := r.Devices(id)
		failures, err5 := r.FailuresOf(string(id))
		user, err6 := r.User(id)
		for what, is := range map[string]bool{"slips": len(slips) > 0, "a message": flight != nil, "a receipt": landed != nil, "devices": len(devices) > 0,
			"failures": len(failures) > 0, "the user": user != nil} {
			if is {
				left = append(left, what)
			}
		}
		return errors.Join(err, err2, err3, err4, err5, err6)
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// A store that was brought back takes no code that could have been used before,
// nothing that was open is left, and everything works again after a while.
func broughtBack(t *testing.T, p Place) {
	n := p.nodes(t, 1)[0]
	for i := range 2 {
		n.enrol(t, i)
	}
	n.logIn(t, 0) // a generator that was used, and one that never was
	open, err := n.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: name(0)}, Tries: 3, Client: cloud.Client{App: "vpn", Station: "here"}})
	if err != nil || open.State != cloud.Pending {
		t.Fatalf("%+v, %v", open, err)
	}
	first, err := n.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: name(0)}})
	if err != nil {
		t.Fatal(err)
	}
	n.hold(t, first[0][0])
	if err := n.RequirePIN(t.Context(), operator, first[0][0], true, false); err != nil {
		t.Fatal(err)
	}
	r, err := engine.Restore(t.Context(), engine.Config{Store: n.store, Key: p.Key, Now: n.clock.Now}, operator)
	if err != nil {
		t.Fatal(err)
	}
	left := n.held(t, first[0][0])
	slices.Sort(left)
	if want := []string{"devices", "failures", "the user"}; !slices.Equal(left, want) {
		t.Errorf("what is left: %v, want %v", left, want)
	}
	if o, err := n.Owned(t.Context(), first[0][0]); err != nil || !o.PIN {
		t.Errorf("nobody asks for a PIN any more: %+v, %v", o, err)
	}
	n.clock.Advance(30 * time.Second)
	for i := range 2 {
		if c := n.logIn(t, i); c.State == cloud.Approved {
			t.Errorf("user %d: a code of the window is taken", i)
		}
	}
	if ds, err := n.Look(t.Context(), []cloud.ChallengeID{open.ID}); err != nil || ds[0].State != cloud.Expired {
		t.Errorf("what was open: %+v, %v", ds, err)
	}
	n.clock.Advance(r.Unproven.Sub(n.clock.Now()) + time.Minute)
	for i := range 2 {
		if c := n.logIn(t, i); c.State != cloud.Approved {
			t.Errorf("user %d after %v: %+v", i, r.Unproven, c)
		}
	}
	n.intact(t)
}
