package main

import "testing"

// shim why finds a person by each of the spellings that the shim takes for one
// name, and by no other.
func TestNamesOfEvents(t *testing.T) {
	for _, c := range []struct {
		user, asked string
		found       bool
	}{
		{`CORP\Ada`, "ada", true},
		{"ada@contoso.example", "ADA", true},
		{"straße@contoso.example", "STRASSE@contoso.example", true},
		{"m\u06cc\u200c\u0646@contoso.example", "m\u06cc\u0646@contoso.example", true}, // a joiner
		{"jose\u0301@contoso.example", "jos\u00e9", true},
		{"jose@contoso.example", "jos\u00e9", false},
		{"ada@contoso.example", "ad", false},
		{"", "", false},
	} {
		if e := (event{fields: map[string]any{"user": c.user}}); e.isOf(c.asked) != c.found {
			t.Errorf("%q asked for as %q: found %v", c.user, c.asked, !c.found)
		}
	}
}
