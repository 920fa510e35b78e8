package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/graph"
)

// Who may take a role on for a while is an administrator: by himself, and by a
// group. Where the tenant has no licence for that nobody is.
func TestWhoMayTakeARoleOn(t *testing.T) {
	user := func(id string) map[string]any {
		return map[string]any{"principalId": id, "principal": map[string]string{"@odata.type": "#microsoft.graph.user"}}
	}
	group := map[string]any{"principalId": groupID, "principal": map[string]string{"@odata.type": "#microsoft.graph.group"}}
	for name, c := range map[string]struct {
		eligible []map[string]any
		fault    int
		want     bool
		check    cloud.CheckResult
		says     string
	}{
		"nobody":     {nil, 0, false, cloud.CheckPassed, "people and groups: 0"},
		"himself":    {[]map[string]any{user(bobID), user(strings.ToUpper(adaID)), user(adaID)}, 0, true, cloud.CheckPassed, "people and groups: 2"},
		"his group":  {[]map[string]any{group}, 0, true, cloud.CheckPassed, "people and groups: 1"},
		"others":     {[]map[string]any{user(bobID)}, 0, false, cloud.CheckPassed, "people and groups: 1"},
		"of no type": {[]map[string]any{{"principalId": adaID}}, 0, true, cloud.CheckUnknown, "groups"},
		"not told":   {[]map[string]any{user(adaID)}, 403, false, cloud.CheckUnknown, "403"},
		"no such":    {[]map[string]any{user(adaID)}, 404, false, cloud.CheckUnknown, "404"},
		"no licence": {nil, 400, false, cloud.CheckPassed, "licence"},
	} {
		x := newTenant(t)
		x.eligible = c.eligible
		x.fault = func(_, path string, _ int) (int, http.Header) {
			if strings.Contains(path, "roleEligibility") && c.fault != 400 {
				return c.fault, nil
			}
			return 0, nil
		}
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(r *http.Request, _ []byte) (*http.Response, error) {
				if strings.Contains(r.URL.Path, "roleEligibility") && c.fault == 400 {
					return reply(400, nil, map[string]any{"error": map[string]string{"code": "AadPremiumLicenseRequired"}}, x.date())
				}
				return nil, nil
			})
		})
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].Privileged != c.want || users[0].GlobalAdmin {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
		checks, err := d.Preflight(t.Context())
		if got, _ := find(checks, cloud.CheckEligible); err != nil || got.Result != c.check || !strings.Contains(got.Detail, c.says) || (got.Action == "") != (c.check == cloud.CheckPassed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	x := newTenant(t)
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.Contains(path, "roleEligibility") {
			return 503, nil
		}
		return 0, nil
	}
	if _, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("out of order: %v", err)
	}
}

// Who has been told who may take a role on, and is not any more, does not go on
// as if nobody might: preflight has said that it is known.
func TestWhoMayTakeARoleOnIsHiddenMeanwhile(t *testing.T) {
	for name, before := range map[string]int{"told before": 0, "never told": 403} {
		x := newTenant(t)
		now, status := time.Now(), before
		d := x.open(func(o *graph.Options) { o.Now = func() time.Time { return now } })
		x.fault = func(_, path string, _ int) (int, http.Header) {
			if strings.Contains(path, "roleEligibility") {
				return status, nil
			}
			return 0, nil
		}
		_, err := d.Read(t.Context(), []cloud.UserID{adaID})
		check(t, err)
		now, status = now.Add(11*time.Minute), 403
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if before == 0 && cloud.KindOf(err) != cloud.Denied || before != 0 && (err != nil || users[0].ID != adaID) {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
	}
}

// The same over the rehearsal, which asks for a permission for it.
func TestRehearsalOfWhoMayTakeARoleOn(t *testing.T) {
	r := rehearse(t, engine.Assumptions{}, time.Now, "limits=none", "page=1", "eligible=user2@contoso.example", "eligible=helpers")
	ids := r.people(t, 3)
	by := engine.Actor{Who: "test", Reason: "test"}
	_, err := r.engine.AddGroup(t.Context(), by, "helpers")
	check(t, err)
	check(t, r.engine.AddUserToGroup(t.Context(), by, "helpers", ids[2]))
	users, err := r.open(t).Read(t.Context(), ids)
	check(t, err)
	if got := []bool{users[0].Privileged, users[1].Privileged, users[2].Privileged}; !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("administrators: %v", got)
	}
	r = rehearse(t, engine.Assumptions{}, time.Now, "limits=none", "premium=no")
	users, err = r.open(t).Read(t.Context(), r.people(t, 1))
	if err != nil || users[0].Privileged {
		t.Errorf("without a licence: %+v, %v", users, err)
	}
}

