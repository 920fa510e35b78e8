package planfile

import (
	"context"
	"errors"
	"time"

	"mfabridge/migrate"
)

// historyOf is what every run has done about a user: the results that others
// have replaced, those of undo, and what stands. What an undo left standing
// bears its run, and is not told a second time.
const historyOf = `SELECT h.run, r.phase, r.started, 0, h.results FROM history h JOIN runs r USING (run) WHERE h.ordinal = ?1` +
	` UNION ALL SELECT r.run, r.phase, r.started, 0, u.results FROM users u JOIN runs r ON r.run = u.result_run` +
	` WHERE u.ordinal = ?1 AND u.result_run >= u.intent_run AND NOT EXISTS (SELECT 1 FROM history h WHERE h.ordinal = ?1 AND h.run = u.result_run)` +
	` UNION ALL SELECT r.run, r.phase, r.started, 1, '' FROM users u JOIN runs r ON r.run = u.intent_run` +
	` WHERE u.ordinal = ?1 AND u.intent_run > u.result_run ORDER BY 1`

var _ migrate.HistoryReader = (*Journal)(nil)

// History returns what every run has done about the user with this ordinal.
func (j *Journal) History(ctx context.Context, ordinal int) ([]migrate.JournalRun, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.history == nil {
		return nil, nil
	}
	c, err := j.history.query(int64(ordinal))
	if err != nil {
		return nil, journalError(err)
	}
	var runs []migrate.JournalRun
	for c.next() {
		run := migrate.JournalRun{Run: int(c.int(0)), Phase: migrate.Phase(c.text(1)), Open: c.int(3) != 0}
		if run.Started, err = time.Parse(time.RFC3339, c.text(2)); err == nil {
			run.Results, err = parseResults([]byte(c.text(4)))
		}
		if err != nil {
			return nil, errors.Join(journalError(errors.New("a run is damaged")), c.close())
		}
		runs = append(runs, run)
	}
	return runs, journalError(c.close())
}

// Undone keeps durably what became of putting back, and what stands after it.
func (j *Journal) Undone(ctx context.Context, run int, entries []migrate.UndoneEntry) error {
	return j.transact(ctx, func() error {
		for _, e := range entries {
			if err := j.retain(e.Ordinal, e.ResultRun); err != nil {
				return err
			}
			if err := j.undone.exec(int64(e.Ordinal), int64(run), textOf(e.Results)); err != nil {
				return err
			}
			// Replaced as a whole: an intent of this run is settled by it.
			if err := j.forget.exec(int64(e.Ordinal)); err != nil {
				return err
			}
			if len(e.Stands) == 0 {
				continue
			}
			if err := j.record.exec(int64(e.Ordinal), int64(run), int64(run), textOf(e.Stands)); err != nil {
				return err
			}
		}
		return nil
	})
}
