package engine_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// fieldworker is somebody with a mobile who may sign in with it, in the group
// field.
func (h *house) fieldworker(t *testing.T, n int, number string) cloud.UserID {
	t.Helper()
	id := h.user(t, n)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)})
	h.policy(t, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true, Include: []string{h.field(t)}})
	h.join(t, h.field(t), id)
	if err := h.SetNumberSignIn(t.Context(), operator, id, true); err != nil {
		t.Fatal(err)
	}
	return id
}

// field is the group of those who may.
func (h *house) field(t *testing.T) string {
	t.Helper()
	for g, err := range h.Groups(t.Context()) {
		if err == nil && g.Name == "field" {
			return g.ID
		}
	}
	return h.group(t, "field")
}

// number types a number at an application, and returns what was sent; empty:
// nothing.
func (h *house) number(t *testing.T, number string) (engine.NumberAsked, string) {
	t.Helper()
	asked, err := h.As("tills").BeginNumber(t.Context(), number, cloud.Client{App: "Tills", Station: "s"})
	if err != nil {
		t.Fatal(err)
	}
	h.AwaitSent()
	files, err := os.ReadDir(h.outbox)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.Contains(f.Name(), string(asked.ID)) }) {
		return asked, ""
	}
	_, code, _ := strings.Cut(h.sent(t, asked.ID).Text, " is ")
	return asked, strings.TrimRight(code[:6], ".")
}

// administrator gives somebody an administrative role.
func (h *house) administrator(t *testing.T, id cloud.UserID) {
	t.Helper()
	h.imports(t, engine.ImportChanged, newcomer(h.read(t, id).UPN, func(n *engine.Newcomer) { n.Roles = []string{"User Administrator"} }))
}

func (h *house) disable(t *testing.T, id cloud.UserID) error {
	t.Helper()
	before := h.read(t, id).Profile
	after := before
	after.Enabled = false
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &before}, After: cloud.Value{Profile: &after}})
	return nil
}

