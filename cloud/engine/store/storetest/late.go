package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// leave is what a login leaves behind: a challenge, an attempt at it, the clock
// of the generator and a line of the audit.
func leave(tx engine.Tx, n int) error {
	c := sampleChallenge()
	c.ID, c.Key = cloud.ChallengeID(fmt.Sprintf("%04d", n)), fmt.Sprint("k", n)
	c.Created = time.Now() // its key is to lead there
	return errors.Join(tx.PutChallenge(c), tx.PutAttempt(&engine.Attempt{Challenge: c.ID, Key: "a", State: cloud.Approved, Tries: n, At: epoch}),
		tx.SetClock("id-1", "token-1", engine.Clock{Proven: true, Last: int64(n)}), tx.Append(line(n)))
}

func line(n int) engine.Entry {
	return engine.Entry{Time: epoch, Node: "one", Actor: "a", Action: "verify.approved", Subject: fmt.Sprint(n)}
}

// found checks that one reads what login n has left, and that it is the last.
func found(r engine.Reader, n int) error {
	c, err := r.Challenge(cloud.ChallengeID(fmt.Sprintf("%04d", n)))
	if err != nil || c == nil || c.Place != "station" {
		return fmt.Errorf("challenge %d: %+v, %v", n, c, err)
	}
	a, err := r.Attempt(c.ID, "a")
	if err != nil || a == nil || a.Tries != n {
		return fmt.Errorf("attempt %d: %+v, %v", n, a, err)
	}
	tokens, err := r.Tokens("id-1")
	if err != nil || len(tokens) != 1 || tokens[0].Last != int64(n) {
		return fmt.Errorf("clock %d: %+v, %v", n, tokens, err)
	}
	return nil
}

// ends checks what only whole tables tell.
func ends(r engine.Reader, want ...int) error {
	all, err := r.ChallengesAfter("", 100)
	if err != nil || len(all) != len(want) {
		return fmt.Errorf("%d challenges, not %d: %v", len(all), len(want), err)
	}
	lines, err := r.Audit(0, 100)
	if err != nil {
		return err
	}
	var said []string
	for _, e := range lines {
		if e.Node != "one" {
			continue // of who made the store
		}
		if said = append(said, e.Subject); e.Number != int64(len(said)) {
			return fmt.Errorf("line %d has the number %d", len(said), e.Number)
		}
	}
	var expected []string
	for _, n := range want {
		expected = append(expected, fmt.Sprint(n))
	}
	if !slices.Equal(said, expected) {
		return fmt.Errorf("the audit says %v, not %v", said, expected)
	}
	last, err := r.LastAudit()
	if err != nil || len(lines) > 0 && last.Seq != lines[len(lines)-1].Seq {
		return fmt.Errorf("the last line is %+v: %v", last, err)
	}
	return nil
}

