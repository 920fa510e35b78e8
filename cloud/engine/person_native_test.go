package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// endpoint is where the browser of the person below hears of pushes.
const endpoint = "https://push.contoso.example/synthetic-endpoint"

var somewhere = engine.NativeClient{Address: netip.MustParseAddr("192.0.2.77"), Agent: "synthetic agent"}

// lastSent is the code of the newest message in the outbox.
func (h *house) lastSent(t *testing.T) secret.Bytes {
	t.Helper()
	h.AwaitSent()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	content, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	var w channel.Written
	if err := json.Unmarshal(content, &w); err != nil {
		t.Fatal(err)
	}
	return secret.FromString(regexp.MustCompile(`\b\d{6,8}\b`).FindString(w.Text))
}

// shop is an application to which people sign up.
func (h *house) shop(t *testing.T) engine.NativeApp {
	t.Helper()
	app, err := h.AddNativeApp(t.Context(), operator, engine.NativeApp{Name: "Shop", First: []string{engine.FirstPassword}, SignUp: true,
		Attributes: []engine.NativeAttribute{{Name: "displayName"}, {Name: "city"}}})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// signedUp is somebody who has made an account and is signed in.
func (h *house) signedUp(t *testing.T, app engine.NativeApp, name string) *engine.Granted {
	t.Helper()
	ctx := t.Context()
	f, err := h.BeginSignUp(ctx, app, name, secret.FromString("Blue-Heron-42"), map[string]string{"displayName": "Ada", "city": "Synthetic City"},
		engine.Offer{Password: true, Code: true}, somewhere)
	if err == nil {
		f, _, err = h.AskSignUp(ctx, app, f, somewhere)
	}
	if err == nil {
		f, err = h.AnswerSignUp(ctx, app, f, h.lastSent(t), somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Finish(ctx, app, f, somewhere, engine.Wish{Scopes: []string{"openid"}, Offline: true})
	if err != nil || out.Kind != engine.OutTokens || out.Granted.Refresh == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.Granted
}

// everything is somebody of whom the store keeps all that it can: an account
// made by sign-up with a sign-in that goes on, and a device with a PIN and a
// subscription that has answered a push.
func everything(t *testing.T, h *house) (engine.NativeApp, *engine.Granted, *app) {
	t.Helper()
	if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
		t.Fatal(err)
	}
	shop := h.shop(t)
	g := h.signedUp(t, shop, "ada@contoso.example")
	a := h.enrolledWith(t, g.User, "synthetic telephone", "2739")
	s := engine.Subscription{Endpoint: endpoint, P256DH: b64u(a.public), Auth: b64u(bytes.Repeat([]byte{7}, 16))}
	if err := h.Subscribe(t.Context(), g.User, a.got.Device, &s); err != nil {
		t.Fatal(err)
	}
	if err := h.RequirePIN(t.Context(), operator, g.User, true, false); err != nil {
		t.Fatal(err)
	}
	h.write(t, cloud.Change{User: g.User, Op: cloud.Add, Method: cloud.Mobile, After: cloud.Value{Text: "+1 4255550177"}})
	if err := h.SetNumberSignIn(t.Context(), operator, g.User, true); err != nil {
		t.Fatal(err)
	}
	c := h.ask(t, g.User, func(r *cloud.Request) { r.Code = secret.Bytes{} })
	h.pressed(t, a.with(t, c.ID, "2739", h.Now()), cloud.Approved, "")
	if _, err := h.IssueActivation(t.Context(), operator, g.User); err != nil {
		t.Fatal(err)
	}
	return shop, g, a
}

// An export tells of everything that newer parts of the engine keep, and of no
// secret.
func TestExportPersonTellsAll(t *testing.T) {
	h := build(t)
	_, g, a := everything(t, h)
	var b bytes.Buffer
	if err := h.ExportPerson(t.Context(), operator, g.User, &b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{`"city":"Synthetic City"`, `"email_confirmed":true`, `"pin_required":true`, `"signs_in_with":"+14255550177"`, `"push_endpoint":"` + endpoint + `"`, `"has_pin":true`,
		`"answers":[{`, `"kind":"grant"`, `"kind":"device"`, `"type":"activation_code"`, `"type":"push"`, `"name":"synthetic telephone"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	for _, no := range []string{"argon2", "2739", b64u(bytes.Repeat([]byte{7}, 16)), "Blue-Heron", g.Refresh, string(a.got.OATH.Secret.Reveal())} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in it", no)
		}
	}
}

// Nothing of all that is left after an erasure, and nothing that the person
// has opens anything.
func TestErasePersonTakesAll(t *testing.T) {
	h := build(t)
	shop, g, a := everything(t, h)
	if _, err := h.ErasePerson(t.Context(), operator, g.User); err != nil {
		t.Fatal(err)
	}
	h.leavesNothing(t, string(g.User), "ada@contoso", "Synthetic City", "synthetic-endpoint", "synthetic telephone", "synthetic agent", g.ID, "4255550177")
	if _, err := h.RefreshGrant(t.Context(), shop, g.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a refresh token of somebody who was erased: %v", err)
	}
	at := h.Now()
	token := signature.Token{User: g.User, Device: a.got.Device, At: at, Signature: a.sign(t, signature.Request(g.User, a.got.Device, at))}.String()
	if _, _, err := h.AuthenticateDevice(t.Context(), token); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("the device: %v", err)
	}
}

func (h *house) leavesNothing(t *testing.T, traces ...string) {
	t.Helper()
	if err := h.store.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(h.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range traces {
			if bytes.Contains(text, []byte(trace)) {
				t.Errorf("%s lingers in cloud.db%s", trace, suffix)
			}
		}
	}
}

// An account that is removed as a change takes with it what was given at its
// sign-up, and its sign-ins.
func TestRemovedAccountLeavesNothing(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
		t.Fatal(err)
	}
	g := h.signedUp(t, app, "ada@contoso.example")
	u := h.read(t, g.User)
	profile := u.Profile
	for _, c := range []cloud.Change{
		{User: g.User, Op: cloud.Remove, Method: cloud.Email, Before: cloud.Value{Text: u.Email}},
		{User: g.User, Op: cloud.Remove, Method: cloud.Account, Before: cloud.Value{Profile: &profile}},
	} {
		if r := h.Write(t.Context(), []cloud.Change{c}); r[0].Outcome != cloud.Done {
			t.Fatalf("%+v", r[0])
		}
	}
	if given, err := h.SignUpAttributes(t.Context(), g.User); err != nil || len(given) > 0 {
		t.Errorf("what was given at the sign-up is still there: %v, %v", given, err)
	}
	if n := h.slips(t, g.User); n != 0 {
		t.Errorf("%d slips are left", n)
	}
}

func (h *house) slips(t *testing.T, id cloud.UserID) (n int) {
	t.Helper()
	err := h.store.View(t.Context(), func(r engine.Reader) error {
		found, err := r.SlipsOf(id)
		n = len(found)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whoever has proven a first factor does not get tokens any more once an
// administrator has ended the user's sign-ins.
func TestEndedSignInsGoNoFurther(t *testing.T) {
	h := build(t)
	app := h.shop(t)
	if err := h.RemoveAccessRule(t.Context(), operator, "everybody"); err != nil {
		t.Fatal(err)
	}
	g := h.signedUp(t, app, "ada@contoso.example")
	h.write(t, cloud.Change{User: g.User, Op: cloud.Add, Method: cloud.Mobile, After: cloud.Value{Text: "+1 4255550100"}})
	if err := h.SetAccessRule(t.Context(), operator, access.Rule{Name: "everybody", State: access.On, Grant: access.GrantMFA}); err != nil {
		t.Fatal(err)
	}
	f, err := h.BeginSignIn(t.Context(), app, "ada@contoso.example", engine.Offer{Password: true, Second: true})
	if err == nil {
		f, _, err = h.AskFirst(t.Context(), app, f, somewhere)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.AnswerPassword(t.Context(), app, f, secret.FromString("Blue-Heron-42"), somewhere, engine.Wish{})
	if err != nil || out.Kind != engine.OutSecond {
		t.Fatalf("%+v, %v", out, err)
	}
	if n, err := h.EndSignIns(t.Context(), operator, g.User); err != nil || n != 1 {
		t.Errorf("%d sign-ins, %v", n, err)
	}
	if _, _, err := h.SecondFactors(t.Context(), app, out.Flow); cloud.KindOf(err) != cloud.Stale {
		t.Errorf("a sign-in that was begun goes on: %v", err)
	}
	if _, err := h.RefreshGrant(t.Context(), app, g.Refresh, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a refresh token: %v", err)
	}
	if _, err := h.EndSignIns(t.Context(), operator, "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// A removed application makes room for another.
func TestRemovedApplicationsAreGone(t *testing.T) {
	h := build(t)
	for range 201 {
		if err := h.RemoveNativeApp(t.Context(), operator, h.shop(t).ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A restore makes sign-ins void and everything else that was given out for one
// use, and asks nobody for less than was asked of them before.
func TestRestoreOfNewerParts(t *testing.T) {
	h := build(t)
	shop, g, a := everything(t, h)
	if _, err := h.AddApp(t.Context(), operator, "vpn", engine.RoleShim, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	made, err := h.IssueActivation(t.Context(), operator, g.User)
	if err != nil {
		t.Fatal(err)
	}
	path := backedUp(t, h)
	h.Advance(time.Minute)
	next, err := h.RefreshGrant(t.Context(), shop, g.Refresh, nil, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.UseAssertion(t.Context(), "vpn", "a1", h.Now().Add(-time.Minute), h.Now().Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	conf, s := onStore(t, h, path)
	if _, err := engine.Restore(t.Context(), conf, operator); err != nil {
		t.Fatal(err)
	}
	if h.Engine, err = engine.Open(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	h.store = s
	for what, token := range map[string]string{"used": g.Refresh, "next": next.Refresh} {
		if _, err := h.RefreshGrant(t.Context(), shop, token, nil, somewhere); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("a refresh token, %s: %v", what, err)
		}
	}
	if err := h.UseAssertion(t.Context(), "vpn", "a1", h.Now().Add(-time.Minute), h.Now().Add(5*time.Minute)); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("an assertion that was used before the restore: %v", err)
	}
	h.Advance(2 * time.Second)
	if err := h.UseAssertion(t.Context(), "vpn", "a2", h.Now(), h.Now().Add(5*time.Minute)); err != nil {
		t.Errorf("a new assertion: %v", err)
	}
	b := newApp(t)
	n := engine.Enrolment{User: made.User, Code: made.Code, Name: "x", Key: b.public, PIN: secret.FromString("2739")}
	n.Signature = b.sign(t, signature.Activation(n.User, n.Code, n.Name, n.Key, secret.FromString("2739")))
	if _, err := h.Enrol(t.Context(), n, cloud.Client{}); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a code to activate an authenticator: %v", err)
	}
	if u := h.read(t, g.User); !u.NumberSignIn {
		t.Error("the telephone of somebody who signs in with it is a second factor again")
	}
	// The PIN that an administrator asks of this user is asked of a new device too.
	o, err := h.Owned(t.Context(), g.User)
	if err != nil || !o.PIN || len(o.Devices) != 1 || o.Devices[0].ID != a.got.Device {
		t.Errorf("%+v, %v", o, err)
	}
}

func b64u(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
