package planfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// Journal is F.journal, held by one process. It is a [migrate.Journal]; its
// methods may be called concurrently, one waits for the other.
type Journal struct {
	mu   sync.Mutex
	db   *db
	lock *os.File // nil: only for reading
	path string
	now  func() time.Time

	entries, intend, record, begin *stmt
	keep, undone, forget           *stmt
	history                        *stmt
}

var (
	_ migrate.Journal       = (*Journal)(nil)
	_ migrate.JournalReader = (*Journal)(nil)
)

// journalSchema is compared word by word, as that of plan files.
var journalSchema = [...]string{
	`CREATE TABLE about (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE runs (run INTEGER PRIMARY KEY, phase TEXT NOT NULL, started TEXT NOT NULL)`,
	`CREATE TABLE users (ordinal INTEGER PRIMARY KEY, intent_run INTEGER NOT NULL, result_run INTEGER NOT NULL, results TEXT NOT NULL)`,
	`CREATE TABLE history (ordinal INTEGER NOT NULL, run INTEGER NOT NULL, results TEXT NOT NULL, PRIMARY KEY (ordinal, run)) WITHOUT ROWID`,
}

// OpenJournal opens the journal of p at path for a run of apply, and makes it
// (readable by its owner only) if it is not there. Until it is closed, or the
// process ends in whatever way, no other process gets it: the error is then a
// *[cloud.Error] of kind Locked. A journal of another plan is refused.
//
// What Intend and Record have returned survives a crash of the process and of
// the machine.
func OpenJournal(p *Plan, path string) (*Journal, error) {
	lock, err := lockPlan(p)
	if err != nil {
		return nil, err
	}
	j := &Journal{lock: lock, path: path, now: time.Now}
	if err := j.open(p, path); err != nil {
		return nil, errors.Join(unusableJournal(path, err, roomAdvice), j.Close())
	}
	return j, nil
}

// unusableJournal says what to do: what room says where the folder is in the
// way; about the file where that is no journal at all.
func unusableJournal(path string, err error, room string) error {
	advice := ""
	_, folder := errors.AsType[*fs.PathError](err)
	switch e, ok := errors.AsType[sqlite3.Error](err); {
	case ok && e.Code == sqlite3.ErrNotADB, errors.Is(err, syscall.EISDIR):
		advice = foreignAdvice
	case ok && e.Code == sqlite3.ErrCorrupt:
		advice = damagedAdvice
	case folder,
		ok && slices.Contains([]sqlite3.ErrNo{sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrPerm}, e.Code):
		advice = room
	}
	return hint.Default(fmt.Errorf("journal %s cannot be used: %w", path, reason(err)), advice)
}

// readAdvice is for who only wants to read: SQLite writes beside a journal even
// then.
const readAdvice = "the folder must be writable, to read a journal too; or copy the plan, its journal and its key into a folder of your own"

const foreignAdvice = "if this plan was applied before, put its own journal back; else move this file away"

const damagedAdvice = "the journal was changed or has lost a part: put a whole copy of it back; without one, move it away and see with check --all what the target holds, which undo cannot put back then"

// ReadJournal opens the journal of p at path for reading, beside a run of
// apply if there is one. Where there is no journal, it has no entries.
func ReadJournal(p *Plan, path string) (*Journal, error) {
	if !exists(path) {
		return &Journal{}, nil
	}
	j := &Journal{}
	if err := j.connect(p, path, `PRAGMA query_only=ON`); err != nil {
		return nil, errors.Join(unusableJournal(path, err, readAdvice), j.Close())
	}
	return j, nil
}

