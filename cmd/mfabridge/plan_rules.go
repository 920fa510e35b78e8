package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// ruleFlags are the rules that decide what moves.
func ruleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "create-users", Usage: "create users that the target does not have"},
		&cli.StringFlag{Name: "default-country", Usage: "`COUNTRY` (GB or 44) of numbers that say none; unset: such numbers do not move"},
		&cli.StringFlag{Name: "phone-validity", Value: "possible", Usage: "possible, or strict: leave out numbers that are possible but not valid"},
		&cli.StringFlag{Name: "existing", Value: string(migrate.ExistingKeep), Usage: "keep or replace what the target has in a slot"},
		&cli.StringFlag{Name: "default-method", Value: string(migrate.DefaultUnset), Usage: "set the default method: unset (only where there is none), always, or secure"},
		&cli.StringFlag{Name: "email", Usage: "move addresses: off, external or all (default: what fits the target)"},
		&cli.BoolFlag{Name: "include-disabled", Usage: "move disabled users, and disable them in the target where it can"},
		&cli.StringFlag{Name: "include-privileged", Usage: "move the administrators that `FILE` names, a Username or user principal name a line"},
		&cli.BoolFlag{Name: "reinvite", Usage: "renew invitations to activate an app that have expired"},
		&cli.StringFlag{Name: "deadlines", Usage: "`FILE` (CSV: cloud,class,date,source) says when clouds end their own texts and calls"},
		&cli.StringFlag{Name: "telephony-provider", Usage: "`sms,voice`: what a provider of your own will deliver when the cloud's own texts and calls end"},
	}
}

// rules turns the options of a command line into those of a plan.
func (p *program) rules(c *cli.Context) (migrate.Options, error) {
	opt := migrate.Options{
		CreateUsers:     c.Bool("create-users"),
		DefaultCountry:  c.String("default-country"),
		Existing:        migrate.ExistingPolicy(c.String("existing")),
		DefaultMethod:   migrate.DefaultPolicy(c.String("default-method")),
		Email:           migrate.EmailPolicy(c.String("email")),
		IncludeDisabled: c.Bool("include-disabled"),
		Reinvite:        c.Bool("reinvite"),
		Now:             p.now(),
	}
	switch v := c.String("phone-validity"); v {
	case "possible", "":
	case "strict":
		opt.PhoneStrict = true
	default:
		return opt, usage(fmt.Sprintf("--phone-validity cannot be %q", v), "use possible or strict")
	}
	if err := ruleFiles(c, &opt); err != nil {
		return opt, err
	}
	for word := range strings.SplitSeq(c.String("telephony-provider"), ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "sms":
			opt.Provider.SMS = true
		case "voice":
			opt.Provider.Voice = true
		default:
			return opt, usage(fmt.Sprintf("--telephony-provider cannot be %q", word), "use sms, voice or both")
		}
	}
	if err := opt.Validate(); err != nil {
		return opt, &exit{code: exitUsage, err: err}
	}
	opt.NumberingPlans = phone.NewPlans()
	if _, err := phone.NewParser(phone.Options{DefaultCountry: opt.DefaultCountry, Plans: opt.NumberingPlans}); err != nil {
		return opt, &exit{code: exitUsage, err: err}
	}
	return opt, nil
}

// ruleFiles reads the files that rules are in.
func ruleFiles(c *cli.Context, opt *migrate.Options) (err error) {
	if path := c.String("include-privileged"); path != "" {
		opt.Privileged, err = migrate.ReadNames(filepath.Base(path), func() (io.ReadCloser, error) { return os.Open(path) })
		if err != nil {
			return err
		}
	}
	if path := c.String("deadlines"); path != "" {
		f, err := os.Open(path)
		if err != nil {
			return hint.Wrap(fmt.Errorf("the deadlines cannot be read: %w", err), "--deadlines names a CSV file with cloud, class, date and source")
		}
		defer f.Close()
		if opt.Deadlines, err = migrate.ReadDeadlines(f, filepath.Base(path)); err != nil {
			return err
		}
	}
	return nil
}

// inForce lists the options that shaped a plan, for its header. Where the keys
// of the export lie shapes nothing, and is nobody's business who reads it.
func inForce(c *cli.Context) map[string]string {
	out := map[string]string{}
	for _, flag := range slices.Concat(ruleFlags(), matchFlags(), exportFlags()) {
		name := flag.Names()[0]
		if slices.Contains([]string{"identity", "passphrase", "pskc-key", "pskc-passphrase"}, name) {
			continue
		}
		switch flag.(type) {
		case *cli.BoolFlag:
			out[name] = strconv.FormatBool(c.Bool(name))
		case *cli.StringSliceFlag:
			out[name] = strings.Join(c.StringSlice(name), ",")
		default:
			out[name] = c.String(name)
		}
	}
	return out
}
