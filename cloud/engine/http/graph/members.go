package graph

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// membership is whom a request lists of a group.
type membership struct {
	group         engine.Group
	transitive    bool // those of groups within it too
	users, groups bool // one of them with a cast, else both
}

// members lists who is in a group: users and groups, or with a cast one of
// them; transitively, or direct members only.
func (f *Face) members(c *call) (answer, error) {
	g, err := f.findGroup(c)
	if err != nil {
		return answer{}, err
	}
	m := membership{group: g, transitive: strings.EqualFold(c.segments[2], "transitiveMembers"), users: true, groups: true}
	if len(c.vars) > 1 {
		m.users, m.groups = isCast(c.vars[1], typeUser), isCast(c.vars[1], typeGroup)
		if strings.EqualFold(c.vars[1], "$count") {
			return f.countMembers(c, m)
		}
		if !m.users && !m.groups {
			return answer{}, fail(http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment.")
		}
		if err := c.castable(); err != nil {
			return answer{}, err
		}
	}
	if _, err := c.selected(showUser(&engine.Person{}), standardUser(), typeUser); err != nil && m.users {
		return answer{}, err
	}
	return f.list(c, "directoryObjects", func(after string, limit int) ([]entry, error) {
		return f.membersAfter(c, m, after, limit)
	}, nil)
}

func isCast(segment, kind string) bool {
	return strings.EqualFold(segment, kind) || strings.EqualFold(segment, strings.TrimPrefix(kind, "microsoft."))
}

// membersAfter lists users first, then groups; the key says of which kind.
func (f *Face) membersAfter(c *call, m membership, after string, limit int) (all []entry, err error) {
	group, inGroups := strings.CutPrefix(after, "g")
	if !inGroups {
		group = ""
	}
	if m.users && !inGroups {
		if all, err = f.usersAfter(c, m, strings.TrimPrefix(after, "u"), limit); err != nil {
			return nil, err
		}
	}
	if !m.groups || len(all) >= limit {
		return all, nil
	}
	groups, err := f.groupsAfter(c, m, group, limit-len(all))
	return append(all, groups...), err
}

func (f *Face) usersAfter(c *call, m membership, after string, limit int) (all []entry, err error) {
	ids, err := f.userMembers(c.ctx, m, after, limit)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p, err := f.core.PersonBy(c.ctx, cloud.Key{Kind: cloud.ByID, Value: id})
		if err != nil {
			return nil, err
		}
		o, err := c.selected(showUser(&p), standardUser(), typeUser)
		if err != nil {
			return nil, err
		}
		if len(c.vars) < 2 {
			o["@odata.type"] = "#" + typeUser
		}
		all = append(all, entry{"u" + id, o})
	}
	return all, nil
}

func (f *Face) groupsAfter(c *call, m membership, after string, limit int) (all []entry, err error) {
	ids, err := f.groupMembers(c.ctx, m)
	for _, id := range ids {
		if err != nil || len(all) == limit {
			break
		}
		if id <= after {
			continue
		}
		var inner engine.Group
		if inner, err = f.core.FindGroup(c.ctx, id); err == nil {
			o := showGroup(&inner)
			o["@odata.type"] = "#" + typeGroup
			all = append(all, entry{"g" + id, o})
		}
	}
	return all, err
}

// userMembers are ids of users, ascending after one.
func (f *Face) userMembers(ctx context.Context, m membership, after string, limit int) (ids []string, err error) {
	if !m.transitive {
		return f.core.MembersAfter(ctx, m.group.ID, engine.MemberUser, after, limit)
	}
	for id, err := range f.core.Members(ctx, m.group.ID) {
		if err != nil {
			return nil, err
		}
		if string(id) <= after {
			continue
		}
		if ids = append(ids, string(id)); len(ids) == limit {
			break
		}
	}
	return ids, nil
}

// groupMembers are ids of the groups within a group, ascending.
func (f *Face) groupMembers(ctx context.Context, m membership) ([]string, error) {
	all, err := f.core.MembersAfter(ctx, m.group.ID, engine.MemberGroup, "", 1000)
	for at := 0; m.transitive && at < len(all) && err == nil; at++ {
		var inner []string
		inner, err = f.core.MembersAfter(ctx, all[at], engine.MemberGroup, "", 1000)
		for _, id := range inner {
			if id != m.group.ID && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	slices.Sort(all)
	return all, err
}

func (f *Face) countMembers(c *call, m membership) (answer, error) {
	if !strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual") {
		return answer{}, fail(http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
	}
	inner, err := f.groupMembers(c.ctx, m)
	if err != nil {
		return answer{}, err
	}
	users, err := f.userMembers(c.ctx, m, "", 1<<30)
	return answer{status: http.StatusOK, body: itoa(len(inner) + len(users))}, err
}
