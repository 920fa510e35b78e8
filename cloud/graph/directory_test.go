package graph_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

func TestFindQuotesAndFolds(t *testing.T) {
	x := newTenant(t)
	x.people[bobID].upn = "o'neil@contoso.example"
	d := x.open()
	found, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ADA@contoso.example"}, {Kind: cloud.ByUPN, Value: "o'neil@contoso.example"},
		{Kind: cloud.BySID, Value: "s-1-5-21-1-2-3-1101"}, {Kind: cloud.ByUPN, Value: "nobody@contoso.example"}, {Kind: cloud.ByUPN, Value: ""}, {Kind: cloud.ByID, Value: bobID}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []cloud.UserID{adaID, bobID, adaID, "", "", bobID} {
		if want == "" && len(found[i]) != 0 || want != "" && !slices.Equal(found[i], []cloud.UserID{want}) {
			t.Errorf("key %d leads to %v, want %q", i, found[i], want)
		}
	}
	if _, err := d.Find(t.Context(), []cloud.Key{{Kind: "mail", Value: "x"}}); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("an unknown kind of key: %v", err)
	}
}

func TestRead(t *testing.T) {
	x := newTenant(t)
	ada := x.people[adaID]
	ada.phones["mobile"], ada.phones["office"], ada.email, ada.preferred = "+1 4255550101", "+1 4255550102x33", "ada@home.example", "sms"
	x.devices = append(x.devices, map[string]any{"id": "device-1", "serialNumber": "CT-1", "manufacturer": "Acme", "model": "T1", "displayName": "Token",
		"timeIntervalInSeconds": "60", "hashFunction": "hmacsha256", "status": "activated"})
	ada.tokens = []string{"device-1"}
	users, err := x.open().Read(t.Context(), []cloud.UserID{adaID, "33333333-3333-4333-8333-333333333333", bobID, "not an id"})
	if err != nil {
		t.Fatal(err)
	}
	u := users[0]
	if u.ID != adaID || u.UPN != ada.upn || u.Mobile != "+1 4255550101" || u.Office != "+1 4255550102x33" || u.Email != "ada@home.example" || u.Default != cloud.SMS || u.SID != ada.sid || !u.Enabled {
		t.Errorf("got %+v", u)
	}
	if len(u.OATH) != 1 || u.OATH[0].Serial != "CT-1" || u.OATH[0].Period != 60 || u.OATH[0].Algorithm != cloud.SHA256 || !u.OATH[0].Secret.IsZero() {
		t.Errorf("tokens %+v", u.OATH)
	}
	if want := []cloud.Method{cloud.Authenticator, cloud.Email, cloud.SoftwareOATH}; !slices.Equal(u.Forbidden, want) {
		t.Errorf("forbidden %v, want %v", u.Forbidden, want)
	}
	if users[1].ID != "" || users[3].ID != "" {
		t.Error("somebody who does not exist is there")
	}
	if b := users[2]; !b.Guest || !b.Privileged || !b.GlobalAdmin || !slices.Contains(b.Forbidden, cloud.HardwareOATH) {
		t.Errorf("got %+v", b)
	}
	for _, n := range x.sizes {
		if n > 20 {
			t.Errorf("a batch of %d", n)
		}
	}
}

func TestTextsAndCallsAreForbiddenApart(t *testing.T) {
	x := newTenant(t)
	x.policy = strings.Replace(x.policy, `"id":"Sms","state":"enabled"`, `"id":"Sms","state":"disabled"`, 1)
	users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
	if err != nil || !slices.Equal(users[0].ForbiddenWays, []cloud.Preference{cloud.SMS}) || slices.Contains(users[0].Forbidden, cloud.Mobile) {
		t.Errorf("forbidden %v, %v, %v", users[0].ForbiddenWays, users[0].Forbidden, err)
	}
}

func TestFormerSettingsForbidNothing(t *testing.T) {
	x := newTenant(t)
	x.policy = strings.Replace(x.policy, "migrationComplete", "preMigration", 1)
	users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
	if err != nil || len(users[0].Forbidden) != 0 {
		t.Errorf("forbidden %v, %v", users[0].Forbidden, err)
	}
}

