package migrate

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// UndoOptions are the limits of a run of undo and who is told about it. Of
// [ApplyOptions] those of waves, gates and removals do not count: what undo
// removes was not there before apply.
type UndoOptions struct{ ApplyOptions }

// UndoResult counts what has become of undoing a plan, in this run. It is
// filled as well when Undo returns an error.
type UndoResult struct {
	Run     int // number of this run in the journal; 0: it did not begin, or was a preview
	Users   int // of whom something stood that the plan made, and to whom this run came
	Left    int // besides, of a run that ended early: those to whom it did not come
	Done    int // of them: nothing of the plan is left
	Kept    int // of them: something was changed since or cannot be put back, and stays
	Failed  int // of them: something was to be put back and could not be
	Open    int // of them, in a preview: something would be put back, and all of it could be
	Changes map[cloud.Outcome]int
}

// Pending is the Outcome of a change that a preview would put back, and of one
// that a run of undo was about to.
const Pending cloud.Outcome = "pending"

// Undo puts back what earlier runs of Apply made of a plan, where the target
// still has it as they left it. Each user's changes are taken back in reverse,
// a user that the plan created goes last, and only if nothing else has come to
// them since. A value that was changed since is reported and left alone, as is
// what nobody could put back: the secret of a generator that the plan removed.
// Changes that the target held already before Apply came are none of this
// plan's and stay.
//
// The journal remembers durably who is about to be undone and what came of it,
// so that a run that ended in whatever way is gone on with by the next. A user
// of whom nothing of the plan is left is afterwards as if apply had never come:
// nothing of them is due, and Apply may write them again.
//
// p may be a part of the plan, see [InWave]. Errors are those of [Apply].
func Undo(ctx context.Context, p PlanReader, j Journal, d cloud.Directory, o UndoOptions) (UndoResult, error) {
	u := newUndoer(p, j, d, o)
	if err := u.admit(ctx); err != nil {
		return u.result, err
	}
	if err := u.writer.quiet(); err != nil {
		return u.result, err
	}
	if l, ok := d.(cloud.Locker); ok {
		unlock, err := l.Lock(ctx, o.Holder)
		if err != nil {
			return u.result, err
		}
		defer func() { _ = unlock() }() // it ends with the process in any case
	}
	run, err := j.Begin(ctx, PhaseUndo)
	if err != nil {
		return u.result, err
	}
	u.journal, u.result.Run, u.writer.result.Run = j, run, run
	if err = u.run(ctx); err != nil {
		var uncounted error
		if u.result.Left, uncounted = u.left(context.WithoutCancel(ctx)); uncounted != nil {
			err = errors.Join(err, uncounted)
		}
	}
	return u.result, err
}

// PreviewUndo tells what Undo would do, and changes nothing: it is handed
// nothing that could. What would be put back has the outcome [Pending].
func PreviewUndo(ctx context.Context, p PlanReader, j JournalReader, d cloud.DirectoryReader, o UndoOptions) (UndoResult, error) {
	u := newUndoer(p, j, d, o)
	if err := u.admit(ctx); err != nil {
		return u.result, err
	}
	err := u.run(ctx)
	return u.result, err
}

// undoer is one run of Undo or of its preview.
type undoer struct {
	plan    PlanReader
	entries JournalReader
	journal Journal // nil in a preview
	reader  checker // reads users, each for themselves where the target refuses many
	writer  applier // writes the changes of tasks, whoever made them
	opts    UndoOptions
	delayed bool
	takes   []cloud.Preference // as default method

	result  UndoResult
	idle    time.Duration // waited in vain for what may be seen late
	seen    int           // users with changes that the run has passed
	settled map[int]bool  // ordinals of users of the page at hand of whom the run knows what came of them
	through int           // ordinal of the last user of the pages before it
	written int           // users to whom it has written
}

func newUndoer(p PlanReader, j JournalReader, d cloud.DirectoryReader, o UndoOptions) *undoer {
	o.ApplyOptions = o.filled()
	u := &undoer{plan: p, entries: j, opts: o, through: -1, result: UndoResult{Changes: map[cloud.Outcome]int{}}}
	u.reader = checker{reader: reader{dir: d, retry: newRetry(o.ApplyOptions)}}
	u.writer = applier{plan: p, opts: o.ApplyOptions, retry: u.reader.retry}
	u.writer.dir, _ = d.(cloud.Directory)
	return u
}

// admit refuses the target or the whole plan before anything is written.
func (u *undoer) admit(ctx context.Context) error {
	if !u.plan.Sealed() {
		return hint.New("the seal of the plan was not checked", "put the .key file that was made with the plan beside it")
	}
	caps, err := u.reader.dir.Capabilities(ctx)
	if err != nil {
		return err
	}
	if want := u.plan.Header().Target; want.Instance != caps.Instance || caps.Instance == "" {
		return hint.Wrap(&WrongTargetError{Planned: want, Have: caps.Instance, Product: caps.Product},
			"undo the plan in the target that it was applied to")
	}
	u.writer.batch, u.delayed, u.takes = max(caps.Batch, 1), caps.Delayed, caps.Preferences
	u.writer.pace = newPacer(u.opts.ApplyOptions, u.writer.batch, caps.Pace)
	u.reader.retry = u.writer.telling(u.reader.retry)
	u.writer.retry = u.reader.retry
	return nil
}

// run takes the users of the plan in pages of at most one batch of changes.
func (u *undoer) run(ctx context.Context) error {
	return inPages(ctx, u.plan, Bare, u.writer.batch, u.page)
}

