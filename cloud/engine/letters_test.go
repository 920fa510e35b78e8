package engine_test

import (
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// TestNamesOfEveryScript: a name is one person's, however it is typed.
func TestNamesOfEveryScript(t *testing.T) {
	h := build(t)
	add := func(upn, alias string) cloud.Result {
		return h.Write(t.Context(), []cloud.Change{{UPN: upn, Op: cloud.Add, Method: cloud.Account,
			After: cloud.Value{Profile: &cloud.Profile{UPN: upn, DisplayName: "می\u200cجان 👩\u200d💻", Aliases: []string{alias}, Enabled: true}}}})[0]
	}
	for i, names := range [][]string{{"می\u200cنا", "مینا"}, {"nguye\u0302\u0303n", "nguyễn", "NGUYỄN"}, {"क्\u200dष", "क्ष"}, {"\u1100\u1175\u11b7", "김"}, {"straße", "STRASSE"}} {
		first := add(strings.Repeat("a", i+1)+"@contoso.example", names[0])
		if first.Err != nil {
			t.Errorf("%q: %v", names[0], first.Err)
			continue
		}
		for _, name := range names {
			hits, err := h.Find(t.Context(), []cloud.Key{{Kind: cloud.ByName, Value: name}})
			if err != nil || len(hits[0]) != 1 {
				t.Errorf("%q leads to %v, %v", name, hits, err)
			}
			if r := add("other@contoso.example", name); cloud.KindOf(r.Err) != cloud.Conflict {
				t.Errorf("%q is taken for somebody else, too: %v", name, r.Err)
			}
		}
	}
	for _, name := range []string{"a\u200dda", "ada\u202e", "ada\u3164", "ada\ufe0f"} {
		if r := add("other@contoso.example", name); cloud.KindOf(r.Err) != cloud.Invalid {
			t.Errorf("%q is taken: %v", name, r.Err)
		}
	}
}

// TestDigitsOfEveryScript: a code counts as it is read, and once.
func TestDigitsOfEveryScript(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	code := string(h.shows(1, 0).Reveal())
	for i, zero := range []rune{'۰', '0', '０'} {
		typed := strings.Map(func(r rune) rune { return r - '0' + zero }, code)
		c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Client: cloud.Client{App: "vpn"}, Tries: 2})
		if err != nil {
			t.Fatal(err)
		}
		d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(typed)})
		if err != nil || i == 0 && d.State != cloud.Approved || i > 0 && d.Reason != cloud.UsedCode {
			t.Errorf("%s: %+v, %v", typed, d, err)
		}
	}
}
