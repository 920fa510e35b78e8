package planfile_test

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func openJournal(tb testing.TB, p *planfile.Plan) *planfile.Journal {
	tb.Helper()
	j, err := planfile.OpenJournal(p, planfile.JournalPath(p.Path()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { j.Close() })
	return j
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func TestJournal(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	j := openJournal(t, p)
	for want := 1; want <= 2; want++ {
		if run, err := j.Begin(t.Context(), migrate.PhaseApply); run != want || err != nil {
			t.Fatalf("run %d, error %v; want %d", run, err, want)
		}
	}
	results := []migrate.ChangeResult{
		{Seq: 0, Outcome: cloud.Done, ID: `m"1`},
		{Seq: 1, Outcome: cloud.Already},
		{Seq: 2, Outcome: cloud.Failed, Kind: cloud.Conflict, Message: "the serial\u2028number is there"},
		{Seq: 3, Outcome: cloud.Outdated, Kind: cloud.Stale, Message: "x"},
	}
	must(t, j.Intend(t.Context(), 1, []migrate.JournalEntry{{Ordinal: 0}, {Ordinal: 3}}))
	must(t, j.Record(t.Context(), 1, []migrate.JournalEntry{{Ordinal: 0, Results: results}, {Ordinal: 4, Results: nil}}))
	must(t, j.Intend(t.Context(), 2, []migrate.JournalEntry{{Ordinal: 0, ResultRun: 1, Results: results[:2]}}))
	want := []migrate.JournalEntry{
		{Ordinal: 0, IntentRun: 2, ResultRun: 1, Results: results[:2]},
		{Ordinal: 3, IntentRun: 1},
		{Ordinal: 4, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{}},
	}
	for range 2 { // what was written is there after opening again
		got, err := j.Entries(t.Context(), 0, 4)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries differ:\n%s", diff)
		}
		must(t, j.Close())
		j = openJournal(t, p)
	}
	if got, err := j.Entries(t.Context(), 1, 3); err != nil || len(got) != 1 || got[0].Ordinal != 3 {
		t.Errorf("entries 1 to 3: %v, %v", got, err)
	}
	info, err := os.Stat(planfile.JournalPath(path))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the journal has mode %o", info.Mode().Perm())
	}
}

func TestJournalOfAnotherPlan(t *testing.T) {
	path, _ := makePlan(t)
	useJournal(t, open(t, path))
	other, _ := makePlan(t)
	p := open(t, other)
	if _, err := planfile.OpenJournal(p, planfile.JournalPath(path)); err == nil || !strings.Contains(err.Error(), "belongs to another plan") {
		t.Errorf("error is %v", err)
	}
	if _, err := planfile.ReadJournal(p, planfile.JournalPath(path)); err == nil {
		t.Error("it can be read")
	}
	openJournal(t, p) // the lock was given back
}

func TestJournalLock(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	j := openJournal(t, p)
	_, err := planfile.OpenJournal(open(t, path), planfile.JournalPath(path))
	if err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Fatalf("a second run got the journal: %v", err)
	}
	r, err := planfile.ReadJournal(p, planfile.JournalPath(path))
	must(t, err)
	defer r.Close()
	if _, err := r.Entries(t.Context(), 0, 9); err != nil {
		t.Errorf("beside a run it cannot be read: %v", err)
	}
	if _, err := r.Begin(t.Context(), migrate.PhaseApply); err == nil {
		t.Error("a reader began a run")
	}
	must(t, j.Close())
	openJournal(t, p)
}

// TestJournalLockOfADeadProcess runs itself in a process that takes the lock
// and is killed.
func TestJournalLockOfADeadProcess(t *testing.T) {
	if path := os.Getenv("MFABRIDGE_TEST_LOCK"); path != "" {
		j := openJournal(t, open(t, path))
		run, err := j.Begin(t.Context(), migrate.PhaseApply)
		must(t, err)
		must(t, j.Intend(t.Context(), run, []migrate.JournalEntry{{Ordinal: 0}}))
		self, err := os.FindProcess(os.Getpid())
		must(t, err)
		must(t, self.Kill())
		select {}
	}
	path, _ := makePlan(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestJournalLockOfADeadProcess$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_LOCK="+path)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the other process ended otherwise: %v\n%s", err, out)
	}
	p, journal := open(t, path), planfile.JournalPath(path)
	log := read(t, journal+"-wal")
	must(t, os.Remove(journal+"-wal"))
	for range 2 { // who looks does not make it look whole
		for name, open := range map[string]func(*planfile.Plan, string) (*planfile.Journal, error){"run": planfile.OpenJournal, "reading": planfile.ReadJournal} {
			_, err := open(p, journal)
			if err == nil || !strings.Contains(err.Error(), ".journal-wal is not beside it") || !strings.Contains(hint.Of(err), "put it back") {
				t.Errorf("%s without its log: %v (%s)", name, err, hint.Of(err))
			}
		}
	}
	write(t, journal+"-wal", log)
	for range 2 { // and who reads leaves it whole
		r, err := planfile.ReadJournal(p, journal)
		must(t, err)
		must(t, r.Close())
	}
	j := openJournal(t, p)
	entries, err := j.Entries(t.Context(), 0, 9)
	must(t, err)
	if len(entries) != 1 || !entries[0].Intended() {
		t.Errorf("the intent of the dead process is lost: %v", entries)
	}
	must(t, j.Close())
	if got := names(t, filepath.Dir(path)); len(got) != 3 {
		t.Errorf("a run that ended well left %v", got)
	}
	r, err := planfile.ReadJournal(p, journal)
	must(t, err)
	must(t, r.Close())
	if got := names(t, filepath.Dir(path)); len(got) != 3 {
		t.Errorf("who read left %v", got)
	}
}

