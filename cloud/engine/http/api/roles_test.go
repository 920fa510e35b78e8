package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// allowed is who may call what, written down a second time: a route that is
// missing here, or one that is not served any more, fails the test.
var allowed = map[string]string{
	"api POST /oauth2/token":                          "anybody",
	"api GET /oauth2/jwks":                            "anybody",
	"api GET /.well-known/oauth-authorization-server": "anybody",
	"api GET /directory/v1/capabilities":              "migrate helpdesk auditor admin",
	"api POST /directory/v1/find":                     "migrate helpdesk auditor admin",
	"api POST /directory/v1/read":                     "migrate helpdesk auditor admin",
	"api POST /directory/v1/write":                    "migrate admin",
	"api POST /directory/v1/lock":                     "migrate admin",
	"api PUT /directory/v1/lock/{id}":                 "migrate admin",
	"api DELETE /directory/v1/lock/{id}":              "migrate admin",
	"api GET /directory/v1/preflight":                 "migrate auditor admin",
	"api GET /directory/v1/groups/{group}/members":    "migrate auditor admin",
	"api POST /verify/v1/challenges":                  "shim admin",
	"api GET /verify/v1/challenges/{id}":              "shim admin",
	"api POST /verify/v1/challenges/{id}/answer":      "shim admin",
	"api POST /verify/v1/look":                        "shim admin",
	"api GET /verify/v1/events":                       "shim admin",
	"api POST /verify/v1/passwords":                   "shim admin",
	"api POST /verify/v1/numbers":                     "shim admin",
	"api POST /verify/v1/numbers/{id}/answer":         "shim admin",
	"api POST /admin/v1/users/number/open":            "admin",
	"api POST /admin/v1/users/number/close":           "helpdesk admin",
	"api POST /verify/v1/match":                       "shim admin",
	"api POST /verify/v1/notices":                     "shim admin",
	"api GET /admin/v1/users":                         "auditor admin",
	"api POST /admin/v1/users/import":                 "admin",
	"api GET /admin/v1/audit":                         "auditor admin",
	"api GET /admin/v1/audit/key":                     "auditor admin",
	"api GET /admin/v1/audit/checkpoints":             "auditor admin",
	"api POST /admin/v1/users/show":                   "helpdesk auditor admin",
	"api POST /admin/v1/users/add":                    "admin",
	"api POST /admin/v1/users/enable":                 "admin",
	"api POST /admin/v1/users/disable":                "admin",
	"api POST /admin/v1/users/password":               "admin",
	"api POST /admin/v1/users/block":                  "helpdesk admin",
	"api POST /admin/v1/users/unblock":                "helpdesk admin",
	"api POST /admin/v1/users/bypass":                 "helpdesk admin",
	"api POST /admin/v1/users/bypass/end":             "helpdesk admin",
	"api POST /admin/v1/users/invite":                 "helpdesk admin",
	"api POST /admin/v1/users/email/confirm":          "helpdesk admin",
	"api POST /admin/v1/users/email/unconfirm":        "helpdesk admin",
	"api POST /admin/v1/users/email/code":             "helpdesk admin",
	"api POST /admin/v1/users/email/prove":            "helpdesk admin",
	"api GET /admin/v1/groups":                        "auditor admin",
	"api POST /admin/v1/groups/add":                   "admin",
	"api POST /admin/v1/groups/remove":                "admin",
	"api POST /admin/v1/groups/join":                  "admin",
	"api POST /admin/v1/groups/leave":                 "admin",
	"api GET /admin/v1/policy":                        "auditor admin",
	"api POST /admin/v1/policy":                       "admin",
	"api GET /admin/v1/apps":                          "auditor admin",
	"api POST /admin/v1/apps/add":                     "admin",
	"api POST /admin/v1/apps/remove":                  "admin",
	"api POST /admin/v1/apps/key":                     "admin",
	"ops GET /healthz":                                "anybody",
	"ops GET /readyz":                                 "anybody",
	"ops GET /metrics":                                "anybody",
	"pages GET /{$}":                                  "anybody",
	"pages GET /authenticator":                        "anybody",
	"pages GET /authenticator/{file}":                 "anybody",
	"pages GET /authenticator/{$}":                    "anybody",
	"pages POST /authenticator/v1/sign-in":            "anybody",
	"pages POST /authenticator/v1/code":               "anybody",
	"pages POST /authenticator/v1/pass":               "anybody",
	"pages POST /authenticator/v1/activate":           "anybody",
	"pages GET /authenticator/v1/pushes":              "device",
	"pages POST /authenticator/v1/pushes/{id}/answer": "device",

	"api POST /admin/v1/users/invite/renew":              "helpdesk admin",
	"api POST /admin/v1/users/invite/revoke":             "helpdesk admin",
	"api POST /admin/v1/users/invite/mail":               "helpdesk admin",
	"api POST /admin/v1/users/invitations/show":          "helpdesk auditor admin",
	"api POST /admin/v1/users/pin":                       "helpdesk admin",
	"api POST /admin/v1/users/devices/show":              "helpdesk auditor admin",
	"api POST /admin/v1/users/devices/remove":            "helpdesk admin",
	"api GET /admin/v1/settings":                         "auditor admin",
	"api POST /admin/v1/settings":                        "admin",
	"pages GET /authenticator/v1/about":                  "anybody",
	"pages GET /authenticator/v1/events":                 "device",
	"pages GET /authenticator/v1/me":                     "device owner",
	"pages GET /authenticator/v1/approvals":              "device owner",
	"pages POST /authenticator/v1/approvals/{id}/report": "device owner",
	"pages POST /authenticator/v1/devices/{id}/rename":   "device owner",
	"pages POST /authenticator/v1/devices/{id}/remove":   "device owner",
	"pages POST /authenticator/v1/devices/{id}/unlock":   "owner",
	"pages POST /authenticator/v1/default":               "device owner",
	"pages POST /authenticator/v1/pin":                   "device",
	"pages POST /authenticator/v1/subscription":          "device",
	"pages POST /authenticator/v1/subscription/remove":   "device",
	"pages POST /authenticator/v1/notices/seen":          "device",
	"pages POST /authenticator/v1/test":                  "device",

	"pages POST /delivery/v1/{provider}":                       "providers",
	"pages GET /delivery/v1/{provider}":                        "providers",
	"pages POST /native/oauth2/v2.0/initiate":                  "anybody",
	"pages OPTIONS /native/oauth2/v2.0/initiate":               "pages of applications",
	"pages POST /native/oauth2/v2.0/challenge":                 "anybody",
	"pages OPTIONS /native/oauth2/v2.0/challenge":              "pages of applications",
	"pages POST /native/oauth2/v2.0/introspect":                "anybody",
	"pages OPTIONS /native/oauth2/v2.0/introspect":             "pages of applications",
	"pages POST /native/oauth2/v2.0/token":                     "anybody",
	"pages OPTIONS /native/oauth2/v2.0/token":                  "pages of applications",
	"pages POST /native/signup/v1.0/start":                     "anybody",
	"pages OPTIONS /native/signup/v1.0/start":                  "pages of applications",
	"pages POST /native/signup/v1.0/challenge":                 "anybody",
	"pages OPTIONS /native/signup/v1.0/challenge":              "pages of applications",
	"pages POST /native/signup/v1.0/continue":                  "anybody",
	"pages OPTIONS /native/signup/v1.0/continue":               "pages of applications",
	"pages POST /native/resetpassword/v1.0/start":              "anybody",
	"pages OPTIONS /native/resetpassword/v1.0/start":           "pages of applications",
	"pages POST /native/resetpassword/v1.0/challenge":          "anybody",
	"pages OPTIONS /native/resetpassword/v1.0/challenge":       "pages of applications",
	"pages POST /native/resetpassword/v1.0/continue":           "anybody",
	"pages OPTIONS /native/resetpassword/v1.0/continue":        "pages of applications",
	"pages POST /native/resetpassword/v1.0/submit":             "anybody",
	"pages OPTIONS /native/resetpassword/v1.0/submit":          "pages of applications",
	"pages POST /native/resetpassword/v1.0/poll_completion":    "anybody",
	"pages OPTIONS /native/resetpassword/v1.0/poll_completion": "pages of applications",
	"pages POST /native/register/v1.0/introspect":              "anybody",
	"pages OPTIONS /native/register/v1.0/introspect":           "pages of applications",
	"pages POST /native/register/v1.0/challenge":               "anybody",
	"pages OPTIONS /native/register/v1.0/challenge":            "pages of applications",
	"pages POST /native/register/v1.0/continue":                "anybody",
	"pages OPTIONS /native/register/v1.0/continue":             "pages of applications",
	"pages GET /native/v2.0/.well-known/openid-configuration":  "anybody",
	"pages GET /native/discovery/v2.0/keys":                    "anybody",
	"pages GET /native/branding":                               "anybody",
	"pages OPTIONS /native/branding":                           "pages of applications",
}

