package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
)

// Limits on what Preflight looks at.
const (
	samples   = 100         // users whose secrets are opened
	clockSlip = time.Minute // how far the clock may be behind the last entry of the audit
)

var _ cloud.Preflighter = (*Engine)(nil)

// errUndone undoes what Preflight wrote to see that it can.
var errUndone = errors.New("undone")

// Preflight implements [cloud.Preflighter].
func (e *Engine) Preflight(ctx context.Context) ([]cloud.Check, error) {
	checks := []cloud.Check{
		{Name: "schema", Result: cloud.CheckPassed, Detail: fmt.Sprintf("the store is of kind %s, format %d", e.setup.Kind, e.setup.Format)},
		e.checkWritable(ctx),
	}
	err := e.store.View(ctx, func(r Reader) error {
		last, err := r.LastAudit()
		if err != nil {
			return err
		}
		key, err := e.checkKey(r)
		if err != nil {
			return err
		}
		p, err := e.rules(r)
		if err != nil {
			return err
		}
		checks = append(checks, checkClock(e.now(), last.Time), key)
		checks = append(checks, policyChecks(p.Methods)...)
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	return append(checks, e.outside()...), nil
}

// checkWritable writes something and takes it back.
func (e *Engine) checkWritable(ctx context.Context) cloud.Check {
	c := cloud.Check{Name: "writable", Result: cloud.CheckPassed, Detail: "the store takes changes"}
	err := e.store.Update(ctx, func(tx Tx) error {
		if err := tx.SetMeta("preflight", []byte{0}); err != nil {
			return err
		}
		return errUndone
	})
	if !errors.Is(err, errUndone) {
		c.Result, c.Detail = cloud.CheckBlocker, fmt.Sprintf("the store takes no changes: %v", err)
		c.Action = "Make room on the disk, and check who owns the store and its folder."
	}
	return c
}

// checkClock compares the clock with the last thing that was recorded: codes
// are judged by it.
func checkClock(now, last time.Time) cloud.Check {
	c := cloud.Check{Name: "clock", Result: cloud.CheckPassed, Detail: "the clock says " + now.UTC().Format(time.RFC3339)}
	switch {
	case now.Year() < 2020 || now.Year() > 2200:
		c.Result, c.Detail = cloud.CheckBlocker, fmt.Sprintf("the clock says that it is the year %d", now.Year())
	case last.Sub(now) > clockSlip:
		c.Result = cloud.CheckBlocker
		c.Detail = fmt.Sprintf("the clock says %s, and the last entry of the audit is of %s", now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	if c.Result != cloud.CheckPassed {
		c.Action = "Set the clock: codes are judged by it."
	}
	return c
}

// checkKey opens secrets of the first users.
func (e *Engine) checkKey(r Reader) (cloud.Check, error) {
	users, err := r.UsersAfter("", samples)
	if err != nil {
		return cloud.Check{}, err
	}
	opened := 0
	for _, u := range users {
		tokens, err := r.Tokens(u.ID)
		if err != nil {
			return cloud.Check{}, err
		}
		for i := range tokens {
			key, err := e.key.Open(tokens[i].Sealed, tokenBinding(&tokens[i]))
			if err != nil {
				return cloud.Check{Name: "key", Result: cloud.CheckBlocker, Detail: "the key does not open the secret of generator " + tokens[i].ID,
					Action: "Name the key that was made with the store (--engine-key); if it is the right one, the store is damaged: take the backup."}, nil
			}
			key.Wipe()
			opened++
		}
	}
	return cloud.Check{Name: "key", Result: cloud.CheckPassed,
		Detail: fmt.Sprintf("the key belongs to the store, and opened the secrets of %d generators that were tried", opened)}, nil
}

// policyChecks say what the policy keeps people from using.
func policyChecks(p Policy) (checks []cloud.Check) {
	for _, method := range PolicyMethods() {
		m := p[method]
		c := cloud.Check{Name: "policy." + string(method), Result: cloud.CheckPassed, Detail: "everybody may use it"}
		switch {
		case method == PolicyTextSignIn: // nothing that moves needs it
			c.Detail = "nobody signs in with a number and a code"
			if m.Enabled {
				c.Detail = "some groups may sign in with a number and a code, once it is opened for each user"
			}
		case !m.Enabled:
			c.Result, c.Detail = cloud.CheckWarning, "nobody may use it: what moves cannot be used"
		case len(m.Include)+len(m.Exclude) > 0:
			c.Result, c.Detail = cloud.CheckWarning, "it is for some groups only: what moves to others cannot be used"
		}
		if m.Enabled && m.SignIn {
			c.Result, c.Detail = cloud.CheckWarning, "a mobile that moves lets its user sign in by text, without a password"
		}
		if c.Result != cloud.CheckPassed {
			c.Action = "Look at it with: mfabridge engine policy show"
		}
		checks = append(checks, c)
	}
	return checks
}

// outside are checks of what the store does not decide.
func (e *Engine) outside() []cloud.Check {
	if e.setup.Kind == KindEntra {
		c := cloud.Check{Name: "oath.activation", Result: cloud.CheckPassed, Detail: "an application is assumed to activate hardware OATH"}
		if !e.caps.OATH.Activates {
			c = cloud.Check{Name: "oath.activation", Result: cloud.CheckUnknown, Detail: "no public text says that an application can activate hardware OATH; it is assumed that it cannot",
				Action: "Try it on one user of the real tenant, and rehearse with --assume oath-activation=yes if it works."}
		}
		return []cloud.Check{c, {Name: "telephony", Result: cloud.CheckWarning, Detail: "Microsoft ends its own texts and calls",
			Action: "Plan for another method, or for a provider of your own."}}
	}
	var checks []cloud.Check
	for _, way := range []struct {
		name string
		is   cloud.Preference
	}{{"telephony.sms", cloud.SMS}, {"telephony.voice", cloud.VoiceMobile}} {
		c := cloud.Check{Name: way.name, Result: cloud.CheckPassed, Detail: "a provider delivers"}
		if !slices.Contains(e.caps.Telephony, way.is) {
			c.Result, c.Detail = cloud.CheckWarning, "nothing delivers: who has no other method cannot verify"
			c.Action = "Set a provider up before the cut-over."
		}
		checks = append(checks, c)
	}
	return checks
}
