package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/fixtures"
	"mfabridge/fixtures/gen"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/shim"
)

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "the whole story on embedded sample data, on loopback, in a temporary folder",
		Description: "Runs the real commands on a synthetic organisation: inspect, plan, show, apply, check, RADIUS logins against\n" +
			"a shim on a free port of the loopback interface, and the move to Entra ID rehearsed and undone. Nothing is left\n" +
			"behind unless --keep is given.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "keep", Usage: "work in `FOLDER`, which must not exist, and leave it there"}},
		Action: p.demo,
	}
}

// demoEvery is how often the demo's commands tell their progress, and
// demoCrowd how many users they are shown with at work.
const (
	demoEvery = 200 * time.Millisecond
	demoCrowd = 20_000
)

// demo is one telling of the story.
type demo struct {
	p      *program
	ctx    context.Context
	folder string
	keep   bool // the folder stays
}

func (p *program) demo(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	folder := c.String("keep")
	if folder != "" {
		err := os.Mkdir(folder, 0o700)
		if errors.Is(err, fs.ErrExist) {
			err = taken(folder)
		}
		if err != nil {
			return usage(fmt.Sprintf("--keep: %v", err), "name a folder that does not exist yet")
		}
	} else {
		if folder, err = os.MkdirTemp("", "mfabridge-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	d := &demo{p: p, ctx: c.Context, folder: folder, keep: c.String("keep") != ""}
	d.say("mfabridge moves people off Microsoft's MFA Server. This is the whole way, on a synthetic organisation")
	d.say("of about 60 users, with the real commands, on loopback only.")
	for _, part := range []func() error{d.read, d.decide, d.do, d.logIn, d.rehearse} {
		if err := part(); err != nil {
			err = fmt.Errorf("the demo stopped: %w", err)
			if errors.Is(err, syscall.ENOSPC) {
				err = hint.Default(err, "it takes about 60 MB in the folder of temporary files (TMPDIR), or in that of --keep")
			}
			return err
		}
	}
	d.title("That was all")
	d.say("Next: \"mfabridge plan EXPORT --to sqlite:cloud.db -o F\" on an export of your own (a plan changes nothing),")
	d.say("and docs/export.md on how to get one.")
	return nil
}

func (d *demo) path(name string) string { return filepath.Join(d.folder, name) }

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.p.out, format+"\n", args...) }

func (d *demo) title(text string) {
	mark, end := "", ""
	if d.p.color {
		mark, end = "\x1b[1m", "\x1b[0m"
	}
	d.say("\n%s== %s%s\n", mark, text, end)
}

// command shows and runs one command line. Words that begin with "@" are
// names in the demo's folder. The result is what it printed, without the
// folder; any exit code that is not expected ends the demo.
func (d *demo) command(expected int, words ...string) (string, error) {
	shown, real := make([]string, len(words)), make([]string, len(words))
	for i, w := range words {
		before, name, found := strings.Cut(w, "@")
		if found && (before == "" || strings.HasSuffix(before, ":")) {
			shown[i], real[i] = before+name, before+d.path(name)
		} else {
			shown[i], real[i] = w, w
		}
		if strings.ContainsAny(w, " '") {
			shown[i] = strconv.Quote(w) // as a shell takes it
		}
	}
	d.say("$ mfabridge %s", strings.Join(shown, " "))
	var out, errs bytes.Buffer
	teller := &program{streams: streams{in: strings.NewReader(""), out: &out, err: &errs}, now: d.p.now, sleep: d.p.sleep, every: demoEvery}
	code := teller.run(d.ctx, append([]string{"mfabridge"}, real...))
	text := strings.ReplaceAll(errs.String()+out.String(), d.folder+string(filepath.Separator), "")
	if code != expected {
		return text, fmt.Errorf("exit code %d: %s", code, text)
	}
	return text, nil
}

// print shows output, indented, at most some lines of it.
func (d *demo) print(text string, most int) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	rest := 0
	if len(lines) > most {
		lines, rest = lines[:most], len(lines)-most
	}
	for _, line := range lines {
		d.say("  %s", line)
	}
	if rest > 0 {
		d.say("  … and %d more lines", rest)
	}
}

