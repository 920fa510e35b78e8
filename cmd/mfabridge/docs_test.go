package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/peer"
)

// Documents whose ```console blocks are run, in order, in one folder that
// holds a copy of fixtures/. What a command prints must be what the document
// says, but for digests, ids, times and codes; a line "…" stands for any
// number of lines. "# exits N" behind a command says that it ends with N. With
// MFABRIDGE_UPDATE_DOCS set the documents are written anew.
var documents = []string{"README.md", "docs/engine.md", "docs/shim.md", "docs/migrate.md", "docs/api.md", "docs/native-auth.md"}

func TestDocumentsAreTrue(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "curl", "curl")
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", filepath.FromSlash(name))
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			told := newTelling(t).tell(string(text))
			if told != string(text) {
				if err := os.WriteFile(path, []byte(told), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// telling runs the commands of one document.
type telling struct {
	t      *testing.T
	folder string
	env    []string
	port   string // stands for 1812 of the document
	api    string // stands for 8443
	pages  string // stands for 8080
	update bool   // take what is printed for what is said
}

func newTelling(t *testing.T) *telling {
	t.Helper()
	d := &telling{t: t, folder: t.TempDir(), port: peer.FreePort(t), api: peer.FreePort(t), pages: peer.FreePort(t), update: os.Getenv("MFABRIDGE_UPDATE_DOCS") != ""}
	samples, err := filepath.Glob(filepath.Join("..", "..", "fixtures", "contoso*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range samples {
		copyInto(t, filepath.Join(d.folder, "fixtures", filepath.Base(path)), path)
	}
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "mfabridge")); err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), runMain+"=1", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "USER=you")
	return d
}

// copyInto copies a file, or a folder with all that is in it.
func copyInto(t *testing.T, to, from string) {
	t.Helper()
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		var content []byte
		if content, err = os.ReadFile(from); err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o644))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tell runs all blocks of a document and returns it with what was printed.
// Blocks that are a file ("```yaml shim.yaml") are written into the folder.
func (d *telling) tell(text string) string {
	d.t.Helper()
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		info, fenced := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		if !fenced {
			continue
		}
		end := i + 1
		for strings.TrimSpace(lines[end]) != "```" {
			end++
		}
		block := lines[i+1 : end]
		if info == "console" {
			block = d.console(block)
		} else if _, file, ok := strings.Cut(info, " "); ok {
			content := d.real(strings.Join(block, ""))
			if err := os.WriteFile(filepath.Join(d.folder, file), []byte(content), 0o600); err != nil {
				d.t.Fatal(err)
			}
		}
		for _, line := range block {
			out.WriteString(line)
		}
		out.WriteString(lines[end])
		i = end
	}
	return out.String()
}

// console runs the commands of a block and compares what they print.
func (d *telling) console(block []string) []string {
	d.t.Helper()
	var out []string
	for i := 0; i < len(block); {
		shown, isCommand := strings.CutPrefix(block[i], "$ ")
		if !isCommand {
			d.t.Fatalf("a block begins with output: %q", block[i])
		}
		out = append(out, block[i])
		for i++; strings.HasSuffix(shown, "\\\n"); i++ {
			shown += block[i]
			out = append(out, block[i])
		}
		end := i
		for end < len(block) && !strings.HasPrefix(block[end], "$ ") {
			end++
		}
		said := strings.Join(block[i:end], "")
		printed := d.command(shown)
		switch {
		case d.update && (strings.TrimSpace(said) == "…" || !alike(said, printed)):
			said = printed
		case !alike(said, printed):
			d.t.Errorf("$ %s\ndocument:\n%s\nprinted:\n%s", shown, said, printed)
		}
		if said != "" {
			out = append(out, said)
		}
		i = end
	}
	return out
}

var exits = regexp.MustCompile(`# exits (\d+)\s*$`)

// command runs one line in a shell; with a trailing "&" it goes on running
// until the test ends.
func (d *telling) command(line string) string {
	d.t.Helper()
	want := "0"
	if m := exits.FindStringSubmatch(line); m != nil {
		want = m[1]
	}
	line = d.real(strings.TrimSpace(line))
	if background, ok := strings.CutSuffix(line, "&"); ok {
		return d.background(background)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), giveUp)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = d.folder, d.env
	text, _ := cmd.CombinedOutput()
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != want {
		d.t.Errorf("$ %s\nexit code %s, want %s\n%s", line, got, want, text)
	}
	printed := strings.ReplaceAll(string(text), d.folder, "/srv/mfabridge")
	return d.told(printed)
}

