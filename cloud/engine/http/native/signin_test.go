package native_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/secret"
)

// claimsOf verifies a token with the published keys, by an implementation that
// is none of ours, and returns what it says.
func (h *house) claimsOf(t testing.TB, token, typ string) map[string]any {
	t.Helper()
	meta := h.get(t, "/v2.0/.well-known/openid-configuration")
	keys := h.get(t, strings.TrimPrefix(meta.text("jwks_uri"), public+"/native"))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(keys.raw), &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var registered jwt.Claims
	all := map[string]any{}
	if err := parsed.Claims(set, &registered, &all); err != nil {
		t.Fatalf("signature: %v", err)
	}
	if parsed.Headers[0].ExtraHeaders[jose.HeaderType] != typ {
		t.Errorf("type %v, want %s", parsed.Headers[0].ExtraHeaders[jose.HeaderType], typ)
	}
	if err := registered.ValidateWithLeeway(jwt.Expected{Issuer: meta.text("issuer"), Time: h.Now()}, 0); err != nil {
		t.Errorf("claims: %v", err)
	}
	return all
}

func (h *house) get(t testing.TB, path string) answer {
	t.Helper()
	a := h.fetch("GET", path)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, a.status, a.raw)
	}
	return a
}

// Password, then the code that was sent as a text, then tokens.
func TestPasswordThenText(t *testing.T) {
	h := build(t)
	a := h.call(initiate, "username", "ADA@contoso.example", "challenge_type", "password oob redirect", "capabilities", "registration_required mfa_required")
	a = h.call(challenge, "continuation_token", a.token(t), "challenge_type", "password oob redirect")
	if a.text("challenge_type") != "password" {
		t.Fatalf("challenge: %s", a.raw)
	}
	a = h.typed(a.token(t), password)
	a.is(t, "password", "invalid_grant", "mfa_required")
	if a.status != http.StatusBadRequest || !strings.Contains(a.text("error_description"), "AADSTS50076") {
		t.Errorf("mfa_required: %d %s", a.status, a.raw)
	}
	a = h.call(introspect, "continuation_token", a.token(t))
	id := methodID(t, a, "sms")
	if strings.Contains(a.raw, "425555") || !strings.Contains(a.raw, `"login_hint":"+1*********0"`) {
		t.Errorf("hint: %s", a.raw)
	}
	a = h.call(challenge, "continuation_token", a.token(t), "challenge_type", "password oob redirect", "id", id)
	if a.text("challenge_type") != "oob" || a.text("challenge_channel") != "sms" || a.text("binding_method") != "prompt" || a.body["code_length"] != 6.0 {
		t.Errorf("code: %s", a.raw)
	}
	code, to := h.texts.last(t)
	if to != "+1 4255550100" || len(code) != 6 {
		t.Fatalf("%q to %s", code, to)
	}
	h.coded(a.token(t), "not it").is(t, "a wrong code", "invalid_grant", "invalid_oob_value")
	got := h.coded(a.token(t), code)
	if got.status != http.StatusOK || got.text("token_type") != "Bearer" || got.body["expires_in"] != 3600.0 || got.text("refresh_token") == "" || got.text("scope") != everything {
		t.Fatalf("tokens: %d %s", got.status, got.raw)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", got.header.Get("Cache-Control"))
	}
	for name, c := range map[string]map[string]any{"ID": h.claimsOf(t, got.text("id_token"), "JWT"), "access": h.claimsOf(t, got.text("access_token"), "at+jwt")} {
		if c["oid"] != string(h.ada) || c["tid"] != h.Instance() || c["acr"] != "urn:mfabridge:acr:multi-factor" || c["ver"] != "2.0" || c["sub"] == "" {
			t.Errorf("%s: %v", name, c)
		}
		if amr, _ := c["amr"].([]any); !slices.Equal(amr, []any{"pwd", "sms", "mfa"}) {
			t.Errorf("%s: amr %v", name, amr)
		}
		switch name {
		case "ID":
			if c["aud"] != h.app.ID || c["preferred_username"] != ada || c["name"] != "ada" || c["scp"] != nil {
				t.Errorf("%s: %v", name, c)
			}
		default:
			if c["aud"] != "api://shop" || c["scp"] != "api://shop/orders" || c["azp"] != h.app.ID {
				t.Errorf("%s: %v", name, c)
			}
		}
	}
	info, err := base64.RawURLEncoding.DecodeString(got.text("client_info"))
	if err != nil || string(info) != `{"uid":"`+string(h.ada)+`","utid":"`+h.Instance()+`"}` {
		t.Errorf("client_info: %s, %v", info, err)
	}
	h.coded(a.token(t), code).is(t, "the same again", "invalid_request", "")
}

