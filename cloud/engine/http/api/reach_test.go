package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
)

// counted counts how often what waits for a device was looked up.
type counted struct {
	*engine.Engine
	looked atomic.Int64
}

func (c *counted) Pushes(ctx context.Context, user cloud.UserID, device string) ([]engine.Push, []engine.Notice, error) {
	c.looked.Add(1)
	return c.Engine.Pushes(ctx, user, device)
}

// public is the public listener over a core that counts.
func public(t *testing.T, h *house, o pages.Options) (*httptest.Server, *counted) {
	t.Helper()
	core := &counted{Engine: h.engine}
	ctx, stop := context.WithCancel(t.Context())
	face := pages.New(ctx, core, o)
	table, err := serve.New(serve.Options{Routes: face.Routes(), Auth: face})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(table.Handler(serve.Pages))
	t.Cleanup(func() { stop(); server.Close() })
	return server, core
}

// stream opens the events of a phone and waits for the first; the others come
// on the channel as "name data".
func (p *phone) stream(t *testing.T, url string) <-chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token(t))
	w, err := http.DefaultClient.Do(r)
	if err != nil || w.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", w, err)
	}
	came := make(chan string, 64)
	go func() {
		defer close(came)
		defer w.Body.Close()
		name := ""
		for lines := bufio.NewScanner(w.Body); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = n
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				came <- name + " " + data
			}
		}
	}()
	if first := heard(t, came); !strings.HasPrefix(first, "pushes ") {
		t.Fatalf("at first %s", first)
	}
	return came
}

func heard(t *testing.T, came <-chan string) string {
	t.Helper()
	select {
	case e := <-came:
		return e
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		return ""
	}
}

// try asks for a test event, with a token.
func try(t *testing.T, url, token, body string) (status int, got wire.TestAnswer, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url+base+"/test", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if w.StatusCode == http.StatusOK {
		err = errors.Join(err, json.Unmarshal(text, &got))
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, got, w.Header
}

// A test event comes to every stream of the device that asks for it, to no other
// device, and has nobody look at what waits.
func TestATestEventReachesTheDeviceThatAsks(t *testing.T) {
	h := build(t)
	server, core := public(t, h, pages.Options{})
	other := newPhone(t, h)
	if _, got, _ := try(t, server.URL, h.phone.token(t), `{"id":"early"}`); got.Streams != 0 || got.Service != "none" {
		t.Errorf("without a stream: %+v", got)
	}
	one, two, others := h.phone.stream(t, server.URL), h.phone.stream(t, server.URL), other.stream(t, server.URL)
	looked := core.looked.Load()
	if _, got, _ := try(t, server.URL, h.phone.token(t), `{"id":"a-B_9"}`); got.Streams != 2 {
		t.Errorf("%+v", got)
	}
	for _, came := range []<-chan string{one, two} {
		if e := heard(t, came); e != `test {"id":"a-B_9"}` {
			t.Errorf("%s came", e)
		}
	}
	if n := core.looked.Load(); n != looked {
		t.Errorf("what waits was looked up %d times", n-looked)
	}
	c := h.ask(t, false) // what comes next at the other device is the push
	for _, came := range []<-chan string{one, others} {
		if e := heard(t, came); !strings.HasPrefix(e, "pushes ") || !strings.Contains(e, string(c.ID)) {
			t.Errorf("%s came", e)
		}
	}
}

// Nobody but the device has events sent to it, and it not without end.
func TestATestEventIsRefused(t *testing.T) {
	h := build(t)
	server, _ := public(t, h, pages.Options{})
	other := newPhone(t, h)
	came := h.phone.stream(t, server.URL)
	now := h.Now()
	strange := signature.Token{User: h.phone.got.User, Device: h.phone.got.Device, At: now, Signature: make([]byte, signature.Size)}.String()
	swapped := strings.Replace(other.token(t), other.got.Device, h.phone.got.Device, 1)
	for name, token := range map[string]string{"nobody": "", "no signature": strange, "another device": swapped, "the owner": h.tokens[engine.RoleOwner], "a shim": h.tokens[engine.RoleShim]} {
		want := http.StatusUnauthorized
		if name == "the owner" {
			want = http.StatusForbidden
		}
		if got, _, _ := try(t, server.URL, token, `{"id":"x"}`); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
	for _, body := range []string{`{}`, `{"id":""}`, `{"id":"` + strings.Repeat("x", 33) + `"}`, `{"id":"a\nevent: pushes"}`, `{"id":"x","to":"y"}`, `x`} {
		if got, _, _ := try(t, server.URL, h.phone.token(t), body); got != http.StatusBadRequest {
			t.Errorf("%s: %d", body, got)
		}
	}
	if n := drained(came); n != 0 {
		t.Errorf("%d events came of it", n)
	}
	for n := range 7 {
		status, _, header := try(t, server.URL, h.phone.token(t), `{"id":"x"}`)
		if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[n < 6]; status != want || n == 6 && header.Get("Retry-After") == "" {
			t.Errorf("test %d: %d %v", n+1, status, header)
		}
	}
	if got, _, _ := try(t, server.URL, other.token(t), `{"id":"x"}`); got != http.StatusOK {
		t.Errorf("another device of the same user: %d", got)
	}
	h.Advance(time.Minute)
	if got, _, _ := try(t, server.URL, h.phone.token(t), `{"id":"x"}`); got != http.StatusOK {
		t.Errorf("a minute later: %d", got)
	}
	if w := h.post(t, "/devices/"+h.phone.got.Device+"/remove", wire.RemoveRequest{Lost: true}, by(other.token(t))...); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got, _, _ := try(t, server.URL, h.phone.token(t), `{"id":"x"}`); got != http.StatusUnauthorized {
		t.Errorf("a removed device: %d", got)
	}
}

func drained(came <-chan string) (n int) {
	for {
		select {
		case <-came:
			n++
		default:
			return n
		}
	}
}

// A device that has subscribed is woken as well, and hears what became of it; one
// that has not, and one whose engine sends nothing, is not.
func TestATestEventWakesToo(t *testing.T) {
	h := build(t)
	var woken []engine.Wake
	server, _ := public(t, h, pages.Options{MayPush: mayPush, Wake: func(_ context.Context, w engine.Wake) engine.Woken {
		woken = append(woken, w)
		return engine.WokenGone
	}})
	if _, got, _ := try(t, server.URL, h.phone.token(t), `{"id":"x"}`); got.Service != "none" || len(woken) != 0 {
		t.Errorf("without a subscription: %+v, %+v", got, woken)
	}
	_, public := newKey(t, h)
	s := engine.Subscription{Endpoint: "https://push.contoso.example/1", P256DH: public, Auth: b64.EncodeToString(make([]byte, 16))}
	if err := h.engine.Subscribe(t.Context(), h.phone.got.User, h.phone.got.Device, &s); err != nil {
		t.Fatal(err)
	}
	if _, got, _ := try(t, server.URL, h.phone.token(t), `{"id":"x"}`); got.Service != "gone" || len(woken) != 1 || woken[0] != (engine.Wake{User: h.user, Device: h.phone.got.Device, Subscription: s, Test: "x"}) {
		t.Errorf("%+v, %+v", got, woken)
	}
	if w := h.post(t, "/test", wire.TestRequest{ID: "x"}, by(h.phone.token(t))...); !strings.Contains(w.Body.String(), `"push_service":"none"`) {
		t.Errorf("where nothing is sent: %d %s", w.Code, w.Body)
	}
}