// real puts the ports of this run in the place of those of the document, and
// told does the reverse.
func (d *telling) real(s string) string {
	return strings.NewReplacer("127.0.0.1:1812", "127.0.0.1:"+d.port, "127.0.0.1:8443", "127.0.0.1:"+d.api, "127.0.0.1:8080", "127.0.0.1:"+d.pages).Replace(s)
}

func (d *telling) told(s string) string {
	return strings.NewReplacer("127.0.0.1:"+d.port, "127.0.0.1:1812", "127.0.0.1:"+d.api, "127.0.0.1:8443", "127.0.0.1:"+d.pages, "127.0.0.1:8080").Replace(s)
}

func (d *telling) background(line string) string {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = d.folder, d.env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { cancel(); _ = cmd.Wait() }) // it is killed; its exit code says nothing
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	listening := regexp.MustCompile(`(?m)^mfabridge: .* is listening on .*\n`)
	for !listening.MatchString(seen.String()) {
		n, err := stderr.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			d.t.Fatalf("$ %s\nended: %v\n%s", line, err, seen.String())
		}
	}
	go func() {
		for err == nil {
			_, err = stderr.Read(buf)
		}
	}()
	return d.told(listening.FindString(seen.String()))
}

// passing replaces what differs from run to run.
var passing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "ID"},
	{regexp.MustCompile(`\bMFB-[A-Z2-7]{16}\b`), "SERIAL"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)`), "TIME"},
	{regexp.MustCompile(`by mfabridge \S+`), "by mfabridge VERSION"},
	{regexp.MustCompile(`0x[0-9a-f]{16,}`), "OCTETS"},
	{regexp.MustCompile(`\bId \d+ from \S+ to \S+ length \d+`), "PACKET"},
	{regexp.MustCompile(`\b0[0-9a-v]{31}\b`), "CHALLENGE"},
	{regexp.MustCompile(`\b\d{6}\b`), "CODE"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

func alike(said, printed string) bool {
	return follows(lines(said), lines(printed))
}

func lines(s string) []string {
	for _, p := range passing {
		s = p.pattern.ReplaceAllString(s, p.with)
	}
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// follows tells whether the printed lines are what was said, where "…" stands
// for any number of lines.
func follows(said, printed []string) bool {
	if len(said) == 0 {
		return len(printed) == 0
	}
	if said[0] == "…" {
		for skip := 0; skip <= len(printed); skip++ {
			if follows(said[1:], printed[skip:]) {
				return true
			}
		}
		return false
	}
	return len(printed) > 0 && said[0] == printed[0] && follows(said[1:], printed[1:])
}

func TestFollows(t *testing.T) {
	for _, c := range []struct {
		said, printed string
		want          bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n", "a\n", false},
		{"a\n", "a\nb\n", false},
		{"a\n…\nc\n", "a\nx\ny\nc\n", true},
		{"a\n…\nc\n", "a\nx\ny\n", false},
		{"digest 1111111111111111111111111111111111111111111111111111111111111111\n",
			"digest 2222222222222222222222222222222222222222222222222222222222222222\n", true},
		{"users 53\n", "users 54\n", false},
	} {
		if got := alike(c.said, c.printed); got != c.want {
			t.Errorf("%q and %q: %v", c.said, c.printed, got)
		}
	}
}

// What cannot be run here (a pull from a server, say) names at least commands
// and options that exist.
func TestDocumentsNameWhatExists(t *testing.T) {
	commands, options := map[string]bool{}, map[string]bool{"--help": true, "--no-color": true}
	everyCommand(func(name string, c *cli.Command) {
		commands[strings.Fields(name)[1]] = true
		for _, flag := range c.Flags {
			options["--"+flag.Names()[0]] = true
		}
	})
	names, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(names) < 8 {
		t.Fatalf("found %v (%v)", names, err)
	}
	called := regexp.MustCompile(`(?m)(?:^    |\$ |[` + "`" + `"])mfabridge ([a-z]+)((?:[^` + "`" + `"\n\\]|\\\n)*)`)
	option := regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]+)`)
	seen := 0
	for _, name := range append(names, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range called.FindAllStringSubmatch(string(text), -1) {
			seen++
			if !commands[m[1]] {
				t.Errorf("%s: there is no command %q", filepath.Base(name), m[1])
			}
			for _, o := range option.FindAllStringSubmatch(m[2], -1) {
				if !options[o[1]] {
					t.Errorf("%s: mfabridge %s: there is no option %s", filepath.Base(name), m[1], o[1])
				}
			}
		}
	}
	if seen < 20 {
		t.Fatalf("only %d calls were looked at", seen)
	}
}
