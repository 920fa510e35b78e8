package migrate_test

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// What undo could not put back is marked, whatever the kind of change.
func TestIrreversible(t *testing.T) {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	for _, c := range []struct {
		name   string
		given  func(*world)
		method cloud.Method
		want   bool
	}{
		{"add", nil, cloud.Mobile, false},
		{"add where nothing is deleted", func(w *world) { w.caps.Methods[cloud.Mobile] = cloud.Access{Create: true, Update: true} }, cloud.Mobile, true},
		{"replace", func(w *world) { w.user.Mobile, w.opt.Existing = "+44 2079460009", migrate.ExistingReplace }, cloud.Mobile, false},
		{"replace where nothing is deleted", func(w *world) {
			w.user.Mobile, w.opt.Existing = "+44 2079460009", migrate.ExistingReplace
			w.caps.Methods[cloud.Mobile] = cloud.Access{Update: true}
		}, cloud.Mobile, false},
		{"set a default", nil, cloud.DefaultMethod, false},
		{"set a default that cannot be taken back", func(w *world) { w.caps.DefaultMethod = cloud.Access{Create: true, Update: true} }, cloud.DefaultMethod, true},
		{"change a default that cannot be taken back", func(w *world) {
			w.caps.DefaultMethod = cloud.Access{Create: true, Update: true}
			w.user.Default, w.opt.DefaultMethod = cloud.VoiceMobile, migrate.DefaultAlways
		}, cloud.DefaultMethod, false},
		{"change a default that the target would not take again", func(w *world) {
			w.user.Default, w.opt.DefaultMethod = "passkey", migrate.DefaultAlways
		}, cloud.DefaultMethod, true},
		{"block", func(w *world) { w.row.Blocked = true }, cloud.Blocked, false},
		{"create", func(w *world) { w.user = nil }, cloud.Account, false},
		{"names", func(w *world) { w.row.Username = `CONTOSO\ada` }, cloud.Account, false},
		{"rename a generator", func(w *world) {
			w.row.Tokens = []legacy.Token{token("S1", "12345678901234567890")}
			e := entry("e1", "S1", "12345678901234567890")
			e.Name = "old"
			w.user.OATH = []cloud.OATHEntry{e}
		}, cloud.HardwareOATH, false},
		{"add a generator that cannot be deleted", func(w *world) {
			w.row.Tokens = []legacy.Token{token("S1", "12345678901234567890")}
			w.caps.Methods[cloud.HardwareOATH] = cloud.Access{Create: true}
		}, cloud.HardwareOATH, true},
		{"invite", func(w *world) { w.row.PhoneAppActivated = true }, cloud.Authenticator, false},
		{"invite again", func(w *world) {
			w.row.PhoneAppActivated, w.opt.Reinvite = true, true
			w.caps.Methods[cloud.Authenticator] = all
			w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "a", State: "expired"}}
		}, cloud.Authenticator, false},
	} {
		found := false
		for _, change := range (rule{given: c.given}).decide(t).Changes {
			if change.Method == c.method {
				found = true
				if change.Irreversible != c.want {
					t.Errorf("%s: %s is irreversible: %v", c.name, line(change), change.Irreversible)
				}
			}
		}
		if !found {
			t.Errorf("%s: there is no change of %s", c.name, c.method)
		}
	}
}
