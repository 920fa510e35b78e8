package engine_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/enginetest"
)

// audited is a house whose audit holds a few entries and a checkpoint.
func audited(t *testing.T) *house {
	t.Helper()
	h := build(t)
	for _, name := range []string{"ada", "bob", "cleo"} {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := h.Checkpoint(t.Context()); err != nil || len(made) != 1 || made[0].Number != 4 {
		t.Fatalf("checkpoint: %+v, %v", made, err)
	}
	for _, name := range []string{"dan", "eve"} {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func verified(t *testing.T, h *house, kept ...audit.Checkpoint) audit.Result {
	t.Helper()
	r, err := h.VerifyAudit(t.Context(), kept...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// byHand changes the store behind the engine's back, without its triggers.
func byHand(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{"DROP TRIGGER IF EXISTS audit_is_kept", "DROP TRIGGER IF EXISTS audit_is_fixed"}, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditIsVerified(t *testing.T) {
	h := audited(t)
	r := verified(t, h)
	if r.Entries != 7 || len(r.Flaws) != 0 || len(r.Chains) != 1 || r.Chains[0].To != 7 || r.Chains[0].Signed != 4 {
		t.Errorf("%+v", r)
	}
	salts := map[string]bool{} // so that nobody finds out by guessing what an erased entry said
	for _, entry := range h.between(t, time.Time{}, time.Time{}) {
		salts[string(entry.Link[48:])] = true
	}
	if len(salts) != 7 {
		t.Errorf("%d salts in 7 entries", len(salts))
	}
	if again, err := h.Checkpoint(t.Context()); err != nil || again[0].Number != 7 {
		t.Errorf("%+v, %v", again, err)
	}
	if again, err := h.Checkpoint(t.Context()); err != nil || len(again) != 0 {
		t.Errorf("nothing is new, and signed: %+v, %v", again, err)
	}
}

// What is done to the audit by hand is found, and where.
func TestAuditFlawsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		by   string
		seq  int64
		want string
	}{
		"altered":            {"UPDATE audit SET subject = 'x' WHERE seq = 3", 3, "was altered"},
		"another actor":      {"UPDATE audit SET actor = 'x' WHERE seq = 3", 3, "was altered"},
		"another time":       {"UPDATE audit SET time = time + 1 WHERE seq = 3", 3, "was altered"},
		"removed":            {"DELETE FROM audit WHERE seq = 3", 4, "entry 3 is missing"},
		"the first removed":  {"DELETE FROM audit WHERE seq <= 2", 3, "entries 1 to 2 are missing"},
		"reordered":          {"UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3); UPDATE audit SET seq = -seq WHERE seq < 0", 2, "entry 2 is missing"},
		"renumbered":         {"UPDATE audit SET number = 9 WHERE seq = 7", 7, "entries 7 to 8 are missing"},
		"appended, no chain": {"INSERT INTO audit (time, node, actor, action, subject, detail, reason) VALUES (1, 'local', 'a', 'b', 'c', '', '')", 8, "outside the chain"},
		"appended":           {"INSERT INTO audit (time, node, actor, action, subject, detail, reason, number, link) SELECT time, node, actor, action, subject, detail, reason, 8, link FROM audit WHERE seq = 7", 8, "was altered"},
		"end gone":           {"DELETE FROM audit WHERE seq >= 5", 0, "the end is missing"},
		"checkpoint altered": {"UPDATE audit SET detail = replace(detail, '\"number\":4', '\"number\":3') WHERE seq = 5", 5, "signature does not hold"},
		"blanked":            {"UPDATE audit SET subject = 'erased:x', link = CAST(substr(link, 1, 48) || zeroblob(32) AS BLOB) WHERE seq = 4", 4, "was altered"},
		"the first unlinked": {"UPDATE audit SET link = x'' WHERE seq = 1", 1, "has no link"},
		"not numbered":       {"UPDATE audit SET number = 0 WHERE seq = 1", 1, "was moved, or inserted"},
		"link gone":          {"UPDATE audit SET link = x'00' WHERE seq = 4", 4, "has no link"},
		"no entry at all":    {"DELETE FROM audit", 0, "the end is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			h := audited(t)
			byHand(t, h.path, c.by)
			r := verified(t, h)
			for _, f := range r.Flaws {
				if f.Seq == c.seq && strings.Contains(f.What, c.want) {
					return
				}
			}
			t.Errorf("found %+v, want %q at %d", r.Flaws, c.want, c.seq)
		})
	}
}

// Whoever can write the file and knows how entries are linked still cannot
// append one: the MAC needs the store's key. What is not right is not signed.
func TestAuditCannotBeForged(t *testing.T) {
	h := audited(t)
	var last audit.Entry
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = entry
	}
	forged := audit.Entry{Time: h.Now(), Node: "local", Actor: "operator", Action: "user.unblock", Subject: "u"}
	forged.Chain(last.Number+1, last.Link)
	err := h.store.Update(t.Context(), func(tx engine.Tx) error { return tx.Append(forged) }) // without the key
	if err != nil {
		t.Fatal(err)
	}
	r := verified(t, h)
	if len(r.Flaws) != 1 || r.Flaws[0].Seq != 8 || r.Flaws[0].What != "was not written by this engine" {
		t.Errorf("%+v", r.Flaws)
	}
	byHand(t, h.path, "UPDATE audit SET link = CAST(substr(link, 1, 32) || (SELECT substr(link, 33, 16) FROM audit WHERE seq = 7) || substr(link, 49) AS BLOB) WHERE seq = 8")
	if r := verified(t, h); len(r.Flaws) != 1 || r.Flaws[0].What != "was not written by this engine" {
		t.Errorf("with the MAC of another entry: %+v", r.Flaws)
	}
	if _, err := h.Checkpoint(t.Context()); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("it was signed: %v", err)
	}
	if _, err := h.PruneAudit(t.Context(), operator, h.Now().Add(time.Hour)); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("it was pruned: %v", err)
	}
}

