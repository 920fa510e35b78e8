package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/oath"
)

// auditKeeps: an entry changes only as an erasure changes it, and goes only
// from the old end on; the chain of a node of which nothing is left goes on
// where it was.
func auditKeeps(t *testing.T, p Place) {
	s := p.opens(t)
	entries := func() (all []audit.Entry) {
		t.Helper()
		if err := s.View(t.Context(), func(r engine.Reader) (err error) { all, err = r.Audit(0, 1000); return err }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	appended := func(node string) {
		t.Helper()
		update(t, s, func(tx engine.Tx) error {
			return tx.Append(audit.Entry{Time: epoch, Node: node, Actor: "a", Action: "x", Subject: "s"})
		})
	}
	older := len(entries())
	for range 10 {
		appended("a")
	}
	all := entries()
	first, end := all[older], all[len(all)-1]
	for name, edit := range map[string]func(*audit.Entry){
		"another subject":  func(e *audit.Entry) { e.Subject = "other" },
		"a detail":         func(e *audit.Entry) { e.Detail = "other" },
		"another link":     func(e *audit.Entry) { e.Link = make([]byte, 80) },
		"no link any more": func(e *audit.Entry) { e.Link = []byte{} },
	} {
		e := first
		edit(&e)
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Redact(&e) }); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	erased := first
	erased.Subject, erased.Link = "erased:x", append(bytes.Clone(first.Link[:48]), make([]byte, 32)...)
	update(t, s, func(tx engine.Tx) error { return tx.Redact(&erased) })
	if is := entries()[older]; is.Subject != erased.Subject || !bytes.Equal(is.Link, erased.Link) {
		t.Errorf("erased: %+v", is)
	}
	prune := func(through int64, limit, want int) {
		t.Helper()
		update(t, s, func(tx engine.Tx) error {
			n, err := tx.PruneAudit(through, limit)
			if n != want {
				t.Errorf("%d were removed, want %d", n, want)
			}
			return err
		})
		if left := entries(); want > 0 && len(left) > 0 && left[0].Seq <= all[want-1].Seq {
			t.Errorf("the oldest that is left is %d", left[0].Seq)
		}
		all = all[want:]
	}
	fourth := all[older+3].Seq
	prune(fourth, older+3, older+3)
	prune(fourth, 3, 1)
	prune(fourth, 3, 0)
	prune(end.Seq+100, 100, 6) // all of a node
	s = p.opens(t)
	appended("a")
	if all := entries(); len(all) != 1 || all[0].Number != 11 || all[0].Seq != end.Seq+1 {
		t.Errorf("it goes on with %+v behind %d", all, end.Seq)
	}
}

// fenced: no code of before is good after a restore, whatever was known of a
// generator's clock, and nothing that was begun goes on.
func fenced(t *testing.T, p Place) {
	s := p.opens(t)
	at := time.Unix(6_000_000, 0)
	update(t, s, func(tx engine.Tx) error {
		u := &engine.User{Aside: []byte("x")}
		u.ID = "u"
		for i, clock := range []oath.Clock{{Proven: true, Drift: 3, Seen: 9}, {Drift: -5}, {Last: 300_000, Proven: true}} {
			k := &engine.Token{User: "u", Sealed: []byte("x"), Clock: clock}
			k.ID, k.Serial, k.Period = fmt.Sprint(i), fmt.Sprint(i), 30
			if err := tx.PutToken(k); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutUser(u), tx.PutChallenge(&engine.Challenge{ID: "c", User: "u", Key: "k", State: cloud.Approved}),
			tx.PutAttempt(&engine.Attempt{Challenge: "c", Key: "k"}), tx.SetSpent("f", 5), tx.SetSpent("later", at.Unix()+5),
			tx.PutSlip(&engine.Slip{ID: "s", User: "u", Data: []byte("x"), Until: at.Add(time.Hour)}), tx.Fence(at, 1, 20))
	})
	err := s.View(t.Context(), func(r engine.Reader) error {
		tokens, err := r.Tokens("u")
		if err != nil {
			return err
		}
		for i, want := range []int64{200_004, 200_020, 300_000} {
			if tokens[i].Last != want || tokens[i].Seen != 0 {
				t.Errorf("generator %d: %+v, want last %d", i, tokens[i].Clock, want)
			}
		}
		u, err := r.User("u")
		if err != nil || u.Aside != nil {
			t.Errorf("aside: %v, %v", u.Aside, err)
		}
		c, err := r.Challenge("c")
		if err != nil || c != nil {
			t.Errorf("challenge: %v, %v", c, err)
		}
		a, err := r.Attempt("c", "k")
		if err != nil || a != nil {
			t.Errorf("attempt: %v, %v", a, err)
		}
		if slip, err := r.Slip("s"); err != nil || slip != nil {
			t.Errorf("a sign-in goes on: %+v, %v", slip, err)
		}
		for name, want := range map[string]int64{"f": at.Unix(), "later": at.Unix() + 5} {
			if spent, err := r.Spent(name); err != nil || spent != want {
				t.Errorf("%s is spent until %d, %v", name, spent, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
