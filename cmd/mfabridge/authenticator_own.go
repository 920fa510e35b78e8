package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// withDevice is the action of a command that asks the engine as an
// authenticator. Its arguments are looked at first.
func (p *program) withDevice(do func(*cli.Context, *device.Client, *device.Device) error, names ...string) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		if _, err := args(c, names...); err != nil {
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
		return do(c, client, d)
	}
}

// listing is withDevice for one that lists, as text or JSON.
func (p *program) listing(list func(*cli.Context, *device.Client, *device.Device, bool) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		asJSON, err := format(c)
		if err != nil {
			return err
		}
		return p.withDevice(func(c *cli.Context, client *device.Client, d *device.Device) error { return list(c, client, d, asJSON) })(c)
	}
}

// pinRefused says why a PIN was not taken.
func pinRefused(state string, left int) error {
	switch state {
	case "wrong":
		return hint.New(fmt.Sprintf("the PIN is wrong; %d more can be tried", left), "after five wrong ones in a row this authenticator is locked")
	case "locked":
		return hint.New("this authenticator is locked: too many PINs were wrong", "sign in on the engine's page to unlock it, or ask the helpdesk")
	}
	return hint.New("this authenticator needs its PIN", "set one with: mfabridge authenticator pin")
}

func (p *program) authenticatorPIN(c *cli.Context) error {
	return p.withDevice(func(c *cli.Context, client *device.Client, d *device.Device) error {
		old, err := p.wordIf(c.Context, c.String("old"))
		if err != nil {
			return err
		}
		pin, err := p.word(c.Context, "New PIN: ", c.String("pin"))
		if err != nil {
			return err
		}
		got, err := client.SetPIN(c.Context, d, pin, old)
		switch {
		case err != nil:
			return err
		case got.PIN == "needed":
			return hint.New("this authenticator has a PIN already", "add --old with the one of before")
		case got.PIN != "":
			return pinRefused(got.PIN, got.Left)
		}
		fmt.Fprintln(p.out, "the PIN is set")
		return nil
	})(c)
}

// ownForm is an authenticator of its owner in JSON.
type ownForm struct {
	Type     string     `json:"type"`
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	This     bool       `json:"this"` // it is the one that asks
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used"`
	PIN      bool       `json:"pin"`
	Locked   bool       `json:"locked"`
}

func (p *program) listOwnDevices(c *cli.Context, client *device.Client, d *device.Device, asJSON bool) error {
	me, err := client.Me(c.Context, d)
	if err != nil {
		return err
	}
	t := table(p.out)
	if !asJSON {
		fmt.Fprintln(t, "AUTHENTICATOR\tNAME\tSINCE\tLAST USED\tPIN")
	}
	for _, v := range me.Devices {
		form := ownForm{Type: "authenticator", ID: v.ID, Name: v.Name, This: v.This, Created: v.Created.UTC(), PIN: v.PIN, Locked: v.Locked}
		name, used, pin := migrate.Plain(v.Name), "never", "no"
		if v.This {
			name += " (this)"
		}
		if at := v.Used.UTC(); !v.Used.IsZero() {
			form.LastUsed, used = &at, stamp(at)
		}
		if v.PIN {
			pin = "yes"
		}
		if v.Locked {
			pin = "locked"
		}
		if asJSON {
			err = p.jsonLine(form)
		} else {
			_, err = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.ID, name, stamp(v.Created), used, pin)
		}
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

func (p *program) renameOwnDevice(c *cli.Context, client *device.Client, d *device.Device) error {
	given := c.Args().Slice()
	if err := client.Rename(c.Context, d, given[0], given[1]); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s is called %s now\n", given[0], migrate.Plain(given[1]))
	return nil
}

func (p *program) removeOwnDevice(c *cli.Context, client *device.Client, d *device.Device) error {
	given := c.Args().Slice()
	if err := client.Remove(c.Context, d, given[0], c.Bool("lost")); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s approves nothing more, and its codes have ended\n", given[0])
	return nil
}

// approvalForm is a sign-in that was answered, in JSON.
type approvalForm struct {
	Type     string            `json:"type"`
	ID       cloud.ChallengeID `json:"id"`
	At       time.Time         `json:"at"`
	App      string            `json:"app"`
	From     string            `json:"from"`
	Answer   string            `json:"answer"`
	Reported bool              `json:"reported"`
	By       string            `json:"by"` // the authenticator's name
}

func (p *program) listApprovals(c *cli.Context, client *device.Client, d *device.Device, asJSON bool) error {
	all, err := client.Approvals(c.Context, d)
	if err != nil {
		return err
	}
	t := table(p.out)
	if !asJSON {
		fmt.Fprintln(t, "SIGN-IN\tAT\tTO\tFROM\tANSWER\tBY")
	}
	for _, a := range all {
		answer := string(a.State)
		if a.Reported {
			answer += ", reported"
		}
		if asJSON {
			err = p.jsonLine(approvalForm{"approval", a.Challenge, a.At.UTC(), a.App, a.From, string(a.State), a.Reported, a.Name})
		} else {
			_, err = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Challenge, stamp(a.At), migrate.Plain(a.App), migrate.Plain(a.From), answer, migrate.Plain(a.Name))
		}
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

func (p *program) reportApproval(c *cli.Context, client *device.Client, d *device.Device) error {
	given := c.Args().Slice()
	got, err := client.Report(c.Context, d, cloud.ChallengeID(given[0]))
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, "reported: tell your helpdesk, and change your password")
	if got.Blocked {
		fmt.Fprintf(p.out, "you are blocked until %s, so that nobody signs in as you\n", stamp(got.Until))
	}
	return nil
}
