package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

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

// readJoiners adds who may have a role by joining a group that can have some
// (Privileged Identity Management for Groups). An owner puts himself in. told: it
// was told before.
func (d *Directory) readJoiners(ctx context.Context, e *eligibility, told bool) error {
	groups, err := all[struct {
		ID string `json:"id"`
	}](ctx, d.client, v1, assignablePath, http.Header{"ConsistencyLevel": {"eventual"}})
	if err != nil {
		return e.shut(err, told)
	}
	var items []*item
	for _, g := range groups {
		if !isGUID(g.ID) {
			return &cloud.Error{Kind: cloud.Internal, Message: "Graph gives a group an id that is none"}
		}
		items = append(items, joinersItem(g.ID))
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return err
	}
	for _, i := range items {
		list, err := whole[taker](ctx, d.client, i)
		if err != nil {
			return e.shut(err, told)
		}
		e.add(list)
	}
	e.joins = len(items) > 0
	return nil
}

// shut takes a refusal for what is not told, and returns every other error.
func (e *eligibility) shut(err error, told bool) error {
	if refused, ok := errors.AsType[*cloud.Error](err); ok && isUntold(err) && !told {
		e.closed = refused.Message
		return nil
	}
	return fmt.Errorf("who may join a group with roles cannot be read: %w", err)
}
