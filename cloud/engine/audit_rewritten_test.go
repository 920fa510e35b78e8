package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/enginetest"
)

// between is the audit of a span of time.
func (h *house) between(t *testing.T, since, until time.Time) (all []audit.Entry) {
	t.Helper()
	for entry, err := range h.AuditBetween(t.Context(), since, until) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry)
	}
	return all
}

// checked is what an auditor says of entries.
func checked(a *audit.Auditor, entries []audit.Entry) audit.Result {
	for i := range entries {
		a.Check(&entries[i])
	}
	return a.Finish()
}

// Whoever changes an exported audit and links it anew is found by its
// checkpoints: the public key is enough for that.
func TestRewrittenExport(t *testing.T) {
	h := audited(t)
	auditor := func() *audit.Auditor { return audit.NewAuditor(h.AuditPublic()) }
	whole := h.between(t, time.Time{}, time.Time{})
	if part := checked(auditor(), slices.Clone(whole[2:])); len(part.Flaws) != 0 || part.Chains[0].From != 3 || part.Chains[0].Signed != 4 {
		t.Errorf("a part of it: %+v", part)
	}
	rewritten := slices.Clone(whole)
	rewritten[2].Subject = "somebody else"
	for i := 2; i < len(rewritten); i++ {
		rewritten[i].Chain(rewritten[i].Number, rewritten[i-1].Link)
	}
	relinked := slices.Clone(whole)
	relinked[2].Subject = "somebody else"
	relinked[2].Chain(3, relinked[1].Link) // and those behind it are as they were
	altered := slices.Clone(whole)
	altered[0].Actor = "somebody else"
	unlinked := make([]audit.Entry, 150)
	for i := range unlinked {
		unlinked[i] = audit.Entry{Seq: int64(i + 1), Node: "local", Number: int64(i + 1)}
	}
	for name, c := range map[string]struct {
		auditor *audit.Auditor
		entries []audit.Entry
		seq     int64
		want    string
		flaws   int // with those that are not listed
	}{
		"rewritten":        {auditor(), rewritten, 5, `is a checkpoint that signed another entry 4 of node "local" than is there`, 1},
		"one of them":      {auditor(), relinked, 4, "was altered, or its link was", 1},
		"the first one":    {auditor(), altered, 1, "was altered, or its link was", 1},
		"no links":         {auditor(), unlinked, 1, "has no link to the entry before it", 150},
		"an empty key":     {audit.NewAuditor(nil), slices.Clone(whole), 5, "is a checkpoint whose signature does not hold", 1},
		"an entry is back": {auditor(), slices.Concat(whole, whole[1:2]), 2, "stands behind entry 7: it was moved, or inserted", 1},
	} {
		r := checked(c.auditor, c.entries)
		if len(r.Flaws) == 0 || len(r.Flaws) > 100 || len(r.Flaws)+r.More != c.flaws || r.Flaws[0].Seq != c.seq || r.Flaws[0].What != c.want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A span of time has its first moment and not its last.
func TestAuditBetween(t *testing.T) {
	h := build(t)
	begun := h.Now()
	for i := range 3 {
		h.Advance(time.Hour)
		if _, err := h.AddGroup(t.Context(), operator, fmt.Sprint("g", i)); err != nil {
			t.Fatal(err)
		}
	}
	never := time.Time{}
	for name, c := range map[string]struct {
		since, until time.Time
		want         int
	}{
		"all":            {never, never, 4},
		"from one on":    {begun.Add(2 * time.Hour), never, 2},
		"up to one":      {never, begun.Add(2 * time.Hour), 2},
		"in the middle":  {begun.Add(time.Hour), begun.Add(3 * time.Hour), 2},
		"nothing at all": {begun.Add(4 * time.Hour), never, 0},
	} {
		if n := len(h.between(t, c.since, c.until)); n != c.want {
			t.Errorf("%s: %d", name, n)
		}
	}
	for range h.AuditBetween(t.Context(), never, never) {
		break // and no more is read
	}
}

// A checkpoint covers what came while it was worked out, and begins at none that
// is not as it was signed.
func TestCheckpointCoversAll(t *testing.T) {
	h := audited(t)
	store := &slower{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	store.before = func() {
		if _, err := h.AddGroup(t.Context(), operator, "late"); err != nil {
			t.Error(err)
		}
	}
	if made, err := e.Checkpoint(t.Context()); err != nil || len(made) != 1 || made[0].Number != 8 {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := h.AddGroup(t.Context(), operator, "later"); err != nil {
		t.Fatal(err)
	}
	if made, err := h.Checkpoint(t.Context()); err != nil || len(made) != 1 || made[0].Number != 10 {
		t.Errorf("%+v, %v", made, err)
	}
	byHand(t, h.path, `UPDATE meta SET value = CAST(replace(CAST(value AS TEXT), '"number":10', '"number":9') AS BLOB) WHERE name LIKE 'audit-checkpoint/%'`)
	if made, err := h.Checkpoint(t.Context()); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("behind a checkpoint that nobody signed: %+v, %v", made, err)
	}
}

// An erasure takes as many entries as it says. Whoever writes into the store can
// blank none under its name, and what retention removes of it later is no flaw.
func TestErasedEntriesAreCounted(t *testing.T) {
	h := build(t)
	var done engine.Erased
	for _, name := range []string{"ada@contoso.example", "bob@contoso.example"} {
		id, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: name, Enabled: true})
		if err != nil {
			t.Fatal(err)
		}
		if name == "ada@contoso.example" {
			if done, err = h.ErasePerson(t.Context(), operator, id); err != nil || done.Entries != 1 {
				t.Fatalf("%+v, %v", done, err)
			}
		}
	}
	h.Advance(48 * time.Hour)
	whole := h.between(t, time.Time{}, time.Time{})
	n, err := h.PruneAudit(t.Context(), operator, h.Now())
	if err != nil || n != len(whole) {
		t.Fatalf("%d removed of %d, %v", n, len(whole), err)
	}
	if r := verified(t, h); len(r.Flaws) != 0 {
		t.Errorf("pruned: %+v", r)
	}

	h = build(t)
	id, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: "ada@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	before := done.Pseudonym
	if done, err = h.ErasePerson(t.Context(), operator, id); err != nil || done.Pseudonym == before {
		t.Fatalf("%+v, %v", done, err)
	}
	first := h.between(t, time.Time{}, time.Time{})[0]
	first.Erase(done.Pseudonym)
	if err := h.store.Update(t.Context(), func(tx engine.Tx) error { return tx.Redact(&first) }); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, h); len(r.Flaws) != 1 || r.Flaws[0].What != "2 entries say that they were erased as "+done.Pseudonym+", and the erasure says 1" {
		t.Errorf("blanked by hand: %+v", r.Flaws)
	}
}

// slower is a store on which something else happens before the next update.
type slower struct {
	engine.Store
	before func()
}

func (s *slower) Update(ctx context.Context, fn func(engine.Tx) error) error {
	if do := s.before; do != nil {
		s.before = nil
		do()
	}
	return s.Store.Update(ctx, fn)
}