func TestEveryRouteHasItsRoles(t *testing.T) {
	h := build(t)
	seen := map[string]bool{}
	for _, route := range h.Routes() {
		name := string(route.Listener) + " " + route.Method + " " + route.Path
		want, ok := allowed[name]
		if !ok {
			t.Errorf("%s is served and not in the table", name)
			continue
		}
		seen[name] = true
		path := strings.NewReplacer("{id}", "none", "{group}", "none", "{$}", "", "{file}", "main.js", "{provider}", "none").Replace(route.Path)
		body := ""
		if route.Body > 0 {
			body = "{" // wrong: what is let in is refused behind the guard, and changes nothing
		}
		if want == "providers" { // by their signatures, which package channel checks
			if w := h.do(route.Listener, route.Method, path, body); w.Code != http.StatusForbidden {
				t.Errorf("%s for whoever is no provider: %d", name, w.Code)
			}
			continue
		}
		if want == "pages of applications" { // which are registered, as package native tells; this one is not
			if w := h.do(route.Listener, route.Method, path, "", "Origin", "https://evil.example"); w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s for a page of somebody else: %d", name, w.Code)
			}
			continue
		}
		if want == "anybody" {
			if w := h.do(route.Listener, route.Method, path, body); w.Code == http.StatusUnauthorized && path != "/oauth2/token" || w.Code == http.StatusForbidden {
				t.Errorf("%s is not open: %d", name, w.Code)
			}
			continue
		}
		if w := h.do(route.Listener, route.Method, path, body); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d", name, w.Code)
		}
		for _, role := range append(slices.Clone(roles), engine.RoleDevice, engine.RoleOwner) {
			may := slices.Contains(strings.Fields(want), string(role))
			if may && strings.HasSuffix(path, "/events") {
				continue // it lasts; package remote looks at it
			}
			w := h.at(route.Listener, role, route.Method, path, body)
			if may == (w.Code == http.StatusForbidden) || w.Code == http.StatusUnauthorized || w.Code >= 500 && w.Code != http.StatusNotImplemented {
				t.Errorf("%s as %s: %d %s", name, role, w.Code, w.Body)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("%s is in the table and not served", name)
		}
	}
}

