package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// changer makes a command that changes one user.
type changer func(name, text string, flags []cli.Flag, do func(*cli.Context, administrator, engine.Actor, cloud.User) error) *cli.Command

// exceptionCommands are what helps one user through one bad day. What hands out
// secrets or takes codes works on a store in this process alone.
func (p *program) exceptionCommands(change changer) []*cli.Command {
	inStore := func(name, text string, flags []cli.Flag, do func(*cli.Context, *embedded, engine.Actor, cloud.User) error) *cli.Command {
		return &cli.Command{Name: name, Usage: text, ArgsUsage: "USER", Flags: slices.Concat(storeFlags(), flags, []cli.Flag{reasonFlag()}),
			Action: func(c *cli.Context) error { return changeUser(p, c, p.withEngine, do) }}
	}
	return []*cli.Command{
		change("bypass", "let the next login of a user pass without a second factor", []cli.Flag{
			&cli.DurationFlag{Name: "for", DefaultText: "none, it is required", Usage: "for a login within this `TIME`, at most 4h"},
			&cli.StringFlag{Name: "app", Usage: "only for a login at the application `NAME` (a client's name in shim.yaml)"},
		}, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
			if c.Duration("for") <= 0 {
				return usage("--for is missing: a bypass needs an end", "e.g. --for 30m, at most 4h")
			}
			return e.AllowBypass(c.Context, by, u.ID, c.String("app"), p.now().Add(c.Duration("for")))
		}),
		change("bypass-end", "take a bypass back that waits for its login", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
			return e.EndBypass(c.Context, by, u.ID)
		}),
		inStore("resync", "bring a code generator in line whose clock has drifted, by two codes that it shows one after the other", []cli.Flag{
			&cli.StringFlag{Name: "codes", Usage: "both codes, divided by a space: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"},
			&cli.StringFlag{Name: "serial", Usage: "serial `NUMBER` of the generator (default: whichever shows these codes)"},
		}, p.resync),
		inStore("activation", "make the code to activate an authenticator with, and write it to a file that only its recipient can open", []cli.Flag{
			&cli.StringFlag{Name: "hand-out", Usage: "write the code to `FILE`, encrypted (required)"},
			&cli.StringSliceFlag{Name: "seal-to", Usage: "encrypt it to the age recipient `age1…` (required)"},
			&cli.StringFlag{Name: "url", Usage: "add the link that activates, and its QR code for a terminal: `URL` of the engine's pages as users reach it, the public_url of engine.yaml"},
		}, p.issueActivation),
		{Name: "pass", Usage: "temporary access passes, to register a method with; RADIUS does not take them", Subcommands: []*cli.Command{
			inStore("issue", "make a pass and write it to a file that only its recipient can open", []cli.Flag{
				&cli.DurationFlag{Name: "for", Value: time.Hour, Usage: "valid for this `TIME`, 10m to 720h"},
				&cli.BoolFlag{Name: "once", Usage: "valid for one use"},
				&cli.StringFlag{Name: "hand-out", Usage: "write the pass to `FILE`, encrypted (required)"},
				&cli.StringSliceFlag{Name: "seal-to", Usage: "encrypt it to the age recipient `age1…` (required)"},
			}, p.issuePass),
			inStore("revoke", "end a pass", []cli.Flag{&cli.StringFlag{Name: "pass", Usage: "its `ID`, as list shows it"}},
				func(c *cli.Context, e *embedded, by engine.Actor, u cloud.User) error {
					advice := "mfabridge engine user pass list " + migrate.Plain(u.UPN) + " shows which there are"
					if c.String("pass") == "" {
						return usage("--pass is missing", advice)
					}
					return hint.Wrap(e.RevokePass(c.Context, by, u.ID, c.String("pass")), advice)
				}),
			{Name: "list", Usage: "list the passes of a user, never the passes themselves", ArgsUsage: "USER", Flags: append(storeFlags(), formatFlag()), Action: p.listPasses},
		}},
	}
}

func (p *program) resync(c *cli.Context, e *embedded, by engine.Actor, u cloud.User) error {
	text, err := p.secretText(c.Context, "Two codes, divided by a space: ", c.String("codes"))
	if err != nil {
		return err
	}
	codes := strings.Fields(string(text.Reveal()))
	if len(codes) != 2 {
		return usage("two codes are needed", "wait until the generator shows another code, and give both, the first one first")
	}
	drift, err := e.Resync(c.Context, by, u.ID, c.String("serial"), secret.FromString(codes[0]), secret.FromString(codes[1]))
	if err == nil {
		fmt.Fprintf(p.out, "%s: the clock is %+d steps off, which is remembered\n", migrate.Plain(u.UPN), drift)
	}
	return err
}

