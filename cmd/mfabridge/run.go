package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/sleep"
	"mfabridge/migrate"
)

// streams are what a run of the program is connected to.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// program is one run: its streams, its clock, and what the global options say.
type program struct {
	streams
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
	every time.Duration // between two lines of progress where there is no terminal
	color bool
	binds ldapconn.Accounts // that search directories
	lines *bufio.Reader     // of what is piped in, once a line of it was asked for
	words passphrases       // that somebody was asked for
}

// run executes one command line and returns its exit code. Results go to
// s.out, everything else to s.err.
func run(ctx context.Context, args []string, s streams) int {
	p := &program{streams: s, now: time.Now, sleep: sleep.For, every: progressEvery}
	return p.run(ctx, args)
}

func (p *program) run(ctx context.Context, args []string) int {
	out := &output{w: p.out}
	p.out = out
	if len(args) > 1 && args[1] == completeWord {
		return p.complete(args[2:])
	}
	app := p.app()
	ordered, err := inOrder(app, args[1:])
	if err == nil {
		err = app.RunContext(ctx, append([]string{app.Name}, ordered...))
	}
	if err != nil && ctx.Err() != nil && exitCode(err) == exitFailed {
		err = &exit{code: exitInterrupted, err: err}
	}
	if out.err != nil && silent(err) {
		err = out.err
	}
	p.complain(err)
	return exitCode(err)
}

// complain says what went wrong: one sentence, and what to do about it; of a
// list of problems so of each. Advice that holds for several in a row is given
// once, behind the last of them.
func (p *program) complain(err error) {
	if silent(err) || unread(err) {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = hint.Wrap(errors.New("interrupted"), hint.Of(err))
	}
	all := problems(err)
	for i, one := range all {
		fmt.Fprintf(p.err, "mfabridge: error: %s\n", plainLines(one.Error()))
		advice := hint.Of(one)
		if advice == "" || i+1 < len(all) && hint.Of(all[i+1]) == advice {
			continue
		}
		fmt.Fprintf(p.err, "mfabridge: hint: %s\n", plainLines(advice))
	}
}

// problems are the errors of a joined list, each for itself.
func problems(err error) []error {
	switch e := err.(type) {
	case *exit:
		if e.err != nil {
			return problems(e.err)
		}
	case *misconfigured:
		return problems(e.err)
	case interface{ Unwrap() []error }:
		var all []error
		var text []string
		for _, one := range e.Unwrap() {
			all = append(all, problems(one)...)
			text = append(text, one.Error())
		}
		if strings.Join(text, "\n") == err.Error() { // nothing is said but the list
			return all
		}
	}
	return []error{err}
}

func (p *program) app() *cli.App {
	return &cli.App{
		Name:  "mfabridge",
		Usage: "move users and their second factors off Microsoft's MFA Server",
		Description: "Reads what the old server held, plans and applies its move to a cloud, and answers\n" +
			"the RADIUS requests of legacy applications until each of them is cut over.\n\n" +
			"Start with: mfabridge demo",
		Version:         version(),
		HideHelpCommand: true,
		Writer:          p.out,
		ErrWriter:       p.err,
		ExitErrHandler:  func(*cli.Context, error) {}, // only run ends the program
		OnUsageError:    onUsageError,
		Before:          p.before,
		Action:          p.noCommand,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-color", DisableDefaultText: true, EnvVars: []string{"MFABRIDGE_NO_COLOR"}, Usage: "never colour the output (also: NO_COLOR)"},
		},
		Commands: p.documented([]*cli.Command{
			p.demoCommand(), p.inspectCommand(), p.pullCommand(), p.preflightCommand(), p.planCommand(), p.showCommand(), p.applyCommand(),
			p.checkCommand(), p.undoCommand(), p.explainCommand(), p.cutoverCommand(), p.oathCommand(), p.engineCommand(), p.shimCommand(), p.authenticatorCommand(),
			p.tapCommand(), p.completionCommand(),
		}),
	}
}

// documented gives every command what all commands have in common.
func (p *program) documented(commands []*cli.Command) []*cli.Command {
	for _, c := range commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		for _, f := range c.Flags {
			readEnv(f)
			if b, ok := f.(*cli.BoolFlag); ok {
				b.DisableDefaultText = true // that it is off unless it is given needs no words
			}
		}
		if len(c.Subcommands) > 0 {
			p.documented(c.Subcommands)
			if c.Action == nil {
				c.Action = p.noCommand
			}
			continue
		}
		if c.Description != "" {
			c.Description += "\n\n"
		}
		c.Description += exitHelp
	}
	return commands
}

func (p *program) before(c *cli.Context) error {
	p.color = !c.Bool("no-color") && os.Getenv("NO_COLOR") == "" && moves(p.out)
	return nil
}

// noCommand answers a command line that names no command, or one that there
// is not.
func (p *program) noCommand(c *cli.Context) error {
	name := c.Args().First()
	if name == "" {
		return cli.ShowSubcommandHelp(c)
	}
	advice := c.Command.HelpName + " --help lists all commands"
	var names []string
	for _, known := range c.Command.Subcommands {
		names = append(names, known.Name)
	}
	if near := nearest(name, names); near != "" {
		advice = fmt.Sprintf("did you mean %s? %s", near, advice)
	}
	return usage(fmt.Sprintf("there is no command %q", c.Command.HelpName+" "+name), advice)
}

