package graph_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// passesFor is a policy that allows passes of 30 minutes to 8 hours to some
// targets, and not to others.
func passesFor(include, exclude string) string {
	target := func(id string) string {
		if id == "" {
			return "[]"
		}
		return `[{"id":"` + id + `","targetType":"group"}]`
	}
	return `{"policyMigrationState":"migrationComplete","authenticationMethodConfigurations":[{"id":"TemporaryAccessPass","state":"enabled",
		"minimumLifetimeInMinutes":30,"maximumLifetimeInMinutes":480,"includeTargets":` + target(include) + `,"excludeTargets":` + target(exclude) + `}]}`
}

// passing has a tenant make passes: made is what it says of one.
func passing(x *tenant, made map[string]any) func(*graph.Options) {
	return func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) { return passed(x, made, body) })
	}
}

// passed answers what is asked about passes, and nothing else.
func passed(x *tenant, made map[string]any, body []byte) (*http.Response, error) {
	if !strings.Contains(string(body), "/temporaryAccessPassMethods") {
		return nil, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	answer := map[string]any{"id": "1", "status": 201, "body": made}
	if strings.Contains(string(body), `"method":"DELETE"`) {
		status, _ := x.broken("DELETE", "pass")
		answer = map[string]any{"id": "1", "status": max(status, 204)}
	} else {
		x.calls["POST pass"]++
	}
	return reply(200, nil, map[string]any{"responses": []any{answer}}, x.date())
}

func goodPass() map[string]any {
	return map[string]any{"id": "pass-1", "temporaryAccessPass": "A+b&9cdE", "startDateTime": "2026-03-01T09:00:00Z", "lifetimeInMinutes": 60, "isUsableOnce": true}
}

// A pass lets somebody in without anything else: nobody gets one whom the policy
// leaves out, no administrator, no guest, nobody who is disabled.
func TestWhoGetsAPass(t *testing.T) {
	const another = "88888888-8888-4888-8888-888888888888"
	for name, c := range map[string]struct {
		policy string
		change func(*person)
		want   string // kind of the error; empty: a pass
	}{
		"everybody":              {passesFor("all_users", ""), nil, ""},
		"the user's group":       {passesFor(groupID, ""), nil, ""},
		"the user alone":         {passesFor(adaID, ""), nil, ""},
		"another group":          {passesFor(another, ""), nil, "denied"},
		"nobody":                 {passesFor("", ""), nil, "denied"},
		"the user's is left out": {passesFor("all_users", groupID), nil, "denied"},
		"left out by name":       {passesFor("all_users", strings.ToUpper(adaID)), nil, "denied"},
		"another is left out":    {passesFor("all_users", another), nil, ""},
		"all are left out":       {passesFor("all_users", "all_users"), nil, "denied"},
		"switched off":           {strings.Replace(passesFor("all_users", ""), "enabled", "disabled", 1), nil, "denied"},
		"not spoken of":          {`{"policyMigrationState":"migrationComplete","authenticationMethodConfigurations":[]}`, nil, "denied"},
		"an administrator":       {passesFor("all_users", ""), func(p *person) { p.roles = []string{"729827e3-9c14-49f7-bb1b-9608f156bbb8"} }, "denied"},
		"of a part":              {passesFor("all_users", ""), func(p *person) { p.assigned = []string{"729827e3-9c14-49f7-bb1b-9608f156bbb8"} }, "denied"},
		"a guest":                {passesFor("all_users", ""), func(p *person) { p.guest = true }, "denied"},
		"of another tenant":      {passesFor("all_users", ""), func(p *person) { p.creation = "Invitation" }, "denied"},
		"disabled":               {passesFor("all_users", ""), func(p *person) { p.disabled = true }, "denied"},
		"nobody of that id":      {passesFor("all_users", ""), func(p *person) { p.id = "" }, "not found"},
	} {
		x := newTenant(t)
		x.policy = c.policy
		if ada := x.people[adaID]; c.change != nil {
			if c.change(ada); ada.id == "" {
				delete(x.people, adaID)
			}
		}
		pass, err := x.open(passing(x, goodPass())).IssuePass(t.Context(), adaID, time.Hour)
		if err != nil && cloud.KindOf(err).String() != c.want || (err == nil) != (c.want == "") || (x.calls["POST pass"] > 0) != (c.want == "") {
			t.Errorf("%s: %v after %d requests", name, err, x.calls["POST pass"])
		}
		if c.want == "" && (string(pass.Word.Reveal()) != "A+b&9cdE" || pass.Until.Sub(pass.From) != time.Hour) {
			t.Errorf("%s: of %v to %v", name, pass.From, pass.Until)
		}
	}
}

// Which groups a user is in may stand on the next page: whoever is left out by
// one of those gets no pass.
func TestPassesOfGroupsOnTheNextPage(t *testing.T) {
	x := newTenant(t)
	x.policy = passesFor("all_users", groupID)
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			switch resp, err := passed(x, goodPass(), body); {
			case resp != nil || err != nil:
				return resp, err
			case r.URL.Path == "/v1.0/later":
				return reply(200, nil, list(groupID), x.date())
			case !strings.HasSuffix(r.URL.Path, "$batch"):
				return nil, nil
			}
			return turnPages(x, r, body, map[string]string{"checkMemberGroups": "/v1.0/later"})
		})
	})
	if _, err := d.IssuePass(t.Context(), adaID, time.Hour); cloud.KindOf(err) != cloud.Denied || x.calls["POST pass"] != 0 {
		t.Errorf("%v after %d requests", err, x.calls["POST pass"])
	}
}

