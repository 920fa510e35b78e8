package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// What a damaged page holds is not there and not somebody else: whoever asks
// for it hears that it cannot be read.
func TestDamagedPagesAreTold(t *testing.T) {
	path := made(t)
	const many = 500
	s := opens(t, path)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		var errs []error
		for i := range many {
			u := &engine.User{}
			u.ID, u.UPN = cloud.UserID(fmt.Sprintf("%06d", i)), fmt.Sprintf("user%d@contoso.example", i)
			errs = append(errs, tx.PutUser(u))
		}
		return errors.Join(errs...)
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	at := bytes.LastIndex(whole, []byte("user250@contoso.example")) / page * page
	clear(whole[at : at+page])
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s = opens(t, path)
	err = s.View(t.Context(), func(r engine.Reader) error {
		if users, err := r.UsersAfter("", many); err == nil {
			t.Errorf("%d of %d users are found, and no error", len(users), many)
		}
		if u, err := r.User("000250"); err == nil {
			t.Errorf("one whose row is damaged: %v", u)
		}
		if u, err := r.User("000000"); err != nil || u == nil {
			t.Errorf("one whose row is whole: %v, %v", u, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A challenge whose key cannot be kept is not kept either, and a key that
// cannot be looked up is not unknown: an equal request would be a second login.
func TestKeysThatCannotBeKept(t *testing.T) {
	path := made(t)
	s := opens(t, path)
	put := func(id, key string) func(engine.Tx) error {
		return func(tx engine.Tx) error {
			return tx.PutChallenge(&engine.Challenge{ID: cloud.ChallengeID(id), Key: key})
		}
	}
	if err := s.Update(t.Context(), put("0001", "known")); err != nil {
		t.Fatal(err)
	}
	hide(t, path, "recent", true)
	if err := s.Update(t.Context(), put("0002", "new")); err == nil {
		t.Error("a new key is kept nowhere")
	}
	for _, key := range []string{"known", "new"} {
		if err := s.Update(t.Context(), func(tx engine.Tx) error { _, err := tx.ChallengeByKey(key); return err }); err == nil {
			t.Errorf("the key %q is not found, and nothing is wrong", key)
		}
	}
	hide(t, path, "recent", false)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		c, err := tx.ChallengeByKey("known")
		if err != nil || c == nil || c.ID != "0001" {
			t.Errorf("after it: %+v, %v", c, err)
		}
		if c, err := tx.Challenge("0002"); err != nil || c != nil {
			t.Errorf("a challenge without its key: %+v, %v", c, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