func (d *demo) read() error {
	d.title("1. What the old server held")
	if err := os.CopyFS(d.path("contoso"), fixtures.ContosoSecrets()); err != nil {
		return err
	}
	d.say("An export is a folder of tables: users, app activations (devices), third-party tokens. This one is dirty, as")
	d.say("real ones are: broken rows, shared numbers, dial scripts, secrets in the wrong format.\n")
	text, err := d.command(exitPending, "inspect", "@contoso", "--default-country", "US")
	d.print(text, 56)
	d.say("\nExit code 2: there are findings of severity error. Each is explained in docs/findings.md.")
	return err
}

func (d *demo) decide() error {
	d.title("2. The plan: what would happen to every single person")
	d.say("Planning only reads. The target does not exist yet, so it reads as empty.\n")
	text, err := d.command(exitDone, "plan", "@contoso", "--to", "sqlite:@cloud.db", "--create-users", "--default-country", "US",
		"--domain", "contoso.example", "-o", "@move.plan")
	d.print(text, 16)
	if err != nil {
		return err
	}
	d.say("\nThe report for the change board. Numbers are masked, secrets are not in it. Four of its users:\n")
	text, err = d.command(exitDone, "show", "@move.plan")
	for _, name := range []string{fixtures.Ada, fixtures.Grace, fixtures.Tim, "serial.a@contoso.example"} {
		d.print(block(text, name), 12)
	}
	if err != nil {
		return err
	}
	d.say("\nThe same as one page with charts and a table to search, for the people who sign:\n")
	text, err = d.command(exitDone, "show", "@move.plan", "--format", "html", "-o", "@move.html")
	d.print(text, 2)
	if d.keep {
		d.say("  (open %s in a browser)", d.path("move.html"))
	} else {
		d.say("  (\"mfabridge demo --keep FOLDER\" leaves it for you to open)")
	}
	return err
}

// block cuts the lines about one user out of a report.
func block(report, name string) string {
	_, after, found := strings.Cut(report, "\n"+name)
	if !found {
		return ""
	}
	lines := strings.Split(name+after, "\n")
	end := 1
	for end < len(lines) && strings.HasPrefix(lines[end], "  ") {
		end++
	}
	return strings.Join(lines[:end], "\n")
}

