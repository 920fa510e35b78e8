package engine

import (
	"context"
	"strings"

	"mfabridge/cloud"
)

// Person is a user with what a directory of a cloud shows besides methods.
type Person struct {
	cloud.User
	Roles []string // administrative roles, as they were given
	Sam   string   // the first alias that is a plain account name
}

// PersonBy is the user that a key leads to. NotFound: nobody.
func (e *Engine) PersonBy(ctx context.Context, key cloud.Key) (p Person, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, key)
		if err == nil && u == nil {
			err = noSuchUser()
		}
		if err != nil {
			return err
		}
		v, err := e.viewer(r)
		if err != nil {
			return err
		}
		p, err = v.person(u)
		return err
	})
	return p, asError(err)
}

// PersonsAfter lists users, ascending by id.
func (e *Engine) PersonsAfter(ctx context.Context, after cloud.UserID, limit int) (all []Person, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = nil
		v, err := e.viewer(r)
		if err != nil {
			return err
		}
		users, err := r.UsersAfter(after, limit)
		for i := 0; i < len(users) && err == nil; i++ {
			var p Person
			p, err = v.person(users[i])
			all = append(all, p)
		}
		return err
	})
	return all, asError(err)
}

func (v viewer) person(u *User) (Person, error) {
	whole, err := v.whole(u)
	p := Person{User: whole, Roles: u.Roles}
	for _, alias := range u.Aliases {
		if !strings.ContainsAny(alias, `\@`) {
			p.Sam = alias
			break
		}
	}
	return p, err
}

// FindGroup is a group by id or name. NotFound: there is none.
func (e *Engine) FindGroup(ctx context.Context, group string) (g Group, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		found, err := findGroup(r, group)
		if err == nil {
			g = *found
		}
		return err
	})
	return g, asError(err)
}

// GroupsAfter lists groups, ascending by id.
func (e *Engine) GroupsAfter(ctx context.Context, after string, limit int) (all []Group, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		all, err = r.GroupsAfter(after, limit)
		return err
	})
	return all, asError(err)
}

// MembersAfter lists direct members of a group (by id), ascending by id.
func (e *Engine) MembersAfter(ctx context.Context, group string, kind MemberKind, after string, limit int) (ids []string, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		ids, err = r.MembersAfter(group, kind, after, limit)
		return err
	})
	return ids, asError(err)
}

// GroupsOf are the groups that a user is in: directly, or with all groups
// around those. Invalid: there are more than are read.
func (e *Engine) GroupsOf(ctx context.Context, user cloud.UserID, direct bool) (all []Group, err error) {
	read := groupsAround
	if direct {
		read = groupsWith
	}
	err = e.store.View(ctx, func(r Reader) error {
		ids, err := read(r, string(user))
		if err == nil {
			all, err = groupsOf(r, ids)
		}
		return err
	})
	return all, asError(err)
}