func TestNoJournal(t *testing.T) {
	path, _ := makePlan(t)
	j, err := planfile.ReadJournal(open(t, path), planfile.JournalPath(path))
	must(t, err)
	defer j.Close()
	if got, err := j.Entries(t.Context(), 0, 9); err != nil || len(got) != 0 {
		t.Errorf("entries of no journal: %v, %v", got, err)
	}
	if len(names(t, filepath.Dir(path))) != 2 {
		t.Error("reading made a journal")
	}
}

func TestJournalRefuses(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"trigger", `CREATE TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM users; END`},
		{"instance", `UPDATE about SET value = 'i-2' WHERE name = 'instance'`},
		{"newer", `PRAGMA user_version = 2`},
		{"lost", `DROP TABLE runs`},
	} {
		path, _ := makePlan(t)
		p := open(t, path)
		useJournal(t, p)
		alterJournal(t, path, c.sql)
		if _, err := planfile.OpenJournal(p, planfile.JournalPath(path)); err == nil {
			t.Errorf("%s: opens", c.name)
		}
	}
}

// What is no journal of ours is not a matter of room on the disk.
func TestJournalOfSomebodyElse(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	journal := planfile.JournalPath(path)
	if err := os.WriteFile(journal, bytes.Repeat([]byte("minutes of the change board\n"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(*planfile.Plan, string) (*planfile.Journal, error){"run": planfile.OpenJournal, "reading": planfile.ReadJournal} {
		_, err := open(p, journal)
		if err == nil || !strings.Contains(err.Error(), "not a database") || !strings.Contains(hint.Of(err), "move this file away") {
			t.Errorf("%s: %v (%s)", name, err, hint.Of(err))
		}
	}
	if got, err := os.ReadFile(journal); err != nil || !bytes.HasPrefix(got, []byte("minutes")) {
		t.Errorf("the file was altered: %v", err)
	}
	must(t, os.Remove(journal))
	useJournal(t, p)
	alterJournal(t, path, `PRAGMA application_id = 1`)
	if _, err := planfile.OpenJournal(p, journal); err == nil || !strings.Contains(hint.Of(err), "move this file away") {
		t.Errorf("another program's database: %v (%s)", err, hint.Of(err))
	}
}

// What is wrong with the folder has advice about the folder.
func TestJournalWithoutItsFolder(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	none := filepath.Join(filepath.Dir(path), "none", "f.journal")
	if _, err := planfile.OpenJournal(p, none); err == nil || !strings.Contains(hint.Of(err), "folder must exist") {
		t.Errorf("no folder: %v (%s)", err, hint.Of(err))
	}
	journal := planfile.JournalPath(path)
	must(t, os.Mkdir(journal, 0o700))
	if _, err := planfile.OpenJournal(p, journal); err == nil || !strings.Contains(hint.Of(err), "move this file away") {
		t.Errorf("a folder in its place: %v (%s)", err, hint.Of(err))
	}
}

func TestJournalDamagedResults(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	useJournal(t, p)
	alterJournal(t, path, `INSERT INTO users VALUES (0, 1, 1, '[{"s":0,"o":"?"}]')`)
	if _, err := openJournal(t, p).Entries(t.Context(), 0, 1); err == nil || !strings.Contains(hint.Of(err), "put a whole copy of it back") {
		t.Errorf("an unknown outcome: %v (%s)", err, hint.Of(err))
	}
}

// What is lost is not to be had by room on the disk.
func TestJournalCutShort(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	useJournal(t, p)
	journal := planfile.JournalPath(path)
	info, err := os.Stat(journal)
	must(t, err)
	must(t, os.Truncate(journal, info.Size()/2))
	if _, err := planfile.ReadJournal(p, journal); err == nil || !strings.Contains(hint.Of(err), "put a whole copy of it back") {
		t.Errorf("half a journal: %v (%s)", err, hint.Of(err))
	}
}

// useJournal leaves a journal that has seen a run.
func useJournal(t *testing.T, p *planfile.Plan) {
	t.Helper()
	j := openJournal(t, p)
	_, err := j.Begin(t.Context(), migrate.PhaseApply)
	must(t, err)
	must(t, j.Close())
}

func TestUnusedJournalIsNotLeft(t *testing.T) {
	path, _ := makePlan(t)
	must(t, openJournal(t, open(t, path)).Close())
	if got := names(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("a run that did nothing left %v", got)
	}
}

// alterJournal runs a statement on the journal of the plan at path.
func alterJournal(t *testing.T, path, statement string) {
	t.Helper()
	escape := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")
	d, err := sql.Open("sqlite3", "file:"+escape.Replace(planfile.JournalPath(path))+"?mode=rw")
	must(t, err)
	_, err = d.Exec(statement)
	must(t, err)
	must(t, d.Close())
}
