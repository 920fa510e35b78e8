package sqlite_test

import (
	"path/filepath"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/engine/store/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) storetest.Place {
		path := filepath.Join(t.TempDir(), "cloud.db")
		key, err := engine.NewKey()
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
		}}
	})
}
