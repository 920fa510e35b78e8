package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestComplete(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"mfabridge pl", "plan"},
		{"mfabridge help pl", "plan"},
		{"mfabridge", ""},
		{"", ""},
		{"mfabridge engine policy access ", "list set remove networks"},
		{"mfabridge engine policy access set --state ", "on report off"},
		{"mfabridge engine policy set --state ", "enabled disabled"},
		{"mfabridge show --format ", "text json html csv"},
		{"mfabridge engine audit export --format=", "--format=json --format=csv --format=jsonl"},
		{"mfabridge show f --format=x", ""},
		{"mfabridge show --no-color=x --format j", "json"},
		{"mfabridge --no-color show --rev", "--reveal"},
		{"mfabridge show --reveal --rev", ""},                   // given
		{"mfabridge plan --map a=b --ma", "--map --match-file"}, // may be given again
		{"mfabridge show -- --rev", "(files 0)"},
		{"mfabridge show ", "(files 0)"},
		{"mfabridge show f ", ""},
		{"mfabridge explain f ", ""},
		{"mfabridge plan --scope ", "users: group: all"},
		{"mfabridge plan --scope users:", "(files 6)"},
		{"mfabridge plan --scope=group:", ""},
		{"mfabridge plan -o ", "(files 0)"},
		{"mfabridge plan --out=", "(files 6)"},
		{"mfabridge engine user list --engine-key ", "file: env: age:"},
		{"mfabridge engine user list --engine-key=age:me", "(files 17)"},
		{"mfabridge apply --max-users ", ""},
		{"mfabridge nonsense ", ""},
		{"mfabridge show --nonsense=", ""},
		{"mfabridge show --reason", ""},
		{`mfabridge "engine" us\er sh`, "show"},
		{"mfabridge show \xff", ""},
		{"mfabridge " + strings.Repeat("x", maxTyped), ""},
		{"mfabridge completion ", "bash zsh fish"},
		{"mfabridge __", ""},
	} {
		found := complete((&program{}).app(), c.line)
		var got []string
		for _, s := range found.words {
			got = append(got, s.word)
		}
		if found.files {
			got = append(got, fmt.Sprintf("(files %d)", found.behind))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%.60q: %s, want %s", c.line, text, c.want)
		}
	}
}

// A value that is offered stands in the help of its option, and every option
// that is named in the table has at least one.
func TestChoicesAreTrue(t *testing.T) {
	seen, app := map[string]bool{}, (&program{}).app()
	everyCommand(func(name string, c *cli.Command) {
		for _, f := range c.Flags {
			option := f.Names()[0]
			for _, s := range complete(app, name+" --"+option+"=").words {
				seen[strings.TrimPrefix(s.word, "--"+option+"=")+" of "+option] = true
			}
		}
	})
	for option, words := range choices {
		for _, word := range words {
			if !seen[word+" of "+option] {
				t.Errorf("--%s %s is offered nowhere", option, word)
			}
		}
	}
}

// Every way of asking ends with 0, says nothing on stderr and reads nothing.
func TestCompletionIsSilent(t *testing.T) {
	for _, args := range [][]string{{}, {"bash"}, {"bash", "mfabridge --store"}, {"bash", "mfabridge --to=", "="}, {"nosuch", "mfabridge engine \"", "x", "y"}} {
		if r := mfabridge(t, append([]string{completeWord}, args...)...); r.code != exitDone || r.err != "" {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.err)
		}
	}
	r := must(t, exitDone, completeWord, "bash", "mfabridge plan --to=sq", "sq")
	if r.out != "sqlite:\tsqlite:PATH\n" {
		t.Errorf("bash gets %q", r.out)
	}
}

// Whatever is typed: no word is made up, none has a quote or a blank that was
// not escaped, and what was written plainly is divided as strings.Fields does.
func FuzzSplitLine(f *testing.F) {
	for _, s := range []string{"mfabridge pl", `a "b c" d\ e`, "$(touch x) `y` 'z", "\\", "'", "\"", "a\tb\n"} {
		f.Add(s)
	}
	app := (&program{}).app()
	f.Fuzz(func(t *testing.T, line string) {
		before, word := splitLine(line)
		all := append(slices.Clone(before), word)
		if !strings.ContainsAny(line, `\'"`) {
			want := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
			if got := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" }); !slices.Equal(got, want) {
				t.Fatalf("%q is divided into %q", line, all)
			}
		}
		if n := len(strings.Join(all, "")); n > len(line) {
			t.Fatalf("%q became longer: %q", line, all)
		}
		found := complete(app, line)
		for _, s := range found.words {
			if !strings.HasPrefix(s.word, found.word) || strings.ContainsAny(s.word[len(found.word):], " \t\n\"'`$\\();|&") {
				t.Fatalf("%q has the answer %q", line, s.word)
			}
		}
	})
}
