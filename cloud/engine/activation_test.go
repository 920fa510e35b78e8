package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

func TestActivationByPasswordAndCarriedFactor(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	upn := h.read(t, id).UPN
	word := secret.FromString("correct horse battery")
	if err := h.SetPassword(t.Context(), operator, id, word); err != nil {
		t.Fatal(err)
	}
	signIn := func(password string) (cloud.Challenge, error) {
		return h.SignIn(t.Context(), engine.SignIn{Name: upn, Password: secret.FromString(password), Client: cloud.Client{Station: "home"}})
	}
	_, err := signIn("correct horse battery")
	denied(t, "without an invitation", err)
	device := h.invite(t, id)
	_, err = signIn("wrong")
	denied(t, "a wrong password", err)
	if cloud.ReasonOf(err) != cloud.WrongPassword {
		t.Errorf("a wrong password: the reason is %q", cloud.ReasonOf(err))
	}
	if _, err := h.ProveCode(t.Context(), "00000000000000000000000000000000", secret.FromString("000000")); cloud.KindOf(err) != cloud.NotFound || cloud.ReasonOf(err) != cloud.Ended {
		t.Errorf("a code for no challenge: %v", err)
	}
	h.bypass(t, id, "") // lets a login pass, and proves nothing here
	c, err := signIn("correct horse battery")
	if err != nil || c.State != cloud.Pending || c.Method != cloud.OATHCode {
		t.Fatalf("signing in: %+v, %v", c, err)
	}
	_, err = h.ProveCode(t.Context(), c.ID, secret.FromString("000000"))
	denied(t, "a wrong code", err)
	// The challenge is nobody's who begins logins.
	if _, err := h.As("shim").Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: h.shows(1, 0)}); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another application answers: %v", err)
	}
	made, err := h.ProveCode(t.Context(), c.ID, h.shows(1, 0))
	if err != nil || made.User != upn || made.Until.Sub(h.Now()) != 10*time.Minute {
		t.Fatalf("the code: %+v, %v", made, err)
	}
	_, err = h.ProveCode(t.Context(), c.ID, h.shows(1, 0))
	denied(t, "the same code again", err)
	a := newApp(t)
	got, err := h.Enrol(t.Context(), a.enrolment(t, made, "Ada's phone"), cloud.Client{})
	if err != nil || got.User != id || got.Device != device || got.UPN != upn || got.OATH.Secret.Len() != 20 {
		t.Fatalf("enrolled: %+v, %v", got, err)
	}
	u := h.read(t, id)
	if u.Default != cloud.Push || u.Authenticators[0].State != "active" || u.Authenticators[0].Name != "Ada's phone" || len(u.OATH) != 2 {
		t.Errorf("the user: %+v", u)
	}
	h.login(t, id, &got.OATH, cloud.Approved, "")
	actions := strings.Join(h.actions(t), " ")
	if !strings.Contains(actions, "device.open") || !strings.Contains(actions, "device.activate") {
		t.Errorf("the audit: %s", actions)
	}
}

func TestActivationCodeIsRefused(t *testing.T) {
	for name, edit := range map[string]func(h *house, a *app, n *engine.Enrolment){
		"after ten minutes":     func(h *house, _ *app, _ *engine.Enrolment) { h.Advance(10 * time.Minute) },
		"another code":          func(_ *house, _ *app, n *engine.Enrolment) { n.Code = secret.FromString("aaaa-aaaa-aaaa") },
		"no code":               func(_ *house, _ *app, n *engine.Enrolment) { n.Code = secret.Bytes{} },
		"of somebody else":      func(h *house, _ *app, n *engine.Enrolment) { n.User = h.read(t, h.user(t, 2)).UPN },
		"of nobody":             func(_ *house, _ *app, n *engine.Enrolment) { n.User = "nobody@contoso.example" },
		"a blocked user":        func(h *house, _ *app, _ *engine.Enrolment) { h.block(t) },
		"a newer code was made": func(h *house, _ *app, n *engine.Enrolment) { h.opened(t, h.first(t)) },
	} {
		h := build(t)
		id := h.user(t, 1)
		h.invite(t, id)
		made := h.opened(t, id)
		a := newApp(t)
		n := a.enrolment(t, made, "phone")
		edit(h, a, &n)
		n.Signature = a.sign(t, signature.Activation(n.User, n.Code, n.Name, n.Key, secret.Bytes{}))
		_, err := h.Enrol(t.Context(), n, cloud.Client{})
		denied(t, name, err)
		if u := h.read(t, id); u.Authenticators[0].State != "invited" || len(u.OATH) != 0 {
			t.Errorf("%s: the user is %+v", name, u)
		}
	}
}