func TestWriteKeepsTheOrderOfEachUser(t *testing.T) {
	x := newTenant(t)
	var order []string
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method != "GET" && path != "/$batch" && !strings.Contains(path, "checkMember") {
			order = append(order, method+path[len("/users/")+36:])
		}
		return 0, nil
	}
	results := x.open().Write(t.Context(), []cloud.Change{
		change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(adaID, cloud.Add, cloud.AlternateMobile, "", "+1 4255550102"),
		change(adaID, cloud.Add, cloud.Email, "", "ada@home.example"), change(adaID, cloud.Set, cloud.DefaultMethod, "", "sms"),
		change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550103"), change("", cloud.Add, cloud.Mobile, "", "+1 4255550104")})
	for i, r := range results {
		if want := cloud.Done; i < 5 && r.Outcome != want {
			t.Errorf("change %d: %+v", i, r)
		}
	}
	if cloud.KindOf(results[5].Err) != cloud.NotFound {
		t.Errorf("a user who is nobody: %+v", results[5])
	}
	ada := x.people[adaID]
	if ada.phones["mobile"] != "+1 4255550101" || ada.phones["alternateMobile"] != "+1 4255550102" || ada.email == "" || ada.preferred != "sms" {
		t.Errorf("got %+v", ada)
	}
	if len(order) != 5 || order[4] != "PATCH/authentication/signInPreferences" {
		t.Errorf("order %q", order)
	}
	if results[0].ID != slots["mobile"] {
		t.Errorf("id %q", results[0].ID)
	}
}

func TestWriteComparesBefore(t *testing.T) {
	x := newTenant(t)
	x.people[adaID].phones["mobile"] = "+1 425 555 0101"
	results := x.open().Write(t.Context(), []cloud.Change{
		change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"),                 // there already, blanks apart
		change(adaID, cloud.Update, cloud.Mobile, "+1 4255550199", "+1 4255550102"), // somebody else was faster
		change(adaID, cloud.Remove, cloud.Office, "+1 4255550105", ""),              // gone already
	})
	for i, want := range []cloud.Outcome{cloud.Already, cloud.Outdated, cloud.Already} {
		if results[i].Outcome != want {
			t.Errorf("change %d: %+v, want %s", i, results[i], want)
		}
	}
	for key := range x.calls {
		if strings.HasPrefix(key, "PATCH") || strings.HasPrefix(key, "DELETE") || strings.HasSuffix(key, "phoneMethods") && strings.HasPrefix(key, "POST") {
			t.Errorf("something was written: %s", key)
		}
	}
}

// what becomes of one new mobile phone under a fault of its request.
func TestFaultsOfAChange(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(x *tenant, n int) (int, http.Header)
		want   cloud.Outcome
		kind   cloud.Kind
		stored bool
		sent   int
	}{
		"409, and stored all the same": {func(x *tenant, n int) (int, http.Header) {
			x.people[adaID].phones["mobile"] = "+1 4255550101"
			return 409, nil
		}, cloud.Done, 0, true, 1},
		"409, and not stored": {func(*tenant, int) (int, http.Header) { return 409, nil }, cloud.Failed, cloud.Conflict, false, 1},
		"403":                 {func(*tenant, int) (int, http.Header) { return 403, nil }, cloud.Failed, cloud.Denied, false, 1},
		"429 with Retry-After, then taken": {func(_ *tenant, n int) (int, http.Header) {
			if n == 1 {
				return 429, http.Header{"Retry-After": {"7"}}
			}
			return 0, nil
		}, cloud.Done, 0, true, 2},
		"429 without Retry-After, then taken": {func(_ *tenant, n int) (int, http.Header) {
			if n < 3 {
				return 429, nil
			}
			return 0, nil
		}, cloud.Done, 0, true, 3},
		"429 for ever": {func(*tenant, int) (int, http.Header) { return 429, nil }, cloud.Failed, cloud.Throttled, false, 5}, // for half a minute; the run then looks again
		"503 for ever": {func(*tenant, int) (int, http.Header) { return 503, nil }, cloud.Failed, cloud.Unavailable, false, 5},
		"503 with Retry-After, then taken": {func(_ *tenant, n int) (int, http.Header) {
			if n == 1 {
				return 503, http.Header{"Retry-After": {"7"}}
			}
			return 0, nil
		}, cloud.Done, 0, true, 2},
		"500, and stored all the same": {func(x *tenant, n int) (int, http.Header) {
			x.people[adaID].phones["mobile"] = "+1 4255550101"
			return 500, nil
		}, cloud.Done, 0, true, 1},
		"503, and somebody else was faster": {func(x *tenant, n int) (int, http.Header) {
			x.people[adaID].phones["mobile"] = "+1 4255550177"
			return 503, nil
		}, cloud.Outdated, cloud.Stale, true, 1},
		"503, and the user is deleted": {func(x *tenant, n int) (int, http.Header) {
			delete(x.people, adaID)
			return 503, nil
		}, cloud.Failed, cloud.NotFound, false, 1},
		"written, and the answer was lost": {func(*tenant, int) (int, http.Header) { return -1, nil }, cloud.Done, 0, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t)
			sent := 0
			x.fault = func(method, path string, n int) (int, http.Header) {
				if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
					sent++
					return c.fault(x, n)
				}
				return 0, nil
			}
			r := x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})[0]
			if r.Outcome != c.want || r.Err != nil && cloud.KindOf(r.Err) != c.kind {
				t.Errorf("got %+v", r)
			}
			ada := x.people[adaID]
			if stored := ada != nil && ada.phones["mobile"] != ""; stored != c.stored || sent != c.sent {
				t.Errorf("stored %v, sent %d times", stored, sent)
			}
			if r.Err != nil && strings.Contains(r.Err.Error(), "4255550101") {
				t.Error("the error shows the number")
			}
			if strings.HasSuffix(name, "with Retry-After, then taken") && !slices.Contains(x.waits, 7*time.Second) {
				t.Errorf("waited %v", x.waits)
			}
		})
	}
}

