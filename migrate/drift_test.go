package migrate_test

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// A generator whose clock is further off than the target makes up for moves,
// and neither counts nor becomes the default before the target knows its clock.
func TestClockOff(t *testing.T) {
	off := func(steps int, change func(*world)) func(*world) {
		return func(w *world) {
			tokenRow(w)
			w.caps.OATH.MaxDrift = 2
			tok := token("S1", "12345678901234567890")
			tok.Drift = steps
			w.row.Tokens = []legacy.Token{tok}
			if change != nil {
				change(w)
			}
		}
	}
	adds := "add hardwareOath none -> S1/Acme T1"
	run(t, []rule{
		{name: "within", given: off(-2, nil), changes: []string{adds, byOATH}, outlook: migrate.Works},
		{name: "ahead", given: off(3, nil), changes: []string{adds}, findings: []migrate.Code{migrate.ClockOff, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "behind", given: off(-3, nil), changes: []string{adds}, findings: []migrate.Code{migrate.ClockOff, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "beside a telephone", given: off(900, func(w *world) { w.row.Phone = phone("2079460001") }), changes: []string{mobile1, adds, bySMS},
			findings: []migrate.Code{migrate.ClockOff, migrate.DefaultMethodChanged}, outlook: migrate.Works},
		{name: "there already", given: off(900, func(w *world) {
			w.user.OATH = []cloud.OATHEntry{entry("e1", "S1", "12345678901234567890")}
		}), changes: []string{byOATH}, outlook: migrate.Works},
		{name: "an app", given: off(900, func(w *world) {
			app := device("Phone", "12345678901234567890", 0)
			app.Drift = -900
			w.row.Tokens, w.row.Devices, w.row.Mode = nil, []legacy.Device{app}, legacy.ModeOathToken
		}), changes: []string{"add softwareOath none -> " + fingerprintSerial("12345678901234567890") + "/Phone", "add authenticator none -> invited"},
			findings: []migrate.Code{migrate.ClockOff, migrate.PushNeedsActivation, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
	})
	for steps, want := range map[int]int{2: 2, 3: 0} { // more would be refused
		for _, c := range (rule{given: off(steps, nil)}).decide(t).Changes {
			if c.After.OATH != nil && c.After.OATH.Drift != want {
				t.Errorf("%d steps are written as %d", steps, c.After.OATH.Drift)
			}
		}
	}
}