// open makes the journal if need be, and connects to it.
func (j *Journal) open(p *Plan, path string) error {
	if !exists(path) {
		if err := createJournal(p, path); err != nil {
			return err
		}
	}
	if err := j.connect(p, path, `PRAGMA synchronous=FULL`); err != nil {
		return err
	}
	for _, s := range []struct {
		into *(*stmt)
		sql  string
	}{
		{&j.begin, `INSERT INTO runs (phase, started) VALUES (?, ?) RETURNING run`},
		{&j.intend, `INSERT INTO users VALUES (?, ?, 0, ?)` +
			` ON CONFLICT (ordinal) DO UPDATE SET intent_run = excluded.intent_run, results = excluded.results`},
		{&j.record, `INSERT INTO users VALUES (?, ?, ?, ?)` +
			` ON CONFLICT (ordinal) DO UPDATE SET result_run = excluded.result_run, results = excluded.results`},
		{&j.keep, `INSERT OR IGNORE INTO history SELECT ordinal, result_run, results FROM users WHERE ordinal = ? AND result_run >= intent_run`},
		{&j.undone, `INSERT OR REPLACE INTO history VALUES (?, ?, ?)`},
		{&j.forget, `DELETE FROM users WHERE ordinal = ?`},
	} {
		st, err := j.db.prepare(s.sql)
		if err != nil {
			return err
		}
		*s.into = st
	}
	return nil
}

// journalAbout ties a journal to one plan and one target.
func journalAbout(p *Plan) map[string]string {
	return map[string]string{"plan": p.digest, "instance": p.header.Target.Instance}
}

// connect opens the journal and checks that it is p's.
func (j *Journal) connect(p *Plan, path string, setup ...string) error {
	logged := exists(path + "-wal")
	switch info, err := os.Stat(path); {
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	case info.Size() == 0:
		return emptyJournal()
	}
	setup = append([]string{`PRAGMA trusted_schema=OFF`, `PRAGMA busy_timeout=10000`, `PRAGMA journal_mode=WAL`, `PRAGMA cell_size_check=ON`}, setup...)
	var err error
	if j.db, err = openDB(uri(path, "mode=rw"), setup...); err != nil {
		return err
	}
	j.db.limit(maxCell)
	if err := j.db.keepLog(true); err != nil {
		return err
	}
	switch err := checkFormat(j.db, journalSchema[:]); {
	case errors.Is(err, errNotOurs):
		return hint.Wrap(err, foreignAdvice)
	case err != nil:
		return err
	}
	about, err := j.db.texts(`SELECT name, value FROM about`)
	if err != nil {
		return err
	}
	for name, value := range journalAbout(p) {
		if about[name] != value {
			return hint.New("it belongs to another plan", "keep it with the plan that it was made for; apply this plan from another file")
		}
	}
	if _, cutOff := about[atWork]; cutOff && !logged {
		return errors.Join(lostLog(path), j.db.keepLog(false)) // it is one that was made just now
	}
	j.entries, err = j.db.prepare(`SELECT ordinal, intent_run, result_run, results FROM users WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal`)
	if err != nil {
		return err
	}
	j.history, err = j.db.prepare(historyOf)
	return err
}

// Close ends the use of the journal and lets others have it. A journal that
// was opened for a run but never had one holds nothing, and is removed.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	unused := false
	if j.lock != nil && j.db != nil && j.db.conn != nil && j.begin != nil {
		runs, err := j.db.number(`SELECT count(*) FROM runs`)
		unused = err == nil && runs == 0
	}
	j.rest()
	err := j.db.close()
	if unused {
		for _, suffix := range []string{"-wal", "-shm", ""} {
			if gone := os.Remove(j.path + suffix); !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
		j.lock = nil
	}
	return err
}

// Entries returns what is known of the users from first to last.
func (j *Journal) Entries(ctx context.Context, first, last int) ([]migrate.JournalEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.entries == nil {
		return nil, nil
	}
	c, err := j.entries.query(int64(first), int64(last))
	if err != nil {
		return nil, journalError(err)
	}
	var entries []migrate.JournalEntry
	for c.next() {
		e := migrate.JournalEntry{Ordinal: int(c.int(0)), IntentRun: int(c.int(1)), ResultRun: int(c.int(2))}
		if e.Results, err = parseResults([]byte(c.text(3))); err != nil {
			return nil, errors.Join(journalError(err), c.close())
		}
		entries = append(entries, e)
	}
	return entries, journalError(c.close())
}

