package graph

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
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
		if isAskable(k.Value) && (k.Kind != cloud.ByID || isGUID(k.Value)) { // nobody has another id
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

// maxKey is the longest value that anybody is looked up by; Entra's names have
// less than the half.
const maxKey = 256

// isAskable leaves out what nobody has, and what no filter could hold.
func isAskable(value string) bool {
	return value != "" && len(value) <= maxKey && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' })
}

// lookUp asks for all users that have one of the values, in filters of few.
// The answer is by the value in lower case.
func (d *Directory) lookUp(ctx context.Context, property string, values []string) (map[string][]cloud.UserID, error) {
	var items []*item
	asked := slices.Collect(slices.Chunk(values, inLimit))
	for _, part := range asked {
		items = append(items, usersWith(property, part))
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return nil, err
	}
	found := map[string][]cloud.UserID{}
	for n, i := range items {
		list, err := whole[user](ctx, d.client, i)
		switch {
		case err == nil:
		case cloud.KindOf(err) != cloud.Invalid:
			return nil, fmt.Errorf("users cannot be looked up: %w", err)
		default:
			if list, err = d.oneByOne(ctx, property, asked[n]); err != nil {
				return nil, err
			}
		}
		for _, u := range list {
			value := map[string]string{"id": u.ID, "userPrincipalName": u.UserPrincipalName, "onPremisesSecurityIdentifier": u.SID}[property]
			if key, id := strings.ToLower(value), cloud.UserID(u.ID); key != "" && id != "" && !slices.Contains(found[key], id) {
				found[key] = append(found[key], id) // one who is told of twice is one
			}
		}
	}
	return found, nil
}

// wellFormed are values that nobody has, and that are written as they should be.
var wellFormed = map[string]string{"id": "00000000-0000-4000-8000-000000000000", "userPrincipalName": "nobody@contoso.example",
	"onPremisesSecurityIdentifier": "S-1-5-21-0-0-0-0"}

// oneByOne asks for each value by itself: one that Graph finds wrong is
// nobody's, and keeps nobody from finding the others. One that is not wrong is
// asked for besides: where Graph refuses that, too, it takes no such question,
// and it is not known whose any of them is.
func (d *Directory) oneByOne(ctx context.Context, property string, values []string) (users []user, err error) {
	var items []*item
	for _, v := range append(slices.Clone(values), wellFormed[property]) {
		items = append(items, usersWith(property, []string{v}))
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return nil, err
	}
	for n, i := range items {
		list, err := whole[user](ctx, d.client, i)
		switch {
		case err == nil:
			users = append(users, list...)
		case n == len(values), len(list) > 0, cloud.KindOf(err) != cloud.Invalid:
			return nil, fmt.Errorf("users cannot be looked up by %s: %w", property, err)
		}
	}
	return users, nil
}

// usersWith asks for the users who have one of some values. One is asked for by
// eq, which every property takes.
func usersWith(property string, values []string) *item {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	filter := property + " eq " + quoted[0]
	if len(values) > 1 {
		filter = property + " in (" + strings.Join(quoted, ",") + ")"
	}
	query := url.Values{"$filter": {filter}, "$select": {"id,userPrincipalName,onPremisesSecurityIdentifier"}}
	return &item{method: http.MethodGet, path: "/users?" + encode(query)}
}

// encode is a query with blanks as %20: a plus sign means itself in a filter.
func encode(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

// maxMemberPages bounds a group; some tenants have a million users in one.
const maxMemberPages = 100_000

// Members implements [cloud.GroupReader]: users in the group or in groups
// within it. group is its id, or its display name where that is unique.
func (d *Directory) Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		g, err := d.findGroup(ctx, group)
		if err == nil {
			err = d.unseen(ctx, group, g)
		}
		if err != nil {
			yield("", err)
			return
		}
		// A cast asks the index store, and a link to the next page does not carry
		// that (concepts/aad-advanced-queries).
		header := http.Header{"Consistencylevel": {"eventual"}}
		next := "/groups/" + url.PathEscape(g.ID) + "/transitiveMembers/microsoft.graph.user?$count=true&$select=id&$top=999"
		for pages, empty := 1, 0; next != ""; pages, empty = pages+1, empty+1 {
			var list page[user]
			if err := d.client.getWith(ctx, v1, next, header, &list); err != nil {
				yield("", fmt.Errorf("members of group %s cannot be read: %w", group, err))
				return
			}
			for _, u := range list.Value {
				if empty = 0; u.ID == "" {
					yield("", &cloud.Error{Kind: cloud.Internal, Message: "a member of a group has no id"})
					return
				}
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
	g, err := d.findGroup(ctx, group)
	return g.ID, err
}

func (d *Directory) findGroup(ctx context.Context, group string) (hiding, error) {
	property := "displayName"
	if isGUID(group) {
		property = "id"
	}
	if !isAskable(group) {
		return hiding{}, &cloud.Error{Kind: cloud.NotFound, Message: "there is no such group"}
	}
	query := url.Values{"$filter": {property + " eq '" + strings.ReplaceAll(group, "'", "''") + "'"}, "$select": {"id,visibility"}}
	list, err := all[hiding](ctx, d.client, v1, "/groups?"+encode(query), nil)
	switch {
	case err != nil:
		return hiding{}, fmt.Errorf("group %s cannot be looked up: %w", group, err)
	case len(list) == 0:
		return hiding{}, &cloud.Error{Kind: cloud.NotFound, Message: "there is no group " + group}
	case len(list) > 1:
		return hiding{}, &cloud.Error{Kind: cloud.Conflict, Message: "several groups are called " + group + "; name one by its id"}
	}
	return list[0], nil
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
