package graph_test

import (
	"net/http"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
)

// Of a group that hides its members Graph leaves them out without a word: that it
// does is said, and nobody is taken for safe who may be in it.
func TestPolicyWithAHiddenGroup(t *testing.T) {
	const texts = `{"policyMigrationState":"migrationComplete","authenticationMethodConfigurations":[{"id":"Sms","state":"STATE","includeTargets":[{"id":"` + groupID + `","isUsableForSignIn":true}]}]}`
	for name, c := range map[string]struct {
		hidden       bool
		state        string
		roles        []string
		status       int // of the group
		signIn, says bool
		fails        bool
	}{
		"hidden":              {true, "enabled", everyRole(), 0, true, true, false},
		"hidden, and off":     {true, "disabled", everyRole(), 0, false, true, false},
		"hidden, with leave":  {true, "enabled", append(everyRole(), "Member.Read.Hidden"), 0, false, false, false},
		"open":                {false, "enabled", everyRole(), 0, false, false, false},
		"not to be looked at": {true, "enabled", everyRole(), 403, false, false, false},
		"gone":                {true, "enabled", everyRole(), 404, false, false, false},
		"not told at all":     {true, "enabled", everyRole(), 401, false, false, true},
	} {
		x := newTenant(t)
		x.policy = strings.Replace(texts, "STATE", c.state, 1)
		x.people[adaID].groups = nil
		if c.hidden {
			x.hidden = []string{groupID}
		}
		x.fault = func(_, path string, _ int) (int, http.Header) {
			return map[bool]int{true: c.status}[strings.HasPrefix(path, "/groups/"+groupID)], nil
		}
		d := x.open(func(o *graph.Options) { o.Credential = &application{roles: c.roles} })
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if c.fails {
			if err == nil {
				t.Errorf("%s: %+v", name, users)
			}
			continue
		}
		if err != nil || users[0].SMSSignIn != c.signIn {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
		checks, err := d.Preflight(t.Context())
		got, ok := find(checks, "policy.hidden")
		if err != nil || ok != c.says || ok && (got.Result != cloud.CheckUnknown || !strings.Contains(got.Action, "Member.Read.Hidden")) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A list of members that would look as if it were whole is refused.
func TestMembersOfAHiddenGroup(t *testing.T) {
	for name, c := range map[string]struct {
		hidden  []string
		roles   []string
		refused bool
	}{
		"hidden":             {[]string{groupID}, everyRole(), true},
		"hidden, with leave": {[]string{groupID}, append(everyRole(), "Member.Read.Hidden"), false},
		"open":               {nil, everyRole(), false},
	} {
		x := newTenant(t)
		x.hidden, x.joins = c.hidden, map[string][]map[string]any{groupID: nil}
		d := x.open(func(o *graph.Options) { o.Credential = &application{roles: c.roles} })
		var failed error
		for _, err := range d.Members(t.Context(), groupID) {
			failed = err
		}
		if (cloud.KindOf(failed) == cloud.Denied) != c.refused || c.refused && !strings.Contains(hint.Of(failed), "Member.Read.Hidden") || !c.refused && failed != nil {
			t.Errorf("%s: %v", name, failed)
		}
	}
}
