package remote_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/remote"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// get asks the API with a token of its own, as curl would.
func (h *house) get(t testing.TB, path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.pool()}}}
	defer client.CloseIdleConnections()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"all"}, "client_secret": {string(h.secret.Reveal())}}
	answer, err := client.PostForm(h.server.URL+"/oauth2/token", form)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.server.URL+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if answer, err = client.Do(r); err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return string(text), err
}

func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"https://engine.contoso.example": true, "https://engine.contoso.example:8443/x/": true, "http://127.0.0.1:1": true,
		"http://[::1]:1": true, "http://localhost:1": true, "http://engine.contoso.example": false, "http://127.0.0.1.contoso.example": false,
		"ftp://127.0.0.1": false, "engine.contoso.example": false, "https://": false, "https://a:b@engine.contoso.example": false,
		"https://engine.contoso.example?x=1": false, "https://engine.contoso.example#x": false, "https:engine": false, "": false,
		"http://10.0.0.1": false, "http://[::ffff:10.0.0.1]": false, "http://[::ffff:127.0.0.1]:1": true, "https://engine.contoso.example?": false, "https://:8443": false,
	} {
		_, err := remote.New(remote.Options{URL: address, ClientID: "a", Secret: secret.FromString("b")})
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%q: kind %v", address, cloud.KindOf(err))
		}
	}
	for what, o := range map[string]remote.Options{"nobody": {}, "nobody's secret": {Secret: secret.FromString("b")}, "a name alone": {ClientID: "a"}} {
		o.URL = "https://engine.contoso.example"
		if _, err := remote.New(o); err == nil {
			t.Errorf("%s was let in", what)
		}
	}
}