// No pass lives shorter or longer than the policy and the reference say.
func TestLifeOfAPass(t *testing.T) {
	short := strings.Replace(passesFor("all_users", ""), `"minimumLifetimeInMinutes":30`, `"minimumLifetimeInMinutes":1`, 1)
	none := strings.NewReplacer(`"minimumLifetimeInMinutes":30,`, "", `"maximumLifetimeInMinutes":480,`, "").Replace(passesFor("all_users", ""))
	for _, c := range []struct {
		policy string
		life   time.Duration
		ok     bool
	}{
		{passesFor("all_users", ""), 30 * time.Minute, true},
		{passesFor("all_users", ""), 29 * time.Minute, false},
		{passesFor("all_users", ""), 8 * time.Hour, true},
		{passesFor("all_users", ""), 8*time.Hour + time.Minute, false},
		{short, 10 * time.Minute, true},
		{short, 9 * time.Minute, false},
		{none, time.Hour, true},
		{none, 59 * time.Minute, false},
		{none, 8*time.Hour + time.Minute, false},
	} {
		x := newTenant(t)
		x.policy = c.policy
		_, err := x.open(passing(x, goodPass())).IssuePass(t.Context(), adaID, c.life)
		if c.ok && err != nil || !c.ok && cloud.KindOf(err) != cloud.Invalid || (x.calls["POST pass"] > 0) != c.ok {
			t.Errorf("%v: %v after %d requests", c.life, err, x.calls["POST pass"])
		}
	}
}

// A pass that is another than was asked for is taken back and given to nobody.
func TestPassThatIsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(map[string]any)
		stays   bool
		deletes int
	}{
		"for many times":               {func(m map[string]any) { m["isUsableOnce"] = false }, false, 1},
		"without its word":             {func(m map[string]any) { delete(m, "temporaryAccessPass") }, false, 1},
		"without its id":               {func(m map[string]any) { delete(m, "id") }, false, 0},
		"for many times, and it stays": {func(m map[string]any) { m["isUsableOnce"] = false }, true, 1},
	} {
		x := newTenant(t)
		x.policy = passesFor("all_users", "")
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if path == "pass" && c.stays {
				return 403, nil
			}
			return 0, nil
		}
		made := goodPass()
		c.change(made)
		pass, err := x.open(passing(x, made)).IssuePass(t.Context(), adaID, time.Hour)
		if err == nil || cloud.KindOf(err) != cloud.Internal || !pass.Word.IsZero() || x.calls["DELETE pass"] != c.deletes || strings.Contains(err.Error(), "which failed") != c.stays {
			t.Errorf("%s: %v, taken back %d times", name, err, x.calls["DELETE pass"])
		}
	}
}

// A pass that is gone needs no revoking; one that Graph keeps is told.
func TestRevokePass(t *testing.T) {
	for status, c := range map[int]struct {
		kind  cloud.Kind
		times int
	}{204: {0, 1}, 404: {0, 1}, 403: {cloud.Denied, 1}, 503: {cloud.Unavailable, 4}} {
		x := newTenant(t)
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if path == "pass" {
				return status, nil
			}
			return 0, nil
		}
		err := x.open(passing(x, nil)).RevokePass(t.Context(), adaID, "pass-1")
		if (err != nil) != (c.kind != 0) || err != nil && cloud.KindOf(err) != c.kind || x.calls["DELETE pass"] != c.times {
			t.Errorf("%d: %v after %d requests", status, err, x.calls["DELETE pass"])
		}
	}
}

// What is about the application and not about one user is told apart: nobody has
// to wait for a thousand refusals of one token.
func TestNobodyGetsAPass(t *testing.T) {
	refused := func(status int) (*http.Response, error) {
		return reply(status, nil, map[string]any{"error": map[string]string{"code": "no"}}, time.Now())
	}
	item := func(status int) (*http.Response, error) {
		return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": status}}}, time.Now())
	}
	for name, c := range map[string]struct {
		answer func(path, body string) (*http.Response, error)
		nobody bool
	}{
		"the policy is kept from us": {func(path, _ string) (*http.Response, error) {
			if strings.HasSuffix(path, "/authenticationMethodsPolicy") {
				return refused(403)
			}
			return nil, nil
		}, true},
		"the token is refused": {func(path, _ string) (*http.Response, error) {
			if strings.HasSuffix(path, "/$batch") {
				return refused(401)
			}
			return nil, nil
		}, true},
		"the token ends before the pass": {func(_, body string) (*http.Response, error) {
			if strings.Contains(body, "/temporaryAccessPassMethods") {
				return refused(401)
			}
			return nil, nil
		}, true},
		"the token ends in the batch": {func(_, body string) (*http.Response, error) {
			if strings.Contains(body, "/temporaryAccessPassMethods") {
				return item(401)
			}
			return nil, nil
		}, true},
		"one user is kept from us": {func(_, body string) (*http.Response, error) {
			if strings.Contains(body, "/temporaryAccessPassMethods") {
				return item(403)
			}
			return nil, nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t)
			x.policy = passesFor("all_users", "")
			d := x.open(func(o *graph.Options) {
				o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) { return c.answer(r.URL.Path, string(body)) })
			})
			_, err := d.IssuePass(t.Context(), adaID, time.Hour)
			if _, nobody := errors.AsType[*graph.NobodyError](err); nobody != c.nobody || cloud.KindOf(err) != cloud.Denied {
				t.Errorf("nobody %v: %v", nobody, err)
			}
		})
	}
}
