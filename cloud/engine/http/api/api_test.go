package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
)

const issuer = "https://engine.contoso.example"

var operator = engine.Actor{Who: "operator", Reason: "test"}

var roles = []engine.Role{engine.RoleMigrate, engine.RoleShim, engine.RoleHelpdesk, engine.RoleAuditor, engine.RoleAdmin}

// house is an engine with its API and an application of each role, named as
// the role.
type house struct {
	*api.API
	*cloudtest.Clock
	engine *engine.Engine
	tokens map[engine.Role]string
	user   cloud.UserID
	phone  *phone // of the user
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{Clock: cloudtest.NewClock(), tokens: map[engine.Role]string{}}
	h.engine, _ = enginetest.Open(t, enginetest.Create(t, engine.Setup{Now: h.Now()}), engine.Config{Now: h.Now,
		Senders: map[cloud.Preference]engine.Sender{cloud.EmailCode: nowhere{}}})
	channels, err := channel.Open(channel.Options{Config: &channel.Config{}, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	if h.API, err = api.New(api.Options{Engine: h.engine, Issuer: issuer, Now: h.Now, Public: "https://mfa.contoso.example", Channels: channels,
		Pages: pages.Options{PublicURL: "https://mfa.contoso.example", PushKey: "key", MayPush: mayPush}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.API.Close(), channels.Close()); err != nil {
			t.Error(err)
		}
	})
	if h.user, err = h.engine.AddUser(t.Context(), operator, cloud.Profile{UPN: "ada@contoso.example", Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		h.tokens[role] = h.login(t, role)
	}
	h.phone = newPhone(t, h)
	h.tokens[engine.RoleDevice] = h.phone.token(t)
	h.tokens[engine.RoleOwner] = h.owner(t)
	return h
}

// nowhere is where mail goes.
type nowhere struct{}

func (nowhere) Send(context.Context, engine.Message) error { return nil }

func (nowhere) Delivers() bool { return true }

// login registers the application of a role, named as it, and gets its token.
func (h *house) login(t testing.TB, role engine.Role) string {
	t.Helper()
	return h.loginAs(t, string(role), role)
}

func (h *house) loginAs(t testing.TB, name string, role engine.Role) string {
	t.Helper()
	word, err := h.engine.AddApp(t.Context(), operator, name, role, h.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {string(word.Reveal())}}
	w := h.do(serve.API, "POST", "/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	_, rest, ok := strings.Cut(w.Body.String(), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if w.Code != http.StatusOK || !ok {
		t.Fatalf("no token for %s: %d %s", name, w.Code, w.Body)
	}
	return token
}

// do sends one request; header are names and values.
func (h *house) do(l serve.Listener, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Handler(l).ServeHTTP(w, r)
	return w
}

func (h *house) as(role engine.Role, method, path, body string) *httptest.ResponseRecorder {
	return h.at(serve.API, role, method, path, body)
}

func (h *house) at(l serve.Listener, role engine.Role, method, path, body string) *httptest.ResponseRecorder {
	header := []string{"Authorization", "Bearer " + h.tokens[role]}
	if body != "" {
		header = append(header, "Content-Type", "application/json")
	}
	return h.do(l, method, path, body, header...)
}

// What stops being allowed stops at the next request.
func TestAccessEndsAtOnce(t *testing.T) {
	h := build(t)
	ask := func() int { return h.as(engine.RoleMigrate, "GET", "/directory/v1/capabilities", "").Code }
	if got := ask(); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	if err := h.engine.RemoveApp(t.Context(), operator, "migrate"); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("a removed application: %d", got)
	}
	h.Advance(time.Second)
	old := h.tokens[engine.RoleMigrate]
	h.tokens[engine.RoleMigrate] = h.login(t, engine.RoleMigrate)
	if got := ask(); got != http.StatusOK {
		t.Errorf("the application that came back: %d", got)
	}
	h.tokens[engine.RoleMigrate] = old
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("a token of the application before: %d", got)
	}
	if h.as(engine.RoleAdmin, "GET", "/directory/v1/capabilities", "").Code != http.StatusOK {
		t.Error("the admin is out")
	}
	h.Advance(31 * time.Minute)
	if got := h.as(engine.RoleAdmin, "GET", "/directory/v1/capabilities", "").Code; got != http.StatusUnauthorized {
		t.Errorf("a token of half an hour ago: %d", got)
	}
}

