package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/http/serve"
)

// administered asks as an administrator, with a reason, and expects a status.
func (h *house) administered(t *testing.T, path, members string, want int) string {
	t.Helper()
	w := h.as(engine.RoleAdmin, "POST", "/admin/v1/"+path, `{"reason":"ticket 4711"`+members+`}`)
	if w.Code != want {
		t.Errorf("%s %s: %d %s, want %d", path, members, w.Code, w.Body, want)
	}
	return w.Body.String()
}

// What names nobody, or more than one, and what is half of a request, changes
// nothing.
func TestHalfARequestIsRefused(t *testing.T) {
	h := build(t)
	ada := fmt.Sprintf(`,"name":"ada@contoso.example","id":%q`, h.user)
	group, err := h.engine.AddGroup(t.Context(), operator, "Pilots")
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	curve, err := x509.MarshalPKIXPublicKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ path, members, say string }{
		"two names":                {"users/disable", ada, "exactly one of"},
		"no name":                  {"users/disable", "", "exactly one of"},
		"no password":              {"users/password", `,"name":"ada@contoso.example"`, "is missing"},
		"no device":                {"users/devices/remove", `,"name":"ada@contoso.example"`, "is missing"},
		"nothing of a PIN":         {"users/pin", `,"name":"ada@contoso.example"`, "nothing is asked for"},
		"an application by role":   {"apps/remove", `,"name":"shim","role":"shim"`, "by its name alone"},
		"an application by end":    {"apps/remove", `,"name":"shim","until":"2030-01-01T00:00:00Z"`, "by its name alone"},
		"a key that is none":       {"apps/key", `,"name":"shim","spki":"AAAA"`, "spki is not"},
		"a key of another kind":    {"apps/key", `,"name":"shim","spki":"` + base64.StdEncoding.EncodeToString(curve) + `"`, "of an RSA key"},
		"a group with a member":    {"groups/add", `,"group":"Crew","user":"x"`, "is empty"},
		"a member with its group":  {"groups/remove", fmt.Sprintf(`,"group":%q,"user":%q`, group, h.user), "removed whole"},
		"nobody joins":             {"groups/join", fmt.Sprintf(`,"group":%q`, group), "exactly one of"},
		"a user and a group leave": {"groups/leave", fmt.Sprintf(`,"group":%q,"user":%q,"inner":"x"`, group, h.user), "exactly one of"},
		"an import of nobody":      {"users/import", `,"users":[]`, "users must be"},
		"an import of too many":    {"users/import", `,"users":[{}` + strings.Repeat(",{}", engine.MaxImport) + `]`, "users must be 1 to 1000"},
	} {
		if said := h.administered(t, c.path, c.members, http.StatusBadRequest); !strings.Contains(said, c.say) {
			t.Errorf("%s: %s", what, said)
		}
	}
	if w := h.as(engine.RoleAdmin, "POST", "/admin/v1/users/devices/show", `{"name":"ada@contoso.example","id":"`+string(h.user)+`"}`); w.Code != http.StatusBadRequest {
		t.Errorf("two names to look at: %d", w.Code)
	}
	if u, err := h.engine.Show(t.Context(), "ada@contoso.example"); err != nil || !u.Enabled {
		t.Errorf("%+v, %v", u, err)
	}
	if w := h.as(engine.RoleShim, "POST", "/verify/v1/look", `{"ids":[]}`); w.Code != http.StatusOK {
		t.Errorf("the shim is out: %d %s", w.Code, w.Body)
	}
	if i := slices.IndexFunc(h.Routes(), func(r serve.Route) bool { return r.Path == "/admin/v1/users/import" }); i < 0 || !h.Routes()[i].Heavy {
		t.Error("imports have no bound of their own")
	}
}

