package planfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
)

// createJournal makes the journal beside its place, and gives it its name when it
// is whole: one that is empty or lacks a table has lost what it held.
func createJournal(p *Plan, path string) error {
	durable.Sweep(path)
	f, err := durable.Beside(path)
	if err != nil {
		return err
	}
	part := f.Name()
	err = f.Close()
	if err == nil {
		err = fillJournal(p, part)
	}
	if err == nil {
		err = durable.Place(part, path)
	}
	for _, suffix := range []string{"-journal", ""} {
		_ = os.Remove(part + suffix) // gone where it was renamed
	}
	if err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// fillJournal writes the schema, and whose journal it is, in one transaction.
func fillJournal(p *Plan, path string) (err error) {
	d, err := openDB(uri(path, "mode=rw"), `PRAGMA trusted_schema=OFF`, `PRAGMA synchronous=FULL`, `BEGIN IMMEDIATE`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	for _, s := range []string{fmt.Sprintf(`PRAGMA application_id=%d`, applicationID), fmt.Sprintf(`PRAGMA user_version=%d`, Version)} {
		if err := d.exec(s); err != nil {
			return err
		}
	}
	for _, s := range journalSchema {
		if err := d.exec(s); err != nil {
			return err
		}
	}
	s, err := d.prepare(`INSERT INTO about VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for name, value := range journalAbout(p) {
		if err := s.exec(name, value); err != nil {
			return err
		}
	}
	return d.exec(`COMMIT`)
}

// While a run is at work, and after it was cut off, SQLite's log beside the
// journal holds what the journal itself does not: then about has the name atWork.
// A log is kept by whoever closes the journal, but for the end of a run, which
// takes the mark away first.
const (
	atWork      = "at_work"
	setAtWork   = `INSERT OR REPLACE INTO about VALUES ('` + atWork + `', '')`
	endAtWork   = `DELETE FROM about WHERE name = '` + atWork + `'`
	countAtWork = `SELECT count(*) FROM about WHERE name = '` + atWork + `'`
)

// keepLog has SQLite leave its log where it is when the journal is closed, or not.
func (d *db) keepLog(keep bool) error {
	const persistWAL = 10 // SQLITE_FCNTL_PERSIST_WAL
	c, ok := d.conn.(*sqlite3.SQLiteConn)
	if !ok {
		return errors.New("the SQLite driver does not keep its log")
	}
	flag := 0
	if keep {
		flag = 1
	}
	return c.SetFileControlInt("main", persistWAL, flag)
}

// rest is asked before the journal is closed. The end of a run says so in it: then
// all may be in one file again, as it may where no run was cut off. Where that
// cannot be said, as on a full disk, the log stays.
func (j *Journal) rest() {
	switch {
	case j.db == nil || j.db.conn == nil:
		return
	case j.lock != nil && j.begin != nil:
		if err := j.db.exec(endAtWork); err != nil {
			return
		}
	default:
		if n, err := j.db.number(countAtWork); n > 0 || err != nil {
			return
		}
	}
	_ = j.db.keepLog(false)
}

func emptyJournal() error { return hint.New("it is empty", damagedAdvice) }

// lostLog refuses a journal that was copied or moved without what stood beside it.
func lostLog(path string) error {
	log := filepath.Base(path) + "-wal"
	return hint.New(log+" is not beside it: in there stands what a run that was cut off did last",
		"put it back from where the plan was applied; if another program has closed the journal since, which takes it in, an empty file of that name will do")
}
