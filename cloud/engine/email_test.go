package engine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/internal/secret"
)

const address = "ada@fabrikam.example"

// mailed is a user with an address and nothing else.
func (h *house) mailed(t *testing.T, n int) cloud.UserID {
	t.Helper()
	id := h.user(t, n)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(address)})
	return id
}

// codeIn is the code of a message.
func codeIn(text string) secret.Bytes {
	return secret.FromString(text[strings.Index(text, " is ")+4:][:6])
}

// An address that was imported verifies nothing until somebody proves to read
// what goes there; one that is changed has to be proven anew.
func TestAddressVerifiesOnceConfirmed(t *testing.T) {
	h := build(t)
	id := h.mailed(t, 1)
	if c := h.ask(t, id, nil); c.State != cloud.Refused || c.Reason != cloud.NoMethod {
		t.Fatalf("an imported address: %+v", c)
	}
	if _, err := h.SendEmailCode(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	sent := h.newest(t)
	if sent.Channel != "email" || sent.To != address || !strings.Contains(sent.Text, "the confirmation of this address") {
		t.Fatalf("sent: %+v", sent)
	}
	if err := h.ProveEmail(t.Context(), operator, id, secret.FromString("000000x")); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a wrong code: %v", err)
	}
	if err := h.ProveEmail(t.Context(), operator, id, codeIn(sent.Text)); err != nil {
		t.Fatal(err)
	}
	if err := h.ProveEmail(t.Context(), operator, id, codeIn(sent.Text)); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("the code a second time: %v", err)
	}
	c := h.ask(t, id, nil)
	if c.State != cloud.Pending || c.Method != cloud.EmailCode || c.Prompt != "Enter the code sent to a***@fabrikam.example" {
		t.Fatalf("a confirmed address: %+v", c)
	}
	code := codeIn(h.sent(t, c.ID).Text)
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Email, Before: cloud.TextValue(address), After: cloud.TextValue("eve@fabrikam.example")})
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err != nil || d.State == cloud.Approved {
		t.Errorf("what was sent to the address before: %+v, %v", d, err)
	}
	if c := h.ask(t, id, nil); c.Reason != cloud.NoMethod {
		t.Errorf("another address: %+v", c)
	}
	if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	c = h.ask(t, id, nil)
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: codeIn(h.sent(t, c.ID).Text)}); err != nil || d.State != cloud.Approved {
		t.Errorf("confirmed by an operator: %+v, %v", d, err)
	}
	if err := h.UnconfirmEmail(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if c := h.ask(t, id, nil); c.Reason != cloud.NoMethod {
		t.Errorf("taken back: %+v", c)
	}
}

func TestAddressIsNotConfirmed(t *testing.T) {
	h := build(t)
	id, none := h.mailed(t, 1), h.user(t, 2)
	h.imports(t, engine.ImportChanged, newcomer(h.read(t, id).UPN, func(n *engine.Newcomer) { n.Roles = []string{"User Administrator"} }))
	desk := engine.Actor{Who: "desk", Reason: "asked", Desk: true}
	for name, c := range map[string]struct {
		err  error
		kind cloud.Kind
	}{
		"without an address":      {h.ConfirmEmail(t.Context(), operator, none), cloud.Invalid},
		"nobody":                  {h.ConfirmEmail(t.Context(), operator, "nobody"), cloud.NotFound},
		"an administrator's":      {h.ConfirmEmail(t.Context(), desk, id), cloud.Denied},
		"before a code was sent":  {h.ProveEmail(t.Context(), operator, id, secret.FromString("123456")), cloud.Denied},
		"by nobody":               {h.ConfirmEmail(t.Context(), engine.Actor{}, id), cloud.Invalid},
		"an administrator's code": {refusalOf(h.SendEmailCode(t.Context(), desk, id)), cloud.Denied},
	} {
		if cloud.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if _, err := h.SendEmailCode(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	code := codeIn(h.newest(t).Text)
	h.Advance(16 * time.Minute)
	if err := h.ProveEmail(t.Context(), operator, id, code); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a late code: %v", err)
	}
	for range 19 {
		_, _ = h.SendEmailCode(t.Context(), operator, id)
	}
	if _, err := h.SendEmailCode(t.Context(), operator, id); cloud.KindOf(err) != cloud.Throttled {
		t.Errorf("one of many: %v", err)
	}
}

func refusalOf(_ time.Time, err error) error { return err }

// newest is the last message in the outbox.
func (h *house) newest(t *testing.T) channel.Written {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages, %v", err)
	}
	content, err := os.ReadFile(slices.Max(files))
	if err != nil {
		t.Fatal(err)
	}
	var w channel.Written
	if err := json.Unmarshal(content, &w); err != nil {
		t.Fatal(err)
	}
	return w
}