// What an administrator says is what holds then.
func TestAdministeredIsWhatWasSaid(t *testing.T) {
	h := build(t)
	const ada = `,"name":"ada@contoso.example"`
	for path, want := range map[string]bool{"users/disable": false, "users/enable": true} {
		h.administered(t, path, ada, http.StatusNoContent)
		if u, err := h.engine.Show(t.Context(), "ada@contoso.example"); err != nil || u.Enabled != want {
			t.Errorf("%s: enabled %v, %v", path, u.Enabled, err)
		}
		h.administered(t, "users/enable", ada, http.StatusNoContent)
	}
	h.administered(t, "users/number/close", ada, http.StatusNoContent) // to open it would be refused: there is none
	h.administered(t, "users/pin", ada+`,"required":true,"reset":true`, http.StatusNoContent)
	if last := h.lastEntry(t); last.Detail != "required=true reset=true" {
		t.Errorf("%+v", last)
	}
	group, err := h.engine.AddGroup(t.Context(), operator, "Pilots")
	if err != nil {
		t.Fatal(err)
	}
	h.administered(t, "policy", fmt.Sprintf(`,"method":"email","enabled":true,"exclude":[%q]`, group), http.StatusNoContent)
	if w := h.as(engine.RoleAuditor, "GET", "/admin/v1/policy", ""); !strings.Contains(w.Body.String(), fmt.Sprintf(`"exclude":[%q]`, group)) {
		t.Errorf("%s", w.Body)
	}
}

// An application and its keys end when it was said that they do.
func TestApplicationsEndAsSaid(t *testing.T) {
	h := build(t)
	soon := h.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	h.administered(t, "apps/add", fmt.Sprintf(`,"name":"watch","role":"auditor","until":%q`, soon), http.StatusCreated)
	if w := h.as(engine.RoleAuditor, "GET", "/admin/v1/apps", ""); !strings.Contains(w.Body.String(), `"name":"watch","role":"auditor"`) || !strings.Contains(w.Body.String(), soon) {
		t.Errorf("%s", w.Body)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	h.administered(t, "apps/key", fmt.Sprintf(`,"name":"shim","spki":%q,"kid":"k","until":%q`, base64.StdEncoding.EncodeToString(der), soon), http.StatusCreated)
	for _, want := range []int{1, 0} {
		if app, keys, err := h.engine.AppKeys(t.Context(), "shim"); err != nil || app.Name != "shim" || len(keys) != want {
			t.Errorf("%s has %d keys, %v", app.Name, len(keys), err)
		}
		h.Advance(2 * time.Hour)
	}
}

// The audit is told from when to when it was asked for, and every list says where
// it ends.
func TestSpansOfTheAudit(t *testing.T) {
	h := build(t)
	entries := func(query string) (n int) {
		w := h.as(engine.RoleAuditor, "GET", "/admin/v1/audit"+query, "")
		lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
		if w.Code != http.StatusOK || lines[len(lines)-1] != `{"end":true}` {
			t.Errorf("%s: %d, it ends with %s", query, w.Code, lines[len(lines)-1])
		}
		return len(lines) - 1
	}
	now := h.Now()
	h.Advance(20 * time.Minute) // a token lives longer
	h.administered(t, "groups/add", `,"group":"Pilots"`, http.StatusCreated)
	at := func(of time.Time) string { return of.UTC().Format(time.RFC3339) }
	if all, before, after, none := entries(""), entries("?until="+at(now.Add(time.Minute))), entries("?since="+at(now.Add(time.Minute))), entries("?since="+at(now.Add(2*time.Hour))); all < 5 || before != all-1 || after != 1 || none != 0 {
		t.Errorf("%d entries, of which %d before, %d after, %d later", all, before, after, none)
	}
	for _, list := range []string{"users", "groups"} {
		if w := h.as(engine.RoleAuditor, "GET", "/admin/v1/"+list, ""); !strings.HasSuffix(w.Body.String(), `{"end":true}`+"\n") {
			t.Errorf("%s: %s", list, w.Body)
		}
	}
	var key struct {
		SPKI []byte `json:"spki"`
	}
	w := h.as(engine.RoleAuditor, "GET", "/admin/v1/audit/key", "")
	if want, err := x509.MarshalPKIXPublicKey(h.engine.AuditPublic()); err != nil || json.Unmarshal(w.Body.Bytes(), &key) != nil || string(key.SPKI) != string(want) {
		t.Errorf("another key: %s, %v", w.Body, err)
	}
}

// lastEntry is the newest of the audit.
func (h *house) lastEntry(t *testing.T) (last audit.Entry) {
	t.Helper()
	for entry, err := range h.engine.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = entry
	}
	return last
}
