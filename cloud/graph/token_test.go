package graph_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/secret"
)

// ownNumber is a serial number as a plan gives it.
const ownNumber = "MFB-ABCDEFGHIJKLMNOP"

// Of several tokens of a user one is taken, by its id or by what it was, and
// none of another kind.
func TestOnlyThatTokenIsRemoved(t *testing.T) {
	for name, c := range map[string]struct {
		id, serial string
		tokens     string
		outcome    string
	}{
		"by its id":             {"device-2", "CT-2", "device-1 device-3", "done"},
		"by its number":         {"", "CT-2", "device-1 device-3", "done"},
		"the last":              {"device-3", "CT-3", "device-1 device-2", "done"},
		"one that is not there": {"device-9", "CT-9", "device-1 device-2 device-3", "already"},
		"by another's id":       {"device-1", "CT-2", "device-1 device-2 device-3", "stale stale"},
	} {
		x := newTenant(t)
		ada := x.people[adaID]
		ada.software = []string{"CT-2"}
		for n := range 3 {
			id := fmt.Sprintf("device-%d", n+1)
			ada.tokens = append(ada.tokens, id)
			x.devices = append(x.devices, map[string]any{"id": id, "serialNumber": fmt.Sprintf("CT-%d", n+1), "displayName": "Token", "manufacturer": "Acme", "model": "T1",
				"status": "activated", "assignedTo": map[string]string{"id": adaID}})
		}
		got := outcomes(x.open().Write(t.Context(), []cloud.Change{{User: adaID, Op: cloud.Remove, Method: cloud.HardwareOATH, ID: c.id, Before: cloud.Value{OATH: token(c.serial)}}}))
		if got != c.outcome || strings.Join(ada.tokens, " ") != c.tokens || len(ada.software) != 1 || len(x.devices) != 3 {
			t.Errorf("%s: %s, the user has %v and %v", name, got, ada.tokens, ada.software)
		}
	}
}

// Apps and software tokens are taken away one by one, and only where it is said
// which one.
func TestRemovalOfAppsAndSoftwareTokens(t *testing.T) {
	soft := func(id string) cloud.Value {
		return cloud.Value{OATH: &cloud.OATH{Serial: id, Algorithm: cloud.SHA1, Digits: 6, Period: 30}}
	}
	for name, c := range map[string]struct {
		method         cloud.Method
		id             string
		before         cloud.Value
		outcome        string
		apps, software string
	}{
		"an app":           {cloud.Authenticator, "a2", cloud.Value{State: "active"}, "done", "a1", "s1 s2"},
		"a software token": {cloud.SoftwareOATH, "s1", soft("s1"), "done", "a1 a2", "s2"},
		"an app, any":      {cloud.Authenticator, "", cloud.Value{State: "active"}, "failed unsupported", "a1 a2", "s1 s2"},
		"a token, any":     {cloud.SoftwareOATH, "", soft("s1"), "failed unsupported", "a1 a2", "s1 s2"},
		"an app not there": {cloud.Authenticator, "a3", cloud.Value{State: "active"}, "already", "a1 a2", "s1 s2"},
	} {
		x := newTenant(t)
		ada := x.people[adaID]
		ada.apps, ada.software = []string{"a1", "a2"}, []string{"s1", "s2"}
		got := outcomes(x.open().Write(t.Context(), []cloud.Change{{User: adaID, Op: cloud.Remove, Method: c.method, ID: c.id, Before: c.before}}))
		if got != c.outcome || strings.Join(ada.apps, " ") != c.apps || strings.Join(ada.software, " ") != c.software {
			t.Errorf("%s: %s, the user has %v and %v", name, got, ada.apps, ada.software)
		}
	}
}

// What is to be another app or software token is not taken away for it.
func TestAppsAndSoftwareTokensAreNotChanged(t *testing.T) {
	soft := func(name string) cloud.Value {
		return cloud.Value{OATH: &cloud.OATH{Name: name, Serial: "s1", Algorithm: cloud.SHA1, Digits: 6, Period: 30}}
	}
	for _, c := range []cloud.Change{
		{User: adaID, Op: cloud.Update, Method: cloud.Authenticator, ID: "a1", Before: cloud.Value{State: "active"}, After: cloud.Value{State: "invited"}},
		{User: adaID, Op: cloud.Update, Method: cloud.SoftwareOATH, ID: "s1", Before: soft(""), After: soft("renamed")},
	} {
		x := newTenant(t)
		ada := x.people[adaID]
		ada.apps, ada.software = []string{"a1"}, []string{"s1"}
		if got := outcomes(x.open().Write(t.Context(), []cloud.Change{c})); got != "failed unsupported" || len(ada.apps) != 1 || len(ada.software) != 1 {
			t.Errorf("%s: %s, the user has %v and %v", c.Method, got, ada.apps, ada.software)
		}
	}
}

