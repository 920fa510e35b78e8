package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/form"
)

// Capabilities implements [cloud.DirectoryReader].
func (e *Engine) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	c := e.capabilities()
	if !c.CreateUsers {
		return c, nil
	}
	err := e.store.View(ctx, func(r Reader) error {
		p, err := e.rules(r)
		if err != nil {
			return err
		}
		may := p.Methods.For(nil)
		c.Forbidden, c.ForbiddenWays, c.SMSSignIn = may.Forbidden(), may.ForbiddenWays(), may.SignIn
		return nil
	})
	return c, asError(err)
}

// Find implements [cloud.DirectoryReader]. Every kind of key is unique here.
func (e *Engine) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	if len(keys) > e.caps.Batch {
		return nil, refuse(cloud.Invalid, fmt.Sprintf("at most %d keys can be looked up at once", e.caps.Batch))
	}
	var found [][]cloud.UserID
	err := e.store.View(ctx, func(r Reader) error {
		found = make([][]cloud.UserID, len(keys))
		for i, key := range keys {
			u, err := lookUp(r, key)
			if err != nil {
				return err
			}
			if u != nil {
				found[i] = []cloud.UserID{u.ID}
			}
		}
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	return found, nil
}

// lookUp returns the user that a key leads to, or nil.
func lookUp(r Reader, key cloud.Key) (*User, error) {
	if len(key.Value) > form.MaxName {
		key.Value = "" // nobody has such a name, and folding it would cost more than it tells
	}
	switch key.Kind {
	case cloud.ByID:
		return r.User(cloud.UserID(key.Value))
	case cloud.ByName:
		return r.UserNamed(Names, Fold(key.Value))
	case cloud.ByUPN:
		folded := Fold(key.Value)
		u, err := r.UserNamed(Names, folded)
		if u != nil && Fold(u.UPN) != folded {
			return nil, err // an alias of that name
		}
		return u, err
	case cloud.BySID:
		if key.Value == "" {
			return nil, nil
		}
		return r.UserNamed(SIDs, Fold(key.Value))
	default:
		return nil, refuse(cloud.Unsupported, fmt.Sprintf("users cannot be looked up by %q", string(key.Kind)))
	}
}

// Read implements [cloud.DirectoryReader].
func (e *Engine) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	if len(ids) > e.caps.Batch {
		return nil, refuse(cloud.Invalid, fmt.Sprintf("at most %d users can be read at once", e.caps.Batch))
	}
	var users []cloud.User
	err := e.store.View(ctx, func(r Reader) error {
		v, err := e.viewer(r)
		if err != nil {
			return err
		}
		users = make([]cloud.User, len(ids))
		for i, id := range ids {
			u, err := r.User(id)
			if err != nil {
				return err
			}
			if u == nil {
				continue
			}
			if users[i], err = v.whole(u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	return users, nil
}

// viewer shows users as they are in one state of the store.
type viewer struct {
	e     *Engine
	r     Reader
	rules *rules
	now   time.Time
}

func (e *Engine) viewer(r Reader) (viewer, error) {
	p, err := e.rules(r)
	return viewer{e: e, r: r, rules: p, now: e.now()}, err
}

// whole is the user with all methods, as a Directory shows it.
func (v viewer) whole(u *User) (cloud.User, error) {
	tokens, err := v.r.Tokens(u.ID)
	if err != nil {
		return cloud.User{}, err
	}
	devices, err := devicesOf(v.r, u)
	if err != nil {
		return cloud.User{}, err
	}
	may, err := v.rules.forUser(v.r, u.ID)
	if err != nil {
		return cloud.User{}, err
	}
	shown := u.User
	shown.OATH, shown.Authenticators = v.e.shown(tokens), invitations(devices, v.now)
	shown.NumberSignIn = u.SignsInByNumber()
	shown.EmailConfirmed = v.e.confirmed(u)
	shown.Privileged, shown.GlobalAdmin = len(u.Roles) > 0, slices.ContainsFunc(u.Roles, isGlobalAdmin)
	shown.Forbidden, shown.ForbiddenWays, shown.SMSSignIn = may.Forbidden(), may.ForbiddenWays(), may.SignIn
	if u.SignsInByNumber() {
		shown.ForbiddenWays = []cloud.Preference{cloud.SMS, cloud.VoiceMobile}
	}
	if !v.e.caps.Aliases {
		shown.Aliases = nil
	}
	return shown, nil
}

// isGlobalAdmin knows the role by its name and by the id of its template.
func isGlobalAdmin(role string) bool {
	folded := Fold(role)
	return folded == "global administrator" || folded == "company administrator" || folded == "62e90394-69f5-4237-9190-012177145e10"
}

// shown are generators as the target lets them be seen.
func (e *Engine) shown(tokens []Token) []cloud.OATHEntry {
	var entries []cloud.OATHEntry
	for _, t := range tokens {
		if !e.caps.OATH.Fingerprints {
			t.Fingerprint = ""
		}
		t.Inactive = t.Method == cloud.HardwareOATH && !e.caps.OATH.Activates
		entries = append(entries, t.OATHEntry)
	}
	return entries
}

// Write implements [cloud.Directory]. A call is one transaction: its changes
// become visible and durable together, each refused for itself.
func (e *Engine) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	return e.write(ctx, e.actor, changes)
}

func (e *Engine) write(ctx context.Context, actor string, changes []cloud.Change) []cloud.Result {
	return e.writeIf(ctx, actor, changes, nil)
}

// writeIf is write if may, which may be nil, says so in the transaction.
func (e *Engine) writeIf(ctx context.Context, actor string, changes []cloud.Change, may func(Tx) error) []cloud.Result {
	results := make([]cloud.Result, len(changes))
	if len(changes) == 0 {
		return results
	}
	var ended []Verdict
	err := refuse(cloud.Invalid, fmt.Sprintf("at most %d changes can be written at once", e.caps.Batch))
	if len(changes) <= e.caps.Batch {
		err = e.store.Update(ctx, func(tx Tx) error {
			if may != nil {
				if err := may(tx); err != nil {
					return err
				}
			}
			w := writing{e: e, actor: actor, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
			for i := range changes {
				var fatal error
				if results[i], fatal = w.change(changes[i]); fatal != nil {
					return fatal
				}
			}
			ended = w.ended
			return w.flush()
		})
	}
	if err != nil {
		for i := range results {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: asError(err)}
		}
		return results
	}
	e.publish(ended...)
	return results
}

// writing is one Write: the users it touches, as they will be.
type writing struct {
	e     *Engine
	actor string // in the audit
	tx    Tx
	now   time.Time
	order []*draft
	byID  map[cloud.UserID]*draft
	byUPN map[string]*draft // folded
	ended []Verdict         // on what waited for users who are shut out; to be published
}

// shutOut refuses the sign-ins that wait for an approval of a user who may not
// verify any more.
func (w *writing) shutOut(u *User, reason cloud.Reason) error {
	a, err := readAside(u)
	if err != nil {
		return err
	}
	ended, err := w.e.endPushes(w.tx, &a, cloud.Refused, reason, w.now)
	w.ended = append(w.ended, ended...)
	return err
}

// change makes one change. A refusal is a Result; an error ends the call.
func (w *writing) change(c cloud.Change) (cloud.Result, error) {
	d, err := w.draft(c)
	if err != nil {
		return cloud.Result{}, err
	}
	if d.stuck {
		return failed(cloud.Conflict, "it comes after a change of this user's account that was not made"), nil
	}
	result, err := d.change(w, c)
	if err != nil {
		return cloud.Result{}, err
	}
	if c.Method == cloud.Account && (result.Outcome == cloud.Failed || result.Outcome == cloud.Outdated) {
		d.stuck = true
	}
	if result.Outcome == cloud.Done {
		d.did = append(d.did, string(c.Op)+" "+string(c.Method))
	}
	return result, nil
}

// draft returns the user of a change, read once in this call.
func (w *writing) draft(c cloud.Change) (*draft, error) {
	folded := Fold(c.UPN)
	d := w.byID[c.User]
	if c.User == "" {
		d = w.byUPN[folded]
	}
	if d != nil {
		return d, nil
	}
	key := cloud.Key{Kind: cloud.ByID, Value: string(c.User)}
	if c.User == "" {
		key = cloud.Key{Kind: cloud.ByUPN, Value: c.UPN}
	}
	u, err := lookUp(w.tx, key)
	if err != nil {
		return nil, err
	}
	if u != nil {
		if d = w.byID[u.ID]; d == nil {
			if d, err = w.load(u); err != nil {
				return nil, err
			}
		}
	} else {
		d = &draft{user: User{}}
		w.order = append(w.order, d)
	}
	if c.User == "" {
		w.byUPN[folded] = d
	} else {
		w.byID[c.User] = d
	}
	return d, nil
}

func (w *writing) load(u *User) (*draft, error) {
	d, err := w.e.draftOf(w.tx, u, w.now)
	if err != nil {
		return nil, err
	}
	w.order = append(w.order, d)
	w.byID[u.ID] = d
	return d, nil
}

// draftOf is a user with their methods, as they are now.
func (e *Engine) draftOf(r Reader, u *User, now time.Time) (*draft, error) {
	tokens, err := r.Tokens(u.ID)
	if err != nil {
		return nil, err
	}
	devices, err := devicesOf(r, u)
	if err != nil {
		return nil, err
	}
	d := &draft{user: *u, tokens: tokens, devices: devices}
	d.user.Authenticators = invitations(devices, now)
	d.show(e)
	return d, nil
}

// flush writes the rows of changed users and one audit entry for each.
func (w *writing) flush() error {
	for _, d := range w.order {
		if len(d.did) == 0 {
			continue
		}
		if d.changed && d.user.ID != "" {
			if err := w.tx.PutUser(&d.user); err != nil {
				return err
			}
		}
		if err := w.tx.Append(audit.Entry{Time: w.now, Node: w.e.node, Actor: w.actor, Action: "directory.write",
			Subject: string(d.subject), Detail: joined(d.did)}); err != nil {
			return err
		}
	}
	return nil
}

func failed(k cloud.Kind, message string) cloud.Result {
	return cloud.Result{Outcome: cloud.Failed, Err: refuse(k, message)}
}
