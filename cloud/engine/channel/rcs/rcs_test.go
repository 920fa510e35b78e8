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
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/rcs"
	"mfabridge/cloud/engine/channel/rcs/rcstest"
	"mfabridge/internal/secret"
)

const agent = rcstest.Agent

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	note  = carrier.Note{ID: "c1", Public: strings.Repeat("0a", 16), Number: "+14255550142", Text: "Your code for VPN is 314159.", Code: "314159", Life: 5 * time.Minute}
)

func driver(t *testing.T, s *rcstest.Service, change func(*rcs.Config)) *rcs.Driver {
	t.Helper()
	account, err := rcs.ParseAccount(s.File(t))
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
	s := rcstest.New(t)
	d := driver(t, s, nil)
	var taken carrier.Taken
	for range 3 { // the same message: the service has it once
		var err error
		if taken, err = d.Send(t.Context(), note); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"contentMessage":{"text":"Your code for VPN is 314159."},"messageTrafficType":"AUTHENTICATION","ttl":"300s"}`
	if taken.ID != "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a" || s.Messages[taken.ID] != want || len(s.Messages) != 1 {
		t.Fatalf("%+v, %v", taken, s.Messages)
	}
	if s.Tokens != 1 || s.Asked != 0 {
		t.Fatalf("%d tokens, %d questions", s.Tokens, s.Asked)
	}
	if err := d.Revoke(t.Context(), note, taken); err != nil || len(s.Revoked) != 1 {
		t.Fatalf("revoke: %v", err)
	}
	if err := d.Revoke(t.Context(), note, carrier.Taken{ID: "other"}); !errors.Is(err, rcs.ErrDelivered) {
		t.Fatalf("what was delivered is called back: %v", err)
	}
}

func TestTokenIsRenewed(t *testing.T) {
	s := rcstest.New(t)
	now := start
	d := driver(t, s, func(c *rcs.Config) { c.Now = func() time.Time { return now } })
	send := func() error { _, err := d.Send(t.Context(), note); return err }
	if err := send(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - 30*time.Second)
	if err := send(); err != nil || s.Tokens != 2 {
		t.Fatalf("%d tokens, %v", s.Tokens, err)
	}
	s.Refuse = 1 // it was revoked meanwhile
	if err := send(); err != nil || s.Tokens != 3 {
		t.Fatalf("%d tokens, %v", s.Tokens, err)
	}
	s.Refuse = 5
	if err := send(); err == nil || s.Tokens > 4 {
		t.Fatalf("asked on and on: %d tokens, %v", s.Tokens, err)
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]error{404: carrier.ErrUnreachable, 500: carrier.ErrUnknown, 503: carrier.ErrUnknown, 400: nil, 403: nil, 429: nil, 302: nil} {
		s := rcstest.New(t)
		s.Status = status
		_, err := driver(t, s, nil).Send(t.Context(), note)
		if err == nil || want != nil && !errors.Is(err, want) || want == nil && (errors.Is(err, carrier.ErrUnknown) || errors.Is(err, carrier.ErrUnreachable)) {
			t.Errorf("%d: %v", status, err)
		}
		if err != nil && (strings.Contains(err.Error(), "4255550142") || strings.Contains(err.Error(), "314159")) {
			t.Errorf("%d: the error tells too much: %v", status, err)
		}
	}
}

// A service that answers something else for a token is as unwell as one that
// answers 500, and left alone as that is.
func TestTokenThatIsNone(t *testing.T) {
	s := rcstest.New(t)
	s.Garbled = true
	if _, err := driver(t, s, nil).Send(t.Context(), note); !errors.Is(err, carrier.ErrUnwell) || strings.Contains(err.Error(), "maintenance") {
		t.Error(err)
	}
}

func TestCapabilitiesAreAskedFirst(t *testing.T) {
	s := rcstest.New(t)
	d := driver(t, s, func(c *rcs.Config) { c.Ask = true })
	if _, err := d.Send(t.Context(), note); err != nil || s.Asked != 1 {
		t.Fatalf("%d questions, %v", s.Asked, err)
	}
	s.Status = 404
	if _, err := d.Send(t.Context(), note); !errors.Is(err, carrier.ErrUnreachable) {
		t.Fatal(err)
	}
	s.Status = 500 // nothing was sent: that is known
	if _, err := d.Send(t.Context(), note); err == nil || errors.Is(err, carrier.ErrUnknown) {
		t.Fatal(err)
	}
}

func TestSilenceIsUnknown(t *testing.T) {
	s := rcstest.New(t)
	d := driver(t, s, nil)
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
	d := driver(t, rcstest.New(t), nil)
	event := `{"senderPhoneNumber":"+14255550142","eventType":"%s","messageId":"0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a","agentId":"contoso_agent","sendTime":"2026-11-22T12:00:01Z"}`
	for kind, want := range map[string]carrier.Status{"DELIVERED": carrier.Delivered, "READ": carrier.Read, "TTL_EXPIRATION_REVOKED": carrier.Failed, "IS_TYPING": ""} {
		reply, err := d.Call(t.Context(), posted(fmt.Sprintf(event, kind), "SJENCPGJ"))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && len(reply.Receipts) == 0 {
			continue
		}
		if len(reply.Receipts) != 1 || reply.Receipts[0] != (carrier.Receipt{ID: note.Public, ByNote: true, Status: want, At: start.Add(time.Second)}) {
			t.Errorf("%s: %+v", kind, reply)
		}
	}
}

func TestForgedCalls(t *testing.T) {
	d := driver(t, rcstest.New(t), nil)
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
	deaf := driver(t, rcstest.New(t), func(c *rcs.Config) { c.Token = secret.Bytes{} })
	if _, err := deaf.Call(t.Context(), posted(good, "")); !errors.Is(err, carrier.ErrForged) {
		t.Error("a driver without a token listens")
	}
}

func TestAccountIsRefused(t *testing.T) {
	s := rcstest.New(t)
	good := string(s.File(t).Reveal())
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

// road answers some requests in place of the service, and counts the messages that
// go out.
type road struct {
	http.RoundTripper
	instead  func(r *http.Request) *http.Response // nil: the service is asked
	messages int
}

func (w *road) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/agentMessages") {
		w.messages++
	}
	if answer := w.instead(r); answer != nil {
		answer.Request = r
		return answer, nil
	}
	return w.RoundTripper.RoundTrip(r)
}

func says(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"/elsewhere"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// Without an access token, or where the telephone has no RCS, nothing goes out, and
// that is known.
func TestNothingGoesOut(t *testing.T) {
	token := func(status int, body string) func(*http.Request) *http.Response {
		return func(r *http.Request) *http.Response {
			if r.URL.Path != "/token" {
				return nil
			}
			return says(status, body)
		}
	}
	asked := func(status int) func(*http.Request) *http.Response {
		return func(r *http.Request) *http.Response {
			if !strings.HasSuffix(r.URL.Path, "/capabilities") {
				return nil
			}
			return says(status, "{}")
		}
	}
	s := rcstest.New(t)
	const good = `{"access_token":"t1","expires_in":3600}`
	for name, c := range map[string]struct {
		instead func(*http.Request) *http.Response
		want    error
	}{
		"a token that is refused":    {token(400, `{"error":"invalid_grant"}`), carrier.ErrUnwell},
		"a token behind a refusal":   {token(403, good), carrier.ErrUnwell},
		"a token elsewhere":          {token(307, ""), carrier.ErrUnwell},
		"no JSON":                    {token(200, "<html>"), nil},
		"no token":                   {token(200, `{"expires_in":3600}`), nil},
		"a token that ends a header": {token(200, `{"access_token":"t1\r\nX: y"}`), nil},
		"a number without RCS":       {asked(404), carrier.ErrUnreachable},
		"a question elsewhere":       {asked(302), carrier.ErrUnwell},
		"a question that fails":      {asked(503), carrier.ErrUnwell},
	} {
		t.Run(name, func(t *testing.T) {
			w := &road{RoundTripper: s.Client().Transport, instead: c.instead}
			d := driver(t, s, func(conf *rcs.Config) { conf.Client, conf.Ask = &http.Client{Transport: w}, true })
			_, err := d.Send(t.Context(), note)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, carrier.ErrUnknown) || w.messages != 0 {
				t.Errorf("%v, %d messages", err, w.messages)
			}
		})
	}
}

// A message that could not be called back is told as that.
func TestRevokeThatFails(t *testing.T) {
	s := rcstest.New(t)
	w := &road{RoundTripper: s.Client().Transport, instead: func(r *http.Request) *http.Response {
		if r.Method != http.MethodDelete {
			return nil
		}
		return says(500, "")
	}}
	d := driver(t, s, func(conf *rcs.Config) { conf.Client = &http.Client{Transport: w} })
	if err := d.Revoke(t.Context(), note, carrier.Taken{}); err == nil || errors.Is(err, rcs.ErrDelivered) {
		t.Errorf("%v", err)
	}
}
