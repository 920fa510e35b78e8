package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/native"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

var operator = engine.Actor{Who: "operator", Reason: "test"}

const (
	public   = "https://login.contoso.example"
	origin   = "https://shop.contoso.example"
	password = "Blue-Heron-42" // synthetic
	ada      = "ada@contoso.example"
	bob      = "bob@contoso.example"
)

// post is an office that keeps what it is to deliver.
type post struct {
	mu      sync.Mutex
	got     []engine.Message
	text    []string
	code    []string
	dead    bool
	hold    chan struct{}    // what is sent waits until it is closed; nil: does not wait
	engines []*engine.Engine // that send by it
}

// await waits for what goes out after an answer.
func (p *post) await() {
	for _, e := range p.engines {
		e.AwaitSent()
	}
}

func (p *post) Send(_ context.Context, m engine.Message) error {
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-time.After(10 * time.Second): // whoever asked waits for it
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return fmt.Errorf("the office is closed")
	}
	p.got = append(p.got, m)
	p.text = append(p.text, string(m.Text.Reveal()))
	p.code = append(p.code, string(m.Code.Reveal()))
	return nil
}

func (p *post) Delivers() bool { return true }

// last is the code that was sent last, and to whom.
func (p *post) last(t testing.TB) (code, to string) {
	t.Helper()
	p.await()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		t.Fatal("nothing was sent")
	}
	n := len(p.got) - 1
	return p.code[n], p.got[n].To
}

func (p *post) count() int {
	p.await()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.got)
}

// house is an engine with its public face and a clock.
type house struct {
	*engine.Engine
	*cloudtest.Clock
	texts, mail *post
	pages, api  http.Handler
	app         engine.NativeApp
	ada         cloud.UserID
	from        string // address of who calls
	open        func(testing.TB) engine.Store
	key         seal.Key
}

// build makes an engine in which Ada has a password and a mobile.
func build(t testing.TB, edit ...func(*engine.NativeApp)) *house {
	t.Helper()
	path := enginetest.Create(t, setup)
	return buildOn(t, enginetest.Key(t, path), func(t testing.TB) engine.Store {
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, edit...)
}

// setup is what a new store is told.
var setup = engine.Setup{Actor: operator, Now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)}

// buildOn is build on a store that is there already.
func buildOn(t testing.TB, key seal.Key, open func(testing.TB) engine.Store, edit ...func(*engine.NativeApp)) *house {
	t.Helper()
	h := &house{Clock: cloudtest.ClockAt(setup.Now), texts: &post{}, mail: &post{}, from: "192.0.2.10:4711", key: key, open: open}
	h.Engine, h.pages, h.api = h.node(t)
	h.app = h.addApp(t, edit...)
	h.ada = h.person(t, ada, "+1 4255550100", "")
	return h
}

// node opens the store as another process would, with handlers of its own.
func (h *house) node(t testing.TB) (e *engine.Engine, pages, programs http.Handler) {
	t.Helper()
	s := h.open(t)
	e, err := engine.Open(t.Context(), engine.Config{Store: s, Key: h.key, Now: h.Now, HashCost: enginetest.Cheap(),
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: h.texts, cloud.EmailCode: h.mail}})
	if err != nil {
		t.Fatal(err)
	}
	h.texts.engines, h.mail.engines = append(h.texts.engines, e), append(h.mail.engines, e)
	faces, err := api.New(api.Options{Engine: e, Issuer: "https://api.contoso.example", Public: public, Native: serve.Rate{Address: 10_000, All: 10_000}, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, err := range []error{faces.Close(), e.Close(), s.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return e, faces.Handler(serve.Pages), faces.Handler(serve.API)
}

// addApp registers an application with everything that an edit does not change.
func (h *house) addApp(t testing.TB, edit ...func(*engine.NativeApp)) engine.NativeApp {
	t.Helper()
	a := engine.NativeApp{Name: "Contoso Shop", Origins: []string{origin}, First: []string{engine.FirstPassword}, Scopes: []string{"api://shop/orders"}, Audience: "api://shop"}
	for _, e := range edit {
		e(&a)
	}
	a, err := h.AddNativeApp(t.Context(), operator, a)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// person makes a user with a password, a mobile and a confirmed address, as far
// as they are given.
func (h *house) person(t testing.TB, upn, mobile, mail string) cloud.UserID {
	t.Helper()
	id, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: upn, DisplayName: strings.SplitN(upn, "@", 2)[0], Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString(password)); err != nil {
		t.Fatal(err)
	}
	for method, text := range map[cloud.Method]string{cloud.Mobile: mobile, cloud.Email: mail} {
		if text == "" {
			continue
		}
		if r := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: method, After: cloud.TextValue(text)}}); r[0].Outcome != cloud.Done {
			t.Fatalf("%s: %+v", method, r[0])
		}
	}
	if mail != "" {
		if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

// token is the continuation token of an answer that must have one.
func (a answer) token(t testing.TB) string {
	t.Helper()
	if a.text("continuation_token") == "" {
		t.Fatalf("no continuation token: %d %s", a.status, a.raw)
	}
	return a.text("continuation_token")
}

// is tells whether an answer is that error.
func (a answer) is(t testing.TB, what, err, sub string) {
	t.Helper()
	if a.text("error") != err || a.text("suberror") != sub {
		t.Errorf("%s: %d %s, want %s/%s", what, a.status, a.raw, err, sub)
	}
}

func (h *house) form(pairs ...string) url.Values {
	v := url.Values{"client_id": {h.app.ID}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (h *house) request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, public+path, strings.NewReader(body))
	r.RemoteAddr = h.from
	return r
}

func (h *house) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.pages.ServeHTTP(w, r)
	return w
}

