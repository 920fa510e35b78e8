package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func (p *program) authenticatorCommand() *cli.Command {
	one := []cli.Flag{deviceFlag(), caFlag()}
	pin := &cli.StringFlag{Name: "pin", Usage: "the PIN of this authenticator, where it has one: `file:PATH`, env:NAME, or - (default: a prompt)"}
	number := &cli.StringFlag{Name: "number", Usage: "the `NUMBER` that the login shows, where it shows one"}
	patience := &cli.DurationFlag{Name: "wait", DefaultText: "it is there already", Usage: "wait this `TIME` for a push to come"}
	command := &cli.Command{
		Name:  "authenticator",
		Usage: "a terminal authenticator: activate it, approve sign-ins, show codes",
		Subcommands: []*cli.Command{
			{Name: "activate", Usage: "make this terminal an authenticator of a user who was invited",
				Description: "Needs an activation code: one that was handed out (--code), or one that is fetched at once for a pass from the\n" +
					"helpdesk (--pass), or for the password and the second factor that the user has already (--password, --answer).\n" +
					"The new file holds the private key and the secret of the codes: whoever has it approves as this user.",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "url", Usage: "`URL` of the engine's pages listener (required)"},
					&cli.StringFlag{Name: "user", Usage: "user `NAME` (required)"},
					&cli.StringFlag{Name: "name", Value: "Terminal", Usage: "what to call this authenticator, `TEXT`"},
					&cli.StringFlag{Name: "code", Usage: "the activation code: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"},
					&cli.StringFlag{Name: "pass", Usage: "a pass from the helpdesk: `file:PATH`, env:NAME, or -"},
					&cli.StringFlag{Name: "password", Usage: "the user's password: `file:PATH`, env:NAME, or -"},
					&cli.StringFlag{Name: "answer", Usage: "with --password: the code of the second factor, `file:PATH`, env:NAME, or - (default: a prompt)"},
					&cli.StringFlag{Name: "pin", Usage: "a PIN to approve with, from now on: `file:PATH`, env:NAME, or - (default: a prompt, where one is required)"},
					deviceFlag(), caFlag(),
				}, Action: p.authenticatorActivate},
			{Name: "run", Usage: "wait for sign-ins and ask what to answer, until stopped",
				Description: "With --answer all are answered alike, for trials: one that asks for a number cannot be approved so, and is left.\n" +
					"Several --device files are several authenticators at once.",
				Flags: []cli.Flag{
					&cli.StringSliceFlag{Name: "device", Usage: "`FILE` of the authenticator; may be given several times (default: authenticator.json)"},
					&cli.StringFlag{Name: "answer", Usage: "answer everything with `WORD`: approve, deny or fraud (default: ask)"},
					&cli.IntFlag{Name: "count", DefaultText: "go on", Usage: "end after `N` answers"},
					caFlag(),
				}, Action: p.authenticatorRun},
			{Name: "code", Usage: "print the code of now; works offline", Flags: []cli.Flag{deviceFlag()}, Action: p.authenticatorCode},
			{Name: "approve", Usage: "approve the sign-in that waits", Flags: append(one, number, pin, patience),
				Action: p.withDevice(func(c *cli.Context, client *device.Client, d *device.Device) error {
					return p.press(c, client, d, engine.PushApprove)
				})},
			{Name: "deny", Usage: "deny the sign-in that waits", Flags: append(one, patience,
				&cli.BoolFlag{Name: "fraud", Usage: "report that it was somebody else's"}),
				Action: p.withDevice(func(c *cli.Context, client *device.Client, d *device.Device) error {
					if c.Bool("fraud") {
						return p.press(c, client, d, engine.PushFraud)
					}
					return p.press(c, client, d, engine.PushDeny)
				})},
			{Name: "pin", Usage: "set the PIN that this authenticator approves with, or another", Flags: append(one, pin,
				&cli.StringFlag{Name: "old", Usage: "the PIN of before, where there is one: `file:PATH`, env:NAME, or -"}), Action: p.authenticatorPIN},
			{Name: "test", Usage: "check that requests reach this authenticator",
				Description: "Asks the engine for an empty event and waits for it on the way that sign-ins come. Nobody signs in by it,\n" +
					"and nothing is kept of it. Six a minute at most.",
				Flags: append(one, formatFlag(),
					&cli.DurationFlag{Name: "wait", Value: testPatience, Usage: "wait at most this `TIME` for it to arrive"}),
				Action: p.withDevice(p.testDevice)},
			{Name: "devices", Usage: "list the authenticators of this user", Flags: append(one, formatFlag()), Action: p.listsOwn(p.listOwnDevices, "AUTHENTICATOR", "NAME", "SINCE", "LAST USED", "PIN")},
			{Name: "rename", Usage: "call an authenticator of this user something else", ArgsUsage: "ID NAME", Flags: one, Action: p.withDevice(p.renameOwnDevice, "ID", "NAME")},
			{Name: "remove", Usage: "remove an authenticator of this user: it approves nothing more, and its codes end", ArgsUsage: "ID", Flags: append(one,
				&cli.BoolFlag{Name: "lost", Usage: "it was lost: also if it is the last one"}), Action: p.withDevice(p.removeOwnDevice, "ID")},
			{Name: "approvals", Usage: "list the last sign-ins that this user has answered", Flags: append(one, formatFlag()), Action: p.listsOwn(p.listApprovals, "SIGN-IN", "AT", "TO", "FROM", "ANSWER", "BY")},
			{Name: "report", Usage: "say of a sign-in that was answered that it was somebody else's", ArgsUsage: "ID", Flags: one, Action: p.withDevice(p.reportApproval, "ID")},
		},
	}
	for _, sub := range command.Subcommands {
		do := sub.Action
		sub.Action = func(c *cli.Context) error { return advised(do(c)) }
	}
	return command
}