// A token of the inventory is taken for the user's only where it says so: one
// that is in use and whose user it does not tell is somebody's.
func TestTokenThatIsInUse(t *testing.T) {
	for name, c := range map[string]struct {
		status, of string
		activates  bool
		want       string
	}{
		"activated, of nobody":          {"activated", "", true, "failed conflict"},
		"activated, of nobody, by hand": {"activated", "", false, "failed conflict"},
		"assigned, of nobody":           {"assigned", "", true, "failed conflict"},
		"assigned, of nobody, by hand":  {"assigned", "", false, "failed conflict"},
		"activated, of the user":        {"activated", adaID, true, "done"},
		"assigned, of the user":         {"assigned", adaID, false, "done"},
		"available, of another":         {"available", bobID, false, "failed conflict"},
		"available":                     {"available", "", false, "done"},
		"of no state":                   {"", "", false, "done"},
	} {
		x := newTenant(t)
		x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": c.status}}
		if c.of != "" {
			x.devices[0]["assignedTo"] = map[string]string{"id": c.of}
		}
		d := x.open(func(o *graph.Options) { o.Activates = c.activates })
		if got := outcomes(d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})); got != c.want || x.calls["DELETE /directory/authenticationMethodDevices/hardwareOathDevices/device-1"] != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
	x := newTenant(t)
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1"}, {"id": "device-2", "serialNumber": "CT-1"}}
	if got := outcomes(x.open().Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})); got != "failed conflict" || len(x.people[adaID].tokens) != 0 {
		t.Errorf("two of a number: %s", got)
	}
}

// A token of SHA256 is put into the inventory as one, and proven by its codes
// (RFC 6238 appendix B, at 59 s, with the secret of 32 bytes: 46119246).
func TestTokenOfSHA256(t *testing.T) {
	x := newTenant(t)
	x.date = func() time.Time { return time.Unix(59, 0) }
	var codes []string
	x.accept = func(code string) bool { codes = append(codes, code); return true }
	o := token("CT-1")
	o.Algorithm, o.Secret = cloud.SHA256, secret.FromString("12345678901234567890123456789012")
	got := outcomes(x.open(func(o *graph.Options) { o.Activates = true }).Write(t.Context(), []cloud.Change{addToken(o)}))
	if got != "done" || x.devices[0]["hashFunction"] != "hmacsha256" || !slices.Equal(codes, []string{"119246"}) {
		t.Errorf("%s, %v, codes %q", got, x.devices, codes)
	}
}

// What becomes of a token whose assignment Graph did not answer with success:
// one that is the user's all the same is done, one that Graph refuses leaves the
// inventory again, and one that it has not taken is gone on with.
func TestAssignmentThatFails(t *testing.T) {
	const assign = "POST /users/" + adaID + "/authentication/hardwareOathMethods"
	for name, c := range map[string]struct {
		status  int
		stored  bool
		want    string
		devices int
		sent    int
	}{
		"refused":             {403, false, "failed denied", 0, 1},
		"wrong":               {400, false, "failed invalid", 0, 1},
		"in spite of 409":     {409, true, "done", 1, 1},
		"in spite of 500":     {500, true, "done", 1, 1},
		"throttled for long":  {429, false, "failed throttled", 1, 0},
		"503 for ever":        {503, false, "failed unavailable", 1, 3},
		"refused, and stored": {403, true, "done", 1, 1},
	} {
		x := newTenant(t)
		x.fault = func(method, path string, n int) (int, http.Header) {
			if method+" "+path != assign {
				return 0, nil
			}
			if c.stored {
				x.devices[0]["status"], x.devices[0]["assignedTo"] = "assigned", map[string]string{"id": adaID}
			}
			return c.status, nil
		}
		got := outcomes(x.open().Write(t.Context(), []cloud.Change{addToken(token(ownNumber))}))
		if got != c.want || len(x.devices) != c.devices || c.sent > 0 && x.calls[assign] != c.sent {
			t.Errorf("%s: %s after %d requests, %v", name, got, x.calls[assign], x.devices)
		}
	}
}

