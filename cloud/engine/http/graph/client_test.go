package graph_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/graph"
)

// tenant is a rehearsal and an HTTP client of it that knows the published
// pages and nothing else.
type tenant struct {
	*cloudtest.Clock
	engine   *engine.Engine
	face     http.Handler
	url      string
	word     string // secret of the application
	token    string
	ann      string // ids of users
	bob      string
	guest    string
	instance string
}

// open makes a tenant with three users that assumes what is given.
func open(t testing.TB, a engine.Assumptions, given ...string) *tenant {
	t.Helper()
	ctx := t.Context()
	r := &tenant{Clock: cloudtest.ClockAt(time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC))}
	by := engine.Actor{Who: "test", Reason: "test"}
	path := enginetest.Create(t, engine.Setup{Kind: engine.KindEntra, Assumed: a, Domains: []string{"contoso.example"}, Now: r.Now()})
	r.engine, _ = enginetest.Open(t, path, engine.Config{Now: r.Now})
	word, err := r.engine.AddApp(ctx, by, "app", engine.RoleMigrate, r.Now().Add(24*time.Hour))
	check(t, err)
	r.word, r.instance = string(word.Reveal()), r.engine.Instance()
	made := r.engine.ImportUsers(ctx, by, []engine.Newcomer{
		{Profile: cloud.Profile{UPN: "ann@contoso.example", DisplayName: "Ann", SID: "S-1-5-21-1-2-3-1001", Enabled: true}, Sam: "ann", Groups: []string{"pilot", "all"}},
		{Profile: cloud.Profile{UPN: "bob@contoso.example", DisplayName: "Bob O'Hara", Enabled: true}, Roles: []string{"Global Administrator"}, Groups: []string{"all"}},
		{Profile: cloud.Profile{UPN: "eve_fabrikam.example#EXT#@contoso.example", DisplayName: "Eve", Enabled: true}, Guest: true}})
	for _, m := range made {
		check(t, m.Err)
	}
	r.ann, r.bob, r.guest = string(made[0].ID), string(made[1].ID), string(made[2].ID)
	assume, err := graph.ParseAssumptions(given)
	check(t, err)
	face, err := graph.New(graph.Options{Core: r.engine, Assume: assume, Now: r.Now})
	check(t, err)
	r.face = face
	server := httptest.NewServer(face)
	t.Cleanup(server.Close)
	r.url = server.URL
	r.token = r.ask(t, url.Values{"grant_type": {"client_credentials"}, "scope": {"https://graph.microsoft.com/.default"}, "client_id": {"app"}, "client_secret": {r.word}}).text("access_token")
	if r.token == "" {
		t.Fatal("no token")
	}
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// at follows names and places into the body: "value", 0, "id".
func (r reply) at(path ...any) any {
	var v any = r.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (r reply) text(path ...any) string { s, _ := r.at(path...).(string); return s }

func (r reply) len(path ...any) int { l, _ := r.at(path...).([]any); return len(l) }

func (r *tenant) ask(t testing.TB, form url.Values) reply {
	t.Helper()
	resp, err := http.PostForm(r.url+"/contoso.example/oauth2/v2.0/token", form)
	check(t, err)
	return read(t, resp)
}

func read(t testing.TB, resp *http.Response) reply {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	check(t, resp.Body.Close())
	got := reply{status: resp.StatusCode, header: resp.Header, raw: string(b)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		check(t, json.Unmarshal(b, &got.body))
	}
	return got
}

// call sends one request; header is name, value, name, value.
func (r *tenant) call(t testing.TB, method, path, body string, header ...string) reply {
	t.Helper()
	at := path
	if !strings.HasPrefix(path, "http") {
		at = r.url + path
	}
	req, err := http.NewRequest(method, at, strings.NewReader(body))
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+r.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	return read(t, resp)
}

// want is call with the status that must come back.
func (r *tenant) want(t testing.TB, status int, method, path, body string, header ...string) reply {
	t.Helper()
	got := r.call(t, method, path, body, header...)
	if got.status != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got.status, got.raw, status)
	}
	return got
}

func pack(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, s)
	check(t, err)
	check(t, w.Close())
	return b.String()
}
