package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

// seedOf is the secret of the generator that registered makes with a serial number.
func seedOf(serial string) []byte { return []byte("12345678901234567890" + serial) }

// codeAt is a code of the generator S1.
func codeAt(at time.Time) secret.Bytes { return codeOf("S1", at) }

func codeOf(serial string, at time.Time) secret.Bytes {
	return cloudtest.Code(seedOf(serial), &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}, at)
}

// login is a whole login with a code.
func login(t *testing.T, h *house, id cloud.UserID, code secret.Bytes) (cloud.State, cloud.Reason) {
	t.Helper()
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: cloud.OATHCode,
		Client: cloud.Client{Station: "here"}, Code: code, Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	return c.State, c.Reason
}

// backedUp copies the store of h as a backup.
func backedUp(t *testing.T, h *house) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.BeginBackup(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.MarkBackup(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func onStore(t *testing.T, h *house, path string) (engine.Config, *sqlite.Store) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	key := enginetest.Key(t, h.path)
	return engine.Config{Store: s, Key: key, Now: h.Now}, s
}

// goOnRestored has h go on with a backup on a store of its own, restored.
func goOnRestored(t *testing.T, h *house, conf engine.Config, s *sqlite.Store) {
	t.Helper()
	if _, err := engine.Restore(t.Context(), conf, operator); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	h.Engine, h.store = e, s
}

// A code that was used after the backup, or that could have been, is not
// accepted by the restored store; the next one is.
func TestRestoreAcceptsNoOldCode(t *testing.T) {
	h := build(t)
	proven := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	fresh := registered(t, h, h.Engine, "bob@contoso.example", "S2")
	if state, reason := login(t, h, proven, codeAt(h.Now())); state != cloud.Approved {
		t.Fatal(reason)
	}
	cleo, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: "cleo@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AllowBypass(t.Context(), operator, cleo, "", h.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.IssuePass(t.Context(), operator, cleo, 2*time.Hour, false); err != nil {
		t.Fatal(err)
	}
	path := backedUp(t, h)

	// After the backup, and just before the end of the old store.
	h.Advance(10 * time.Minute)
	began := h.Now()
	used := codeAt(began)
	ahead := codeAt(began.Add(30 * time.Second)) // of a clock that is a step ahead
	if state, reason := login(t, h, proven, used); state != cloud.Approved {
		t.Fatal(reason)
	}
	if state, reason := login(t, h, proven, ahead); state != cloud.Approved {
		t.Fatal(reason)
	}
	if state, reason := login(t, h, fresh, codeOf("S2", began)); state != cloud.Approved {
		t.Fatal(reason)
	}

	conf, s := onStore(t, h, path)
	if _, err := engine.Open(t.Context(), conf); cloud.KindOf(err) != cloud.Conflict {
		t.Fatalf("a backup opens as it is: %v", err)
	}
	r, err := engine.Restore(t.Context(), conf, operator)
	if err != nil {
		t.Fatal(err)
	}
	if r.Instance != h.Instance() || r.Backup.Time.IsZero() || r.Backup.Instance != h.Instance() || r.Backup.Audit == 0 ||
		!r.Fenced.Equal(h.Now()) || !r.Proven.After(h.Now()) || !r.Unproven.After(r.Proven) {
		t.Errorf("%+v", r)
	}
	e, err := engine.Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	old := h.Engine
	h.Engine, h.store = e, s
	if x, err := e.Exceptions(t.Context(), cleo); err != nil || x.Bypass != nil || len(x.Passes) > 0 {
		t.Errorf("a bypass or a pass came back: %+v, %v", x, err)
	}
	for name, at := range map[string]time.Time{"used": began, "used, ahead": began.Add(30 * time.Second), "never used": began.Add(-30 * time.Second)} {
		for serial, id := range map[string]cloud.UserID{"S1": proven, "S2": fresh} {
			if state, _ := login(t, h, id, codeOf(serial, at)); state == cloud.Approved {
				t.Errorf("%s, %s: an old code was accepted", serial, name)
			}
		}
	}
	h.Advance(time.Minute)
	if state, reason := login(t, h, proven, codeAt(h.Now())); state != cloud.Approved {
		t.Errorf("the next code: %s", reason)
	}
	h.Advance(r.Unproven.Sub(h.Now()))
	if state, reason := login(t, h, fresh, codeOf("S2", h.Now())); state != cloud.Approved {
		t.Errorf("a generator that was new, after a while: %s", reason)
	}
	if found := verified(t, h); len(found.Flaws) != 0 {
		t.Errorf("the audit: %+v", found.Flaws)
	}

	if all := h.entriesOf(t, "engine.backup"); len(all) != 1 || all[0].Actor != operator.Who {
		t.Errorf("the backup in the audit: %+v", all)
	}
	if all := h.entriesOf(t, "engine.restore"); len(all) != 1 || all[0].Reason != operator.Reason || !strings.Contains(all[0].Detail, "generation="+r.Generation) {
		t.Errorf("the restore in the audit: %+v", all)
	}

	// The old store stops at its next login, in whatever process.
	h.Engine = old
	if err := h.Replace(t.Context(), operator, r.Generation); err != nil {
		t.Fatal(err)
	}
	_, err = old.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(proven)}, Method: cloud.OATHCode, Code: used, Tries: 1})
	if cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a store that was replaced answers: %v", err)
	}
	if _, err := old.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(proven)}, secret.FromString("correct horse"), cloud.Client{}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("it proves passwords: %v", err)
	}
	if all := h.entriesOf(t, "engine.replaced"); len(all) != 1 || all[0].Detail != "generation="+r.Generation {
		t.Errorf("its end in the audit: %+v", all)
	}
	conf, _ = onStore(t, h, h.path)
	if _, err := engine.Open(t.Context(), conf); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("it opens once more: %v", err)
	}
}

