package native_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/native"
	"mfabridge/cloud/engine/http/serve"
)

// otherFirst is a token with another first sign.
func otherFirst(token string) string {
	if token[0] == 'A' {
		return "B" + token[1:]
	}
	return "A" + token[1:]
}

// A continuation token is of one application, one step, one place in the flow.
func TestContinuationTokensOutOfPlace(t *testing.T) {
	h := build(t)
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name = "Other" })
	paths := map[string][]string{
		challenge:                {"challenge_type", "password oob redirect"},
		introspect:               nil,
		token:                    {"grant_type", "continuation_token", "scope", everything},
		"/signup/v1.0/challenge": nil, "/signup/v1.0/continue": {"grant_type", "oob", "oob", "123456"},
		"/resetpassword/v1.0/challenge": nil, "/resetpassword/v1.0/continue": {"grant_type", "oob", "oob", "123456"},
		"/resetpassword/v1.0/submit": {"new_password", "Some-Heron-44"}, "/resetpassword/v1.0/poll_completion": nil,
		"/register/v1.0/introspect": nil, "/register/v1.0/challenge": {"challenge_type", "oob", "challenge_target", "+14255550123"},
		"/register/v1.0/continue": {"grant_type", "continuation_token"},
	}
	may := map[string][]string{"begun": {challenge}, "password": nil, "second": {introspect}, "chosen": {introspect}, "sent": {introspect}}
	first := h.call(initiate, "username", ada, "challenge_type", "password oob redirect", "capabilities", "mfa_required registration_required")
	asked := h.call(challenge, "continuation_token", first.token(t))
	second := h.typed(asked.token(t), password)
	chosen := h.call(introspect, "continuation_token", second.token(t))
	sent := h.call(challenge, "continuation_token", chosen.token(t), "id", methodID(t, chosen, "sms"))
	code, _ := h.texts.last(t)
	for at, a := range map[string]answer{"second": second, "chosen": chosen, "sent": sent} {
		h.send(token, h.form("client_id", other.ID, "grant_type", "mfa_oob", "continuation_token", a.token(t), "oob", code, "scope", everything)).is(t, at+" of another application", "invalid_request", "")
	}
	for at, a := range map[string]answer{"begun": first, "password": asked, "second": second, "chosen": chosen, "sent": sent} {
		for path, pairs := range paths {
			if slices.Contains(may[at], path) && at != "begun" && at != "password" {
				continue
			}
			if at == "begun" || at == "password" { // the flow went on: these are from before
				h.call(path, append([]string{"continuation_token", a.token(t)}, pairs...)...).is(t, at+" at "+path, "invalid_request", "")
				continue
			}
			if path == challenge { // without an id
				h.call(path, append([]string{"continuation_token", a.token(t)}, pairs...)...).is(t, at+" at "+path, "invalid_request", "")
				continue
			}
			h.call(path, append([]string{"continuation_token", a.token(t)}, pairs...)...).is(t, at+" at "+path, "invalid_request", "")
		}
	}
	h.typed(asked.token(t), password).is(t, "the password once more", "invalid_request", "")
	h.typed(sent.token(t), password).is(t, "the password at another step", "invalid_request", "")
	h.coded(second.token(t), code).is(t, "a code before one was asked for", "invalid_request", "")
	h.coded(asked.token(t), code).is(t, "a code instead of the password", "invalid_request", "")
	h.call(token, "grant_type", "oob", "continuation_token", sent.token(t), "oob", code, "scope", everything).is(t, "the second factor's code as the first's", "invalid_request", "")
	h.call(token, "grant_type", "mfa_oob", "continuation_token", sent.token(t), "oob", code, "scope", everything, "username", bob).is(t, "another name", "invalid_request", "")
	for what, text := range map[string]string{"cut": sent.token(t)[:40], "none": "x", "changed": otherFirst(sent.token(t)), "doubled": sent.token(t) + sent.token(t), "with an end": sent.token(t) + "="} {
		h.coded(text, code).is(t, what, "invalid_request", "")
	}
	got := h.coded(sent.token(t), code)
	if got.status != http.StatusOK {
		t.Fatalf("after all that: %d %s", got.status, got.raw)
	}
	for _, a := range []answer{first, asked, second, chosen, sent} {
		h.coded(a.token(t), code).is(t, "after success", "invalid_request", "")
		h.call(introspect, "continuation_token", a.token(t)).is(t, "after success", "invalid_request", "")
	}
	h.coded(got.text("refresh_token"), code).is(t, "a refresh token", "invalid_request", "")
	h.refresh(sent.token(t)).is(t, "as a refresh token", "invalid_grant", "")
}

