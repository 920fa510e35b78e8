package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
)

func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Init(t.Context(), path, "", engine.Setup{Actor: engine.Actor{Who: "operator"}}); err != nil {
		t.Fatal(err)
	}
	return path
}

func opens(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func engineOn(t *testing.T, s *sqlite.Store, path string, now func() time.Time) *engine.Engine {
	t.Helper()
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Config{Store: s, Key: key, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// enrol makes one user with Generator(1).
func enrol(t *testing.T, e *engine.Engine) cloud.UserID {
	t.Helper()
	p := &cloud.Profile{UPN: "ada@contoso.example", Enabled: true}
	results := e.Write(t.Context(), []cloud.Change{
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}},
	})
	for _, r := range results {
		if r.Outcome != cloud.Done {
			t.Fatal(r.Err)
		}
	}
	return cloud.UserID(results[0].ID)
}

// An error of one update undoes that one, whatever it is committed with.
func TestErrorUndoesOneUpdate(t *testing.T) {
	s := opens(t, made(t))
	no := errors.New("no")
	const many = 100
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			errs[i] = s.Update(context.Background(), func(tx engine.Tx) error {
				if err := tx.SetMeta(fmt.Sprint("n", i), []byte("written")); err != nil {
					return err
				}
				if i%3 == 0 {
					return no
				}
				return nil
			})
		})
	}
	wg.Wait()
	err := s.View(t.Context(), func(r engine.Reader) error {
		for i := range many {
			value, err := r.Meta(fmt.Sprint("n", i))
			if err != nil {
				return err
			}
			if failed := i%3 == 0; failed != (value == nil) || failed != errors.Is(errs[i], no) {
				t.Errorf("update %d: error %v, value %q", i, errs[i], value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What one update reads of meta, and what another one of the same commit wrote
// there, is what the transaction holds: nothing that was undone, nothing old.
func TestMetaWithinOneCommit(t *testing.T) {
	s := opens(t, made(t))
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("count", []byte{0}) }); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 200 { // many of them share a commit
		wg.Go(func() {
			_ = s.Update(context.Background(), func(tx engine.Tx) error {
				value, err := tx.Meta("count")
				if err != nil {
					return err
				}
				value[0]++
				if err := tx.SetMeta("count", value); err != nil {
					return err
				}
				if again, err := tx.Meta("count"); err != nil || again[0] != value[0] {
					t.Errorf("written %v, read %v, %v", value, again, err)
				}
				if i%2 == 0 {
					return errors.New("undone")
				}
				return nil
			})
		})
	}
	wg.Wait()
	if err := s.View(t.Context(), func(r engine.Reader) error {
		if value, err := r.Meta("count"); err != nil || value[0] != 100 {
			t.Errorf("%v, %v", value, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A statement that breaks a constraint leaves the rest of its update alone.
func TestTakenSerialLetsTheUpdateGoOn(t *testing.T) {
	s := opens(t, made(t))
	put := func(tx engine.Tx, id string) error {
		k := engine.Token{User: "u", Sealed: []byte("x")}
		k.ID, k.Serial = id, "SYN-1"
		return tx.PutToken(&k)
	}
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		if err := put(tx, "a"); err != nil {
			return err
		}
		if err := put(tx, "b"); !errors.Is(err, engine.ErrTaken) {
			t.Errorf("the serial again: %v", err)
		}
		return tx.SetMeta("after", []byte("yes"))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r engine.Reader) error {
		tokens, err := r.Tokens("u")
		after, err2 := r.Meta("after")
		if len(tokens) != 1 || string(after) != "yes" {
			t.Errorf("%d tokens, meta %q", len(tokens), after)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Nobody who only looks can write, and the audit can be changed by nobody.
func TestAuditIsAppendOnly(t *testing.T) {
	path := made(t)
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"DELETE FROM audit", "UPDATE audit SET actor = 'nobody'"} {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// Two handles share nothing but the file, as two processes do.
func TestTwoHandlesSeeABlockAtOnce(t *testing.T) {
	path := made(t)
	a, b := opens(t, path), opens(t, path)
	first, second := engineOn(t, a, path, nil), engineOn(t, b, path, nil)
	id := enrol(t, first)
	ask := func(want cloud.State, reason cloud.Reason) {
		t.Helper()
		c, err := second.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
		if err != nil || c.State != want || c.Reason != reason {
			t.Fatalf("Begin: %+v, %v; want %s %s", c, err, want, reason)
		}
	}
	ask(cloud.Pending, "")
	by := engine.Actor{Who: "helpdesk", Reason: "lost phone"}
	if err := first.Block(t.Context(), by, id, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	ask(cloud.Refused, cloud.UserBlocked)
	if err := second.Unblock(t.Context(), by, id); err != nil {
		t.Fatal(err)
	}
	ask(cloud.Pending, "")
	unlock, err := a.Lock(t.Context(), "run on a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lock(t.Context(), "run on b"); err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Errorf("a lock that another handle holds: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s := opens(t, made(t))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	update := s.Update(t.Context(), func(engine.Tx) error { t.Error("ran"); return nil })
	view := s.View(t.Context(), func(engine.Reader) error { t.Error("ran"); return nil })
	for _, err := range []error{update, view} {
		if err == nil || cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("closed: %v", err)
		}
	}
	s = opens(t, made(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, func(engine.Tx) error { t.Error("ran"); return nil }); err == nil {
		t.Error("an update ran for a caller who had left")
	}
}

// Whatever cannot be opened is refused in one sentence with advice.
func TestOpenSaysWhy(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := made(t)
	run := func(path, statement string) string {
		db, err := sql.Open("sqlite3", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		kind cloud.Kind
	}{
		"missing":            {filepath.Join(folder, "missing.db"), cloud.NotFound},
		"a folder":           {folder, cloud.Invalid},
		"an empty file":      {write("empty", nil), cloud.Invalid},
		"text":               {write("text", bytes.Repeat([]byte("not a database "), 100)), cloud.Invalid},
		"another database":   {run(filepath.Join(folder, "other.db"), "CREATE TABLE t (x)"), cloud.Invalid},
		"of a newer program": {run(newer, "PRAGMA user_version = 99"), cloud.Unsupported},
	} {
		_, err := sqlite.Open(t.Context(), c.path, sqlite.Options{})
		if err == nil || cloud.KindOf(err) != c.kind || hint.Of(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v (hint %q), want kind %s", name, err, hint.Of(err), c.kind)
		}
	}
}

// A store that could not be finished leaves nothing, and none is replaced.
func TestCreateIsWholeOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "cloud.db")
	no := errors.New("no")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return no }); !errors.Is(err, no) {
		t.Errorf("Create: %v", err)
	}
	if err := sqlite.Init(t.Context(), path, "", engine.Setup{}); err == nil {
		t.Error("Init without an actor succeeded")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	setup := engine.Setup{Actor: engine.Actor{Who: "operator"}}
	if err := sqlite.Init(t.Context(), path, "", setup); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sqlite.Init(t.Context(), path, "", setup); err == nil || cloud.KindOf(err) != cloud.Conflict {
			t.Errorf("Init on a store: %v", err)
		}
	}
	after, _ := os.ReadFile(path)
	keyAfter, _ := os.ReadFile(path + ".key")
	if !bytes.Equal(before, after) || !bytes.Equal(key, keyAfter) {
		t.Error("an existing store or key was changed")
	}
	opens(t, path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, %v", entry.Name(), info.Mode().Perm(), err)
		}
	}
	if len(entries) < 3 {
		t.Errorf("only %d files: the check of modes missed the log", len(entries))
	}
}

// A foreign key file is not overwritten when the store is new.
func TestInitKeepsAKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := os.WriteFile(path+".key", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Init(t.Context(), path, "", engine.Setup{Actor: engine.Actor{Who: "operator"}}); err == nil {
		t.Error("Init replaced a key file")
	}
	if content, err := os.ReadFile(path + ".key"); err != nil || string(content) != "precious" {
		t.Errorf("the key file holds %q, %v", content, err)
	}
}

// However many updates wait, no commit carries more than its bound: who waits is
// answered once a part is done.
func TestCommitsAreBounded(t *testing.T) {
	s := opens(t, made(t))
	const most = 512
	fns := make([]func(engine.Tx) error, 2*most+1)
	for i := range fns {
		fns[i] = func(tx engine.Tx) error {
			for s.Stats().Queue == 0 && i < len(fns)-1 { // until another one waits
				runtime.Gosched()
			}
			return tx.SetMeta("x", []byte{byte(i)})
		}
	}
	before := s.Stats()
	for i, err := range s.UpdateEach(t.Context(), fns) {
		if err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
	if after := s.Stats(); after.Commits-before.Commits != 3 || after.Updates-before.Updates != uint64(len(fns)) {
		t.Errorf("%d updates in %d commits", after.Updates-before.Updates, after.Commits-before.Commits)
	}
}

// A store that is reached by a link is the one store: there is one log, one lock,
// and a link that leads elsewhere by now is noticed.
func TestStoreByALink(t *testing.T) {
	path := made(t)
	link := filepath.Join(t.TempDir(), "linked.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	a, b := opens(t, path), opens(t, link)
	name := func(s *sqlite.Store, value string) error {
		return s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("name", []byte(value)) })
	}
	if err := name(b, "by the link"); err != nil {
		t.Fatal(err)
	}
	if err := a.View(t.Context(), func(r engine.Reader) error {
		got, err := r.Meta("name")
		if string(got) != "by the link" {
			t.Errorf("it holds %q", got)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	unlock, err := b.Lock(t.Context(), "by the link")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lock(t.Context(), "by its name"); err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Errorf("the lock is taken twice: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink(made(t), link)); err != nil {
		t.Fatal(err)
	}
	if err := name(b, "elsewhere"); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("the link leads elsewhere: %v", err)
	}
}
