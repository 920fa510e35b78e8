package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/audit"
	"mfabridge/internal/secret"
)

// What no export holds is no entry of one.
func TestParseEntryRefuses(t *testing.T) {
	link := strings.Repeat("A", 84) + "A=" // 64 bytes, less one letter
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"an entry":       {`{"type":"audit","seq":1,"number":1,"link":"` + link[:85] + `A=="}`, true},
		"an erased one":  {`{"type":"audit","seq":1,"number":1,"link":"` + strings.Repeat("A", 107) + `="}`, true},
		"an old one":     {`{"type":"audit","seq":1,"link":null}`, true},
		"another line":   {`{"type":"user","seq":1}`, false},
		"no place":       {`{"type":"audit"}`, false},
		"no such number": {`{"type":"audit","seq":1,"number":-1}`, false},
		"half a link":    {`{"type":"audit","seq":1,"number":1,"link":"AAAA"}`, false},
		"no JSON":        {`type=audit`, false},
		"too long":       {`{"type":"audit","seq":1,"detail":"` + strings.Repeat("x", 64<<10) + `"}`, false},
	} {
		if _, err := audit.ParseEntry([]byte(c.text)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two entries that say the same do not look the same once they are erased: who
// guesses what one said cannot see it by another.
func TestErasedEntriesSayNothing(t *testing.T) {
	one := audit.Entry{Node: "local", Action: "user.block", Subject: "ada", Detail: "until=2026"}
	two := one
	one.Chain(1, nil)
	two.Chain(1, nil)
	one.Erase("erased:1")
	two.Erase("erased:1")
	if bytes.Equal(one.Link[48:], two.Link[48:]) || !one.Erased() || one.Detail != "" || one.Subject != "erased:1" {
		t.Errorf("%+v, %+v", one, two)
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"type":"audit","seq":1,"time":"2026-11-02T09:00:07Z","node":"local","number":1,"link":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := audit.ParseEntry(text)
		if err != nil {
			return
		}
		audit.NewAuditor(nil).Check(&e)
		again, err := e.Line()
		if err != nil {
			t.Fatal(err) // a time that JSON cannot hold does not come out of JSON
		}
		if _, err := audit.ParseEntry(again); err != nil {
			t.Errorf("%s does not come back: %v", again, err)
		}
	})
}

// written is a chain of n entries of a node, and the key that wrote it.
func written(n int) (entries []audit.Entry, key *audit.Key) {
	key = audit.NewKey(secret.New(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	var link []byte
	for i := range n {
		e := audit.Entry{Seq: int64(i + 1), Time: at.Add(time.Duration(i) * time.Minute), Node: "local", Actor: "ann", Action: "user.block", Subject: "ada", Key: key}
		e.Chain(int64(i+1), link)
		link = e.Link
		entries = append(entries, e)
	}
	return entries, key
}

var at = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func look(a *audit.Auditor, entries []audit.Entry) *audit.Auditor {
	for i := range entries {
		a.Check(&entries[i])
	}
	return a
}

// Only what is as it was written is signed, and may be removed.
func TestOnlyWhatIsWholeIsSigned(t *testing.T) {
	entries, key := written(4)
	own := func(kept ...audit.Checkpoint) *audit.Auditor {
		return audit.NewOwnAuditor(key, "store", &audit.Floor{}, kept...)
	}
	a := look(own(), entries)
	made, flaw := a.Sign(4, at)
	if flaw != nil || len(made) != 1 || made[0].Number != 4 || !made[0].Holds(key.Public()) {
		t.Fatalf("%+v, %v", made, flaw)
	}
	if f, flaw := look(own(), entries[:2]).Lower(2, at); flaw != nil || !f.Holds(key.Public()) || f.Holds(nil) {
		t.Errorf("floor: %+v, %v", f, flaw)
	}
	altered := slices.Clone(entries)
	altered[1].Subject = "bob"
	foreign := slices.Clone(entries)
	foreign[3].Key = nil
	foreign[3].Chain(4, foreign[2].Link)
	for name, all := range map[string][]audit.Entry{"altered": altered, "a gap": slices.Delete(slices.Clone(entries), 1, 2), "another's": foreign} {
		if made, flaw := look(own(), all).Sign(4, at); flaw == nil || made != nil {
			t.Errorf("%s: signed %+v", name, made)
		}
		if f, flaw := look(own(), all).Lower(4, at); flaw == nil || f != nil {
			t.Errorf("%s: may be removed %+v", name, f)
		}
	}
	if made, flaw := look(own(made...), entries).Sign(4, at); flaw == nil || made != nil {
		t.Errorf("a checkpoint that is not there: signed %+v", made)
	}
}

// Who goes on at a checkpoint begins behind it, and at none that is not signed or
// is of another store.
func TestResume(t *testing.T) {
	entries, key := written(4)
	own := func(kept ...audit.Checkpoint) *audit.Auditor {
		return audit.NewOwnAuditor(key, "store", &audit.Floor{}, kept...)
	}
	made, _ := look(own(), entries).Sign(4, at)
	if from := own().Resume(); from != 0 {
		t.Errorf("without one: %d", from)
	}
	if from := own(made...).Resume(); from != 4 {
		t.Errorf("behind it: %d", from)
	}
	before, _ := look(own(), entries[:3]).Sign(3, at)
	elsewhere, _ := look(audit.NewOwnAuditor(key, "another", &audit.Floor{}), entries).Sign(4, at)
	forged := made[0]
	forged.Number = 3
	for name, kept := range map[string][]audit.Checkpoint{"forged": {forged}, "of two moments": {made[0], before[0]}, "another store's": elsewhere} {
		if from := own(kept...).Resume(); from != 0 {
			t.Errorf("%s: %d", name, from)
		}
	}
	if n := own(made...).Signed(); n != 4 {
		t.Errorf("signed up to %d", n)
	}
}
