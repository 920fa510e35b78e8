package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// tenant plays Graph's part in memory, for faults that a rehearsal cannot be
// made to show. It knows one kind of each thing and no rules beyond the tests'.
type tenant struct {
	t  *testing.T
	mu sync.Mutex

	people  map[string]*person // by id
	devices []map[string]any
	policy  string

	eligible []map[string]any            // who may take a role on
	joins    map[string][]map[string]any // who may join a group that can have roles, by its id
	inside   map[string][]string         // who is in such a group, or owns it, by its id and "/members" or "/owners"
	hidden   []string                    // ids of groups that hide their members
	deleted  []string                    // ids of users who can be restored
	kind     string                      // tenantType
	date     func() time.Time
	fault    func(method, path string, n int) (int, http.Header) // status 0: none; -1: the answer is lost
	calls    map[string]int
	batches  int
	waits    []time.Duration
	sizes    []int
	accept   func(code string) bool // of an activation
}

// person is a user of the tenant.
type person struct {
	id, upn, sid string
	guest        bool
	creation     string // "Invitation": of another organisation
	disabled     bool
	roles        []string
	assigned     []string          // roles of a part of the tenant
	phones       map[string]string // by type
	email        string
	tokens       []string // ids of devices
	software     []string // ids of software tokens
	apps         []string // ids of Authenticator apps
	texts        bool     // signs in by texts
	preferred    string
	groups       []string
}

const (
	adaID   = "11111111-1111-4111-8111-111111111111"
	bobID   = "22222222-2222-4222-8222-222222222222"
	groupID = "99999999-9999-4999-8999-999999999999"
	root    = "https://graph.microsoft.com"
)

var slots = map[string]string{"mobile": "3179e48a-750b-4051-897c-87b9720928f7", "alternateMobile": "b6332ec1-7057-4abe-9331-3d72feddfe41",
	"office": "e37fc753-ff3b-4958-9484-eaa9425c82bc"}

func newTenant(t *testing.T) *tenant {
	x := &tenant{t: t, people: map[string]*person{}, calls: map[string]int{}, kind: "AAD", date: time.Now, accept: func(string) bool { return true },
		policy: `{"policyMigrationState":"migrationComplete","authenticationMethodConfigurations":[
		{"id":"Sms","state":"enabled","includeTargets":[{"id":"all_users","targetType":"group"}]},
		{"id":"Voice","state":"enabled","isOfficePhoneAllowed":true,"includeTargets":[{"id":"all_users","targetType":"group"}]},
		{"id":"HardwareOath","state":"enabled","includeTargets":[{"id":"` + groupID + `","targetType":"group"}]}]}`}
	x.people[adaID] = &person{id: adaID, upn: "ada@contoso.example", sid: "S-1-5-21-1-2-3-1101", phones: map[string]string{}, groups: []string{groupID}}
	x.people[bobID] = &person{id: bobID, upn: "bob@contoso.example", phones: map[string]string{}, guest: true, roles: []string{"62e90394-69f5-4237-9190-012177145e10"}}
	return x
}

// open is the driver over the tenant.
func (x *tenant) open(change ...func(*graph.Options)) *graph.Directory {
	x.t.Helper()
	o := graph.Options{Tenant: "contoso.example", Cloud: graph.Global(), Transport: x, Writes: 1e6,
		Sleep: func(_ context.Context, d time.Duration) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.waits = append(x.waits, d)
			return nil
		}}
	for _, f := range change {
		f(&o)
	}
	d, err := graph.Open(x.t.Context(), o)
	if err != nil {
		x.t.Fatal(err)
	}
	return d
}

