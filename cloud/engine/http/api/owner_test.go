package api_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// mayPush is the rule of the pages' endpoints in these tests.
func mayPush(endpoint string) error {
	if !strings.HasPrefix(endpoint, "https://push.contoso.example/") {
		return errors.New("nothing is sent there")
	}
	return nil
}

// owner is the token of the user after a fresh sign-in, by a pass.
func (h *house) owner(t testing.TB) string {
	t.Helper()
	return h.ownerOf(t, "ada@contoso.example")
}

func (h *house) ownerOf(t testing.TB, upn string) string {
	t.Helper()
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	got := read[wire.ActivationAnswer](t, h.post(t, "/pass", wire.PassRequest{User: upn, Pass: string(word.Reveal()), For: "manage"}))
	if got.Code != "" || got.Token == "" {
		t.Fatalf("a sign-in to manage gives %+v", got)
	}
	return got.Token
}

// by are the headers of a token.
func by(token string) []string { return []string{"Authorization", "Bearer " + token} }

func (h *house) me(t testing.TB, token string) wire.MeAnswer {
	t.Helper()
	return read[wire.MeAnswer](t, h.do(serve.Pages, "GET", base+"/me", "", by(token)...))
}

func (h *house) set(t testing.TB, edit func(*engine.Settings)) {
	t.Helper()
	if _, err := h.engine.ChangeSettings(t.Context(), operator, edit); err != nil {
		t.Fatal(err)
	}
}

// newKey is the key of a new device.
func newKey(t testing.TB, h *house) (*phone, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &phone{h: h, key: key}, b64.EncodeToString(public)
}

func TestOwnerLooksAfterDevices(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) {
		s.Account, s.Select = "Contoso", []cloud.Preference{cloud.OATHCode, cloud.SMS, cloud.Push}
	})
	second := newPhone(t, h)
	for _, token := range []string{h.tokens[engine.RoleOwner], h.phone.token(t)} {
		me := h.me(t, token)
		if me.Account != "Contoso" || len(me.Devices) != 2 || me.UPN != "ada@contoso.example" || fmt.Sprint(me.MaySelect) != "[oath push]" {
			t.Fatalf("%+v", me)
		}
		if this := me.Devices[0].This; this != strings.HasPrefix(token, "mfd1") {
			t.Errorf("this device: %t for %.4s", this, token)
		}
	}
	at := base + "/devices/" + second.got.Device
	post := func(path, token string, body any) int {
		return h.post(t, strings.TrimPrefix(path, base), body, by(token)...).Code
	}
	owner := h.tokens[engine.RoleOwner]
	if got := post(at+"/rename", owner, wire.RenameRequest{Name: "Tablet"}); got != http.StatusNoContent {
		t.Errorf("rename: %d", got)
	}
	if got := post(at+"/rename", h.phone.token(t), wire.RenameRequest{Name: "a\nb"}); got != http.StatusBadRequest {
		t.Errorf("a name of two lines: %d", got)
	}
	if got := post(base+"/devices/none/rename", owner, wire.RenameRequest{Name: "x"}); got != http.StatusNotFound {
		t.Errorf("a device that is not there: %d", got)
	}
	if me := h.me(t, owner); me.Devices[1].Name != "Tablet" {
		t.Errorf("%+v", me.Devices)
	}
	for method, want := range map[cloud.Preference]int{cloud.OATHCode: 204, cloud.SMS: 404, cloud.VoiceMobile: 403} {
		if got := post(base+"/default", owner, wire.DefaultRequest{Method: method}); got != want {
			t.Errorf("default %s: %d", method, got)
		}
	}
	if got := post(at+"/remove", h.phone.token(t), wire.RemoveRequest{Lost: true}); got != http.StatusNoContent {
		t.Errorf("remove: %d", got)
	}
	if w := h.do(serve.Pages, "GET", base+"/pushes", "", by(second.token(t))...); w.Code != http.StatusUnauthorized {
		t.Errorf("the lost device: %d", w.Code)
	}
	if got := post(base+"/devices/"+h.phone.got.Device+"/remove", owner, wire.RemoveRequest{}); got != http.StatusConflict {
		t.Errorf("the last device: %d", got)
	}
	if got := post(base+"/devices/"+h.phone.got.Device+"/remove", owner, wire.RemoveRequest{Lost: true}); got != http.StatusNoContent {
		t.Errorf("the last device, lost: %d", got)
	}
}

