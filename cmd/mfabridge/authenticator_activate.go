package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// maxKeptCA is the largest authority that is kept with an authenticator, in bytes.
const maxKeptCA = 32 << 10

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
	made := device.Activation{User: user}
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

// proven signs in with the password and the second factor that is there.
func (p *program) proven(c *cli.Context, client *device.Client) (device.Activation, error) {
	password, err := p.word(c.Context, "Password: ", c.String("password"))
	if err != nil {
		return device.Activation{}, err
	}
	asked, err := client.SignIn(c.Context, c.String("user"), password)
	if err != nil {
		return device.Activation{}, err
	}
	fmt.Fprintf(p.err, "%s\n", migrate.Plain(asked.Prompt))
	code, err := p.word(c.Context, "Code: ", c.String("answer"))
	if err != nil {
		return device.Activation{}, err
	}
	return client.Code(c.Context, asked.Challenge, code)
}
