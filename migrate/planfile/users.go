package planfile

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// Users yields the decisions in the order of the export. Revealed and Bare need
// the key. After an error nothing more is yielded.
func (p *Plan) Users(ctx context.Context, view migrate.View) iter.Seq2[migrate.Decision, error] {
	return p.users(ctx, view, nil)
}

// UsersIn is Users for those of one wave, or with an empty name for those of
// none. The others are passed over: nothing that is sealed of them is opened.
func (p *Plan) UsersIn(ctx context.Context, view migrate.View, wave string) iter.Seq2[migrate.Decision, error] {
	return p.users(ctx, view, &wave)
}

func (p *Plan) users(ctx context.Context, view migrate.View, wave *string) iter.Seq2[migrate.Decision, error] {
	return func(yield func(migrate.Decision, error) bool) {
		u, err := p.openUsers(view)
		if err != nil {
			yield(migrate.Decision{}, p.damaged(err))
			return
		}
		defer u.db.close()
		u.wave = wave
		for {
			if err := ctx.Err(); err != nil {
				yield(migrate.Decision{}, err)
				return
			}
			d, more, err := u.next()
			if err != nil {
				yield(migrate.Decision{}, p.damaged(err))
				return
			}
			if !more || !yield(d, nil) {
				return
			}
		}
	}
}

// users merges the tables of a plan by ordinal: each is read once, in the
// order of its key.
type users struct {
	plan                    *Plan
	db                      *db
	seal                    *sealer // nil: masked
	user, changes, findings *part
	wave                    *string // only of its users; nil: of all
	last                    int64
}

// part is one of the tables, at its next row.
type part struct {
	*cursor
	more bool
}

func (t *part) step() { t.more = t.next() }

// of tells whether the next row belongs to the user with this ordinal.
func (t *part) of(ordinal int64) bool { return t.more && t.int(0) == ordinal }

func (p *Plan) openUsers(view migrate.View) (*users, error) {
	u := &users{plan: p, last: -1}
	if view != migrate.Masked {
		if p.key == nil {
			return nil, hint.New("the values of the plan are sealed and there is no key", "put the .key file that was made with the plan beside it")
		}
		var err error
		if u.seal, err = newSealer(*p.key); err != nil {
			return nil, err
		}
	}
	d, err := p.connect()
	if err != nil {
		return nil, err
	}
	u.db = d
	values := "before, after"
	if u.seal != nil { // they come from the seal
		values = "NULL, NULL"
	}
	only := ""
	if view == migrate.Bare {
		only = "WHERE false "
	}
	for _, t := range []struct {
		into **part
		sql  string
	}{
		{&u.user, `SELECT ordinal, username, upn, target, matched_by, wave, action, outlook, facts, sealed FROM users ORDER BY ordinal`},
		{&u.changes, `SELECT ordinal, op, method, id, ` + values + `, reason, irreversible FROM changes ORDER BY rowid`},
		{&u.findings, `SELECT ordinal, kind, field, detail, place FROM findings ` + only + `ORDER BY rowid`},
	} {
		if *t.into, err = openPart(d, t.sql); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return u, nil
}

func openPart(d *db, sql string) (*part, error) {
	s, err := d.prepare(sql)
	if err != nil {
		return nil, err
	}
	c, err := s.query()
	if err != nil {
		return nil, err
	}
	t := &part{cursor: c}
	t.step()
	return t, c.bad
}

// next reads the next user; false after the last.
func (u *users) next() (d migrate.Decision, more bool, err error) {
	u.pass()
	if !u.user.more {
		return d, false, u.end()
	}
	c := u.user
	ordinal, sealed := c.int(0), c.blob(9)
	d = migrate.Decision{
		Ordinal: int(ordinal), Username: c.text(1), UPN: c.text(2), Target: cloud.UserID(c.text(3)),
		MatchedBy: c.text(4), Wave: c.text(5), Action: migrate.Action(c.text(6)), Outlook: migrate.Outlook(c.text(7)),
	}
	d.Facts, err = parseFacts(c.text(8))
	if err != nil {
		return d, false, err
	}
	if c.bad == nil && ordinal <= u.last {
		c.bad = errors.New("its users are not in order")
	}
	if c.bad != nil {
		return d, false, c.bad
	}
	u.last = ordinal
	c.step()
	if err := u.parts(&d, ordinal); err != nil {
		return d, false, err
	}
	if u.seal != nil {
		if err := u.seal.open(sealed, &d); err != nil {
			return d, false, fmt.Errorf("user %d: %w", ordinal, err)
		}
	}
	return d, true, c.bad
}

// pass goes to the next user of the wave. Rows that belong to no user stay
// where they are, to be complained about at the end.
func (u *users) pass() {
	for u.wave != nil && u.user.more && u.user.bad == nil && u.user.text(5) != *u.wave {
		ordinal := u.user.int(0)
		for _, t := range []*part{u.changes, u.findings} {
			for t.of(ordinal) {
				t.step()
			}
		}
		u.user.step()
	}
}

// parts reads what the other tables have of a user.
func (u *users) parts(d *migrate.Decision, ordinal int64) error {
	for t := u.changes; t.of(ordinal); t.step() {
		c, err := u.change(t, d)
		if err != nil {
			return err
		}
		if d.Changes = append(d.Changes, c); len(d.Changes) > MaxChanges {
			return fmt.Errorf("user %d has more than %d changes", ordinal, MaxChanges)
		}
	}
	for t := u.findings; t.of(ordinal); t.step() {
		f, err := u.plan.finding(t.cursor, 1)
		if err != nil {
			return err
		}
		if d.Findings = append(d.Findings, f); len(d.Findings) > MaxFindings {
			return fmt.Errorf("user %d has more than %d findings", ordinal, MaxFindings)
		}
	}
	return errors.Join(u.changes.bad, u.findings.bad)
}

func (u *users) change(t *part, d *migrate.Decision) (migrate.PlannedChange, error) {
	c := migrate.PlannedChange{Reason: t.text(6), Irreversible: t.int(7) != 0}
	c.User, c.UPN = d.Target, d.UPN
	c.Op, c.Method, c.ID = cloud.Op(t.text(1)), cloud.Method(t.text(2)), t.text(3)
	if t.bad != nil || u.seal != nil {
		return c, t.bad
	}
	var err error
	if c.Before, err = parseClear(t, 4, c.Method); err != nil {
		return c, err
	}
	c.After, err = parseClear(t, 5, c.Method)
	return c, err
}

// parseClear is the inverse of clearValue.
func parseClear(t *part, i int, m cloud.Method) (cloud.Value, error) {
	if t.row[i] == nil {
		return cloud.Value{}, nil
	}
	text := t.text(i)
	if isText(m) || t.bad != nil {
		return cloud.TextValue(text), t.bad
	}
	return migrate.ParseValue(m, []byte(text))
}

// end makes sure at the last user that every other row belonged to one.
func (u *users) end() error {
	for _, t := range []*part{u.changes, u.findings} {
		if t.more && t.bad == nil {
			t.bad = errors.New("it holds rows of no user")
		}
	}
	return errors.Join(u.user.bad, u.changes.bad, u.findings.bad)
}
