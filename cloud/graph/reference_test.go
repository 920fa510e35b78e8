package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/graph"
)

// entry is one request as the reference has it, in testdata/reference.json.
type entry struct {
	Method, Version, Path, Page string
	Required, Optional          []string
}

// reference checks every request of the driver against the field names of the
// published reference.
type reference struct {
	entries []entry
	mu      sync.Mutex
	seen    map[string]bool
	faults  []string
}

func readReference(t *testing.T) *reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	check(t, err)
	r := &reference{seen: map[string]bool{}}
	check(t, json.Unmarshal(b, &r.entries))
	return r
}

// selectable are the properties that the driver may ask for, and filter by.
var selectable = []string{"id", "displayName", "visibility", "tenantType", "verifiedDomains", "userPrincipalName", "accountEnabled", "userType", "creationType",
	"onPremisesSecurityIdentifier", "roleTemplateId", "serialNumber", "principalId", "groupId", "isAssignableToRole"}

var filterProperty = regexp.MustCompile(`^(\w+) (?:eq '|eq true$|in \()`)

// index checks that a request which needs an advanced query is one
// (concepts/aad-advanced-queries): casts, and every list of role assignments.
func (r *reference) index(method, path, consistency string) {
	if !strings.Contains(path, "/microsoft.graph.") && !strings.Contains(path, "/transitiveRoleAssignments") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, query, _ := strings.Cut(path, "?"); consistency != "eventual" || !strings.Contains(query, "$count=true") {
		r.faults = append(r.faults, fmt.Sprintf("%s %s needs ConsistencyLevel: eventual and $count=true", method, path))
	}
}

// look checks one request.
func (r *reference) look(method, version, path string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, query, _ := strings.Cut(path, "?")
	fault := func(format string, args ...any) {
		r.faults = append(r.faults, fmt.Sprintf("%s /%s%s: ", method, version, at)+fmt.Sprintf(format, args...))
	}
	i := slices.IndexFunc(r.entries, func(e entry) bool {
		return e.Method == method && e.Version == version && regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(e.Path), `\*`, `[^/]+`)+"$").MatchString(at)
	})
	if i < 0 {
		fault("the reference has no such request")
		return
	}
	e := r.entries[i]
	r.seen[e.Method+e.Path] = true
	values, err := parseQuery(query)
	if err != nil {
		fault("query %q", query)
	}
	for name, value := range values {
		switch name {
		case "$select":
			for p := range strings.SplitSeq(value, ",") {
				if !slices.Contains(selectable, p) {
					fault("selects %s", p)
				}
			}
		case "$filter":
			if m := filterProperty.FindStringSubmatch(value); m == nil || !slices.Contains(selectable, m[1]) {
				fault("filters by %s", value)
			}
		case "$expand":
			if value != "principal" || !strings.HasSuffix(strings.ToLower(at), "eligibilityscheduleinstances") {
				fault("expands %s", value)
			}
		case "$top", "$count":
		default:
			fault("asks %s", name)
		}
	}
	fields := map[string]json.RawMessage{}
	if len(body) > 0 && json.Unmarshal(body, &fields) != nil {
		fault("a body that is no object")
	}
	for name := range fields {
		if !slices.Contains(e.Required, name) && !slices.Contains(e.Optional, name) {
			fault("writes %s, which %s does not have", name, e.Page)
		}
	}
	for _, name := range e.Required {
		if len(fields[name]) == 0 || string(fields[name]) == "null" || string(fields[name]) == `""` {
			fault("leaves out %s, which %s requires", name, e.Page)
		}
	}
}

// watch looks at requests, alone and in batches, on their way to the tenant.
func (r *reference) watch(next http.RoundTripper) tripper {
	return func(q *http.Request) (*http.Response, error) {
		body, restore := drain(q)
		version, path, _ := strings.Cut(strings.TrimPrefix(q.URL.RequestURI(), "/"), "/")
		path = "/" + path
		if path != "/$batch" {
			r.look(q.Method, version, path, body)
			r.index(q.Method, path, q.Header.Get("ConsistencyLevel"))
			return next.RoundTrip(restore)
		}
		var in struct {
			Requests []struct {
				ID, Method, URL string
				Headers         map[string]string
				Body            json.RawMessage
				DependsOn       []string
			}
		}
		if json.Unmarshal(body, &in) != nil || len(in.Requests) == 0 || len(in.Requests) > 20 {
			r.faults = append(r.faults, "a batch that is none")
		}
		for _, one := range in.Requests {
			r.look(one.Method, version, one.URL, one.Body)
			r.index(one.Method, one.URL, one.Headers["ConsistencyLevel"])
			if len(one.Body) > 0 && one.Headers["Content-Type"] != "application/json" {
				r.faults = append(r.faults, "a body in a batch without its Content-Type")
			}
		}
		return next.RoundTrip(restore)
	}
}

