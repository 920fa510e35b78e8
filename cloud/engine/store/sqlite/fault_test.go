package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
)

// A fault in one update costs that one: not the program, not the others that
// are committed with it, not the store.
func TestPanicFailsOneUpdate(t *testing.T) {
	s := opens(t, made(t))
	const many = 40
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			errs[i] = s.Update(context.Background(), func(tx engine.Tx) error {
				err := tx.SetMeta(fmt.Sprint("n", i), []byte("written"))
				if i%4 == 0 {
					panic("secret canary")
				}
				return err
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		var value []byte
		if e := s.View(t.Context(), func(r engine.Reader) (e error) { value, e = r.Meta(fmt.Sprint("n", i)); return e }); e != nil {
			t.Fatal(e)
		}
		if panicked := i%4 == 0; panicked != (err != nil) || panicked != (value == nil) {
			t.Errorf("update %d: error %v, value %q", i, err, value)
		}
		if err != nil && (cloud.KindOf(err) != cloud.Internal || strings.Contains(err.Error(), "canary")) {
			t.Errorf("update %d: %v", i, err)
		}
	}
}

// While another process holds the store, all who wait are told so together.
func TestHeldStoreTellsAllWhoWait(t *testing.T) {
	path := made(t)
	s := opens(t, path)
	if err := sqlite.Impatient(s); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	held, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	update := func(tx engine.Tx) error { ran++; return tx.SetMeta("x", nil) }
	errs := make([]error, 200)
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.Update(context.Background(), update) })
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil || cloud.KindOf(err) != cloud.Unavailable {
			t.Fatalf("held by another process: %v", err)
		}
	}
	if ran > 0 {
		t.Errorf("%d updates ran", ran)
	}
	if took := time.Since(begun); took > 100*200*time.Millisecond { // one by one: 200 times
		t.Errorf("they waited for each other: %v", took)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("x", []byte("y")) }); err != nil {
		t.Errorf("after it was freed: %v", err)
	}
}

// A login that the full disk has kept from being recorded is no login: it is
// Unavailable, its code is not used up, and once there is room it is accepted,
// once. The child is a process whose files cannot grow.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("MFABRIDGE_TEST_FULL"); dir != "" {
		fillDisk(t, filepath.Join(dir, "cloud.db"))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_FULL="+filepath.Dir(made(t)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A store gets its name only with all that was written into it: where the disk
// is full just when the log is to go into the file, there is none. The child is
// a process whose files cannot grow once the log holds everything.
func TestNoStoreIsPublishedWithoutItsLog(t *testing.T) {
	if dir := os.Getenv("MFABRIDGE_TEST_UNFINISHED"); dir != "" {
		leaveUnfinished(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoStoreIsPublishedWithoutItsLog$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_UNFINISHED="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func leaveUnfinished(t *testing.T, dir string) {
	err := sqlite.Create(t.Context(), filepath.Join(dir, "cloud.db"), func(s *sqlite.Store) error {
		files, err := filepath.Glob(filepath.Join(dir, ".cloud.db.new-*"))
		if err != nil {
			return err
		}
		info, err := os.Stat(slices.Min(files)) // the others have its name and a suffix
		if err != nil {
			return err
		}
		limitFiles(t, uint64(info.Size()))
		return s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("large", make([]byte, 32<<10)) })
	})
	if err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a store without its last page: %v", err)
	}
}

// limitFiles lets no file of this process grow beyond n bytes.
func limitFiles(t *testing.T, n uint64) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}); err != nil {
		t.Fatal(err)
	}
}

func fillDisk(t *testing.T, path string) {
	now := epoch
	s := opens(t, path)
	e := engineOn(t, s, path, func() time.Time { return now })
	id := enrol(t, e)
	limitFiles(t, 256<<10)
	logins := 0
	var failed error
	for failed == nil && logins < 1000 {
		now = now.Add(30 * time.Second)
		c, err := e.Begin(t.Context(), loginAt(now))
		if failed = err; err == nil && c.State != cloud.Approved {
			t.Fatalf("login %d: %+v", logins, c)
		}
		logins++
	}
	if failed == nil || cloud.KindOf(failed) != cloud.Unavailable {
		t.Fatalf("after %d logins in 256 KiB: %v", logins, failed)
	}
	if users, err := e.Read(t.Context(), []cloud.UserID{id}); err != nil || users[0].ID != id {
		t.Errorf("reading: %v", err)
	}
	if _, err := e.Begin(t.Context(), loginAt(now)); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("again on a full disk: %v", err)
	}
	limitFiles(t, unix.RLIM_INFINITY)
	for _, want := range []cloud.State{cloud.Approved, cloud.Refused} {
		if c, err := e.Begin(t.Context(), loginAt(now)); err != nil || c.State != want {
			t.Errorf("with room: %+v, %v, want %s", c, err, want)
		}
	}
}

