package migrate_test

import (
	"errors"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// What check calls as planned, explain does: an invitation that was used, and
// the default method that its use chose.
func TestExplainKnowsAUsedInvitation(t *testing.T) {
	changes := []migrate.PlannedChange{
		{Change: cloud.Change{Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}},
		{Change: cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.OATHCode))}},
	}
	for state, want := range map[string]int{"active": 2, "invited": 2, "expired": 1} {
		e := migrate.Explanation{Decision: migrate.Decision{Username: "ada", Changes: changes}, Now: &cloud.User{ID: "u1", Profile: cloud.Profile{Enabled: true},
			Default: cloud.Push, Authenticators: []cloud.AuthenticatorEntry{{ID: "a1", State: state}}}}
		var text, lines strings.Builder
		if err := e.Text(&text, migrate.ShowOptions{}); err != nil {
			t.Fatal(err)
		}
		r := migrate.NewReport(&lines, false)
		if err := r.Explained(&e); err != nil || r.Flush() != nil {
			t.Fatal(err)
		}
		if n, m := strings.Count(text.String(), "now: as planned"), strings.Count(lines.String(), `"now":"planned"`); n != want || m != want {
			t.Errorf("%s: %d and %d of 2 are as planned:\n%s\n%s", state, n, m, text.String(), lines.String())
		}
	}
}

// A user of whom every change was stale or failed was not written.
func TestExplainSaysThatNothingWasWritten(t *testing.T) {
	for outcome, want := range map[cloud.Outcome]string{cloud.Outdated: "run 1 made none of the changes", cloud.Failed: "run 1 made none of the changes",
		cloud.Done: "written by run 1", cloud.Already: "written by run 1"} {
		results := []migrate.ChangeResult{{Seq: 0, Outcome: outcome}}
		e := migrate.Explanation{Decision: migrate.Decision{Username: "ada", Changes: make([]migrate.PlannedChange, 1)},
			Journal: &migrate.JournalEntry{IntentRun: 1, ResultRun: 1, Results: results},
			History: []migrate.JournalRun{{Run: 1, Phase: migrate.PhaseApply, Results: results}}}
		var text strings.Builder
		if err := e.Text(&text, migrate.ShowOptions{}); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%s: %v\n%s", outcome, err, text.String())
		}
	}
}

// What the plan relied on and is another now is told with both, as a user who
// was renamed since.
func TestExplainTellsFactsThatChanged(t *testing.T) {
	was := cloud.User{ID: "u1", Profile: cloud.Profile{UPN: "ada@contoso.example", Enabled: true}}
	now := was
	now.UPN = "lovelace@contoso.example"
	for _, c := range []struct {
		now        cloud.User
		text, line string
	}{
		{was, "relied on    upn is ada@contoso.example\n", `{"name":"upn","value":"ada@contoso.example"}`},
		{now, "relied on    upn was ada@contoso.example, and is lovelace@contoso.example now\n", `{"name":"upn","value":"ada@contoso.example","now":"lovelace@contoso.example"}`},
	} {
		e := migrate.Explanation{Decision: migrate.Decision{Username: "ada", Facts: migrate.FactsOf(&was)}, Now: &c.now}
		var text, lines strings.Builder
		r := migrate.NewReport(&lines, false)
		if err := errors.Join(e.Text(&text, migrate.ShowOptions{}), r.Explained(&e), r.Flush()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), c.text) || !strings.Contains(lines.String(), c.line) {
			t.Errorf("%s%s", text.String(), lines.String())
		}
	}
}
