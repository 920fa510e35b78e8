package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// pageTab is the Authenticator in Chromium.
type pageTab struct {
	t   *testing.T
	ctx context.Context
}

func newPageTab(t *testing.T, address string) pageTab {
	t.Helper()
	// Its profile is in a folder that it takes away itself: a browser that has ended
	// may write there still, which t.TempDir does not bear.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(peer.Path(t, "chromium", "chromium")), chromedp.NoSandbox,
		chromedp.IgnoreCertErrors, chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, stop := context.WithTimeout(t.Context(), 2*giveUp)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := pageTab{t, ctx}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	return b
}

// act runs JavaScript again and again until it is true.
func (b pageTab) act(expression string) {
	b.t.Helper()
	ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`new Promise((done) => { const end = Date.now() + 60000;
		const look = () => { const front = document.querySelector("dialog[open]") ?? document; let v = false; try { v = (`+expression+`); } catch { } v ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 25); };
		look(); })`, chromedp.EvalAwaitPromise))
	if err != nil || !ok {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("never true: %s, %v; the page says\n%s", expression, err, text)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

func (b pageTab) fill(label, value string) {
	b.t.Helper()
	b.act(`(() => { const c = Array.from(front.querySelectorAll("label")).find((l) => l.innerText === ` + quoted(label) + `).control; c.value = ` + quoted(value) + `; return true; })()`)
}

func (b pageTab) click(text string) {
	b.t.Helper()
	b.act(`(() => { Array.from(front.querySelectorAll("button, a")).find((e) => e.innerText === ` + quoted(text) + `).click(); return true; })()`)
}

func (b pageTab) sees(text string) {
	b.t.Helper()
	b.act(`(front.innerText ?? document.body.innerText).includes(` + quoted(text) + `)`)
}

// A person opens the invitation in a browser, signs in with the password and
// the code of the old app, and approves RADIUS logins there, which wait for it.
func TestBrowserApprovesRADIUSLogins(t *testing.T) {
	d := newDesk(t, ", push_number: true")
	must(t, exitDone, "engine", "user", "password", fixtures.Grace, "--store", d.store, "--password", "file:"+d.write(t, "grace.password", "correct horse battery"), "--reason", "test")
	b := newPageTab(t, d.engine.pages+"/authenticator#user="+fixtures.Grace)
	b.fill("Password", "correct horse battery")
	b.click("Next")
	b.sees("Type the code that your current app")
	b.fill("Code", oathtool(t, fixtures.CanaryDeviceBase32))
	b.click("Next")
	b.sees("You are signed in as " + fixtures.Grace)
	b.click("Activate")
	b.sees("This device is ready")
	b.click("To your accounts")
	b.sees("Ready to approve sign-ins")

	begin := func(password string) (number string, waits chan string) {
		shown := <-d.login(t, password, "")
		found, state := shownNumber.FindStringSubmatch(shown), stateOf.FindStringSubmatch(shown)
		if found == nil || state == nil {
			t.Fatalf("no number is shown:\n%s", shown)
		}
		return found[1], d.login(t, "", "State = "+state[1]+", ")
	}
	settled := `performance.now() - (window.came ??= performance.now()) > 600 && (delete window.came, true)`
	number, waits := begin("correct horse,push")
	b.sees("Are you signing in?")
	b.sees("198.51.100.7")
	b.act(settled)
	b.fill("Number that the sign-in shows", number)
	b.click("Approve")
	b.sees("You can continue where you are signing in.")
	if out := <-waits; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("approved in the browser:\n%s", out)
	}
	b.click("Done")

	// The engine goes while a login waits, and comes back at the same address.
	number, waits = begin("correct horse,Push")
	b.sees("Are you signing in?")
	b.act(settled)
	d.engine.kill()
	b.fill("Number that the sign-in shows", number)
	b.click("Approve")
	b.sees("The answer did not get through")
	d.engine.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", d.path("engine.yaml"))
	d.engine.begin(t)
	b.click("Approve")
	b.sees("You can continue where you are signing in.")
	if out := <-waits; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("approved over a restart of the engine:\n%s", out)
	}
	b.click("Done")

	_, waits = begin("correct horse,PUSH")
	b.sees("Are you signing in?")
	b.act(settled)
	b.click("This is not me: report it")
	b.click("Deny and report")
	b.sees("Denied and reported")
	if out := <-waits; !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("reported in the browser:\n%s", out)
	}
	if log := must(t, exitDone, "engine", "audit", "export", "--store", d.store).out; !strings.Contains(log, "user.fraud") {
		t.Errorf("the audit:\n%s", log)
	}
}
