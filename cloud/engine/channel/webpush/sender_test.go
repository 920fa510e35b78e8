package webpush_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/webpush"
	"mfabridge/cloud/engine/enginetest"
)

var (
	b64      = base64.RawURLEncoding
	operator = engine.Actor{Who: "operator", Reason: "test"}
)

// browser is the other end of a subscription: it decrypts as RFC 8291 says,
// without a line of what encrypts.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key: key, auth: make([]byte, 16)}
	rand.Read(b.auth)
	return b
}

func (b *browser) subscription(endpoint string) *engine.Subscription {
	return &engine.Subscription{Endpoint: endpoint, P256DH: b64.EncodeToString(b.key.PublicKey().Bytes()), Auth: b64.EncodeToString(b.auth)}
}

// open decrypts a body of one record (RFC 8188 §2, RFC 8291 §3.4).
func (b *browser) open(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no header")
	}
	salt, public, sealed := body[:16], body[21:86], body[86:]
	if size := binary.BigEndian.Uint32(body[16:20]); int(size) < len(sealed) {
		return nil, errors.New("more than a record")
	}
	theirs, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	derive := func(from, salt []byte, info string, n int) []byte {
		out, err := hkdf.Key(sha256.New, from, salt, info, n)
		if err != nil {
			panic(err)
		}
		return out
	}
	ikm := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(public), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		return nil, err
	}
	text, padding, ok := strings.Cut(string(plain), "\x02")
	if !ok || strings.Trim(padding, "\x00") != "" {
		return nil, errors.New("no end of the record")
	}
	return []byte(text), nil
}

// service is a push service.
type service struct {
	*httptest.Server
	ca   string
	came chan *http.Request // with its body read into a reader again
}

// serve begins one that answers with a handler after it has told.
func serve(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{came: make(chan *http.Request, 64), ca: filepath.Join(t.TempDir(), "ca.pem")}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.came <- r
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

func (s *service) host() string { return strings.TrimPrefix(s.URL, "https://") }

// got waits for a request.
func (s *service) got(t testing.TB) *http.Request {
	t.Helper()
	select {
	case r := <-s.came:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		return nil
	}
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
func (h *house) run(t testing.TB, private bool, services ...*service) *webpush.Sender {
	t.Helper()
	var hosts []string
	for _, s := range services {
		hosts = append(hosts, s.host())
	}
	client, err := channel.Outward(2*time.Second, private, services[0].ca)
	if err != nil {
		t.Fatal(err)
	}
	s, err := webpush.New(webpush.Options{Core: h.Engine, Client: client, Hosts: hosts, Subject: "mailto:it@contoso.example"})
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

// isSigned checks the signature of RFC 8292 on its own.
func isSigned(t *testing.T, header, key, audience string) {
	t.Helper()
	rest, ok := strings.CutPrefix(header, "vapid ")
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	token := strings.Split(fields["t"], ".")
	if !ok || len(token) != 3 || fields["k"] != key {
		t.Fatalf("%q", header)
	}
	point, err := b64.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := b64.DecodeString(token[2])
	sum := sha256.Sum256([]byte(token[0] + "." + token[1]))
	if err != nil || len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the signature does not hold")
	}
	text, err := b64.DecodeString(token[1])
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := errors.Join(err, json.Unmarshal(text, &claims)); err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(claims.Exp, 0))
	if claims.Aud != audience || claims.Sub != "mailto:it@contoso.example" || left <= 0 || left > 24*time.Hour {
		t.Errorf("claims %s", text)
	}
}

func TestPushReachesTheBrowserThatSubscribed(t *testing.T) {
	h, b := build(t), newBrowser(t)
	s := serve(t, created)
	h.subscribe(t, h.device, b.subscription(s.URL+"/send/1"))
	sender := h.run(t, true, s)
	another, _ := enginetest.Open(t, h.path, engine.Config{}) // as another process on the store would
	c := begin(t, another, h.user, "VPN")
	r := s.got(t)
	body, _ := io.ReadAll(r.Body)
	text, err := b.open(body)
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
	if _, err := newBrowser(t).open(body); err == nil {
		t.Error("another browser reads it")
	}
	ttl, err := strconv.Atoi(r.Header.Get("TTL"))
	if err != nil || ttl <= 0 || ttl > 180 || r.Header.Get("Urgency") != "high" || r.Header.Get("Topic") == "" || r.Header.Get("Content-Encoding") != "aes128gcm" || r.URL.Path != "/send/1" {
		t.Errorf("%+v", r.Header)
	}
	isSigned(t, r.Header.Get("Authorization"), sender.Key(), s.URL)
}

func TestPendingPushIsSentAfterARestart(t *testing.T) {
	h, b := build(t), newBrowser(t)
	s := serve(t, created)
	h.subscribe(t, h.device, b.subscription(s.URL))
	begin(t, h.Engine, h.user, "VPN")
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{})
	h.run(t, true, s)
	body, _ := io.ReadAll(s.got(t).Body)
	if _, err := b.open(body); err != nil {
		t.Error(err)
	}
}