// Ten minutes from one answer to the next request, half an hour in all.
func TestContinuationTokensEnd(t *testing.T) {
	h := build(t)
	a := h.begun(t, ada)
	h.Advance(10*time.Minute - time.Second)
	b := h.typed(a.token(t), password)
	b.is(t, "in time", "invalid_grant", "mfa_required")
	h.Advance(10 * time.Minute)
	h.call(introspect, "continuation_token", b.token(t)).is(t, "too late", "expired_token", "")
	a = h.begun(t, ada)
	b = h.typed(a.token(t), password)
	for range 3 {
		h.Advance(9 * time.Minute)
		b = h.call(introspect, "continuation_token", b.token(t))
	}
	h.Advance(3 * time.Minute)
	h.call(introspect, "continuation_token", b.token(t)).is(t, "half an hour", "expired_token", "")
}

// Twelve wrong codes, then the right one: it is worth nothing any more, and
// nobody else is locked out.
func TestTwelveWrongCodes(t *testing.T) {
	h := build(t)
	a := h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	for i := range 12 {
		wrong := fmt.Sprintf("%06d", i)
		if wrong == code {
			wrong = "999999"
		}
		h.coded(a.token(t), wrong).is(t, "wrong", "invalid_grant", "invalid_oob_value")
	}
	h.coded(a.token(t), code).is(t, "the right one", "invalid_grant", "invalid_oob_value")
	h.person(t, bob, "+1 4255550111", "")
	h.signedIn(t, bob)
	h.from = "198.51.100.7:1"
	h.signedIn(t, ada)
}

// One code by fifty racing requests gives one set of tokens.
func TestFiftyRace(t *testing.T) {
	h := build(t)
	a := h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	continuation := a.token(t)
	var wg sync.WaitGroup
	var tokens, other atomic.Int32
	for range 50 {
		wg.Go(func() {
			switch got := h.coded(continuation, code); {
			case got.status == http.StatusOK && got.text("access_token") != "":
				tokens.Add(1)
			case got.status == http.StatusBadRequest:
			default:
				other.Add(1)
			}
		})
	}
	wg.Wait()
	if tokens.Load() != 1 || other.Load() != 0 {
		t.Errorf("%d sets of tokens, %d other answers", tokens.Load(), other.Load())
	}
}

// The password by racing requests leads on once, also where one factor is enough.
func TestPasswordsRace(t *testing.T) {
	h := build(t)
	if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
		t.Fatal(err)
	}
	continuation := h.begun(t, ada).token(t)
	var wg sync.WaitGroup
	var tokens atomic.Int32
	for range 8 {
		wg.Go(func() {
			if got := h.typed(continuation, password); got.text("access_token") != "" {
				tokens.Add(1)
			}
		})
	}
	wg.Wait()
	if tokens.Load() != 1 {
		t.Errorf("%d sets of tokens", tokens.Load())
	}
	h.typed(continuation, password).is(t, "once more", "invalid_request", "")
}

