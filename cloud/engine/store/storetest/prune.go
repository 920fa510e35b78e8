package storetest

import (
	"errors"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// sentIsForgotten: what was sent for challenges that are forgotten is forgotten with them, also
// where one user was asked at many places; what is newer stays.
func sentIsForgotten(t *testing.T, p Place) {
	s := p.opens(t)
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		for _, n := range []string{"a", "b", "c", "d", "e"} {
			c := &engine.Challenge{ID: cloud.ChallengeID(n), User: "u", Method: cloud.SMS, State: cloud.Expired}
			if err := errors.Join(tx.PutChallenge(c), tx.SetLastSent("u", "at "+n, c.ID),
				tx.PutFlight(&engine.Flight{ID: c.ID, User: "u", State: []byte{1}}), tx.PutReceipt("receipt of "+n, c.ID)); err != nil {
				return err
			}
		}
		return tx.Prune("e", time.Time{}, 3)
	}); err != nil {
		t.Fatal(err)
	}
	left := func() (left string) {
		if err := s.View(t.Context(), func(r engine.Reader) error {
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				c, err := r.Challenge(cloud.ChallengeID(n))
				if err != nil {
					return err
				}
				sent, err := r.LastSent("u", "at "+n)
				if err != nil {
					return err
				}
				flight, err := r.FlightOf("receipt of " + n)
				if err != nil {
					return err
				}
				if (c != nil) != (sent != "") || (c != nil) != (flight != nil) {
					t.Errorf("%s: challenge %v, sent %q", n, c != nil, sent)
				}
				left += string(sent)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return left
	}
	if got := left(); got != "de" {
		t.Errorf("left: %q", got)
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Prune("e", time.Time{}, 3) }); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "e" {
		t.Errorf("left in the end: %q", got)
	}
}
