package engine_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
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
	"mfabridge/internal/secret"
)

// app is an authenticator with a key of its own.
type app struct {
	key    *ecdsa.PrivateKey
	public []byte
	got    engine.Enrolled
}

func newApp(t *testing.T) *app {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &app{key: key, public: public}
}

func (a *app) sign(t *testing.T, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, engine.DeviceSignatureSize)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b
}

func (a *app) enrolment(t *testing.T, made engine.Activation, name string) engine.Enrolment {
	t.Helper()
	return engine.Enrolment{User: made.User, Code: made.Code, Name: name, Key: a.public,
		Signature: a.sign(t, engine.ActivationText(made.User, string(made.Code.Reveal()), name, a.public))}
}

func (a *app) answer(t *testing.T, c cloud.ChallengeID, word engine.PushAnswer, number string, at time.Time) engine.SignedResponse {
	t.Helper()
	r := engine.Response{User: a.got.User, Device: a.got.Device, Challenge: c, Answer: word, Number: number}
	return engine.SignedResponse{Response: r, At: at, Signature: a.sign(t, engine.AnswerText(r, at))}
}

func (h *house) invite(t *testing.T, id cloud.UserID) string {
	t.Helper()
	device, _, err := h.Invite(t.Context(), operator, id)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// opened is a code for an invited user, by a pass of the helpdesk.
func (h *house) opened(t *testing.T, id cloud.UserID) engine.Activation {
	t.Helper()
	_, word := h.pass(t, id, false)
	made, err := h.ProvePass(t.Context(), h.read(t, id).UPN, word, engine.ForActivation, cloud.Client{Station: "helpdesk"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// enrolled is a user's new authenticator.
func (h *house) enrolled(t *testing.T, id cloud.UserID, name string) *app {
	t.Helper()
	h.invite(t, id)
	a := newApp(t)
	var err error
	if a.got, err = h.Enrol(t.Context(), a.enrolment(t, h.opened(t, id), name), cloud.Client{}); err != nil {
		t.Fatal(err)
	}
	return a
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if cloud.KindOf(err) != cloud.Denied {
		t.Errorf("%s: %v, want it refused", what, err)
	}
}

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
		n.Signature = a.sign(t, engine.ActivationText(n.User, string(n.Code.Reveal()), n.Name, n.Key))
		_, err := h.Enrol(t.Context(), n, cloud.Client{})
		denied(t, name, err)
		if u := h.read(t, id); u.Authenticators[0].State != "invited" || len(u.OATH) != 0 {
			t.Errorf("%s: the user is %+v", name, u)
		}
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

func TestSignedAnswers(t *testing.T) {
	h := build(t)
	id, other := h.user(t, 1), h.user(t, 2)
	a, foreign := h.enrolled(t, id, "phone"), h.enrolled(t, other, "phone")
	c := h.ask(t, id, nil)
	now := h.Now()
	tampered := func(edit func(*engine.SignedResponse)) engine.SignedResponse {
		s := a.answer(t, c.ID, engine.PushApprove, "", now)
		edit(&s)
		return s
	}
	for name, bad := range map[string]engine.SignedResponse{
		"another decision":    tampered(func(s *engine.SignedResponse) { s.Answer = engine.PushDeny }),
		"another number":      tampered(func(s *engine.SignedResponse) { s.Number = "12" }),
		"another time":        tampered(func(s *engine.SignedResponse) { s.At = now.Add(time.Second) }),
		"another challenge":   tampered(func(s *engine.SignedResponse) { s.Challenge = "none" }),
		"another device":      tampered(func(s *engine.SignedResponse) { s.Device = foreign.got.Device }),
		"another user":        tampered(func(s *engine.SignedResponse) { s.User = other }),
		"no signature":        tampered(func(s *engine.SignedResponse) { s.Signature = nil }),
		"a signature of zero": tampered(func(s *engine.SignedResponse) { s.Signature = make([]byte, engine.DeviceSignatureSize) }),
		"too late":            a.answer(t, c.ID, engine.PushApprove, "", now.Add(-3*time.Minute)),
		"too early":           a.answer(t, c.ID, engine.PushApprove, "", now.Add(3*time.Minute)),
	} {
		_, err := h.Press(t.Context(), bad)
		denied(t, name, err)
	}
	if _, err := h.Press(t.Context(), foreign.answer(t, c.ID, engine.PushApprove, "", now)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a foreign device: %v", err)
	}
	good := a.answer(t, c.ID, engine.PushApprove, "", now)
	if d, err := h.Press(t.Context(), good); err != nil || d.State != cloud.Approved {
		t.Fatalf("the answer: %+v, %v", d, err)
	}
	if d, err := h.Press(t.Context(), good); err != nil || d.State != cloud.Refused || d.Reason != cloud.RepeatRefused {
		t.Errorf("the answer again: %+v, %v", d, err)
	}
}

// A device that was activated without a key signs nothing, and one that was
// removed neither; its codes go with it.
func TestOnlyActiveDevicesSign(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	keyless := h.activate(t, id)
	c := h.ask(t, id, nil)
	forged := newApp(t)
	forged.got = engine.Enrolled{User: id, Device: keyless}
	_, err := h.Press(t.Context(), forged.answer(t, c.ID, engine.PushApprove, "", h.Now()))
	denied(t, "a device without a key", err)
	a := h.enrolled(t, id, "lost")
	token := engine.DeviceToken(id, a.got.Device, h.Now(), a.sign(t, engine.RequestText(id, a.got.Device, h.Now())))
	if user, device, err := h.AuthenticateDevice(t.Context(), token); err != nil || user != id || device != a.got.Device {
		t.Fatalf("the token: %s %s %v", user, device, err)
	}
	for name, bad := range map[string]string{
		"another device": strings.Replace(token, a.got.Device, keyless, 1),
		"half of it":     token[:len(token)/2],
		"no signature":   token[:strings.LastIndex(token, ".")+1],
		"one more part":  token + ".x",
		"another prefix": "mfd2." + strings.TrimPrefix(token, engine.DeviceTokenPrefix),
	} {
		_, _, err := h.AuthenticateDevice(t.Context(), bad)
		denied(t, name, err)
	}
	h.Advance(3 * time.Minute)
	_, _, err = h.AuthenticateDevice(t.Context(), token)
	denied(t, "an old token", err)
	h.write(t, cloud.Change{User: id, Op: cloud.Remove, Method: cloud.Authenticator, ID: a.got.Device, Before: cloud.Value{State: "active"}})
	at := h.Now()
	_, _, err = h.AuthenticateDevice(t.Context(), engine.DeviceToken(id, a.got.Device, at, a.sign(t, engine.RequestText(id, a.got.Device, at))))
	denied(t, "a removed device", err)
	if u := h.read(t, id); len(u.OATH) != 1 || u.OATH[0].Fingerprint == a.got.OATH.Fingerprint {
		t.Errorf("its generator stays: %+v", u.OATH)
	}
}

func TestFirstAnswerOfSeveralDevicesCounts(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	one, two := h.enrolled(t, id, "one"), h.enrolled(t, id, "two")
	c := h.ask(t, id, func(r *cloud.Request) { r.ShowsNumber = true })
	if c.Number == "" {
		t.Fatalf("no number: %+v", c)
	}
	if d, err := h.Press(t.Context(), two.answer(t, c.ID, engine.PushDeny, "", h.Now())); err != nil || d.State != cloud.Refused {
		t.Fatalf("the first: %+v, %v", d, err)
	}
	if d, err := h.Press(t.Context(), one.answer(t, c.ID, engine.PushApprove, c.Number, h.Now())); err != nil || d.Reason != cloud.RepeatRefused {
		t.Errorf("the second: %+v, %v", d, err)
	}
	c = h.ask(t, id, func(r *cloud.Request) { r.ShowsNumber = true })
	if d, err := h.Press(t.Context(), one.answer(t, c.ID, engine.PushApprove, c.Number, h.Now())); err != nil || d.State != cloud.Approved {
		t.Errorf("the number: %+v, %v", d, err)
	}
}

// An app with its generator is one of the five.
func TestDeviceLimitCountsAnAppOnce(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		h.enrolled(t, id, name)
	}
	if _, _, err := h.Invite(t.Context(), operator, id); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a sixth: %v", err)
	}
	result := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(7)}}})[0]
	if result.Outcome != cloud.Failed {
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

func TestListenersHearOfPushes(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "phone")
	changed, leave, err := h.Listen(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	hears := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nothing was heard of %s", what)
		}
	}
	c := h.ask(t, id, nil)
	hears("the push")
	if _, err := h.Press(t.Context(), a.answer(t, c.ID, engine.PushApprove, "", h.Now())); err != nil {
		t.Fatal(err)
	}
	hears("its verdict")
}