func TestSubscriptionThatIsGoneIsForgotten(t *testing.T) {
	for _, status := range []int{http.StatusGone, http.StatusNotFound} {
		h := build(t)
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		h.subscribe(t, h.device, newBrowser(t).subscription(s.URL))
		h.run(t, true, s)
		begin(t, h.Engine, h.user, "VPN")
		s.got(t)
		for end := time.Now().Add(10 * time.Second); ; {
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
	aim := serve(t, created)
	aside := serve(t, func(w http.ResponseWriter, _ *http.Request) { // a push service that sends us on
		w.Header().Set("Location", aim.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	last := serve(t, created)
	h.subscribe(t, h.device, newBrowser(t).subscription(aside.URL))
	h.subscribe(t, h.another(t), newBrowser(t).subscription(last.URL))
	h.run(t, true, aside, last)
	begin(t, h.Engine, h.user, "VPN")
	aside.got(t)
	last.got(t)
	select {
	case <-aim.came:
		t.Error("a redirect was followed")
	default:
	}

	// The same without leave to call private addresses: nothing comes at all.
	inner := build(t)
	inner.subscribe(t, inner.device, newBrowser(t).subscription(last.URL))
	closed, err := channel.Outward(2*time.Second, false, last.ca)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := closed.Get(last.URL); err == nil || !strings.Contains(err.Error(), "private network") {
		t.Errorf("a private address: %v", err)
	}
}

func TestWhichEndpointsAreCalled(t *testing.T) {
	h := build(t)
	s, err := webpush.New(webpush.Options{Core: h.Engine, Client: http.DefaultClient, Subject: "mailto:it@contoso.example"})
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
	h, b := build(t), newBrowser(t)
	over := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	fast := serve(t, created)
	defer close(over)
	h.subscribe(t, h.device, newBrowser(t).subscription(slow.URL))
	h.subscribe(t, h.another(t), b.subscription(fast.URL))
	h.run(t, true, slow, fast)
	for _, app := range []string{"one", "two"} {
		begin(t, h.Engine, h.user, app)
		slow.got(t) // it has this one and answers never
		body, _ := io.ReadAll(fast.got(t).Body)
		if text, err := b.open(body); err != nil || !strings.Contains(string(text), app) {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// Each of several engines on one store wakes a device, of one topic: a push
// service keeps the last of them, and a browser shows one.
func TestSeveralEnginesWakeForOneThing(t *testing.T) {
	h, b := build(t), newBrowser(t)
	s := serve(t, created)
	h.subscribe(t, h.device, b.subscription(s.URL))
	h.run(t, true, s)
	again, _ := enginetest.Open(t, h.path, engine.Config{})
	other := &house{Engine: again, path: h.path, user: h.user, device: h.device}
	other.run(t, true, s)
	c := begin(t, h.Engine, h.user, "VPN")
	topics, said := map[string]bool{}, map[string]bool{}
	for range 2 {
		r := s.got(t)
		body, _ := io.ReadAll(r.Body)
		text, err := b.open(body)
		if err != nil || !strings.Contains(string(text), string(c.ID)) {
			t.Fatalf("%s, %v", text, err)
		}
		topics[r.Header.Get("Topic")], said[string(text)] = true, true
	}
	if len(topics) != 1 || len(said) != 1 {
		t.Errorf("topics %v, messages %v", topics, said)
	}
}
