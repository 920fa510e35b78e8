package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// phone is an authenticator, as one outside this program would be written.
type phone struct {
	h   *house
	key *ecdsa.PrivateKey
	got wire.EnrolledAnswer
}

const base = "/authenticator/v1"

var b64 = base64.RawURLEncoding

func (p *phone) sign(t testing.TB, lines ...string) string {
	t.Helper()
	sum := sha256.Sum256([]byte("mfabridge " + strings.Join(lines, "\n")))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b64.EncodeToString(b)
}

func (h *house) post(t testing.TB, path string, body any, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return h.do(serve.Pages, "POST", base+path, string(text), append(header, "Content-Type", "application/json")...)
}

func read[T any](t testing.TB, w *httptest.ResponseRecorder) (into T) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &into); err != nil {
		t.Fatal(err)
	}
	return into
}

// newPhone activates one of the user with a pass of the helpdesk.
func newPhone(t testing.TB, h *house) *phone {
	t.Helper()
	return newPhoneOf(t, h, "ada@contoso.example")
}

// newPhoneOf is newPhone for whoever is the user of the house now.
func newPhoneOf(t testing.TB, h *house, upn string) *phone {
	t.Helper()
	if _, _, err := h.engine.Invite(t.Context(), operator, h.user); err != nil {
		t.Fatal(err)
	}
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	made := read[wire.ActivationAnswer](t, h.post(t, "/pass", wire.PassRequest{User: upn, Pass: string(word.Reveal())}))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{h: h, key: key}
	code := strings.ReplaceAll(made.Code, "-", "")
	body := wire.EnrolRequest{User: made.User, Code: made.Code, Name: "Phone", Key: b64.EncodeToString(public),
		Signature: p.sign(t, "activation 1", made.User, code, "Phone", b64.EncodeToString(public))}
	p.got = read[wire.EnrolledAnswer](t, h.post(t, "/activate", body))
	if w := h.post(t, "/activate", body); w.Code != http.StatusForbidden {
		t.Errorf("the code again: %d", w.Code)
	}
	return p
}

func (p *phone) token(t testing.TB) string {
	t.Helper()
	now := fmt.Sprint(p.h.Now().Unix())
	return "mfd1." + string(p.got.User) + "." + p.got.Device + "." + now + "." + p.sign(t, "request 1", string(p.got.User), p.got.Device, now)
}

func (p *phone) pushes(t testing.TB, query string) wire.PushesAnswer {
	t.Helper()
	return read[wire.PushesAnswer](t, p.h.do(serve.Pages, "GET", base+"/pushes"+query, "", "Authorization", "Bearer "+p.token(t)))
}

func (p *phone) press(t testing.TB, id cloud.ChallengeID, answer, number string) *httptest.ResponseRecorder {
	t.Helper()
	now := p.h.Now().Unix()
	body := wire.PressRequest{Answer: answer, Number: number, Time: now,
		Signature: p.sign(t, "answer 1", string(p.got.User), p.got.Device, string(id), answer, number, fmt.Sprint(now))}
	return p.h.post(t, "/pushes/"+string(id)+"/answer", body, "Authorization", "Bearer "+p.token(t))
}

func (h *house) ask(t testing.TB, number bool) cloud.Challenge {
	t.Helper()
	c, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3,
		Client: cloud.Client{App: "VPN", Station: "198.51.100.7"}, ShowsNumber: number})
	if err != nil || c.Method != cloud.Push {
		t.Fatalf("%+v, %v", c, err)
	}
	return c
}

func TestPhoneAnswersPushes(t *testing.T) {
	h := build(t)
	none := h.phone.pushes(t, "")
	if len(none.Pushes) != 0 || none.Version == "" {
		t.Fatalf("before: %+v", none)
	}
	came := make(chan wire.PushesAnswer)
	go func() { came <- h.phone.pushes(t, "?wait=30s&version="+none.Version) }()
	c := h.ask(t, true)
	got := <-came
	if len(got.Pushes) != 1 || got.Pushes[0].Challenge != c.ID || got.Pushes[0].App != "VPN" || got.Pushes[0].From != "198.51.100.7" || !got.Pushes[0].Number {
		t.Fatalf("what came: %+v", got)
	}
	if w := h.phone.press(t, c.ID, "yes", ""); w.Code != http.StatusBadRequest {
		t.Errorf("no answer at all: %d %s", w.Code, w.Body)
	}
	if w := h.phone.press(t, "none", "approve", ""); w.Code != http.StatusNotFound {
		t.Errorf("no push at all: %d %s", w.Code, w.Body)
	}
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", c.Number)); a.State != cloud.Approved {
		t.Errorf("the answer: %+v", a)
	}
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", c.Number)); a.Reason != cloud.RepeatRefused {
		t.Errorf("the answer again: %+v", a)
	}
	c = h.ask(t, true)
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", "00")); a.State != cloud.Refused || a.Reason != cloud.WrongCode {
		t.Errorf("another number: %+v", a)
	}
	c = h.ask(t, false)
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "fraud", "")); a.Reason != cloud.UserDenied {
		t.Errorf("a report: %+v", a)
	}
	old := h.phone.token(t)
	h.Advance(5 * time.Minute)
	if w := h.do(serve.Pages, "GET", base+"/pushes", "", "Authorization", "Bearer "+old); w.Code != http.StatusUnauthorized {
		t.Errorf("an old token: %d", w.Code)
	}
}

func TestSignInEndsInACode(t *testing.T) {
	h := build(t)
	if err := h.engine.SetPassword(t.Context(), operator, h.user, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.engine.Invite(t.Context(), operator, h.user); err != nil {
		t.Fatal(err)
	}
	in := func(password string) *httptest.ResponseRecorder {
		return h.post(t, "/sign-in", wire.SignInRequest{User: "ada@contoso.example", Password: password})
	}
	if w := in("wrong"); w.Code != http.StatusForbidden {
		t.Errorf("a wrong password: %d", w.Code)
	}
	asked := read[wire.SignInAnswer](t, in("correct horse battery"))
	if asked.Method != cloud.OATHCode {
		t.Fatalf("asked by %s", asked.Method)
	}
	if w := h.post(t, "/code", wire.CodeRequest{Challenge: asked.Challenge, Code: "12"}); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "activation_code") {
		t.Errorf("a wrong code: %d %s", w.Code, w.Body)
	}
	if w := h.do(serve.Pages, "GET", base+"/activate", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a link that is looked at: %d", w.Code)
	}
}