// A token that somebody else gets while it is being assigned is theirs.
func TestTokenThatAnotherGetsMeanwhile(t *testing.T) {
	x := newTenant(t)
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": "available"}}
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "/hardwareOathMethods") {
			x.devices[0]["status"], x.devices[0]["assignedTo"] = "assigned", map[string]string{"id": bobID}
			return 409, nil
		}
		return 0, nil
	}
	if got := outcomes(x.open().Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})); got != "failed conflict" || len(x.devices) != 1 {
		t.Errorf("%s, %v", got, x.devices)
	}
}

// What becomes of a token of ours that is not activated: refused, it leaves the
// user and the inventory; where the service fails, it is gone on with.
func TestActivationThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		serial  string
		status  func(n int) int
		want    string
		devices int
		sent    int
	}{
		"refused":                 {ownNumber, func(int) int { return 403 }, "failed denied", 0, 1},
		"no code fits":            {ownNumber, func(int) int { return 400 }, "failed invalid", 0, 2},
		"no code fits, a maker's": {"CT-1", func(int) int { return 400 }, "failed invalid", 0, 2},
		"503 for ever":            {ownNumber, func(int) int { return 503 }, "failed unavailable", 1, 6},
		"429 for ever":            {ownNumber, func(int) int { return 429 }, "failed throttled", 1, 0},
		"the next code fits":      {ownNumber, func(n int) int { return map[bool]int{true: 400}[n == 1] }, "done", 1, 2},
	} {
		x := newTenant(t)
		sent := 0
		x.fault = func(_, path string, n int) (int, http.Header) {
			if strings.HasSuffix(path, "/activate") {
				sent++
				return c.status(n), nil
			}
			return 0, nil
		}
		d := x.open(func(o *graph.Options) { o.Activates = true })
		got := outcomes(d.Write(t.Context(), []cloud.Change{addToken(token(c.serial))}))
		if got != c.want || len(x.devices) != c.devices || len(x.people[adaID].tokens) != c.devices || c.sent > 0 && sent != c.sent {
			t.Errorf("%s: %s after %d requests, the user has %v, the inventory %v", name, got, sent, x.people[adaID].tokens, x.devices)
		}
	}
}

// A token that is gone already is removed; one that Graph keeps is not, and it
// says where it stays.
func TestRemovalOfATokenThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		user, stock int
		want        string
		says        string
	}{
		"gone from the user":    {404, 0, "done", ""},
		"gone from both":        {404, 404, "done", ""},
		"kept by the user":      {403, 0, "failed denied", "403"},
		"kept in the inventory": {0, 403, "failed denied", "stays in the inventory"},
		"the user's fails":      {503, 0, "failed unavailable", "503"},
	} {
		x := newTenant(t)
		x.devices = []map[string]any{{"id": "device-1", "serialNumber": ownNumber, "displayName": "Token", "manufacturer": "Acme", "model": "T1", "status": "activated", "assignedTo": map[string]string{"id": adaID}}}
		x.people[adaID].tokens = []string{"device-1"}
		x.fault = func(method, path string, _ int) (int, http.Header) {
			switch {
			case method != "DELETE":
				return 0, nil
			case strings.HasPrefix(path, "/directory/"):
				return c.stock, nil
			case c.user == 404: // it is gone, and the inventory has it as nobody's
				delete(x.devices[0], "assignedTo")
			}
			return c.user, nil
		}
		r := x.open().Write(t.Context(), []cloud.Change{{User: adaID, Op: cloud.Remove, Method: cloud.HardwareOATH, ID: "device-1", Before: cloud.Value{OATH: token(ownNumber)}}})
		if got := outcomes(r); got != c.want || c.says != "" && !strings.Contains(fmt.Sprint(r[0].Err), c.says) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A token that was begun when its caller went has not failed: it is not known,
// and the next run goes on with it.
func TestCallerGoesBehindAToken(t *testing.T) {
	x := newTenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "/hardwareOathMethods") {
			cancel()
			return 503, nil
		}
		return 0, nil
	}
	d := x.open(func(o *graph.Options) {
		o.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	})
	r := d.Write(ctx, []cloud.Change{addToken(token(ownNumber))})
	if got := outcomes(r); got != "failed unavailable" || len(x.devices) != 1 || !strings.Contains(r[0].Err.Error(), "begun and not finished") {
		t.Errorf("%+v, %v", r, x.devices)
	}
}
