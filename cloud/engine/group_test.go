package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
)

func (h *house) group(t testing.TB, name string) string {
	t.Helper()
	id, err := h.AddGroup(t.Context(), operator, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h *house) join(t testing.TB, group string, users ...cloud.UserID) {
	t.Helper()
	for _, u := range users {
		if err := h.AddUserToGroup(t.Context(), operator, group, u); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *house) within(t testing.TB, group, inner string) {
	t.Helper()
	if err := h.AddGroupToGroup(t.Context(), operator, group, inner); err != nil {
		t.Fatal(err)
	}
}

func (h *house) members(t testing.TB, group string) (ids []cloud.UserID) {
	t.Helper()
	for id, err := range h.Members(t.Context(), group) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestMembersOfNestedGroups(t *testing.T) {
	h := build(t)
	a, b, c := h.user(t, 1), h.user(t, 2), h.user(t, 3)
	staff, office, empty := h.group(t, "Staff"), h.group(t, "Office"), h.group(t, "Empty")
	h.within(t, staff, office)
	h.within(t, staff, empty)
	h.join(t, staff, a, b)
	h.join(t, "OFFICE", b, c)
	board := h.group(t, "Board") // the first of all is in the inner one
	h.within(t, board, office)
	h.join(t, board, c)
	if got := h.members(t, "board"); !slices.Equal(got, []cloud.UserID{b, c}) {
		t.Errorf("members of the board: %v", got)
	}
	if got := h.members(t, "staff"); !slices.Equal(got, []cloud.UserID{a, b, c}) {
		t.Errorf("members of staff: %v", got)
	}
	if got := h.members(t, office); !slices.Equal(got, []cloud.UserID{b, c}) {
		t.Errorf("members of office: %v", got)
	}
	if got := h.members(t, empty); len(got) != 0 {
		t.Errorf("members of an empty group: %v", got)
	}
	for _, err := range h.Members(t.Context(), "nobody's") {
		if err == nil || cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("an unknown group: %v", err)
		}
	}
	h.write(t, cloud.Change{User: c, Op: cloud.Remove, Method: cloud.Account, Before: cloud.Value{Profile: &h.readp(t, c).Profile}})
	if got := h.members(t, office); !slices.Equal(got, []cloud.UserID{b}) {
		t.Errorf("a removed user is still a member: %v", got)
	}
	for range h.Members(t.Context(), "staff") {
		break // who stops listening is left alone
	}
}

func (h *house) readp(t testing.TB, id cloud.UserID) *cloud.User {
	t.Helper()
	users, err := h.Read(t.Context(), []cloud.UserID{id})
	if err != nil {
		t.Fatal(err)
	}
	return &users[0]
}

func TestGroupsRefuse(t *testing.T) {
	h := build(t)
	a := h.user(t, 1)
	outer, inner := h.group(t, "outer"), h.group(t, "inner")
	h.within(t, outer, inner)
	h.join(t, inner, a)
	h.join(t, inner, a) // again changes nothing
	for name, c := range map[string]struct {
		err  error
		kind cloud.Kind
	}{
		"the name again":     {secondOf(h.AddGroup(t.Context(), operator, "OUTER")), cloud.Conflict},
		"no name":            {secondOf(h.AddGroup(t.Context(), operator, "")), cloud.Invalid},
		"a cycle":            {h.AddGroupToGroup(t.Context(), operator, inner, outer), cloud.Conflict},
		"a group in itself":  {h.AddGroupToGroup(t.Context(), operator, inner, "inner"), cloud.Conflict},
		"an unknown user":    {h.AddUserToGroup(t.Context(), operator, inner, "nobody"), cloud.NotFound},
		"an unknown group":   {h.AddUserToGroup(t.Context(), operator, "nowhere", a), cloud.NotFound},
		"no member":          {h.RemoveFromGroup(t.Context(), operator, outer, engine.MemberUser, string(a)), cloud.NotFound},
		"nobody does it":     {h.RemoveGroup(t.Context(), engine.Actor{}, outer), cloud.Invalid},
		"nothing to removed": {h.RemoveGroup(t.Context(), operator, "nowhere"), cloud.NotFound},
	} {
		if c.err == nil || cloud.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if err := h.RemoveFromGroup(t.Context(), operator, outer, engine.MemberGroup, "INNER"); err != nil {
		t.Fatal(err)
	}
	if got := h.members(t, outer); len(got) != 0 {
		t.Errorf("members after the inner group left: %v", got)
	}
	if err := h.RemoveGroup(t.Context(), operator, "inner"); err != nil {
		t.Fatal(err)
	}
	h.group(t, "inner") // the name is free
}

// A group that something names stays: a rule of access without its group would be
// one for everybody, or for nobody. One that goes is in no other any more.
func TestNamedGroupStays(t *testing.T) {
	h := build(t)
	a := h.user(t, 1)
	outer, inner := h.group(t, "outer"), h.group(t, "inner")
	h.within(t, outer, inner)
	h.join(t, inner, a)
	for name, rule := range map[string]access.Rule{
		"names":      {Name: "r", State: access.On, Grant: access.GrantMFA, Groups: []string{"inner"}},
		"leaves out": {Name: "r", State: access.On, Grant: access.GrantBlock, NotGroups: []string{"inner"}},
	} {
		if err := h.SetAccessRule(t.Context(), operator, rule); err != nil {
			t.Fatal(err)
		}
		if err := h.RemoveGroup(t.Context(), operator, "inner"); cloud.KindOf(err) != cloud.Conflict {
			t.Errorf("a rule %s it: %v", name, err)
		}
	}
	if err := h.RemoveAccessRule(t.Context(), operator, "r"); err != nil {
		t.Fatal(err)
	}
	names := func(direct bool) (all []string) {
		t.Helper()
		groups, err := h.GroupsOf(t.Context(), a, direct)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			all = append(all, g.Name)
		}
		return all
	}
	if direct, all := names(true), names(false); !slices.Equal(direct, []string{"inner"}) || !slices.Equal(all, []string{"inner", "outer"}) {
		t.Errorf("in %v, and with those around %v", direct, all)
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{Enabled: true, Include: []string{outer}})
	h.write(t, cloud.Change{User: a, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")})
	if c := h.ask(t, a, func(r *cloud.Request) { r.Method = cloud.SMS }); c.State != cloud.Pending {
		t.Errorf("of those whom policy allows texts: %+v", c)
	}
	if err := h.RemoveGroup(t.Context(), operator, "inner"); err != nil {
		t.Fatal(err)
	}
	if c := h.ask(t, a, func(r *cloud.Request) { r.Method = cloud.SMS }); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("without the group: %+v", c)
	}
	if all := names(false); len(all) != 0 {
		t.Errorf("in %v", all)
	}
	if ids, err := h.MembersAfter(t.Context(), outer, engine.MemberGroup, "", 10); err != nil || len(ids) != 0 {
		t.Errorf("within the outer one: %v, %v", ids, err)
	}
	if _, err := h.FindGroup(t.Context(), inner); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("it is there: %v", err)
	}
}

// Nobody is in more groups, and nothing has more groups within it, than every
// question about them reads.
func TestLimitsOfGroups(t *testing.T) {
	h := build(t)
	a := h.user(t, 1)
	last, outer := h.group(t, "last"), h.group(t, "outer")
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		for n := range 1000 {
			if _, err := tx.AddMember(fmt.Sprint("made up ", n), engine.MemberUser, string(a)); err != nil {
				return err
			}
			if _, err := tx.AddMember(outer, engine.MemberGroup, fmt.Sprint("made up ", n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddUserToGroup(t.Context(), operator, last, a); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("in 1001 groups: %v", err)
	}
	for _, err := range h.Members(t.Context(), outer) {
		if cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("1000 groups within one: %v", err)
		}
	}
	if err := h.RemoveFromGroup(t.Context(), operator, "outer", engine.MemberGroup, strings.Repeat("x", 1<<20)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a group of a long name: %v", err)
	}
	n := 0
	for _, err := range h.Groups(t.Context()) {
		if n++; err != nil || n > 2 {
			t.Fatalf("%d groups, %v", n, err)
		}
	}
	for range h.Groups(t.Context()) {
		break // who stops listening is left alone
	}
}

func secondOf(_ string, err error) error { return err }

// Members are read page by page over several groups, each user once.
func TestManyMembers(t *testing.T) {
	h := build(t)
	const users, groups = 1300, 3
	var changes []cloud.Change
	for n := range users {
		p := &cloud.Profile{UPN: fmt.Sprintf("u%05d@contoso.example", n), Enabled: true}
		changes = append(changes, cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}})
	}
	var ids []cloud.UserID
	for at := 0; at < users; at += 1000 {
		for _, r := range h.Write(t.Context(), changes[at:min(at+1000, users)]) {
			ids = append(ids, cloud.UserID(r.ID))
		}
	}
	all := h.group(t, "all")
	names := []string{all}
	for n := range groups {
		names = append(names, h.group(t, fmt.Sprint("part", n)))
		h.within(t, all, names[n+1])
	}
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		for i, id := range ids {
			for k := range groups {
				if i%(k+1) == 0 { // part0 has everybody
					if _, err := tx.AddMember(names[k+1], engine.MemberUser, string(id)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := h.members(t, all)
	seen := map[cloud.UserID]bool{}
	for _, id := range got {
		if seen[id] {
			t.Fatalf("user %s was listed twice", id)
		}
		seen[id] = true
	}
	if len(got) != users {
		t.Errorf("%d of %d members", len(got), users)
	}
}
