// Package enginetest makes engines for the tests of everything around an
// engine: a store on SQLite in a folder of the test's, an engine on it that
// ends with the test, an outbox, and somebody with an authenticator.
//
//	clock := cloudtest.NewClock()
//	path := enginetest.Create(t, engine.Setup{Now: clock.Now()})
//	e, store := enginetest.Open(t, path, engine.Config{Now: clock.Now})
//
// What a test says of the engine itself stands in its [engine.Config]; a test
// of stores, keys or of opening makes its own, with hashes that are [Cheap].
package enginetest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
)

// Cheap is next to nothing: a test that is not about what a hash costs need
// not wait for one.
func Cheap() engine.HashCost { return engine.HashCost{Memory: 64, Passes: 1} }

// Create makes a store in a folder of its own, with its key beside it, and
// returns its path. An Actor that is left out is "operator".
func Create(t testing.TB, with engine.Setup) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cloud.db")
	if with.Actor.Who == "" {
		with.Actor = engine.Actor{Who: "operator", Reason: "test"}
	}
	if err := sqlite.Init(t.Context(), path, "", with); err != nil {
		t.Fatal(err)
	}
	return path
}

// Open opens an engine on the store at path, once more if it is open already,
// as another process would. The engine and its store are closed when t ends; who
// closes them before does no harm. A Log that is left out goes to t's output, a
// HashCost is [Cheap].
func Open(t testing.TB, path string, with engine.Config) (*engine.Engine, *sqlite.Store) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	with.Store, with.Key = s, Key(t, path)
	if with.Log == nil {
		with.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if with.HashCost == (engine.HashCost{}) {
		with.HashCost = Cheap()
	}
	e, err := engine.Open(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return e, s
}

// Key is the key of the store at path.
func Key(t testing.TB, path string) seal.Key {
	t.Helper()
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Outbox opens the outbox beside the store at path; it takes what goes by text.
func Outbox(t testing.TB, path string) *channel.Outbox {
	t.Helper()
	box, err := channel.OpenOutbox(outbox(path), cloud.SMS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

func outbox(path string) string { return filepath.Join(filepath.Dir(path), "outbox") }

// Sent is the one message of a challenge in the outbox beside the store at path.
func Sent(t testing.TB, path string, id cloud.ChallengeID) channel.Written {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(outbox(path), "*-"+string(id)+".json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d messages for the challenge, %v", len(files), err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var w channel.Written
	if err := json.Unmarshal(content, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// SentCode is the code in it.
func SentCode(t testing.TB, path string, id cloud.ChallengeID) string {
	t.Helper()
	return sixDigits.FindString(Sent(t, path, id).Text)
}
