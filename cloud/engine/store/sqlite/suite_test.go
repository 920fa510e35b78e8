package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/engine/store/storetest"
)

// hide renames a table, or gives it its name back. Of triggers and the like
// nothing is changed.
func hide(t testing.TB, path, table string, hidden bool) {
	t.Helper()
	from, to := table, "aside_"+table
	if !hidden {
		from, to = to, from
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("PRAGMA legacy_alter_table=ON; ALTER TABLE " + from + " RENAME TO " + to)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestSuite(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) storetest.Place {
		path := filepath.Join(t.TempDir(), "cloud.db")
		key, err := seal.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlite.InitWith(t.Context(), path, key, storetest.Setup()); err != nil {
			t.Fatal(err)
		}
		return storetest.Place{Key: key, Open: func(t testing.TB) engine.Store {
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}, Hide: func(t testing.TB, table string, hidden bool) { hide(t, path, table, hidden) }}
	})
}
