package app_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

func TestActivatesAndApproves(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	b.sees("Welcome")
	h.activated(t, b)
	c := h.ask(t, true)
	b.sees("Are you signing in?")
	text := get[string](b, `document.querySelector("dialog").innerText`)
	for _, want := range []string{"VPN", "198.51.100.7", ada} {
		if !strings.Contains(text, want) {
			t.Errorf("the sheet does not say %q:\n%s", want, text)
		}
	}
	if get[string](b, `document.activeElement.labels[0].innerText`) != "Number that the sign-in shows" {
		t.Error("the number has to be looked for")
	}
	b.settled()
	b.click("Approve")
	b.sees("Type the two digits")
	if d := h.stands(t, c); d.State != cloud.Pending {
		t.Errorf("without a number: %+v", d)
	}
	b.fill("Number that the sign-in shows", c.Number)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("approved in the browser, and the verdict is %+v", d)
	}
	b.click("Done")
	b.want(`!document.querySelector("dialog")`)
	b.quiet()
}

func TestDeniesAndReports(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)

	get[bool](b, `((begin) => { performance.now = () => begin; return true; })(performance.now())`) // however busy the machine is, no time passes
	c := h.ask(t, false)
	b.sees("Are you signing in?")
	if get[bool](b, `["Approve", "Deny"].includes(document.activeElement.innerText)`) {
		t.Error("whoever types when a sheet comes can approve")
	}
	get[bool](b, `(document.querySelector("dialog form").requestSubmit(), true)`) // pressed before it could be read
	get[bool](b, `delete performance.now`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.want(`!document.querySelector("dialog")`)
	b.sees("Sign-in to VPN is waiting")
	if d := h.stands(t, c); d.State != cloud.Pending {
		t.Errorf("put aside: %+v", d)
	}
	b.click("Review")
	b.settled()
	b.click("Deny")
	b.sees("Nobody was let in")
	if d := h.stands(t, c); d.State != cloud.Refused || d.Reason != cloud.UserDenied {
		t.Errorf("denied: %+v", d)
	}
	b.click("Done")

	c = h.ask(t, true)
	b.sees("Are you signing in?")
	wrong := "11"
	if c.Number == wrong {
		wrong = "12"
	}
	b.fill("Number that the sign-in shows", wrong)
	b.settled()
	b.click("Approve")
	b.sees("Wrong number")
	if d := h.stands(t, c); d.Reason != cloud.WrongCode {
		t.Errorf("another number: %+v", d)
	}
	b.click("Done")

	c = h.ask(t, true)
	b.sees("Are you signing in?")
	b.settled()
	b.click("This is not me: report it")
	b.click("Deny and report")
	b.sees("Denied and reported")
	if d := h.stands(t, c); d.State != cloud.Refused || d.Reason != cloud.UserDenied {
		t.Errorf("reported: %+v", d)
	}
	found := false
	for entry, err := range h.engine.Audit(t.Context(), 0) {
		found = found || err == nil && entry.Action == "user.fraud"
	}
	if !found {
		t.Error("the report is not in the audit")
	}
	b.quiet()
}

// slow holds answers back until let is called.
const slow = `(() => { const real = fetch; globalThis.fetch = (to, ...rest) => String(to.url ?? to).endsWith("/answer")
  ? new Promise((go) => { globalThis.let_ = () => go(real(to, ...rest)); }) : real(to, ...rest); })()`

// Who puts a sign-in aside while the answer to it is under way is shown the next
// one, and what comes of the first is not said of that one. Of a sign-in one answer goes out.
func TestAnswerUnderWay(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url, slow)
	h.activated(t, b)
	first := h.ask(t, false)
	b.sees("Are you signing in?")
	b.settled()
	b.click("Deny")
	b.click("Approve") // too late: the answer is given
	b.want(`!!globalThis.let_`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.want(`!document.querySelector("dialog")`)
	second, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3, Client: cloud.Client{App: "Payroll"}})
	if err != nil {
		t.Fatal(err)
	}
	b.sees("Payroll")
	get[bool](b, `(let_(), true)`)
	b.want(`document.title.startsWith("(1)")`) // the first is answered, the second waits
	b.settled()
	if text := get[string](b, `document.querySelector("dialog").innerText`); !strings.Contains(text, "Payroll") || !strings.Contains(text, "Are you signing in?") {
		t.Errorf("the second sign-in is not asked any more:\n%s", text)
	}
	if d := h.stands(t, first); d.Reason != cloud.UserDenied {
		t.Errorf("denied: %+v", d)
	}
	if d := h.stands(t, second); d.State != cloud.Pending {
		t.Errorf("not answered: %+v", d)
	}
	b.quiet()
}

// Of two tabs one answers, and the other says so; a login that is gone is too
// late; accounts of one tab are those of the other.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	h := build(t)
	a := open(t, h.url)
	b := a.beside()
	h.activated(t, a)
	b.sees("Ready to approve sign-ins")
	c := h.ask(t, false)
	a.sees("Are you signing in?")
	b.sees("Are you signing in?")
	a.settled()
	a.click("Approve")
	a.sees("You can continue")
	b.sees("You can continue") // it is the same device
	b.click("Done")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("%+v", d)
	}
	a.click("Done")
	h.ask(t, true)
	b.sees("Are you signing in?")
	h.ask(t, true) // the same login begins anew: the one before is over
	b.sees("Too late")
	b.click("Done")
	b.sees("Are you signing in?")
	b.settled()
	b.click("Deny")
	b.sees("Nobody was let in")
	a.visit("#import")
	a.click("Paste an address")
	a.fill("Address that begins with otpauth://", example)
	a.click("Add")
	b.click("Done")
	b.sees("Contoso Payroll")
	a.quiet()
	b.quiet()
}

