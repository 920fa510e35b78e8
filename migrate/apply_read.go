package migrate

import (
	"context"
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
		if t.unread == nil {
			a.refuse(t)
		}
	}
	return nil
}

// compare reads the users of tasks and compares. Who cannot be read fails; one
// to whom an earlier run may have written keeps that intent besides. Where a
// Read may miss a Write, users whose changes an earlier run may have made get
// some time to be seen.
func (a *applier) compare(ctx context.Context, tasks []*task) error {
	wait := lateWait
	for try := 1; ; try++ {
		ids := make([]cloud.UserID, len(tasks))
		for i, t := range tasks {
			ids[i] = t.d.Target
		}
		users, refused, err := a.reader.read(ctx, ids)
		if err != nil {
			return err
		}
		var late []*task
		for i, t := range tasks {
			switch {
			case refused[i] != nil && t.intended:
				t.unread = refused[i]
			case refused[i] != nil:
				t.settleOpen(0, cloud.Failed, refused[i])
			case a.delayed && t.touched && try < lateReads && t.stale(&users[i]):
				late = append(late, t)
			default:
				t.compare(&users[i])
			}
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
