package config_test

import (
	"fmt"
	"strings"
	"testing"

	"mfabridge/shim/config"
)

// What the YAML parser would take minutes or all memory for is refused before
// it sees it: each of these is as large as a configuration may be.
func TestHostileShapesAreRefused(t *testing.T) {
	full := func(s string) string { return strings.Repeat(s, config.MaxFile/len(s)) }
	half := func(s string) string { return strings.Repeat(s, config.MaxFile/2/len(s)) }
	manyKeys := new(strings.Builder)
	for i := 0; manyKeys.Len() < config.MaxFile-20; i++ {
		fmt.Fprintf(manyKeys, "key%d: 1\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"brackets":          {full("["), "more than"},
		"fewer brackets":    {strings.Repeat("[", 1000), "nested too deep"},
		"braces":            {strings.Repeat("{a: ", 1000), "nested too deep"},
		"brackets in texts": {strings.Repeat(`["]", `, 1000), "nested too deep"},
		"lists in lists":    {strings.Repeat("- ", 1000), "nested too deep"},
		"indented keys":     {"a:\n" + strings.Repeat(" ", 100) + "b: 1\n", "nested too deep"},
		"a long key":        {half("k") + ":\n" + strings.Repeat("  a: 1\n", 1000), "too long"},
		"a quoted long key": {`"` + half("k") + "\":\n" + strings.Repeat("  a: 1\n", 1000), "too long"},
		"a complex key":     {"? " + half("k") + "\n: 1\n", "complex keys"},
		"anchors":           {"a: &a [1]\n", "anchors"},
		"aliases":           {"a: *a\n", "anchors"},
		"merge keys":        {"<<: {a: 1}\n", "anchors"},
		"tags":              {"a: !!binary aGk=\n", "anchors"},
		"directives":        {"%YAML 1.2\n---\na: 1\n", "anchors"},
		"many keys":         {manyKeys.String(), "more than"},
	} {
		_, _, err := config.Parse([]byte(c.text), "hostile.yaml", t.TempDir())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v, want %q", name, err, c.want)
		}
	}
}