// A run takes hours, and an administrator changes the policy meanwhile: it is
// read again, and not for every batch.
func TestPolicyIsReadAgain(t *testing.T) {
	x := newTenant(t)
	now := time.Now()
	d := x.open(func(o *graph.Options) { o.Now = func() time.Time { return now } })
	read := func() cloud.User {
		t.Helper()
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		check(t, err)
		return users[0]
	}
	if read().SMSSignIn {
		t.Error("texts are no way to sign in yet")
	}
	x.policy = strings.Replace(x.policy, `{"id":"all_users","targetType":"group"}`, `{"id":"all_users","targetType":"group","isUsableForSignIn":true}`, 1)
	if read(); x.calls["GET /policies/authenticationMethodsPolicy"] != 1 {
		t.Error("the policy is read for every batch")
	}
	if now = now.Add(11 * time.Minute); !read().SMSSignIn {
		t.Error("a policy of eleven minutes ago counts")
	}
	if now = now.Add(-24 * time.Hour); read().ID == "" || x.calls["GET /policies/authenticationMethodsPolicy"] != 3 {
		t.Error("a clock that was put back keeps the policy for ever")
	}
}

// The policy may name a single user where it names groups, and nobody's
// membership in that one is asked for.
func TestPolicyForASingleUser(t *testing.T) {
	x := newTenant(t)
	x.policy = strings.Replace(x.policy, `{"id":"`+groupID+`","targetType":"group"}`, `{"id":"`+strings.ToUpper(bobID)+`","targetType":"user"}`, 1)
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
			if strings.Contains(string(body), "groupIds") {
				t.Errorf("asked for members of a user: %s", body)
			}
			return nil, nil
		})
	})
	users, err := d.Read(t.Context(), []cloud.UserID{adaID, bobID})
	check(t, err)
	if !slices.Contains(users[0].Forbidden, cloud.HardwareOATH) || slices.Contains(users[1].Forbidden, cloud.HardwareOATH) {
		t.Errorf("forbidden: %v, %v", users[0].Forbidden, users[1].Forbidden)
	}
}

// A page may be empty and go on: what stands on the next one counts.
func TestListsThatGoOn(t *testing.T) {
	x := newTenant(t)
	next := func(values ...any) func() map[string]any {
		return func() map[string]any { return list(values...) }
	}
	later := map[string]func() map[string]any{
		"/v1.0/later/phones": next(map[string]string{"id": slots["mobile"], "phoneType": "mobile", "phoneNumber": "+1 4255550101"}),
		"/v1.0/later/emails": next(map[string]string{"id": "e", "emailAddress": "ada@home.example"}),
		"/v1.0/later/apps":   next(map[string]string{"id": "a1", "displayName": "phone"}),
		"/beta/later/stock":  func() map[string]any { return list(toAny(x.devices)...) },
	}
	first := map[string]string{"phoneMethods": "/v1.0/later/phones", "emailMethods": "/v1.0/later/emails", "microsoftAuthenticatorMethods": "/v1.0/later/apps"}
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if page := later[r.URL.Path]; page != nil {
				return reply(200, nil, page(), x.date())
			}
			if strings.Contains(r.URL.RawQuery, "serialNumber") {
				return reply(200, nil, map[string]any{"value": []any{}, "@odata.nextLink": root + "/beta/later/stock"}, x.date())
			}
			if !strings.HasSuffix(r.URL.Path, "$batch") || !strings.Contains(string(body), `"method":"GET"`) {
				return nil, nil
			}
			return turnPages(x, r, body, first)
		})
	})
	users, err := d.Read(t.Context(), []cloud.UserID{adaID})
	check(t, err)
	if u := users[0]; u.Mobile != "+1 4255550101" || u.Email != "ada@home.example" || len(u.Authenticators) != 1 {
		t.Errorf("read %+v", u)
	}
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": "available"}}
	if got := outcomes(d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})); got != "done" || len(x.devices) != 1 {
		t.Errorf("%s, %d tokens of one number", got, len(x.devices))
	}
}

func toAny(all []map[string]any) (out []any) {
	for _, v := range all {
		out = append(out, v)
	}
	return out
}

// turnPages answers a batch as the tenant does, but some lists by an empty page
// that goes on.
func turnPages(x *tenant, r *http.Request, body []byte, first map[string]string) (*http.Response, error) {
	return retold(x, r, body, func(path string) any {
		if at := first[path[strings.LastIndexByte(path, '/')+1:]]; at != "" {
			return map[string]any{"value": []any{}, "@odata.nextLink": root + at}
		}
		return nil
	})
}