// What lets an owner in ends, and is nobody else's.
func TestOwnersTokenEnds(t *testing.T) {
	h := build(t)
	token := h.tokens[engine.RoleOwner]
	ask := func(token string) int { return h.do(serve.Pages, "GET", base+"/me", "", by(token)...).Code }
	parts := strings.Split(token, ".")
	for name, forged := range map[string]string{
		"another user":  "mfo1.other." + parts[2] + "." + parts[3],
		"a later end":   "mfo1." + parts[1] + "." + parts[2] + "0." + parts[3],
		"no signature":  "mfo1." + parts[1] + "." + parts[2] + ".",
		"too few parts": "mfo1." + parts[1],
		"nothing":       "mfo1.",
	} {
		if got := ask(forged); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
	if err := h.engine.Block(t.Context(), operator, h.user, h.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := ask(token); got != http.StatusUnauthorized {
		t.Errorf("a blocked user: %d", got)
	}
	h.Advance(time.Minute)
	if got := ask(token); got != http.StatusOK {
		t.Errorf("after the block: %d", got)
	}
	h.Advance(9 * time.Minute)
	if got := ask(token); got != http.StatusUnauthorized {
		t.Errorf("after ten minutes: %d", got)
	}
}

func TestReportOfAnApproval(t *testing.T) {
	h := build(t)
	h.engine.SetFraud(engine.Fraud{Block: time.Hour})
	c := h.ask(t, false)
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", "")); a.State != cloud.Approved {
		t.Fatalf("%+v", a)
	}
	token := h.tokens[engine.RoleOwner]
	all := read[wire.ApprovalsAnswer](t, h.do(serve.Pages, "GET", base+"/approvals", "", by(token)...))
	if len(all.Approvals) != 1 || all.Approvals[0].Challenge != c.ID || all.Approvals[0].App != "VPN" || all.Approvals[0].State != cloud.Approved || all.Approvals[0].Reported {
		t.Fatalf("%+v", all)
	}
	if w := h.post(t, "/approvals/none/report", wire.Nothing{}, by(token)...); w.Code != http.StatusNotFound {
		t.Errorf("none: %d", w.Code)
	}
	if got := read[wire.ReportAnswer](t, h.post(t, "/approvals/"+string(c.ID)+"/report", wire.Nothing{}, by(token)...)); !got.Blocked {
		t.Errorf("%+v", got)
	}
	frauds := 0
	for entry := range h.engine.Audit(t.Context(), 0) {
		if entry.Action == "user.fraud" && strings.Contains(entry.Detail, "after=approved") && strings.Contains(entry.Detail, "blocked-until=") {
			frauds++
		}
	}
	if frauds != 1 {
		t.Errorf("%d reports in the audit", frauds)
	}
	if d, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 1}); err != nil || d.Reason != cloud.UserBlocked {
		t.Errorf("the next login: %+v, %v", d, err)
	}
}

func TestEventsOfADevice(t *testing.T) {
	h := build(t)
	server := httptest.NewServer(h.Handler(serve.Pages))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+h.phone.token(t))
	w, err := server.Client().Do(r)
	if err != nil || w.StatusCode != http.StatusOK || w.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%+v, %v", w, err)
	}
	defer w.Body.Close()
	lines := bufio.NewScanner(w.Body)
	next := func(event string, into any) {
		t.Helper()
		got := ""
		for lines.Scan() {
			name, text, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				got = text
			case "data":
				if got != event {
					t.Fatalf("%s %s came, and not %s", got, text, event)
				}
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
	}
	var waits wire.PushesAnswer
	if next("pushes", &waits); len(waits.Pushes) != 0 {
		t.Fatalf("at first %+v", waits)
	}
	c := h.ask(t, true)
	if next("pushes", &waits); len(waits.Pushes) != 1 || waits.Pushes[0].Challenge != c.ID {
		t.Fatalf("then %+v", waits)
	}
	second := newPhone(t, h)
	if next("pushes", &waits); len(waits.Notices) != 1 || !strings.Contains(waits.Notices[0].Text, "Phone") {
		t.Fatalf("a new device: %+v", waits)
	}
	if n := waits.Notices[0]; n.Kind != engine.NoticeDeviceAdded || !strings.Contains(n.Text, `"`+n.Name+`"`) || n.Name == "" {
		t.Errorf("a page cannot say in its language: %+v", n)
	}
	if w := h.post(t, "/notices/seen", wire.SeenRequest{IDs: []string{waits.Notices[0].ID}}, by(h.phone.token(t))...); w.Code != http.StatusNoContent {
		t.Errorf("seen: %d", w.Code)
	}
	if a := read[wire.PressAnswer](t, second.press(t, c.ID, "deny", "")); a.State != cloud.Refused {
		t.Errorf("%+v", a)
	}
	var gone wire.Gone
	if next("gone", &gone); gone.Challenge != c.ID || gone.State != cloud.Refused {
		t.Errorf("%+v", gone)
	}
	var last wire.PushesAnswer
	if next("pushes", &last); len(last.Pushes) != 0 || len(last.Notices) != 0 {
		t.Errorf("at last %+v", last)
	}
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", c.Number)); a.Reason != cloud.RepeatRefused {
		t.Errorf("the slower device: %+v", a)
	}
	h.Drain()
	for lines.Scan() {
		if lines.Text() != "" {
			t.Errorf("after the end: %s", lines.Text())
		}
	}
}

