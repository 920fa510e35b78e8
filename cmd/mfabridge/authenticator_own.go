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

// listsOwn is withDevice for one that lists.
func (p *program) listsOwn(say func(*cli.Context, *device.Client, *device.Device, *listing) error, head ...string) cli.ActionFunc {
	return func(c *cli.Context) error {
		l, err := p.list(c, head...)
		if err != nil {
			return err
		}
		return p.withDevice(func(c *cli.Context, client *device.Client, d *device.Device) error { return say(c, client, d, l) })(c)
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

func (p *program) listOwnDevices(c *cli.Context, client *device.Client, d *device.Device, l *listing) error {
	me, err := client.Me(c.Context, d)
	if err != nil {
		return err
	}
	for _, v := range me.Devices {
		name, used, pin := v.Name, "never", yesNo(v.PIN)
		if v.This {
			name += " (this)"
		}
		if !v.Used.IsZero() {
			used = stamp(v.Used)
		}
		if v.Locked {
			pin = "locked"
		}
		form := ownForm{"authenticator", v.ID, v.Name, v.This, v.Created.UTC(), orNull(v.Used), v.PIN, v.Locked}
		if err := l.add(form, v.ID, name, stamp(v.Created), used, pin); err != nil {
			return err
		}
	}
	return l.end()
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

func (p *program) listApprovals(c *cli.Context, client *device.Client, d *device.Device, l *listing) error {
	all, err := client.Approvals(c.Context, d)
	if err != nil {
		return err
	}
	for _, a := range all {
		answer := string(a.State)
		if a.Reported {
			answer += ", reported"
		}
		form := approvalForm{"approval", a.Challenge, a.At.UTC(), a.App, a.From, string(a.State), a.Reported, a.Name}
		if err := l.add(form, string(a.Challenge), stamp(a.At), a.App, a.From, answer, a.Name); err != nil {
			return err
		}
	}
	return l.end()
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