// A number that a 409 came with is stored, and seen only after a while.
func TestStoredNumberIsSeenLate(t *testing.T) {
	x := newTenant(t)
	looks := 0
	x.fault = func(method, path string, n int) (int, http.Header) {
		switch {
		case method == "POST" && strings.HasSuffix(path, "/phoneMethods"):
			return 409, nil
		case method == "GET" && strings.HasSuffix(path, "/phoneMethods"):
			if looks++; looks == 4 {
				x.people[adaID].phones["mobile"] = "+1 4255550101"
			}
		}
		return 0, nil
	}
	r := x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})[0]
	if r.Outcome != cloud.Done || !slices.Contains(x.waits, 5*time.Second) {
		t.Errorf("got %+v, waited %v", r, x.waits)
	}
}

func TestReadsAreAskedAgain(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, n int) (int, http.Header) {
		if strings.HasSuffix(path, "/phoneMethods") && n < 3 {
			return []int{503, 429}[n-1], nil
		}
		return 0, nil
	}
	if users, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); err != nil || users[0].ID != adaID {
		t.Errorf("got %v", err)
	}
	x.fault = func(method, path string, n int) (int, http.Header) {
		if strings.HasSuffix(path, "/phoneMethods") {
			return 403, nil
		}
		return 0, nil
	}
	if _, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a permission that is missing: %v", err)
	}
}

func token(serial string) *cloud.OATH {
	return &cloud.OATH{Name: "Token", Serial: serial, Manufacturer: "Acme", Model: "T1", Algorithm: cloud.SHA1, Digits: 6, Period: 30,
		Secret: secret.FromString("12345678901234567890")}
}

func addToken(o *cloud.OATH) cloud.Change {
	return cloud.Change{User: adaID, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: o}}
}

// The vector of RFC 6238 appendix B at 59 s, cut to six digits.
const codeAt59 = "287082"