func (h *house) serveAPI(r *http.Request) int {
	w := httptest.NewRecorder()
	h.api.ServeHTTP(w, r)
	return w.Code
}

func (h *house) send(path string, form url.Values, header ...string) answer {
	return h.do(http.MethodPost, path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

func (h *house) fetch(method, path string, header ...string) answer {
	return h.do(method, path, "", header...)
}

func (h *house) do(method, path, body string, header ...string) answer {
	r := h.request(method, native.Base+path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.pages.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Result().Header, raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.body)
	return a
}

func (h *house) call(path string, pairs ...string) answer { return h.send(path, h.form(pairs...)) }

const (
	initiate   = "/oauth2/v2.0/initiate"
	challenge  = "/oauth2/v2.0/challenge"
	introspect = "/oauth2/v2.0/introspect"
	token      = "/oauth2/v2.0/token"
	everything = "openid profile offline_access api://shop/orders"
)

// begun is a sign-in for which a password is asked.
func (h *house) begun(t testing.TB, name string) answer {
	t.Helper()
	a := h.call(initiate, "username", name, "challenge_type", "password oob redirect", "capabilities", "mfa_required registration_required")
	return h.call(challenge, "continuation_token", a.token(t), "challenge_type", "password oob redirect")
}

func (h *house) typed(continuation, word string) answer {
	return h.call(token, "grant_type", "password", "continuation_token", continuation, "password", word, "scope", everything, "client_info", "1")
}

// second is a sign-in whose password was right.
func (h *house) second(t testing.TB, name string) answer {
	t.Helper()
	a := h.typed(h.begun(t, name).token(t), password)
	a.is(t, "the password", "invalid_grant", "mfa_required")
	return a
}

// sent is a sign-in for which a code was sent for the second factor by a channel.
func (h *house) sent(t testing.TB, name, channel string) answer {
	t.Helper()
	a := h.call(introspect, "continuation_token", h.second(t, name).token(t))
	return h.call(challenge, "continuation_token", a.token(t), "challenge_type", "password oob redirect", "id", methodID(t, a, channel))
}

func methodID(t testing.TB, a answer, channel string) string {
	t.Helper()
	methods, _ := a.body["methods"].([]any)
	for _, m := range methods {
		if m := m.(map[string]any); m["challenge_channel"] == channel {
			return m["id"].(string)
		}
	}
	t.Fatalf("no method %s: %s", channel, a.raw)
	return ""
}

func (h *house) coded(continuation, code string) answer {
	return h.call(token, "grant_type", "mfa_oob", "continuation_token", continuation, "oob", code, "scope", everything, "client_info", "1")
}

// signedIn is a whole sign-in with password and text.
func (h *house) signedIn(t testing.TB, name string) answer {
	t.Helper()
	a := h.sent(t, name, "sms")
	code, _ := h.texts.last(t)
	got := h.coded(a.token(t), code)
	if got.status != http.StatusOK || got.text("access_token") == "" {
		t.Fatalf("tokens: %d %s", got.status, got.raw)
	}
	return got
}

func (h *house) refresh(refresh string, pairs ...string) answer {
	return h.call(token, append([]string{"grant_type", "refresh_token", "refresh_token", refresh, "scope", everything, "client_info", "1"}, pairs...)...)
}

// id is that of a user.
func (h *house) id(t testing.TB, name string) cloud.UserID {
	t.Helper()
	u, err := h.Show(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}
