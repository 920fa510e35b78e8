package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mfabridge/cloud"
)

// assignablePath lists the groups that roles can be given to (api/group-list), 500
// at most in a tenant.
const assignablePath = "/groups?$count=true&$filter=isAssignableToRole%20eq%20true&$select=id"

// joinersItem asks who may join a group, or own it, for a while
// (api/privilegedaccessgroup-list-eligibilityscheduleinstances, which answers for
// one group at a time).
func joinersItem(group string) *item {
	return &item{method: http.MethodGet,
		path: "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?$expand=principal&$filter=" + url.PathEscape("groupId eq '"+group+"'")}
}

// insideItems ask who is in a group to which roles can be given, and who owns it
// (api/group-list-members, api/group-list-owners). There is no group within it.
func insideItems(group string) []*item {
	var items []*item
	for _, part := range []string{"/members", "/owners"} {
		items = append(items, &item{method: http.MethodGet, units: 3, path: "/groups/" + url.PathEscape(group) + part + "?$select=id&$top=999"})
	}
	return items
}

// readRoleGroups adds who has the power of a group that can have roles, whichever
// it has just now: its members and owners, whom Entra ID protects like
// administrators, and who may join or own it for a while (Privileged Identity
// Management for Groups). An owner puts himself in. told: it was told before.
func (d *Directory) readRoleGroups(ctx context.Context, e *eligibility, told bool) error {
	groups, err := all[object](ctx, d.client, v1, assignablePath, http.Header{"ConsistencyLevel": {"eventual"}})
	if err != nil {
		return e.shut(err, told)
	}
	var inside, joining []*item
	for _, g := range groups {
		if !isGUID(g.ID) {
			return &cloud.Error{Kind: cloud.Internal, Message: "Graph gives a group an id that is none"}
		}
		inside = append(inside, insideItems(g.ID)...)
		if !e.none {
			joining = append(joining, joinersItem(g.ID))
		}
	}
	if err := d.client.readAll(ctx, wanted{v1, inside}, wanted{v1, joining}); err != nil {
		return err
	}
	for _, i := range inside {
		list, err := whole[object](ctx, d.client, i)
		switch {
		case err == nil:
		case i.missing(): // the index may be behind: gone, or made a moment ago
			e.closed = "one that is listed is not there"
		default:
			return e.shut(err, told)
		}
		for _, o := range list {
			e.ids = append(e.ids, strings.ToLower(o.ID))
		}
	}
	for _, i := range joining {
		list, err := whole[taker](ctx, d.client, i)
		if err != nil {
			return e.shut(err, told)
		}
		e.add(list)
	}
	e.joins = len(groups) > 0
	return nil
}

// shut takes a refusal for what is not told, and returns every other error.
func (e *eligibility) shut(err error, told bool) error {
	if refused, ok := errors.AsType[*cloud.Error](err); ok && isUntold(err) && !told {
		e.closed = refused.Message
		return nil
	}
	return fmt.Errorf("who has the power of a group with roles cannot be read: %w", err)
}