func (h *house) proves(t *testing.T, app string, id cloud.ChallengeID, code string) cloud.Proof {
	t.Helper()
	p, err := h.As(app).AnswerNumber(t.Context(), cloud.Answer{Challenge: id, Code: secret.FromString(code)}, cloud.Client{App: "Tills", Station: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSignInWithANumber(t *testing.T) {
	h := build(t)
	id := h.fieldworker(t, 1, "+44 7700900123")
	asked, code := h.number(t, "+44 (7700) 900-123")
	if code == "" || asked.ExpiresAt.Sub(h.Now()) != engine.TextLife {
		t.Fatalf("%+v, code %q", asked, code)
	}
	if p := h.proves(t, "other", asked.ID, code); p.OK || p.Reason != cloud.WrongCode {
		t.Errorf("another application: %+v", p)
	}
	if p := h.proves(t, "tills", asked.ID, "000000"); p.OK || p.Reason != cloud.WrongCode {
		t.Errorf("a wrong code: %+v", p)
	}
	// What began as a first factor is no second one, whoever answers.
	for _, app := range []string{"tills", ""} {
		if d, err := h.As(app).Answer(t.Context(), cloud.Answer{Challenge: asked.ID, Code: secret.FromString(code)}); cloud.KindOf(err) != cloud.NotFound || d.State == cloud.Approved {
			t.Fatalf("as a second factor of %q: %+v, %v", app, d, err)
		}
	}
	asked, code = h.number(t, "+447700900123")
	p := h.proves(t, "tills", asked.ID, code)
	if !p.OK || p.User != id || !slices.Equal(p.Groups, []string{"field"}) {
		t.Fatalf("proof: %+v", p)
	}
	if p := h.proves(t, "tills", asked.ID, code); p.OK || p.Reason != cloud.WrongCode {
		t.Errorf("the code again: %+v", p)
	}
	if got := strings.Join(h.actions(t), "\n"); !strings.Contains(got, "user.number-open by operator: test") || !strings.Contains(got, "number.ok") {
		t.Errorf("audit:\n%s", got)
	}
}

// Whoever must not sign in with a number gets the same answer as who does not
// exist, and no message.
func TestNumbersThatAreNobodys(t *testing.T) {
	const number = "+44 7700900123"
	for name, spoil := range map[string]func(h *house, id cloud.UserID) error{
		"nobody": func(h *house, id cloud.UserID) error { return h.SetNumberSignIn(t.Context(), operator, id, false) },
		"blocked": func(h *house, id cloud.UserID) error {
			return h.Block(t.Context(), operator, id, h.Now().Add(time.Hour))
		},
		"disabled": func(h *house, id cloud.UserID) error { return h.disable(t, id) },
		"not inside": func(h *house, id cloud.UserID) error {
			return h.RemoveFromGroup(t.Context(), operator, h.field(t), engine.MemberUser, string(id))
		},
		"policy off": func(h *house, id cloud.UserID) error {
			return h.SetPolicy(t.Context(), operator, engine.PolicyTextSignIn, engine.MethodPolicy{})
		},
		"excluded": func(h *house, id cloud.UserID) error {
			return h.SetPolicy(t.Context(), operator, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true, Include: []string{"field"}, Exclude: []string{"field"}})
		},
		"no texts": func(h *house, id cloud.UserID) error {
			return h.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{})
		},
		"administrator": func(h *house, id cloud.UserID) error {
			h.administrator(t, id)
			return nil
		},
		"another number": func(h *house, id cloud.UserID) error {
			h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue(number), After: cloud.TextValue("+44 7700900999")})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			id := h.fieldworker(t, 1, number)
			open, code := h.number(t, number)
			if code == "" {
				t.Fatal("it does not work before")
			}
			if err := spoil(h, id); err != nil {
				t.Fatal(err)
			}
			if p := h.proves(t, "tills", open.ID, code); p.OK {
				t.Errorf("a code from before proves %+v", p)
			}
			asked, code := h.number(t, number)
			if asked.ID == "" || len(asked.ID) != len(open.ID) || asked.ExpiresAt.Sub(h.Now()) != engine.TextLife || code != "" {
				t.Errorf("%+v, code %q", asked, code)
			}
			if p := h.proves(t, "tills", asked.ID, "123456"); p.OK || p.Reason != cloud.WrongCode {
				t.Errorf("proof: %+v", p)
			}
			if name == "another number" { // its next holder is somebody else
				if _, code := h.number(t, "+44 7700900999"); code != "" {
					t.Error("the new number signs in without having been opened")
				}
				other := h.fieldworker(t, 2, number)
				if asked, code := h.number(t, number); h.proves(t, "tills", asked.ID, code).User != other {
					t.Error("the old number is not free")
				}
			}
		})
	}
}

func TestNumberCannotBeOpened(t *testing.T) {
	h := build(t)
	h.fieldworker(t, 1, "+44 7700900123")
	same := h.user(t, 2)
	h.write(t, cloud.Change{User: same, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 7700900123")})
	none := h.user(t, 3)
	boss := h.user(t, 4)
	h.write(t, cloud.Change{User: boss, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 7700900125")})
	h.administrator(t, boss)
	entra := buildAs(t, engine.Setup{Kind: engine.KindEntra})
	for name, c := range map[string]struct {
		err  error
		kind cloud.Kind
	}{
		"another's number": {h.SetNumberSignIn(t.Context(), operator, same, true), cloud.Conflict},
		"no number":        {h.SetNumberSignIn(t.Context(), operator, none, true), cloud.Invalid},
		"an administrator": {h.SetNumberSignIn(t.Context(), operator, boss, true), cloud.Denied},
		"nobody":           {h.SetNumberSignIn(t.Context(), operator, "nobody", true), cloud.NotFound},
		"for everybody":    {h.SetPolicy(t.Context(), operator, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true}), cloud.Invalid},
		"in a rehearsal":   {entra.SetNumberSignIn(t.Context(), operator, "nobody", true), cloud.Unsupported},
		"policy there":     {entra.SetPolicy(t.Context(), operator, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true, Include: []string{"x"}}), cloud.Unsupported},
	} {
		if c.err == nil || cloud.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	for _, number := range []string{"", "07700900123", "+44", "+44 7700900123x12", "ada@contoso.example", "+0123456789"} {
		if _, err := h.As("tills").BeginNumber(t.Context(), number, cloud.Client{App: "Tills"}); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%q: %v", number, err)
		}
	}
}

// The telephone of whoever signs in with its number is no second factor, also at
// applications where they have a password.
func TestNumberIsNoSecondFactor(t *testing.T) {
	h := build(t)
	id := h.fieldworker(t, 1, "+44 7700900123")
	h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.SMS))})
	for _, method := range []cloud.Preference{"", cloud.SMS, cloud.VoiceMobile} {
		if c := h.ask(t, id, func(r *cloud.Request) { r.Method = method }); c.State != cloud.Refused || c.Reason != cloud.NoMethod {
			t.Errorf("%q: %+v", method, c)
		}
	}
	if u := h.read(t, id); !u.NumberSignIn || !slices.Equal(u.ForbiddenWays, []cloud.Preference{cloud.SMS, cloud.VoiceMobile}) {
		t.Errorf("it is shown as %+v", u)
	}
	if err := h.SetNumberSignIn(t.Context(), operator, id, false); err != nil {
		t.Fatal(err)
	}
	if c := h.ask(t, id, nil); c.State != cloud.Pending || c.Method != cloud.SMS {
		t.Errorf("without sign-in by number: %+v", c)
	}
}

