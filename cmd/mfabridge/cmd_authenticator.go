package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// maxKeptCA is the largest authority that is kept with an authenticator, in bytes.
const maxKeptCA = 32 << 10

func (p *program) authenticatorCommand() *cli.Command {
	one := []cli.Flag{deviceFlag(), caFlag()}
	pin := &cli.StringFlag{Name: "pin", Usage: "the PIN of this authenticator, where it has one: `file:PATH`, env:NAME, or - (default: a prompt)"}
	number := &cli.StringFlag{Name: "number", Usage: "the `NUMBER` that the login shows, where it shows one"}
	patience := &cli.DurationFlag{Name: "wait", Usage: "wait this `TIME` for a push to come (default: it is there already)"}
	command := &cli.Command{
		Name:  "authenticator",
		Usage: "a terminal authenticator: activate it, approve sign-ins, show codes",
		Subcommands: []*cli.Command{
			{Name: "activate", Usage: "make this terminal an authenticator of a user who was invited",
				Description: "Needs an activation code: one that was handed out (--code), or one that is fetched at once for a pass of the\n" +
					"helpdesk (--pass), or for the password and the second factor that the user has already (--password, --answer).\n" +
					"The new file holds the private key and the secret of the codes: whoever has it approves as this user.",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "url", Usage: "`URL` of the engine's pages listener (required)"},
					&cli.StringFlag{Name: "user", Usage: "user `NAME` (required)"},
					&cli.StringFlag{Name: "name", Value: "Terminal", Usage: "what to call this authenticator, `TEXT`"},
					&cli.StringFlag{Name: "code", Usage: "the activation code: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"},
					&cli.StringFlag{Name: "pass", Usage: "a pass of the helpdesk: `file:PATH`, env:NAME, or -"},
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
					&cli.IntFlag{Name: "count", Usage: "end after `N` answers (default: go on)"},
					caFlag(),
				}, Action: p.authenticatorRun},
			{Name: "code", Usage: "print the code of now; works offline", Flags: []cli.Flag{deviceFlag()}, Action: p.authenticatorCode},
			{Name: "approve", Usage: "approve the sign-in that waits", Flags: append(one, number, pin, patience),
				Action: func(c *cli.Context) error { return p.press(c, engine.PushApprove) }},
			{Name: "deny", Usage: "deny the sign-in that waits", Flags: append(one, patience,
				&cli.BoolFlag{Name: "fraud", Usage: "report that it was somebody else's"}),
				Action: func(c *cli.Context) error {
					if c.Bool("fraud") {
						return p.press(c, engine.PushFraud)
					}
					return p.press(c, engine.PushDeny)
				}},
			{Name: "pin", Usage: "set the PIN that this authenticator approves with, or another", Flags: append(one, pin,
				&cli.StringFlag{Name: "old", Usage: "the PIN of before, where there is one: `file:PATH`, env:NAME, or -"}), Action: p.authenticatorPIN},
			{Name: "test", Usage: "check that requests reach this authenticator",
				Description: "Asks the engine for an empty event and waits for it on the way that sign-ins come. Nobody signs in by it,\n" +
					"and nothing is kept of it. Six a minute at most.",
				Flags: append(one, formatFlag(),
					&cli.DurationFlag{Name: "wait", Value: testPatience, Usage: "wait at most this `TIME` for it to arrive"}),
				Action: p.withDevice(p.testDevice)},
			{Name: "devices", Usage: "list the authenticators of this user", Flags: append(one, formatFlag()), Action: p.listing(p.listOwnDevices)},
			{Name: "rename", Usage: "call an authenticator of this user something else", ArgsUsage: "ID NAME", Flags: one, Action: p.withDevice(p.renameOwnDevice, "ID", "NAME")},
			{Name: "remove", Usage: "remove an authenticator of this user: it approves nothing more, and its codes end", ArgsUsage: "ID", Flags: append(one,
				&cli.BoolFlag{Name: "lost", Usage: "it was lost: also if it is the last one"}), Action: p.withDevice(p.removeOwnDevice, "ID")},
			{Name: "approvals", Usage: "list the last sign-ins that this user has answered", Flags: append(one, formatFlag()), Action: p.listing(p.listApprovals)},
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
		return "remove one that you do not need: on the engine's page, under Settings, Look after my devices"
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

// authenticatorActivate begins the file first: what was activated and cannot be
// kept would be an authenticator of nobody. It has its name once it is whole.
func (p *program) authenticatorActivate(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	if c.String("url") == "" || c.String("user") == "" {
		return usage("--url and --user are needed", "e.g. --url https://engine.contoso.example --user ada@contoso.example; both stand in the invitation")
	}
	client, err := p.deviceClient(c, &device.Device{URL: c.String("url")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	authority, err := keptCA(c.String("ca"))
	if err != nil {
		return err
	}
	path := c.String("device")
	f, err := newPartFor("device", path, "the authenticator's file")
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	d, err := p.activated(c, client)
	if err != nil {
		return err
	}
	d.CA = authority
	if err := keepDevice(f, d); err != nil {
		return err
	}
	if err := f.publish(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s is an authenticator of %s now; its file is %s: keep it private\n", migrate.Plain(d.Name), migrate.Plain(d.UPN), path)
	return nil
}

// keptCA is the authority that is kept with an authenticator, so that nobody has
// to name it again; one too large for its file is not.
func keptCA(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if len(pem) > maxKeptCA {
		pem = nil
	}
	return pem, err
}

func keepDevice(w io.Writer, d *device.Device) error {
	content, err := d.Marshal()
	if err != nil {
		return err
	}
	defer content.Wipe()
	_, err = w.Write(content.Reveal())
	return err
}

// activated gets the activation code as the options say, and uses it. What can be
// refused before is: a pass or a code of the old app is used up by then.
func (p *program) activated(c *cli.Context, client *device.Client) (*device.Device, error) {
	ctx, user, name := c.Context, c.String("user"), c.String("name")
	if err := engine.CheckDeviceName(name); err != nil {
		return nil, err
	}
	pin, err := p.pinAhead(c, client)
	if err != nil {
		return nil, err
	}
	made := engine.Activation{User: user}
	switch {
	case c.String("pass") != "":
		var pass secret.Bytes
		if pass, err = p.word(ctx, "Pass: ", c.String("pass")); err == nil {
			made, err = client.Pass(ctx, user, pass)
		}
		if cloud.ReasonOf(err) == cloud.WrongCode {
			err = hint.Wrap(err, "a pass for one use is used up once it was taken, also where nothing was activated after: ask the helpdesk for another one then")
		}
	case c.String("password") != "":
		made, err = p.proven(c, client)
	default:
		made.Code, err = p.word(ctx, "Activation code: ", c.String("code"))
	}
	if err != nil {
		return nil, err
	}
	d, err := client.Activate(ctx, made.User, made.Code, name, pin)
	for errors.Is(err, device.ErrNeedsPIN) || cloud.ReasonOf(err) == cloud.WeakPIN {
		fmt.Fprintf(p.err, "%v\n", err)
		if pin, err = p.word(ctx, "PIN: ", ""); err != nil || pin.IsZero() {
			return nil, errors.Join(errors.New("no PIN was given, so nothing was activated"), err)
		}
		d, err = client.Activate(ctx, made.User, made.Code, name, pin)
	}
	return d, err
}

// pinAhead is the PIN that was given, if the engine takes one like it.
func (p *program) pinAhead(c *cli.Context, client *device.Client) (secret.Bytes, error) {
	pin, err := p.wordIf(c.Context, c.String("pin"))
	if err != nil || pin.IsZero() {
		return pin, err
	}
	rules, err := client.About(c.Context)
	if err != nil {
		return pin, err
	}
	s := engine.Settings{Length: rules.PINLength, WeakPINs: rules.WeakPINs}
	return pin, s.CheckPIN(pin)
}

// wordIf is word; zero where nothing says where it is.
func (p *program) wordIf(ctx context.Context, ref string) (secret.Bytes, error) {
	if ref == "" {
		return secret.Bytes{}, nil
	}
	return p.word(ctx, "", ref)
}

// proven signs in with the password and the second factor that is there.
func (p *program) proven(c *cli.Context, client *device.Client) (engine.Activation, error) {
	password, err := p.word(c.Context, "Password: ", c.String("password"))
	if err != nil {
		return engine.Activation{}, err
	}
	asked, err := client.SignIn(c.Context, c.String("user"), password)
	if err != nil {
		return engine.Activation{}, err
	}
	fmt.Fprintf(p.err, "%s\n", migrate.Plain(asked.Prompt))
	code, err := p.word(c.Context, "Code: ", c.String("answer"))
	if err != nil {
		return engine.Activation{}, err
	}
	return client.Code(c.Context, asked.Challenge, code)
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

// press answers the one push that waits.
func (p *program) press(c *cli.Context, answer engine.PushAnswer) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	d, err := openDevice(c.String("device"))
	if err != nil {
		return err
	}
	client, err := p.deviceClient(c, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	pushes, err := waitPushes(c.Context, client, d, p.now().Add(c.Duration("wait")), p.now)
	switch {
	case err != nil:
		return err
	case len(pushes) == 0:
		return &exit{code: exitNotNow, err: errors.New("no sign-in waits for " + migrate.Plain(d.UPN))}
	case len(pushes) > 1 && answer == engine.PushApprove:
		return hint.New(fmt.Sprintf("%d sign-ins wait, and it cannot be told which one is meant", len(pushes)), "mfabridge authenticator run shows each of them")
	}
	for _, push := range pushes { // of several, all are denied
		fmt.Fprintln(p.out, describe(d, push))
		if answer == engine.PushApprove && push.Number && c.String("number") == "" {
			return usage("the login shows a number that has to be given", "add --number NN with the number that you see; deny it if you see none")
		}
		pin, err := p.pinFor(c.Context, c.String("pin"), push, answer)
		if err != nil {
			return err
		}
		if err := p.answer(c.Context, client, d, push, answered{answer, c.String("number"), pin}); err != nil {
			return err
		}
	}
	return nil
}

// waitPushes asks until something waits or the time is over.
func waitPushes(ctx context.Context, client *device.Client, d *device.Device, until time.Time, now func() time.Time) ([]push, error) {
	got, err := client.Pushes(ctx, d, "", 0)
	for err == nil && len(got.Pushes) == 0 && now().Before(until) {
		got, err = client.Pushes(ctx, d, got.Version, until.Sub(now()))
	}
	return got.Pushes, err
}

// errTooLate says that a push has had its answer, or its end.
var errTooLate = errors.New("too late: the sign-in has gone, or was answered on another device")

// answered is what a person gives in answer to a push.
type answered struct {
	word   engine.PushAnswer
	number string
	pin    secret.Bytes
}

// pinFor is the PIN for an approval that needs one.
func (p *program) pinFor(ctx context.Context, ref string, push push, answer engine.PushAnswer) (secret.Bytes, error) {
	if !push.PIN || answer != engine.PushApprove {
		return secret.Bytes{}, nil
	}
	return p.word(ctx, "PIN: ", ref)
}

// answer presses a button and says what came of it.
func (p *program) answer(ctx context.Context, client *device.Client, d *device.Device, push push, a answered) error {
	got, err := client.Press(ctx, d, push.Challenge, a.word, a.number, a.pin)
	answer := a.word
	switch {
	case err != nil:
		return err
	case got.PIN != "":
		return pinRefused(got.PIN, got.Left)
	case got.Reason == cloud.RepeatRefused || got.State == cloud.Expired:
		return errTooLate
	case got.State == cloud.Approved:
		fmt.Fprintln(p.out, "approved")
	case got.Reason == cloud.WrongCode:
		return hint.New("denied: that is not the number that the login shows", "if you see no number, somebody else signs in with your password: change it")
	case answer == engine.PushApprove:
		return fmt.Errorf("denied by the engine (%s)", got.Reason)
	case answer == engine.PushFraud:
		fmt.Fprintln(p.out, "denied and reported")
	default:
		fmt.Fprintln(p.out, "denied")
	}
	return nil
}
