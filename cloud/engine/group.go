package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/form"
)

// Limits on groups.
const (
	maxNested  = 1000 // groups within one group, at any depth
	maxParents = 1000 // groups that one user or group is a direct member of
	maxAround  = 2000 // groups that one is in, directly or through others
)

var _ cloud.GroupReader = (*Engine)(nil)

// AddGroup makes an empty group and returns its id. Conflict: the name is
// taken, whatever its case.
func (e *Engine) AddGroup(ctx context.Context, by Actor, name string) (string, error) {
	if err := by.check(); err != nil {
		return "", err
	}
	var id string
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		if id, err = e.addGroup(tx, name); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "group.add", id, fmt.Sprintf("name=%q", name), e.now()))
	})
	return id, asError(err)
}

func (e *Engine) addGroup(tx Tx, name string) (string, error) {
	if err := form.CheckText("the name of a group", name, form.MaxName); err != nil {
		return "", err
	}
	made, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("no group id can be made: %w", err)
	}
	id := made.String()
	owner, err := tx.Claim(GroupNames, Fold(name), cloud.UserID(id))
	if err != nil {
		return "", err
	}
	if string(owner) != id {
		return "", refuse(cloud.Conflict, "there is a group of that name")
	}
	return id, tx.PutGroup(&Group{ID: id, Name: name, Created: e.now()})
}

// RemoveGroup forgets a group, by id or name. Its members stay. Conflict: the
// method policy names it.
func (e *Engine) RemoveGroup(ctx context.Context, by Actor, group string) error {
	return e.changeGroup(ctx, by, group, "group.remove", func(tx Tx, g *Group) (string, error) {
		p, err := e.policyOf(tx)
		if err != nil {
			return "", err
		}
		if p.names(g.ID) {
			return "", refuse(cloud.Conflict, "the method policy names the group: change the policy first")
		}
		rules, err := accessRules(tx)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(rules, func(r access.Rule) bool { return slices.Contains(r.Groups, g.ID) || slices.Contains(r.NotGroups, g.ID) }) {
			return "", refuse(cloud.Conflict, "a rule of access names the group: change the rule first")
		}
		for _, err := range []error{tx.Release(GroupNames, Fold(g.Name)), tx.LeaveAll(g.ID), tx.RemoveGroup(g.ID)} {
			if err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("name=%q", g.Name), e.compile(tx, p)
	})
}

// changeGroup edits one group and records who did it; edit returns the detail.
func (e *Engine) changeGroup(ctx context.Context, by Actor, group, action string, edit func(Tx, *Group) (string, error)) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		detail, err := edit(tx, g)
		if err != nil {
			return err
		}
		return tx.Append(e.entry(by, action, g.ID, detail, e.now()))
	}))
}

// findGroup is the group of an id or name, or NotFound.
func findGroup(r Reader, group string) (*Group, error) {
	if len(group) > form.MaxName {
		return nil, refuse(cloud.NotFound, "there is no such group")
	}
	g, err := r.Group(group)
	if g == nil && err == nil {
		g, err = r.GroupNamed(Fold(group))
	}
	if g == nil && err == nil {
		err = refuse(cloud.NotFound, "there is no such group")
	}
	return g, err
}

// AddUserToGroup makes a user a direct member of a group (id or name). Who is
// one already stays one.
func (e *Engine) AddUserToGroup(ctx context.Context, by Actor, group string, user cloud.UserID) error {
	return e.changeGroup(ctx, by, group, "group.member.add", func(tx Tx, g *Group) (string, error) {
		if _, err := by.findUser(tx, user); err != nil {
			return "", err
		}
		return "user=" + string(user), joins(tx, g.ID, MemberUser, string(user))
	})
}

// AddGroupToGroup puts one group into another: its users become members of
// both. Conflict: the other one is within it already.
func (e *Engine) AddGroupToGroup(ctx context.Context, by Actor, group, inner string) error {
	return e.changeGroup(ctx, by, group, "group.member.add", func(tx Tx, g *Group) (string, error) {
		child, err := findGroup(tx, inner)
		if err != nil {
			return "", err
		}
		below, err := nested(tx, child.ID)
		if err != nil {
			return "", err
		}
		if slices.Contains(below, g.ID) {
			return "", refuse(cloud.Conflict, "a group cannot be within itself")
		}
		if err := joins(tx, g.ID, MemberGroup, child.ID); err != nil {
			return "", err
		}
		return "group=" + child.ID, e.recompile(tx)
	})
}

