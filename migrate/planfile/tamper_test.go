package planfile_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// trailer is the length of the last line.
const trailer = len("\nmfabridge-plan-mac 1 hmac-sha256 ") + 64 + 1

func write(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// readAll reads everything that a plan has, whatever comes of it.
func readAll(tb testing.TB, p *planfile.Plan) {
	for _, v := range []migrate.View{migrate.Masked, migrate.Revealed} {
		n := 0
		for range p.Users(tb.Context(), v) {
			if n++; n > 1000 {
				tb.Fatal("three users became more than a thousand")
			}
		}
	}
	for range p.Problems(tb.Context()) {
	}
	_ = migrate.ShowText(tb.Context(), &bytes.Buffer{}, p, migrate.ShowOptions{})
}

// One flipped bit anywhere is found with the key, and harms nothing without.
func TestFlippedBits(t *testing.T) {
	path, _ := makePlan(t)
	whole := read(t, path)
	key := planfile.KeyPath(path)
	copied := filepath.Join(t.TempDir(), "copy")
	var places []int
	for i := range 100 { // SQLite's header
		places = append(places, i)
	}
	for i := range trailer {
		places = append(places, len(whole)-1-i)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		places = append(places, random.IntN(len(whole)))
	}
	for _, at := range places {
		bit := byte(1) << random.IntN(8)
		whole[at] ^= bit
		write(t, copied, whole)
		if p, err := planfile.Open(copied, key); err == nil {
			p.Close()
			t.Errorf("bit %02x of byte %d of %d was flipped, and the plan opens", bit, at, len(whole))
		}
		if p, err := planfile.Open(copied, ""); err == nil {
			readAll(t, p)
			p.Close()
		}
		whole[at] ^= bit
	}
}

func TestAlteredSaysSo(t *testing.T) {
	path, _ := makePlan(t)
	whole := read(t, path)
	at := bytes.Index(whole, []byte("bob@contoso.example"))
	if at < 0 {
		t.Fatal("the sample is not where it was")
	}
	whole[at] ^= 1
	write(t, path, whole)
	_, err := planfile.Open(path, planfile.KeyPath(path))
	if !errors.Is(err, planfile.ErrAltered) || !strings.Contains(err.Error(), "was altered after it was made") {
		t.Errorf("error is %v", err)
	}
}

func TestTruncated(t *testing.T) {
	path, _ := makePlan(t)
	whole := read(t, path)
	copied := filepath.Join(t.TempDir(), "copy")
	for _, n := range []int{0, 1, 15, 16, 99, 100, trailer, 4096, len(whole) - trailer, len(whole) - 1} {
		write(t, copied, whole[:n])
		for _, key := range []string{"", planfile.KeyPath(path)} {
			if p, err := planfile.Open(copied, key); err == nil {
				p.Close()
				t.Errorf("a plan cut to %d of %d bytes opens", n, len(whole))
			}
		}
	}
	write(t, copied, append(bytes.Clone(whole), '\n'))
	if _, err := planfile.Open(copied, ""); err == nil {
		t.Error("a plan with a byte behind its last line opens")
	}
	// Cut in the middle, with the last line put back.
	write(t, copied, append(bytes.Clone(whole[:4096]), whole[len(whole)-trailer:]...))
	if _, err := planfile.Open(copied, ""); err == nil {
		t.Error("a plan of one page opens")
	}
}

// alter runs statements on the database in a plan and puts its last line back.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	whole := read(t, path)
	line := bytes.Clone(whole[len(whole)-trailer:])
	body := filepath.Join(t.TempDir(), "body.db")
	write(t, body, whole[:len(whole)-trailer])
	d, err := sql.Open("sqlite3", body)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := d.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, append(read(t, body), line...))
}

func TestForeignContent(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"trigger", `CREATE TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM users; END`, `foreign trigger "t"`},
		{"table", `CREATE TABLE extra (x)`, `foreign table "extra"`},
		{"view", `CREATE VIEW v AS SELECT 1`, `foreign view "v"`},
		{"index", `CREATE INDEX i ON users (upn)`, `foreign index "i"`},
		{"lost table", `DROP TABLE problems`, "tables are missing"},
		{"other column", `ALTER TABLE users ADD COLUMN x`, `foreign table "users"`},
		{"newer", `PRAGMA user_version = 2`, "written by a newer mfabridge"},
		{"unknown version", `PRAGMA user_version = 0`, "unknown format 0"},
		{"not ours", `PRAGMA application_id = 1`, "was not written by mfabridge"},
		{"header", `UPDATE header SET value = '7' WHERE name = 'target'`, `header "target" is damaged`},
		{"lost header", `DELETE FROM header WHERE name = 'target'`, `header "target" is damaged`},
		{"summary", `DELETE FROM summary`, "summary is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := makePlan(t)
			alter(t, path, c.sql)
			_, err := planfile.Open(path, "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("without the key: %v, want %q", err, c.want)
			}
			if _, err := planfile.Open(path, planfile.KeyPath(path)); !errors.Is(err, planfile.ErrAltered) {
				t.Errorf("with the key: %v", err)
			}
		})
	}
}

// Rows that contradict each other are found in reading, without a panic.
func TestDamagedRows(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"kind", `UPDATE findings SET kind = 99`},
		{"value", `UPDATE changes SET after = '{' WHERE method = 'softwareOath'`},
		{"orphan", `INSERT INTO changes SELECT 99, seq, op, method, id, before, after, reason, irreversible FROM changes WHERE ordinal = 0`},
		{"facts", `UPDATE users SET facts = '["x"]' WHERE ordinal = 3`},
		{"type", `UPDATE users SET username = x'00' WHERE ordinal = 3`},
		{"many", `WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
			INSERT INTO changes SELECT 0, i, 'add', 'mobile', '', NULL, 'x', '', 0 FROM n`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := makePlan(t)
			alter(t, path, c.sql)
			p, err := planfile.Open(path, "")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var failed error
			for _, err := range p.Users(t.Context(), migrate.Masked) {
				failed = err
			}
			if failed == nil {
				t.Error("the damage was not found")
			}
		})
	}
}

