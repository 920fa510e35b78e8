package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

func (h *house) pass(t *testing.T, id cloud.UserID, once bool) (engine.Pass, secret.Bytes) {
	t.Helper()
	p, word, err := h.IssuePass(t.Context(), operator, id, time.Hour, once)
	if err != nil {
		t.Fatal(err)
	}
	return p, word
}

func (h *house) checkPass(t *testing.T, id cloud.UserID, word secret.Bytes, station string, want cloud.Reason) {
	t.Helper()
	reason, err := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, word, cloud.Client{App: "pages", Station: station})
	if err != nil || reason != want {
		t.Errorf("a pass: %q, %v; want %q", reason, err, want)
	}
}

func TestPassVerifies(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	once, word := h.pass(t, id, true)
	if word.Len() != 12 || once.State != "valid" || !once.Until.Equal(h.Now().Add(time.Hour)) {
		t.Fatalf("%+v", once)
	}
	h.Reopen(t)
	h.checkPass(t, id, word, "a", "")
	h.checkPass(t, id, word, "a", cloud.WrongCode)
	_, many := h.pass(t, id, false)
	for range 8 { // none of them is a failure
		h.checkPass(t, id, many, "a", "")
	}
	if last := h.lastEntry(t); last.Action != "pass.ok" || last.Subject != string(id) || last.Actor != "pages" {
		t.Errorf("the audit says %+v", last)
	}
	h.Advance(time.Hour)
	h.checkPass(t, id, many, "a", cloud.WrongCode)
	if last := h.lastEntry(t); last.Action != "pass.refused" || !strings.Contains(last.Detail, "reason="+string(cloud.WrongCode)) {
		t.Errorf("the audit says %+v", last)
	}
	x, err := h.Exceptions(t.Context(), id)
	if err != nil || len(x.Passes) != 2 || x.Passes[0].State != "used" || x.Passes[1].State != "expired" || x.Passes[1].Used.IsZero() {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestPassSaysNo(t *testing.T) {
	h := build(t)
	id, other := h.coded(t, 1), h.user(t, 2)
	p, word := h.pass(t, id, false)
	h.checkPass(t, other, word, "a", cloud.WrongCode)
	h.checkPass(t, id, secret.Bytes{}, "a", cloud.WrongCode)
	h.checkPass(t, "nobody", word, "a", cloud.WrongCode)
	// Over RADIUS, in every way in which a code can come.
	if c := h.ask(t, id, func(r *cloud.Request) { r.Code = word }); c.State != cloud.Refused && c.State != cloud.Pending || c.Reason != cloud.NotAllowed {
		t.Errorf("a pass with a login: %+v", c)
	}
	c := h.ask(t, id, nil)
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: word}); err != nil || d.State != cloud.Pending || d.Reason != cloud.NotAllowed {
		t.Errorf("a pass as an answer: %+v, %v", d, err)
	}
	if found, err := h.MatchCode(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, word, cloud.Client{}); err != nil || found {
		t.Errorf("a pass at the end of a password: %t, %v", found, err)
	}
	if c := h.ask(t, other, nil); c.Reason != cloud.NoMethod {
		t.Errorf("who has no method: %+v", c)
	}
	// Failures count, at the station that guesses first.
	for range 6 {
		h.checkPass(t, id, secret.FromString("wrong"), "b", cloud.WrongCode)
		if reason, _ := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.Bytes{}, cloud.Client{Station: "b"}); reason == cloud.TooManyTries {
			break
		}
	}
	h.checkPass(t, id, word, "b", cloud.TooManyTries)
	h.checkPass(t, id, word, "a", "")
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	h.checkPass(t, id, word, "a", cloud.UserBlocked)
	h.Advance(time.Minute)
	if err := h.RevokePass(t.Context(), operator, id, "another"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another pass was revoked: %v", err)
	}
	if err := h.RevokePass(t.Context(), operator, id, p.ID); err != nil {
		t.Fatal(err)
	}
	h.checkPass(t, id, word, "a", cloud.WrongCode)
	if err := h.RevokePass(t.Context(), operator, id, p.ID); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("revoked twice: %v", err)
	}
	for _, life := range []time.Duration{9 * time.Minute, 31 * 24 * time.Hour} {
		if _, _, err := h.IssuePass(t.Context(), operator, id, life, false); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("a life of %v: %v", life, err)
		}
	}
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil || strings.Contains(fmt.Sprintf("%+v", entry), string(word.Reveal())) {
			t.Errorf("the audit: %+v, %v", entry, err)
		}
	}
}

// Passes that are over make room; valid ones do not.
func TestPassesAreBounded(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for range 10 {
		h.pass(t, id, false)
	}
	if _, _, err := h.IssuePass(t.Context(), operator, id, time.Hour, false); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("the eleventh: %v", err)
	}
	h.Advance(time.Hour)
	h.pass(t, id, false)
	if x, err := h.Exceptions(t.Context(), id); err != nil || len(x.Passes) != 10 {
		t.Errorf("%d passes, %v", len(x.Passes), err)
	}
}

// A pass is not used up where what it is typed for cannot be done, and only
// whoever knows the pass hears why.
func TestPassIsKeptWhereItIsOfNoUse(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	upn := h.read(t, id).UPN
	_, word := h.pass(t, id, true)
	prove := func(word secret.Bytes) (engine.Activation, error) {
		return h.ProvePass(t.Context(), upn, word, engine.ForActivation, cloud.Client{Station: "home"})
	}
	h.set(t, func(s *engine.Settings) { s.Devices = 1 })
	_, err := prove(secret.FromString("wrong"))
	denied(t, "a wrong pass", err)
	wrong := err.Error()
	_, err = prove(word)
	denied(t, "without an invitation", err)
	if cloud.ReasonOf(err) != cloud.NoInvitation {
		t.Errorf("whoever knows the pass hears %v", err)
	}
	if last := h.lastEntry(t); last.Action != "pass.kept" || last.Subject != string(id) {
		t.Errorf("the audit says %+v", last)
	}
	h.set(t, func(s *engine.Settings) { s.Enrol = true })
	h.enrolled(t, id, "phone")
	before := h.entries(t)
	if _, err = prove(word); cloud.KindOf(err) != cloud.Invalid || cloud.ReasonOf(err) != cloud.DeviceLimit {
		t.Errorf("without room: %v", err)
	}
	if last := h.lastEntry(t); last.Action != "pass.kept" || h.entries(t) != before+1 {
		t.Errorf("without room the audit says %+v", last)
	}
	if x, err := h.Exceptions(t.Context(), id); err != nil || x.Passes[0].State != "valid" || !x.Passes[0].Used.IsZero() {
		t.Errorf("the pass is %+v, %v", x.Passes, err)
	}
	// Who does not know it hears as much as before, and is counted.
	for range 6 {
		if _, err := prove(secret.FromString("wrong")); err == nil || err.Error() != wrong {
			t.Fatalf("a wrong pass: %v", err)
		}
	}
	if _, err := prove(word); err == nil || err.Error() != wrong {
		t.Errorf("after too many wrong ones: %v", err)
	}
	h.Advance(30 * time.Minute)
	h.set(t, func(s *engine.Settings) { s.Devices = 2 })
	if _, err := prove(word); err != nil {
		t.Fatalf("with room: %v", err)
	}
	_, err = prove(word)
	denied(t, "a pass for one time", err)
}