// RoundTrip implements [http.RoundTripper].
func (x *tenant) RoundTrip(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if r.Header.Get("client-request-id") == "" {
		x.t.Error("a request without client-request-id")
	}
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.String(), root+"/"), "/")
	path = "/" + path
	if status, header := x.broken(r.Method, path); status != 0 {
		return reply(status, header, nil, x.date())
	}
	if path != "/$batch" {
		status, answer := x.handle(r.Method, version, path, body)
		return reply(status, nil, answer, x.date())
	}
	var in struct {
		Requests []struct {
			ID, Method, URL string
			Headers         map[string]string
			Body            json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Requests) > 20 {
		x.t.Errorf("a batch of %d: %v", len(in.Requests), err)
	}
	x.batches++
	x.sizes = append(x.sizes, len(in.Requests))
	var out []map[string]any
	lost := false
	for i := len(in.Requests) - 1; i >= 0; i-- { // any order
		q := in.Requests[i]
		status, header := x.broken(q.Method, q.URL)
		one := map[string]any{"id": q.ID, "status": status}
		switch {
		case status > 0:
			headers := map[string]string{}
			for k := range header {
				headers[k] = header.Get(k)
			}
			one["headers"], one["body"] = headers, map[string]any{"error": map[string]string{"code": "faulty"}}
		case strings.Contains(q.URL, "/microsoft.graph.") && (q.Headers["ConsistencyLevel"] != "eventual" || !strings.Contains(q.URL, "$count=true")):
			one["status"], one["body"] = failure(400, "Request_UnsupportedQuery")
		default:
			var answer any
			one["status"], answer = x.handle(q.Method, version, q.URL, q.Body)
			one["body"] = answer
			lost = lost || status < 0
		}
		out = append(out, one)
	}
	if lost {
		return nil, io.ErrUnexpectedEOF
	}
	return reply(200, nil, map[string]any{"responses": out}, x.date())
}

func (x *tenant) broken(method, path string) (int, http.Header) {
	key := method + " " + path
	x.calls[key]++
	if x.fault == nil {
		return 0, nil
	}
	return x.fault(method, path, x.calls[key])
}

func reply(status int, header http.Header, body any, date time.Time) (*http.Response, error) {
	if status < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	b, _ := json.Marshal(body)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Date", date.UTC().Format(http.TimeFormat))
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(b))}, nil
}

func list(v ...any) map[string]any {
	if v == nil {
		v = []any{}
	}
	return map[string]any{"value": v}
}

func failure(status int, code string) (int, any) {
	return status, map[string]any{"error": map[string]string{"code": code, "message": "as it is"}}
}

var userAt = regexp.MustCompile(`^/users/([^/?]+)(/[^?]*)?(\?.*)?$`)

// handle answers one request.
func (x *tenant) handle(method, version, path string, body []byte) (int, any) {
	query := url.Values{}
	if at := strings.IndexByte(path, '?'); at >= 0 {
		query, _ = url.ParseQuery(path[at+1:])
	}
	switch {
	case strings.HasPrefix(path, "/organization"):
		return 200, list(map[string]any{"id": "tenant-1", "displayName": "Contoso", "tenantType": x.kind, "verifiedDomains": []map[string]string{{"name": "Contoso.example"}}})
	case strings.HasPrefix(path, "/policies/"):
		return 200, json.RawMessage(x.policy)
	case strings.HasPrefix(path, "/users?"):
		return 200, x.find(query.Get("$filter"))
	case strings.HasPrefix(path, "/roleManagement/directory/transitiveRoleAssignments?"):
		if version != "beta" {
			return failure(400, "BadRequest")
		}
		all := []any{}
		if p := x.people[strings.Trim(strings.TrimPrefix(query.Get("$filter"), "principalId eq "), "'")]; p != nil {
			for _, r := range slices.Concat(p.roles, p.assigned) {
				all = append(all, map[string]string{"roleDefinitionId": r, "directoryScopeId": "/administrativeUnits/x"})
			}
		}
		return 200, list(all...)
	case strings.HasPrefix(path, "/roleManagement/directory/roleEligibilityScheduleInstances"):
		return 200, list(toAny(x.eligible)...)
	case strings.HasPrefix(path, "/groups?"):
		groups := []any{}
		for id := range x.joins {
			groups = append(groups, x.group(id))
		}
		return 200, list(groups...)
	case strings.HasPrefix(path, "/groups/"):
		of, _, _ := strings.Cut(strings.TrimPrefix(path, "/groups/"), "?")
		if !strings.Contains(of, "/") {
			return 200, x.group(of)
		}
		in := []any{}
		for _, id := range x.inside[of] {
			in = append(in, map[string]string{"@odata.type": "#microsoft.graph.user", "id": id})
		}
		return 200, list(in...)
	case strings.HasPrefix(path, "/identityGovernance/"):
		return 200, list(toAny(x.joins[strings.Trim(strings.TrimPrefix(query.Get("$filter"), "groupId eq "), "'")])...)
	case strings.HasPrefix(path, "/directory/deletedItems/"):
		if id, _, _ := strings.Cut(strings.TrimPrefix(path, "/directory/deletedItems/"), "?"); !slices.Contains(x.deleted, id) {
			return failure(404, "Request_ResourceNotFound")
		}
		return 200, map[string]string{"id": "x"}
	case strings.HasPrefix(path, "/directory/"):
		if version != "beta" {
			return failure(400, "BadRequest")
		}
		return x.inventory(method, path, query.Get("$filter"), body)
	}
	m := userAt.FindStringSubmatch(path)
	if m == nil {
		return failure(404, "BadRequest")
	}
	p := x.people[m[1]]
	if p == nil {
		return failure(404, "Request_ResourceNotFound")
	}
	return x.ofUser(p, method, version, strings.TrimPrefix(m[2], "/authentication/"), body)
}

