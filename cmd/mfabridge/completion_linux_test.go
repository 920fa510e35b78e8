package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mfabridge/internal/peer"
)

// hostile are lines that somebody was talked into pasting, and has not entered:
// whatever completes them must run nothing. Each would make a file that begins
// with "ran".
var hostile = []string{
	"mfabridge $(touch ran1) pl",
	"mfabridge `touch ran2` pl",
	`mfabridge show "$(touch ran3)`,
	"mfabridge plan --to=$(touch ran4)",
	"mfabridge show 'a;touch ran5;",
	"mfabridge plan --to sqlite:$(touch ran6)",
	`mfabridge show --format "$(touch ran7)" --f`,
	"mfabridge plan --engine-key file:`touch ran8`/",
	"$(touch ran9)/mfabridge pl",
	`mfabridge show --format '"; touch ran10; "' "$(touch ran11)`,
}

// completed is what the word at the end of a line becomes.
var completed = []struct{ line, want string }{
	{"mfabridge engine us", "<mfabridge><engine><user>"},
	{"mfabridge plan --to sq", "<mfabridge><plan><--to><sqlite:>"},
	{"mfabridge plan --to=sq", "<mfabridge><plan><--to=sqlite:>"},
	{"mfabridge plan --to sqlite:clo", "<mfabridge><plan><--to><sqlite:cloud.db>"},
	{"mfabridge plan --to=sqlite:clo", "<mfabridge><plan><--to=sqlite:cloud.db>"},
	{"mfabridge show clo", "<mfabridge><show><cloud.db>"},
	{`mfabridge show "clo`, "<mfabridge><show><cloud.db>"},
	{"mfabridge show --format=h", "<mfabridge><show><--format=html>"},
	{`mfabridge show --format "h`, "<mfabridge><show><--format><html>"},
	{"mfabridge explain x clo", "<mfabridge><explain><x><clo>"}, // a user, and no file
	{"mfabridge show cloud.db --rev", "<mfabridge><show><cloud.db><--reveal>"},
}

// shellHome makes a folder with a file cloud.db, in which mfabridge is this
// program for whom has the environment.
func shellHome(t *testing.T) (env []string) {
	t.Helper()
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	keepFile(t, "cloud.db", nil)
	if err := os.Mkdir("bin", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bin/mfabridge", fmt.Appendf(nil, "#!/bin/sh\n%s=1 exec %q \"$@\"\n", runMain, program), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{"PATH=" + folder + "/bin:/usr/bin:/bin", "HOME=" + folder, "LANG=C.UTF-8", "TERM=dumb", "PS1=ready> "}
}

func ranNothing(t *testing.T) {
	t.Helper()
	if left, _ := filepath.Glob("ran*"); len(left) > 0 {
		t.Errorf("what was typed was run: %v", left)
	}
}

// typing is a shell on a terminal.
type typing struct {
	t    *testing.T
	keys *os.File
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes what the shell shows.
func (s *typing) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// enter types keys, and returns what is shown from then on until seen is there.
func (s *typing) enter(keys, seen string) string {
	s.t.Helper()
	s.mu.Lock()
	s.text.Reset()
	s.mu.Unlock()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	shown := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.text.String()
	}
	await(s.t, func() bool { return strings.Contains(shown(), seen) }, func() string {
		return fmt.Sprintf("behind %q nothing shows %q:\n%q", keys, seen, shown())
	})
	return shown()
}

// shellOn starts a shell on a terminal of its own, and has it read the script.
func shellOn(t *testing.T, env []string, setUp string, argv ...string) *typing {
	t.Helper()
	s := &typing{t: t}
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	screen, keys, reading := pseudoTerminal(t, s)
	s.keys, cmd.Env = keys, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = screen.Close()
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		reading.Wait()
	})
	s.enter("PS1='ready''> '; "+setUp+"\r", "ready> ")
	return s
}

// completes types lines, and has the shell print the words that became of each.
func (s *typing) completes() {
	s.t.Helper()
	for _, c := range completed {
		s.enter(c.line+"\t\x05; echo ' en''d'\x01printf '<%s>' \r", c.want+" end")
	}
	for _, line := range hostile {
		s.enter(line+"\t\t\x15echo en''d\r", "end\r")
	}
	ranNothing(s.t)
}

func TestCompletionInBash(t *testing.T) {
	shell := peer.Path(t, "bash", "bash")
	shellOn(t, shellHome(t), "source <(mfabridge completion bash)", shell, "--norc", "--noprofile", "-i").completes()
}

// In zsh the tabulator evaluates $(…) by itself before it completes anything,
// with any command; complete-word only completes.
func TestCompletionInZsh(t *testing.T) {
	shell := peer.Path(t, "zsh", "zsh")
	shellOn(t, shellHome(t), "autoload -Uz compinit; compinit -u -D; source <(mfabridge completion zsh); bindkey -e; bindkey '^I' complete-word",
		shell, "-f", "-i").completes()
}

func TestCompletionInFish(t *testing.T) {
	shell, env := peer.Path(t, "fish", "fish"), shellHome(t)
	complete := func(line string) string {
		cmd := exec.CommandContext(t.Context(), shell, "--no-config", "-c", `mfabridge completion fish | source; complete -C "$typed"`)
		cmd.Env = append(env, "typed="+line)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
		return string(out)
	}
	for _, c := range completed {
		words := strings.Split(strings.Trim(c.want, "<>"), "><")
		want := words[len(words)-1]
		got, _, _ := strings.Cut(strings.TrimSpace(complete(c.line)), "\t")
		if strings.HasSuffix(c.line, want) { // nothing is completed
			want = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", c.line, got, want)
		}
	}
	for _, line := range hostile {
		complete(line)
	}
	ranNothing(t)
}

// A script that evaluates what was typed is noticed.
func TestCompletionThatEvaluates(t *testing.T) {
	shell := peer.Path(t, "bash", "bash")
	s := shellOn(t, shellHome(t), `bad() { eval "COMPREPLY=($COMP_LINE)"; }; complete -F bad mfabridge`, shell, "--norc", "--noprofile", "-i")
	s.enter("mfabridge plan --to=$(touch ran1)\t\t\x15echo en''d\r", "end\r")
	if left, _ := filepath.Glob("ran*"); len(left) == 0 {
		t.Error("what is run by a bad script is not noticed")
	}
}
