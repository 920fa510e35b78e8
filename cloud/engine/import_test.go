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

func newcomer(upn string, edit func(*engine.Newcomer)) engine.Newcomer {
	n := engine.Newcomer{Profile: cloud.Profile{UPN: upn, Enabled: true}}
	if edit != nil {
		edit(&n)
	}
	return n
}

func (h *house) imports(t *testing.T, want engine.Imported, users ...engine.Newcomer) []engine.ImportResult {
	t.Helper()
	results := h.ImportUsers(t.Context(), operator, users)
	for i, r := range results {
		if r.Err != nil || r.Outcome != want {
			t.Fatalf("%s: %s, %v, want %s", users[i].Profile.UPN, r.Outcome, r.Err, want)
		}
	}
	return results
}

func TestImport(t *testing.T) {
	for _, kind := range []engine.Kind{engine.KindEngine, engine.KindEntra} {
		t.Run(string(kind), func(t *testing.T) {
			h := buildAs(t, engine.Setup{Kind: kind})
			users := []engine.Newcomer{
				newcomer("ada@contoso.example", func(n *engine.Newcomer) {
					n.Sam, n.Profile.SID, n.Roles, n.Groups = "ada", "S-1-5-21-1-2-3-1", []string{"Global Administrator"}, []string{"Staff", "Admins"}
				}),
				newcomer("guest_fabrikam.example#EXT#@contoso.example", func(n *engine.Newcomer) { n.Guest = true }),
				newcomer("bob@contoso.example", func(n *engine.Newcomer) { n.Groups, n.Roles = []string{"staff"}, []string{"Helpdesk Administrator"} }),
			}
			ids := h.imports(t, engine.ImportMade, users...)
			entries := len(h.actions(t))
			h.imports(t, engine.ImportSame, users...)
			if len(h.actions(t)) != entries {
				t.Error("an import that changed nothing stands in the audit")
			}
			ada, guest, bob := h.read(t, ids[0].ID), h.read(t, ids[1].ID), h.read(t, ids[2].ID)
			if !ada.Privileged || !ada.GlobalAdmin || ada.Guest || !bob.Privileged || bob.GlobalAdmin || !guest.Guest || !guest.External || guest.Privileged {
				t.Errorf("classes: %+v, %+v, %+v", ada, guest, bob)
			}
			for i, role := range []string{"global administrator", "Company Administrator", "62E90394-69F5-4237-9190-012177145E10", "Global Reader"} {
				made := h.imports(t, engine.ImportMade, newcomer(fmt.Sprintf("admin%d@contoso.example", i), func(n *engine.Newcomer) { n.Roles = []string{role} }))
				if u := h.read(t, made[0].ID); !u.Privileged || u.GlobalAdmin != (i < 3) {
					t.Errorf("%s: %+v", role, u)
				}
			}
			if (len(ada.Aliases) == 1) != (kind == engine.KindEngine) || ada.SID == "" {
				t.Errorf("names: %+v", ada.Profile)
			}
			if found, err := h.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: "ADA"}}); err != nil || len(found[0]) != 1 {
				t.Errorf("by sAMAccountName: %v, %v", found, err)
			}
			if got := h.members(t, "STAFF"); !slices.Equal(got, []cloud.UserID{ada.ID, bob.ID}) {
				t.Errorf("staff: %v", got)
			}
			users[2].Roles, users[2].Profile.Enabled = nil, false
			h.imports(t, engine.ImportChanged, users[2])
			if bob = h.read(t, bob.ID); bob.Privileged || bob.Enabled {
				t.Errorf("changed: %+v", bob)
			}
		})
	}
}