// What is longer than any name, code or PIN is refused before anything is looked
// up, hashed or counted.
func TestEnrolmentThatIsTooLong(t *testing.T) {
	h := build(t)
	h.worded(t, 1)
	version := h.versions(t)
	for name, edit := range map[string]func(*engine.Enrolment){
		"a name": func(n *engine.Enrolment) { n.User = strings.Repeat("a", 257) },
		"a code": func(n *engine.Enrolment) { n.Code = secret.FromString(strings.Repeat("a", 129)) },
		"a PIN":  func(n *engine.Enrolment) { n.PIN = secret.FromString(strings.Repeat("29", 65)) },
	} {
		a := newApp(t)
		n := a.enrolment(t, engine.Activation{User: "user1@contoso.example", Code: secret.FromString("aaaa-aaaa-aaaa")}, "phone")
		edit(&n)
		n.Signature = a.sign(t, signature.Activation(n.User, n.Code, n.Name, n.Key, n.PIN))
		if e := effortOf(t, version, func() {
			if _, err := h.Enrol(t.Context(), n, cloud.Client{}); cloud.KindOf(err) != cloud.Invalid || cloud.ReasonOf(err) == cloud.WeakPIN {
				t.Errorf("%s: %v", name, err)
			}
		}); e.wrote || e.hashed {
			t.Errorf("%s cost %+v", name, e)
		}
	}
}

// A code is good for as long as is told, also if the invitation ends before.
func TestActivationCodeOutlivesTheInvitation(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.invite(t, id)
	h.Advance(14*24*time.Hour - time.Minute)
	made := h.opened(t, id)
	h.Advance(9 * time.Minute)
	a := newApp(t)
	if _, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{}); err != nil {
		t.Error(err)
	}
}

func (h *house) first(t *testing.T) cloud.UserID {
	t.Helper()
	for u, err := range h.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	return ""
}

func (h *house) block(t *testing.T) {
	t.Helper()
	if err := h.Block(t.Context(), operator, h.first(t), h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func TestActivationCodeIsUsedOnceAndProvesTheKey(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.invite(t, id)
	made := h.opened(t, id)
	a, thief := newApp(t), newApp(t)
	for name, edit := range map[string]func(*engine.Enrolment){
		"no key":                func(n *engine.Enrolment) { n.Key = nil },
		"a point off the curve": func(n *engine.Enrolment) { n.Key = append(slices.Clone(n.Key[:64]), n.Key[64]^1) },
		"no signature":          func(n *engine.Enrolment) { n.Signature = nil },
		"another key's":         func(n *engine.Enrolment) { n.Key = thief.public },
		"another name":          func(n *engine.Enrolment) { n.Name = "thief" },
		"no name":               func(n *engine.Enrolment) { n.Name = "" },
		"a name of two lines":   func(n *engine.Enrolment) { n.Name = "a\nb" },
	} {
		n := a.enrolment(t, made, "phone")
		edit(&n)
		if _, err := h.Enrol(t.Context(), n, cloud.Client{}); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	typed := a.enrolment(t, made, "phone")
	typed.Code = secret.FromString(strings.ToUpper(strings.ReplaceAll(string(made.Code.Reveal()), "-", " "))) // as people do
	if _, err := h.Enrol(t.Context(), typed, cloud.Client{}); err != nil {
		t.Fatal(err)
	}
	h.invite(t, id)
	_, err := h.Enrol(t.Context(), thief.enrolment(t, made, "thief"), cloud.Client{})
	denied(t, "a used code", err)
}

func TestActivationCodesCannotBeGuessed(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.invite(t, id)
	made := h.opened(t, id)
	a := newApp(t)
	wrong := made
	wrong.Code = secret.FromString("aaaa-aaaa-aaaa")
	// A place that has guessed too much is refused whatever it brings.
	for range 5 {
		_, err := h.Enrol(t.Context(), a.enrolment(t, wrong, "phone"), cloud.Client{Station: "one place"})
		denied(t, "a guess", err)
	}
	_, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{Station: "one place"})
	denied(t, "a place that guesses", err)
	// Whoever knows no more than the name keeps the user from nothing, from
	// however many places.
	for i := range 20 {
		_, err := h.Enrol(t.Context(), a.enrolment(t, wrong, "phone"), cloud.Client{Station: string(rune('a' + i))})
		denied(t, "a guess", err)
	}
	if _, err = h.Enrol(t.Context(), a.enrolment(t, made, "phone"), cloud.Client{Station: "another place"}); err != nil {
		t.Errorf("another place: %v", err)
	}
}

// An app with its generator is one of the five.
func TestDeviceLimitCountsAnAppOnce(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		h.enrolled(t, id, name)
	}
	if _, _, err := h.Invite(t.Context(), operator, id); cloud.KindOf(err) != cloud.Invalid || cloud.ReasonOf(err) != cloud.DeviceLimit {
		t.Errorf("a sixth: %v", err)
	}
	result := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(7)}}})[0]
	if result.Outcome != cloud.Failed || cloud.ReasonOf(result.Err) != cloud.MethodLimit {
		t.Errorf("a generator beside five apps: %+v", result)
	}
}