// RemoveFromGroup ends a direct membership: of a user by id, or of a group by
// id or name. NotFound: there is none.
func (e *Engine) RemoveFromGroup(ctx context.Context, by Actor, group string, kind MemberKind, member string) error {
	return e.changeGroup(ctx, by, group, "group.member.remove", func(tx Tx, g *Group) (string, error) {
		detail := "user=" + member
		if kind == MemberGroup {
			inner, err := findGroup(tx, member)
			if err != nil {
				return "", err
			}
			member, detail = inner.ID, "group="+inner.ID
		} else {
			u, err := tx.User(cloud.UserID(member)) // who was removed may stand there still
			if err := firstOf(err, by.mayChange(u)); err != nil {
				return "", err
			}
		}
		was, err := tx.RemoveMember(g.ID, kind, member)
		if err == nil && !was {
			err = refuse(cloud.NotFound, "that is no direct member of the group")
		}
		if err == nil && kind == MemberGroup {
			err = e.recompile(tx)
		}
		return detail, err
	})
}

// joins adds a member, up to the limit of groups that one can be in.
func joins(tx Tx, group string, kind MemberKind, member string) error {
	added, err := tx.AddMember(group, kind, member)
	if err != nil || !added {
		return err
	}
	_, err = groupsWith(tx, member)
	return err
}

// groupsWith are the groups that a user or group is directly in. Invalid: there are
// more than are read, and nothing is to rest on a part of them.
func groupsWith(r Reader, member string) ([]string, error) {
	ids, err := r.Parents(member, maxParents+1)
	if err == nil && len(ids) > maxParents {
		return nil, refuse(cloud.Invalid, fmt.Sprintf("nobody can be in more than %d groups", maxParents))
	}
	return ids, err
}

// groupsAround are the groups that a user or group is in, directly or through
// others, each once, the direct ones first. Invalid as groupsWith.
func groupsAround(r Reader, member string) (ids []string, err error) {
	seen := map[string]bool{}
	for next := []string{member}; len(next) > 0; next = next[1:] {
		above, err := groupsWith(r, next[0])
		if err != nil {
			return nil, err
		}
		for _, id := range above {
			if seen[id] {
				continue
			}
			seen[id] = true
			if ids, next = append(ids, id), append(next, id); len(ids) > maxAround {
				return nil, refuse(cloud.Invalid, fmt.Sprintf("the user is in more than %d groups, with those around them", maxAround))
			}
		}
	}
	return ids, nil
}

// groupsOf are groups by their ids, without those that are gone.
func groupsOf(r Reader, ids []string) (all []Group, err error) {
	for i := 0; i < len(ids) && err == nil; i++ {
		var g *Group
		if g, err = r.Group(ids[i]); g != nil {
			all = append(all, *g)
		}
	}
	return all, err
}

// nested are a group and all groups within it, at any depth, each once. A
// store that holds a cycle all the same does no harm.
func nested(r Reader, group string) ([]string, error) {
	all := []string{group}
	seen := map[string]bool{group: true}
	for at := 0; at < len(all); at++ {
		inner, err := r.MembersAfter(all[at], MemberGroup, "", maxNested+1)
		if err != nil {
			return nil, err
		}
		for _, id := range inner {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
		if len(all) > maxNested {
			return nil, refuse(cloud.Invalid, fmt.Sprintf("there are more than %d groups within the group", maxNested))
		}
	}
	return all, nil
}

// Groups yields all groups, ascending by id.
func (e *Engine) Groups(ctx context.Context) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		last := ""
		for {
			var page []Group
			err := e.store.View(ctx, func(r Reader) (err error) {
				page, err = r.GroupsAfter(last, pageSize)
				return err
			})
			if err != nil {
				yield(Group{}, asError(err))
				return
			}
			for _, g := range page {
				if !yield(g, nil) {
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
