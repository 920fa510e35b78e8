package engine_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/secret"
)

// known makes a user of whom the store knows all kinds of things.
func known(t *testing.T, h *house) cloud.UserID {
	t.Helper()
	id := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	for _, c := range []cloud.Change{
		{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.Value{Text: "+1 4255550100"}},
		{User: id, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}},
	} {
		if r := h.Write(t.Context(), []cloud.Change{c}); r[0].Outcome != cloud.Done {
			t.Fatalf("%+v", r[0])
		}
	}
	if _, err := h.AddGroup(t.Context(), operator, "staff"); err != nil {
		t.Fatal(err)
	}
	if err := h.AddUserToGroup(t.Context(), operator, "staff", id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.IssuePass(t.Context(), operator, id, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	login(t, h, id, codeAt(h.Now()))
	login(t, h, id, codeAt(h.Now().Add(-time.Hour)))
	return id
}

func TestExportPerson(t *testing.T) {
	h := build(t)
	id := known(t, h)
	other := registered(t, h, h.Engine, "bob@contoso.example", "S2")
	var b bytes.Buffer
	if err := h.ExportPerson(t.Context(), operator, id, &b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{`"upn":"ada@contoso.example"`, `"mobile":"+1 4255550100"`, `"serial":"S1"`, `"has_password":true`, `"name":"staff"`,
		`"type":"authenticator"`, `"type":"pass"`, `"type":"challenge"`, `"type":"failures"`, `"action":"verify.approved"`, `"action":"group.member.add"`, `"action":"person.export"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	for _, secret := range []string{"12345678901234567890", "GEZDGNBV", "argon2", string(other), "bob@"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in it", secret)
		}
	}
	if err := h.ExportPerson(t.Context(), operator, "nobody", &b); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// After an erasure nothing in the store's files leads to the person, and the
// audit holds.
func TestErasePerson(t *testing.T) {
	h := build(t)
	id := known(t, h)
	registered(t, h, h.Engine, "bob@contoso.example", "S2")
	if _, err := h.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := verified(t, h)
	done, err := h.ErasePerson(t.Context(), operator, id)
	if err != nil || done.Entries < 8 {
		t.Fatalf("%+v, %v", done, err)
	}
	r := verified(t, h)
	if len(r.Flaws) != 0 || r.Erased != int64(done.Entries) || r.Entries != before.Entries+1 {
		t.Errorf("%+v", r)
	}
	if _, err := h.Show(t.Context(), "ada@contoso.example"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("the user is there: %v", err)
	}
	if _, err := h.ErasePerson(t.Context(), operator, id); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("erased twice: %v", err)
	}
	actions := map[string]int{}
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Subject == done.Pseudonym {
			actions[entry.Action]++
		}
	}
	if actions["user.add"] != 1 || actions["verify.approved"] != 1 || actions["group.member.add"] != 1 || actions["person.erase"] != 1 {
		t.Errorf("what stays: %v", actions)
	}
	if err := h.store.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(h.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{string(id), "ada@contoso", "4255550100"} {
			if bytes.Contains(text, []byte(trace)) {
				t.Errorf("%s lingers in cloud.db%s", trace, suffix)
			}
		}
	}
	// The same token for somebody else: what was used stays used.
	again := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	if state, reason := login(t, h, again, codeAt(h.Now())); state == cloud.Approved || reason != cloud.UsedCode {
		t.Errorf("a used code: %s %s", state, reason)
	}
	// Whoever blanks entries by hand is found out.
	byHand(t, h.path, "UPDATE audit SET subject = '"+done.Pseudonym+"', detail = '', reason = '', "+
		"link = (SELECT CAST(substr(audit.link, 1, 48) || zeroblob(32) AS BLOB)) WHERE action = 'audit.checkpoint'")
	if r := verified(t, h); len(r.Flaws) == 0 {
		t.Error("an entry that was blanked by hand was not found")
	}
}

// Whoever logs in chooses what stands in the audit as where they came from: the id
// of somebody there, whom an erasure takes out, takes nothing out of what is said
// of others.
func TestErasureTakesNothingOfOthers(t *testing.T) {
	h := build(t)
	ada, bob := h.coded(t, 1), h.coded(t, 2)
	c := h.ask(t, bob, func(r *cloud.Request) { r.Client.Station, r.Code = string(ada), secret.FromString("x") })
	var b bytes.Buffer
	if err := h.ExportPerson(t.Context(), operator, ada, &b); err != nil || strings.Contains(b.String(), string(bob)) {
		t.Errorf("what is kept of ada speaks of bob: %v", err)
	}
	if _, err := h.ErasePerson(t.Context(), operator, ada); err != nil {
		t.Fatal(err)
	}
	if all := h.entriesOf(t, "verify."+string(c.State)); len(all) != 1 || all[0].Subject != string(bob) || !strings.Contains(all[0].Detail, string(c.ID)) {
		t.Errorf("what bob did: %+v", all)
	}
}

// A rule of access that names a person is exported with them, and an erasure
// does not leave it behind: without the name it could be a rule for everybody.
func TestPersonInARule(t *testing.T) {
	h := build(t)
	ada, bob := h.user(t, 1), h.user(t, 2)
	for _, rule := range []access.Rule{
		{Name: "not ada", State: access.On, Grant: access.GrantMFA, NotUsers: []cloud.UserID{ada}},
		{Name: "both", State: access.Report, Grant: access.GrantBlock, Users: []cloud.UserID{bob, ada}},
	} {
		if err := h.SetAccessRule(t.Context(), operator, rule); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := h.ExportPerson(t.Context(), operator, ada, &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"name":"not ada","type":"access_rule"}`, `{"name":"both","type":"access_rule"}`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in it", want)
		}
	}
	for _, name := range []string{"not ada", "both"} {
		if _, err := h.ErasePerson(t.Context(), operator, ada); cloud.KindOf(err) != cloud.Conflict || !strings.Contains(err.Error(), name) {
			t.Errorf("while %q names the person: %v", name, err)
		}
		if err := h.RemoveAccessRule(t.Context(), operator, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.ErasePerson(t.Context(), operator, ada); err != nil {
		t.Error(err)
	}
	h.leavesNothing(t, string(ada))
}