func TestTokenIsMadeInThreeSteps(t *testing.T) {
	x := newTenant(t)
	x.date = func() time.Time { return time.Unix(59, 0) } // another clock than ours
	var codes []string
	x.accept = func(code string) bool { codes = append(codes, code); return true }
	d := x.open(func(o *graph.Options) { o.Activates = true })
	r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]
	if r.Outcome != cloud.Done || r.ID != "device-1" || x.devices[0]["status"] != "activated" || x.devices[0]["secretKey"] != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
		t.Fatalf("got %+v, %v", r, x.devices)
	}
	if len(codes) != 1 || codes[0] != codeAt59 {
		t.Errorf("codes %q, want %s", codes, codeAt59)
	}
	if r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; r.Outcome != cloud.Already || len(x.devices) != 1 {
		t.Errorf("once more: %+v", r)
	}
	remove := addToken(token("CT-1"))
	remove.Op, remove.Before, remove.After = cloud.Remove, remove.After, cloud.Value{}
	if r := d.Write(t.Context(), []cloud.Change{remove})[0]; r.Outcome != cloud.Done || len(x.people[adaID].tokens) != 0 || len(x.devices) != 1 {
		t.Errorf("removed: %+v; a maker's token stays in the inventory: %v", r, x.devices)
	}
}

func TestOwnTokenLeavesTheInventoryToo(t *testing.T) {
	x := newTenant(t)
	d := x.open()
	c := addToken(token("MFB-ABCDEFGHIJKLMNOP"))
	d.Write(t.Context(), []cloud.Change{c})
	c.Op, c.Before, c.After = cloud.Remove, c.After, cloud.Value{}
	if r := d.Write(t.Context(), []cloud.Change{c})[0]; r.Outcome != cloud.Done || len(x.devices) != 0 {
		t.Errorf("got %+v, %v", r, x.devices)
	}
}

// A token that a run left half made is finished by the next.
func TestHalfMadeTokens(t *testing.T) {
	for name, status := range map[string]string{"in the inventory": "available", "assigned": "assigned"} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t)
			x.devices = append(x.devices, map[string]any{"id": "device-9", "serialNumber": "CT-1", "status": status, "manufacturer": "Acme", "model": "T1"})
			if status == "assigned" {
				x.devices[0]["assignedTo"] = map[string]string{"id": adaID}
				x.people[adaID].tokens = []string{"device-9"}
			}
			d := x.open(func(o *graph.Options) { o.Activates = true })
			if r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; r.Outcome != cloud.Done || r.ID != "device-9" || len(x.devices) != 1 || x.devices[0]["status"] != "activated" {
				t.Errorf("got %+v, %v", r, x.devices)
			}
		})
	}
}

func TestTokenThatNobodyHasActivated(t *testing.T) {
	ada := func(t *testing.T, d *graph.Directory) cloud.User {
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		check(t, err)
		return users[0]
	}
	for status, inactive := range map[string]bool{"activated": false, "": false, "assigned": true, "failedActivation": true, "available": true} {
		t.Run(status, func(t *testing.T) {
			x := newTenant(t)
			device := map[string]any{"id": "device-1", "serialNumber": "CT-1", "assignedTo": map[string]string{"id": adaID}}
			if status != "" { // it is not told
				device["status"] = status
			}
			x.devices, x.people[adaID].tokens = []map[string]any{device}, []string{"device-1"}
			u := ada(t, x.open())
			if len(u.OATH) != 1 || u.OATH[0].Inactive != inactive {
				t.Errorf("shown as %+v", u.OATH)
			}
			d := x.open(func(o *graph.Options) { o.Activates = true })
			if u = ada(t, d); (len(u.OATH) == 0) != inactive {
				t.Errorf("where an application activates: %+v", u.OATH)
			}
			want := cloud.Already
			if inactive {
				want = cloud.Done
			}
			o := token("CT-1")
			if !inactive {
				o = &u.OATH[0].OATH
			}
			if r := d.Write(t.Context(), []cloud.Change{addToken(o)})[0]; r.Outcome != want || inactive && device["status"] != "activated" {
				t.Errorf("written: %+v, now %v", r, device["status"])
			}
		})
	}
}

