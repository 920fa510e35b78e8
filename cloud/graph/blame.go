package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"mfabridge/cloud"
)

// maxFailing is how many users of a run the service may fail at (5xx, or a part
// of them is nowhere) before it counts as out of order: each costs half a minute.
const maxFailing = 20

// blame says whether it is these users that Graph does not tell of, or that it
// tells of nobody: an error then. Whoever was read in the same breath proves the
// former; where there is nobody, and where the service fails, somebody else is
// read, whom Graph has told before or whom the tenant has.
func (d *Directory) blame(ctx context.Context, users []cloud.User, refused map[cloud.UserID]*cloud.Error, g *ground) error {
	cause := errors.Unwrap(&cloud.UnreadError{Users: refused})
	var failing []cloud.UserID
	for id, e := range refused {
		if e.Kind == cloud.Unavailable {
			cause, failing = e, append(failing, id)
		}
	}
	if len(failing) == 0 && slices.ContainsFunc(users, isThere) {
		return nil
	}
	others, err := d.tellsOthers(ctx, users, refused, g)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || !others:
		return cause
	case d.failsAtMany(failing):
		return fmt.Errorf("the service fails at more than %d users, one of them: %w", maxFailing, cause)
	}
	return nil
}

// failsAtMany remembers whom the service failed at.
func (d *Directory) failsAtMany(failing []cloud.UserID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range failing {
		d.failing[id] = true
	}
	return len(d.failing) > maxFailing
}

// tellsOthers tells whether Graph shows anybody now but those whom it refused.
func (d *Directory) tellsOthers(ctx context.Context, users []cloud.User, but map[cloud.UserID]*cloud.Error, g *ground) (bool, error) {
	var known []cloud.UserID
	if id := d.told.Load(); id != nil {
		known = append(known, *id)
	}
	if i := slices.IndexFunc(users, isThere); i >= 0 {
		known = append(known, users[i].ID)
	}
	for _, who := range []func(context.Context) ([]cloud.UserID, error){func(context.Context) ([]cloud.UserID, error) { return known, nil }, d.anybody} {
		ids, err := who(ctx)
		if err != nil {
			return false, err
		}
		ids = slices.DeleteFunc(ids, func(id cloud.UserID) bool { return but[id] != nil })
		shown, _, err := d.readSome(ctx, ids, g)
		if err != nil || slices.ContainsFunc(shown, isThere) {
			return err == nil, err
		}
	}
	return false, nil
}

func isThere(u cloud.User) bool { return u.ID != "" }

// anybody are some users of the tenant.
func (d *Directory) anybody(ctx context.Context) (ids []cloud.UserID, err error) {
	var list page[user]
	if err := d.client.get(ctx, v1, "/users?$select=id&$top="+strconv.Itoa(batchLimit), &list); err != nil {
		return nil, err
	}
	for _, u := range list.Value[:min(len(list.Value), batchLimit)] {
		ids = append(ids, cloud.UserID(u.ID))
	}
	return ids, nil
}