// Refresh tokens by racing requests: each answer holds the same next number, and
// the sign-in lives on.
func TestRefreshesRace(t *testing.T) {
	h := build(t)
	refresh := h.signedIn(t, ada).text("refresh_token")
	var wg sync.WaitGroup
	next := make(chan string, 20)
	for range 20 {
		wg.Go(func() { next <- h.refresh(refresh).text("refresh_token") })
	}
	wg.Wait()
	close(next)
	for token := range next {
		if token == "" {
			t.Fatal("one was refused")
		}
		refresh = token
	}
	if a := h.refresh(refresh); a.status != http.StatusOK {
		t.Errorf("the next: %s", a.raw)
	}
}

// Who calls: applications that there are, from pages that are theirs.
func TestWhoMayCall(t *testing.T) {
	h := build(t)
	begin := func(client string, header ...string) answer {
		return h.send(initiate, url.Values{"client_id": {client}, "username": {ada}, "challenge_type": {"password oob redirect"}}, header...)
	}
	begin("00000000-0000-4000-8000-000000000000").is(t, "nobody", "unauthorized_client", "")
	begin("x").is(t, "no id", "unauthorized_client", "")
	begin(strings.ToUpper(h.app.ID)).is(t, "another spelling", "unauthorized_client", "")
	good := begin(h.app.ID, "Origin", origin)
	if good.status != http.StatusOK || good.header.Get("Access-Control-Allow-Origin") != origin || good.header.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(good.header.Values("Vary"), "Origin") {
		t.Errorf("its own page: %d %v", good.status, good.header)
	}
	other := h.addApp(t, func(a *engine.NativeApp) { a.Name, a.Origins = "Other", []string{"https://other.contoso.example"} })
	for _, from := range []string{"https://evil.example", origin + ".evil.example", "http://shop.contoso.example", origin + ":8443", "null", "https://SHOP.contoso.example", "https://other.contoso.example", ""} {
		a := begin(h.app.ID, "Origin", from)
		if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" || a.text("continuation_token") != "" {
			t.Errorf("from %q: %d %v", from, a.status, a.header)
		}
	}
	asks := func(path string, header ...string) answer { return h.fetch("OPTIONS", path, header...) }
	a := asks(initiate, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,client-request-id,x-client-sku,x-client-ver,authorization,cookie")
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Headers") != "content-type, client-request-id, x-client-sku, x-client-ver" ||
		a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	if a := asks(initiate, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another page: %d %v", a.status, a.header)
	}
	for _, path := range []string{"/authenticator/v1/sign-in", "/authenticator/", "/native/", "/native/v2.0/.well-known/openid-configuration", "/native/discovery/v2.0/keys", "/delivery/v1/x", "/", "/x"} {
		for _, method := range []string{"OPTIONS", "GET", "POST"} {
			r := h.request(method, path, "")
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			if w := h.serve(r); w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("another route, %s %s: %d %v", method, path, w.Code, w.Header())
			}
		}
	}
	if err := h.ChangeNativeApp(t.Context(), operator, other.ID, func(a *engine.NativeApp) error { a.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	begin(other.ID).is(t, "a disabled one", "invalid_client", "nativeauthapi_disabled")
	if a := asks(initiate, "Origin", "https://other.contoso.example"); a.status != http.StatusForbidden {
		t.Errorf("preflight for a disabled one: %d", a.status)
	}
}

// How an application shows itself is told to its own pages, as long as it may call.
func TestWhoSeesBranding(t *testing.T) {
	h := build(t, func(a *engine.NativeApp) { a.Brand.Terms = "https://contoso.example/terms" })
	asks := func(client string, origins ...string) *httptest.ResponseRecorder {
		r := h.request(http.MethodGet, native.Base+"/branding?client_id="+client, "")
		r.Header["Origin"] = origins
		return h.serve(r)
	}
	if w := asks(h.app.ID, origin); w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != origin || !strings.Contains(w.Body.String(), "contoso.example/terms") {
		t.Errorf("its own page: %d %s", w.Code, w.Body)
	}
	for what, origins := range map[string][]string{"another page": {"https://evil.example"}, "a page of two origins": {origin, "https://evil.example"}, "its own page, twice": {origin, origin}} {
		if w := asks(h.app.ID, origins...); w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" || strings.Contains(w.Body.String(), "terms") {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if w := asks("00000000-0000-4000-8000-000000000000", origin); w.Code != http.StatusNotFound {
		t.Errorf("an application that is not there: %d %s", w.Code, w.Body)
	}
	if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if w := asks(h.app.ID, origin); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "terms") {
		t.Errorf("a disabled one: %d %s", w.Code, w.Body)
	}
}