func TestTokenOfAnotherIsLeftAlone(t *testing.T) {
	x := newTenant(t)
	x.devices = append(x.devices, map[string]any{"id": "device-9", "serialNumber": "CT-1", "status": "activated", "assignedTo": map[string]string{"id": bobID}})
	if r := x.open().Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; cloud.KindOf(r.Err) != cloud.Conflict {
		t.Errorf("another user's: %+v", r)
	}
	x.devices[0] = map[string]any{"id": "device-9", "serialNumber": "CT-1", "status": "available"}
	x.accept = func(string) bool { return false }
	d := x.open(func(o *graph.Options) { o.Activates = true })
	if r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; cloud.KindOf(r.Err) != cloud.Conflict || len(x.people[adaID].tokens) != 0 || x.devices[0]["status"] != "available" {
		t.Errorf("another secret: %+v, %v", r, x.devices)
	}
}

// A token that an administrator has assigned, and that its user is yet to activate,
// is not taken away because an export has another secret for its serial number.
func TestTokenThatWasAssignedBeforeStays(t *testing.T) {
	x := adasToken(t, "CT-1")
	x.devices[0]["status"] = "assigned"
	x.accept = func(string) bool { return false }
	d := x.open(func(o *graph.Options) { o.Activates = true })
	r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]
	if cloud.KindOf(r.Err) != cloud.Conflict || !strings.Contains(r.Err.Error(), "stays assigned") {
		t.Errorf("%+v", r)
	}
	if len(x.people[adaID].tokens) != 1 || x.devices[0]["status"] != "assigned" {
		t.Errorf("Ada has %v, the inventory %v", x.people[adaID].tokens, x.devices)
	}
}

func TestActivationIsTriedOnceMoreInTheNextStep(t *testing.T) {
	x := newTenant(t)
	tries := 0
	x.accept = func(string) bool { tries++; return tries == 2 }
	d := x.open(func(o *graph.Options) { o.Activates = true })
	if r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; r.Outcome != cloud.Done || tries != 2 || len(x.waits) == 0 || x.waits[len(x.waits)-1] > 31*time.Second {
		t.Errorf("got %+v after %d tries, waited %v", r, tries, x.waits)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*cloud.OATH){
		"no maker":    func(o *cloud.OATH) { o.Manufacturer = "" },
		"8 digits":    func(o *cloud.OATH) { o.Digits = 8 },
		"45 seconds":  func(o *cloud.OATH) { o.Period = 45 },
		"SHA512":      func(o *cloud.OATH) { o.Algorithm = cloud.SHA512 },
		"no secret":   func(o *cloud.OATH) { o.Secret = secret.Bytes{} },
		"long secret": func(o *cloud.OATH) { o.Secret = secret.New(make([]byte, 81)) },
	} {
		x := newTenant(t)
		o := token("CT-1")
		change(o)
		if r := x.open().Write(t.Context(), []cloud.Change{addToken(o)})[0]; r.Outcome != cloud.Failed || len(x.devices) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWhatGraphCannot(t *testing.T) {
	x := newTenant(t)
	d := x.open()
	for _, c := range []cloud.Change{
		{User: adaID, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: token("MFB-1")}},
		{User: adaID, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}},
		{User: adaID, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: time.Now().Add(time.Hour)}},
		{User: adaID, Op: cloud.Update, Method: cloud.HardwareOATH, ID: "device-1", After: cloud.Value{OATH: token("CT-1")}},
	} {
		if r := d.Write(t.Context(), []cloud.Change{c})[0]; cloud.KindOf(r.Err) != cloud.Unsupported {
			t.Errorf("%s %s: %+v", c.Op, c.Method, r)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]graph.Options{
		"plain":     {Cloud: graph.Environment{Root: "http://graph.example"}},
		"no scheme": {Cloud: graph.Environment{Root: "graph.example"}},
		"a path":    {Cloud: graph.Environment{Root: "https://graph.microsoft.com/v1.0"}},
		"a query":   {Cloud: graph.Environment{Root: "https://graph.microsoft.com?a=b"}},
		"a user":    {Cloud: graph.Environment{Root: "https://somebody@graph.microsoft.com"}},
	} {
		o.Transport = newTenant(t) // which answers for Graph
		if _, err := graph.Open(t.Context(), o); err == nil || !strings.Contains(hint.Of(err), "https://") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