// mistake is a value that an option's kind cannot be.
type mistake struct {
	option string
	at     string // where it was given: "--digits", or an environment variable
	value  string
}

// mistaken is what an error of urfave/cli is about, if it is about a mistake. It
// says so in words of Go.
func mistaken(err error) (m mistake, ok bool) {
	text := err.Error()
	for _, begin := range []string{"invalid value ", "invalid boolean value ", "could not parse "} {
		rest, found := strings.CutPrefix(text, begin)
		quoted, quoteErr := strconv.QuotedPrefix(rest)
		if !found || quoteErr != nil {
			continue
		}
		m.value, _ = strconv.Unquote(quoted)
		rest = rest[len(quoted):]
		if _, variable, ok := strings.Cut(rest, ` from environment variable "`); ok {
			variable, rest, _ = strings.Cut(variable, `"`)
			m.at = "the environment variable " + variable
		}
		_, rest, named := strings.Cut(rest, " for ")
		m.option, _, ok = strings.Cut(strings.TrimLeft(strings.TrimPrefix(rest, "flag "), "-"), ": ")
		m.at = cmp.Or(m.at, "--"+m.option)
		return m, ok && named
	}
	return m, false
}

// wanted says what an option takes; empty: its help has to say it.
func wanted(f cli.Flag) string {
	switch f.(type) {
	case *cli.BoolFlag:
		return "it is true or false; on the command line the option alone is true"
	case *cli.DurationFlag:
		return "it is a time with its unit, s, m or h, e.g. 90s, 30m or 24h"
	case *cli.IntFlag, *cli.Int64Flag, *cli.UintFlag, *cli.Uint64Flag:
		return "it is a whole number"
	default:
		return ""
	}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	name := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	if m, ok := mistaken(err); ok && c.Command != nil {
		for _, f := range append(slices.Clone(c.Command.Flags), c.App.Flags...) {
			if advice := wanted(f); advice != "" && slices.Contains(f.Names(), m.option) {
				return usage(fmt.Sprintf("%s cannot be %q", m.at, m.value), advice)
			}
		}
	}
	advice := name + " --help lists the options"
	unknown, isUnknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !isUnknown {
		return usage(err.Error(), advice)
	}
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()[0])
	}
	unknown = option{name: strings.TrimLeft(unknown, "-")}.written()
	if near := nearest(strings.TrimLeft(unknown, "-"), names); near != "" {
		advice = fmt.Sprintf("did you mean --%s? %s", near, advice)
	}
	return usage("there is no option "+unknown, advice)
}

// args returns exactly the arguments that a command names, or says which one
// is missing or too many.
func args(c *cli.Context, names ...string) ([]string, error) {
	got := c.Args().Slice()
	if len(got) < len(names) {
		return nil, usage(fmt.Sprintf("%s is missing", names[len(got)]), c.Command.HelpName+" --help shows how to call it")
	}
	if len(got) > len(names) {
		return nil, usage(fmt.Sprintf("unexpected argument %q", got[len(names)]), c.Command.HelpName+" --help shows how to call it")
	}
	return got, nil
}

// readEnv has an option read its environment variable, which is named by it:
// MFABRIDGE_ENGINE_KEY for --engine-key. An option of another kind than these
// needs a case here, which a test asks for.
func readEnv(f cli.Flag) {
	vars := []string{"MFABRIDGE_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))}
	switch f := f.(type) {
	case *cli.BoolFlag:
		f.EnvVars = vars
	case *cli.DurationFlag:
		f.EnvVars = vars
	case *cli.IntFlag:
		f.EnvVars = vars
	case *cli.StringFlag:
		f.EnvVars = vars
	case *cli.StringSliceFlag:
		f.EnvVars = vars
	case *cli.Uint64Flag:
		f.EnvVars = vars
	}
}

func isTerminal(w any) bool {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// moves reports whether w is a terminal on which more can be done than write
// line below line.
func moves(w any) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

// logger writes for people on a terminal and JSON elsewhere.
func (p *program) logger() *slog.Logger {
	if isTerminal(p.err) {
		return slog.New(slog.NewTextHandler(p.err, nil))
	}
	return slog.New(jsonLines(p.err))
}

// jsonLines writes a log for machines. Whoever reads it on a terminal all the
// same is shown names as they are (see [migrate.Plain]); those on a terminal are
// quoted by slog.
func jsonLines(w io.Writer) slog.Handler { return slog.NewJSONHandler(plainLine{w}, nil) }

// plainLine writes lines with harmful characters escaped as JSON does it.
type plainLine struct{ w io.Writer }

func (p plainLine) Write(line []byte) (int, error) {
	if !slices.ContainsFunc(line, func(b byte) bool { return b >= 0x7f }) {
		return p.w.Write(line)
	}
	if _, err := io.WriteString(p.w, plainLines(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// plainLines is [migrate.Plain] line by line.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = migrate.Plain(line)
	}
	return strings.Join(lines, "\n")
}
