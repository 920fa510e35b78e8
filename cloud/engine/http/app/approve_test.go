package app_test

import (
	"strings"
	"testing"

	"mfabridge/cloud"
)

func TestActivatesAndApproves(t *testing.T) {
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
	b.settled()
	b.click("Approve")
	b.sees("Type the two digits")
	b.fill("Number that the sign-in shows", c.Number)
	b.click("Approve")
	b.sees("You can go on")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Errorf("approved in the browser, and the verdict is %+v", d)
	}
	b.click("Done")
	b.want(`!document.querySelector("dialog")`)
	b.quiet()
}