// What is aside of a user asks for more, or makes a telephone no second factor: a
// restore that cannot read it takes it for both.
func TestRestoreAsksForNoLess(t *testing.T) {
	h := build(t)
	pin, number, neither := h.user(t, 1), h.fieldworker(t, 2, "+1 4255550100"), h.user(t, 3)
	if err := h.RequirePIN(t.Context(), operator, pin, true, false); err != nil {
		t.Fatal(err)
	}
	path := backedUp(t, h)
	conf, s := onStore(t, h, path)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		for _, id := range []cloud.UserID{pin, number} {
			u, err := tx.User(id)
			if err != nil {
				return err
			}
			if u.Aside = []byte("{"); id == pin {
				u.Mobile = "+1 4255550100" // that the other one signs in with
			}
			if err := tx.PutUser(u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Advance(-time.Minute) // within what clocks differ
	r, err := engine.Restore(t.Context(), conf, operator)
	if err != nil || !r.Fenced.Equal(h.Now().Add(time.Minute)) {
		t.Fatalf("%+v, %v", r, err)
	}
	err = s.View(t.Context(), func(tx engine.Reader) error {
		for id, want := range map[cloud.UserID]string{pin: `{"pin":true}`, number: `{"pin":true,"number":"+14255550100"}`, neither: ""} {
			if u, err := tx.User(id); err != nil || string(u.Aside) != want {
				t.Errorf("%s, %v, want %s", u.Aside, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A generator that was registered after the backup, and is registered again
// after the restore, does not take its old codes either.
func TestRestoreKnowsOfNoNewGenerator(t *testing.T) {
	h := build(t)
	path := backedUp(t, h)
	conf, s := onStore(t, h, path)
	goOnRestored(t, h, conf, s)
	id := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	if state, reason := login(t, h, id, codeAt(h.Now())); state == cloud.Approved || reason != cloud.UsedCode {
		t.Errorf("an old code: %s %s", state, reason)
	}
	h.Advance(11 * time.Minute)
	if state, reason := login(t, h, id, codeAt(h.Now())); state != cloud.Approved {
		t.Errorf("a new code: %s", reason)
	}
}

// Whoever is told that somebody has written into the audit can still take a
// backup: as a proof, and because people go on to log in. It holds what was done.
func TestBackupOfAFlawedAudit(t *testing.T) {
	for name, c := range map[string]struct{ by, want string }{
		"altered":        {"UPDATE audit SET subject = 'x' WHERE seq = 3", "was altered"},
		"the end gone":   {"DELETE FROM audit WHERE seq >= 5", "the end is missing"},
		"a forged floor": {`INSERT INTO meta (name, value) VALUES ('audit-removed', CAST('{"seq":3}' AS BLOB))`, ""},
	} {
		h := audited(t)
		byHand(t, h.path, c.by)
		path := backedUp(t, h)
		if all := h.entriesOf(t, "engine.backup"); len(all) != 1 {
			t.Errorf("%s: %d backups in the audit", name, len(all))
		}
		conf, s := onStore(t, h, path)
		if _, err := engine.Restore(t.Context(), conf, operator); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		e, err := engine.Open(t.Context(), conf)
		if err != nil {
			t.Fatal(err)
		}
		h.Engine, h.store = e, s
		r, err := h.VerifyAudit(t.Context())
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "not signed by this store") {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		} else if err != nil || len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0].What, c.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	h := build(t)
	path := backedUp(t, h)
	conf, _ := onStore(t, h, path)
	h.Advance(-2 * time.Hour)
	if _, err := engine.Restore(t.Context(), conf, operator); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("under a clock that is behind: %v", err)
	}
	other := build(t)
	key := enginetest.Key(t, other.path)
	conf.Key = key
	if _, err := engine.Restore(t.Context(), conf, operator); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("with another key: %v", err)
	}
	if _, err := engine.Restore(t.Context(), conf, engine.Actor{}); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("by nobody: %v", err)
	}
}
