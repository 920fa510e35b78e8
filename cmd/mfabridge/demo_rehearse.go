package main

import (
	"os"

	"mfabridge/fixtures"
)

// rehearse is the move to Entra ID on a store that takes only what Entra's
// programming interface can create, wave by wave, and back again.
func (d *demo) rehearse() error {
	d.title("5. The move to Microsoft Entra ID, rehearsed and taken back")
	d.say("A store can rehearse a tenant: it takes what Graph can write, and refuses the rest. Here are its people.\n")
	if err := os.WriteFile(d.path("tenant.csv"), fixtures.Tenant(), 0o600); err != nil {
		return err
	}
	for _, step := range []struct {
		words []string
		lines int
		say   string
	}{
		{[]string{"engine", "init", "--store", "sqlite:@tenant.db", "--as", "entra"}, 1, ""},
		{[]string{"engine", "user", "import", "@tenant.csv", "--to", "sqlite:@tenant.db", "--reason", "rehearsal"}, 1, ""},
		{[]string{"plan", "@contoso", "--to", "sqlite:@tenant.db", "--default-country", "US", "--wave", "pilot=group:vpn-pilot",
			"--wave", "rest=100%", "-o", "@tenant.plan"}, 14, ""},
		{[]string{"apply", "@tenant.plan", "--wave", "pilot", "--rate", "500/s"}, 6, "Nobody just goes on working: Microsoft's own texts and calls end, and no public text says that an application may\n" +
			"activate a token there. The report names the date and the next step of each person. Now the pilot:"},
		{[]string{"check", "@tenant.plan", "--combined"}, 8, ""},
		{[]string{"apply", "@tenant.plan", "--rate", "500/s"}, 6, "Then everybody. Without --rate it would go at the tenant's pace:"},
		{[]string{"check", "@tenant.plan"}, 4, ""},
		{[]string{"undo", "@tenant.plan", "--rate", "500/s"}, 4, "And back: what apply changed is put back where it is still as apply left it."},
	} {
		if step.say != "" {
			d.say("\n%s\n", step.say)
		}
		text, err := d.command(exitDone, step.words...)
		d.print(withoutProgress(text), step.lines)
		if err != nil {
			return err
		}
	}
	return nil
}