// updatesAtOnce has logins settled together: each finds what those before it
// have left, and nothing of those that failed.
func updatesAtOnce(t *testing.T, p Place) {
	s := p.opens(t)
	token := sampleToken()
	update(t, s, func(tx engine.Tx) error { return tx.PutToken(&token) })
	all := []func(engine.Tx) error{
		func(tx engine.Tx) error { return leave(tx, 1) },
		func(tx engine.Tx) error { return errors.Join(found(tx, 1), leave(tx, 2), found(tx, 2), errNo) },
		func(tx engine.Tx) error { return errors.Join(found(tx, 1), leave(tx, 3)) },
		func(tx engine.Tx) error {
			return errors.Join(found(tx, 3), tx.SetMeta("n", []byte("4")), leave(tx, 4), errNo)
		},
		func(tx engine.Tx) error { return errors.Join(leave(tx, 5), found(tx, 5), ends(tx, 1, 3, 5)) },
		func(tx engine.Tx) error {
			return errors.Join(leave(tx, 6), ends(tx, 1, 3, 5, 6), leave(tx, 7), found(tx, 7), errNo)
		},
		func(engine.Tx) error { panic("secret canary") },
		func(tx engine.Tx) error {
			c, err := tx.ChallengeByKey("k5")
			if err != nil || c == nil || c.ID != "0005" {
				return fmt.Errorf("by its key: %+v, %v", c, err)
			}
			return leave(tx, 8)
		},
	}
	// A driver may run them together or one by one, and all over again.
	for i, err := range s.UpdateEach(t.Context(), all) {
		switch i {
		case 1, 3, 5:
			if !errors.Is(err, errNo) {
				t.Errorf("update %d: %v", i, err)
			}
			if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 1 {
				t.Errorf("update %d: %v", i, err)
			}
		case 6:
			if cloud.KindOf(err) != cloud.Internal {
				t.Errorf("update %d: %v", i, err)
			}
		default:
			if err != nil {
				t.Errorf("update %d: %v", i, err)
			}
		}
	}
	if err := s.View(t.Context(), func(r engine.Reader) error { return errors.Join(found(r, 8), ends(r, 1, 3, 5, 8)) }); err != nil {
		t.Error(err)
	}
	if value := meta(t, s, "n"); value != nil {
		t.Errorf("an update that failed has left %q", value)
	}
	if errs := s.UpdateEach(t.Context(), nil); len(errs) != 0 {
		t.Errorf("of no updates: %v", errs)
	}
}

// inItsOrder has rows that may wait follow others that may not, and the other
// way round.
func inItsOrder(t *testing.T, p Place) {
	s := p.opens(t)
	clock := func(tx engine.Tx, want int64) {
		t.Helper()
		tokens, err := tx.Tokens("id-1")
		if err != nil || len(tokens) != 1 || tokens[0].Last != want {
			t.Errorf("clock: %+v, %v; not %d", tokens, err, want)
		}
	}
	update(t, s, func(tx engine.Tx) error {
		token := sampleToken()
		token.Last = 1
		errs := []error{tx.PutToken(&token)}
		clock(tx, 1)
		errs = append(errs, tx.SetClock("id-1", "token-1", engine.Clock{Last: 2}))
		clock(tx, 2)
		token.Last = 3
		errs = append(errs, tx.PutToken(&token))
		clock(tx, 3)
		return errors.Join(append(errs, tx.SetClock("id-1", "no such token", engine.Clock{Last: 4}))...)
	})
	update(t, s, func(tx engine.Tx) error {
		errs := []error{tx.SetClock("id-1", "token-1", engine.Clock{Last: 5}), tx.SetClock("id-1", "token-1", engine.Clock{Last: 6})}
		clock(tx, 6)
		token := sampleToken()
		token.Last = 7
		errs = append(errs, tx.PutToken(&token))
		clock(tx, 7)
		return errors.Join(errs...)
	})
	update(t, s, func(tx engine.Tx) error {
		c := sampleChallenge()
		errs := []error{tx.PutChallenge(c)}
		c.Tries = 1
		errs = append(errs, tx.PutChallenge(c))
		got, err := tx.Challenge(c.ID)
		if diff := cmp.Diff(c, got); diff != "" {
			t.Error(diff)
		}
		got.Tries = 99 // what was read is the reader's own
		again, err2 := tx.Challenge(c.ID)
		if again == nil || again.Tries != 1 {
			t.Errorf("read once more: %+v", again)
		}
		errs = append(errs, err, err2, tx.ForgetUser("id-1"))
		if gone, err := tx.Challenge(c.ID); gone != nil || err != nil {
			t.Errorf("forgotten: %+v, %v", gone, err)
		}
		return errors.Join(append(errs, tx.PutChallenge(c))...)
	})
	err := s.View(t.Context(), func(r engine.Reader) error {
		c, err := r.Challenge("0001")
		if c == nil || c.Tries != 1 {
			t.Errorf("afterwards: %+v", c)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