// Whatever the driver asks and writes has the names of the published reference.
func TestRequestsAreThoseOfTheReference(t *testing.T) {
	ref := readReference(t)
	r := rehearse(t, engine.Assumptions{Activates: true}, time.Now, "pass=once", "limits=none", "may-join=pilot/pilot")
	ids := r.people(t, 3)
	by := engine.Actor{Who: "test", Reason: "test"}
	group, err := r.engine.AddGroup(t.Context(), by, "pilot")
	check(t, err)
	check(t, r.engine.SetPolicy(t.Context(), by, engine.PolicyVoice, engine.MethodPolicy{Enabled: true, Exclude: []string{group}}))
	d := r.open(t, func(o *graph.Options) {
		o.Activates = true
		o.Transport = ref.watch(http.DefaultTransport)
	})
	id := ids[0]
	token := token("MFB-ABCDEFGHIJKLMNOP")
	add := []cloud.Change{change(id, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(id, cloud.Add, cloud.AlternateMobile, "", "+1 4255550102"),
		change(id, cloud.Add, cloud.Email, "", "one@fabrikam.example"), {User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: token}},
		change(id, cloud.Set, cloud.DefaultMethod, "", "sms")}
	done := func(changes ...cloud.Change) {
		t.Helper()
		for i, result := range d.Write(t.Context(), changes) {
			if result.Outcome != cloud.Done {
				t.Fatalf("%s %s: %+v", changes[i].Op, changes[i].Method, result)
			}
		}
	}
	done(add...)
	done(change(id, cloud.Update, cloud.Mobile, "+1 4255550101", "+1 4255550103"), change(id, cloud.Update, cloud.Email, "one@fabrikam.example", "two@fabrikam.example"),
		change(id, cloud.Remove, cloud.AlternateMobile, "+1 4255550102", ""), change(id, cloud.Remove, cloud.Email, "two@fabrikam.example", ""),
		cloud.Change{User: id, Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: token}})
	if _, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "user2@contoso.example"}, {Kind: cloud.BySID, Value: "S-1-5-21-1-2-3-3"}, {Kind: cloud.ByID, Value: string(id)}}); err != nil {
		t.Error(err)
	}
	for _, err := range d.Members(t.Context(), "pilot") {
		check(t, err)
	}
	_, err = d.Restorable(t.Context(), ids[:1])
	check(t, err)
	pass, err := d.IssuePass(t.Context(), ids[1], time.Hour)
	check(t, err)
	check(t, d.RevokePass(t.Context(), ids[1], pass.ID))
	checks, err := d.Canary(t.Context(), "user3@contoso.example")
	check(t, err)
	for _, c := range checks {
		if c.Result != cloud.CheckPassed {
			t.Errorf("canary: %+v", c)
		}
	}
	for _, c := range []cloud.Change{{User: id, Op: cloud.Remove, Method: cloud.SoftwareOATH, ID: "x", Before: cloud.Value{OATH: token}}, {User: id, Op: cloud.Remove, Method: cloud.Authenticator, ID: "x", Before: cloud.Value{State: "active"}}} {
		d.Write(t.Context(), []cloud.Change{c}) // there is none
	}
	for _, fault := range ref.faults {
		t.Error(fault)
	}
	for _, e := range ref.entries {
		apart := strings.Contains(e.Path, "microsoftAuthenticatorMethods/") || strings.Contains(e.Path, "softwareOathMethods/") || e.Method == "GET" && strings.HasSuffix(e.Path, "hardwareOathDevices/*")
		if !ref.seen[e.Method+e.Path] && !apart {
			t.Errorf("%s %s was never asked", e.Method, e.Path)
		}
	}
}

// The checker itself says no.
func TestReferenceSaysNo(t *testing.T) {
	for _, c := range [][4]string{{"GET", "v1.0", "/users/x/authentication/nothing", ""}, {"POST", "v1.0", "/users/x/authentication/phoneMethods", `{"phoneNumber":"1","phoneType":"mobile","smsSignInState":"ready"}`},
		{"POST", "v1.0", "/users/x/authentication/phoneMethods", `{"phoneNumber":"1"}`}, {"POST", "beta", "/users/x/authentication/phoneMethods", `{"phoneNumber":"1","phoneType":"mobile"}`},
		{"GET", "v1.0", "/users?$select=shoeSize", ""}, {"GET", "v1.0", "/users?$filter=shoeSize%20eq%20'1'", ""}, {"GET", "v1.0", "/users?$expand=manager", ""}, {"DELETE", "v1.0", "/users/x", ""}} {
		ref := readReference(t)
		if ref.look(c[0], c[1], c[2], []byte(c[3])); len(ref.faults) == 0 {
			t.Errorf("%v is taken", c)
		}
	}
	for _, path := range []string{"/groups/x/transitiveMembers/microsoft.graph.user?$select=id", "/roleManagement/directory/transitiveRoleAssignments"} {
		ref := readReference(t)
		if ref.index("GET", path, ""); len(ref.faults) == 0 {
			t.Errorf("%v is taken", path)
		}
	}
}

func parseQuery(query string) (map[string]string, error) {
	values, err := url.ParseQuery(query)
	out := map[string]string{}
	for name, v := range values {
		out[name] = v[0]
	}
	return out, err
}

// drain reads the body of a request and gives it back.
func drain(q *http.Request) ([]byte, *http.Request) {
	if q.Body == nil {
		return nil, q
	}
	body, _ := io.ReadAll(q.Body)
	q.Body = io.NopCloser(bytes.NewReader(body))
	return body, q
}
