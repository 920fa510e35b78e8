package engine

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// pageSize is how many rows one transaction of a listing reads.
const pageSize = 500

// Actor is a person who administers, and why. Both stand in the audit.
type Actor struct {
	Who    string
	Reason string // may be empty where the command needs none
	Desk   bool   // of a helpdesk: may not change who has an administrative role
}

func (a Actor) check() error {
	if err := form.CheckText("the name of who does this", a.Who, form.MaxName); err != nil {
		return err
	}
	if a.Reason != "" {
		return form.CheckText("a reason", a.Reason, 1000)
	}
	return nil
}

// mayChange keeps a helpdesk from those who have an administrative role. Nobody,
// nil, has one.
func (a Actor) mayChange(u *User) error {
	if a.Desk && u != nil && len(u.Roles) > 0 {
		return refuse(cloud.Denied, "a helpdesk may not change who has an administrative role")
	}
	return nil
}

// ForDesk is a user as a helpdesk sees them: of who has an administrative role,
// whom it may not change, numbers and address are masked, since whoever is to be
// impersonated is looked up first.
func ForDesk(u cloud.User) cloud.User {
	if !u.Privileged {
		return u
	}
	for _, number := range []*string{&u.Mobile, &u.Alternate, &u.Office} {
		if *number != "" {
			*number = form.MaskPhone(*number)
		}
	}
	if u.Email != "" {
		u.Email = form.MaskEmail(u.Email)
	}
	return u
}

func noSuchUser() error { return refuse(cloud.NotFound, "there is no such user") }

// findUser is the user of an id. NotFound: there is none.
func findUser(r Reader, id cloud.UserID) (*User, error) {
	u, err := r.User(id)
	if u == nil && err == nil {
		err = noSuchUser()
	}
	return u, err
}

// findUser is findUser for somebody who is to change the user.
func (a Actor) findUser(tx Tx, id cloud.UserID) (*User, error) {
	u, err := findUser(tx, id)
	if err == nil {
		err = a.mayChange(u)
	}
	return u, err
}

// AddUser makes a user without methods. Conflict: a name is taken.
func (e *Engine) AddUser(ctx context.Context, by Actor, p cloud.Profile) (cloud.UserID, error) {
	if err := by.check(); err != nil {
		return "", err
	}
	p.Aliases = slices.Sorted(slices.Values(p.Aliases))
	if err := form.CheckProfile(&p); err != nil {
		return "", err
	}
	var id cloud.UserID
	err := e.store.Update(ctx, func(tx Tx) error {
		w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
		d := &draft{}
		if err := d.create(&w, &p); err != nil {
			return err
		}
		id = d.user.ID
		if err := tx.PutUser(&d.user); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "user.add", string(id), "", w.now))
	})
	return id, asError(err)
}

const idLength = 36 // of a UUID

// Show returns the user that somebody would type at a login, with methods; or
// else the one whose id it is, as the audit and the log write it.
func (e *Engine) Show(ctx context.Context, name string) (cloud.User, error) {
	var shown cloud.User
	err := e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: name})
		if err == nil && u == nil && len(name) == idLength && strings.Trim(name, "0123456789abcdef-") == "" {
			u, err = r.User(cloud.UserID(name))
		}
		if err != nil {
			return err
		}
		if u == nil {
			return noSuchUser()
		}
		v, err := e.viewer(r)
		if err != nil {
			return err
		}
		shown, err = v.whole(u)
		return err
	})
	return shown, asError(err)
}

