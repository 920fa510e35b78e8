package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
)

// version1 makes the store that a program of schema 1 left.
func version1(t *testing.T) string { return dumped(t, "version1") }

// dumped makes the store that a program of an older schema left.
func dumped(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.db")
	dump, err := os.ReadFile("testdata/" + name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile("testdata/version1.key")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".key", key, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(dump)); err != nil {
		t.Fatal(err)
	}
	return path
}

func userVersion(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("PRAGMA user_version").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A store that is no log yet becomes one although somebody else is about to write
// just then.
func TestOpenWaitsForWhoHoldsAStoreThatIsNoLogYet(t *testing.T) {
	path := made(t)
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA journal_mode=DELETE; BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		_, err := db.Exec("COMMIT")
		ended <- err
	})
	opens(t, path)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestVersion1IsBroughtForward(t *testing.T) {
	path := version1(t)
	if n := userVersion(t, path); n != 1 {
		t.Fatalf("the old store has version %d", n)
	}
	var wg sync.WaitGroup
	for range 4 { // whoever opens it at the same moment
		wg.Go(func() {
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := userVersion(t, path); n != sqlite.Version {
		t.Fatalf("the store has version %d", n)
	}
	e := engineOn(t, opens(t, path), path, time.Now)
	if e.Kind() != engine.KindEngine {
		t.Errorf("kind %s", e.Kind())
	}
	ids, err := e.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, {Kind: cloud.ByName, Value: "BOB"}})
	if err != nil || len(ids[0]) != 1 || len(ids[1]) != 1 {
		t.Fatalf("Find: %v, %v", ids, err)
	}
	users, err := e.Read(t.Context(), []cloud.UserID{ids[0][0], ids[1][0]})
	if err != nil {
		t.Fatal(err)
	}
	ada, bob := users[0], users[1]
	if ada.Mobile != "+1 4255550100" || ada.Default != cloud.SMS || ada.Guest || ada.Privileged || len(ada.Forbidden) > 0 || len(ada.Authenticators) > 0 {
		t.Errorf("ada: %+v", ada)
	}
	if len(bob.OATH) != 1 || bob.OATH[0].Serial != "SYN-00001" {
		t.Errorf("bob: %+v", bob)
	}
	// What is new works on it.
	by := engine.Actor{Who: "operator"}
	if _, err := e.AddGroup(t.Context(), by, "staff"); err != nil {
		t.Fatal(err)
	}
	if err := e.AddUserToGroup(t.Context(), by, "staff", ada.ID); err != nil {
		t.Fatal(err)
	}
	r := e.Write(t.Context(), []cloud.Change{{User: ada.ID, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}})
	if r[0].Outcome != cloud.Done {
		t.Errorf("an invitation: %+v", r[0])
	}
	if apps, err := e.Apps(t.Context()); err != nil || len(apps) != 1 {
		t.Errorf("applications: %v, %v", apps, err)
	}
}

func TestVersion2IsBroughtForward(t *testing.T) {
	path := dumped(t, "version2")
	if n := userVersion(t, path); n != 2 {
		t.Fatalf("the old store has version %d", n)
	}
	e := engineOn(t, opens(t, path), path, time.Now)
	if n := userVersion(t, path); n != sqlite.Version {
		t.Fatalf("the store has version %d", n)
	}
	ids, err := e.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}})
	if err != nil || len(ids[0]) != 1 {
		t.Fatalf("Find: %v, %v", ids, err)
	}
	var members []cloud.UserID
	for id, err := range e.Members(t.Context(), "staff") {
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, id)
	}
	if len(members) != 1 || members[0] != ids[0][0] {
		t.Errorf("members: %v", members)
	}
	// What is new works on it.
	c, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(members[0])}, Tries: 1})
	if err != nil || c.Reason != cloud.NoMethod {
		t.Errorf("a login: %+v, %v", c, err)
	}
}

// A store that cannot be brought forward stays as it is.
func TestBrokenVersion1IsLeft(t *testing.T) {
	path := version1(t)
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE members (x)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if n := userVersion(t, path); n != 1 {
		t.Errorf("the store has version %d", n)
	}
	db, err = sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SELECT roles FROM users"); err == nil {
		t.Error("half of the step was kept")
	}
}

// Every earlier version is brought to what a new store is, with what stood in
// it.
func TestEveryEarlierVersionBecomesThisOne(t *testing.T) {
	shape := func(path string) (all string) {
		db, err := sql.Open("sqlite3", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query("SELECT type, name, coalesce((SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || coalesce(dflt_value, '')) " +
			"FROM pragma_table_info(m.name)), sql, '') FROM sqlite_master AS m WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var kind, name, text string
			if err := rows.Scan(&kind, &name, &text); err != nil {
				t.Fatal(err)
			}
			all += kind + " " + name + ": " + text + "\n"
		}
		return all
	}
	fresh := filepath.Join(t.TempDir(), "new.db")
	if err := sqlite.Init(t.Context(), fresh, "", engine.Setup{Actor: engine.Actor{Who: "operator"}}); err != nil {
		t.Fatal(err)
	}
	want := shape(fresh)
	for version := 1; version < sqlite.Version; version++ {
		path := version1(t)
		asVersion(t, path, version)
		if n := userVersion(t, path); n != version {
			t.Fatalf("made version %d, not %d", n, version)
		}
		e := engineOn(t, opens(t, path), path, time.Now)
		if n := userVersion(t, path); n != sqlite.Version {
			t.Errorf("version %d becomes %d", version, n)
		}
		if got := shape(path); got != want {
			t.Errorf("version %d becomes\n%s\nand a new store is\n%s", version, got, want)
		}
		ids, err := e.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}})
		if err != nil || len(ids[0]) != 1 {
			t.Fatalf("version %d: %v, %v", version, ids, err)
		}
		if use, err := e.CheckKeys(t.Context()); err != nil || use.Failed > 0 || len(use.Generators) == 0 {
			t.Errorf("version %d: secrets: %+v, %v", version, use, err)
		}
		if found, err := e.VerifyAudit(t.Context()); err != nil || len(found.Flaws) > 0 {
			t.Errorf("version %d: the audit: %+v, %v", version, found.Flaws, err)
		}
	}
}

// asVersion takes the steps from a store of version 1 up to one that programs of
// an earlier version left, with a row in what they brought.
func asVersion(t *testing.T, path string, version int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := 2; n <= version; n++ {
		step, err := os.ReadFile(fmt.Sprintf("schema%d.sql", n))
		if err != nil {
			t.Fatal(err)
		}
		rows := map[int]string{
			2: "INSERT INTO devices (user, id, name, state, until, created) SELECT id, 'd1', 'synthetic', 'invited', 1, 1 FROM users LIMIT 1",
			7: "INSERT INTO slips (id, user, data, until) VALUES ('grant/x', '', x'7b7d', 1)",
			8: "INSERT INTO flights (id, user, due, state) VALUES ('c1', '', 0, x'7b7d')",
		}
		if _, err := db.Exec(string(step) + ";" + rows[n] + ";PRAGMA user_version=" + fmt.Sprint(n)); err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
	}
}