// faulty stands before a peer: what it does with the nth call of a path.
func faulty(t *testing.T, does func(n int64, w http.ResponseWriter) bool) (*remote.Client, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/oauth2/token" {
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":600}`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if does(calls.Add(1), w) {
			return
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/write"):
			_, _ = io.WriteString(w, `{"results":[{"outcome":"done"}]}`)
		case strings.HasSuffix(r.URL.Path, "/challenges"):
			_, _ = io.WriteString(w, `{"id":"c","state":"pending"}`)
		default:
			_, _ = io.WriteString(w, `{"users":[[]]}`)
		}
	}))
	t.Cleanup(s.Close)
	c, err := remote.New(remote.Options{URL: s.URL, ClientID: "a", Secret: secret.FromString("b"), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, &calls
}

func TestWhatIsTriedAgain(t *testing.T) {
	hangUp := func(n int64, w http.ResponseWriter) bool {
		if n == 1 {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	status := func(code int, body string) func(int64, http.ResponseWriter) bool {
		return func(n int64, w http.ResponseWriter) bool {
			if n == 1 {
				w.WriteHeader(code)
				_, _ = io.WriteString(w, body)
			}
			return n == 1
		}
	}
	always := func(code int, body string) func(int64, http.ResponseWriter) bool {
		return func(_ int64, w http.ResponseWriter) bool {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	find := func(c *remote.Client) error { _, err := c.Find(t.Context(), make([]cloud.Key, 1)); return err }
	write := func(c *remote.Client) error { return c.Write(t.Context(), make([]cloud.Change, 1))[0].Err }
	begin := func(key string) func(c *remote.Client) error {
		return func(c *remote.Client) error {
			_, err := c.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: "a"}, Tries: 1, Key: key})
			return err
		}
	}
	full := `{"error":{"code":"unavailable","message":"full"}}`
	for name, c := range map[string]struct {
		does  func(int64, http.ResponseWriter) bool
		call  func(*remote.Client) error
		calls int64
		kind  cloud.Kind // of the error; Internal: none
	}{
		"a lost look-up":                {hangUp, find, 2, 0},
		"a lost write":                  {hangUp, write, 1, cloud.Unavailable},
		"a lost login with a key":       {hangUp, begin("k"), 2, 0},
		"a lost login without one":      {hangUp, begin(""), 1, cloud.Unavailable},
		"a write that was refused":      {status(503, full), write, 2, 0},
		"a login that was refused":      {status(503, full), begin(""), 2, 0},
		"a write lost by a proxy":       {status(502, "<html>"), write, 1, cloud.Unavailable},
		"a look-up lost by a proxy":     {status(504, "<html>"), find, 2, 0},
		"a login a gateway knows not":   {status(404, `{"error":{"code":"ResourceNotFound","message":"no"}}`), begin(""), 1, cloud.Unavailable},
		"a login at a strange route":    {status(404, `{"error":{"code":"unsupported","message":"no"}}`), begin(""), 1, cloud.Unsupported},
		"a token that is not taken":     {status(401, `{"error":{"code":"denied","message":"no"}}`), write, 2, 0},
		"throttled":                     {status(429, `{"error":{"code":"throttled","message":"no","retry_after":7}}`), find, 1, cloud.Throttled},
		"another role":                  {status(403, `{"error":{"code":"denied","message":"no"}}`), find, 1, cloud.Denied},
		"a firewall's page":             {status(403, "<html>"), write, 1, cloud.Unavailable},
		"a firewall's page once":        {status(403, "<html>"), find, 2, 0},
		"a gateway's end of a token":    {status(401, "<html>"), write, 2, 0},
		"a proxy's page":                {always(401, "<html>"), begin("k"), 4, cloud.Unavailable},
		"a redirect":                    {status(302, ""), write, 1, cloud.Unavailable},
		"a page of somebody else":       {status(404, "<html>"), write, 1, cloud.Unavailable},
		"a page in place of a login":    {status(400, "<html>"), begin(""), 1, cloud.Unavailable},
		"an answer that is none":        {func(_ int64, w http.ResponseWriter) bool { _, _ = io.WriteString(w, "<html>"); return true }, find, 1, cloud.Unavailable},
		"an answer of another number":   {func(_ int64, w http.ResponseWriter) bool { _, _ = io.WriteString(w, `{"users":[]}`); return true }, find, 1, cloud.Internal},
		"results of another number":     {func(_ int64, w http.ResponseWriter) bool { _, _ = io.WriteString(w, `{"results":[]}`); return true }, write, 1, cloud.Internal},
		"a fault of the engine's":       {status(500, `{"error":{"code":"internal","message":"no"}}`), find, 1, cloud.Internal},
		"a lock that another run holds": {status(423, `{"error":{"code":"locked","message":"no"}}`), write, 1, cloud.Locked},
	} {
		client, calls := faulty(t, c.does)
		err := c.call(client)
		wantErr := c.kind != 0 || strings.Contains(name, "number") || strings.Contains(name, "fault")
		if (err != nil) != wantErr || err != nil && cloud.KindOf(err) != c.kind || calls.Load() != c.calls {
			t.Errorf("%s: %v after %d calls", name, err, calls.Load())
		}
	}
}

// Who keeps an application out is the engine, in its own words, or somebody in
// between, which says nothing about the application: logins then wait for an
// outage to end, and a run can be begun again.
func TestWhoKeepsUsOut(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		kind   cloud.Kind
	}{
		"the engine":          {401, `{"error":"invalid_client","error_description":"no"}`, cloud.Denied},
		"a proxy":             {401, "<html>", cloud.Unavailable},
		"a gateway":           {401, `{"error":"login_required"}`, cloud.Unavailable},
		"a firewall":          {403, "<html>", cloud.Unavailable},
		"a proxy of our side": {407, "", cloud.Unavailable},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		client, err := remote.New(remote.Options{URL: s.URL, ClientID: "a", Secret: secret.FromString("b"), Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Find(t.Context(), make([]cloud.Key, 1))
		advice := "a proxy or firewall in front of the engine"
		if c.kind == cloud.Denied {
			advice = "engine app list"
		}
		if cloud.KindOf(err) != c.kind || !strings.Contains(hint.Of(err), advice) {
			t.Errorf("%s: %v, %s", name, err, hint.Of(err))
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		s.Close()
	}
}

// A lock is a lease: it is kept by renewing, given back, and lost with its
// holder; what is written under a lost lock is refused.
func TestLockIsALease(t *testing.T) {
	h := build(t, func(h *house) { h.lease = time.Second })
	unlock, err := h.Lock(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	other := h.client(t, "all", h.secret)
	if _, err := other.Lock(t.Context(), "second"); err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Errorf("a second run: %v", err)
	}
	change := cloud.Change{UPN: "ada@contoso.example", Op: cloud.Add, Method: cloud.Account,
		After: cloud.Value{Profile: &cloud.Profile{UPN: "ada@contoso.example", Enabled: true}}}
	if r := h.Write(t.Context(), []cloud.Change{change}); r[0].Outcome != cloud.Done {
		t.Errorf("under the lock: %+v", r)
	}
	h.Advance(2 * time.Second) // as if nobody had renewed it
	second, err := other.Lock(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	if r := h.Write(t.Context(), []cloud.Change{change}); r[0].Outcome != cloud.Failed || cloud.KindOf(r[0].Err) != cloud.Locked {
		t.Errorf("under a lost lock: %+v", r)
	}
	if err := unlock(); err != nil {
		t.Errorf("giving a lost lock back: %v", err)
	}
	if r := h.Write(t.Context(), []cloud.Change{change}); r[0].Outcome != cloud.Already {
		t.Errorf("without a lock: %+v", r)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
}