// Begin starts a run.
func (j *Journal) Begin(ctx context.Context, phase migrate.Phase) (run int, err error) {
	err = j.transact(ctx, func() error {
		c, err := j.begin.query(string(phase), j.now().UTC().Format(time.RFC3339))
		if err != nil {
			return err
		}
		if c.next() {
			run = int(c.int(0))
		}
		c.next() // to the end: only then is the statement done
		return errors.Join(c.close(), j.db.exec(setAtWork))
	})
	if err == nil {
		err = journalError(j.db.exec(`PRAGMA wal_checkpoint(PASSIVE)`)) // the mark has to stand in the file itself
	}
	return run, err
}

// Intend says durably whose changes are about to be written.
func (j *Journal) Intend(ctx context.Context, run int, entries []migrate.JournalEntry) error {
	return j.transact(ctx, func() error {
		for _, e := range entries {
			if err := j.retain(e.Ordinal, e.ResultRun); err != nil {
				return err
			}
			if err := j.intend.exec(int64(e.Ordinal), int64(run), textOf(e.Results)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Record keeps durably what became of users.
func (j *Journal) Record(ctx context.Context, run int, entries []migrate.JournalEntry) error {
	return j.transact(ctx, func() error {
		var b []byte
		for _, e := range entries {
			if err := j.retain(e.Ordinal, e.ResultRun); err != nil {
				return err
			}
			b = appendResults(b[:0], e.Results)
			if err := j.record.exec(int64(e.Ordinal), int64(run), int64(run), string(b)); err != nil {
				return err
			}
		}
		return nil
	})
}

// retain puts a user's results into the history before others replace them.
func (j *Journal) retain(ordinal, resultRun int) error {
	if resultRun == 0 {
		return nil
	}
	return j.keep.exec(int64(ordinal))
}

func textOf(results []migrate.ChangeResult) string {
	if len(results) == 0 {
		return ""
	}
	return string(appendResults(nil, results))
}

// transact runs f in one transaction that is durable when it returns nil, and
// undone otherwise.
func (j *Journal) transact(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lock == nil {
		return errors.New("the journal is open for reading only")
	}
	if err := j.db.exec(`BEGIN IMMEDIATE`); err != nil {
		return journalError(err)
	}
	err := f()
	if err == nil {
		err = j.db.exec(`COMMIT`)
	}
	if err != nil {
		_ = j.db.exec(`ROLLBACK`) // fails where SQLite has done so itself
	}
	return journalError(err)
}

func journalError(err error) error {
	if err == nil {
		return nil
	}
	advice := "make room on its disk, see that you may write there, and run the same command again: it goes on where it was"
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrCorrupt {
		advice = damagedAdvice
	}
	return hint.Default(fmt.Errorf("the journal of the plan failed: %w", err), advice)
}

// lockPlan takes the plan file for one run of apply. The lock is on the plan
// file and not on the journal: SQLite has its own locks there, which the
// closing of any other handle of that file would release.
func lockPlan(p *Plan) (*os.File, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, fmt.Errorf("plan file cannot be locked: %w", err)
	}
	if err := p.same(); err != nil {
		f.Close()
		return nil, fmt.Errorf("plan file %s cannot be locked: %w", p.path, err)
	}
	switch held, err := tryLock(f); {
	case held:
		f.Close()
		return nil, hint.Wrap(&cloud.Error{Kind: cloud.Locked, Message: "another run of apply or undo is at work on this plan"},
			"wait until it has ended; check and explain may be run beside it")
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("plan file %s cannot be locked: %w", p.path, err)
	}
	return f, nil
}
