package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/oauth"
	"mfabridge/cloud/engine/http/serve"
)

const issuer = "https://engine.contoso.example"

var operator = engine.Actor{Who: "operator", Reason: "test"}

type house struct {
	*oauth.Face
	engine *engine.Engine
	table  *serve.Table
	secret string
	now    time.Time
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)}
	now := func() time.Time { return h.now }
	h.engine, _ = enginetest.Open(t, enginetest.Create(t, engine.Setup{Now: h.now}), engine.Config{Now: now})
	h.Face = oauth.New(oauth.Options{Core: h.engine, Issuer: issuer, Now: now, Period: 24 * time.Hour})
	var err error
	if h.table, err = serve.New(serve.Options{Routes: h.Routes(), Auth: h.Face}); err != nil {
		t.Fatal(err)
	}
	word, err := h.engine.AddApp(t.Context(), operator, "vpn", engine.RoleShim, h.now.Add(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	h.secret = string(word.Reveal())
	return h
}

// post sends a form to the token endpoint.
func (h *house) post(form url.Values, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	h.table.Handler(serve.API).ServeHTTP(w, r)
	return w
}

func (h *house) token(t testing.TB) string {
	t.Helper()
	w := h.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"vpn"}, "client_secret": {h.secret}})
	var granted struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &granted); err != nil || w.Code != 200 || granted.Type != "Bearer" {
		t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	return granted.Token
}