// A method is named where a second factor is asked for, and nowhere else.
func TestMethodsOutOfPlace(t *testing.T) {
	h := build(t)
	a := h.call(initiate, "username", ada, "challenge_type", "password oob redirect", "capabilities", "mfa_required")
	h.call(challenge, "continuation_token", a.token(t), "id", "sms").is(t, "with the first factor", "invalid_request", "")
	methods := h.call(introspect, "continuation_token", h.second(t, ada).token(t))
	sent := h.texts.count()
	h.call(challenge, "continuation_token", methods.token(t)).is(t, "none", "invalid_request", "")
	a = h.call(challenge, "continuation_token", methods.token(t), "id", "nobody's")
	a.is(t, "one that the user has not", "invalid_request", "")
	if !strings.Contains(a.raw, "AADSTS901002") || h.texts.count() != sent {
		t.Errorf("%s, %d were sent", a.raw, h.texts.count()-sent)
	}
}

// A second code ends the first; both were sent.
func TestResendKillsTheOldCode(t *testing.T) {
	h := build(t)
	a := h.sent(t, ada, "sms")
	old, _ := h.texts.last(t)
	methods := h.call(introspect, "continuation_token", a.token(t))
	h.Advance(time.Second)
	b := h.call(challenge, "continuation_token", methods.token(t), "id", methodID(t, methods, "sms"))
	fresh, _ := h.texts.last(t)
	if h.texts.count() != 2 {
		t.Fatalf("%d were sent", h.texts.count())
	}
	if old != fresh {
		h.coded(b.token(t), old).is(t, "the old code", "invalid_grant", "invalid_oob_value")
	}
	h.coded(a.token(t), old).is(t, "the old code with its token", "invalid_grant", "invalid_oob_value")
	if got := h.coded(b.token(t), fresh); got.status != http.StatusOK {
		t.Errorf("the new code: %s", got.raw)
	}
}

// What a client cannot do it is not asked for: it is sent to a browser.
func TestRedirect(t *testing.T) {
	h := build(t)
	a := h.call(initiate, "username", ada, "challenge_type", "oob redirect")
	a = h.call(challenge, "continuation_token", a.token(t))
	if a.status != http.StatusOK || a.text("challenge_type") != "redirect" || a.text("redirect_reason") == "" {
		t.Errorf("without passwords: %d %s", a.status, a.raw)
	}
	a = h.call(initiate, "username", ada, "challenge_type", "password oob redirect")
	a = h.call(challenge, "continuation_token", a.token(t))
	a = h.typed(a.token(t), password)
	if a.status != http.StatusOK || a.text("challenge_type") != "redirect" || strings.Contains(a.raw, "token\"") {
		t.Errorf("without second factors: %d %s", a.status, a.raw)
	}
	h.person(t, bob, "", "")
	a = h.typed(h.begun(t, bob).token(t), password)
	if a.status != http.StatusOK || a.text("challenge_type") != "redirect" {
		t.Errorf("nothing registered: %d %s", a.status, a.raw)
	}
	for path, what := range map[string]string{signUpStart: "signing up", resetStart: "resetting"} {
		if a := h.call(path, "username", eve, "challenge_type", "password redirect"); a.status != http.StatusOK || a.text("challenge_type") != "redirect" || h.mail.count() != 0 {
			t.Errorf("%s without codes: %d %s", what, a.status, a.raw)
		}
	}
	h.texts.dead = true
	methods := h.call(introspect, "continuation_token", h.second(t, ada).token(t))
	a = h.call(challenge, "continuation_token", methods.token(t), "id", methodID(t, methods, "sms"))
	if a.status != http.StatusOK || a.text("challenge_type") != "redirect" {
		t.Errorf("undeliverable: %d %s", a.status, a.raw)
	}
}

// Refresh tokens follow one another; one that was used ends them all, but for a
// moment in which an answer may have been lost.
func TestRefresh(t *testing.T) {
	h := build(t)
	first := h.signedIn(t, ada)
	one := first.text("refresh_token")
	h.Advance(time.Hour)
	second := h.refresh(one)
	two := second.text("refresh_token")
	if second.status != http.StatusOK || two == one {
		t.Fatalf("%d %s", second.status, second.raw)
	}
	if c := h.claimsOf(t, second.text("access_token"), "at+jwt"); c["auth_time"] != float64(h.Now().Add(-time.Hour).Unix()) || c["acr"] != "urn:mfabridge:acr:multi-factor" {
		t.Errorf("refreshed: %v", c)
	}
	h.Advance(9 * time.Second)
	if again := h.refresh(one); again.status != http.StatusOK {
		t.Fatalf("within the grace: %s", again.raw)
	}
	h.refresh(one, "scope", "openid api://other/read").is(t, "a scope of nobody", "invalid_scope", "")
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name = "Other" })
	h.refresh(two, "client_id", other.ID).is(t, "another application", "invalid_grant", "")
	h.Advance(2 * time.Second)
	h.refresh(one).is(t, "used long ago", "invalid_grant", "")
	h.refresh(two).is(t, "after a used one", "invalid_grant", "")
}

