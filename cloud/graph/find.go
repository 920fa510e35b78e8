package graph

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"mfabridge/cloud"
)

// Find implements [cloud.DirectoryReader]. Names of users who log in elsewhere
// (cloud.ByName) are user principal names here: Entra keeps no others.
func (d *Directory) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	if len(keys) > batchLimit {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("at most %d users can be looked up at once", batchLimit)}
	}
	property := map[cloud.KeyKind]string{cloud.ByID: "id", cloud.ByUPN: "userPrincipalName", cloud.ByName: "userPrincipalName", cloud.BySID: "onPremisesSecurityIdentifier"}
	values := map[string][]string{}
	for _, k := range keys {
		p := property[k.Kind]
		if p == "" {
			return nil, &cloud.Error{Kind: cloud.Unsupported, Message: fmt.Sprintf("users cannot be looked up by %q", string(k.Kind))}
		}
		if isAskable(k.Value) {
			values[p] = append(values[p], k.Value)
		}
	}
	hits := map[string]map[string][]cloud.UserID{}
	for p, all := range values {
		found, err := d.lookUp(ctx, p, all)
		if err != nil {
			return nil, err
		}
		hits[p] = found
	}
	out := make([][]cloud.UserID, len(keys))
	for i, k := range keys {
		out[i] = hits[property[k.Kind]][strings.ToLower(k.Value)]
	}
	return out, nil
}

// maxKey is the longest value that anybody is looked up by.
const maxKey = 1024

// isAskable leaves out what nobody has, and what no filter could hold.
func isAskable(value string) bool {
	return value != "" && len(value) <= maxKey && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' })
}

// lookUp asks for all users that have one of the values, in filters of few.
// The answer is by the value in lower case.
func (d *Directory) lookUp(ctx context.Context, property string, values []string) (map[string][]cloud.UserID, error) {
	var items []*item
	for len(values) > 0 {
		part := values[:min(len(values), inLimit)]
		values = values[len(part):]
		quoted := make([]string, len(part))
		for i, v := range part {
			quoted[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
		query := url.Values{"$filter": {property + " in (" + strings.Join(quoted, ",") + ")"}, "$select": {"id,userPrincipalName,onPremisesSecurityIdentifier"}}
		items = append(items, &item{method: http.MethodGet, path: "/users?" + encode(query)})
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return nil, err
	}
	found := map[string][]cloud.UserID{}
	for _, i := range items {
		var list page[user]
		if err := i.into(&list); err != nil {
			return nil, fmt.Errorf("users cannot be looked up: %w", err)
		}
		for pages := 1; ; pages++ {
			for _, u := range list.Value {
				value := map[string]string{"id": u.ID, "userPrincipalName": u.UserPrincipalName, "onPremisesSecurityIdentifier": u.SID}[property]
				if key := strings.ToLower(value); u.ID != "" {
					found[key] = append(found[key], cloud.UserID(u.ID))
				}
			}
			if list.Next == "" {
				break
			}
			if pages == maxPages {
				return nil, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("users cannot be looked up: the answer has more than %d pages", maxPages)}
			}
			next := list.Next
			list = page[user]{}
			if err := d.client.get(ctx, v1, next, &list); err != nil {
				return nil, fmt.Errorf("users cannot be looked up: %w", err)
			}
		}
	}
	return found, nil
}

// encode is a query with blanks as %20: a plus sign means itself in a filter.
func encode(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

// maxMemberPages bounds a group; some tenants have a million users in one.
const maxMemberPages = 100_000

// Members implements [cloud.GroupReader]: users in the group or in groups
// within it. group is its id, or its display name where that is unique.
func (d *Directory) Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		id, err := d.Group(ctx, group)
		if err != nil {
			yield("", err)
			return
		}
		// A cast asks the index store, and a link to the next page does not carry
		// that (concepts/aad-advanced-queries).
		header := http.Header{"Consistencylevel": {"eventual"}}
		next := "/groups/" + url.PathEscape(id) + "/transitiveMembers/microsoft.graph.user?$count=true&$select=id&$top=999"
		for pages, empty := 1, 0; next != ""; pages, empty = pages+1, empty+1 {
			var list page[user]
			if err := d.client.getWith(ctx, v1, next, header, &list); err != nil {
				yield("", fmt.Errorf("members of group %s cannot be read: %w", group, err))
				return
			}
			for _, u := range list.Value {
				empty = 0
				if !yield(cloud.UserID(u.ID), nil) {
					return
				}
			}
			if list.Next == next || empty == maxPages || pages == maxMemberPages {
				yield("", &cloud.Error{Kind: cloud.Internal, Message: "the members of a group come to no end"})
				return
			}
			next = list.Next
		}
	}
}

// Group is the id of a group by its id or display name. NotFound; Conflict:
// several have the name.
func (d *Directory) Group(ctx context.Context, group string) (string, error) {
	property := "displayName"
	if isGUID(group) {
		property = "id"
	}
	if !isAskable(group) {
		return "", &cloud.Error{Kind: cloud.NotFound, Message: "there is no such group"}
	}
	query := url.Values{"$filter": {property + " eq '" + strings.ReplaceAll(group, "'", "''") + "'"}, "$select": {"id"}}
	var list page[user]
	if err := d.client.get(ctx, v1, "/groups?"+encode(query), &list); err != nil {
		return "", fmt.Errorf("group %s cannot be looked up: %w", group, err)
	}
	switch len(list.Value) {
	case 0:
		return "", &cloud.Error{Kind: cloud.NotFound, Message: "there is no group " + group}
	case 1:
		return list.Value[0].ID, nil
	}
	return "", &cloud.Error{Kind: cloud.Conflict, Message: "several groups are called " + group + "; name one by its id"}
}

// isGUID tells whether s is written as an object id is.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
		if dash != (r == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