// A transaction that SQLite has ended by itself is nobody's: also where the
// update that met the fault says nothing of it, there is a row of whom it was
// promised to, and of nobody else.
func TestLostTransactionKeepsNothing(t *testing.T) {
	s := opens(t, made(t))
	row := func(n int) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.PutAttempt(&engine.Attempt{Challenge: "c", Key: fmt.Sprint(n)}) }
	}
	failed := errors.New("the disk failed")
	for try, lose := range []func(engine.Tx) error{
		func(tx engine.Tx) error { return errors.Join(row(1)(tx), sqlite.RollBack(tx), failed) },
		func(tx engine.Tx) error { return errors.Join(row(11)(tx), sqlite.RollBack(tx)) },
		func(tx engine.Tx) error {
			return errors.Join(tx.SetMeta("n", []byte("value")), row(21)(tx), sqlite.RollBack(tx))
		},
		func(tx engine.Tx) error {
			_, _, _ = sqlite.RollBack(tx), tx.SetMeta("n", []byte("value")), row(31)(tx)
			return nil
		},
		func(tx engine.Tx) error {
			_, _, _ = tx.SetMeta("n", []byte("value")), sqlite.RollBack(tx), row(41)(tx)
			return nil
		},
	} {
		first := 10 * try
		errs := s.UpdateEach(t.Context(), []func(engine.Tx) error{row(first), lose, row(first + 2),
			func(tx engine.Tx) error { return errors.Join(tx.SetMeta("n", []byte("value")), row(first+3)(tx)) }})
		err := s.View(t.Context(), func(r engine.Reader) error {
			for i, err := range errs {
				a, readErr := r.Attempt("c", fmt.Sprint(first+i))
				if kept := a != nil; kept != (err == nil) || readErr != nil {
					t.Errorf("row %d: kept %v, %v; %v", first+i, kept, err, readErr)
				}
			}
			return nil
		})
		if err != nil || errs[1] == nil {
			t.Errorf("who lost it: %v; %v", errs[1], err)
		}
	}
}

// Lock says at once that somebody else has it.
func TestLockDoesNotWait(t *testing.T) {
	path := made(t)
	s, other := opens(t, path), opens(t, path)
	unlock, err := s.Lock(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := other.Lock(t.Context(), "second"); err == nil || cloud.KindOf(err) != cloud.Locked || !strings.Contains(err.Error(), "first") {
		t.Errorf("second lock: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it waited %v", took)
	}
	if err := errors.Join(unlock(), unlock()); err != nil {
		t.Error(err)
	}
}

// Of two uses of one secret that are remembered, the later one counts.
func TestSpentKeepsTheLater(t *testing.T) {
	s := opens(t, made(t))
	for _, second := range []int64{1000, 500, 1500, 0} {
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetSpent("fingerprint", second) }); err != nil {
			t.Fatal(err)
		}
	}
	var spent int64
	if err := s.View(t.Context(), func(r engine.Reader) (err error) { spent, err = r.Spent("fingerprint"); return err }); err != nil || spent != 1500 {
		t.Errorf("spent until %d, %v", spent, err)
	}
}

// A store whose file has another one in its place is written by nobody who had
// it open: those who open it now would not hear of it. Put back, it is.
func TestFileThatWasReplaced(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		path := made(t)
		s := opens(t, path)
		set := func() error {
			return s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("name", []byte("value")) })
		}
		if err := set(); err != nil {
			t.Fatal(err)
		}
		away := func(from, to string) {
			t.Helper()
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		refused := func(what string) {
			t.Helper()
			err := set()
			if e, ok := errors.AsType[*cloud.Error](err); !ok || e.Kind != cloud.Unavailable || !e.Lasting || !strings.Contains(err.Error(), "moved away or replaced") {
				t.Errorf("%s: %v", what, err)
			}
		}
		away(path+suffix, path+".old")
		refused(suffix + " moved away")
		if err := os.WriteFile(path+suffix, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(suffix + " replaced")
		away(path+".old", path+suffix)
		if err := set(); err != nil {
			t.Errorf("%s put back: %v", suffix, err)
		}
	}
}
