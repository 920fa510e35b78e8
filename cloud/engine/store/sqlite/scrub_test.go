package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
)

// The log is empty after a Scrub, or it says that it is not.
func TestScrub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Init(t.Context(), path, "", engine.Setup{Actor: engine.Actor{Who: "operator"}}); err != nil {
		t.Fatal(err)
	}
	s := opens(t, path)
	write := func() {
		t.Helper()
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("trace", []byte("synthetic")) }); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	write()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reading, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reading.QueryRow("SELECT count(*) FROM meta").Scan(&n); err != nil {
		t.Fatal(err)
	}
	write()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Scrub(ctx); cloud.KindOf(err) != cloud.Unavailable || size() == 0 {
		t.Errorf("while somebody reads from it: %v, %d bytes", err, size())
	}
	done := make(chan error, 1)
	go func() { done <- s.Scrub(t.Context()) }()
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || size() != 0 {
		t.Errorf("when nobody does any more: %v, %d bytes", err, size())
	}
}