// Messages are counted as texts are, and wrong codes as wrong passwords; nobody is
// told of either.
func TestNumbersAreLimited(t *testing.T) {
	h := build(t)
	h.texts = engine.Texts{Unproven: 3}
	h.tries.Free = 4
	h.Reopen(t)
	h.fieldworker(t, 1, "+44 7700900123")
	for i := range 5 {
		if _, code := h.number(t, "+44 7700900123"); (code != "") != (i < 3) {
			t.Errorf("message %d: code %q", i, code)
		}
	}
	h.Advance(2 * time.Hour)
	asked, code := h.number(t, "+44 7700900123")
	for range 3 {
		if p := h.proves(t, "tills", asked.ID, "000000"); p.Reason != cloud.WrongCode {
			t.Fatalf("%+v", p)
		}
	}
	if p := h.proves(t, "tills", asked.ID, code); p.OK {
		t.Errorf("the right code after three wrong ones: %+v", p)
	}
	asked, _ = h.number(t, "+44 7700900123")
	h.proves(t, "tills", asked.ID, "000000")
	if _, code = h.number(t, "+44 7700900123"); code != "" {
		t.Error("a message went out though too many codes were wrong")
	}
	h.Advance(time.Minute)
	if asked, code = h.number(t, "+44 7700900123"); !h.proves(t, "tills", asked.ID, code).OK {
		t.Error("it stays shut")
	}
	// Names that are nobody's fill nothing.
	before := len(h.actions(t))
	for range 100 {
		h.number(t, "+44 7700900777")
	}
	if after := len(h.actions(t)); after != before {
		t.Errorf("%d entries about numbers that are nobody's", after-before)
	}
}

// Where nobody takes the message it is said to nobody, and recorded.
func TestNumberWithoutDelivery(t *testing.T) {
	h := build(t)
	h.fieldworker(t, 1, "+44 7700900123")
	if err := errors.Join(os.RemoveAll(h.outbox), os.WriteFile(h.outbox, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	asked, err := h.As("tills").BeginNumber(t.Context(), "+44 7700900123", cloud.Client{App: "Tills"})
	if err != nil || asked.ID == "" {
		t.Fatal(err)
	}
	h.AwaitSent()
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Action == "verify.denied" && strings.Contains(entry.Detail, "undeliverable") {
			return
		}
	}
	t.Error("the audit does not say that nothing was delivered")
}

// Who is erased leaves the number to the next one.
func TestNumberOfAnErasedUser(t *testing.T) {
	h := build(t)
	id := h.fieldworker(t, 1, "+44 7700900123")
	if _, err := h.ErasePerson(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if _, code := h.number(t, "+44 7700900123"); code != "" {
		t.Error("somebody who was erased gets a code")
	}
	other := h.fieldworker(t, 2, "+44 7700900123")
	if asked, code := h.number(t, "+44 7700900123"); h.proves(t, "tills", asked.ID, code).User != other {
		t.Error("the number is not free")
	}
}