// Whoever takes the end of the audit away, with the checkpoint in it, is not
// covered by the next checkpoint: entries that came since would look as if they
// had been the next ones.
func TestMissingEndIsNotSigned(t *testing.T) {
	h := audited(t)
	byHand(t, h.path, "DELETE FROM audit WHERE seq >= 5")
	for _, name := range []string{"finn", "gil"} {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := h.Checkpoint(t.Context()); cloud.KindOf(err) != cloud.Conflict || !strings.Contains(err.Error(), "the end is missing") {
		t.Errorf("signed: %+v, %v", made, err)
	}
	if r := verified(t, h); len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0].What, "the end is missing") {
		t.Errorf("%+v", r.Flaws)
	}
}

// A checkpoint that was kept elsewhere tells when the store was set back whole.
func TestKeptCheckpoint(t *testing.T) {
	h := audited(t)
	kept, err := h.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, h, kept...); len(r.Flaws) != 0 {
		t.Errorf("%+v", r.Flaws)
	}
	h2 := audited(t)
	if r := verified(t, h2, kept...); len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0].What, "not signed by this store") {
		t.Errorf("%+v", r.Flaws)
	}
	byHand(t, h.path, "DELETE FROM audit WHERE seq > 5", "DELETE FROM meta WHERE name LIKE 'audit-checkpoint/%'")
	if r := verified(t, h, kept...); len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0].What, "the end is missing") {
		t.Errorf("%+v", r.Flaws)
	}
}

func TestPrunedAuditIsVerified(t *testing.T) {
	h := audited(t)
	kept, err := h.Checkpoints(t.Context()) // elsewhere
	if err != nil || len(kept) != 1 {
		t.Fatalf("%+v, %v", kept, err)
	}
	h.Advance(48 * time.Hour)
	for _, name := range []string{"fay", "gus"} {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := h.PruneAudit(t.Context(), operator, h.Now().Add(-time.Hour))
	if err != nil || n != 7 {
		t.Fatalf("%d removed, %v", n, err)
	}
	r := verified(t, h, kept...)
	if len(r.Flaws) != 0 || r.Floor != 7 || r.Chains[0].From != 8 || r.Chains[0].To != 11 {
		t.Errorf("%+v", r)
	}
	if n, err := h.PruneAudit(t.Context(), operator, h.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("once more: %d, %v", n, err)
	}
	byHand(t, h.path, "UPDATE audit SET number = 0, link = x'' WHERE seq = 8")
	if r := verified(t, h); len(r.Flaws) == 0 || r.Flaws[0].Seq != 8 || !strings.Contains(r.Flaws[0].What, "outside the chain") {
		t.Errorf("%+v", r.Flaws)
	}
	byHand(t, h.path, "DELETE FROM audit WHERE seq = 8")
	if r := verified(t, h); len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0].What, "entry 8 is missing") {
		t.Errorf("%+v", r.Flaws)
	}
	byHand(t, h.path, `UPDATE meta SET value = CAST(replace(CAST(value AS TEXT), '"seq":7', '"seq":8') AS BLOB) WHERE name = 'audit-removed'`)
	if _, err := h.VerifyAudit(t.Context()); err == nil {
		t.Error("a floor that nobody signed was taken")
	}
}

