package app_test

import (
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Long names, and those of other scripts, make no page wider than it is; a name
// that the engine would refuse is told at its control.
func TestNamesOfAllKinds(t *testing.T) {
	t.Parallel()
	h := build(t)
	long := strings.Repeat("averylongname", 5) + "@department-of-administrative-affairs.contoso.example"
	var err error
	if h.user, err = h.engine.AddUser(t.Context(), operator, cloud.Profile{UPN: long, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	pass := h.pass(t)
	made, err := h.engine.ProvePass(t.Context(), long, secret.FromString(pass), engine.ForActivation, cloud.Client{})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, h.url)
	b.visit("#user=" + long + "&code=" + string(made.Code.Reveal()))
	b.fill("Name of this device", strings.Repeat("\u5b66", 64))
	b.click("Activate")
	b.sees("This name is too long")
	const family, arabic = "\U0001F469\u200D\U0001F469\u200D\U0001F467", "\u0647\u0627\u062a\u0641"
	b.fill("Name of this device", arabic+" "+family+" "+strings.Repeat("W", 50))
	b.click("Activate")
	b.sees("This device is ready")
	b.click("To your accounts")
	b.sees("Ready to approve sign-ins")
	b.inspect("names")
	b.click("Details of " + long)
	b.sees(arabic)
	b.inspect("names-account")
	b.click("Back")
	if _, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3, ShowsNumber: true,
		Client: cloud.Client{App: strings.Repeat("Gateway", 18), Station: strings.Repeat("f", 100)}}); err != nil {
		t.Fatal(err)
	}
	b.sees("Are you signing in?")
	if get[float64](b, `document.querySelector("dialog").scrollTop`) != 0 {
		t.Error("who signs in where is above what is seen")
	}
	b.inspect("names-sheet")
	b.settled()
	b.click("Decide later")
	b.sees("is waiting")
	b.inspect("names-aside")
	b.quiet()
}