// Every change of /admin/v1 says why, and is refused without a word of it.
func TestChangesNeedReasons(t *testing.T) {
	h := build(t)
	entries := func() (n int) {
		for range h.engine.Audit(t.Context(), 0) {
			n++
		}
		return n
	}
	before := entries()
	for _, route := range h.Routes() {
		if !strings.HasPrefix(route.Path, "/admin/v1/") || route.Method != "POST" || strings.HasSuffix(route.Path, "/show") {
			continue
		}
		for _, body := range []string{`{}`, `{"reason":""}`, `{"reason":" "}`} {
			w := h.as(engine.RoleAdmin, "POST", route.Path, body)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "reason is missing") {
				t.Errorf("%s %s: %d %s", route.Path, body, w.Code, w.Body)
			}
		}
	}
	if after := entries(); after != before {
		t.Errorf("%d entries were written", after-before)
	}
}

// What a helpdesk does stands in the audit under it and the person whom it
// names, and ends where somebody has an administrative role.
func TestDeskAdministers(t *testing.T) {
	h := build(t)
	boss := h.engine.ImportUsers(t.Context(), operator, []engine.Newcomer{{Profile: cloud.Profile{UPN: "boss@contoso.example", Enabled: true},
		Roles: []string{"User Administrator"}}})
	if boss[0].Err != nil {
		t.Fatal(boss[0].Err)
	}
	until := h.Now().Add(time.Hour).Format(time.RFC3339)
	for _, path := range []string{"bypass", "bypass/end", "block", "unblock", "invite"} {
		body := `{"name":"%s","person":"grace","reason":"ticket 4711"`
		if path == "bypass" || path == "block" {
			body += `,"until":"` + until + `"`
		}
		ask := func(name string) *httptest.ResponseRecorder {
			return h.as(engine.RoleHelpdesk, "POST", "/admin/v1/users/"+path, strings.Replace(body+"}", "%s", name, 1))
		}
		if w := ask("ada@contoso.example"); w.Code != http.StatusNoContent && w.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w := ask("boss@contoso.example"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "administrative role") {
			t.Errorf("%s of somebody with a role: %d %s", path, w.Code, w.Body)
		}
		var last audit.Entry
		for entry, err := range h.engine.Audit(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			last = entry
		}
		if last.Actor != "grace via helpdesk" || last.Reason != "ticket 4711" || last.Subject != string(h.user) {
			t.Errorf("%s stands in the audit as %+v", path, last)
		}
	}
}

