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
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/oath"
)

// leave is what a login leaves behind: a challenge, an attempt at it, the clock
// of the generator and a line of the audit.
func leave(tx engine.Tx, n int) error {
	c := sampleChallenge()
	c.ID, c.Key = cloud.ChallengeID(fmt.Sprintf("%04d", n)), fmt.Sprint("k", n)
	c.Created = time.Now() // its key is to lead there
	return errors.Join(tx.PutChallenge(c), tx.PutAttempt(&engine.Attempt{Challenge: c.ID, Key: "a", State: cloud.Approved, Tries: n, At: epoch}),
		tx.SetClock("id-1", "token-1", oath.Clock{Proven: true, Last: int64(n)}), tx.Append(line(n)))
}

func line(n int) audit.Entry {
	return audit.Entry{Time: epoch, Node: "one", Actor: "a", Action: "verify.approved", Subject: fmt.Sprint(n)}
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
		errs = append(errs, tx.SetClock("id-1", "token-1", oath.Clock{Last: 2}))
		clock(tx, 2)
		token.Last = 3
		errs = append(errs, tx.PutToken(&token))
		clock(tx, 3)
		return errors.Join(append(errs, tx.SetClock("id-1", "no such token", oath.Clock{Last: 4}))...)
	})
	viewed(t, s, func(r engine.Reader) error { return clockStands(r, 3) })
	update(t, s, func(tx engine.Tx) error {
		errs := []error{tx.SetClock("id-1", "token-1", oath.Clock{Last: 5}), tx.SetClock("id-1", "token-1", oath.Clock{Last: 6})}
		clock(tx, 6)
		token := sampleToken()
		token.Last = 7
		errs = append(errs, tx.PutToken(&token))
		clock(tx, 7)
		return errors.Join(errs...)
	})
	viewed(t, s, func(r engine.Reader) error { return clockStands(r, 7) })
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

// viewed reads what is there.
func viewed(t *testing.T, s engine.Store, read func(engine.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), read); err != nil {
		t.Error(err)
	}
}

// clockStands checks which step of the sample's generator was used last.
func clockStands(r engine.Reader, want int64) error {
	tokens, err := r.Tokens("id-1")
	if err != nil || len(tokens) != 1 || tokens[0].Last != want {
		return fmt.Errorf("the step that was used last: %+v, %v; not %d", tokens, err, want)
	}
	return nil
}

// apartFromOthers has several rows of a kind wait together, and after the first
// of them one that may not: each is found by all that names it, within the
// update and after it, and what is set last stands.
func apartFromOthers(t *testing.T, p Place) {
	s := p.opens(t)
	token := sampleToken()
	update(t, s, func(tx engine.Tx) error {
		other := token
		other.ID, other.Serial, other.Fingerprint = "token-2", "s2", "f2"
		return errors.Join(tx.PutToken(&token), tx.PutToken(&other))
	})
	look := func(r engine.Reader) error {
		for id, tries := range map[string]int{"0001 a": 1, "0001 b": 2, "0002 a": 3, "0002 b": 0, "0003 a": 0} {
			a, err := r.Attempt(cloud.ChallengeID(id[:4]), id[5:])
			if err != nil || (a != nil) != (tries > 0) || a != nil && a.Tries != tries {
				return fmt.Errorf("attempt %s: %+v, %v", id, a, err)
			}
		}
		for n, id := range []cloud.ChallengeID{"0001", "0002"} {
			c, err := r.Challenge(id)
			if err != nil || c == nil || c.ID != id || c.Tries != n {
				return fmt.Errorf("challenge %s: %+v, %v", id, c, err)
			}
		}
		if c, err := r.Challenge("0003"); c != nil || err != nil {
			return fmt.Errorf("a challenge that nobody put: %+v, %v", c, err)
		}
		tokens, err := r.Tokens("id-1")
		if err != nil || len(tokens) != 2 || tokens[0].Last != 8 || tokens[1].Last != 9 {
			return fmt.Errorf("clocks: %+v, %v", tokens, err)
		}
		return nil
	}
	for _, waits := range []bool{true, false} {
		update(t, s, func(tx engine.Tx) error {
			var errs []error
			for n, id := range []cloud.ChallengeID{"0001", "0002"} {
				c := sampleChallenge()
				c.ID, c.Key, c.Tries = id, "", 9
				errs = append(errs, tx.PutChallenge(c))
				if c.Tries = n; !waits {
					errs = append(errs, tx.SetMeta("n", []byte("1")))
				}
				errs = append(errs, tx.PutChallenge(c))
			}
			for _, a := range []engine.Attempt{{Challenge: "0001", Key: "a", Tries: 9, At: epoch}, {Challenge: "0001", Key: "a", Tries: 1, At: epoch}, {Challenge: "0001", Key: "b", Tries: 2, At: epoch}, {Challenge: "0002", Key: "a", Tries: 3, At: epoch}} {
				errs = append(errs, tx.PutAttempt(&a))
			}
			for _, k := range []struct {
				id   string
				last int64
			}{{"token-1", 7}, {"token-2", 9}, {"token-1", 8}} {
				errs = append(errs, tx.SetClock("id-1", k.id, oath.Clock{Last: k.last}))
			}
			errs = append(errs, tx.SetClock("id-2", "token-1", oath.Clock{Last: 99}))
			return errors.Join(append(errs, look(tx))...)
		})
		viewed(t, s, look)
	}
}
