package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
)

// How long a run waits for a target of delayed visibility before it believes
// that a user is not as an earlier run must have left it.
const (
	lateReads = 5
	lateWait  = 2 * time.Second // doubles each time: a minute in all
)

// preflight settles what needs no writing or must not be written: it reads
// the users again that the plan matched. What stays open is to be written.
func (a *applier) preflight(ctx context.Context, tasks []*task) error {
	var matched []*task
	for _, t := range tasks {
		if t.d.Target != "" {
			matched = append(matched, t)
		}
	}
	for part := range slices.Chunk(matched, a.batch) {
		if err := a.compare(ctx, part); err != nil {
			return err
		}
	}
	for _, t := range tasks {
		a.refuse(t)
	}
	return nil
}

// compare reads the users of tasks and compares. What the target refuses as a
// whole is asked for one by one, so that only who cannot be read fails. If that
// is everybody, or one to whom an earlier run may have written, it is no matter
// of users, and ends the run.
func (a *applier) compare(ctx context.Context, tasks []*task) error {
	whole := a.compareAll(ctx, tasks)
	if whole == nil || outage(whole) || ctx.Err() != nil {
		return whole
	}
	refused := map[*task]error{}
	for _, t := range tasks {
		err := whole
		if len(tasks) > 1 {
			err = a.compareAll(ctx, []*task{t})
		}
		switch {
		case err == nil:
		case outage(err) || ctx.Err() != nil:
			return err
		case t.intended:
			return whole
		default:
			refused[t] = err
		}
	}
	if len(refused) == len(tasks) && !a.stillReads(ctx) {
		return whole
	}
	for t, err := range refused {
		t.settleOpen(0, cloud.Failed, err)
	}
	return nil
}

// stillReads tells whether the target still shows a user that it has shown to
// this run.
func (a *applier) stillReads(ctx context.Context) bool {
	if a.shown == "" {
		return false
	}
	_, err := a.dir.Read(ctx, []cloud.UserID{a.shown})
	return err == nil
}

// compareAll is compare of users who can be read together. Where a Read may
// miss a Write, users whose changes an earlier run may have made get some time
// to be seen.
func (a *applier) compareAll(ctx context.Context, tasks []*task) error {
	wait := lateWait
	for try := 1; ; try++ {
		users, err := a.read(ctx, tasks)
		if err != nil {
			return err
		}
		var late []*task
		for i, t := range tasks {
			if a.delayed && t.touched && try < lateReads && t.stale(&users[i]) {
				late = append(late, t)
				continue
			}
			t.compare(&users[i])
		}
		if len(late) == 0 {
			return nil
		}
		if err := a.opts.Sleep(ctx, wait); err != nil {
			return err
		}
		tasks, wait = late, 2*wait
	}
}

// read reads the users of tasks, in their order.
func (a *applier) read(ctx context.Context, tasks []*task) (users []cloud.User, err error) {
	ids := make([]cloud.UserID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.d.Target
	}
	err = a.retry.do(ctx, func() (err error) {
		users, err = a.dir.Read(ctx, ids)
		if err != nil && passing(err) {
			a.pace.refused(cloud.KindOf(err) == cloud.Throttled)
		}
		return err
	})
	if err == nil && len(users) != len(ids) {
		err = &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the target was asked for %d users and returned %d", len(ids), len(users))}
	}
	if err == nil && len(ids) > 0 {
		a.shown = ids[0]
	}
	return users, err
}

// stale tells whether comparing with u would leave a change out as stale.
func (t *task) stale(u *cloud.User) bool {
	trial := task{d: t.d, results: slices.Clone(t.results), intended: t.intended}
	trial.compare(u)
	for seq, r := range trial.results {
		if r.Outcome == cloud.Outdated && t.results[seq].Outcome == "" {
			return true
		}
	}
	return false
}
