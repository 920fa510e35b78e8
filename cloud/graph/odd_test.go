package graph_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// reshaped gives what the tenant answers to items of a batch, whose paths end in
// a suffix, another form.
func reshaped(x *tenant, method, suffix string, change func(one map[string]any)) tripper {
	return mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
		var in struct {
			Requests []struct{ ID, Method, URL string }
		}
		if json.Unmarshal(body, &in) != nil {
			return nil, nil
		}
		var of []string
		for _, q := range in.Requests {
			if path, _, _ := strings.Cut(q.URL, "?"); q.Method == method && strings.HasSuffix(path, suffix) {
				of = append(of, q.ID)
			}
		}
		if len(of) == 0 {
			return nil, nil
		}
		resp, err := x.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		var out struct {
			Responses []map[string]any `json:"responses"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			return nil, err
		}
		for _, one := range out.Responses {
			if slices.Contains(of, one["id"].(string)) {
				change(one)
			}
		}
		return reply(200, nil, out, x.date())
	})
}

// Success that does not say what was asked for is none: nobody is taken for
// deleted, for no administrator, or for somebody without methods.
func TestAnswersThatLackWhatWasAsked(t *testing.T) {
	bodies := map[string]any{"nothing": map[string]any{}, "null": nil, "an error": map[string]any{"error": map[string]string{"code": "accessDenied"}},
		"no values": map[string]any{"value": nil}}
	for what, part := range map[string]struct{ method, suffix string }{
		"user": {"GET", adaID}, "roles": {"GET", "/microsoft.graph.directoryRole"}, "assignments": {"GET", "transitiveRoleAssignments"},
		"phones": {"GET", "/phoneMethods"}, "addresses": {"GET", "/emailMethods"}, "apps": {"GET", "/microsoftAuthenticatorMethods"},
		"software": {"GET", "/softwareOathMethods"}, "tokens": {"GET", "/hardwareOathMethods"}, "groups": {"POST", "/checkMemberGroups"},
	} {
		for name, body := range bodies {
			x := newTenant(t)
			x.people[adaID].phones["mobile"] = "+1 4255550101"
			d := x.open(func(o *graph.Options) {
				o.Transport = reshaped(x, part.method, part.suffix, func(one map[string]any) { one["body"] = body })
			})
			if users, err := d.Read(t.Context(), []cloud.UserID{adaID}); cloud.KindOf(orNone(err)) != cloud.Internal || err == nil {
				t.Errorf("%s, %s: read %d, %v", what, name, len(users), err)
			}
			if got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Remove, cloud.Mobile, "+1 4255550101", "")})); got != "failed internal" {
				t.Errorf("%s, %s: written %s", what, name, got)
			}
		}
	}
	for name, policy := range map[string]string{"nothing": `{}`, "null": `null`, "an error": `{"error":{"code":"accessDenied"}}`} {
		x := newTenant(t)
		x.policy = policy
		if users, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); err == nil {
			t.Errorf("policy, %s: read %d", name, len(users))
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return &cloud.Error{Kind: cloud.Stale}
	}
	return err
}

// A success of another kind than the reference has is no word that something was
// done: the user is looked at, and where nothing is there it is sent again.
func TestSuccessOfAnotherKind(t *testing.T) {
	for _, status := range []int{202, 206, 207, 302, 408, 423} {
		for _, done := range []bool{false, true} {
			x := newTenant(t)
			odd := 0
			d := x.open(func(o *graph.Options) {
				o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
					if !writes(body) {
						return nil, nil
					}
					if odd++; odd > 1 {
						return nil, nil
					}
					if done {
						if _, err := x.RoundTrip(r); err != nil {
							return nil, err
						}
					}
					return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": status}, map[string]any{"id": "2", "status": status}}}, x.date())
				})
			})
			if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone || x.people[adaID].phones["mobile"] == "" || x.people[bobID].phones["mobile"] == "" {
				t.Errorf("%d, done %v: %s", status, done, got)
			}
		}
	}
}

// The same of a batch as a whole, and of one whose answers contradict each other.
func TestBatchOfAnotherKind(t *testing.T) {
	twice := map[string]any{"responses": []any{map[string]any{"id": "1", "status": 204}, map[string]any{"id": "2", "status": 204}, map[string]any{"id": "1", "status": 403}}}
	for name, odd := range map[string]struct {
		status int
		body   any
	}{"204": {204, nil}, "202": {202, map[string]any{}}, "206": {206, map[string]any{"responses": []any{}}}, "301": {301, nil}, "408": {408, nil}, "423": {423, nil}, "twice": {200, twice}} {
		x := newTenant(t)
		n := 0
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
				if writes(body) {
					if n++; n == 1 {
						return reply(odd.status, nil, odd.body, x.date())
					}
				}
				return nil, nil
			})
		})
		if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone || x.people[adaID].phones["mobile"] == "" || x.people[bobID].phones["mobile"] == "" {
			t.Errorf("%s: %s; Ada has %v", name, got, x.people[adaID].phones)
		}
	}
	// Reading is no other matter.
	for _, status := range []int{202, 204, 301} {
		x := newTenant(t)
		d := x.open()
		x.fault = func(_, path string, _ int) (int, http.Header) {
			if path == "/$batch" {
				return status, nil
			}
			return 0, nil
		}
		if users, err := d.Read(t.Context(), []cloud.UserID{adaID}); err == nil {
			t.Errorf("%d: read %+v", status, users)
		}
	}
}

// What is odd each time is not known: it is not told to have failed, which would
// say that nothing was written.
func TestOddEachTime(t *testing.T) {
	for _, status := range []int{202, 302, 408, 423} {
		x := newTenant(t)
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
				return status, nil
			}
			return 0, nil
		}
		r := x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})[0]
		if e, ok := r.Err.(*cloud.Error); !ok || r.Outcome != cloud.Failed || e.Kind != cloud.Unavailable || !e.Alone {
			t.Errorf("%d: %+v", status, r)
		}
		if odd := status < 400; strings.Contains(r.Err.Error(), "does not say what was asked") != odd {
			t.Errorf("%d: %v", status, r.Err)
		}
	}
}

// Where there is no batch, nobody is told to be deleted and nothing to be gone.
func TestBatchThatIsNotThere(t *testing.T) {
	x := newTenant(t)
	x.people[adaID].phones["mobile"] = "+1 4255550101"
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "MFB-1", "status": "activated", "assignedTo": map[string]string{"id": adaID}}}
	x.people[adaID].tokens = []string{"device-1"}
	removals := []cloud.Change{change(adaID, cloud.Remove, cloud.Mobile, "+1 4255550101", ""),
		{User: adaID, Op: cloud.Remove, Method: cloud.HardwareOATH, ID: "device-1", Before: cloud.Value{OATH: &cloud.OATH{Serial: "MFB-1", Algorithm: cloud.SHA1, Digits: 6, Period: 30}}}}
	for name, hit := range map[string]func(body []byte) bool{"all": func([]byte) bool { return true }, "removals": func(body []byte) bool { return strings.Contains(string(body), `"method":"DELETE"`) }} {
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/$batch") && hit(body) {
					return reply(404, nil, map[string]any{"error": map[string]string{"code": "ResourceNotFound"}}, x.date())
				}
				return nil, nil
			})
		})
		if got := outcomes(d.Write(t.Context(), removals)); got != "failed unavailable, failed unavailable" {
			t.Errorf("%s: %s", name, got)
		}
		if err := d.RevokePass(t.Context(), adaID, "pass"); err == nil {
			t.Errorf("%s: a pass is told to be gone", name)
		}
		if can, err := d.Restorable(t.Context(), []cloud.UserID{adaID}); name == "all" && err == nil {
			t.Errorf("%s: %v", name, can)
		}
	}
}

// removeToken takes a token of a plan from Ada.
func removeToken(serial string) cloud.Change {
	return cloud.Change{User: adaID, Op: cloud.Remove, Method: cloud.HardwareOATH, ID: "device-1",
		Before: cloud.Value{OATH: &cloud.OATH{Serial: serial, Algorithm: cloud.SHA1, Digits: 6, Period: 30}}}
}

// adasToken is a tenant in which Ada has a token.
func adasToken(t *testing.T, serial string) *tenant {
	x := newTenant(t)
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": serial, "status": "activated", "assignedTo": map[string]string{"id": adaID}}}
	x.people[adaID].tokens = []string{"device-1"}
	return x
}

// A token that Graph says it does not find, while the inventory has it as the
// user's, is not gone: the user may have been deleted meanwhile, and come back with it.
func TestTokenThatIsNotFoundAndThere(t *testing.T) {
	for serial, gone := range map[string]bool{"MFB-1": false, "CT-1": false, "CT-2": true} {
		x := adasToken(t, serial)
		x.fault = func(method, path string, n int) (int, http.Header) {
			if method == "DELETE" && strings.Contains(path, "/hardwareOathMethods/") {
				if gone { // it went, and the inventory tells so late
					if n > 1 {
						x.devices[0]["status"] = "available"
						delete(x.devices[0], "assignedTo")
					}
				}
				return 404, nil
			}
			return 0, nil
		}
		r := x.open().Write(t.Context(), []cloud.Change{removeToken(serial)})[0]
		if got := outcomes([]cloud.Result{r}); !gone && (got != "failed unavailable" || len(x.devices) != 1) || gone && got != "done" {
			t.Errorf("%s: %s %v", serial, got, r.Err)
		}
	}
}

// That a token was taken from its user may be seen late in the inventory, where it
// can only go then.
func TestTokenThatGoesLate(t *testing.T) {
	for _, tries := range []int{2, 4, 99} {
		x := adasToken(t, "MFB-1")
		x.fault = func(method, path string, n int) (int, http.Header) {
			if method == "DELETE" && strings.Contains(path, "/hardwareOathDevices/") && n < tries {
				return 400, nil
			}
			return 0, nil
		}
		r := x.open().Write(t.Context(), []cloud.Change{removeToken("MFB-1")})[0]
		if done := tries < 99; (r.Outcome == cloud.Done) != done || len(x.devices) == 0 != done || !done && !strings.Contains(r.Err.Error(), "stays in the inventory") {
			t.Errorf("%d: %+v, %d in the inventory", tries, r, len(x.devices))
		}
	}
}

// A token whose creation is refused, and that is there all the same a moment later,
// was somebody else's before: it is not withdrawn for a user who cannot have it.
func TestTokenThatSomebodyElseHasJustMade(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, _ int) (int, http.Header) {
		switch {
		case method == "POST" && strings.HasSuffix(path, "/hardwareOathDevices"):
			x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": "available"}}
			return 409, nil
		case method == "POST" && strings.HasSuffix(path, "/hardwareOathMethods"):
			return 403, nil
		}
		return 0, nil
	}
	if r := x.open().Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; r.Outcome != cloud.Failed || len(x.devices) != 1 {
		t.Errorf("%+v, %d in the inventory", r, len(x.devices))
	}
}