// What another process on the store begins and decides is heard too, however
// long the one comes after the other; and each is heard once.
func TestListenersHearOfOtherProcesses(t *testing.T) {
	h := build(t)
	ada, bob := h.user(t, 1), h.user(t, 2)
	a := h.enrolled(t, ada, "phone")
	h.enrolled(t, bob, "phone")
	other := &house{Clock: cloudtest.ClockAt(h.Now()), path: h.path, outbox: h.outbox}
	other.open(t)
	listen := func(id cloud.UserID) (changed <-chan struct{}) {
		changed, leave, err := h.Listen(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(leave)
		return changed
	}
	adas, bobs := listen(ada), listen(bob)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	hears := func(changed <-chan struct{}, what string) {
		t.Helper()
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nothing was heard of %s", what)
		}
	}
	c := other.ask(t, ada, nil)
	hears(adas, "a push")
	for range 2 { // the look at each of them sees the first push again, or not any more
		other.Advance(1500 * time.Millisecond)
		other.ask(t, bob, nil)
		hears(bobs, "another's push")
	}
	select {
	case <-adas:
		t.Error("a push rang twice")
	default:
	}
	other.Advance(20 * time.Second)
	if _, err := other.Press(t.Context(), a.answer(t, c.ID, engine.PushDeny, "", other.Now())); err != nil {
		t.Fatal(err)
	}
	hears(adas, "its verdict")
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