// page puts the users of one page back.
func (u *undoer) page(ctx context.Context, page []Decision) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u.settled = map[int]bool{}
	tasks, err := u.tasks(ctx, page)
	if err != nil {
		return err
	}
	if err := u.compare(ctx, tasks); err != nil {
		return err
	}
	if u.journal != nil {
		for _, t := range tasks {
			t.lookBehind()
		}
	}
	for len(tasks) > 0 {
		if u.journal != nil {
			if err := u.writer.mayGoOn(ctx); err != nil {
				return err
			}
		}
		n, err := u.portion(tasks)
		if err != nil {
			return err
		}
		stop := u.write(ctx, tasks[:n])
		if stop == nil {
			stop = u.lookAgain(ctx, tasks[:n])
		}
		if err := u.settle(ctx, tasks[:n]); err != nil {
			return err
		}
		if stop != nil {
			return stop
		}
		tasks = tasks[n:]
	}
	u.seen += len(page)
	u.through = page[len(page)-1].Ordinal
	if u.opts.Progress != nil {
		s := u.plan.Summary()
		u.opts.Progress(Progress{Users: u.seen, Total: s.Users[Create] + s.Users[Modify], Failures: u.result.Failed})
	}
	return nil
}

// tasks are the users of a page of whom the journal knows something.
func (u *undoer) tasks(ctx context.Context, page []Decision) ([]*undoTask, error) {
	entries, err := u.entries.Entries(ctx, page[0].Ordinal, page[len(page)-1].Ordinal)
	if err != nil {
		return nil, err
	}
	var tasks []*undoTask
	for i := range page {
		for len(entries) > 0 && entries[0].Ordinal < page[i].Ordinal {
			entries = entries[1:]
		}
		if len(entries) == 0 {
			break
		}
		if entries[0].Ordinal == page[i].Ordinal {
			t, err := inverse(&page[i], entries[0])
			if err != nil {
				return nil, err
			}
			tasks = append(tasks, t)
		}
	}
	return tasks, nil
}

// portion is how many of the tasks the limits let go together. That all of
// them may fail is reckoned with: so the limit of failures holds to the user.
func (u *undoer) portion(tasks []*undoTask) (int, error) {
	room := len(tasks)
	var limit *LimitError
	if n := u.opts.MaxUsers; n > 0 && n-u.written < room {
		room, limit = n-u.written, &LimitError{"users", n}
	}
	if n := u.opts.MaxFailures; n > 0 && n-u.result.Failed < room {
		room, limit = n-u.result.Failed, &LimitError{"failures", n}
	}
	writes := 0
	for i, t := range tasks {
		if u.journal == nil || !t.open() {
			continue
		}
		if writes == max(room, 0) {
			if i == 0 {
				return 0, limit
			}
			return i, nil
		}
		writes++
	}
	return len(tasks), nil
}

// write writes what is open. What could not be served in all tries stays
// open, and the reason is returned.
func (u *undoer) write(ctx context.Context, tasks []*undoTask) error {
	if u.journal == nil {
		return nil
	}
	plain := make([]*task, len(tasks))
	standing := make(map[int]JournalEntry, len(tasks))
	for i, t := range tasks {
		if t.open() {
			u.written++
		}
		plain[i] = &t.task
		standing[t.d.Ordinal] = t.intent()
	}
	u.writer.journal = undoIntents{u.journal, standing}
	_, err := u.writer.write(ctx, plain)
	for _, t := range tasks {
		if t.unread != nil {
			t.settleOpen(0, cloud.Failed, t.unread) // it stands, and the next run tries again
		}
	}
	return err
}

// undoIntents is the journal that the writer of undo has: what it intends is
// told as what stands of apply without it.
type undoIntents struct {
	Journal
	standing map[int]JournalEntry
}

func (j undoIntents) Intend(ctx context.Context, run int, entries []JournalEntry) error {
	told := make([]JournalEntry, len(entries))
	for i, e := range entries {
		told[i] = j.standing[e.Ordinal]
	}
	return j.Journal.Intend(ctx, run, told)
}

// settle records the users of whom every change has its outcome, counts and
// tells about them. Users with an open change keep their intent.
func (u *undoer) settle(ctx context.Context, tasks []*undoTask) error {
	var settled []*undoTask
	var entries []UndoneEntry
	for _, t := range tasks {
		if u.journal == nil {
			t.settleOpen(0, Pending, nil)
			t.foresee()
		}
		if !t.open() {
			settled = append(settled, t)
			entries = append(entries, t.undone())
		}
	}
	if len(settled) == 0 {
		return nil
	}
	if u.journal != nil {
		if err := u.journal.Undone(context.WithoutCancel(ctx), u.result.Run, entries); err != nil {
			return err
		}
	}
	for _, t := range settled {
		u.settled[t.d.Ordinal] = true
		u.count(t)
		if u.opts.Each == nil {
			continue
		}
		for i, r := range t.results {
			if err := u.opts.Each(ChangeEvent{Username: t.d.Username, Change: t.d.Changes[i], Result: r}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *undoer) count(t *undoTask) {
	if len(t.results) == 0 {
		return // nothing stood that the plan had made
	}
	var kept, failed, open bool
	for _, r := range t.results {
		u.result.Changes[r.Outcome]++
		kept = kept || r.Outcome == cloud.Outdated || stays(r)
		failed = failed || r.Outcome == cloud.Failed && !stays(r)
		open = open || r.Outcome == Pending
	}
	u.result.Users++
	switch {
	case failed:
		u.result.Failed++
	case kept:
		u.result.Kept++
	case open:
		u.result.Open++
	default:
		u.result.Done++
	}
}

// stays tells a change that trying again would not put back.
func stays(r ChangeResult) bool { return r.Outcome == cloud.Failed && r.Kind == cloud.Unsupported }