// What a client says that it can do must be known and hold redirect.
func TestWhatClientsSay(t *testing.T) {
	h := build(t)
	for _, c := range []struct{ types, capabilities, err string }{
		{"password oob", "", "unsupported_challenge_type"},
		{"password passkey redirect", "", "unsupported_challenge_type"},
		{"redirect password", "mfa_required passkey", "invalid_request"},
		{"redirect password", "mfa_required,registration_required", "invalid_request"},
	} {
		h.call(initiate, "username", ada, "challenge_type", c.types, "capabilities", c.capabilities).is(t, c.types+"/"+c.capabilities, c.err, "")
	}
	a := h.call(initiate, "username", ada, "challenge_type", "password oob redirect")
	h.call(challenge, "continuation_token", a.token(t), "challenge_type", "oob redirect").is(t, "fewer than before", "invalid_request", "")
	h.call(token, "grant_type", "client_credentials", "continuation_token", a.token(t)).is(t, "a grant of programs", "unsupported_grant_type", "")
	b := h.begun(t, ada)
	h.call(token, "grant_type", "password", "continuation_token", b.token(t), "password", password, "scope", "openid api://other").is(t, "a scope of nobody", "invalid_scope", "")
	h.call(token, "grant_type", "password", "continuation_token", b.token(t), "password", password, "scope", " ").is(t, "no scope", "invalid_scope", "")
}

// A name of nobody answers as Ada's does, until the password.
func TestNobodyLearnsWhoThereIs(t *testing.T) {
	h := build(t)
	const nobody = "nobody@contoso.example"
	var all []answer
	for _, name := range []string{ada, nobody} {
		a := h.call(initiate, "username", name, "challenge_type", "password oob redirect", "capabilities", "mfa_required")
		b := h.call(challenge, "continuation_token", a.token(t))
		c := h.typed(b.token(t), "Wrong-Heron-1")
		c.is(t, name, "invalid_grant", "")
		all = append(all, b, c)
		for range 7 { // limits are those of everybody
			c = h.typed(b.token(t), "Wrong-Heron-1")
		}
		all = append(all, c)
		if len(a.token(t)) > 1000 {
			t.Errorf("a long token: %d", len(a.token(t)))
		}
	}
	for i := range 3 {
		x, y := all[i], all[i+3]
		if x.status != y.status || x.text("challenge_type") != y.text("challenge_type") || x.text("error") != y.text("error") || x.text("suberror") != y.text("suberror") || len(x.body) != len(y.body) {
			t.Errorf("%s\n%s", x.raw, y.raw)
		}
	}
	if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Reveal = true; return nil }); err != nil {
		t.Fatal(err)
	}
	h.call(initiate, "username", nobody, "challenge_type", "password oob redirect").is(t, "where it is told", "user_not_found", "")
}

