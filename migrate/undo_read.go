package migrate

import (
	"context"
	"time"

	"mfabridge/cloud"
)

// compare reads the users of tasks and decides about each of their changes.
// Where a Read may miss a Write, users whom apply seems never to have touched
// get some time to be seen: what is taken for put back is forgotten.
func (u *undoer) compare(ctx context.Context, tasks []*undoTask) error {
	const tries = 4
	wait := 2 * firstWait
	for try := 1; ; try++ {
		if err := u.compareOnce(ctx, tasks); err != nil || !u.delayed || try == tries {
			return err
		}
		var late []*undoTask
		for _, t := range tasks {
			if t.looksUntouched() {
				late = append(late, t)
			}
		}
		if len(late) == 0 {
			return nil
		}
		if err := u.reader.retry.sleep(ctx, wait); err != nil {
			return err
		}
		for _, t := range late {
			t.results = make([]ChangeResult, len(t.results))
		}
		tasks, wait = late, 2*wait
	}
}

func (u *undoer) compareOnce(ctx context.Context, tasks []*undoTask) error {
	var users []due
	var open []*undoTask
	for _, t := range tasks {
		if len(t.d.Changes) > 0 {
			users, open = append(users, due{d: t.d, id: t.whose}), append(open, t)
		}
	}
	if len(users) == 0 {
		return nil
	}
	if err := u.reader.find(ctx, users); err != nil {
		return err
	}
	found, err := u.reader.readDue(ctx, users)
	if err != nil {
		return err
	}
	if err := u.mayComeBack(ctx, open, users, found); err != nil {
		return err
	}
	for i, t := range open {
		if err := users[i].err; err != nil {
			t.settleOpen(0, cloud.Failed, err)
			continue
		}
		t.address(users[i].id)
		t.identify(&found[i])
		t.stepAside(&found[i], u.takes)
		t.compare(&found[i], u.opts.AllowIrreversible)
		t.last(&found[i])
	}
	return nil
}

// mayComeBack marks the tasks of users who are not there and can be restored:
// what the plan gave them is only out of sight. Where the target does not let us
// look, they can.
func (u *undoer) mayComeBack(ctx context.Context, tasks []*undoTask, users []due, found []cloud.User) error {
	bin, ok := u.reader.dir.(cloud.Restorer)
	if !ok {
		return nil
	}
	var gone []*undoTask
	var ids []cloud.UserID
	for i, t := range tasks {
		if found[i].ID == "" && users[i].err == nil && users[i].id != "" {
			gone, ids = append(gone, t), append(ids, users[i].id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	var can []bool
	err := u.reader.retry.do(ctx, func() (err error) {
		can, err = bin.Restorable(ctx, ids)
		return err
	})
	if err != nil && (outage(err) || ctx.Err() != nil) {
		return err
	}
	for i, t := range gone {
		t.back = err != nil || can[i]
	}
	return nil
}

// looksUntouched tells that the target has Before where the journal says that
// apply wrote After.
func (t *undoTask) looksUntouched() bool {
	for i, r := range t.results {
		if r.Outcome == cloud.Already && t.sure[i] {
			return true
		}
	}
	return false
}

// idlePauses bounds how long a run of undo waits in vain for what may be seen
// late: who has other methods keeps the default, however long it is looked at.
const idlePauses = time.Minute

// lookAgain reads the users whose default method could not be put back: it may
// have gone with the methods that did. Where a Read may miss a Write, that is
// given some time to be seen.
func (u *undoer) lookAgain(ctx context.Context, tasks []*undoTask) error {
	if u.journal == nil {
		return nil
	}
	waited := time.Duration(0)
	for pauses := seenLate(); ; pauses = pauses[1:] {
		stuck, err := u.lookOnce(ctx, tasks)
		if err != nil || !stuck {
			u.idle -= waited // it was not in vain
			return err
		}
		if !u.delayed || len(pauses) == 0 || u.idle+pauses[0] > idlePauses {
			return nil
		}
		if err := u.reader.retry.sleep(ctx, pauses[0]); err != nil {
			return err
		}
		waited, u.idle = waited+pauses[0], u.idle+pauses[0]
	}
}

// lookOnce reads them once and tells whether a default is still there.
func (u *undoer) lookOnce(ctx context.Context, tasks []*undoTask) (stuck bool, err error) {
	var users []due
	var of []*undoTask
	for _, t := range tasks {
		if t.stuckDefault(cloud.Done) >= 0 {
			users, of = append(users, due{d: t.d, id: t.d.Target}), append(of, t)
		}
	}
	if len(users) == 0 {
		return false, nil
	}
	found, err := u.reader.readDue(ctx, users)
	if err != nil {
		return true, err
	}
	for k, t := range of {
		i := t.stuckDefault(cloud.Done)
		if users[k].err == nil && found[k].ID != "" && found[k].Value(cloud.DefaultMethod, "", cloud.Value{}).Equal(t.d.Changes[i].After) {
			t.set(i, cloud.Done, "", nil)
			continue
		}
		stuck = true
	}
	return stuck, nil
}

// stuckDefault is the place of a default method that cannot be put back by
// itself, while something else has the outcome given; -1: there is none.
func (t *undoTask) stuckDefault(of cloud.Outcome) int {
	at, back := -1, false
	for i, r := range t.results {
		if t.d.Changes[i].Method == cloud.DefaultMethod && stays(r) {
			at = i
		}
		back = back || r.Outcome == of
	}
	if !back {
		return -1
	}
	return at
}
