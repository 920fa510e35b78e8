package app_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// audited tells whether something stands in the audit.
func (h *house) audited(t testing.TB, action string) bool {
	t.Helper()
	for entry, err := range h.engine.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Action == action {
			return true
		}
	}
	return false
}

// The owner renames a device, says that a login was not theirs, removes a
// second device, and that device hears of it.
func TestOwnerLooksAfterDevices(t *testing.T) {
	t.Parallel()
	h := build(t)
	a, b := open(t, h.url), open(t, h.url)
	h.activated(t, a)
	h.activated(t, b)
	b.expect = []string{"401", "403"}
	c := h.ask(t, false)
	h.approves(t, b, c)
	b.click("Done")
	a.sees("Approved elsewhere")
	a.click("Done")
	a.click("Details of " + ada)
	a.sees("Recent answers")
	a.click("Rename")
	get[bool](a, `(document.querySelector("details[open] input").value = "", true)`)
	a.fill("Name", "Ada's <b>telephone</b>")
	get[bool](a, `((e) => { e.focus(); e.click(); return true; })(Array.from(document.querySelectorAll("details[open] button")).find((e) => e.innerText === "Rename"))`)
	a.sees("The device has its new name")
	a.want(`document.activeElement.innerText === "The device has its new name."`) // and not the begin of the page
	a.sees("Ada's <b>telephone</b>")
	a.click("This was not me: VPN")
	a.click("Report it")
	a.sees("It was reported")
	a.sees("Reported: this was not you")
	if !h.audited(t, "user.fraud") {
		t.Error("the report is not in the audit")
	}
	a.click("Rename or remove")
	a.click("I have lost it")
	a.sees("Your organisation is told")
	a.click("Cancel")
	a.want(`document.querySelectorAll("main li.row details").length === 2`)
	a.click("I have lost it")
	a.click("Remove")
	a.sees("was removed")
	a.want(`document.querySelectorAll("main li.row details").length === 1`)
	b.visit("")
	b.sees("No longer active")
	b.click("Details of " + ada)
	b.sees("does not know this device any more")
	if text := b.page(); strings.Contains(text, checkNow) || strings.Contains(text, "The server has refused that") {
		t.Errorf("a device that was removed is offered what is refused:\n%s", text)
	}
	b.click("Remove")
	b.click("Remove")
	b.sees("Welcome")
	a.quiet()
	b.quiet()
}

// Whoever has all devices that they may have is told so, and what to do.
func TestNoRoomForADevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Enrol, s.Devices = true, 1 }); err != nil {
		t.Fatal(err)
	}
	b := open(t, h.url)
	h.activated(t, b)
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	b.expect = []string{"400"}
	b.visit("#user=" + ada)
	b.click("I have a pass from the helpdesk")
	b.fill("Pass", string(word.Reveal()))
	b.click("Next")
	b.sees("You have as many devices as you may have")
	b.quiet()
}

// Who cannot activate hears what to do, each what is so; and the time that an
// activation has is told when it is over, not when everything was typed.
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	h := build(t)
	if err := h.engine.SetPassword(t.Context(), operator, h.user, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	b := open(t, h.url, `{ const begin = setTimeout; window.setTimeout = (work, ms, ...more) => { if (ms > 500_000) { window.over = work; } return begin(work, ms, ...more); }; }`)
	b.expect = []string{"403", "400"}
	signIn := func(password, says string) {
		t.Helper()
		b.visit("#user=" + ada)
		b.fill("Password", password)
		b.click("Next")
		b.sees(says)
	}
	signIn("wrong", "The name or the password is wrong.")
	signIn("correct horse battery", "Nobody has invited you")
	pass := h.pass(t)
	signIn("correct horse battery", "You have no second step yet")
	b.visit("#user=" + ada)
	b.click("I have a pass from the helpdesk")
	b.fill("Pass", "aaaaaaaaaaaa")
	b.click("Next")
	b.sees("The name or the pass is wrong")
	b.fill("Pass", pass)
	b.click("Next")
	b.sees("Use this device")
	get[bool](b, `(window.over(), true)`)
	b.sees("The time for this activation is over")
	b.inspect("over")
	b.click("Start again")
	b.sees("Sign in to activate")
	b.click("I have a pass from the helpdesk")
	b.fill("Pass", pass)
	b.click("Next")
	b.sees("ask the helpdesk for another one")
	b.quiet()
}

