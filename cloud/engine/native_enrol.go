package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// mayEnrol tells whether a user may register a second factor in a flow: only
// where there is none of any kind, and there is one that could be registered.
func (e *Engine) mayEnrol(r Reader, app *NativeApp, u *User, may Allowed, f *Flow) (bool, error) {
	if !app.Enrol || u.Mobile+u.Alternate+u.Office != "" || u.Devices > 0 {
		return false, nil
	}
	tokens, err := r.Tokens(u.ID)
	if err != nil || len(tokens) > 0 {
		return false, err
	}
	all, err := e.enrolable(r, may, f)
	return len(all) > 0, err
}

func (e *Engine) enrolable(r Reader, may Allowed, f *Flow) (all []NativeMethod, err error) {
	mail, err := e.mailCounts(r, may, f)
	if err == nil && mail {
		all = append(all, NativeMethod{ID: channelMail, Channel: channelMail})
	}
	if may.SMS && e.senders[cloud.SMS] != nil {
		all = append(all, NativeMethod{ID: channelText, Channel: channelText})
	}
	return all, err
}

// EnrolMethods are what can be registered in a flow.
func (e *Engine) EnrolMethods(ctx context.Context, app NativeApp, f Flow) (all []NativeMethod, next Flow, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		_, all, err = e.enrolAt(r, &app, &f)
		return err
	})
	return all, f.on(f.Step, e.now()), asError(err)
}

// enrolAt looks whether a flow may register something, and what.
func (e *Engine) enrolAt(r Reader, app *NativeApp, f *Flow) (*User, []NativeMethod, error) {
	if _, err := flowAt(r, f); err != nil {
		return nil, nil, err
	}
	u, err := r.User(f.User)
	if err != nil {
		return nil, nil, err
	}
	if usable(u, e.now()) != "" {
		return nil, nil, refuse(cloud.Denied, "the user may not sign in")
	}
	may, err := e.allowed(r, u.ID)
	if err != nil {
		return nil, nil, err
	}
	can, err := e.mayEnrol(r, app, u, may, f)
	if err != nil {
		return nil, nil, err
	}
	if !can {
		return nil, nil, refuse(cloud.Denied, "nothing can be registered here")
	}
	if err := e.mustHold(f, u, may); err != nil {
		return nil, nil, err
	}
	all, err := e.enrolable(r, may, f)
	return u, all, err
}

// AskEnrol sends a code to the number or address that is to be registered.
// An address that this flow has proven already need not be proven again.
// Refusals: see [RefusedTarget].
func (e *Engine) AskEnrol(ctx context.Context, app NativeApp, f Flow, channel, target string, client NativeClient) (Flow, Asked, error) {
	if channel == "" {
		channel = channelTo(target)
	}
	var u *User
	err := e.store.View(ctx, func(r Reader) error {
		found, all, err := e.enrolAt(r, &app, &f)
		if err == nil && !slices.ContainsFunc(all, func(m NativeMethod) bool { return m.Channel == channel }) {
			err = refuseAs(RefusedTarget)
		}
		u = found
		return err
	})
	if err != nil {
		return f, Asked{}, asError(err)
	}
	if channel == channelMail {
		if form.CheckEmail(target) != nil {
			return f, Asked{}, refuseAs(RefusedTarget)
		}
		f.Target = target
		if f.Mail && Fold(target) == Fold(e.confirmedMail(u)) {
			return f.on(AtKnown, e.now()), Asked{Known: true, Channel: channel, Label: maskMail(target)}, nil
		}
		return e.post(ctx, posting{app: &app, f: f, channel: channel, to: target, step: AtEnrolling, client: client})
	}
	if f.Target = form.PlainNumber(target); f.Target == "" {
		return f, Asked{}, refuseAs(RefusedTarget)
	}
	if !app.TextsTo(f.Target) {
		return f, Asked{}, refuseAs(RefusedRegion)
	}
	return e.post(ctx, posting{app: &app, f: f, channel: channel, to: f.Target, step: AtEnrolling, client: client})
}

// AnswerEnrol takes the code: the number or address is the user's from then on.
func (e *Engine) AnswerEnrol(ctx context.Context, app NativeApp, f Flow, code secret.Bytes, client NativeClient) (Flow, error) {
	return e.enrolled(ctx, app, f, client, func(tx Tx) (bool, error) { return e.proves(tx, &f, f.Target, code, client) })
}

// EnrolKnown registers the address that the flow has proven already.
func (e *Engine) EnrolKnown(ctx context.Context, app NativeApp, f Flow, client NativeClient) (Flow, error) {
	return e.enrolled(ctx, app, f, client, func(tx Tx) (bool, error) {
		u, err := tx.User(f.User)
		return err == nil && u != nil && f.Mail && Fold(f.Target) == Fold(e.confirmedMail(u)), err
	})
}

// channelTo is how a number or an address is reached.
func channelTo(target string) string {
	if strings.Contains(target, "@") {
		return channelMail
	}
	return channelText
}

// takeTarget makes a proven number or address the user's, who has still to be
// put, and returns by what it was proven.
func (e *Engine) takeTarget(tx Tx, u *User, target string) (way string, err error) {
	if channelTo(target) == channelMail {
		if Fold(target) != Fold(e.confirmedMail(u)) {
			u.Email = target
			e.confirm(u)
		}
		return WayEmail, nil
	}
	if err := closeNumber(tx, u); err != nil {
		return "", err
	}
	u.Mobile = target
	if u.Default == "" {
		u.Default = cloud.SMS
	}
	return WaySMS, nil
}

// enrolled registers what proven finds proven, and goes on with the flow.
func (e *Engine) enrolled(ctx context.Context, app NativeApp, f Flow, client NativeClient, proven func(Tx) (bool, error)) (Flow, error) {
	right := false
	next := f
	var before User
	var told *User
	err := e.store.Update(ctx, func(tx Tx) error {
		next = f
		u, all, err := e.enrolAt(tx, &app, &f)
		if err != nil {
			return err
		}
		channel := channelTo(f.Target)
		if !slices.ContainsFunc(all, func(m NativeMethod) bool { return m.Channel == channel }) || channel == channelText && !app.TextsTo(f.Target) {
			return refuse(cloud.Denied, "that cannot be registered any more")
		}
		if right, err = proven(tx); err != nil || !right {
			return err
		}
		before = *u
		way, err := e.takeTarget(tx, u, f.Target)
		if err != nil {
			return err
		}
		told = u
		next.Ways = append(slices.Clone(f.Ways), way)
		next.Target = ""
		if err := e.goesOn(tx, &next, AtReady); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: app.Name, Action: "native.enrol", Subject: string(u.ID),
			Detail: fmt.Sprintf("app=%s method=%s from=%q", app.ID, way, tries.Place(client.as(&app)))})
	})
	switch {
	case err != nil:
		return f, asError(err)
	case !right:
		return f, wrongCode()
	}
	e.tellEnrolled(ctx, &before, told)
	return next, nil
}

// tellEnrolled lets a user know of a second factor that was registered. Whoever
// registered it reads what goes there, and may have done it with somebody else's
// password: an address that was the user's before hears of it, too, confirmed or
// not, as of any notice.
func (e *Engine) tellEnrolled(ctx context.Context, before, now *User) {
	text := "A second factor was registered for " + now.UPN + ". If that was not you, call your helpdesk."
	e.notify(ctx, now, text)
	if heard := now.Mobile == "" || e.confirmed(now); !heard || Fold(before.Email) != Fold(now.Email) {
		e.notify(ctx, before, text)
	}
}