// handOutFile makes the file first: what nobody can be handed must not exist.
func handOutFile(c *cli.Context) (*part, []age.Recipient, error) {
	recipients, err := sealTo(c)
	if err != nil {
		return nil, nil, err
	}
	out := c.String("hand-out")
	if out == "" || len(recipients) == 0 {
		return nil, nil, usage("--hand-out and --seal-to are needed", "it is never printed: it goes to a file that is encrypted to whom it is handed to")
	}
	f, err := newPartFor("hand-out", out, "the hand-out")
	return f, recipients, err
}

// issueActivation hands out a code to activate an authenticator with. One whose
// file could not be written is over in ten minutes, and is known to nobody.
func (p *program) issueActivation(c *cli.Context, e *embedded, by engine.Actor, u cloud.User) (err error) {
	public := c.String("url")
	if public != "" {
		if public, err = remote.CheckURL(public); err != nil {
			return err
		}
	}
	f, recipients, err := handOutFile(c)
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	made, err := e.IssueActivation(c.Context, by, u.ID)
	var link secret.Bytes
	if err == nil {
		link, err = activationLink(public, made)
	}
	if err == nil {
		err = handOut(f, recipients, u.UPN, "code ", made.Until, made.Code, link)
	}
	link.Wipe()
	made.Code.Wipe()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "the activation code is in %s, valid until %s\n", f.path, stamp(made.Until))
	return nil
}

func (p *program) issuePass(c *cli.Context, e *embedded, by engine.Actor, u cloud.User) (err error) {
	f, recipients, err := handOutFile(c)
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	pass, word, err := e.IssuePass(c.Context, by, u.ID, c.Duration("for"), c.Bool("once"))
	if err == nil {
		err = handOut(f, recipients, u.UPN, "pass ", pass.Until, word, secret.Bytes{})
	}
	word.Wipe()
	if err != nil {
		if pass.ID != "" { // nobody will ever read it
			err = errors.Join(err, e.RevokePass(c.Context, by, u.ID, pass.ID))
		}
		return err
	}
	fmt.Fprintf(p.out, "pass %s is in %s, valid until %s\n", pass.ID, f.path, stamp(pass.Until))
	return nil
}

// handOut writes and publishes what somebody is handed, with more of it behind
// it.
func handOut(f *part, to []age.Recipient, upn, what string, until time.Time, word, more secret.Bytes) error {
	sealed, err := age.Encrypt(f, to...)
	if err != nil {
		return fmt.Errorf("the hand-out cannot be encrypted: %w", err)
	}
	_, err = fmt.Fprintf(sealed, "user  %s\n%s %s\nuntil %s\n%s", migrate.Plain(upn), what, word.Reveal(), stamp(until), more.Reveal())
	if err = errors.Join(err, sealed.Close()); err != nil {
		return err
	}
	return f.publish()
}

// passForm is a pass in JSON, never the pass itself.
type passForm struct {
	Type  string     `json:"type"`
	ID    string     `json:"id"`
	State string     `json:"state"`
	Once  bool       `json:"once"`
	From  time.Time  `json:"from"`
	Until time.Time  `json:"until"`
	Used  *time.Time `json:"used"`
}

func (p *program) listPasses(c *cli.Context) error {
	given, err := args(c, "USER")
	if err != nil {
		return err
	}
	l, err := p.list(c, "PASS", "STATE", "USES", "FROM", "UNTIL")
	if err != nil {
		return err
	}
	return ofUser(c, p.withEngine, given[0], func(e *embedded, u cloud.User) error {
		x, err := e.Exceptions(c.Context, u.ID)
		if err != nil {
			return err
		}
		for _, pass := range slices.Backward(x.Passes) {
			uses := "any"
			if pass.Once {
				uses = "one"
			}
			form := passForm{"pass", pass.ID, pass.State, pass.Once, pass.From.UTC(), pass.Until.UTC(), orNull(pass.Used)}
			if err := l.add(form, pass.ID, pass.State, uses, stamp(pass.From), stamp(pass.Until)); err != nil {
				return err
			}
		}
		return l.end()
	})
}

// waitingBypass is a bypass that waits, or nil; an engine elsewhere does not
// tell.
func waitingBypass(c *cli.Context, e administrator, id cloud.UserID) (*engine.Bypass, error) {
	here, ok := e.(*embedded)
	if !ok {
		return nil, nil
	}
	x, err := here.Exceptions(c.Context, id)
	return x.Bypass, err
}

func printBypass(w io.Writer, waits *engine.Bypass) {
	if waits == nil {
		return
	}
	at := "anywhere"
	if waits.App != "" {
		at = "at " + migrate.Plain(waits.App)
	}
	fmt.Fprintf(w, "bypass\tone login %s until %s, by %s\n", at, stamp(waits.Until), migrate.Plain(waits.By))
}
