package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// opens is a handle that ends with the test.
func (p Place) opens(t *testing.T) engine.Store {
	t.Helper()
	s := p.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func meta(t *testing.T, s engine.Store, name string) (value []byte) {
	t.Helper()
	err := s.View(t.Context(), func(r engine.Reader) (err error) {
		value, err = r.Meta(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func update(t *testing.T, s engine.Store, fn func(engine.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

var errNo = errors.New("no")

// together runs many updates at once, each writing a value of its own, and
// checks that those are there, and only those, that returned nil.
func together(t *testing.T, s engine.Store, fn func(i int, tx engine.Tx) error) []error {
	t.Helper()
	const many = 100
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			errs[i] = s.Update(context.Background(), func(tx engine.Tx) error {
				if err := tx.SetMeta(fmt.Sprint("n", i), []byte("written")); err != nil {
					return err
				}
				return fn(i, tx)
			})
		})
	}
	wg.Wait()
	for i := range many {
		if value := meta(t, s, fmt.Sprint("n", i)); (errs[i] != nil) != (value == nil) {
			t.Errorf("update %d: error %v, value %q", i, errs[i], value)
		}
	}
	return errs
}

func errorUndoesOne(t *testing.T, p Place) {
	errs := together(t, p.opens(t), func(i int, _ engine.Tx) error {
		if i%3 == 0 {
			return errNo
		}
		return nil
	})
	for i, err := range errs {
		if errors.Is(err, errNo) != (i%3 == 0) {
			t.Errorf("update %d: %v", i, err)
		}
	}
}

// errorAfterReading reads in between, so that what was written is on its way.
func errorAfterReading(t *testing.T, p Place) {
	errs := together(t, p.opens(t), func(i int, tx engine.Tx) error {
		value, err := tx.Meta(fmt.Sprint("n", i))
		if err == nil && string(value) != "written" {
			err = fmt.Errorf("an update does not see what it wrote: %q", value)
		}
		if i%3 == 0 && err == nil {
			err = errNo
		}
		return err
	})
	for i, err := range errs {
		if errors.Is(err, errNo) != (i%3 == 0) {
			t.Errorf("update %d: %v", i, err)
		}
	}
}

func panicUndoesOne(t *testing.T, p Place) {
	errs := together(t, p.opens(t), func(i int, _ engine.Tx) error {
		if i%4 == 0 {
			panic("secret canary")
		}
		return nil
	})
	for i, err := range errs {
		if (err != nil) != (i%4 == 0) {
			t.Errorf("update %d: %v", i, err)
		}
		if err != nil && (cloud.KindOf(err) != cloud.Internal || strings.Contains(err.Error(), "canary")) {
			t.Errorf("update %d: %v", i, err)
		}
	}
}

func takenSerial(t *testing.T, p Place) {
	s := p.opens(t)
	put := func(tx engine.Tx, user cloud.UserID, id string) error {
		k := engine.Token{User: user, Sealed: []byte("x")}
		k.ID, k.Serial = id, "SYN-1"
		return tx.PutToken(&k)
	}
	update(t, s, func(tx engine.Tx) error {
		if err := put(tx, "u", "a"); err != nil {
			return err
		}
		if err := put(tx, "u", "b"); !errors.Is(err, engine.ErrTaken) {
			t.Errorf("the serial again: %v", err)
		}
		if err := put(tx, "v", "a"); !errors.Is(err, engine.ErrTaken) {
			t.Errorf("the serial again, of somebody else: %v", err)
		}
		if err := put(tx, "u", "a"); err != nil {
			t.Errorf("the same again: %v", err)
		}
		return tx.SetMeta("after", []byte("yes"))
	})
	if string(meta(t, s, "after")) != "yes" {
		t.Error("the update did not go on")
	}
}

func holderBesides(t *testing.T, p Place) {
	s := p.opens(t)
	put := func(tx engine.Tx, user cloud.UserID, id, fingerprint string) {
		t.Helper()
		k := engine.Token{User: user, Sealed: []byte("x")}
		k.ID, k.Serial, k.Fingerprint = id, id, fingerprint
		if err := tx.PutToken(&k); err != nil {
			t.Fatal(err)
		}
	}
	is := func(r engine.Reader, user cloud.UserID, fingerprint string, want cloud.UserID) {
		t.Helper()
		if got, err := r.HolderBesides(user, fingerprint); got != want || err != nil {
			t.Errorf("besides %s %s is with %q, %v; want %q", user, fingerprint, got, err, want)
		}
	}
	update(t, s, func(tx engine.Tx) error {
		put(tx, "u", "a", "F")
		put(tx, "u", "b", "F")
		put(tx, "v", "c", "G")
		is(tx, "u", "F", "")
		is(tx, "v", "F", "u")
		is(tx, "u", "f", "")
		return nil
	})
	if err := s.View(t.Context(), func(r engine.Reader) error {
		is(r, "w", "G", "v")
		is(r, "w", "H", "")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func spentKeepsTheLater(t *testing.T, p Place) {
	s := p.opens(t)
	for _, second := range []int64{1000, 500, 1500, 0} {
		update(t, s, func(tx engine.Tx) error { return tx.SetSpent("fingerprint", second) })
	}
	var spent int64
	if err := s.View(t.Context(), func(r engine.Reader) (err error) { spent, err = r.Spent("fingerprint"); return err }); err != nil || spent != 1500 {
		t.Errorf("spent until %d, %v", spent, err)
	}
}

func closed(t *testing.T, p Place) {
	s := p.Open(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	update := s.Update(t.Context(), func(engine.Tx) error { t.Error("ran"); return nil })
	view := s.View(t.Context(), func(engine.Reader) error { t.Error("ran"); return nil })
	for _, err := range []error{update, view} {
		if err == nil || cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("closed: %v", err)
		}
	}
}

func left(t *testing.T, p Place) {
	s := p.opens(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, func(engine.Tx) error { t.Error("ran"); return nil }); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("an update for a caller who had left: %v", err)
	}
}

func locks(t *testing.T, p Place) {
	a, b := p.opens(t), p.Open(t)
	unlock, err := a.Lock(t.Context(), "the first run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lock(t.Context(), "the second run"); err == nil || cloud.KindOf(err) != cloud.Locked || !strings.Contains(err.Error(), "the first run") {
		t.Errorf("a lock that another handle holds: %v", err)
	}
	update(t, b, func(tx engine.Tx) error { return tx.SetMeta("x", []byte("y")) })
	if err := errors.Join(unlock(), unlock()); err != nil {
		t.Error(err)
	}
	if unlock, err = b.Lock(t.Context(), "the third run"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unlock(), b.Close()); err != nil {
		t.Error(err)
	}
}

// A value that was removed is not there, not even by its name, and can be set
// again.
func valuesGo(t *testing.T, p Place) {
	s := p.opens(t)
	update(t, s, func(tx engine.Tx) error {
		return errors.Join(tx.SetMeta("thing/a", []byte("1")), tx.SetMeta("thing/b", []byte{}), tx.SetMeta("thing/c", []byte("3")))
	})
	update(t, s, func(tx engine.Tx) error {
		if _, err := tx.Meta("thing/a"); err != nil { // remembered, perhaps
			return err
		}
		if err := tx.RemoveMeta("thing/a"); err != nil {
			return err
		}
		value, err := tx.Meta("thing/a")
		if value != nil {
			t.Errorf("within the transaction it is %q", value)
		}
		return errors.Join(err, tx.RemoveMeta("thing/none"))
	})
	err := s.View(t.Context(), func(r engine.Reader) error {
		names, err := r.MetaNames("thing/")
		if want := []string{"thing/b", "thing/c"}; !slices.Equal(names, want) {
			t.Errorf("there are %q", names)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx engine.Tx) error { return tx.SetMeta("thing/a", []byte("2")) })
	if got := string(meta(t, s, "thing/a")); got != "2" {
		t.Errorf("set again: %q", got)
	}
}