// Who may not sign in does not, whatever was proven.
func TestUsersWhoMayNot(t *testing.T) {
	h := build(t)
	a := h.begun(t, ada)
	if err := h.Block(t.Context(), operator, h.ada, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.typed(a.token(t), password).is(t, "blocked before the password", "invalid_grant", "")
	if err := h.Unblock(t.Context(), operator, h.ada); err != nil {
		t.Fatal(err)
	}
	a = h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	if err := h.SetEnabled(t.Context(), operator, h.ada, false); err != nil {
		t.Fatal(err)
	}
	if got := h.coded(a.token(t), code); got.status != http.StatusBadRequest {
		t.Errorf("disabled before the code: %d %s", got.status, got.raw)
	}
	// A bypass of the helpdesk is for logins that ask the shim.
	if err := h.SetEnabled(t.Context(), operator, h.ada, true); err != nil {
		t.Fatal(err)
	}
	if err := h.AllowBypass(t.Context(), operator, h.ada, "", h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b := h.sent(t, ada, "sms")
	if b.text("challenge_type") != "oob" {
		t.Errorf("with a bypass: %s", b.raw)
	}
}

// A flood of requests is answered with 429 and costs no other address anything.
func TestFlood(t *testing.T) {
	h := build(t)
	faces, err := api.New(api.Options{Engine: h.Engine, Issuer: "https://api.contoso.example", Public: public, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer faces.Close()
	h.pages = faces.Handler(serve.Pages)
	counts := map[int]int{}
	var last answer
	for range 100 {
		last = h.call(initiate, "username", ada, "challenge_type", "password oob redirect")
		counts[last.status]++
	}
	if counts[http.StatusOK] != 40 || counts[http.StatusTooManyRequests] != 60 || last.header.Get("Retry-After") == "" || last.text("error") != "temporarily_unavailable" {
		t.Errorf("%v, %s", counts, last.raw)
	}
	if h := last.header; h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("a page cannot read how long to wait: %v", h)
	}
	for what, a := range map[string]answer{"preflight": h.fetch("OPTIONS", initiate, "Origin", origin), "branding": h.fetch("GET", "/branding?client_id="+h.app.ID)} {
		if a.status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s", what, a.status, a.raw)
		}
	}
	h.from = "198.51.100.7:1"
	if a := h.call(initiate, "username", ada, "challenge_type", "password oob redirect"); a.status != http.StatusOK {
		t.Errorf("another address: %d %s", a.status, a.raw)
	}
	h.Advance(time.Second)
	clear(counts)
	for i := range 500 {
		h.from = fmt.Sprintf("198.51.%d.%d:1", 101+i/250, i%250)
		counts[h.call(initiate, "username", ada, "challenge_type", "password oob redirect").status]++
	}
	if counts[http.StatusTooManyRequests] != 100 || counts[http.StatusOK] != 400 { // two seconds' worth of 200
		t.Errorf("from everywhere: %v", counts)
	}
	h.from = "192.0.2.10:9"
	h.Advance(time.Second)
	if a := h.call(initiate, "username", ada, "challenge_type", "password oob redirect"); a.status != http.StatusOK {
		t.Errorf("a second later: %d %s", a.status, a.raw)
	}
}

// Two nodes on one store: a flow goes on at either, one code gives one set of
// tokens, and what was ended at one is over at the other.
func TestTwoNodes(t *testing.T) {
	h := build(t)
	_, other, _ := h.node(t)
	first := h.pages
	var turn atomic.Int64
	h.pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 0 {
			other.ServeHTTP(w, r)
			return
		}
		first.ServeHTTP(w, r)
	})
	got := h.signedIn(t, ada)
	h.claimsOf(t, got.text("id_token"), "JWT")
	next := h.refresh(got.text("refresh_token"))
	if next.status != http.StatusOK {
		t.Fatalf("%s", next.raw)
	}
	h.Advance(time.Minute)
	a := h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	continuation := a.token(t)
	var wg sync.WaitGroup
	var tokens atomic.Int32
	for range 20 {
		wg.Go(func() {
			if got := h.coded(continuation, code); got.text("access_token") != "" {
				tokens.Add(1)
			}
		})
	}
	wg.Wait()
	if tokens.Load() != 1 {
		t.Errorf("%d sets of tokens", tokens.Load())
	}
	h.refresh(got.text("refresh_token")).is(t, "used at the other node", "invalid_grant", "")
	h.refresh(next.text("refresh_token")).is(t, "ended at the other node", "invalid_grant", "")
	h.only(t, access.Rule{Name: "closed", Grant: access.GrantBlock})
	for range 2 {
		if got := h.asked(t); got != "blocked" {
			t.Errorf("a rule of the other node: %s", got)
		}
	}
}