// deviceAdvice is what to do about a refusal of the engine, by its reason.
func deviceAdvice(why cloud.Reason) string {
	switch why {
	case cloud.NoInvitation:
		return "ask the helpdesk for an invitation"
	case cloud.DeviceLimit:
		return "remove one that you do not need: on the engine's page, under Settings, Manage my devices"
	case cloud.MethodLimit:
		return "remove an authenticator that you do not need, or ask the helpdesk to remove an old app or token"
	case cloud.LastMethod:
		return "add --lost if it is lost"
	case cloud.NotActive:
		return "it was removed: activate again, if you are invited"
	case cloud.NeedNextCode:
		return "wait until the app or token shows the next code, and give that one"
	case cloud.WrongClock:
		return "set the clock of this machine"
	case cloud.WeakPIN:
		return "choose another PIN"
	}
	return ""
}

// advised adds deviceAdvice to an error that has none.
func advised(err error) error {
	if advice := deviceAdvice(cloud.ReasonOf(err)); advice != "" {
		return hint.Default(err, advice)
	}
	return err
}

func deviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Value: "authenticator.json", Usage: "`FILE` of the authenticator, readable by you only"}
}

func caFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca", Usage: "PEM `FILE` of the authority of the engine's certificate (default: the one that it was activated with, else the system's)"}
}

// deviceClient makes a client of the engine of a device.
func (p *program) deviceClient(c *cli.Context, d *device.Device) (*device.Client, error) {
	pool, err := loadCA(c.String("ca"))
	if err == nil && pool == nil && len(d.CA) > 0 {
		pool, err = ldapconn.ReadCA(d.CA)
	}
	if err != nil {
		return nil, err
	}
	return device.New(device.Options{URL: d.URL, CA: pool, Now: p.now})
}

// wordIf is word; zero where nothing says where it is.
func (p *program) wordIf(ctx context.Context, ref string) (secret.Bytes, error) {
	if ref == "" {
		return secret.Bytes{}, nil
	}
	return p.word(ctx, "", ref)
}

// word is a secret on one line.
func (p *program) word(ctx context.Context, prompt, ref string) (secret.Bytes, error) {
	text, err := p.secretText(ctx, prompt, ref)
	return secret.FromString(strings.TrimSpace(string(text.Reveal()))), err
}

func openDevice(path string) (*device.Device, error) {
	content, err := secret.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.New("there is no authenticator "+path, "mfabridge authenticator activate makes one; --device names another file")
	}
	if err != nil {
		return nil, hint.Default(fmt.Errorf("authenticator: %w", err), "name the file that mfabridge authenticator activate made")
	}
	defer content.Wipe()
	d, err := device.Parse(content)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s: %w", path, err), "name the file that mfabridge authenticator activate made")
	}
	return d, nil
}

func (p *program) authenticatorCode(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	d, err := openDevice(c.String("device"))
	if err != nil {
		return err
	}
	code, left, err := d.Code(p.now())
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, code)
	fmt.Fprintf(p.err, "of %s, for %s more\n", migrate.Plain(d.UPN), left)
	return nil
}
