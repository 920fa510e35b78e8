package sqlite_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Keys are found as long as they may be asked for, and what is over goes.
func TestKeysAreForgottenWhenTheyAreOver(t *testing.T) {
	path := made(t)
	s := opens(t, path)
	start := time.Unix(1_790_000_000, 0)
	put := func(n int, way cloud.Preference, at time.Time, life time.Duration) {
		t.Helper()
		err := s.Update(t.Context(), func(tx engine.Tx) error {
			return tx.PutChallenge(&engine.Challenge{ID: cloud.ChallengeID(fmt.Sprintf("%06d", n)), Key: fmt.Sprint("key", n), User: "u",
				Method: way, State: cloud.Pending, Created: at, Expires: at.Add(life)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := func(n int) (yes bool) {
		t.Helper()
		err := s.Update(t.Context(), func(tx engine.Tx) error {
			c, err := tx.ChallengeByKey(fmt.Sprint("key", n))
			yes = c != nil
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	put(0, cloud.Push, start, 3*time.Minute)
	put(1, cloud.OATHCode, start, 3*time.Minute)
	const step = 100 * time.Millisecond
	for n := 2; n < 3000; n++ {
		now := start.Add(time.Duration(n) * step)
		put(n, cloud.OATHCode, now, 3*time.Minute)
		if n%50 != 0 {
			continue
		}
		if now.Sub(start) < 190*time.Second && !found(0) {
			t.Fatalf("the push is not found after %s", now.Sub(start))
		}
		if back := n - int(cloud.RepeatWindow/step) + 1; back > 1 && !found(back) {
			t.Fatalf("a code is not found after %s", time.Duration(n-back)*step)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM recent").Scan(&rows); err != nil || rows > 1200 {
		t.Errorf("%d rows are left, %v", rows, err)
	}
	// A clock that was wrong for a moment makes nothing of it wrong for longer.
	s = opens(t, path)
	put(5000, cloud.OATHCode, start.Add(240*time.Hour), time.Minute)
	for n := 5001; n < 5100; n++ {
		put(n, cloud.OATHCode, start.Add(10*time.Minute), time.Minute)
	}
	if !found(5000) || !found(5050) {
		t.Error("what was begun by a wrong clock, or after it, is not found")
	}
}

// A row that cannot be read leads to nothing, and stops nobody.
func TestDamagedKeysLeadNowhere(t *testing.T) {
	path := made(t)
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := range 64 {
		if _, err := db.Exec("INSERT INTO recent (until, keys) VALUES (1, ?)", []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[:n%27])); err != nil {
			t.Fatal(err)
		}
	}
	s := opens(t, path)
	err = s.Update(t.Context(), func(tx engine.Tx) error {
		if c, err := tx.ChallengeByKey("k"); c != nil || err != nil {
			t.Errorf("%+v, %v", c, err)
		}
		return tx.PutChallenge(&engine.Challenge{ID: "c", Key: "k", User: "u", Created: time.Unix(5, 0)})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx engine.Tx) error {
		if c, err := tx.ChallengeByKey("k"); c == nil || err != nil {
			t.Errorf("%+v, %v", c, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