func TestPIN(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	b.expect = []string{"400"} // a PIN that the engine refuses
	h.activated(t, b)
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.PIN = true }); err != nil {
		t.Fatal(err)
	}
	c := h.ask(t, false)
	b.sees("Choose one for this device")
	b.settled()
	for _, try := range []struct{ one, two, says string }{{"123", "123", "At least 4 digits"}, {"2580", "2581", "not the same"}, {"4321", "4321", "guessed too easily"}} {
		b.fill("New PIN", try.one)
		b.fill("New PIN again", try.two)
		b.click("Approve")
		b.sees(try.says)
	}
	b.fill("New PIN", "2580")
	b.fill("New PIN again", "2580")
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("with a new PIN: %+v", d)
	}
	b.click("Done")

	c = h.ask(t, false)
	b.sees("Are you signing in?")
	b.settled()
	b.click("Approve")
	b.sees("Please fill this in")
	b.fill("PIN", "1111")
	b.click("Approve")
	b.sees("You can try 4 more times")
	if d := h.stands(t, c); d.State != cloud.Pending {
		t.Errorf("a wrong PIN: %+v", d)
	}
	for _, left := range []string{"3 more times", "2 more times", "once more"} {
		b.fill("PIN", "1111")
		b.click("Approve")
		b.sees("You can try " + left)
	}
	b.fill("PIN", "1111")
	b.click("Approve")
	b.sees("This device is locked")
	if d := h.stands(t, c); d.State == cloud.Approved {
		t.Errorf("a locked device: %+v", d)
	}
	b.click("Done")

	h.unlocks(t, b)
	b.visit("")
	b.sees("Ready to approve")
	c = h.ask(t, false)
	b.sees("Are you signing in?")
	b.settled()
	b.fill("PIN", "2580")
	b.click("Approve")
	b.sees("Choose one for this device")
	b.fill("New PIN", "8520")
	b.fill("New PIN again", "8520")
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("after unlocking: %+v", d)
	}
	b.quiet()
}

// What a PIN must be is what the organisation wants of it now, also on a device
// that never saw its list.
func TestPINAsTheOrganisationWantsIt(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.PIN, s.Length, s.WeakPINs = true, 6, true }); err != nil {
		t.Fatal(err)
	}
	c := h.ask(t, false)
	b.want(`document.querySelector("dialog .hint")?.innerText === "At least 6 digits."`)
	b.settled()
	b.fill("New PIN", "1111")
	b.fill("New PIN again", "1111")
	b.click("Approve")
	b.want(`document.querySelector("dialog .wrong").innerText === "At least 6 digits."`)
	b.fill("New PIN", "111111")
	b.fill("New PIN again", "111111")
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("%+v", d)
	}
	b.quiet()
}

// unlocks has Ada sign in and unlock the device, which asks for a new PIN then.
func (h *house) unlocks(t testing.TB, b *tab) {
	t.Helper()
	pass := h.pass(t)
	b.visit("#manage")
	b.sees("Are you signing in?") // it still waits, and to deny it needs no PIN
	b.settled()
	b.click("Deny")
	b.sees("Nobody was let in")
	b.click("Done")
	b.click("I have a pass from the helpdesk")
	b.fill("User name", ada)
	b.fill("Pass", pass)
	b.click("Next")
	b.sees("Locked")
	b.click("Unlock")
	b.sees("The device is unlocked")
}

// A new device chooses its PIN when it is activated.
func TestPINAtActivation(t *testing.T) {
	t.Parallel()
	h := build(t)
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.PIN, s.Length = true, 6 }); err != nil {
		t.Fatal(err)
	}
	code := h.code(t)
	b := open(t, h.url)
	b.visit("#user=" + ada + "&code=" + code)
	b.sees("At least 6 digits")
	b.click("Activate")
	b.fill("New PIN", "258025")
	b.fill("New PIN again", "258025")
	b.click("Activate")
	b.sees("This device is ready")
	b.click("To your accounts")
	c := h.ask(t, false)
	b.sees("Are you signing in?")
	b.settled()
	b.fill("PIN", "258025")
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("%+v", d)
	}
	b.quiet()
}

// Browsers hold few connections to one address: more accounts than that take
// turns, and each hears.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	for range 5 {
		b.visit("#user=" + ada + "&code=" + h.code(t))
		b.click("Activate")
		b.sees("This device is ready")
	}
	b.visit("")
	b.want(`Array.from(document.querySelectorAll("[data-state]")).filter((e) => e.innerText === "Ready to approve sign-ins").length === 5`)
	c := h.ask(t, false)
	h.approves(t, b, c)
	b.click("Done")
	b.want(`!document.querySelector("dialog")`)
	b.quiet()
}

// What others put into the name of a place neither hides nor turns anything.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)
	if _, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3,
		Client: cloud.Client{App: "VPN", Station: "\u202e<img src=x onerror=alert(1)>\u0007{application}WWWWWWW"}}); err != nil {
		t.Fatal(err)
	}
	b.sees("Are you signing in?")
	text := get[string](b, `document.querySelector("dialog").innerText`)
	if strings.ContainsAny(text, "\u202e\u0007") || !strings.Contains(text, "<img src=x") {
		t.Errorf("the sheet says %q", text)
	}
	b.inspect("hostile")
	b.quiet()
}
