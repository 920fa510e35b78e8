package webpush_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/webpush"
	"mfabridge/cloud/engine/channel/webpush/webpushtest"
	"mfabridge/cloud/engine/enginetest"
)

// subject is whom push services may write to.
const subject = "mailto:it@contoso.example"

var operator = engine.Actor{Who: "operator", Reason: "test"}

// subscription is one of a browser.
func subscription(b *webpushtest.Browser, endpoint string) *engine.Subscription {
	s := &engine.Subscription{Endpoint: endpoint}
	s.P256DH, s.Auth = b.Keys()
	return s
}

// house is an engine with a user who has an active authenticator.
type house struct {
	*engine.Engine
	path   string
	user   cloud.UserID
	device string
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{path: enginetest.Create(t, engine.Setup{})}
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{})
	var err error
	if h.user, err = h.AddUser(t.Context(), operator, cloud.Profile{UPN: "ada@contoso.example", Enabled: true}); err != nil {
		t.Fatal(err)
	}
	h.device = h.another(t)
	return h
}

// another is one more active device of the user.
func (h *house) another(t testing.TB) string {
	t.Helper()
	device, _, err := h.Invite(t.Context(), operator, h.user)
	if err == nil {
		err = h.Activate(t.Context(), h.user, device, "Phone")
	}
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func (h *house) subscribe(t testing.TB, device string, s *engine.Subscription) {
	t.Helper()
	if err := h.Subscribe(t.Context(), h.user, device, s); err != nil {
		t.Fatal(err)
	}
}

func begin(t testing.TB, e *engine.Engine, user cloud.UserID, app string) cloud.Challenge {
	t.Helper()
	c, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(user)}, Tries: 1, ShowsNumber: true,
		Client: cloud.Client{App: app, Station: "198.51.100.7"}})
	if err != nil || c.Method != cloud.Push {
		t.Fatalf("%+v, %v", c, err)
	}
	return c
}

