package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// shut sends every route that is not open each of some tokens: none lets in.
func (h *house) shut(t *testing.T, tokens map[string]string) {
	t.Helper()
	tried := 0
	for _, route := range h.Routes() {
		if route.Open {
			continue
		}
		path := strings.NewReplacer("{id}", "none", "{group}", "none").Replace(route.Path)
		body := ""
		if route.Body > 0 {
			body = "{"
		}
		for what, token := range tokens {
			w := h.do(route.Listener, route.Method, path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s %s for %s: %d %s", route.Listener, route.Method, path, what, w.Code, w.Body)
			}
			tried++
		}
	}
	if tried < 50*len(tokens) {
		t.Errorf("only %d were tried", tried)
	}
}

// No route lets in by what is no token, a token of another engine, or one whose
// time, application, device or user has ended.
func TestNoRouteLetsStrangersIn(t *testing.T) {
	h, other := build(t), build(t)
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":%q,"sub":"admin","client_id":"admin","role":"admin","aud":["urn:mfabridge:engine:x"],"exp":%d}`, issuer, h.Now().Add(time.Hour).Unix())
	device, admin := strings.Split(h.tokens[engine.RoleDevice], "."), h.tokens[engine.RoleAdmin]
	strangers := map[string]string{"nothing": "", "no token": "x", "dots": "...", "a prefix": "mfd1.", "another prefix": "mfo1...",
		"an unsigned one": part([]byte(`{"alg":"none","typ":"at+jwt","kid":"x"}`)) + "." + part([]byte(claims)) + ".",
		"one that is cut": admin[:len(admin)-4], "two": admin + " " + admin, "a device without a signature": strings.Join(device[:4], ".") + ".",
		"a device that signs for the owner": "mfo1." + strings.Join(device[1:4], ".")}
	for role, token := range other.tokens {
		strangers[string(role)+" of another engine"] = token
	}
	h.shut(t, strangers)

	if err := h.engine.SetEnabled(t.Context(), operator, h.user, false); err != nil {
		t.Fatal(err)
	}
	h.shut(t, map[string]string{"the owner who is disabled": h.tokens[engine.RoleOwner]})
	if err := h.engine.SetEnabled(t.Context(), operator, h.user, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.engine.RemoveDevice(t.Context(), operator, h.user, h.phone.got.Device); err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		if err := h.engine.RemoveApp(t.Context(), operator, string(role)); err != nil {
			t.Fatal(err)
		}
	}
	gone := map[string]string{}
	for role, token := range h.tokens {
		gone[string(role)+" that was removed"] = token
	}
	h.shut(t, gone)

	other.Advance(31 * time.Minute)
	ended := map[string]string{}
	for role, token := range other.tokens {
		ended[string(role)+" that has ended"] = token
	}
	other.shut(t, ended)
}

// neighbour is somebody of the same role whose id is not the one in the path.
type neighbour struct {
	body string
	want int
	says string // in the answer
}

// neighbours is every route that names something by its id, and what somebody
// hears to whom that does not belong: a route that is missing here fails the test.
var neighbours = map[string]neighbour{
	"POST /authenticator/v1/pushes/{id}/answer":    {body: "signed", want: http.StatusNotFound},
	"POST /authenticator/v1/approvals/{id}/report": {body: `{}`, want: http.StatusNotFound},
	"POST /authenticator/v1/devices/{id}/rename":   {body: `{"name":"mine"}`, want: http.StatusNotFound},
	"POST /authenticator/v1/devices/{id}/remove":   {body: `{"lost":true}`, want: http.StatusNotFound},
	"POST /authenticator/v1/devices/{id}/unlock":   {body: `{}`, want: http.StatusNotFound},
	"GET /verify/v1/challenges/{id}":               {want: http.StatusNotFound},
	"POST /verify/v1/challenges/{id}/answer":       {body: `{"code":"123456"}`, want: http.StatusNotFound},
	"POST /verify/v1/numbers/{id}/answer":          {body: `{"code":"123456","client":{"app":"VPN"}}`, want: http.StatusOK, says: `"ok":false`},
	"PUT /directory/v1/lock/{id}":                  {want: http.StatusNotFound},
	"DELETE /directory/v1/lock/{id}":               {want: http.StatusNotFound},
}

// Nobody looks at, answers or changes what is somebody else's by its id.
func TestNobodyReachesWhatIsSomebodyElses(t *testing.T) {
	h := build(t)
	push := h.ask(t, false)
	word, err := h.engine.As("migrate").Lease(t.Context(), "a run", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := h.engine.As("shim").Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3, Client: cloud.Client{App: "VPN", Station: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{"/authenticator/v1/pushes/": string(push.ID), "/authenticator/v1/approvals/": string(push.ID), "/authenticator/v1/devices/": h.phone.got.Device,
		"/verify/v1/challenges/": string(theirs.ID), "/verify/v1/numbers/": string(theirs.ID), "/directory/v1/lock/": word}
	// Bob has a device and is its owner; other applications have the same roles.
	mine := h.me(t, h.tokens[engine.RoleOwner])
	bob, err := h.engine.AddUser(t.Context(), operator, cloud.Profile{UPN: "bob@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	ada := h.user
	h.user = bob
	phone := newPhoneOf(t, h, "bob@contoso.example")
	tokens := map[engine.Role]string{engine.RoleDevice: phone.token(t), engine.RoleOwner: h.ownerOf(t, "bob@contoso.example"),
		engine.RoleShim: h.loginAs(t, "shim2", engine.RoleShim), engine.RoleMigrate: h.loginAs(t, "migrate2", engine.RoleMigrate), engine.RoleAdmin: h.loginAs(t, "admin2", engine.RoleAdmin)}
	h.user = ada
	for _, route := range h.Routes() {
		if !strings.Contains(route.Path, "{id}") {
			continue
		}
		name := route.Method + " " + route.Path
		n, known := neighbours[name]
		if !known {
			t.Errorf("%s names something by its id: say what a neighbour hears", name)
			continue
		}
		before, after, _ := strings.Cut(route.Path, "{id}")
		for _, role := range route.Roles {
			body := n.body
			if body == "signed" {
				now := fmt.Sprint(h.Now().Unix())
				body = fmt.Sprintf(`{"answer":"approve","time":%s,"signature":%q}`, now,
					phone.sign(t, "answer 1", string(bob), phone.got.Device, ids[before], "approve", "", now))
			}
			w := h.do(route.Listener, route.Method, before+ids[before]+after, body, "Authorization", "Bearer "+tokens[role], "Content-Type", "application/json")
			if w.Code != n.want || !strings.Contains(w.Body.String(), n.says) || strings.Contains(w.Body.String(), string(ada)) {
				t.Errorf("%s as another %s: %d %s", name, role, w.Code, w.Body)
			}
		}
	}
	if after := h.me(t, h.tokens[engine.RoleOwner]); fmt.Sprint(after) != fmt.Sprint(mine) {
		t.Errorf("%+v is %+v", mine, after)
	}
	if waiting := h.phone.pushes(t, ""); len(waiting.Pushes) != 2 {
		t.Errorf("what waits: %+v", waiting)
	}
	if err := h.engine.As("migrate").Renew(t.Context(), word, time.Minute); err != nil {
		t.Errorf("the lock of the run: %v", err)
	}
}