func (d *demo) do() error {
	d.title("3. Do exactly what was reviewed, and prove it")
	for _, words := range [][]string{
		{"apply", "@move.plan"},
		{"check", "@move.plan"},
		{"apply", "@move.plan"},
	} {
		text, err := d.command(exitDone, words...)
		d.print(text, 8)
		if err != nil {
			return err
		}
	}
	d.say("\nRunning it again changes nothing: every change is made only where the target is as the plan saw it.")
	d.say("The same with %d generated users, to see it at work:\n", demoCrowd)
	if err := os.Mkdir(d.path("crowd"), 0o700); err != nil {
		return err
	}
	if err := gen.Write(d.path("crowd"), gen.Options{Users: demoCrowd, Seed: 1, DeviceSecrets: true}); err != nil {
		return err
	}
	for _, words := range [][]string{
		{"plan", "@crowd", "--to", "sqlite:@crowd.db", "--create-users", "--default-country", "US", "-o", "@crowd.plan"},
		{"apply", "@crowd.plan"},
	} {
		text, err := d.command(exitDone, words...)
		d.print(progressOf(text), 12)
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutProgress leaves out the lines that tell how far a command is.
func withoutProgress(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		verb, rest, _ := strings.Cut(line, ": ")
		if !strings.HasSuffix(verb, "ing") || !strings.Contains(rest, " of ") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(kept, "\n")
}

// progressOf keeps the lines about progress and the counts of users.
func progressOf(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, " a second") || strings.HasPrefix(line, "users ") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(kept, "\n")
}

// demoSMS is a user of the sample whose number the demo says has no WhatsApp.
const demoSMS = "otppin@contoso.example"

// shimYAML is the configuration of the demo's shim. Two applications sit on
// two loopback addresses.
const shimYAML = `engine:
  config: engine.yaml
data: .
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - name: vpn                       # checks the password itself
      networks: ["127.0.0.1/32"]
      secret: file:vpn.secret
      primary: none
      primary_done_by_client: true
      push_wait: 9s
    - name: portal                    # leaves the password to the engine
      networks: ["127.0.0.2/32"]
      secret: file:portal.secret
      primary: engine
`

// engineYAML is the configuration of the demo's engine: codes go by WhatsApp
// where a number has it, else by SMS. Both providers are folders of files.
const engineYAML = `store: sqlite:cloud.db
listeners:
  api: {listen: "127.0.0.1:0"}
channels:
  whatsapp:
    countries: ["all"]
    providers: [{name: whatsapp-twin, mode: live, outbox: {folder: sent/whatsapp, reaches: ["+44"], receipts: delivered}}]
  text:
    providers: [{name: sms-twin, mode: live, outbox: {folder: sent/sms}}]
`

func (d *demo) logIn() error {
	d.title("4. Legacy applications log in over RADIUS")
	files := map[string]string{"shim.yaml": shimYAML, "engine.yaml": engineYAML, "vpn.secret": "the vpn's own shared secret\n",
		"portal.secret": "another secret for the portal\n", "tim.password": "correct horse battery staple\n"}
	for name, content := range files {
		if err := os.WriteFile(d.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	text, err := d.command(exitDone, "shim", "check", "--config", "@shim.yaml")
	d.print(text, 12)
	if err != nil {
		return err
	}
	text, err = d.command(exitDone, "engine", "user", "password", fixtures.Tim, "--store", "sqlite:@cloud.db",
		"--password", "file:@tim.password", "--reason", "demo")
	d.print(text, 2)
	if err != nil {
		return err
	}
	return d.withShim(d.logins)
}

// withShim serves the demo's configuration while use runs.
func (d *demo) withShim(use func(address string, log *events) error) (err error) {
	log := newEvents()
	quiet := &program{streams: streams{in: d.p.in, out: io.Discard, err: log}, now: d.p.now, sleep: d.p.sleep}
	parts, err := quiet.loadShim(d.ctx, d.path("shim.yaml"), "", quiet.shimEngine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	all, err := quiet.listen(parts)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(d.ctx)
	served := make(chan error, 1)
	go func() { served <- quiet.serve(ctx, all) }()
	err = use(all.open[0].address.String(), log)
	stop()
	if failed := <-served; failed != nil && !errors.Is(failed, shim.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

// logins plays a client that knows nothing of mfabridge but RADIUS.
func (d *demo) logins(address string, log *events) error {
	vpn, err := newNAS(d.ctx, "127.0.0.1", address, secret.FromString("the vpn's own shared secret"))
	if err != nil {
		return err
	}
	defer vpn.Close()
	portal, err := newNAS(d.ctx, "127.0.0.2", address, secret.FromString("another secret for the portal"))
	if err != nil {
		return err
	}
	defer portal.Close()
	adas, err := d.code(fixtures.CanaryTokenHex)
	if err != nil {
		return err
	}
	graces, err := d.code(fixtures.CanaryDeviceHex)
	if err != nil {
		return err
	}
	given := func(code string) func() (string, error) { return func() (string, error) { return code, nil } }
	for _, l := range []demoLogin{
		{vpn, "vpn", fixtures.Ada, "", "the code of her migrated token", given(adas), accept},
		{vpn, "vpn", fixtures.Ada, "", "the same code once more: a code works once", given(adas), reject},
		{vpn, "vpn", fixtures.Grace, "", "a wrong code", given(wrong(graces)), reject},
		{vpn, "vpn", fixtures.Grace, "", "the code of her old phone's app, whose secret was carried over", given(graces), accept},
		{portal, "portal", fixtures.Tim, "not his password", "", nil, reject},
		{portal, "portal", fixtures.Tim, "correct horse battery staple", "his password, then the code that came by WhatsApp", d.texted("whatsapp"), accept},
		{vpn, "vpn", demoSMS, "", "the code that came by SMS: this number has no WhatsApp", d.texted("sms"), accept},
	} {
		if err := d.login(l, log); err != nil {
			return err
		}
	}
	return d.approve(vpn)
}
