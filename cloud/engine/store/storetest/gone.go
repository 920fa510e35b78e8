package storetest

import (
	"errors"
	"slices"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/tries"
)

// membersGo: who is in a group is so once, and leaves it; a group takes its
// members with it, and stays a member of others until it leaves them.
func membersGo(t *testing.T, p Place) {
	s := p.opens(t)
	change := func(what string, do func(group string, kind engine.MemberKind, member string) (bool, error), group, member string, kind engine.MemberKind, want bool) {
		t.Helper()
		if changed, err := do(group, kind, member); err != nil || changed != want {
			t.Errorf("%s %s in %s: %v, %v", what, member, group, changed, err)
		}
	}
	update(t, s, func(tx engine.Tx) error {
		for _, id := range []string{"g", "h"} {
			if err := tx.PutGroup(&engine.Group{ID: id, Name: id, Created: epoch}); err != nil {
				return err
			}
		}
		change("add", tx.AddMember, "g", "ada", engine.MemberUser, true)
		change("add", tx.AddMember, "g", "ada", engine.MemberUser, false)
		change("add", tx.AddMember, "g", "bob", engine.MemberUser, true)
		change("add", tx.AddMember, "h", "ada", engine.MemberUser, true)
		change("add", tx.AddMember, "h", "g", engine.MemberGroup, true)
		change("remove", tx.RemoveMember, "g", "bob", engine.MemberGroup, false)
		change("remove", tx.RemoveMember, "g", "bob", engine.MemberUser, true)
		change("remove", tx.RemoveMember, "g", "bob", engine.MemberUser, false)
		return nil
	})
	see := func(want map[string][]string) {
		t.Helper()
		if err := s.View(t.Context(), func(r engine.Reader) error {
			for group, members := range want {
				users, err := r.MembersAfter(group, engine.MemberUser, "", 10)
				if err != nil {
					return err
				}
				groups, err := r.MembersAfter(group, engine.MemberGroup, "", 10)
				if got := append(users, groups...); err != nil || !slices.Equal(got, members) {
					t.Errorf("in %s are %q, %v", group, got, err)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	see(map[string][]string{"g": {"ada"}, "h": {"ada", "g"}})
	update(t, s, func(tx engine.Tx) error { return tx.RemoveGroup("g") })
	see(map[string][]string{"g": nil, "h": {"ada", "g"}})
	update(t, s, func(tx engine.Tx) error { return tx.LeaveAll("g") })
	see(map[string][]string{"h": {"ada"}})
	if err := s.View(t.Context(), func(r engine.Reader) error {
		g, err := r.Group("g")
		if g != nil {
			t.Errorf("it is still there: %+v", g)
		}
		h, more := r.Group("h")
		if h == nil || more != nil {
			t.Errorf("another one: %+v, %v", h, more)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// failuresGo: a count that is put to nothing is gone, and no other.
func failuresGo(t *testing.T, p Place) {
	s := p.opens(t)
	one, other := tries.Counter{User: "u", Way: "oath", Place: "here"}, tries.Counter{User: "u", Way: "oath"}
	update(t, s, func(tx engine.Tx) error {
		return errors.Join(tx.PutFailures(one, tries.Failures{Count: 1, Last: epoch}), tx.PutFailures(other, tries.Failures{Count: 2, Last: epoch}),
			tx.PutFailures(one, tries.Failures{}))
	})
	if err := s.View(t.Context(), func(r engine.Reader) error {
		left, err := r.FailuresOf("u")
		if len(left) != 1 || left[other].Count != 2 {
			t.Errorf("left: %v", left)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// appsGo: an application that is removed is nobody any more, and no other goes.
func appsGo(t *testing.T, p Place) {
	s := p.opens(t)
	update(t, s, func(tx engine.Tx) error {
		for _, name := range []string{"a", "b"} {
			if err := tx.PutApp(&engine.App{Name: name, Role: engine.RoleShim, Digest: []byte{1}}); err != nil {
				return err
			}
		}
		return tx.RemoveApp("a")
	})
	if err := s.View(t.Context(), func(r engine.Reader) error {
		a, err := r.App("a")
		if err != nil || a != nil {
			t.Errorf("%+v, %v", a, err)
		}
		all, err := r.Apps()
		if len(all) != 1 || all[0].Name != "b" {
			t.Errorf("left: %+v", all)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