// run sends until the test ends, on a client that may call this machine.
func (h *house) run(t testing.TB, private bool, services ...*webpushtest.Service) *webpush.Sender {
	t.Helper()
	var hosts []string
	for _, s := range services {
		hosts = append(hosts, s.Host())
	}
	client, err := channel.Outward(time.Minute, private, services[0].CA)
	if err != nil {
		t.Fatal(err)
	}
	s, err := webpush.New(webpush.Options{Core: h.Engine, Client: client, Hosts: hosts, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPushReachesTheBrowserThatSubscribed(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	s := webpushtest.Serve(t, webpushtest.Created)
	h.subscribe(t, h.device, subscription(b, s.URL+"/send/1"))
	sender := h.run(t, true, s)
	another, _ := enginetest.Open(t, h.path, engine.Config{}) // as another process on the store would
	c := begin(t, another, h.user, "VPN")
	r := s.Got(t)
	body, _ := io.ReadAll(r.Body)
	text, err := b.Open(body)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Type, Challenge, Application, From string
		Number                             bool
		Expires                            time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Type != "push" || m.Challenge != string(c.ID) || m.Application != "VPN" || m.From != "198.51.100.7" || !m.Number {
		t.Errorf("%s, %v", text, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil || len(fields) != 6 { // the number that is to be matched is in none
		t.Errorf("%s", text)
	}
	if _, err := webpushtest.NewBrowser(t).Open(body); err == nil {
		t.Error("another browser reads it")
	}
	ttl, err := strconv.Atoi(r.Header.Get("TTL"))
	if err != nil || ttl <= 0 || ttl > 180 || r.Header.Get("Urgency") != "high" || r.Header.Get("Topic") == "" || r.Header.Get("Content-Encoding") != "aes128gcm" || r.URL.Path != "/send/1" {
		t.Errorf("%+v", r.Header)
	}
	if err := s.Signed(r, sender.Key(), subject); err != nil {
		t.Error(err)
	}
}

func TestPendingPushIsSentAfterARestart(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	s := webpushtest.Serve(t, webpushtest.Created)
	h.subscribe(t, h.device, subscription(b, s.URL))
	begin(t, h.Engine, h.user, "VPN")
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{})
	h.run(t, true, s)
	body, _ := io.ReadAll(s.Got(t).Body)
	if _, err := b.Open(body); err != nil {
		t.Error(err)
	}
}

func TestSubscriptionThatIsGoneIsForgotten(t *testing.T) {
	for _, status := range []int{http.StatusGone, http.StatusNotFound} {
		h := build(t)
		s := webpushtest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		h.subscribe(t, h.device, subscription(webpushtest.NewBrowser(t), s.URL))
		h.run(t, true, s)
		begin(t, h.Engine, h.user, "VPN")
		s.Got(t)
		for end := time.Now().Add(time.Minute); ; {
			o, err := h.Owned(t.Context(), h.user)
			if err != nil {
				t.Fatal(err)
			}
			if !o.Devices[0].Push {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("after %d it is still there", status)
			}
		}
	}
}

func TestNothingIsSentIntoTheHouse(t *testing.T) {
	h := build(t)
	aim := webpushtest.Serve(t, webpushtest.Created)
	aside := webpushtest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { // a push service that sends us on
		w.Header().Set("Location", aim.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	last := webpushtest.Serve(t, webpushtest.Created)
	h.subscribe(t, h.device, subscription(webpushtest.NewBrowser(t), aside.URL))
	h.subscribe(t, h.another(t), subscription(webpushtest.NewBrowser(t), last.URL))
	h.run(t, true, aside, last)
	begin(t, h.Engine, h.user, "VPN")
	aside.Got(t)
	last.Got(t)
	select {
	case <-aim.Came:
		t.Error("a redirect was followed")
	default:
	}

	// The same without leave to call private addresses: nothing comes at all.
	inner := build(t)
	inner.subscribe(t, inner.device, subscription(webpushtest.NewBrowser(t), last.URL))
	closed, err := channel.Outward(2*time.Second, false, last.CA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := closed.Get(last.URL); err == nil || !strings.Contains(err.Error(), "private network") {
		t.Errorf("a private address: %v", err)
	}
}

func TestWhichEndpointsAreCalled(t *testing.T) {
	h := build(t)
	s, err := webpush.New(webpush.Options{Core: h.Engine, Client: http.DefaultClient, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	for endpoint, may := range map[string]bool{
		"https://fcm.googleapis.com/fcm/send/abc":                      true,
		"https://updates.push.services.mozilla.com/wpush/v2/abc":       true,
		"https://web.push.apple.com/abc":                               true,
		"https://wns2-par02p.notify.windows.com/w/?token=abc":          true,
		"https://FCM.googleapis.com/x":                                 true,
		"http://fcm.googleapis.com/x":                                  false,
		"https://fcm.googleapis.com:8443/x":                            false,
		"https://fcm.googleapis.com@10.0.0.1/x":                        false,
		"https://user@fcm.googleapis.com/x":                            false,
		"https://fcm.googleapis.com.evil.example/x":                    false,
		"https://push.apple.com/x":                                     false,
		"https://xpush.apple.com/x":                                    false,
		"https://127.0.0.1/x":                                          false,
		"https://[::1]/x":                                              false,
		"https://push.contoso.example/x":                               false,
		"https://evil.example/?https://fcm.googleapis.com":             false,
		"https://evil.example/#@updates.push.services.mozilla.com/x":   false,
		"https://evil.example\\@updates.push.services.mozilla.com/abc": false,
		"":  false,
		"x": false,
	} {
		if got := s.MayPush(endpoint) == nil; got != may {
			t.Errorf("%s: %t", endpoint, got)
		}
		if u, err := url.Parse(endpoint); err == nil && may && u.Scheme != "https" {
			t.Errorf("%s", endpoint)
		}
	}
}

// A push service that does not answer holds up neither another one nor the login.
func TestSlowPushServiceDelaysNobody(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	over := make(chan struct{})
	slow := webpushtest.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler) // to return is to answer 200
	})
	fast := webpushtest.Serve(t, webpushtest.Created)
	defer close(over)
	h.subscribe(t, h.device, subscription(webpushtest.NewBrowser(t), slow.URL))
	h.subscribe(t, h.another(t), subscription(b, fast.URL))
	h.run(t, true, slow, fast)
	for _, app := range []string{"one", "two"} {
		begin(t, h.Engine, h.user, app)
		slow.Got(t) // it has this one and answers never
		body, _ := io.ReadAll(fast.Got(t).Body)
		if text, err := b.Open(body); err != nil || !strings.Contains(string(text), app) {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// Each of several engines on one store wakes a device, of one topic: a push
// service keeps the last of them, and a browser shows one.
func TestSeveralEnginesWakeForOneThing(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	s := webpushtest.Serve(t, webpushtest.Created)
	h.subscribe(t, h.device, subscription(b, s.URL))
	h.run(t, true, s)
	again, _ := enginetest.Open(t, h.path, engine.Config{})
	other := &house{Engine: again, path: h.path, user: h.user, device: h.device}
	other.run(t, true, s)
	c := begin(t, h.Engine, h.user, "VPN")
	topics, said := map[string]bool{}, map[string]bool{}
	for range 2 {
		r := s.Got(t)
		body, _ := io.ReadAll(r.Body)
		text, err := b.Open(body)
		if err != nil || !strings.Contains(string(text), string(c.ID)) {
			t.Fatalf("%s, %v", text, err)
		}
		topics[r.Header.Get("Topic")], said[string(text)] = true, true
	}
	if len(topics) != 1 || len(said) != 1 {
		t.Errorf("topics %v, messages %v", topics, said)
	}
}

// A subscription that was taken under another configuration is not called, by a
// push or by a try, though its host can be reached.
func TestHostThatIsKnownNoMoreIsNotCalled(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	var calls atomic.Int64
	other := webpushtest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(http.StatusCreated) })
	known := webpushtest.Serve(t, webpushtest.Created)
	w := engine.Wake{User: h.user, Device: h.device, Subscription: *subscription(b, other.URL+"/send/1"), Test: "a"}
	h.subscribe(t, h.device, &w.Subscription)
	h.subscribe(t, h.another(t), subscription(b, known.URL+"/send/2"))
	t.Cleanup(func() { // once all that was being sent has ended
		if n := calls.Load(); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
	sender := h.run(t, true, known)
	begin(t, h.Engine, h.user, "VPN")
	known.Got(t)
	if got := sender.Try(t.Context(), w); got != engine.WokenFailed {
		t.Errorf("%s", got)
	}
}

// A test is sent like a push, says nothing of anybody, and what became of it is
// told.
func TestTryTellsWhatBecameOfIt(t *testing.T) {
	h, b := build(t), webpushtest.NewBrowser(t)
	status := http.StatusCreated
	s := webpushtest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	h.subscribe(t, h.device, subscription(b, s.URL+"/send/1"))
	sender := h.run(t, true, s)
	w := engine.Wake{User: h.user, Device: h.device, Subscription: *subscription(b, s.URL+"/send/1"), Test: "a-B_9"}
	if got := sender.Try(t.Context(), w); got != engine.WokenSent {
		t.Errorf("%s", got)
	}
	r := s.Got(t)
	body, _ := io.ReadAll(r.Body)
	text, err := b.Open(body)
	if err != nil || string(text) != `{"type":"test","id":"a-B_9"}` || r.Header.Get("TTL") != "60" || r.Header.Get("Topic") == "" {
		t.Errorf("%s, %v, %v", text, err, r.Header)
	}
	if err := s.Signed(r, sender.Key(), subject); err != nil {
		t.Error(err)
	}
	status = http.StatusInternalServerError
	if got := sender.Try(t.Context(), w); got != engine.WokenFailed {
		t.Errorf("refused: %s", got)
	}
	status = http.StatusGone
	if got := sender.Try(t.Context(), w); got != engine.WokenGone {
		t.Errorf("gone: %s", got)
	}
	if o, err := h.Owned(t.Context(), h.user); err != nil || o.Devices[0].Push {
		t.Errorf("it is still there: %+v, %v", o, err)
	}
	w.Subscription.Endpoint = "https://push.evil.example/1"
	if got := sender.Try(t.Context(), w); got != engine.WokenFailed {
		t.Errorf("another host: %s", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w.Subscription.Endpoint = s.URL
	if got := sender.Try(ctx, w); got == engine.WokenSent || got == engine.WokenGone {
		t.Errorf("nobody waits any more: %s", got)
	}
}