// pin signs what takes a PIN along.
func (p *phone) pressWith(t testing.TB, id cloud.ChallengeID, pin string) wire.PressAnswer {
	t.Helper()
	now := p.h.Now().Unix()
	body := wire.PressRequest{Answer: "approve", PIN: pin, Time: now,
		Signature: p.sign(t, "answer 1", string(p.got.User), p.got.Device, string(id), "approve", "", fmt.Sprint(now), pin)}
	return read[wire.PressAnswer](t, p.h.post(t, "/pushes/"+string(id)+"/answer", body, by(p.token(t))...))
}

func (p *phone) setPIN(t testing.TB, pin, old string) *httptest.ResponseRecorder {
	t.Helper()
	now := p.h.Now().Unix()
	return p.h.post(t, "/pin", wire.PINRequest{PIN: pin, Old: old, Time: now,
		Signature: p.sign(t, "pin 1", string(p.got.User), p.got.Device, pin, old, fmt.Sprint(now))}, by(p.token(t))...)
}

func TestPINOverHTTP(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN = true })
	if about := read[wire.AboutAnswer](t, h.do(serve.Pages, "GET", base+"/about", "")); !about.PIN || about.PushKey != "key" || about.PINLength != 4 {
		t.Errorf("%+v", about)
	}
	c := h.ask(t, false)
	if waits := h.phone.pushes(t, ""); !waits.Pushes[0].PIN {
		t.Errorf("%+v", waits)
	}
	if a := read[wire.PressAnswer](t, h.phone.press(t, c.ID, "approve", "")); a.State != cloud.Pending || a.PIN != "needed" {
		t.Errorf("without a PIN: %+v", a)
	}
	if w := h.phone.setPIN(t, "1234", ""); w.Code != http.StatusBadRequest {
		t.Errorf("1234: %d", w.Code)
	}
	if w := h.phone.setPIN(t, "2739", ""); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != "{}" {
		t.Errorf("a PIN: %d %s", w.Code, w.Body)
	}
	if a := h.phone.pressWith(t, c.ID, "2738"); a.PIN != "wrong" || a.Left != 4 || a.State != cloud.Pending {
		t.Errorf("a wrong PIN: %+v", a)
	}
	if a := h.phone.pressWith(t, c.ID, "2739"); a.State != cloud.Approved {
		t.Errorf("the PIN: %+v", a)
	}
}

func TestActivationAsksForAPIN(t *testing.T) {
	h := build(t)
	h.set(t, func(s *engine.Settings) { s.PIN, s.Length = true, 6 })
	made, err := h.engine.IssueActivation(t.Context(), operator, h.user)
	if err != nil || !made.PIN || made.PINLength != 6 {
		t.Fatalf("%+v, %v", made, err)
	}
	p, public := newKey(t, h)
	code := string(made.Code.Reveal())
	enrol := func(pin string) *httptest.ResponseRecorder {
		lines := []string{"activation 1", made.User, strings.ReplaceAll(code, "-", ""), "Phone", public}
		if pin != "" {
			lines = append(lines, pin)
		}
		return h.post(t, "/activate", wire.EnrolRequest{User: made.User, Code: code, Name: "Phone", Key: public, PIN: pin, Signature: p.sign(t, lines...)})
	}
	if got := read[wire.EnrolledAnswer](t, enrol("")); got.Needs != "pin" || got.PINLength != 6 || got.Device != "" {
		t.Errorf("without a PIN: %+v", got)
	}
	if w := enrol("27391"); w.Code != http.StatusBadRequest {
		t.Errorf("a short PIN: %d", w.Code)
	}
	p.got = read[wire.EnrolledAnswer](t, enrol("273914"))
	if w := enrol("273914"); w.Code != http.StatusForbidden {
		t.Errorf("the code again: %d", w.Code)
	}
	if a := p.pressWith(t, h.ask(t, false).ID, "273914"); a.State != cloud.Approved {
		t.Errorf("%+v", a)
	}
}