func TestNewerTrailer(t *testing.T) {
	path, _ := makePlan(t)
	whole := read(t, path)
	whole[len(whole)-trailer+len("\nmfabridge-plan-mac ")] = '2'
	write(t, path, whole)
	if _, err := planfile.Open(path, ""); err == nil || !strings.Contains(err.Error(), "newer mfabridge") {
		t.Errorf("error is %v", err)
	}
}

func TestKeys(t *testing.T) {
	path, _ := makePlan(t)
	w, err := planfile.Create(filepath.Join(t.TempDir(), "other.db"), migrate.Header{}, planfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Finish(migrate.NewSummary()); err != nil {
		t.Fatal(err)
	}
	other, _ := makePlan(t)
	_, err = planfile.Open(path, planfile.KeyPath(other))
	if err == nil {
		t.Error("the key of another plan with the same id opens this one")
	}
	key := read(t, planfile.KeyPath(path))
	write(t, planfile.KeyPath(path), bytes.Replace(key, []byte("plan plan-1"), []byte("plan plan-2"), 1))
	if _, err := planfile.Open(path, planfile.KeyPath(path)); err == nil {
		t.Error("a key with another plan's id opens this one")
	}
	write(t, planfile.KeyPath(path), bytes.Replace(key, []byte("mfabridge-plan-key 1"), []byte("mfabridge-plan-key 2"), 1))
	if _, err := planfile.Open(path, planfile.KeyPath(path)); err == nil || !strings.Contains(err.Error(), "newer mfabridge") {
		t.Errorf("a key of a later format: %v", err)
	}
	if err := os.Remove(planfile.KeyPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.Open(path, planfile.KeyPath(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing key: %v", err)
	}
	if err := os.WriteFile(planfile.KeyPath(path), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(planfile.KeyPath(path), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.Open(path, planfile.KeyPath(path)); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Errorf("a key that everybody can read: %v", err)
	}
}

func TestKeyMode(t *testing.T) {
	path, _ := makePlan(t)
	info, err := os.Stat(planfile.KeyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %o", info.Mode().Perm())
	}
}

// The seal of a user binds more than the ordinal: rows that are exchanged
// after the MAC was checked do not open.
func TestSealBindsTheUser(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"another user", `UPDATE users SET upn = 'mallory@contoso.example' WHERE ordinal = 0`},
		{"another method", `UPDATE changes SET method = 'office' WHERE ordinal = 0 AND method = 'mobile'`},
		{"another fact", `UPDATE users SET facts = replace(facts, 'upn', 'npu') WHERE ordinal = 3`},
		{"exchanged", `UPDATE users SET sealed = (SELECT sealed FROM users WHERE ordinal = 0) WHERE ordinal = 3`},
		{"lost", `UPDATE users SET sealed = NULL WHERE ordinal = 3`},
		{"fewer", `DELETE FROM changes WHERE ordinal = 0 AND seq = 3`},
		{"another operation", `UPDATE changes SET op = 'add' WHERE ordinal = 3 AND seq = 0`},
		{"another id of a method", `UPDATE changes SET id = 'a2' WHERE ordinal = 3 AND seq = 3`},
		{"what is for good", `UPDATE changes SET irreversible = 0 WHERE ordinal = 3 AND seq = 3`},
		{"another name in the old server", `UPDATE users SET username = 'mallory' WHERE ordinal = 3`},
		{"another user of the target", `UPDATE users SET target = 'id-mallory' WHERE ordinal = 3`},
		{"another action", `UPDATE users SET action = 'modify' WHERE ordinal = 0`},
		{"a change of who has none", `INSERT INTO changes VALUES (4, 0, 'remove', 'mobile', '', NULL, NULL, '', 0)`},
		{"a fact of who has none", `UPDATE users SET facts = '["upn"]' WHERE ordinal = 4`},
		{"values of who has none", `UPDATE users SET sealed = (SELECT sealed FROM users WHERE ordinal = 0) WHERE ordinal = 4`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := makePlan(t)
			p := open(t, path)
			before := read(t, path)
			alter(t, path, c.sql)
			after := read(t, path)
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(after); err != nil {
				t.Fatal(err)
			}
			f.Close()
			if bytes.Equal(before, after) {
				t.Fatal("nothing was altered")
			}
			var failed error
			for _, err := range p.Users(t.Context(), migrate.Revealed) {
				failed = err
			}
			if failed == nil {
				t.Error("the sealed values were taken for what they are not")
			}
		})
	}
}

// A plan whose name stands for another file since it was checked is neither read
// nor applied, be it as good as the one before.
func TestReplacedPlan(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, read(t, path))
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	var failed error
	for _, err := range p.Users(t.Context(), migrate.Revealed) {
		failed = err
	}
	if failed == nil || !strings.Contains(failed.Error(), "was replaced") {
		t.Errorf("read: %v", failed)
	}
	if j, err := planfile.OpenJournal(p, planfile.JournalPath(path)); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("a journal for it: %v, %v", j, err)
	}
}

// A plan that was made before the header had acceptances can be read.
func TestEarlierHeader(t *testing.T) {
	path, _ := makePlan(t)
	alter(t, path, `DELETE FROM header WHERE name = 'accepted'`)
	p, err := planfile.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := p.Header().Target.Given; got == "" {
		t.Error("the rest of the header was not read")
	}
}