// Two processes that remove what is old at the same time leave an audit that can
// be verified, and what one of them has begun is finished by the next.
func TestTwoPrune(t *testing.T) {
	h := audited(t)
	early := h.Now().Add(time.Hour)
	h.Advance(48 * time.Hour)
	for _, name := range []string{"fay", "gus"} {
		if _, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	store := &slower{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	store.before = func() { // the update of the checkpoint
		store.before = func() { // that of the floor
			if n, err := h.PruneAudit(t.Context(), operator, h.Now().Add(time.Hour)); err != nil || n != 9 {
				t.Errorf("the other one: %d removed, %v", n, err)
			}
		}
	}
	if n, err := e.PruneAudit(t.Context(), operator, early); err != nil || n != 0 {
		t.Errorf("%d removed, %v", n, err)
	}
	if r := verified(t, h); len(r.Flaws) != 0 || r.Floor != 9 {
		t.Errorf("%+v", r)
	}

	ctx, cancel := context.WithCancel(t.Context())
	h.Advance(48 * time.Hour)
	store.before = func() { // the checkpoint
		store.before = func() { // the floor
			store.before = cancel // what is removed first
		}
	}
	if n, err := e.PruneAudit(ctx, operator, h.Now()); err == nil {
		t.Fatalf("%d removed although it was stopped", n)
	}
	if n, err := h.PruneAudit(t.Context(), operator, h.Now()); err != nil || n != 2 {
		t.Errorf("%d removed of what was begun, %v", n, err)
	}
	if r := verified(t, h); len(r.Flaws) != 0 {
		t.Errorf("%+v", r)
	}
}

// An export can be verified with the public key alone.
func TestExportedAudit(t *testing.T) {
	h := audited(t)
	a, broken := audit.NewAuditor(h.AuditPublic()), audit.NewAuditor(h.AuditPublic())
	for entry, err := range h.AuditBetween(t.Context(), time.Time{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := entry.Line()
		if err != nil {
			t.Fatal(err)
		}
		read, err := audit.ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		a.Check(&read)
		read, err = audit.ParseEntry(bytes.Replace(text, []byte("user.add"), []byte("user.axe"), 1))
		if err != nil {
			t.Fatal(err)
		}
		broken.Check(&read)
	}
	if r := a.Finish(); len(r.Flaws) != 0 || r.Entries != 7 || r.Chains[0].Signed != 4 {
		t.Errorf("%+v", r)
	}
	if r := broken.Finish(); len(r.Flaws) != 5 {
		t.Errorf("%+v", r)
	}
}

// again is a store whose next update runs twice, as updates may: at first behind
// another one, and both are undone.
type again struct {
	engine.Store
	hold  bool                  // keep the next update back
	other func(engine.Tx) error // that was kept back
}

func (s *again) Update(ctx context.Context, fn func(engine.Tx) error) error {
	undone := errors.New("undone")
	switch other := s.other; {
	case s.hold:
		s.hold, s.other = false, fn
		return undone
	case other != nil:
		s.other = nil
		if err := s.Store.Update(ctx, func(tx engine.Tx) error { return errors.Join(other(tx), fn(tx), undone) }); err.Error() != "undone" {
			return err
		}
	}
	return s.Store.Update(ctx, fn)
}

// A checkpoint signs what is there, also when what it has seen first is undone.
func TestCheckpointRunsTwice(t *testing.T) {
	h := audited(t)
	key := enginetest.Key(t, h.path)
	store := &again{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: key, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	store.hold = true
	if _, err := e.AddUser(t.Context(), operator, cloud.Profile{UPN: "finn@contoso.example", Enabled: true}); err == nil {
		t.Fatal("nothing was kept back")
	}
	if made, err := e.Checkpoint(t.Context()); err != nil || len(made) != 1 || made[0].Number != 7 {
		t.Errorf("%+v, %v", made, err)
	}
	if r := verified(t, h); len(r.Flaws) != 0 || r.Entries != 8 {
		t.Errorf("%+v", r)
	}
}
