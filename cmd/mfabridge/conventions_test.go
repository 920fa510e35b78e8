package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// everyCommand calls f for each command that does something, with its full name.
func everyCommand(f func(name string, c *cli.Command)) {
	var walk func(prefix string, commands []*cli.Command)
	walk = func(prefix string, commands []*cli.Command) {
		for _, c := range commands {
			name := prefix + " " + c.Name
			if len(c.Subcommands) > 0 {
				walk(name, c.Subcommands)
				continue
			}
			f(name, c)
		}
	}
	walk("mfabridge", (&program{}).app().Commands)
}

func TestEveryCommandKeepsTheConventions(t *testing.T) {
	count := 0
	everyCommand(func(name string, c *cli.Command) {
		count++
		if !strings.Contains(c.Description, "EXIT CODES") {
			t.Errorf("%s: its help does not list the exit codes", name)
		}
		if c.Usage == "" || strings.HasSuffix(c.Usage, ".") {
			t.Errorf("%s: usage %q is missing or ends with a full stop", name, c.Usage)
		}
		for _, flag := range c.Flags {
			documented, ok := flag.(cli.DocGenerationFlag)
			if !ok {
				t.Fatalf("%s: flag %v is of an unknown kind", name, flag.Names())
			}
			long := flag.Names()[0]
			want := "MFABRIDGE_" + strings.ToUpper(strings.ReplaceAll(long, "-", "_"))
			if vars := documented.GetEnvVars(); len(vars) == 0 || vars[0] != want {
				t.Errorf("%s --%s: environment variables %v, want %s", name, long, vars, want)
			}
			if documented.GetUsage() == "" {
				t.Errorf("%s --%s has no usage", name, long)
			}
			if line := flag.String(); strings.Count(line, "default:") > 1 || strings.Contains(line, "(default: 0s)") || strings.Contains(line, "(default: false)") {
				t.Errorf("%s: %s, which says no default, or two: DefaultText has the words for none", name, line)
			}
		}
	})
	if count < 15 {
		t.Fatalf("only %d commands were looked at", count)
	}
}

// What works on a plan's target works on an engine elsewhere too, but for an
// import, which fills the store itself, and for invitations, which are told
// from each other on the store.
func TestEveryTargetCanBeElsewhere(t *testing.T) {
	everyCommand(func(name string, c *cli.Command) {
		has := map[string]bool{}
		if name == "mfabridge engine user import" || name == "mfabridge engine invite" {
			return
		}
		for _, flag := range c.Flags {
			has[flag.Names()[0]] = true
		}
		if elsewhere := has["client-id"] && has["client-secret"] && has["ca"]; has["engine-key"] && (has["to"] || has["plan-key"]) && !elsewhere {
			t.Errorf("%s takes a target, but not how to get into one elsewhere", name)
		}
	})
}

func TestHelpOfEveryCommand(t *testing.T) {
	everyCommand(func(name string, _ *cli.Command) {
		words := strings.Fields(name)[1:]
		r := mfabridge(t, append(words, "--help")...)
		if r.code != exitDone || !strings.Contains(r.out, "EXIT CODES") || r.err != "" {
			t.Errorf("%s --help: exit code %d, stderr %q", name, r.code, r.err)
		}
		r = mfabridge(t, append(words, "--no-such-option")...)
		if r.code != exitUsage || r.out != "" || !strings.Contains(r.err, "mfabridge: hint: ") {
			t.Errorf("%s with an unknown option: exit code %d, stdout %q, stderr %q", name, r.code, r.out, r.err)
		}
	})
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{&cloud.Error{Kind: cloud.Internal}, 1},
		{&cloud.Error{Kind: cloud.NotFound}, 1},
		{fmt.Errorf("apply: %w", &cloud.Error{Kind: cloud.Stale}), 4},
		{&cloud.Error{Kind: cloud.Locked}, 5},
		{&cloud.Error{Kind: cloud.Throttled}, 6},
		{&cloud.Error{Kind: cloud.Unavailable}, 6},
		{usage("wrong", "do it right"), 64},
		{fmt.Errorf("apply: %w", context.Canceled), 130},
		{&exit{code: exitGate}, 8},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestComplaints(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&exit{code: exitPending}, ""},
		{errors.New("disk full"), "mfabridge: error: disk full\n"},
		{hint.New("disk full", "free some space"), "mfabridge: error: disk full\nmfabridge: hint: free some space\n"},
		{hint.Wrap(context.Canceled, "run it again"), "mfabridge: error: interrupted\nmfabridge: hint: run it again\n"},
		{hint.New("no e\u202eve\n> \x1b[2J", "ask \u2067her"), "mfabridge: error: no e\\u202eve\n> \\u001b[2J\nmfabridge: hint: ask \\u2067her\n"},
	} {
		var out bytes.Buffer
		(&program{streams: streams{err: &out}}).complain(c.err)
		if out.String() != c.want {
			t.Errorf("%v: %q, want %q", c.err, out.String(), c.want)
		}
	}
}

// A log for machines is whole, and shows on a terminal what it says.
func TestLogForMachinesIsHarmless(t *testing.T) {
	var out bytes.Buffer
	slog.New(jsonLines(&out)).Info("login", "user", "e\u202eve\u009b2J\x7f", "person", "ève 李")
	if !strings.HasSuffix(out.String(), `"user":"e\u202eve\u009b2J\u007f","person":"ève 李"}`+"\n") {
		t.Errorf("got %q", out.String())
	}
	var read struct{ User string }
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || read.User != "e\u202eve\u009b2J\x7f" {
		t.Errorf("read as %q, %v", read.User, err)
	}
}

func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &program{streams: streams{err: &out}, now: func() time.Time { return now }, every: progressEvery}
	bar := p.progress("applying", 1000)
	for i := range 30 { // a second each, 20 users a second
		bar.at(int64(20*i), int64(i/10))
		now = now.Add(time.Second)
	}
	bar.end()
	const want = "applying: 200 of 1000, 20 a second, 40s left, 1 failed\napplying: 400 of 1000, 20 a second, 30s left, 2 failed\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}