// retold answers a batch as the tenant does, but some of its requests by a body
// of their own; with gives nil for the others.
func retold(x *tenant, r *http.Request, body []byte, with func(path string) any) (*http.Response, error) {
	resp, err := x.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var asked struct {
		Requests []struct{ ID, URL string }
	}
	var said struct {
		Responses []map[string]any `json:"responses"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		return nil, err
	}
	for _, q := range asked.Requests {
		other := with(q.URL)
		for _, a := range said.Responses {
			if other != nil && a["id"] == q.ID {
				a["body"] = other
			}
		}
	}
	return reply(200, nil, said, x.date())
}

// A slot is known by its id, and by its type where the id is another one. Of who
// has two of a kind nobody knows which one would be replaced.
func TestTelephonesOfOneKind(t *testing.T) {
	for name, c := range map[string]struct {
		phones []any
		mobile string
	}{
		"by type": {[]any{map[string]string{"id": "another", "phoneType": "Mobile", "phoneNumber": "+1 4255550101"}}, "+1 4255550101"},
		"twice the same": {[]any{map[string]string{"id": slots["mobile"], "phoneType": "mobile", "phoneNumber": "+1 4255550101"},
			map[string]string{"id": "another", "phoneType": "mobile", "phoneNumber": "+14255550101"}}, "+1 4255550101"},
		"two": {[]any{map[string]string{"id": slots["mobile"], "phoneType": "mobile", "phoneNumber": "+1 4255550101"},
			map[string]string{"id": "another", "phoneType": "mobile", "phoneNumber": "+1 4255550102"}}, ""},
		"of a kind that nobody knows": {[]any{map[string]string{"id": "another", "phoneType": "unknownFutureValue", "phoneNumber": "+1 4255550102"}}, ""},
	} {
		x := newTenant(t)
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
				if !strings.HasSuffix(r.URL.Path, "$batch") {
					if r.URL.Path == "/v1.0/later" {
						return reply(200, nil, list(c.phones...), x.date())
					}
					return nil, nil
				}
				return turnPages(x, r, body, map[string]string{"phoneMethods": "/v1.0/later"})
			})
		})
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if name == "two" {
			if cloud.KindOf(err) != cloud.Conflict {
				t.Errorf("%s: %+v, %v", name, users, err)
			}
			continue
		}
		if err != nil || strings.ReplaceAll(users[0].Mobile, " ", "") != strings.ReplaceAll(c.mobile, " ", "") {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
	}
}

// What Graph finds wrong at once costs no more than a look or two: a plan may
// hold a thousand of those.
func TestRefusalsCostLittle(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
			return 400, nil
		}
		return 0, nil
	}
	var waited time.Duration
	d := x.open(func(o *graph.Options) { o.Sleep = sleepsOn(&waited) })
	if got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})); got != "failed invalid" || waited > 2*time.Second {
		t.Errorf("%s after %v", got, waited)
	}
	// One that was lost before may have been stored: it is looked for as long as ever.
	x = newTenant(t)
	lost := false
	hidden := 7
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method != "POST" || !strings.HasSuffix(path, "/phoneMethods") {
			return 0, nil
		}
		if !lost {
			lost = true
			return 503, nil
		}
		return 400, nil
	}
	waited = 0
	d = x.open(func(o *graph.Options) {
		o.Sleep = func(_ context.Context, pause time.Duration) error {
			if waited += pause; lost {
				if hidden--; hidden == 0 {
					x.people[adaID].phones["mobile"] = "+1 4255550101"
				}
			}
			return nil
		}
	})
	if got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})); got != "done" {
		t.Errorf("%s after %v", got, waited)
	}
}

// A date in Retry-After is one by the server's clock.
func TestRetryAfterByTheServersClock(t *testing.T) {
	x := newTenant(t)
	x.date = func() time.Time { return time.Now().Add(time.Hour) }
	n := 0
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if n++; n == 1 {
			return 429, http.Header{"Retry-After": {x.date().Add(7 * time.Second).UTC().Format(http.TimeFormat)}}
		}
		return 0, nil
	}
	x.open()
	if len(x.waits) != 1 || x.waits[0] < 5*time.Second || x.waits[0] > 8*time.Second {
		t.Errorf("waited %v", x.waits)
	}
}

// Tokens of many users are looked up in the inventory together.
func TestTokensOfManyAreLookedUpTogether(t *testing.T) {
	x := newTenant(t)
	var ids []cloud.UserID
	for n := range 20 {
		id, device := fmt.Sprintf("33333333-3333-4333-8333-%012d", n), fmt.Sprintf("device-%d", n)
		x.people[id] = &person{id: id, upn: id, phones: map[string]string{}, tokens: []string{device}}
		x.devices = append(x.devices, map[string]any{"id": device, "serialNumber": fmt.Sprintf("CT-%d", n), "status": "activated"})
		ids = append(ids, cloud.UserID(id))
	}
	d := x.open()
	users, err := d.Read(t.Context(), ids)
	check(t, err)
	for n, u := range users {
		if len(u.OATH) != 1 || u.OATH[0].Serial != fmt.Sprintf("CT-%d", n) {
			t.Errorf("user %d has %+v", n, u.OATH)
		}
	}
	if x.batches > 12 { // 7 of v1.0, 3 of beta, one of the inventory, one of the policy's groups
		t.Errorf("%d batches for 20 users", x.batches)
	}
}

// A batch that is refused as such is no matter of the users in it.
func TestABatchThatIsRefused(t *testing.T) {
	x := newTenant(t)
	n := 0
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, _ []byte) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/beta/$batch") {
				if n++; n > 1 {
					return reply(403, nil, nil, x.date())
				}
			}
			return nil, nil
		})
	})
	var ids []cloud.UserID
	for n := range 20 {
		id := fmt.Sprintf("33333333-3333-4333-8333-%012d", n)
		x.people[id] = &person{id: id, upn: id, phones: map[string]string{}}
		ids = append(ids, cloud.UserID(id))
	}
	if refused, err := cloud.Unread(second(d.Read(t.Context(), ids))); refused != nil || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("%v, %v", refused, err)
	}
}

// A federated domain may have no configuration of its own: whatever Graph
// answers for it, the others are told.
func TestDomainsWithoutAConfiguration(t *testing.T) {
	const own = `{"value":[{"id":"1","federatedIdpMfaBehavior":"enforceMfaByFederatedIdp"}]}`
	for name, c := range map[string]struct {
		status int
		body   string
		want   graph.Domain // of emea.contoso.example
		fails  bool
	}{
		"an empty list":      {200, `{"value":[]}`, graph.Domain{Behavior: graph.MFAEnforce, Like: "contoso.example"}, false},
		"no such thing":      {404, `{}`, graph.Domain{Behavior: graph.MFAEnforce, Like: "contoso.example"}, false},
		"no such question":   {400, `{}`, graph.Domain{Behavior: graph.MFAEnforce, Like: "contoso.example"}, false},
		"that of the other":  {200, own, graph.Domain{Behavior: graph.MFAEnforce, Like: "contoso.example"}, false},
		"one of its own":     {200, `{"value":[{"id":"2"}]}`, graph.Domain{Federation: "2"}, false},
		"refused altogether": {403, `{}`, graph.Domain{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t)
			transport := mutate(x, func(r *http.Request, _ []byte) (*http.Response, error) {
				switch r.URL.Path {
				case "/v1.0/domains":
					return reply(200, nil, json.RawMessage(`{"value":[{"id":"emea.contoso.example","authenticationType":"Federated"},{"id":"fabrikam.example","authenticationType":"Federated"},
						{"id":"contoso.example","authenticationType":"Federated"},{"id":"notcontoso.example","authenticationType":"Managed"}]}`), time.Now())
				case "/v1.0/domains/contoso.example/federationConfiguration":
					return reply(200, nil, json.RawMessage(own), time.Now())
				case "/v1.0/domains/fabrikam.example/federationConfiguration":
					return reply(404, nil, json.RawMessage(`{"error":{"code":"Request_ResourceNotFound"}}`), time.Now())
				case "/v1.0/domains/emea.contoso.example/federationConfiguration":
					return reply(c.status, nil, json.RawMessage(c.body), time.Now())
				}
				return nil, nil
			})
			domains, err := x.open(func(o *graph.Options) { o.Transport = transport }).Domains(t.Context())
			if c.fails {
				if err == nil || !strings.Contains(err.Error(), "emea.contoso.example") {
					t.Errorf("it is not said: %v", err)
				}
				return
			}
			c.want.Name, c.want.Federated = "emea.contoso.example", true
			want := []graph.Domain{{Name: "contoso.example", Federated: true, Federation: "1", Behavior: graph.MFAEnforce}, c.want,
				{Name: "fabrikam.example", Federated: true, Unknown: "Graph answers 404 Request_ResourceNotFound"}, {Name: "notcontoso.example"}}
			if err != nil || !slices.Equal(domains, want) {
				t.Errorf("%v\n%+v, not\n%+v", err, domains, want)
			}
		})
	}
}