// keys is the published key set.
func (h *house) keys(t testing.TB) *jose.JSONWebKeySet {
	t.Helper()
	w := httptest.NewRecorder()
	h.table.Handler(serve.API).ServeHTTP(w, httptest.NewRequest("GET", "/oauth2/jwks", nil))
	if age := w.Header().Get("Cache-Control"); age != "public, max-age=300" {
		t.Errorf("keys may be remembered: %q", age)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 {
		t.Fatalf("no keys: %d %s", w.Code, w.Body)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() {
			t.Fatal("a private key is published")
		}
	}
	return &set
}

func TestTokenSaysWhatItIs(t *testing.T) {
	h := build(t)
	token := h.token(t)
	caller, err := h.Authenticate(t.Context(), token)
	if err != nil || caller != (serve.Caller{App: "vpn", Role: engine.RoleShim}) {
		t.Fatalf("%+v, %v", caller, err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := parsed.Claims(h.keys(t).Key(parsed.Headers[0].KeyID)[0], &claims); err != nil {
		t.Fatal(err)
	}
	if claims["iss"] != issuer || claims["sub"] != "vpn" || claims["role"] != "shim" || claims["target"] != h.engine.Instance() ||
		claims["aud"] != "urn:mfabridge:engine:"+h.engine.Instance() && !cmp.Equal(claims["aud"], []any{"urn:mfabridge:engine:" + h.engine.Instance()}) ||
		claims["exp"].(float64)-claims["iat"].(float64) > 3600 {
		t.Errorf("claims %v", claims)
	}
}

// forge signs any claims with any key.
func forge(t testing.TB, alg jose.SignatureAlgorithm, key any, kid, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestForgedTokens(t *testing.T) {
	h := build(t)
	good := h.token(t)
	parsed, err := jwt.ParseSigned(good, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		t.Fatal(err)
	}
	kid := parsed.Headers[0].KeyID
	ours := h.keys(t).Key(kid)[0]
	theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ours.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	pieces := strings.Split(good, ".")
	admin, err := json.Marshal(func() map[string]any { claims["role"] = "admin"; return claims }())
	if err != nil {
		t.Fatal(err)
	}
	claims["role"] = "shim"
	for name, token := range map[string]string{
		"empty":                      "",
		"junk":                       "a.b.c",
		"unsigned":                   part(`{"alg":"none","kid":"`+kid+`","typ":"at+jwt"}`) + "." + pieces[1] + ".",
		"none, signature kept":       part(`{"alg":"none","kid":"`+kid+`","typ":"at+jwt"}`) + "." + pieces[1] + "." + pieces[2],
		"the public key as a secret": forge(t, jose.HS256, public, kid, "at+jwt", claims),
		"another's key":              forge(t, jose.ES256, theirs, kid, "at+jwt", claims),
		"another's kid":              forge(t, jose.ES256, theirs, "unknown", "at+jwt", claims),
		"another role":               pieces[0] + "." + base64.RawURLEncoding.EncodeToString(admin) + "." + pieces[2],
		"signature cut":              good[:len(good)-4],
		"signature of another":       pieces[0] + "." + pieces[1] + "." + strings.Repeat("A", len(pieces[2])),
		"two of them":                good + "." + good,
	} {
		if caller, err := h.Authenticate(t.Context(), token); err == nil || cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
	if _, err := h.Authenticate(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// Claims that a right key signed, and that are not for this engine now.
func TestTokensOutOfPlace(t *testing.T) {
	h, other := build(t), build(t)
	if _, err := h.Authenticate(t.Context(), other.token(t)); err == nil || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a token of another engine: %v", err)
	}
	token := h.token(t)
	h.now = h.now.Add(-time.Minute)
	if _, err := h.Authenticate(t.Context(), token); err == nil {
		t.Error("a token of the future was taken")
	}
	h.now = h.now.Add(time.Minute + oauth.DefaultLife)
	if _, err := h.Authenticate(t.Context(), token); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("a token that has ended: %v", err)
	}
	h.now = h.now.Add(-time.Second)
	if _, err := h.Authenticate(t.Context(), token); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	renamed := oauth.New(oauth.Options{Core: h.engine, Issuer: "https://other.contoso.example", Now: func() time.Time { return h.now }})
	if _, err := renamed.Authenticate(t.Context(), token); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("a token of another issuer: %v", err)
	}
}

func TestWhoGetsNoToken(t *testing.T) {
	h := build(t)
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {"vpn"}, "client_secret": {h.secret}}
	}
	for name, c := range map[string]struct {
		form   func(url.Values)
		edit   func(*http.Request)
		status int
		code   string
	}{
		"wrong secret":      {form: func(v url.Values) { v.Set("client_secret", "wrong") }, status: 401, code: "invalid_client"},
		"empty secret":      {form: func(v url.Values) { v.Set("client_secret", "") }, status: 401, code: "invalid_client"},
		"unknown":           {form: func(v url.Values) { v.Set("client_id", "nobody") }, status: 401, code: "invalid_client"},
		"another grant":     {form: func(v url.Values) { v.Set("grant_type", "password") }, status: 400, code: "unsupported_grant_type"},
		"another scope":     {form: func(v url.Values) { v.Set("scope", "admin") }, status: 400, code: "invalid_scope"},
		"a parameter twice": {form: func(v url.Values) { v.Add("client_id", "vpn") }, status: 400, code: "invalid_request"},
		"two ways":          {edit: func(r *http.Request) { r.SetBasicAuth("vpn", h.secret) }, status: 400, code: "invalid_request"},
		"in the address":    {edit: func(r *http.Request) { r.URL.RawQuery = "client_id=vpn" }, status: 400, code: "invalid_request"},
		"JSON":              {edit: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, code: "invalid_request"},
		"no proof":          {form: func(v url.Values) { v.Del("client_secret") }, status: 400, code: "invalid_request"},
		"another header":    {edit: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, status: 400, code: "invalid_request"},
		"not encoded":       {form: func(v url.Values) { v.Del("client_secret") }, edit: func(r *http.Request) { r.SetBasicAuth("vpn", "%zz") }, status: 400, code: "invalid_request"},
		"another id": {form: func(v url.Values) { v.Del("client_secret"); v.Set("client_id", "other") },
			edit: func(r *http.Request) { r.SetBasicAuth("vpn", h.secret) }, status: 400, code: "invalid_request"},
		"too large": {form: func(v url.Values) { v.Set("x", strings.Repeat("x", 20<<10)) }, status: 413, code: "invalid"},
		"too large, and unannounced": {form: func(v url.Values) { v.Set("x", strings.Repeat("x", 20<<10)) },
			edit: func(r *http.Request) { r.ContentLength = -1 }, status: 413, code: "invalid"},
	} {
		form, edit := good(), c.edit
		if c.form != nil {
			c.form(form)
		}
		if edit == nil {
			edit = func(*http.Request) {}
		}
		w := h.post(form, edit)
		if w.Code != c.status || !strings.Contains(w.Body.String(), `"`+c.code+`"`) || strings.Contains(w.Body.String(), h.secret) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if asks := w.Header().Get("WWW-Authenticate") != ""; asks != (w.Code == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", name, w.Header().Get("WWW-Authenticate"))
		}
	}
	basic := h.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"vpn"}, "scope": {"shim"}}, func(r *http.Request) { r.SetBasicAuth("vpn", h.secret) })
	if basic.Code != 200 {
		t.Errorf("in the header: %d %s", basic.Code, basic.Body)
	}
	h.now = h.now.Add(1000 * time.Hour)
	if w := h.post(good()); w.Code != 401 {
		t.Errorf("an application that has ended: %d", w.Code)
	}
}