func TestImportRefusesOneAtATime(t *testing.T) {
	h := build(t)
	clash := newcomer("eve@contoso.example", func(n *engine.Newcomer) { n.Sam = "ada@contoso.example" })
	results := h.ImportUsers(t.Context(), operator, []engine.Newcomer{
		newcomer("ada@contoso.example", nil), clash,
		newcomer("sid@contoso.example", func(n *engine.Newcomer) { n.Profile.SID = "x" }),
		newcomer("role@contoso.example", func(n *engine.Newcomer) { n.Roles = []string{"a\nb"} }),
		newcomer("groups@contoso.example", func(n *engine.Newcomer) { n.Groups = slices.Repeat([]string{"g"}, 101) }),
		newcomer("bob@contoso.example", nil),
	})
	for i, kind := range map[int]cloud.Kind{1: cloud.Conflict, 2: cloud.Invalid, 3: cloud.Invalid, 4: cloud.Invalid} {
		if r := results[i]; r.Err == nil || cloud.KindOf(r.Err) != kind || r.ID != "" {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	if results[0].Err != nil || results[5].Err != nil {
		t.Errorf("good rows: %v, %v", results[0].Err, results[5].Err)
	}
	if _, err := h.Show(t.Context(), "eve@contoso.example"); err == nil {
		t.Error("a refused user is there")
	}
	for name, r := range map[string]engine.ImportResult{
		"too many": h.ImportUsers(t.Context(), operator, make([]engine.Newcomer, engine.MaxImport+1))[0],
		"nobody":   h.ImportUsers(t.Context(), engine.Actor{}, []engine.Newcomer{newcomer("x@contoso.example", nil)})[0],
	} {
		if r.Err == nil || cloud.KindOf(r.Err) != cloud.Invalid {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Whoever is to be in more groups than every question about them reads stays in
// those that they are in: a policy that leaves one of the groups out would be
// asked about the others only.
func TestImportIntoTooManyGroups(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	upn := h.read(t, id).UPN
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		for n := range 999 {
			if _, err := tx.AddMember(fmt.Sprintf("0 made up %d", n), engine.MemberUser, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.group(t, "Leavers")
	h.policy(t, engine.PolicySoftwareOATH, engine.MethodPolicy{Enabled: true, Exclude: []string{"Leavers"}})
	many := newcomer(upn, func(n *engine.Newcomer) { n.Groups = []string{"one", "two", "three", "Leavers"} })
	if r := h.ImportUsers(t.Context(), operator, []engine.Newcomer{many})[0]; cloud.KindOf(r.Err) != cloud.Invalid || r.ID != id {
		t.Errorf("into 1003 groups: %+v", r)
	}
	if n := len(h.parents(t, id)); n != 999 {
		t.Errorf("in %d groups after it was refused", n)
	}
	h.imports(t, engine.ImportChanged, newcomer(upn, func(n *engine.Newcomer) { n.Groups = []string{"Leavers"} }))
	if c := h.ask(t, id, nil); c.Reason != cloud.NotAllowed {
		t.Errorf("who is left out: %+v", c)
	}
}

// Groups that do not fit into an answer are no groups that rules could rest on.
func TestRulesOnMoreGroupsThanAreRead(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	app := h.shop(t)
	last := h.group(t, "last")
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		for n := range 11 {
			inner := fmt.Sprintf("0 made up %d", n)
			if _, err := tx.AddMember(inner, engine.MemberUser, string(id)); err != nil {
				return err
			}
			for k := range 1000 {
				if _, err := tx.AddMember(fmt.Sprintf("0 made up %d %d", n, k), engine.MemberGroup, inner); err != nil {
					return err
				}
			}
		}
		_, err := tx.AddMember(last, engine.MemberGroup, "0 made up 10 999")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetAccessRule(t.Context(), operator, access.Rule{Name: "last", State: access.On, Grant: access.GrantBlock, Groups: []string{"last"}}); err != nil {
		t.Fatal(err)
	}
	if _, v, err := h.TestAccess(t.Context(), id, app.ID, engine.NativeClient{}, nil); err == nil && v.Grant != access.GrantBlock {
		t.Errorf("a rule on a group that was not read: %+v", v)
	}
}

func (h *house) parents(t *testing.T, id cloud.UserID) (groups []string) {
	t.Helper()
	err := h.store.View(t.Context(), func(r engine.Reader) (err error) {
		groups, err = r.Parents(string(id), 100_000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestPreflight(t *testing.T) {
	checksOf := func(h *house) map[string]cloud.CheckResult {
		t.Helper()
		before := len(h.actions(t))
		checks, err := h.Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		results := map[string]cloud.CheckResult{}
		for _, c := range checks {
			results[c.Name] = c.Result
			if (c.Result == cloud.CheckPassed) != (c.Action == "") || c.Detail == "" {
				t.Errorf("check %+v", c)
			}
		}
		if len(h.actions(t)) != before {
			t.Error("a preflight stands in the audit")
		}
		return results
	}
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(1)}})
	got := checksOf(h)
	for name, want := range map[string]cloud.CheckResult{"schema": cloud.CheckPassed, "writable": cloud.CheckPassed, "clock": cloud.CheckPassed,
		"key": cloud.CheckPassed, "policy.sms": cloud.CheckPassed, "telephony.sms": cloud.CheckWarning, "telephony.voice": cloud.CheckWarning} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{})
	err := h.store.Update(t.Context(), func(tx engine.Tx) error {
		tokens, err := tx.Tokens(id)
		if err != nil {
			return err
		}
		tokens[0].Sealed = []byte("not sealed")
		return tx.PutToken(&tokens[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Advance(-3600e9)
	got = checksOf(h)
	for name, want := range map[string]cloud.CheckResult{"clock": cloud.CheckBlocker, "key": cloud.CheckBlocker, "policy.sms": cloud.CheckWarning} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if got := checksOf(rehearsal(t, engine.Assumptions{})); got["oath.activation"] != cloud.CheckUnknown || got["telephony"] != cloud.CheckWarning {
		t.Errorf("a rehearsal: %v", got)
	}
	checks, err := h.Preflight(t.Context())
	if err != nil || strings.Contains(checks[3].Detail, "not sealed") {
		t.Errorf("%+v, %v", checks, err)
	}
}
