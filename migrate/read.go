package migrate

import (
	"context"
	"fmt"

	"mfabridge/cloud"
)

// reader reads users of a target. One who cannot be read is nobody else's
// trouble; where nobody can, it is the caller whom the target refuses.
type reader struct {
	dir   cloud.DirectoryReader
	retry retry
	shown cloud.UserID // somebody whom the target has shown to this run
	fails func(error)  // told of every call that could not be served; may be nil
}

// read returns the users in the order of ids, and in the same places why those
// cannot be read who cannot. The error is about all of them. What the target
// refuses as a whole without saying about whom is asked for one by one.
func (r *reader) read(ctx context.Context, ids []cloud.UserID) (users []cloud.User, refused []error, err error) {
	refused = make([]error, len(ids))
	if len(ids) == 0 {
		return nil, refused, nil
	}
	users, whole := r.some(ctx, ids, refused)
	if whole == nil {
		return users, refused, nil
	}
	if outage(whole) || ctx.Err() != nil {
		return nil, nil, whole
	}
	users = make([]cloud.User, len(ids))
	none := true
	for i := range ids {
		one, err := []cloud.User(nil), whole
		if len(ids) > 1 {
			one, err = r.some(ctx, ids[i:i+1], refused[i:i+1])
		}
		switch {
		case err == nil && refused[i] == nil:
			users[i], none = one[0], false
		case err == nil:
		case outage(err) || ctx.Err() != nil:
			return nil, nil, err
		default:
			refused[i] = err
		}
	}
	if none && !r.stillReads(ctx) {
		return nil, nil, whole
	}
	return users, refused, nil
}

// stillReads tells whether the target still shows a user that it has shown to
// this run.
func (r *reader) stillReads(ctx context.Context) bool {
	if r.shown == "" {
		return false
	}
	_, err := r.dir.Read(ctx, []cloud.UserID{r.shown})
	return err == nil
}

// some is one Read, made again as long as the target cannot serve it. It notes
// in their places who cannot be read by themselves.
func (r *reader) some(ctx context.Context, ids []cloud.UserID, refused []error) (users []cloud.User, err error) {
	err = r.retry.do(ctx, func() error {
		read, err := r.dir.Read(ctx, ids)
		unread, err := cloud.Unread(err)
		if err != nil {
			if r.fails != nil {
				r.fails(err)
			}
			return err
		}
		if len(read) != len(ids) {
			return &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the target was asked for %d users and returned %d", len(ids), len(read))}
		}
		users = read
		for i, id := range ids {
			if e := unread[id]; e != nil {
				refused[i] = e
			} else if read[i].ID != "" {
				r.shown = id
			}
		}
		return nil
	})
	return users, err
}
