package rcs_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/rcs"
	"mfabridge/internal/secret"
)

const agent = "contoso_agent"

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	note  = carrier.Note{ID: "c1", Public: strings.Repeat("0a", 16), Number: "+14255550142", Text: "Your code for VPN is 314159.", Code: "314159", Life: 5 * time.Minute}
)

// service plays the published API: tokens for assertions that it can verify,
// messages by id, calling back.
type service struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu       sync.Mutex
	tokens   int
	messages map[string]string // id to body
	revoked  []string
	asked    int
	status   int // of messages, where not 200
	refuse   int // how many requests are answered 401
}

func newService(t *testing.T) *service {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{key: key, messages: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /v1/phones/{number}/agentMessages", s.guard(s.send))
	mux.HandleFunc("GET /v1/phones/{number}/capabilities", s.guard(s.capabilities))
	mux.HandleFunc("DELETE /v1/phones/{number}/agentMessages/{id}", s.guard(s.revoke))
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	signed, err := jwt.ParseSigned(r.FormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	var claims jwt.Claims
	var more struct {
		Scope string `json:"scope"`
	}
	if err != nil || signed.Claims(&s.key.PublicKey, &claims, &more) != nil || claims.Issuer != "sender@contoso.example" || !claims.Audience.Contains(s.URL+"/token") ||
		claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Hour || !strings.HasSuffix(more.Scope, "/auth/rcsbusinessmessaging") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	s.tokens++
	fmt.Fprintf(w, `{"access_token":"t%d","expires_in":3600,"token_type":"Bearer"}`, s.tokens)
}

func (s *service) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.refuse > 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", s.tokens) || r.FormValue("agentId") != agent {
			s.refuse--
			http.Error(w, `{"error":{"status":"UNAUTHENTICATED"}}`, http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func (s *service) send(w http.ResponseWriter, r *http.Request) {
	if s.status != 0 {
		http.Error(w, `{"error":{"message":"+14255550142"}}`, s.status)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if id := r.FormValue("messageId"); s.messages[id] == "" {
		s.messages[id] = string(body)
	}
	fmt.Fprint(w, "{}")
}

func (s *service) capabilities(w http.ResponseWriter, r *http.Request) {
	s.asked++
	if s.status != 0 || r.PathValue("number") != note.Number {
		http.Error(w, "{}", s.status)
		return
	}
	fmt.Fprint(w, `{"features":["RICHCARD_STANDALONE"]}`)
}

func (s *service) revoke(w http.ResponseWriter, r *http.Request) {
	if s.messages[r.PathValue("id")] == "" {
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	s.revoked = append(s.revoked, r.PathValue("id"))
	fmt.Fprint(w, "{}")
}

// file is the key file of the service account.
func (s *service) file(t *testing.T) secret.Bytes {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "sender@contoso.example", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": s.URL + "/token"})
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(b)
}

func (s *service) driver(t *testing.T, change func(*rcs.Config)) *rcs.Driver {
	t.Helper()
	account, err := rcs.ParseAccount(s.file(t))
	if err != nil {
		t.Fatal(err)
	}
	conf := rcs.Config{Base: s.URL, Agent: agent, Account: account, Token: secret.FromString("SJENCPGJ"), Client: s.Client(), Now: func() time.Time { return start }}
	if change != nil {
		change(&conf)
	}
	d, err := rcs.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestSend(t *testing.T) {
	s := newService(t)
	d := s.driver(t, nil)
	var taken carrier.Taken
	for range 3 { // the same message: the service has it once
		var err error
		if taken, err = d.Send(t.Context(), note); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"contentMessage":{"text":"Your code for VPN is 314159."},"messageTrafficType":"AUTHENTICATION","ttl":"300s"}`
	if taken.ID != "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a" || s.messages[taken.ID] != want || len(s.messages) != 1 {
		t.Fatalf("%+v, %v", taken, s.messages)
	}
	if s.tokens != 1 || s.asked != 0 {
		t.Fatalf("%d tokens, %d questions", s.tokens, s.asked)
	}
	if err := d.Revoke(t.Context(), note, taken); err != nil || len(s.revoked) != 1 {
		t.Fatalf("revoke: %v", err)
	}
	if err := d.Revoke(t.Context(), note, carrier.Taken{ID: "other"}); !errors.Is(err, rcs.ErrDelivered) {
		t.Fatalf("what was delivered is called back: %v", err)
	}
}

func TestTokenIsRenewed(t *testing.T) {
	s := newService(t)
	now := start
	d := s.driver(t, func(c *rcs.Config) { c.Now = func() time.Time { return now } })
	send := func() error { _, err := d.Send(t.Context(), note); return err }
	if err := send(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - 30*time.Second)
	if err := send(); err != nil || s.tokens != 2 {
		t.Fatalf("%d tokens, %v", s.tokens, err)
	}
	s.refuse = 1 // it was revoked meanwhile
	if err := send(); err != nil || s.tokens != 3 {
		t.Fatalf("%d tokens, %v", s.tokens, err)
	}
	s.refuse = 5
	if err := send(); err == nil || s.tokens > 4 {
		t.Fatalf("asked on and on: %d tokens, %v", s.tokens, err)
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]error{404: carrier.ErrUnreachable, 500: carrier.ErrUnknown, 503: carrier.ErrUnknown, 400: nil, 403: nil, 429: nil, 302: nil} {
		s := newService(t)
		s.status = status
		_, err := s.driver(t, nil).Send(t.Context(), note)
		if err == nil || want != nil && !errors.Is(err, want) || want == nil && (errors.Is(err, carrier.ErrUnknown) || errors.Is(err, carrier.ErrUnreachable)) {
			t.Errorf("%d: %v", status, err)
		}
		if err != nil && (strings.Contains(err.Error(), "4255550142") || strings.Contains(err.Error(), "314159")) {
			t.Errorf("%d: the error tells too much: %v", status, err)
		}
	}
}

func TestCapabilitiesAreAskedFirst(t *testing.T) {
	s := newService(t)
	d := s.driver(t, func(c *rcs.Config) { c.Ask = true })
	if _, err := d.Send(t.Context(), note); err != nil || s.asked != 1 {
		t.Fatalf("%d questions, %v", s.asked, err)
	}
	s.status = 404
	if _, err := d.Send(t.Context(), note); !errors.Is(err, carrier.ErrUnreachable) {
		t.Fatal(err)
	}
	s.status = 500 // nothing was sent: that is known
	if _, err := d.Send(t.Context(), note); err == nil || errors.Is(err, carrier.ErrUnknown) {
		t.Fatal(err)
	}
}

func TestSilenceIsUnknown(t *testing.T) {
	s := newService(t)
	d := s.driver(t, nil)
	if _, err := d.Send(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Send(ctx, note); !errors.Is(err, carrier.ErrUnknown) || strings.Contains(err.Error(), "phones") {
		t.Fatal(err)
	}
}

// posted is a webhook call with an event, signed by a token.
func posted(event, token string) carrier.Call {
	mac := hmac.New(sha512.New, []byte(token))
	mac.Write([]byte(event))
	header := http.Header{"X-Goog-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	return carrier.Call{Method: "POST", Header: header.Get, Now: start, Body: fmt.Appendf(nil, `{"message":{"data":%q}}`, base64.StdEncoding.EncodeToString([]byte(event)))}
}

func TestReceipts(t *testing.T) {
	d := newService(t).driver(t, nil)
	event := `{"senderPhoneNumber":"+14255550142","eventType":"%s","messageId":"m1","agentId":"contoso_agent","sendTime":"2026-11-22T12:00:01Z"}`
	for kind, want := range map[string]carrier.Status{"DELIVERED": carrier.Delivered, "READ": carrier.Read, "TTL_EXPIRATION_REVOKED": carrier.Failed, "IS_TYPING": ""} {
		reply, err := d.Call(t.Context(), posted(fmt.Sprintf(event, kind), "SJENCPGJ"))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && len(reply.Receipts) == 0 {
			continue
		}
		if len(reply.Receipts) != 1 || reply.Receipts[0] != (carrier.Receipt{ID: "m1", Status: want, At: start.Add(time.Second)}) {
			t.Errorf("%s: %+v", kind, reply)
		}
	}
}

func TestForgedCalls(t *testing.T) {
	d := newService(t).driver(t, nil)
	good := `{"eventType":"DELIVERED","messageId":"m1","agentId":"contoso_agent"}`
	other := posted(good, "SJENCPGJ")
	other.Body = fmt.Appendf(nil, `{"message":{"data":%q}}`, base64.StdEncoding.EncodeToString([]byte(strings.Replace(good, "m1", "m2", 1))))
	unsigned := posted(good, "SJENCPGJ")
	unsigned.Header = http.Header{}.Get
	get := posted(good, "SJENCPGJ")
	get.Method = "GET"
	for name, call := range map[string]carrier.Call{
		"other token":    posted(good, "SJENCPGK"),
		"other event":    other,
		"unsigned":       unsigned,
		"get":            get,
		"other agent":    posted(strings.Replace(good, agent, "fabrikam", 1), "SJENCPGJ"),
		"no json":        posted("DELIVERED", "SJENCPGJ"),
		"empty":          {Method: "POST", Header: http.Header{}.Get},
		"greeting":       {Method: "POST", Header: http.Header{}.Get, Body: []byte(`{"clientToken":"guess","secret":"1"}`)},
		"hostile secret": {Method: "POST", Header: http.Header{}.Get, Body: []byte(`{"clientToken":"SJENCPGJ","secret":"<script>"}`)},
	} {
		if reply, err := d.Call(t.Context(), call); !errors.Is(err, carrier.ErrForged) || len(reply.Receipts) != 0 || reply.Body != nil {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
	reply, err := d.Call(t.Context(), carrier.Call{Method: "POST", Header: http.Header{}.Get, Body: []byte(`{"clientToken":"SJENCPGJ","secret":"1234567890"}`)})
	if err != nil || string(reply.Body) != "1234567890" {
		t.Errorf("the greeting: %+v, %v", reply, err)
	}
	// Without a token nobody is listened to, not even who signs with nothing.
	deaf := newService(t).driver(t, func(c *rcs.Config) { c.Token = secret.Bytes{} })
	if _, err := deaf.Call(t.Context(), posted(good, "")); !errors.Is(err, carrier.ErrForged) {
		t.Error("a driver without a token listens")
	}
}

func TestAccountIsRefused(t *testing.T) {
	s := newService(t)
	good := string(s.file(t).Reveal())
	for name, file := range map[string]string{
		"empty":    "",
		"no json":  "-----BEGIN",
		"kind":     strings.Replace(good, "service_account", "authorized_user", 1),
		"no key":   strings.Replace(good, "PRIVATE KEY", "PUBLIC", 2),
		"http":     strings.Replace(good, "https://", "http://", 1),
		"too long": good + strings.Repeat(" ", 20<<10),
	} {
		if _, err := rcs.ParseAccount(secret.FromString(file)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add([]byte(`{"message":{"data":"e30="}}`), "c2ln")
	f.Add([]byte(`{"clientToken":"SJENCPGJ","secret":"12"}`), "")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	file, _ := json.Marshal(map[string]string{"type": "service_account", "client_email": "a@contoso.example", "token_uri": "https://127.0.0.1/",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	account, err := rcs.ParseAccount(secret.New(file))
	if err != nil {
		f.Fatal(err)
	}
	d, err := rcs.New(rcs.Config{Agent: agent, Account: account, Token: secret.FromString("SJENCPGJ"), Client: &http.Client{}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		reply, err := d.Call(t.Context(), carrier.Call{Method: "POST", Body: body, Header: http.Header{"X-Goog-Signature": {signature}}.Get})
		if len(reply.Receipts) > 0 || err == nil && len(reply.Body) > 256 {
			t.Fatalf("%+v, %v", reply, err)
		}
	})
}
