package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// press answers the one push that waits.
func (p *program) press(c *cli.Context, client *device.Client, d *device.Device, answer engine.PushAnswer) error {
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
	got, err := client.Press(ctx, d, push.Challenge, string(a.word), a.number, a.pin)
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