func TestActivationIsAnnounced(t *testing.T) {
	h := build(t)
	id := h.texted(t, 1, "+44 2079460001")
	h.enrolled(t, id, "New phone")
	files, err := filepath.Glob(filepath.Join(h.outbox, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(text), "New phone") {
		t.Errorf("the message: %s, %v", text, err)
	}
}

// messages are all that lie in the outbox, oldest first.
func (h *house) messages(t *testing.T) (all []channel.Written) {
	t.Helper()
	h.AwaitSent()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var m channel.Written
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// Whoever has stolen the telephone, and activates with it, is not the only one
// who hears of that; and the name that they choose tells the owner nothing.
func TestActivationIsAnnouncedByAllThatIsProven(t *testing.T) {
	h := build(t)
	id := h.texted(t, 1, "+44 2079460001")
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(address)})
	h.enrolled(t, id, "First")
	if all := h.messages(t); len(all) != 1 || all[0].Channel != "sms" {
		t.Fatalf("with an address that nobody has confirmed: %+v", all)
	}
	if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	h.enrolled(t, id, `x". All is well: https://evil.example/?a=b "`)
	by := map[string]channel.Written{}
	for _, m := range h.messages(t) {
		by[m.Channel] = m
	}
	if len(by) != 2 || by["email"].To != address || by["email"].Subject == "" {
		t.Fatalf("with a confirmed address: %+v", by)
	}
	for _, m := range by {
		if strings.Contains(m.Text, "evil.example") || strings.Contains(m.Text, "://") || strings.Count(m.Text, `"`) != 2 {
			t.Errorf("the message has a name in it that looks like more: %s", m.Text)
		}
	}
}

// Whoever floods the public sign-in keeps no program from checking passwords.
func TestFloodedSignInLeavesPasswordsAlone(t *testing.T) {
	h := build(t)
	refused := make(chan error, 400)
	for n := range cap(refused) {
		go func() {
			_, err := h.SignIn(t.Context(), engine.SignIn{Name: fmt.Sprintf("nobody%d@contoso.example", n), Password: secret.FromString("wrong")})
			refused <- err
		}()
	}
	if err := <-refused; cloud.KindOf(err) != cloud.Throttled && cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a flood: %v", err)
	}
	throttled := 0
	for range 100 { // the others have come by now
		if cloud.KindOf(<-refused) == cloud.Throttled {
			throttled++
		}
	}
	if _, err := h.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByName, Value: "ada"}, secret.FromString("wrong"), cloud.Client{App: "vpn"}); err != nil {
		t.Errorf("a program's password meanwhile: %v", err)
	}
	for range cap(refused) - 101 {
		if cloud.KindOf(<-refused) == cloud.Throttled {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("nobody of the flood was told to wait")
	}
}

func TestInvitationsSayWhatBecameOfThem(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	device := h.invite(t, id)
	state := func(want string) {
		t.Helper()
		all, err := h.Invitations(t.Context(), id)
		if err != nil || len(all) != 1 || all[0].State != want {
			t.Errorf("invitations: %+v, %v; want %s", all, err, want)
		}
	}
	state(engine.InvitationPending)
	h.opened(t, id)
	state(engine.InvitationOpened)
	h.Advance(15 * 24 * time.Hour)
	state(engine.InvitationExpired)
	if until, err := h.RenewInvitation(t.Context(), operator, id, device); err != nil || until.Sub(h.Now()) != 14*24*time.Hour {
		t.Errorf("renewed until %s, %v", until, err)
	}
	state(engine.InvitationPending)
	if err := h.RevokeInvitation(t.Context(), operator, id, "none"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another one is revoked: %v", err)
	}
	a := newApp(t)
	if _, err := h.Enrol(t.Context(), a.enrolment(t, h.opened(t, id), "phone"), cloud.Client{}); err != nil {
		t.Fatal(err)
	}
	state(engine.InvitationDone)
	if err := h.RevokeInvitation(t.Context(), operator, id, device); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("an authenticator is revoked as an invitation: %v", err)
	}
	if _, err := h.RenewInvitation(t.Context(), operator, id, device); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("an authenticator is renewed as an invitation: %v", err)
	}
}

// Whoever is invited again, also after the end, has one invitation, and not a
// second telephone's; who has used theirs gets another one.
func TestInvitingTwiceMakesOneInvitation(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	first := h.invite(t, id)
	for _, after := range []time.Duration{time.Hour, 15 * 24 * time.Hour} {
		h.Advance(after)
		again, until, err := h.Invite(t.Context(), operator, id)
		if err != nil || again != first || until.Sub(h.Now()) != 14*24*time.Hour {
			t.Errorf("after %v: %s until %v, %v; the first was %s", after, again, until, err, first)
		}
		if all, err := h.Invitations(t.Context(), id); err != nil || len(all) != 1 || !all[0].Until.Equal(until) || all[0].State != engine.InvitationPending {
			t.Errorf("after %v: %+v, %v", after, all, err)
		}
	}
	h.enrolled(t, id, "phone")
	if second := h.invite(t, id); second == first {
		t.Error("an authenticator is invited as if it were an invitation")
	}
}

// Who has all five places taken, one of them by the invitation, can have it renewed.
func TestInvitationIsRenewedAtTheLimit(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for _, name := range []string{"a", "b", "c", "d"} {
		h.enrolled(t, id, name)
	}
	if _, err := h.RenewInvitation(t.Context(), operator, id, h.invite(t, id)); err != nil {
		t.Error(err)
	}
}