func TestActivationAddress(t *testing.T) {
	h := build(t)
	if _, _, err := h.engine.Invite(t.Context(), operator, h.user); err != nil {
		t.Fatal(err)
	}
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	made := read[wire.ActivationAnswer](t, h.post(t, "/pass", wire.PassRequest{User: "ada@contoso.example", Pass: string(word.Reveal())}))
	if made.URL != "https://mfa.contoso.example/authenticator#user=ada%40contoso.example&code="+made.Code {
		t.Errorf("%s", made.URL)
	}
	if n := len(made.QR); n < 21 || len(made.QR[0]) != n || !strings.HasPrefix(made.QR[0], "1111111") || strings.Trim(strings.Join(made.QR, ""), "01") != "" {
		t.Errorf("a QR code of %d rows: %q", n, made.QR)
	}
}

func TestSubscriptions(t *testing.T) {
	h := build(t)
	_, public := newKey(t, h)
	body := wire.SubscriptionRequest{Endpoint: "https://push.contoso.example/1"}
	body.Keys.P256DH, body.Keys.Auth = public, b64.EncodeToString(make([]byte, 16))
	for name, edit := range map[string]func(*wire.SubscriptionRequest){
		"another host":   func(r *wire.SubscriptionRequest) { r.Endpoint = "https://10.0.0.1/" },
		"no point":       func(r *wire.SubscriptionRequest) { r.Keys.P256DH = b64.EncodeToString(make([]byte, 65)) },
		"a short secret": func(r *wire.SubscriptionRequest) { r.Keys.Auth = "AAAA" },
		"somebody in it": func(r *wire.SubscriptionRequest) { r.Endpoint = "https://push.contoso.example/#x" },
	} {
		bad := body
		edit(&bad)
		if w := h.post(t, "/subscription", bad, by(h.phone.token(t))...); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := h.post(t, "/subscription", body, by(h.phone.token(t))...); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if wakes, err := h.engine.Wakes(t.Context(), h.user); err != nil || len(wakes) != 0 {
		t.Errorf("nothing waits: %+v, %v", wakes, err)
	}
	h.ask(t, false)
	if wakes, err := h.engine.Wakes(t.Context(), h.user); err != nil || len(wakes) != 1 || wakes[0].Subscription.Endpoint != body.Endpoint {
		t.Errorf("%+v, %v", wakes, err)
	}
	if w := h.post(t, "/subscription/remove", wire.Nothing{}, by(h.phone.token(t))...); w.Code != http.StatusNoContent {
		t.Errorf("%d", w.Code)
	}
	if h.me(t, h.phone.token(t)).Devices[0].Push {
		t.Error("it is still there")
	}
}

func TestFreshSignInWithPasswordAndCode(t *testing.T) {
	h := build(t)
	if err := h.engine.SetPassword(t.Context(), operator, h.user, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	// The code of the app itself is a second factor that is there.
	asked := read[wire.SignInAnswer](t, h.post(t, "/sign-in", wire.SignInRequest{User: "ada@contoso.example", Password: "correct horse battery", For: "manage"}))
	if asked.Method != cloud.OATHCode {
		t.Fatalf("%+v", asked)
	}
	if w := h.post(t, "/code", wire.CodeRequest{Challenge: asked.Challenge, Code: "000000"}); w.Code != http.StatusForbidden {
		t.Errorf("a wrong code: %d", w.Code)
	}
	if w := h.post(t, "/sign-in", wire.SignInRequest{User: "ada@contoso.example", Password: "correct horse battery", For: "else"}); w.Code != http.StatusBadRequest {
		t.Errorf("for something else: %d", w.Code)
	}
	h.set(t, func(s *engine.Settings) { s.Activate = false })
	if w := h.post(t, "/sign-in", wire.SignInRequest{User: "ada@contoso.example", Password: "correct horse battery"}); w.Code != http.StatusForbidden {
		t.Errorf("to activate where people do not: %d", w.Code)
	}
}