// What was begun with an application that was removed does not go on when
// another one is registered by its id.
func TestTheNextApplicationOfAnID(t *testing.T) {
	h := build(t)
	refresh := h.signedIn(t, ada).text("refresh_token")
	h.Advance(time.Minute)
	half := h.second(t, ada)
	if err := h.RemoveNativeApp(t.Context(), operator, h.app.ID); err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Minute)
	if _, err := h.AddNativeApp(t.Context(), operator, h.app); err != nil {
		t.Fatal(err)
	}
	h.refresh(refresh).is(t, "a refresh token of the one before", "invalid_grant", "")
	h.call(introspect, "continuation_token", half.token(t)).is(t, "a continuation token of the one before", "invalid_request", "")
	if a := h.refresh(h.signedIn(t, ada).text("refresh_token")); a.status != http.StatusOK {
		t.Errorf("signed in to the next one: %d %s", a.status, a.raw)
	}
}

// A refresh looks at everything anew.
func TestRefreshLooksAgain(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(h *house) error
		undo func(h *house) error
	}{
		"disabled": {func(h *house) error { return h.SetEnabled(t.Context(), operator, h.ada, false) },
			func(h *house) error { return h.SetEnabled(t.Context(), operator, h.ada, true) }},
		"blocked": {func(h *house) error { return h.Block(t.Context(), operator, h.ada, h.Now().Add(time.Hour)) },
			func(h *house) error { return h.Unblock(t.Context(), operator, h.ada) }},
		"another password": {do: func(h *house) error {
			return h.SetPassword(t.Context(), operator, h.ada, secret.FromString("Another-Heron-43"))
		}},
		"another number": {do: func(h *house) error {
			return h.Write(t.Context(), []cloud.Change{{User: h.ada, Op: cloud.Update, Method: cloud.Mobile,
				Before: cloud.TextValue("+1 4255550100"), After: cloud.TextValue("+1 4255550199")}})[0].Err
		}},
		"texts forbidden": {do: func(h *house) error {
			return h.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{})
		}},
		"blocked by a rule": {do: func(h *house) error {
			return h.SetAccessRule(t.Context(), operator, access.Rule{Name: "closed", State: access.On, Grant: access.GrantBlock})
		}, undo: func(h *house) error { return h.RemoveAccessRule(t.Context(), operator, "closed") }},
		"sign-ins ended": {do: func(h *house) error {
			n, err := h.EndSignIns(t.Context(), operator, h.ada)
			if n != 1 {
				t.Errorf("%d sign-ins ended", n)
			}
			return err
		}},
		"application disabled": {do: func(h *house) error {
			return h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Disabled = true; return nil })
		}},
		"application removed": {do: func(h *house) error { return h.RemoveNativeApp(t.Context(), operator, h.app.ID) }},
		"a day later":         {do: func(h *house) error { h.Advance(24 * time.Hour); return nil }},
	} {
		h := build(t)
		refresh := h.signedIn(t, ada).text("refresh_token")
		if err := c.do(h); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a := h.refresh(refresh); a.status == http.StatusOK || a.text("access_token") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
		if c.undo == nil {
			continue
		}
		if err := c.undo(h); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a := h.refresh(refresh); a.status != http.StatusOK {
			t.Errorf("%s, undone: %d %s", name, a.status, a.raw)
		}
	}
}

// Tokens that the published keys do not bear out are none: neither for a service
// that verifies as RFC 8725 says, nor for the engine itself.
func TestForgedTokens(t *testing.T) {
	h := build(t)
	parts := strings.Split(h.signedIn(t, ada).text("access_token"), ".")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(h.get(t, "/discovery/v2.0/keys").raw), &set); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(h.get(t, "/discovery/v2.0/keys").raw, `"d"`) {
		t.Fatal("a private key is published")
	}
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for what, token := range map[string]string{
		"no algorithm":      header(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"none, and signed":  header(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"another algorithm": header(`{"alg":"HS256","typ":"at+jwt","kid":"`+set.Keys[0].KeyID+`"}`) + "." + parts[1] + "." + parts[2],
		"another key":       header(`{"alg":"ES256","typ":"at+jwt","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"other claims":      parts[0] + "." + header(`{"iss":"`+public+`/native/v2.0"}`) + "." + parts[2],
		"no signature":      parts[0] + "." + parts[1] + ".",
	} {
		if parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256}); err == nil {
			if err := parsed.Claims(set, &map[string]any{}); err == nil {
				t.Errorf("%s: verified", what)
			}
		}
		r := h.request("GET", "/directory/v1/capabilities", "")
		r.Header.Set("Authorization", "Bearer "+token)
		if code := h.serveAPI(r); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", what, code)
		}
	}
}

// A token of this face opens no other door.
func TestTokensLetNoProgramIn(t *testing.T) {
	h := build(t)
	got := h.signedIn(t, ada)
	for _, token := range []string{got.text("access_token"), got.text("id_token"), got.text("refresh_token")} {
		r := h.request("GET", "/directory/v1/capabilities", "")
		r.Header.Set("Authorization", "Bearer "+token)
		if code := h.serveAPI(r); code != http.StatusUnauthorized {
			t.Errorf("%d", code)
		}
	}
}