// Only a device that the engine does not know any more is told so: whatever else
// refuses, a proxy on the way for one, says nothing about it.
func TestRefusalOfSomethingElseEndsNoDevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)
	b.expect = []string{"401", "net::ERR_"}
	var closed atomic.Bool
	h.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if closed.Load() && r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"code":"denied","message":"sign in to the gateway first"}}`))
			return
		}
		next.ServeHTTP(w, r)
	}
	closed.Store(true)
	b.visit("")
	b.sees("No connection: codes still work")
	closed.Store(false)
	b.visit("")
	b.sees("Ready to approve sign-ins")
	if err := h.engine.DismissDevice(t.Context(), engine.Owner{User: h.user}, h.device(t), true); err != nil {
		t.Fatal(err)
	}
	b.sees("No longer active")
	b.want(`!document.querySelector(".card-code").checkVisibility()`) // its codes have ended with it
	b.click("Details of " + ada)
	b.sees("Your organisation does not know this device any more")
	b.sees("No longer valid")
	b.inspect("removed")
	b.quiet()
}

// device is the first of Ada's.
func (h *house) device(t testing.TB) string {
	t.Helper()
	me, err := h.engine.Owned(t.Context(), h.user)
	if err != nil || len(me.Devices) == 0 {
		t.Fatalf("%+v, %v", me, err)
	}
	return me.Devices[0].ID
}

// A sign-in to look after devices ends after some minutes: whoever comes back to
// the page then is told, and signs in again.
func TestOwnersSignInEnds(t *testing.T) {
	t.Parallel()
	h := build(t)
	var over atomic.Bool
	h.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if over.Load() && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer mfo1.") {
			r.Header.Set("Authorization", "Bearer mfo1.over")
		}
		next.ServeHTTP(w, r)
	}
	b := open(t, h.url)
	h.activated(t, b)
	pass := h.pass(t)
	b.visit("#manage")
	b.click("I have a pass from the helpdesk")
	b.fill("User name", ada)
	b.fill("Pass", pass)
	b.click("Next")
	b.sees("Your devices")
	over.Store(true)
	b.expect = []string{"401"}
	b.click("Rename or remove")
	get[bool](b, `(Array.from(document.querySelectorAll("details[open] button")).find((e) => e.innerText === "Rename").click(), true)`)
	b.sees("Your sign-in has ended")
	b.click("Remove")
	b.click("Remove")
	b.click("Sign in")
	b.sees("Sign in to see your devices")
	b.quiet()
}

// Who has lost the telephone and is asked for its code is told of other ways.
func TestCodeOfALostTelephone(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.activated(t, open(t, h.url))
	if err := h.engine.SetPassword(t.Context(), operator, h.user, secret.FromString("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	b := open(t, h.url)
	b.visit("#manage")
	b.fill("User name", ada)
	b.fill("Password", "correct horse battery")
	b.click("Next")
	b.sees("Type the code that your current app or token shows")
	b.click("Start again, or choose another second step")
	b.sees("Text message")                 // the ways stand open
	b.expect = []string{"username fields"} // the browser may look at the form that is gone, whose name was taken over
	b.quiet()
}

// Where the organisation lets people choose, they choose how they are asked;
// and a PIN of their own.
func TestOwnerChooses(t *testing.T) {
	t.Parallel()
	h := build(t)
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Select, s.PIN = []cloud.Preference{cloud.Push, cloud.OATHCode}, true }); err != nil {
		t.Fatal(err)
	}
	b := open(t, h.url)
	b.visit("#user=" + ada + "&code=" + h.code(t))
	b.fill("New PIN", "2580")
	b.fill("New PIN again", "2580")
	b.click("Activate")
	b.sees("This device is ready")
	b.click("To your accounts")
	b.click("Details of " + ada)
	b.click("Change the PIN")
	b.fill("Current PIN", "1111")
	b.fill("New PIN", "8520")
	b.fill("New PIN again", "8520")
	save := func(section string) {
		t.Helper()
		get[bool](b, `(Array.from(document.querySelectorAll("main section")).find((s) => s.innerText.startsWith(`+quote(section)+`)).querySelector("button").click(), true)`)
	}
	save("PIN of this device")
	b.sees("You can try 4 more times")
	b.click("Change the PIN")
	b.fill("Current PIN", "2580")
	b.fill("New PIN", "8520")
	b.fill("New PIN again", "8520")
	save("PIN of this device")
	b.sees("The new PIN counts from now on")
	b.inspect("choices")
	b.fill("First choice", "oath")
	save("How you are asked")
	b.sees("From now on you are asked in this way")
	me, err := h.engine.Owned(t.Context(), h.user)
	if err != nil || me.Default != cloud.OATHCode {
		t.Errorf("asked by %s, %v", me.Default, err)
	}
	b.quiet()
}

// Whoever was asked by text goes on being asked by text, though they have an
// app now: they are told so, and choose where they may.
func TestTextsGoOn(t *testing.T) {
	t.Parallel()
	h := build(t)
	for _, r := range h.engine.Write(t.Context(), []cloud.Change{{User: h.user, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		{User: h.user, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.SMS))}}) {
		if r.Outcome != cloud.Done {
			t.Fatal(r.Err)
		}
	}
	b := open(t, h.url)
	b.visit("#user=" + ada + "&code=" + h.code(t))
	b.click("Activate")
	b.sees("This device is ready")
	b.sees("Sign-ins still ask you in another way: Text message.")
	b.sees("tell your helpdesk")
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Select = []cloud.Preference{cloud.Push} }); err != nil {
		t.Fatal(err)
	}
	b.visit(get[string](b, `location.hash`))
	b.fill("First choice", "push")
	b.click("Save")
	b.sees("From now on you are asked in this way")
	b.want(`!document.body.innerText.includes("in another way")`)
	if me, err := h.engine.Owned(t.Context(), h.user); err != nil || me.Default != cloud.Push {
		t.Errorf("asked by %s, %v", me.Default, err)
	}
	b.quiet()
}

// Whoever removes the account from a device ends the device.
func TestRemovalEndsTheDevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)
	b.click("Details of " + ada)
	b.expect = []string{"409", "401", "net::ERR_"} // its stream may come back before the page has forgotten the device
	h.down()
	b.click("Remove")
	b.click("Remove")
	b.sees("The server cannot be reached now")
	b.click("Cancel")
	h.up(t)
	b.click("Remove")
	b.click("Remove")
	b.sees("It is your last way")
	b.click("Remove anyway")
	b.sees("Welcome")
	me, err := h.engine.Owned(t.Context(), h.user)
	if err != nil || len(me.Devices) > 0 {
		t.Errorf("left: %+v, %v", me.Devices, err)
	}
	b.quiet()
}

// worker is the service worker of the page, which may show notifications.
func (h *house) worker(b *tab) serviceworker.RegistrationID {
	b.t.Helper()
	allow := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted,
		Origin: h.url, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID}
	if _, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, allow); err != nil {
		b.t.Fatal(err)
	}
	found := make(chan serviceworker.RegistrationID, 1)
	if err := chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*serviceworker.EventWorkerRegistrationUpdated); ok {
			for _, r := range e.Registrations {
				if strings.HasPrefix(r.ScopeURL, h.url) {
					select {
					case found <- r.RegistrationID:
					default:
					}
				}
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
	select {
	case id := <-found:
		return id
	case <-time.After(patience):
		b.t.Fatal("the browser never says that the page has a service worker")
		return ""
	}
}

// delivers has a push service deliver a message, and waits until what it is to
// bring about is so. A busy browser may drop one, as push services may.
func (h *house) delivers(b *tab, id serviceworker.RegistrationID, data, so string) {
	b.t.Helper()
	for range 12 {
		if _, err := chromedp.Call(b.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: h.url, RegistrationID: id, Data: data}); err != nil {
			b.t.Fatal(err)
		}
		if ok, err := b.becomes(so, 5*time.Second); err != nil {
			b.t.Fatal(err)
		} else if ok {
			return
		}
	}
	b.t.Errorf("%s is delivered, and never true is %s", data, so)
}

// shows has a message delivered that the worker is to show.
func (h *house) shows(b *tab, id serviceworker.RegistrationID, data, says string) {
	b.t.Helper()
	h.delivers(b, id, data, `(await (await navigator.serviceWorker.ready).getNotifications()).some((n) => (n.title + " " + n.body).includes(`+quote(says)+`))`)
}

// added is a notice as the engine's sender writes it.
const added = `{"type":"notice","text":"The authenticator \"Tablet\" can approve your sign-ins from now on.","kind":"device_added","name":"Tablet"}`

// What a push service delivers is shown by the service worker while no page is
// open; a message that nobody can read is shown as well, and does no harm.
func TestPushedMessages(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	b.kept()
	id := h.worker(b)
	for data, says := range map[string]string{
		`{"type":"push","challenge":"c1","application":"VPN","from":"198.51.100.7"}`: "Sign-in to VPN is waiting",
		`{"type":"notice","text":"A new device was activated."}`:                     "A new device was activated.",
		`{"type":"notice","text":"Something else.","kind":"later"}`:                  "Something else.",
		added:                      "The authenticator “Tablet” can approve",
		`{"type":"test","id":"x"}`: "A test: requests reach this device.",
		`{`:                        "Sign-in to ? is waiting",
		`null`:                     "Sign-in to ? is waiting",
		`{"type":"constructor"}`:   "Sign-in to ? is waiting",
		`{"type":"push","application":{"a":1},"challenge":7}`: "Sign-in to [object Object] is waiting",
	} {
		h.shows(b, id, data, says)
	}
	b.quiet()
}

// The worker speaks the language of the page, also after the browser has ended it
// and begun it anew, and after new files came with a new engine.
func TestPushedMessagesInGerman(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	b.kept()
	id := h.worker(b)
	b.speaks("de", "Einstellungen")
	told := func() {
		t.Helper()
		for data, says := range map[string]string{
			`{"type":"push","challenge":"c1","application":"VPN"}`: "Anmeldung bei VPN wartet",
			added:                      "Der Authenticator „Tablet“ kann von jetzt an",
			`{"type":"test","id":"x"}`: "Ein Test: Anfragen erreichen dieses Gerät.",
		} {
			h.shows(b, id, data, says)
		}
		get[bool](b, `navigator.serviceWorker.ready.then(async (r) => { for (const n of await r.getNotifications()) { n.close(); } return true; })`)
	}
	told()
	if _, err := chromedp.Call(b.ctx, serviceworker.StopAllWorkers, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	told()
	get[bool](b, `caches.open("mfabridge-of-before").then(() => navigator.serviceWorker.getRegistration("authenticator")).then((r) => r.update()).then(() => true)`)
	told()
	b.speaks("en", "Settings")
	h.shows(b, id, `{"type":"push","challenge":"c2","application":"Mail"}`, "Sign-in to Mail is waiting")
	b.quiet()
}

// A language that is chosen in one tab is that of the others, once nothing is
// being typed there.
func TestLanguageOfAllTabs(t *testing.T) {
	t.Parallel()
	h := build(t)
	a := open(t, h.url)
	b, typing := a.beside(), a.beside()
	typing.visit("#activate")
	typing.fill("User name", "ada@contoso.example")
	a.speaks("de", "Einstellungen")
	b.sees("Konto hinzufügen")
	b.want(`document.documentElement.lang === "de"`)
	typing.sees("Activate this device")
	if got := get[string](typing, `document.querySelector("input").value + " " + document.documentElement.lang`); got != "ada@contoso.example en" {
		t.Errorf("where somebody types it says %s", got)
	}
	typing.want(`(location.hash = "#add", document.documentElement.lang === "de")`)
	typing.sees("Konto hinzufügen")
	b.speaks("en", "Settings")
	a.sees("Settings")
}

// speaks chooses a language on the page of settings.
func (b *tab) speaks(language, title string) {
	b.t.Helper()
	b.visit("#settings")
	get[bool](b, `((e) => { e.focus(); e.value = `+quote(language)+`; e.dispatchEvent(new Event("change", { bubbles: true })); return true; })(document.querySelector("select"))`)
	b.sees(title)
}

// The page speaks German to whoever wants it, and remembers it.
func TestGerman(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := h.activated(t, open(t, h.url))
	b.speaks("de", "Einstellungen")
	b.want(`document.activeElement === document.querySelector("select")`) // whoever uses the keyboard goes on here
	if got := get[string](b, `document.documentElement.lang`); got != "de" {
		t.Errorf("the language is %s", got)
	}
	b.visit("#user=" + ada)
	b.sees("Anmelden und aktivieren")
	b.inspect("german")
	for _, page := range []string{"", "#add", "#activate", "#import", "#manage", "#settings"} {
		b.visit(page)
		b.want(`document.querySelector("main h1").innerText.length > 3`)
		if text := get[string](b, `document.body.innerText`); strings.Contains(text, "Sign in") || strings.Contains(text, "Your ") {
			t.Errorf("%s speaks English: %s", page, text)
		}
		b.look(320, "light")
		if got := get[int64](b, `document.documentElement.scrollWidth`); got > 320 {
			t.Errorf("%s is %d wide", page, got)
		}
	}
	h.activated(t, open(t, h.url)) // the engine tells the first device
	b.visit("")
	b.sees("kann von jetzt an Ihre Anmeldungen bestätigen")
	b.quiet()
}