// Whatever a helpdesk may do ends at those who have an administrative role, and
// nothing of it is in the audit.
func TestNoDeskAboveAdministrators(t *testing.T) {
	h := build(t)
	boss := h.engine.ImportUsers(t.Context(), operator, []engine.Newcomer{{Profile: cloud.Profile{UPN: "boss@contoso.example", Enabled: true},
		Roles: []string{"User Administrator"}}})
	if boss[0].Err != nil {
		t.Fatal(boss[0].Err)
	}
	id := boss[0].ID
	r := h.engine.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.Value{Text: "boss@contoso.example"}}})
	if r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	device, _, err := h.engine.Invite(t.Context(), operator, id)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"name":"boss@contoso.example","reason":"ticket 4711","device":"%s","until":"%s","code":"123456","reset":true}`, device, h.Now().Add(time.Hour).Format(time.RFC3339))
	count := func() (n int) {
		for range h.engine.Audit(t.Context(), 0) {
			n++
		}
		return n
	}
	before, walked := count(), 0
	for name, roles := range allowed {
		method, path, _ := strings.Cut(strings.TrimPrefix(name, "api "), " ")
		if roles != "helpdesk admin" || method != "POST" {
			continue
		}
		walked++
		if w := h.as(engine.RoleHelpdesk, method, path, body); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "administrative role") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if after := count(); after != before || walked < 10 {
		t.Errorf("%d entries were written, %d routes walked", after-before, walked)
	}
}

func TestBadRequests(t *testing.T) {
	h := build(t)
	find, write := "/directory/v1/find", "/directory/v1/write"
	for name, c := range map[string]struct {
		path, body string
		status     int
		says       string
	}{
		"no JSON":         {find, "keys", 400, "not the JSON"},
		"cut off":         {find, `{"keys":[`, 400, "not the JSON"},
		"more than one":   {find, `{"keys":[]} {}`, 400, "not the JSON"},
		"unknown field":   {find, `{"kees":[]}`, 400, `unknown field \"kees\"`},
		"another type":    {find, `{"keys":[{"kind":1}]}`, 400, "another type"},
		"unknown kind":    {find, `{"keys":[{"kind":"shoe","value":"x"}]}`, 501, "looked up"},
		"too large":       {find, `{"keys":[{"kind":"` + strings.Repeat("x", 1<<20) + `"}]}`, 413, "too large"},
		"too many":        {"/directory/v1/read", `{"ids":["a"` + strings.Repeat(`,"a"`, 1000) + `]}`, 400, "at most"},
		"no secret":       {write, `{"changes":[{"op":"add","method":"softwareOath","after":{"oath":{"secret":"!!"}}}]}`, 400, "not the JSON"},
		"two users":       {"/verify/v1/challenges", `{"user":"a","subject":{"kind":"id","value":"b"},"client":{}}`, 400, "exactly one"},
		"no user":         {"/verify/v1/challenges", `{"client":{}}`, 400, "exactly one"},
		"not an address":  {"/verify/v1/challenges", `{"user":"a","client":{"address":"here"}}`, 400, "IP address"},
		"a large context": {"/verify/v1/challenges", `{"user":"ada@contoso.example","client":{},"context":"` + strings.Repeat("AAAA", 1400) + `"}`, 400, "context"},
		"a long key":      {"/verify/v1/challenges", `{"user":"ada@contoso.example","client":{},"idempotency_key":"` + strings.Repeat("k", 65) + `"}`, 400, "idempotency key"},
		"nobody":          {"/verify/v1/challenges", `{"user":"nobody","client":{}}`, 404, "no such user"},
		"no challenge":    {"/verify/v1/challenges/none/answer", `{"code":"123456"}`, 404, "no such challenge"},
		"two passwords":   {"/verify/v1/passwords", `{"user":"a","client":{},"password":"a","password_base64":"YQ=="}`, 400, "only one"},
		"lock for nobody": {"/directory/v1/lock", `{}`, 400, "holder"},
		"up and down":     {"/verify/v1/notices", `{"key":"k","life":60,"down":true}`, 400, "not both"},
		"mine and down":   {"/verify/v1/notices", `{"key":"k","claim":true,"down":true}`, 400, "not both"},
		"life below zero": {"/verify/v1/notices", `{"key":"k","life":-1}`, 400, ""},
	} {
		w := h.as(engine.RoleAdmin, "POST", c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || !strings.Contains(w.Body.String(), `{"error":{"code":"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := h.do(serve.API, "POST", find, "{}", "Authorization", "Bearer "+h.tokens[engine.RoleAdmin], "Content-Type", "text/plain"); w.Code != 400 {
		t.Errorf("another type of body: %d", w.Code)
	}
	for path, want := range map[string]int{
		"/verify/v1/challenges/none?wait=1h": 400, "/verify/v1/challenges/none?wait=x": 400, "/verify/v1/challenges/none?weight=1s": 400,
		"/verify/v1/challenges/none?wait=1s&wait=2s": 400, "/verify/v1/challenges/none?wait=%zz": 400, "/verify/v1/challenges/none?wait=1s;wait=2s": 400, "/verify/v1/challenges/none": 404, "/verify/v1/challenges/%00%ff": 404,
		"/admin/v1/audit": 200, "/admin/v1/audit?until=2027-02-01": 400, "/admin/v1/audit?until=%zz": 400, "/admin/v1/audit?after=1;until=x": 400,
		"/admin/v1/audit?after=-1": 400, "/admin/v1/audit?after=": 400, "/admin/v1/audit?after=0&after=1": 400, "/admin/v1/audit?before=x": 400,
		"/directory/v1/groups/none/members": 404, "/directory/v1/lock/x/y": 404, "/directory//v1/capabilities": 404,
	} {
		if w := h.as(engine.RoleAdmin, "GET", path, ""); w.Code != want {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := h.do(serve.API, "GET", "/directory/v1/capabilities", "body", "Authorization", "Bearer "+h.tokens[engine.RoleAdmin]); w.Code != 400 {
		t.Errorf("a body where none is taken: %d", w.Code)
	}
}

// FuzzRoutes sends anything to every route: no answer is a fault of ours, and
// nothing that is asked without a token changes anything.
func FuzzRoutes(f *testing.F) {
	f.Add(uint8(3), "", `{"keys":[{"kind":"upn","value":"ada@contoso.example"}]}`, true)
	f.Add(uint8(6), "", `{"changes":[{"op":"add","method":"mobile","upn":"ada@contoso.example","after":{"text":"+1 4255550100"}}]}`, true)
	f.Add(uint8(12), "", `{"user":"ada@contoso.example","client":{"app":"vpn","address":"192.0.2.1"},"context":"AAAA"}`, true)
	f.Add(uint8(13), "none?wait=1ms", ``, true)
	f.Add(uint8(0), "", "grant_type=client_credentials&client_id=a&client_assertion=a.b.c", false)
	h := build(f)
	routes := h.Routes()
	shop, err := h.engine.AddNativeApp(f.Context(), operator, engine.NativeApp{Name: "Shop", First: []string{engine.FirstPassword}, SignUp: true, Reset: true})
	if err != nil {
		f.Fatal(err)
	}
	for i, route := range routes {
		switch {
		case route.Listener == serve.Pages && route.Body > 0 && strings.HasPrefix(route.Path, "/native/"):
			f.Add(uint8(i), "", "client_id="+shop.ID+"&username=ada%40contoso.example&challenge_type=password+oob+redirect&continuation_token=x&grant_type=oob&oob=1", false)
		case route.Listener == serve.Pages && route.Body > 0:
			f.Add(uint8(i), "none", `{"user":"ada@contoso.example","password":"x","pass":"x","code":"x","name":"x","pin":"1234","endpoint":"https://push.contoso.example/1"}`, true)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, id, body string, token bool) {
		route := routes[int(n)%len(routes)]
		if strings.HasSuffix(route.Path, "/events") {
			return
		}
		path, query, _ := strings.Cut(id, "?")
		u := url.URL{Path: strings.NewReplacer("{id}", path, "{group}", path, "{provider}", path, "{file}", path, "{$}", "").Replace(route.Path)}
		if !strings.Contains(query, "wait") {
			u.RawQuery = query
		}
		r := httptest.NewRequest("GET", "http://engine/", nil)
		r.Method, r.URL = route.Method, &u
		r.Body, r.ContentLength = http.NoBody, 0
		if body != "" && route.Body > 0 {
			r = httptest.NewRequest(route.Method, "http://engine/", strings.NewReader(body))
			r.URL = &u
		}
		r.Header.Set("Content-Type", "application/json")
		if route.Path == "/oauth2/token" || strings.HasPrefix(route.Path, "/native/") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if token && !route.Open {
			r.Header.Set("Authorization", "Bearer "+h.tokens[route.Roles[len(route.Roles)-1]])
		}
		w := httptest.NewRecorder()
		h.Handler(route.Listener).ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", route.Method, &u, w.Body)
		}
		if !token && !route.Open && w.Code < 400 {
			t.Errorf("%s %s without a token: %d", route.Method, &u, w.Code)
		}
	})
}