func (x *tenant) find(filter string) any {
	property, values, many := strings.Cut(filter, " in (")
	if !many {
		property, values, _ = strings.Cut(filter, " eq ")
	}
	var found []any
	for _, v := range strings.Split(strings.TrimSuffix(values, ")"), "','") {
		v = strings.ReplaceAll(strings.Trim(v, "'"), "''", "'")
		for _, p := range x.people {
			have := map[string]string{"id": p.id, "userPrincipalName": p.upn, "onPremisesSecurityIdentifier": p.sid}[property]
			if strings.EqualFold(have, v) {
				found = append(found, x.user(p))
			}
		}
	}
	return list(found...)
}

func (x *tenant) group(id string) map[string]any {
	if slices.Contains(x.hidden, id) {
		return map[string]any{"id": id, "visibility": "HiddenMembership"}
	}
	return map[string]any{"id": id, "visibility": nil}
}

func (x *tenant) user(p *person) map[string]any {
	kind := "Member"
	if p.guest {
		kind = "Guest"
	}
	return map[string]any{"id": p.id, "userPrincipalName": p.upn, "displayName": "Somebody", "accountEnabled": !p.disabled, "userType": kind,
		"creationType": p.creation, "onPremisesSecurityIdentifier": p.sid}
}

func (x *tenant) ofUser(p *person, method, version, what string, body []byte) (int, any) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	beta := strings.HasPrefix(what, "hardwareOath") || what == "signInPreferences"
	if beta != (version == "beta") {
		return failure(400, "BadRequest")
	}
	kind, rest, _ := strings.Cut(what, "/")
	switch {
	case what == "":
		return 200, x.user(p)
	case strings.HasPrefix(what, "/transitiveMemberOf"):
		var roles []any
		for _, r := range p.roles {
			roles = append(roles, map[string]string{"id": "r", "roleTemplateId": r})
		}
		return 200, list(roles...)
	case what == "/checkMemberGroups":
		var in []any
		for _, g := range p.groups {
			in = append(in, g)
		}
		return 200, list(in...)
	case kind == "phoneMethods":
		return x.phones(p, method, rest, in)
	case kind == "emailMethods":
		switch method {
		case "POST", "PATCH":
			p.email = in["emailAddress"].(string)
		case "DELETE":
			p.email = ""
		}
		if p.email == "" {
			return 200, list()
		}
		return 200, list(map[string]string{"id": "3ddfcfc8-9383-446f-83cc-3ab9be4be18f", "emailAddress": p.email})
	case kind == "hardwareOathMethods":
		return x.tokens(p, method, rest, in)
	case kind == "softwareOathMethods":
		return named(&p.software, method, rest)
	case kind == "microsoftAuthenticatorMethods":
		return named(&p.apps, method, rest)
	case what == "signInPreferences":
		if method == "PATCH" {
			p.preferred = in["userPreferredMethodForSecondaryAuthentication"].(string)
			return 204, nil
		}
		return 200, map[string]string{"userPreferredMethodForSecondaryAuthentication": p.preferred}
	default:
		return 200, list()
	}
}

