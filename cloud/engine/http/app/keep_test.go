package app_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mfabridge/cloud"
	"mfabridge/internal/peer"
)

// oathtool is the code of an independent program: arguments, and the time.
func oathtool(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(peer.Path(t, "oathtool", "oathtool"), append(args, "-b")...).Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// shownCode is the JavaScript expression of the code that the page shows for an account.
func shownCode(name string) string {
	return `Array.from(document.querySelectorAll(".card")).find((c) => c.innerText.includes(` + quote(name) + `))?.querySelector(".code").innerText.replaceAll(" ", "")`
}

// code is what the page shows for an account.
func (b *tab) code(name string) string {
	b.t.Helper()
	card := shownCode(name)
	b.want(`/^\d+$/.test(` + card + `)`)
	return get[string](b, card)
}

// paste adds codes by an address.
func (b *tab) paste(address string) {
	b.t.Helper()
	b.visit("#import")
	b.click("Paste an address")
	b.fill("Address that begins with otpauth://", address)
	b.click("Add")
}

// agrees waits until the page shows oathtool's code. The page draws a new step
// within a second of it, and the step may change while it is waited for.
func (b *tab) agrees(name string, args ...string) {
	b.t.Helper()
	var got, want string
	for range 3 {
		want = oathtool(b.t, args...)
		same, err := b.becomes(shownCode(name)+` === `+quote(want), 30*time.Second)
		if err != nil {
			b.t.Fatal(err)
		}
		if same {
			return
		}
		got = b.code(name)
	}
	b.t.Errorf("%s: the page shows %s, oathtool says %s", name, got, want)
}

const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// kept waits until the service worker keeps the page. One that the browser was
// still loading when the worker began is its own from the next visit on.
func (b *tab) kept() {
	b.t.Helper()
	b.want(`navigator.serviceWorker.ready.then((r) => r.active?.state === "activated")`)
	if !get[bool](b, `!!navigator.serviceWorker.controller`) {
		b.visit("")
		b.want(`!!navigator.serviceWorker.controller`)
	}
}

// Codes of every kind are oathtool's, and are shown when there is no network;
// what can approve comes back with it.
func TestCodesWithoutANetwork(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url)
	h.activated(t, b)
	kinds := map[string][]string{}
	for _, hash := range []string{"SHA1", "SHA256", "SHA512"} {
		for _, digits := range []string{"6", "8"} {
			name := hash + " of " + digits
			b.paste(fmt.Sprintf("otpauth://totp/%s?secret=%s&algorithm=%s&digits=%s&period=30", strings.ReplaceAll(name, " ", "%20"), seed, hash, digits))
			b.sees(name)
			kinds[name] = []string{"--totp=" + hash, "-d", digits, seed}
		}
	}
	b.paste("otpauth://hotp/Counter:ada?secret=" + seed + "&counter=41")
	b.sees("Counter")
	b.kept()
	h.down()
	b.visit("")
	b.expect = []string{"net::ERR_"} // of the engine, which is not there
	for name, args := range kinds {
		b.agrees(name, args...)
	}
	for counter := 41; counter < 44; counter++ {
		b.click("Next code of ada")
		want := oathtool(t, "--hotp", "-c", fmt.Sprint(counter), seed)
		b.want(`document.body.innerText.includes(` + quote(want[:3]+" "+want[3:]) + `)`)
	}
	b.sees("No connection: codes still work")
	h.up(t)
	b.sees("Ready to approve sign-ins")
	c := h.ask(t, false)
	b.sees("Are you signing in?")
	b.settled()
	h.down()
	b.click("Approve")
	b.sees("did not get through")
	h.up(t)
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("%+v", d)
	}
	b.quiet()
}

// The account and its keys survive the browser, and no script can read a key.
func TestRestartKeepsAccounts(t *testing.T) {
	t.Parallel()
	h := build(t)
	path := peer.Path(t, "chromium", "chromium")
	profile, err := os.MkdirTemp("", "mfa-app-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) }) // a browser that has ended may write there still, which t.TempDir does not bear
	launch := func() (*tab, func()) {
		allocated, end := chromedp.NewExecAllocator(context.Background(), options(path, profile)...)
		ctx, _ := chromedp.NewContext(allocated)
		stop := sync.OnceFunc(func() { _ = chromedp.Cancel(ctx); end() })
		t.Cleanup(stop)
		return start(t, ctx, h.url), stop
	}
	b, stop := launch()
	h.activated(t, b)
	b.paste("otpauth://totp/Contoso:ada?secret=" + seed)
	b.sees("Contoso")
	b.kept()
	b.do(chromedp.Reload())
	b.sees("Ready to approve sign-ins")
	for _, leak := range []string{"crypto.subtle.exportKey('pkcs8', a.key)", "crypto.subtle.exportKey('jwk', a.key)"} {
		if get[bool](b, `import("/authenticator/vault.js").then(async (v) => { const [a] = await v.accounts(); return `+leak+`.then(() => true, () => false); })`) {
			t.Errorf("%s gives the key away", leak)
		}
	}
	if text := get[string](b, `import("/authenticator/vault.js").then(async (v) => JSON.stringify(await v.accounts(), (k, x) => x instanceof ArrayBuffer ? btoa(String.fromCharCode(...new Uint8Array(x))) : x))`); strings.Contains(text, seed) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("12345678901234567890"))) {
		t.Errorf("a secret lies open: %s", text)
	}
	stop()
	b, _ = launch()
	b.sees("Ready to approve sign-ins")
	b.agrees("ada\n", "--totp", seed)
	c := h.ask(t, false)
	h.approves(t, b, c)
	b.quiet()
}

