package migrate_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestNumbersOfTheDirectory(t *testing.T) {
	before, after := exported.Add(-time.Hour), exported.Add(time.Hour)
	for _, c := range []struct {
		name    string
		phones  []string
		policy  migrate.PhonePolicy
		unsync  bool
		none    bool // the row has no number
		row, in time.Time
		number  string
		code    migrate.Code
	}{
		{name: "in step", phones: []string{"+44 20 7946 0009", "020 7946 0001"}, policy: migrate.PhonesDirectory, number: "+44 2079460001"},
		{name: "export", phones: []string{"+44 20 7946 0009"}, number: "+44 2079460001", code: migrate.PhoneDiffersFromDirectory},
		{name: "export, which has none", none: true, phones: []string{"+44 20 7946 0009"}, code: migrate.PhoneDiffersFromDirectory},
		{name: "directory", phones: []string{"+44 20 7946 0009", "+44 20 7946 0008"}, policy: migrate.PhonesDirectory, number: "+44 2079460009", code: migrate.PhoneFromDirectory},
		{name: "directory, the export has none", none: true, phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesDirectory, number: "+44 2079460009", code: migrate.PhoneFromDirectory},
		{name: "directory, the first that can be read", phones: []string{"desk", "+44 20 7946 0009"}, policy: migrate.PhonesDirectory, number: "+44 2079460009", code: migrate.PhoneFromDirectory},
		{name: "directory, none that can be read", phones: []string{"desk"}, policy: migrate.PhonesDirectory, number: "+44 2079460001", code: migrate.PhoneDiffersFromDirectory},
		{name: "directory, which has none", policy: migrate.PhonesDirectory, number: "+44 2079460001"},
		{name: "directory, not kept in step", unsync: true, phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesDirectory, number: "+44 2079460001"},
		{name: "newest: the directory", phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesNewest, row: before, in: after, number: "+44 2079460009", code: migrate.PhoneFromDirectory},
		{name: "newest: the export", phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesNewest, row: after, in: before, number: "+44 2079460001", code: migrate.PhoneDiffersFromDirectory},
		{name: "newest: at once", phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesNewest, row: after, in: after, number: "+44 2079460001", code: migrate.PhoneDiffersFromDirectory},
		{name: "newest: not known", phones: []string{"+44 20 7946 0009"}, policy: migrate.PhonesNewest, in: after, number: "+44 2079460001", code: migrate.PhoneDiffersFromDirectory},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := row("ada", 1)
			u.KeepPhoneSynchronized, u.LastChanged = !c.unsync, c.row
			if c.none {
				u.Phone.Number = ""
			}
			dir := &people{entries: []dirEntry{{migrate.Person{ID: "cn=ada", Domain: "CORP", Name: "a@contoso.example", Phones: c.phones, Changed: c.in}, "ada", "", ""}}}
			out := planWith(t, migrate.Options{People: dir, Phones: c.policy}, []legacy.User{u}, person("A", "a@contoso.example", ""))
			d := out.decisions[0]
			got := ""
			for _, change := range d.Changes {
				if change.Method == "mobile" {
					got = change.After.Text
				}
			}
			if got != c.number {
				t.Errorf("number %q, want %q", got, c.number)
			}
			var codes []migrate.Code
			for _, f := range d.Findings {
				if f.Code == migrate.PhoneDiffersFromDirectory || f.Code == migrate.PhoneFromDirectory {
					codes = append(codes, f.Code)
				}
				if strings.Contains(f.Detail, "7946") {
					t.Errorf("a number stands in the clear: %s", f.Detail)
				}
			}
			if c.code == "" && len(codes) > 0 || c.code != "" && (len(codes) != 1 || codes[0] != c.code) {
				t.Errorf("findings %v, want %q", codes, c.code)
			}
		})
	}
}