// forms are the routes whose bodies are no JSON, or a provider's.
var forms = []string{"/oauth2/", "/native/", "/delivery/"}

// No route takes a body that names a member twice, in whatever case: who has
// looked at it before us may have seen the other one.
func TestNoRouteTakesAMemberTwice(t *testing.T) {
	h := build(t)
	tried := 0
	for _, route := range h.Routes() {
		if route.Body == 0 || slices.ContainsFunc(forms, func(f string) bool { return strings.HasPrefix(route.Path, f) }) {
			continue
		}
		role := engine.RoleAdmin
		if want := allowed[string(route.Listener)+" "+route.Method+" "+route.Path]; strings.Contains(want, "device") {
			role = engine.RoleDevice
		} else if strings.Contains(want, "owner") {
			role = engine.RoleOwner
		}
		path := strings.NewReplacer("{id}", "none", "{group}", "none").Replace(route.Path)
		for _, body := range []string{`{"user":"ada@contoso.example","user":"bob@contoso.example"}`, `{"code":"1","\u0043ode":"2"}`} {
			if w := h.at(route.Listener, role, route.Method, path, body); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "twice") {
				t.Errorf("%s %s: %d %s", route.Method, path, w.Code, w.Body)
			}
		}
		tried++
	}
	if tried < 40 {
		t.Errorf("only %d routes", tried)
	}
}

func TestListenersServeTheirOwn(t *testing.T) {
	h := build(t)
	for _, route := range h.Routes() {
		path := strings.NewReplacer("{id}", "none", "{group}", "none", "{$}", "", "{file}", "main.js", "{provider}", "none").Replace(route.Path)
		for _, other := range []serve.Listener{serve.Pages, serve.API, serve.Ops} {
			if other == route.Listener {
				continue
			}
			r := h.do(other, route.Method, path, "", "Authorization", "Bearer "+h.tokens[engine.RoleAdmin])
			if r.Code != http.StatusNotFound {
				t.Errorf("%s answers %s %s of %s with %d", other, route.Method, path, route.Listener, r.Code)
			}
			if other == serve.API && strings.Contains(r.Body.String(), "not_found") {
				t.Errorf("%s %s sounds as if somebody were unknown: %s", route.Method, path, r.Body)
			}
		}
	}
	if w := h.do(serve.API, "PATCH", "/directory/v1/read", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("another method: %d, %q", w.Code, w.Header().Get("Allow"))
	}
}