// A clock that is minutes off is said, and costs nothing while the engine can
// be asked.
func TestClockOfTheDevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	for _, minutes := range []int{-7, 26} {
		b := open(t, h.url, fmt.Sprintf(`{ const now = Date.now.bind(Date); Date.now = () => now() + %d; }`, minutes*60_000))
		b.expect = []string{"401"} // what was signed by the wrong clock
		h.activated(t, b)
		b.visit("")
		b.sees("Ready to approve sign-ins")
		c := h.ask(t, false)
		h.approves(t, b, c)
		b.click("Done")
		b.sees(fmt.Sprintf("%d min off", max(minutes, -minutes)))
		b.quiet()
	}
}

// full makes the store of the browser refuse what is put into it, as one does
// that has no room left.
const full = `{ const put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function (value) {
  if (window.noRoom) { throw new DOMException("full", "QuotaExceededError"); }
  return put.call(this, value);
}; }`

// Where there is no room, nothing is used up: the code is good for later.
func TestFullStorage(t *testing.T) {
	t.Parallel()
	h := build(t)
	code := h.code(t)
	b := open(t, h.url, full)
	b.visit("#user=" + ada + "&code=" + code)
	get[bool](b, `window.noRoom = true`)
	b.click("Activate")
	b.sees("no room left")
	b.visit("#import")
	get[bool](b, `window.noRoom = true`)
	b.click("Paste an address")
	b.fill("Address that begins with otpauth://", "otpauth://totp/Contoso:ada?secret="+seed)
	b.click("Add")
	b.sees("no room left")
	b.visit("#user=" + ada + "&code=" + code)
	b.click("Activate")
	b.sees("This device is ready")
	b.visit("")
	b.sees("Ready to approve sign-ins")
	if n := get[int](b, `document.querySelectorAll(".card").length`); n != 1 {
		t.Errorf("%d accounts", n)
	}
	b.quiet()
}

// A browser that keeps nothing, as some do in private windows, is no
// authenticator, and says so.
func TestNoStorage(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url, `IDBFactory.prototype.open = function () { throw new DOMException("no", "SecurityError"); };`)
	b.sees("This browser keeps nothing for this page")
	b.quiet()
	b = open(t, b.base, `IDBFactory.prototype.open = window.BroadcastChannel = function () { throw new DOMException("no", "SecurityError"); };`)
	b.sees("This browser keeps nothing for this page")
	b.quiet()
	b = open(t, b.base, `Object.defineProperty(window, "isSecureContext", { value: false });`)
	b.sees("Open the page with https")
	b.quiet()
}

// A device that loses its network says so at once, and not when its connection
// has been silent for long.
func TestLostNetworkIsSaid(t *testing.T) {
	t.Parallel()
	h := build(t)
	var gone atomic.Bool
	h.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if gone.Load() && strings.HasSuffix(r.URL.Path, "/events") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	}
	b := open(t, h.url)
	h.activated(t, b)
	b.expect = []string{"502"}
	gone.Store(true) // the stream that stands goes on, as one does that nobody has told
	get[bool](b, `(dispatchEvent(new Event("offline")), true)`)
	b.sees("No connection: codes still work")
	gone.Store(false)
	get[bool](b, `(dispatchEvent(new Event("online")), true)`)
	b.sees("Ready to approve sign-ins")
	b.quiet()
}

// A page whose files do not arrive says so after a while, in both languages.
func TestPageThatDoesNotLoad(t *testing.T) {
	t.Parallel()
	h := build(t)
	var gone atomic.Bool
	h.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if gone.Load() && strings.HasSuffix(r.URL.Path, "/words.js") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	}
	b := open(t, h.url)
	b.kept()
	get[bool](b, `navigator.serviceWorker.ready.then(async (r) => { await r.unregister(); for (const name of await caches.keys()) { await caches.delete(name); } return true; })`)
	gone.Store(true)
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.base+"/authenticator"))
	begin := `(document.getAnimations().forEach((a) => { a.pause(); a.currentTime = 0; }), document.body.innerText)` // a busy machine may be past it
	if text := get[string](b, begin); strings.Contains(text, "does not load") {
		t.Errorf("at once it says %s", text)
	}
	get[bool](b, `(document.getAnimations().forEach((a) => a.finish()), true)`)
	b.sees("The page does not load.")
	b.sees("Die Seite lädt nicht.")
}