// Users yields all users with their methods, ascending by id. It reads page by
// page: users that come or go meanwhile may be seen or not.
func (e *Engine) Users(ctx context.Context) iter.Seq2[cloud.User, error] {
	return func(yield func(cloud.User, error) bool) {
		var last cloud.UserID
		for {
			var page []cloud.User
			err := e.store.View(ctx, func(r Reader) error {
				v, err := e.viewer(r)
				if err != nil {
					return err
				}
				rows, err := r.UsersAfter(last, pageSize)
				page = make([]cloud.User, len(rows))
				for i := 0; i < len(rows) && err == nil; i++ {
					page[i], err = v.whole(rows[i])
				}
				return err
			})
			if err != nil {
				yield(cloud.User{}, asError(err))
				return
			}
			for _, u := range page {
				if !yield(u, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = page[len(page)-1].ID
		}
	}
}

// SetEnabled lets a user verify, or not: then sign-ins that wait for an approval
// are refused.
func (e *Engine) SetEnabled(ctx context.Context, by Actor, id cloud.UserID, enabled bool) error {
	if !enabled {
		return e.shutOut(ctx, by, id, "user.disable", "", cloud.UserDisabled, func(u *User) { u.Enabled = false })
	}
	return e.change(ctx, by, id, "user.enable", "", func(u *User) error {
		u.Enabled = true
		return dropBypass(u)
	})
}

// shutOut keeps a user from verifying, and refuses the sign-ins that wait for an
// approval. What was begun in other ways is refused when it is answered or
// looked at.
func (e *Engine) shutOut(ctx context.Context, by Actor, id cloud.UserID, action, detail string, reason cloud.Reason, edit func(*User)) error {
	return e.changeEnding(ctx, by, id, action, detail, func(tx Tx, u *User) ([]Verdict, error) {
		edit(u)
		if err := dropBypass(u); err != nil {
			return nil, err
		}
		a, err := readAside(u)
		if err != nil {
			return nil, err
		}
		return e.endPushes(tx, &a, cloud.Refused, reason, e.now())
	})
}

// Block keeps a user from verifying until a time; the next login sees it, and
// sign-ins that wait for an approval are refused.
func (e *Engine) Block(ctx context.Context, by Actor, id cloud.UserID, until time.Time) error {
	if !until.After(e.now()) || until.Year() > 2200 {
		return refuse(cloud.Invalid, "a block must end in the future, before the year 2200")
	}
	return e.shutOut(ctx, by, id, "user.block", "until="+until.UTC().Format(time.RFC3339), cloud.UserBlocked, func(u *User) { u.BlockedUntil = until })
}

// Unblock ends a block.
func (e *Engine) Unblock(ctx context.Context, by Actor, id cloud.UserID) error {
	return e.change(ctx, by, id, "user.unblock", "", func(u *User) error {
		u.BlockedUntil = time.Time{}
		return nil
	})
}

// SetPassword gives a user a password for primary authentication by the engine.
// Another one ends sign-ins that wait for the user's second factor, who has to
// begin anew.
func (e *Engine) SetPassword(ctx context.Context, by Actor, id cloud.UserID, password secret.Bytes) error {
	sealed, err := e.sealPassword(ctx, id, password)
	if err != nil {
		return asError(err)
	}
	return e.changeEnding(ctx, by, id, "user.password", "", func(tx Tx, u *User) ([]Verdict, error) {
		return e.reword(tx, u, sealed, e.now())
	})
}

// change edits one user and records who did it.
func (e *Engine) change(ctx context.Context, by Actor, id cloud.UserID, action, detail string, edit func(*User) error) error {
	return e.changeIn(ctx, by, id, action, detail, func(_ Tx, u *User) error { return edit(u) })
}

// changeEnding is changeIn for an edit that ends sign-ins; what it returns of them
// is published once it is stored.
func (e *Engine) changeEnding(ctx context.Context, by Actor, id cloud.UserID, action, detail string, edit func(Tx, *User) ([]Verdict, error)) error {
	var ended []Verdict
	err := e.changeIn(ctx, by, id, action, detail, func(tx Tx, u *User) (err error) {
		ended, err = edit(tx, u)
		return err
	})
	if err == nil {
		e.publish(ended...)
	}
	return err
}

// changeIn is change for what needs the transaction.
func (e *Engine) changeIn(ctx context.Context, by Actor, id cloud.UserID, action, detail string, edit func(Tx, *User) error) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		u, err := by.findUser(tx, id)
		if err != nil {
			return err
		}
		if err := edit(tx, u); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return tx.Append(e.entry(by, action, string(id), detail, e.now()))
	}))
}

func (e *Engine) entry(by Actor, action, subject, detail string, now time.Time) audit.Entry {
	return audit.Entry{Time: now, Node: e.node, Actor: by.Who, Action: action, Subject: subject, Detail: detail, Reason: by.Reason}
}

// Audit yields all entries after a sequence number, oldest first.
func (e *Engine) Audit(ctx context.Context, after int64) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for {
			var page []audit.Entry
			err := e.store.View(ctx, func(r Reader) (err error) {
				page, err = r.Audit(after, pageSize)
				return err
			})
			if err != nil {
				yield(audit.Entry{}, asError(err))
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
				after = entry.Seq
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// asError puts any error into the one vocabulary; nil stays nil.
func asError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		return e.err
	}
	if _, ok := errors.AsType[*cloud.Error](err); ok {
		return err
	}
	return &cloud.Error{Kind: cloud.Internal, Message: "the engine failed", Err: err}
}
