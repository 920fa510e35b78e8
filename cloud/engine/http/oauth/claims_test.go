package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/oauth"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/secret"
)

// claimsOf reads what a token says.
func claimsOf(t testing.TB, token string) (out map[string]any) {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err == nil {
		err = parsed.UnsafeClaimsWithoutVerification(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Claims that the right key has signed, each wrong in one thing: what other
// faces have signed with it, or a version before this one, lets nobody in.
func TestClaimsThatLetNobodyIn(t *testing.T) {
	h := build(t)
	if _, err := h.engine.AddApp(t.Context(), operator, "other", engine.RoleShim, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.engine.AddApp(t.Context(), operator, "brief", engine.RoleShim, h.now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	good := claimsOf(t, h.token(t))
	h.now = h.now.Add(time.Second)
	at := func(d time.Duration) int64 { return h.now.Add(d).Unix() }
	ours := "urn:mfabridge:engine:" + h.engine.Instance()
	for name, c := range map[string]struct {
		typ  string
		edit map[string]any
		says string // empty: it is taken
	}{
		"right":                   {"at+jwt", nil, ""},
		"of the longest life":     {"at+jwt", map[string]any{"iat": at(0), "exp": at(oauth.MaxLife)}, ""},
		"within the slack":        {"at+jwt", map[string]any{"nbf": at(10 * time.Second)}, ""},
		"another type":            {"JWT", nil, "not an access token"},
		"no type":                 {"", nil, "not an access token"},
		"of nobody":               {"at+jwt", map[string]any{"sub": nil}, "not one of this engine"},
		"of a long name":          {"at+jwt", map[string]any{"sub": strings.Repeat("x", 65)}, "not one of this engine"},
		"of an unknown one":       {"at+jwt", map[string]any{"sub": "unknown", "client_id": "unknown"}, "may not call"},
		"of one that has ended":   {"at+jwt", map[string]any{"sub": "brief", "client_id": "brief"}, "may not call"},
		"another issuer":          {"at+jwt", map[string]any{"iss": "https://other.contoso.example"}, "another engine"},
		"another audience":        {"at+jwt", map[string]any{"aud": "urn:mfabridge:engine:other"}, "another engine"},
		"two audiences":           {"at+jwt", map[string]any{"aud": []string{ours, "another"}}, "another engine"},
		"no audience":             {"at+jwt", map[string]any{"aud": nil}, "another engine"},
		"another target":          {"at+jwt", map[string]any{"target": "other"}, "another engine"},
		"no end":                  {"at+jwt", map[string]any{"exp": nil}, "no end"},
		"no issue":                {"at+jwt", map[string]any{"iat": nil}, "no end"},
		"no beginning":            {"at+jwt", map[string]any{"nbf": nil}, "no end"},
		"too long a life":         {"at+jwt", map[string]any{"iat": at(0), "exp": at(oauth.MaxLife + time.Second)}, "no end"},
		"beyond the slack":        {"at+jwt", map[string]any{"nbf": at(11 * time.Second)}, "not hold yet"},
		"of another client":       {"at+jwt", map[string]any{"client_id": "other"}, "may not call"},
		"of another role":         {"at+jwt", map[string]any{"role": "admin"}, "may not call"},
		"of one before it":        {"at+jwt", map[string]any{"since": "1"}, "may not call"},
		"since it was registered": {"at+jwt", map[string]any{"since": nil}, "may not call"},
	} {
		claims := maps.Clone(good)
		for k, v := range c.edit {
			if claims[k] = v; v == nil {
				delete(claims, k)
			}
		}
		token, err := h.Sign(t.Context(), c.typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Authenticate(t.Context(), token)
		if c.says == "" && err != nil || c.says != "" && (cloud.KindOf(err) != cloud.Denied || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token ends with its application, and lives no longer than any may.
func TestLivesOfTokens(t *testing.T) {
	h := build(t)
	word, err := h.engine.AddApp(t.Context(), operator, "brief", engine.RoleShim, h.now.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		app, word string
		life      time.Duration
		want      float64
	}{
		"default":                {"vpn", h.secret, 0, 1800},
		"set":                    {"vpn", h.secret, time.Minute, 60},
		"too long":               {"vpn", h.secret, 2 * time.Hour, 3600},
		"of a short application": {"brief", string(word.Reveal()), 0, 600},
	} {
		h.SetTimes(c.life, 24*time.Hour)
		w := h.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {c.app}, "client_secret": {c.word}})
		var granted struct {
			Token string  `json:"access_token"`
			Ends  float64 `json:"expires_in"`
			Scope string  `json:"scope"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &granted); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		said := claimsOf(t, granted.Token)
		if granted.Ends != c.want || said["exp"].(float64)-said["iat"].(float64) != c.want || granted.Scope != "shim" {
			t.Errorf("%s: it ends after %v, says %v", name, granted.Ends, said)
		}
	}
}

// A key signs for a month unless something else is set, and never for less than
// it takes others to hear of the next one.
func TestPeriodsOfKeys(t *testing.T) {
	for name, c := range map[string]struct {
		set         time.Duration
		alone, both time.Duration // when there is one key, and when there are two
	}{
		"default":   {0, oauth.DefaultPeriod - oauth.Lead - time.Second, oauth.DefaultPeriod - oauth.Lead},
		"too short": {time.Minute, 4*oauth.MaxLife - oauth.Lead - time.Second, 4*oauth.MaxLife - oauth.Lead},
		"set":       {48 * time.Hour, 48*time.Hour - oauth.Lead - time.Second, 48*time.Hour - oauth.Lead},
	} {
		h := build(t)
		h.SetTimes(0, c.set)
		start := h.now
		for _, at := range []struct {
			after time.Duration
			keys  int
		}{{0, 1}, {c.alone, 1}, {c.both, 2}} {
			h.now = start.Add(at.after)
			if n := len(h.keys(t).Keys); n != at.keys {
				t.Errorf("%s: %d keys after %v, want %d", name, n, at.after, at.keys)
			}
		}
	}
}

// Kept keys that are none of ours sign nothing, and prove nothing.
func TestKeysThatCannotBeRead(t *testing.T) {
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kept := func(private any) string {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal([]map[string]any{{"kid": "k", "from": "2026-01-01T00:00:00Z", "pkcs8": der}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, value := range map[string]string{"no JSON": "x", "no key": `[{"kid":"k","from":"2026-01-01T00:00:00Z","pkcs8":"AA=="}]`,
		"another curve": kept(large), "another kind": kept(other)} {
		h := build(t)
		token := h.token(t)
		if err := h.engine.Keep(t.Context(), "oauth-keys", func(secret.Bytes) (secret.Bytes, error) { return secret.FromString(value), nil }); err != nil {
			t.Fatal(err)
		}
		if w := h.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"vpn"}, "client_secret": {h.secret}}); w.Code != 500 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if caller, err := h.Authenticate(t.Context(), token); err == nil {
			t.Errorf("%s: %+v is let in", name, caller)
		}
	}
}

// watched is an engine of which a test sees what it is asked.
type watched struct {
	*engine.Engine
	kept  int
	since time.Time
	fault error // of what is asked next
}

func (w *watched) Keep(ctx context.Context, name string, edit func(secret.Bytes) (secret.Bytes, error)) error {
	w.kept++
	return w.Engine.Keep(ctx, name, edit)
}

func (w *watched) Authenticate(ctx context.Context, name string, word secret.Bytes) (engine.App, error) {
	if w.fault != nil {
		return engine.App{}, w.fault
	}
	return w.Engine.Authenticate(ctx, name, word)
}

func (w *watched) UseAssertion(ctx context.Context, app, id string, since, until time.Time) error {
	if w.since = since; w.fault != nil {
		return w.fault
	}
	return w.Engine.UseAssertion(ctx, app, id, since, until)
}

// observe puts a watched engine behind the house.
func (h *house) observe(t *testing.T) *watched {
	t.Helper()
	core := &watched{Engine: h.engine}
	h.Face = oauth.New(oauth.Options{Core: core, Issuer: issuer + "/", Now: func() time.Time { return h.now }, Period: 24 * time.Hour})
	var err error
	if h.table, err = serve.New(serve.Options{Routes: h.Routes(), Auth: h.Face}); err != nil {
		t.Fatal(err)
	}
	return core
}

// The keys are written when they change, not with each token, and a store that
// does not answer is not the application's fault.
func TestWhatTheStoreIsAsked(t *testing.T) {
	h := build(t)
	core := h.observe(t)
	for range 3 {
		h.token(t)
	}
	if core.kept != 1 {
		t.Errorf("keys were written %d times", core.kept)
	}
	core.fault = &cloud.Error{Kind: cloud.Unavailable, Message: "the store is closed", Err: errors.New("disk")}
	if w := h.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"vpn"}, "client_secret": {h.secret}}); w.Code != 503 {
		t.Errorf("without a store: %d %s", w.Code, w.Body)
	}
}

// Assertions that are right, and since when each could have been shown before:
// a store that is restored from a time after that takes it no more.
func TestAssertionsThatAreTaken(t *testing.T) {
	h := build(t)
	core := h.observe(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := h.engine.AddAppKey(t.Context(), operator, "vpn", &key.PublicKey, "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	send := func(edit map[string]any, form url.Values) *httptest.ResponseRecorder {
		claims := map[string]any{"iss": "vpn", "sub": "vpn", "aud": issuer, "jti": rand.Text(), "exp": h.now.Add(5 * time.Minute).Unix()}
		maps.Copy(claims, edit)
		all := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {forge(t, jose.RS256, key, kid, "JWT", claims)},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		maps.Copy(all, form)
		return h.post(all)
	}
	at := func(d time.Duration) int64 { return h.now.Add(d).Unix() }
	for name, c := range map[string]struct {
		edit  map[string]any
		since time.Duration // from now
	}{
		"no issue":           {nil, -5 * time.Minute},
		"issued now":         {map[string]any{"iat": at(0)}, -time.Minute},
		"issued before":      {map[string]any{"iat": at(-10 * time.Minute)}, -5 * time.Minute},
		"issued in a minute": {map[string]any{"iat": at(time.Minute)}, 0},
		"holds now":          {map[string]any{"nbf": at(0)}, -time.Minute},
		"holds in a minute":  {map[string]any{"nbf": at(time.Minute)}, 0},
		"holds for long":     {map[string]any{"nbf": at(-time.Hour)}, -5 * time.Minute},
		"both":               {map[string]any{"nbf": at(0), "iat": at(-2 * time.Minute)}, -time.Minute},
		"of the longest":     {map[string]any{"exp": at(10 * time.Minute), "jti": strings.Repeat("j", 128)}, 0},
	} {
		w := send(c.edit, nil)
		if got := core.since.Sub(h.now); w.Code != 200 || got != c.since {
			t.Errorf("%s: %d %s, since %v", name, w.Code, w.Body, got)
		}
	}
	for name, c := range map[string]struct {
		form   url.Values
		fault  error
		status int
		code   string
	}{
		"its client":     {form: url.Values{"client_id": {"vpn"}}, status: 200, code: "shim"},
		"another client": {form: url.Values{"client_id": {"other"}}, status: 401, code: "invalid_client"},
		"another kind":   {form: url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, status: 400, code: "invalid_request"},
		"no store":       {fault: &cloud.Error{Kind: cloud.Unavailable, Message: "the store is closed"}, status: 503, code: "unavailable"},
	} {
		core.fault = c.fault
		if w := send(nil, c.form); w.Code != c.status || !strings.Contains(w.Body.String(), `"`+c.code+`"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