func TestAssertions(t *testing.T) {
	h := build(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := h.engine.AddAppKey(t.Context(), operator, "vpn", &key.PublicKey, "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(edit map[string]any) map[string]any {
		c := map[string]any{"iss": "vpn", "sub": "vpn", "aud": issuer + "/oauth2/token", "jti": rand.Text(),
			"iat": h.now.Unix(), "exp": h.now.Add(5 * time.Minute).Unix()}
		for k, v := range edit {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		return c
	}
	send := func(assertion string) *httptest.ResponseRecorder {
		return h.post(url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256} {
		good := forge(t, alg, key, kid, "JWT", claims(nil))
		if w := send(good); w.Code != 200 {
			t.Errorf("%s: %d %s", alg, w.Code, w.Body)
		}
		if w := send(good); w.Code != 401 {
			t.Errorf("%s shown again: %d", alg, w.Code)
		}
	}
	if w := send(forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"aud": []string{"x", issuer}}))); w.Code != 200 {
		t.Errorf("for the issuer: %d %s", w.Code, w.Body)
	}
	at := func(d time.Duration) int64 { return h.now.Add(d).Unix() }
	for name, assertion := range map[string]string{
		"another algorithm":  forge(t, jose.RS512, key, kid, "JWT", claims(nil)),
		"as a secret":        forge(t, jose.HS256, []byte(strings.Repeat("k", 64)), kid, "JWT", claims(nil)),
		"unsigned":           base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.",
		"another's key":      forge(t, jose.RS256, other, kid, "JWT", claims(nil)),
		"an unknown key":     forge(t, jose.RS256, key, "unknown", "JWT", claims(nil)),
		"another audience":   forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"aud": "https://other.contoso.example"})),
		"no audience":        forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"aud": nil})),
		"has ended":          forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"exp": at(0)})),
		"no end":             forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"exp": nil})),
		"ends in an hour":    forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"exp": at(time.Hour)})),
		"holds later":        forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"nbf": at(5 * time.Minute)})),
		"signed tomorrow":    forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"iat": at(24 * time.Hour)})),
		"signed long ago":    forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"iat": at(-time.Hour)})),
		"no jti":             forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"jti": nil})),
		"a long jti":         forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"jti": strings.Repeat("j", 200)})),
		"issuer is another":  forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"iss": "other"})),
		"an unknown subject": forge(t, jose.RS256, key, kid, "JWT", claims(map[string]any{"iss": "nobody", "sub": "nobody"})),
		"not an assertion":   "a.b.c",
	} {
		if w := send(assertion); w.Code != 401 || !strings.Contains(w.Body.String(), "invalid_client") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// Keys are published before they sign and kept after, and tokens of both hold.
func TestKeysRotate(t *testing.T) {
	h := build(t)
	old := h.token(t)
	first := h.keys(t)
	h.now = h.now.Add(24*time.Hour - oauth.Lead)
	if both := h.keys(t); len(first.Keys) != 1 || len(both.Keys) != 2 {
		t.Fatalf("%d keys, then %d", len(first.Keys), len(both.Keys))
	}
	signer := func() string {
		parsed, err := jwt.ParseSigned(h.token(t), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Headers[0].KeyID
	}
	if signer() != first.Keys[0].KeyID {
		t.Error("the new key signs as soon as it is published")
	}
	h.now = h.now.Add(oauth.Lead - time.Second)
	last := h.token(t)
	h.now = h.now.Add(time.Second)
	if signer() == first.Keys[0].KeyID {
		t.Error("the old key signs on")
	}
	if _, err := h.Authenticate(t.Context(), last); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	if _, err := h.Authenticate(t.Context(), old); err == nil {
		t.Error("a token of yesterday was taken")
	}
	h.now = h.now.Add(oauth.Lead)
	if left := h.keys(t); len(left.Key(first.Keys[0].KeyID)) != 0 {
		t.Error("the old key is still published")
	}
}

func TestRotation(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(hours ...float64) (out []time.Time) {
		for _, h := range hours {
			out = append(out, start.Add(time.Duration(h*float64(time.Hour))))
		}
		return out
	}
	leadHours := oauth.Lead.Hours()
	for name, c := range map[string]struct {
		from    []time.Time
		now     float64
		after   []time.Time
		changed bool
	}{
		"none":                  {nil, 5, at(5), true},
		"young":                 {at(0), 10, at(0), false},
		"its turn is near":      {at(0), 22.83334, at(0, 24), true},
		"its turn is very near": {at(0), 23, at(0, 23+leadHours), true}, // it must be known for a while first
		"published":             {at(0, 24), 23.5, at(0, 24), false},
		"both":                  {at(0, 24), 24.5, at(0, 24), false},
		"the old one is over":   {at(0, 24), 26, at(24), true},
		"nobody asked for long": {at(0), 100, at(0, 100+leadHours), true},
		"set back by a year":    {at(0, 9000), 5, at(0, 5+leadHours), true}, // or none would follow for a year
		"made by a wrong clock": {at(9000, 9024), 5, at(5+leadHours, 5+leadHours), true},
		"a node that is ahead":  {at(0, 23+leadHours+0.002), 23, at(0, 23+leadHours+0.002), false},
	} {
		got, changed := oauth.Rotation(c.from, start.Add(time.Duration(c.now*float64(time.Hour))), 24*time.Hour)
		if diff := cmp.Diff(c.after, got, cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second })); diff != "" || changed != c.changed {
			t.Errorf("%s: changed %v\n%s", name, changed, diff)
		}
	}
}

// broken is a core whose store does not answer.
type broken struct{ *engine.Engine }

func (broken) Standing(context.Context, string, string) (engine.Standing, error) {
	return engine.Standing{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the store is closed", Err: errors.New("disk")}
}

// A store that does not answer lets nobody in, and says that it is not their fault.
func TestStoreAway(t *testing.T) {
	h := build(t)
	token := h.token(t)
	if _, err := h.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f := oauth.New(oauth.Options{Core: broken{h.engine}, Issuer: issuer, Now: func() time.Time { return h.now }})
	if _, err := f.Authenticate(t.Context(), token); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("without a store: %v", err)
	}
}

func FuzzAuthenticate(f *testing.F) {
	h := build(f)
	good := h.token(f)
	f.Add(good)
	f.Add(good + "=")
	f.Add(strings.ToUpper(good))
	f.Fuzz(func(t *testing.T, token string) {
		if caller, err := h.Authenticate(context.Background(), token); err == nil && token != good {
			if parts, want := strings.Split(token, "."), strings.Split(good, "."); parts[0] != want[0] || parts[1] != want[1] {
				t.Errorf("%q lets %+v in", token, caller)
			}
		}
	})
}