// A browser without JavaScript says that, and not that the network is to blame.
func TestPageWithoutJavaScript(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.base+"/authenticator"))
	b.sees("needs JavaScript")
	if get[string](b, `getComputedStyle(document.querySelector(".late")).display`) != "none" {
		t.Error("the page will say that it does not load, too")
	}
}

// Codes are used once, whatever way they come; what is refused says so.
func TestActivationCodes(t *testing.T) {
	t.Parallel()
	h := build(t)
	code := h.code(t)
	b := open(t, h.url)
	b.expect = []string{"403", "400"}
	b.visit("#user=" + ada + "&code=" + code)
	b.want(`!location.href.includes("code")`)
	if entries := get[string](b, `JSON.stringify([history.state, location.href, performance.getEntriesByType("resource").map((r) => r.name)])`); strings.Contains(entries, code) {
		t.Errorf("the code is left in %s", entries)
	}
	b.fill("Activation code", "abcd-efgh-jkmn")
	b.click("Activate")
	b.sees("The code is not right, was used, or is too old")
	b.fill("Activation code", h.url+"/authenticator#user="+ada+"&code="+strings.ToUpper(strings.ReplaceAll(code, "-", "")))
	b.click("Activate")
	b.sees("This device is ready")
	b.visit("#user=" + ada + "&code=" + code)
	b.click("Activate")
	b.sees("The code is not right, was used, or is too old")
	b.visit("#activate")
	b.fill("Activation code", "https://engine.other.example/authenticator#user=ada&code=abcd-efgh-jkmn")
	b.sees("This code is for the address engine.other.example")
	b.visit("#user=%3Cimg%20src=x%3E&code=%22%3E%3Cscript%3E1%3C/script%3E")
	b.click("Activate")
	b.sees("The code is not right")
	b.visit("#import")
	b.click("Paste an address")
	for address, says := range map[string]string{
		"https://contoso.example":                             "does not begin with otpauth://",
		"otpauth://steam/x?secret=" + seed:                    "kind “steam”",
		"otpauth://totp/x?secret=1189":                        "missing or damaged",
		"otpauth://totp/x":                                    "does not begin",
		"otpauth://totp/x?secret=" + seed + "&digits=7":       "“digits”",
		"otpauth://totp/x?secret=" + seed + "&period=0":       "“period”",
		"otpauth://totp/x?secret=" + seed + "&algorithm=MD5":  "Codes made with MD5",
		"otpauth://totp/x?secret=" + seed + "&secret=" + seed: "has “secret” twice",
		"otpauth://totp/%E0?secret=" + seed:                   "is damaged",
		"otpauth://hotp/x?secret=" + seed + "&counter=1e400":  "“counter”",
	} {
		b.fill("Address that begins with otpauth://", address)
		b.click("Add")
		b.sees(says)
	}
	b.quiet()
}

// Addresses that name nothing lead somewhere, and none of them does anything.
func TestStrangeAddresses(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	for fragment, says := range map[string]string{"#none": "Welcome", "#account": "not on this device", "#account?id=__proto__": "not on this device", "#__proto__": "Welcome", "#constructor?user=x": "Welcome",
		"#?&&&=": "Welcome", "#%E0%A4%A": "Welcome", "#ready?id=x": "This device is ready", "#user=%E0%A4%A": "Sign in to activate", "#user=": "Sign in to activate"} {
		b.visit(fragment)
		b.sees(says)
	}
	b.quiet()
}

// The browser takes the page for one that can be installed.
func TestInstallable(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	b.kept()
	manifest, err := chromedp.Call(b.ctx, page.GetAppManifest, page.GetAppManifestParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range manifest.Errors {
		t.Errorf("the manifest: %s", e.Message)
	}
	if !strings.HasSuffix(manifest.URL, "/authenticator/manifest.webmanifest") || !strings.Contains(manifest.Data, `"standalone"`) {
		t.Errorf("the manifest is %s: %s", manifest.URL, manifest.Data)
	}
	install, err := chromedp.Call(b.ctx, page.GetInstallabilityErrors, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range install.InstallabilityErrors {
		if e.ErrorID != "in-incognito" { // as all profiles of these tests are
			t.Errorf("the page cannot be installed: %s", e.ErrorID)
		}
	}
	b.quiet()
}
