package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// keyed is a challenge that an equal request gets until the window is over.
func keyed(id cloud.ChallengeID, key string, created time.Time) *engine.Challenge {
	return &engine.Challenge{ID: id, Key: key, User: "id-1", Method: cloud.OATHCode, State: cloud.Pending, Created: created, Expires: created.Add(time.Minute)}
}

// leads checks which challenge a key leads to, in an update of its own; empty:
// to none.
func leads(t *testing.T, s engine.Store, key string, want cloud.ChallengeID) {
	t.Helper()
	var got cloud.ChallengeID
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		c, err := tx.ChallengeByKey(key)
		if c != nil {
			got = c.ID
		}
		return err
	})
	if err != nil || got != want {
		t.Errorf("%q leads to %q, %v; want %q", key, got, err, want)
	}
}

// put stores challenges in one update, which fails in the end if it is to.
func put(t *testing.T, s engine.Store, fail error, all ...*engine.Challenge) {
	t.Helper()
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		for _, c := range all {
			if err := tx.PutChallenge(c); err != nil {
				return err
			}
			if found, err := tx.ChallengeByKey(c.Key); err != nil || c.Key != "" && (found == nil || found.ID != c.ID) {
				t.Errorf("within the update %q leads to %+v, %v; want %q", c.Key, found, err, c.ID)
			}
		}
		return fail
	})
	if !errors.Is(err, fail) {
		t.Fatal(err)
	}
}

func keysLead(t *testing.T, p Place) {
	s := p.Open(t)
	put(t, s, nil, keyed("0001", "a", epoch), keyed("0002", "b", epoch), keyed("0003", "", epoch))
	leads(t, s, "a", "0001")
	leads(t, s, "b", "0002")
	leads(t, s, "", "")
	leads(t, s, "c", "")
	put(t, s, nil, keyed("0004", "a", epoch.Add(time.Second)))
	leads(t, s, "a", "0004")
	undone := errors.New("undone")
	put(t, s, undone, keyed("0005", "a", epoch.Add(2*time.Second)), keyed("0006", "c", epoch.Add(2*time.Second)))
	leads(t, s, "a", "0004")
	leads(t, s, "c", "")
	answered := keyed("0004", "a", epoch.Add(time.Second))
	answered.State, answered.Decided = cloud.Approved, epoch.Add(3*time.Second)
	put(t, s, nil, answered)
	leads(t, s, "a", "0004")
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.ForgetUser("id-1") }); err != nil {
		t.Fatal(err)
	}
	leads(t, s, "a", "")
	put(t, s, nil, keyed("0007", "a", epoch.Add(4*time.Second)))
	leads(t, s, "a", "0007")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	leads(t, p.opens(t), "a", "0007")
}

// keysElsewhere has three handles begin at once: each finds what the others
// began, of one key only one begins.
func keysElsewhere(t *testing.T, p Place) {
	stores := []engine.Store{p.opens(t), p.opens(t), p.opens(t)}
	const keys, each = 20, 6
	var mu sync.Mutex
	begun := map[string]cloud.ChallengeID{}
	var wg sync.WaitGroup
	for k := range keys * each {
		wg.Go(func() {
			key, made := fmt.Sprint("key", k%keys), cloud.ChallengeID(fmt.Sprintf("%04d", k))
			var found cloud.ChallengeID
			err := stores[k%len(stores)].Update(t.Context(), func(tx engine.Tx) error {
				c, err := tx.ChallengeByKey(key)
				if err != nil || c != nil {
					if c != nil {
						found = c.ID
					}
					return err
				}
				found = made
				return tx.PutChallenge(keyed(made, key, epoch.Add(time.Duration(k)*time.Millisecond)))
			})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if first, ok := begun[key]; ok && first != found {
				t.Errorf("%s leads to %s and to %s", key, first, found)
			}
			begun[key] = found
		})
	}
	wg.Wait()
	for key, id := range begun {
		for _, s := range stores {
			leads(t, s, key, id)
		}
	}
}

// keysInTurn has two handles begin one after the other: what the one has begun
// the other finds each time, also where it had looked before.
func keysInTurn(t *testing.T, p Place) {
	stores := []engine.Store{p.opens(t), p.opens(t)}
	for n := range 6 {
		id := cloud.ChallengeID(fmt.Sprintf("%04d", n))
		created := epoch.Add(time.Duration(n) * time.Second)
		put(t, stores[n%2], nil, keyed("a"+id, fmt.Sprint("key", n), created), keyed("b"+id, "same", created))
		for _, s := range stores {
			for m := range n + 1 {
				leads(t, s, fmt.Sprint("key", m), cloud.ChallengeID(fmt.Sprintf("a%04d", m)))
			}
			leads(t, s, "same", "b"+id)
			leads(t, s, fmt.Sprint("key", n+1), "")
		}
	}
}
