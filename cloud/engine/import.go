package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// MaxImport is the most users of one ImportUsers.
const MaxImport = 1000

// Limits on what a user brings along.
const (
	maxRoles  = 50
	maxGroups = 100
)

// Newcomer is a user as a directory knows them, without methods.
type Newcomer struct {
	Profile cloud.Profile
	Sam     string // sAMAccountName, a name that a login may use; may be empty
	Guest   bool
	Roles   []string // administrative roles
	Groups  []string // names of groups; those that are missing are made
}

// Imported is what became of a [Newcomer].
type Imported string

// What became of a newcomer.
const (
	ImportMade    Imported = "made"
	ImportChanged Imported = "changed"
	ImportSame    Imported = "same" // as it was
)

// ImportResult answers for one newcomer. With an error, the user is as they
// were, or lacks a group.
type ImportResult struct {
	ID      cloud.UserID
	Outcome Imported
	Err     error
}

// ImportUsers makes users, or brings those who are there in line: names,
// enabled, type and roles become what is given; aliases and groups are added
// and never taken away. Users are known by their user principal name. The
// call is one transaction, each user refused for itself; an error that
// concerns all stands in every result.
func (e *Engine) ImportUsers(ctx context.Context, by Actor, users []Newcomer) []ImportResult {
	results := make([]ImportResult, len(users))
	err := by.check()
	if err == nil && len(users) > MaxImport {
		err = refuse(cloud.Invalid, fmt.Sprintf("at most %d users can be imported at once", MaxImport))
	}
	var ended []Verdict
	if err == nil {
		err = e.store.Update(ctx, func(tx Tx) error {
			w := &writing{e: e, actor: by.Who, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
			groups := map[string]string{}
			for i := range users {
				var fatal error
				if results[i], fatal = e.importUser(w, by, users[i], groups); fatal != nil {
					return fatal
				}
			}
			ended = w.ended
			return nil
		})
	}
	if err != nil {
		for i := range results {
			results[i] = ImportResult{Err: asError(err)}
		}
		return results
	}
	e.publish(ended...)
	return results
}

// importUser makes or changes one user. A refusal is in the result; an error
// ends the call. groups are the ids of groups by folded name, as they are met.
func (e *Engine) importUser(w *writing, by Actor, n Newcomer, groups map[string]string) (ImportResult, error) {
	if err := n.check(); err != nil {
		return ImportResult{Err: err}, nil
	}
	u, err := lookUp(w.tx, cloud.Key{Kind: cloud.ByUPN, Value: n.Profile.UPN})
	if err != nil {
		return ImportResult{}, err
	}
	if err := by.mayImport(u, &n); err != nil {
		return ImportResult{Err: asError(err)}, nil
	}
	d, outcome := &draft{}, ImportMade
	if u != nil {
		d, outcome = &draft{user: *u}, ImportSame
	}
	changed, err := d.become(w, n)
	if e, ok := errors.AsType[*refusal](err); ok {
		return ImportResult{Err: e.err}, nil
	}
	if err != nil {
		return ImportResult{}, err
	}
	if changed {
		if err := w.tx.PutUser(&d.user); err != nil {
			return ImportResult{}, err
		}
	}
	joined, err := e.enter(w.tx, d.user.ID, n.Groups, groups)
	if _, own := errors.AsType[*cloud.Error](err); err != nil && (!own || cloud.KindOf(err) != cloud.Invalid) {
		return ImportResult{}, err
	}
	if outcome == ImportSame && (changed || joined) {
		outcome = ImportChanged
	}
	result := ImportResult{ID: d.user.ID, Outcome: outcome, Err: err}
	if outcome == ImportSame {
		return result, nil
	}
	return result, w.tx.Append(e.entry(by, "user.import", string(d.user.ID), string(outcome), w.now))
}

// mayImport keeps a helpdesk from who has an administrative role (nil: nobody
// yet), and from giving one.
func (a Actor) mayImport(u *User, n *Newcomer) error {
	return firstOf(a.mayChange(u), a.mayChange(&User{Roles: n.Roles}))
}

func (n *Newcomer) check() error {
	if len(n.Roles) > maxRoles || len(n.Groups) > maxGroups {
		return refuse(cloud.Invalid, fmt.Sprintf("a user can bring at most %d roles and %d groups", maxRoles, maxGroups))
	}
	for _, role := range n.Roles {
		if err := form.CheckText("a role", role, form.MaxName); err != nil {
			return err
		}
	}
	for _, group := range n.Groups {
		if err := form.CheckText("the name of a group", group, form.MaxName); err != nil {
			return err
		}
	}
	return nil
}

// become makes the draft's user what a newcomer is, and tells whether that
// changed anything.
func (d *draft) become(w *writing, n Newcomer) (bool, error) {
	p := n.Profile
	p.Aliases = slices.Clone(d.user.Aliases)
	for _, alias := range append(slices.Clone(n.Profile.Aliases), n.Sam) {
		known := Fold(alias) == Fold(p.UPN) || slices.ContainsFunc(p.Aliases, func(a string) bool { return Fold(a) == Fold(alias) })
		if alias != "" && !known {
			p.Aliases = append(p.Aliases, alias)
		}
	}
	slices.Sort(p.Aliases)
	if err := form.CheckProfile(&p); err != nil {
		return false, &refusal{err}
	}
	external := strings.Contains(strings.ToUpper(p.UPN), "#EXT#")
	switch {
	case d.user.ID == "":
		if err := d.create(w, &p); err != nil {
			return false, err
		}
	case p.Equal(d.user.Profile) && d.user.Guest == n.Guest && d.user.External == external && slices.Equal(d.user.Roles, n.Roles):
		return false, nil
	default:
		if err := d.rename(w, &p); err != nil {
			return false, err
		}
	}
	d.user.Guest, d.user.External, d.user.Roles = n.Guest, external, n.Roles
	return true, nil
}

// enter puts a user into groups by name, making those that are missing, and
// tells whether that changed anything. Invalid: they are in none of them, since
// they would be in too many.
func (e *Engine) enter(tx Tx, user cloud.UserID, names []string, known map[string]string) (joined bool, err error) {
	var entered []string
	for _, name := range names {
		id, ok := known[Fold(name)]
		if !ok {
			g, err := tx.GroupNamed(Fold(name))
			if err != nil {
				return false, err
			}
			if g != nil {
				id = g.ID
			} else if id, err = e.addGroup(tx, name); err != nil {
				return false, err
			}
			known[Fold(name)] = id
		}
		added, err := tx.AddMember(id, MemberUser, string(user))
		if err != nil {
			return false, err
		}
		if added {
			entered = append(entered, id)
		}
	}
	if len(entered) == 0 {
		return false, nil
	}
	_, err = groupsWith(tx, string(user))
	if err == nil {
		return true, nil
	}
	for _, id := range entered { // the user is committed all the same, and stays within the limit
		if _, err := tx.RemoveMember(id, MemberUser, string(user)); err != nil {
			return false, err
		}
	}
	return false, err
}
