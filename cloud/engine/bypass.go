package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// maxBypass is how long a bypass can wait for the login that it is for.
const maxBypass = 4 * time.Hour

// Bypass lets one login of a user pass without a second factor: the next one
// that begins before Until, at App if that is not empty. It takes the place of
// the question only: a login that comes with nothing but a code, and users who
// are disabled or blocked, are judged as ever.
type Bypass struct {
	Until time.Time `json:"until"`
	App   string    `json:"app,omitempty"` // compared without case
	By    string    `json:"by"`
}

// opens tells whether a bypass lets a login pass now.
func (p *Bypass) opens(app string, now time.Time) bool {
	return p != nil && now.Before(p.Until) && (p.App == "" || Fold(p.App) == Fold(app))
}

// AllowBypass gives a user a bypass, in place of one that waits already. A
// reason must be given.
func (e *Engine) AllowBypass(ctx context.Context, by Actor, id cloud.UserID, app string, until time.Time) error {
	now := e.now()
	switch {
	case strings.TrimSpace(by.Reason) == "":
		return refuse(cloud.Invalid, "a bypass needs a reason")
	case !until.After(now) || until.Sub(now) > maxBypass:
		return refuse(cloud.Invalid, fmt.Sprintf("a bypass must end in the future, at most %v from now", maxBypass))
	case app != "":
		if err := form.CheckText("the name of an application", app, maxApp); err != nil {
			return err
		}
	}
	detail := "until=" + until.UTC().Format(time.RFC3339)
	if app != "" {
		detail += fmt.Sprintf(" app=%q", app)
	}
	return e.change(ctx, by, id, "user.bypass", detail, func(u *User) error {
		if reason := usable(u, now); reason != "" {
			return refuse(cloud.Conflict, "the user is disabled or blocked: a bypass opens nothing for them")
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		a.Bypass = &Bypass{Until: until.UTC(), App: app, By: by.Who}
		return setAside(u, a)
	})
}

// EndBypass takes a bypass back. NotFound: there is none that waits.
func (e *Engine) EndBypass(ctx context.Context, by Actor, id cloud.UserID) error {
	return e.change(ctx, by, id, "user.bypass-end", "", func(u *User) error {
		a, err := readAside(u)
		if err != nil {
			return err
		}
		if a.Bypass == nil || !e.now().Before(a.Bypass.Until) {
			return refuse(cloud.NotFound, "the user has no bypass")
		}
		a.Bypass = nil
		return setAside(u, a)
	})
}

// dropBypass ends the bypass of a user who is kept from verifying, or let back:
// it was given under other circumstances.
func dropBypass(u *User) error {
	a, err := readAside(u)
	if err != nil || a.Bypass == nil {
		return err
	}
	a.Bypass = nil
	return setAside(u, a)
}

// Exceptions are the bypass and the passes of a user at this moment.
type Exceptions struct {
	Bypass *Bypass // nil: none that waits
	Passes []Pass  // oldest first, also those that are over
}

// Exceptions shows them.
func (e *Engine) Exceptions(ctx context.Context, id cloud.UserID) (x Exceptions, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := findUser(r, id)
		if err != nil {
			return err
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		x = Exceptions{Passes: shownPasses(a.Passes, e.now())}
		if a.Bypass != nil && e.now().Before(a.Bypass.Until) {
			x.Bypass = a.Bypass
		}
		return nil
	})
	return x, asError(err)
}

// pass uses the bypass up: the login is approved and nobody is asked.
func (b *beginning) pass() error {
	b.aside.Bypass = nil
	if err := setAside(b.user, b.aside); err != nil {
		return err
	}
	if err := b.tx.PutUser(b.user); err != nil {
		return err
	}
	b.c.Method, b.c.Bypassed = "", true
	b.c.conclude(cloud.Approved, "", b.now)
	b.decided = true
	return b.e.auditVerdict(b.tx, b.c, b.now)
}