// named lists methods that have an id each, or takes one away.
func named(all *[]string, method, id string) (int, any) {
	if method == "DELETE" {
		*all = slices.DeleteFunc(*all, func(one string) bool { return one == id })
		return 204, nil
	}
	var out []any
	for _, one := range *all {
		out = append(out, map[string]string{"id": one})
	}
	return 200, list(out...)
}

func (x *tenant) phones(p *person, method, id string, in map[string]any) (int, any) {
	switch method {
	case "POST":
		kind := in["phoneType"].(string)
		if p.phones[kind] != "" {
			return failure(400, "badRequest")
		}
		p.phones[kind] = in["phoneNumber"].(string)
		return 201, map[string]string{"id": slots[kind]}
	case "PATCH", "DELETE":
		for kind, slot := range slots {
			if slot == id {
				delete(p.phones, kind)
				if method == "PATCH" {
					p.phones[kind] = in["phoneNumber"].(string)
				}
			}
		}
		return 204, nil
	}
	var out []any
	state := map[bool]string{true: "ready", false: "notEnabled"}[p.texts]
	for kind, number := range p.phones {
		out = append(out, map[string]string{"id": slots[kind], "phoneType": kind, "phoneNumber": number, "smsSignInState": state})
	}
	return 200, list(out...)
}

func (x *tenant) device(id string) map[string]any {
	for _, d := range x.devices {
		if d["id"] == id {
			return d
		}
	}
	return nil
}

func (x *tenant) tokens(p *person, method, rest string, in map[string]any) (int, any) {
	id, action, _ := strings.Cut(rest, "/")
	switch {
	case method == "GET":
		var out []any
		for _, t := range p.tokens {
			out = append(out, map[string]any{"id": t})
		}
		return 200, list(out...)
	case method == "DELETE":
		p.tokens = slices.DeleteFunc(p.tokens, func(one string) bool { return one == id })
		d := x.device(id)
		d["status"] = "available"
		delete(d, "assignedTo")
		return 204, nil
	case action == "activate":
		if !x.accept(in["verificationCode"].(string)) {
			return failure(400, "badRequest")
		}
		x.device(id)["status"] = "activated"
		return 204, nil
	}
	id = in["device"].(map[string]any)["id"].(string)
	d := x.device(id)
	d["status"], d["assignedTo"] = "assigned", map[string]string{"id": p.id}
	p.tokens = append(p.tokens, id)
	return 201, map[string]string{"id": id}
}

func (x *tenant) inventory(method, path, filter string, in []byte) (int, any) {
	_, id, _ := strings.Cut(strings.TrimPrefix(path, "/directory/authenticationMethodDevices/hardwareOathDevices"), "/")
	switch {
	case method == "POST":
		d := map[string]any{}
		_ = json.Unmarshal(in, &d)
		d["id"], d["status"] = fmt.Sprintf("device-%d", len(x.devices)+1), "available"
		x.devices = append(x.devices, d)
		return 201, d
	case method == "DELETE":
		for i, d := range x.devices {
			if d["id"] == id {
				x.devices = append(x.devices[:i], x.devices[i+1:]...)
			}
		}
		return 204, nil
	case id != "":
		if d := x.device(id); d != nil {
			return 200, hidden(d)
		}
		return failure(404, "ResourceNotFound")
	}
	var out []any
	for _, d := range x.devices {
		if filter == fmt.Sprintf("serialNumber eq '%s'", d["serialNumber"]) {
			out = append(out, hidden(d))
		}
	}
	return 200, list(out...)
}

// hidden is a device as it is shown: without its secret.
func hidden(d map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range d {
		out[k] = v
	}
	out["secretKey"] = nil
	return out
}

func change(id cloud.UserID, op cloud.Op, m cloud.Method, before, after string) cloud.Change {
	return cloud.Change{User: id, Op: op, Method: m, Before: cloud.TextValue(before), After: cloud.TextValue(after)}
}
