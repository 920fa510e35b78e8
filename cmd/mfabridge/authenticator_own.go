package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// withDevice is the action of a command that asks the engine as an
// authenticator.
func (p *program) withDevice(do func(*cli.Context, *device.Client, *device.Device) error) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
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
	if _, err := args(c); err != nil {
		return err
	}
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

func (p *program) listOwnDevices(c *cli.Context, client *device.Client, d *device.Device) error {
	if _, err := args(c); err != nil {
		return err
	}
	me, err := client.Me(c.Context, d)
	if err != nil {
		return err
	}
	t := table(p.out)
	fmt.Fprintln(t, "AUTHENTICATOR\tNAME\tSINCE\tLAST USED\tPIN")
	for _, v := range me.Devices {
		name, used, pin := migrate.Plain(v.Name), "never", "no"
		if v.This {
			name += " (this)"
		}
		if !v.Used.IsZero() {
			used = stamp(v.Used)
		}
		if v.PIN {
			pin = "yes"
		}
		if v.Locked {
			pin = "locked"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.ID, name, stamp(v.Created), used, pin)
	}
	return t.Flush()
}

func (p *program) renameOwnDevice(c *cli.Context, client *device.Client, d *device.Device) error {
	given, err := args(c, "ID", "NAME")
	if err != nil {
		return err
	}
	if err := client.Rename(c.Context, d, given[0], given[1]); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s is called %s now\n", given[0], migrate.Plain(given[1]))
	return nil
}

func (p *program) removeOwnDevice(c *cli.Context, client *device.Client, d *device.Device) error {
	given, err := args(c, "ID")
	if err != nil {
		return err
	}
	if err := client.Remove(c.Context, d, given[0], c.Bool("lost")); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s approves nothing more, and its codes have ended\n", given[0])
	return nil
}

func (p *program) listApprovals(c *cli.Context, client *device.Client, d *device.Device) error {
	if _, err := args(c); err != nil {
		return err
	}
	all, err := client.Approvals(c.Context, d)
	if err != nil {
		return err
	}
	t := table(p.out)
	fmt.Fprintln(t, "SIGN-IN\tAT\tTO\tFROM\tANSWER\tBY")
	for _, a := range all {
		answer := string(a.State)
		if a.Reported {
			answer += ", reported"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Challenge, stamp(a.At), migrate.Plain(a.App), migrate.Plain(a.From), answer, migrate.Plain(a.Name))
	}
	return t.Flush()
}

func (p *program) reportApproval(c *cli.Context, client *device.Client, d *device.Device) error {
	given, err := args(c, "ID")
	if err != nil {
		return err
	}
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
