package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"mfabridge/cloud/engine"
)

// pale finds texts that are too pale for their ground (WCAG 2, 1.4.3 AA: 4.5 to
// 1) or stand letter below letter, and what is too small to be touched (2.5.8 AA: 24 pixels; we want 40).
const pale = `(() => {
  const rgb = (s) => { const m = s.match(/[\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m; };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, k, i) => { const v = c[i] / 255; return sum + k * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const bad = [], front = document.querySelector("dialog[open]") ?? document.body;
  for (const e of front.querySelectorAll("*")) {
    if (!e.checkVisibility() || e.closest(".unseen")) { continue; }
    if (e.matches("button, a, input, select, summary, .button")) {
      const box = e.getBoundingClientRect();
      if (box.height < 40 || box.width < 40) { bad.push("small: " + Math.round(box.width) + "x" + Math.round(box.height) + " " + e.outerHTML.slice(0, 80)); }
    }
    if (!Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.textContent.trim())) { continue; }
    const size = parseFloat(getComputedStyle(e).fontSize), room = e.getBoundingClientRect();
    if (room.width < 3 * size && room.height > 5 * size) { bad.push("squeezed: " + Math.round(room.width) + "x" + Math.round(room.height) + " " + e.textContent.slice(0, 40)); }
    let ground = null;
    for (let p = e; p && !ground; p = p.parentElement) { ground = rgb(getComputedStyle(p).backgroundColor); }
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground ?? [255, 255, 255]);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) { bad.push("pale: " + ratio.toFixed(2) + " " + e.textContent.slice(0, 40)); }
  }
  for (const e of front.querySelectorAll("input, select, textarea")) {
    if (!e.labels?.length) { bad.push("no label: " + e.outerHTML.slice(0, 80)); }
    if (e.matches(".digits")) { // what is typed is seen whole
      const typed = e.value;
      e.value = "0".repeat(Math.min(e.maxLength, 6));
      if (e.scrollWidth > e.clientWidth) { bad.push("cut off: " + e.id); }
      e.value = typed;
    }
  }
  for (const e of front.querySelectorAll("a[aria-label], button[aria-label]")) { // what is seen is said by whoever speaks to the page (WCAG 2, 2.5.3)
    const seen = e.checkVisibility() && e.innerText?.trim() || "";
    if (/\p{L}/u.test(seen) && !e.getAttribute("aria-label").includes(seen)) { bad.push("another name: " + seen + ", " + e.getAttribute("aria-label")); }
  }
  if (!/^(\(\d+\) )?(.+ – )?Authenticator$/.test(document.title) || location.hash.length > 1 && !document.title.includes(document.querySelector("main h1").textContent)) { bad.push("title: " + document.title); }
  for (const e of front.querySelectorAll("button, a")) {
    if (!e.textContent.trim() && !e.getAttribute("aria-label")) { bad.push("no name: " + e.outerHTML.slice(0, 80)); }
  }
  return bad;
})()`

// inspect looks at what is shown in every width and colour scheme. With
// MFABRIDGE_LOOK, a folder, pictures of all of it go there.
func (b *tab) inspect(name string) {
	b.t.Helper()
	for _, width := range []int64{1280, 390, 320, 180} { // the last one is a small telephone that shows everything twice as large
		for _, scheme := range []string{"dark", "light"} {
			if width < 320 && scheme == "dark" {
				continue // it is as wide as by day
			}
			b.look(width, scheme)
			if got := get[int64](b, `document.documentElement.scrollWidth`); got > width {
				b.t.Errorf("%s, %d wide: the page is %d wide", name, width, got)
			}
			for _, bad := range get[[]string](b, pale) {
				b.t.Errorf("%s, %d wide, %s: %s", name, width, scheme, bad)
			}
			if folder := os.Getenv("MFABRIDGE_LOOK"); folder != "" {
				b.picture(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)))
			}
		}
	}
	b.look(390, "light")
}

func (b *tab) picture(path string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// shown is a picture of docs/authenticator.md: MFABRIDGE_UPDATE_DOCS writes it.
func (b *tab) shown(name string) {
	b.t.Helper()
	path := filepath.Join("..", "..", "..", "..", "docs", "pictures", "authenticator-"+name+".png")
	if os.Getenv("MFABRIDGE_UPDATE_DOCS") != "" {
		b.look(390, "light")
		b.picture(path)
	}
	if _, err := os.Stat(path); err != nil {
		b.t.Errorf("a picture of the manual is missing: %v", err)
	}
}

const example = "otpauth://totp/Contoso%20Payroll:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Contoso%20Payroll&digits=6&period=30"

// Every page is readable, wide enough and labelled, on telephones and desktops,
// by day and by night.
func TestReadableOnEveryScreen(t *testing.T) {
	h := build(t)
	b := open(t, h.url)
	b.inspect("welcome")
	b.shown("welcome")
	b.click("Add an account")
	b.sees("I was invited by my organisation")
	b.inspect("add")
	pass := h.pass(t)
	b.visit("#user=" + ada)
	b.inspect("invite")
	b.shown("invite")
	b.click("I have a pass from the helpdesk")
	b.fill("Pass", pass)
	b.inspect("pass")
	b.click("Next")
	b.sees("You are signed in")
	b.click("Use another device")
	b.inspect("proven")
	b.visit("#user=" + ada + "&code=abcd-efgh-jkmn")
	b.inspect("activate")
	b.shown("activate")
	h.activated(t, b)
	b.visit("#import")
	b.inspect("import")
	b.click("Paste an address")
	b.fill("Address that begins with otpauth://", example)
	b.click("Add")
	b.sees("Contoso Payroll")
	b.inspect("home")
	b.shown("home")
	c := h.ask(t, true)
	b.sees("Are you signing in?")
	b.inspect("number")
	b.shown("number")
	b.click("This is not me: report it")
	b.inspect("report")
	b.shown("report")
	b.click("Back")
	b.settled()
	b.fill("Number that the sign-in shows", c.Number)
	b.click("Approve")
	b.sees("You can continue")
	b.inspect("approved")
	b.shown("approved")
	b.click("Done")
	b.click("Details of " + ada)
	b.sees("Recent answers")
	b.inspect("account")
	b.click(checkNow)
	b.sees(arrived)
	b.shown("reach")
	get[bool](b, `(Array.from(document.querySelectorAll("h2")).find((e) => e.innerText === "Your devices").scrollIntoView(), true)`)
	b.shown("devices")
	b.click("Rename")
	b.inspect("device")
	b.visit("#settings")
	b.inspect("settings")
	b.visit("#manage")
	b.inspect("manage")
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.PIN = true }); err != nil {
		t.Fatal(err)
	}
	b.visit("")
	c = h.ask(t, false)
	b.sees("Choose one for this device")
	b.inspect("new-pin")
	if size := get[string](b, `(document.documentElement.style.fontSize = "200%", getComputedStyle(document.body).fontSize)`); size != "34px" {
		t.Errorf("whoever has set larger letters in the browser reads %s", size)
	}
	b.quiet()
}
