package engine

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// Seams for tests outside the package.
var (
	MaskDigits = maskDigits
	MaskMail   = maskMail
	CheckWord  = checkWord
)

// Check is check.
func (s *Subscription) Check() error { return s.check() }

// Text is text.
func (r Response) Text(at time.Time) []byte { return r.text(at) }

// SpendCodes counts codes of native authentication, in one transaction, until
// one is refused, and tells how many were not. of says from where the code i is
// asked for, and for whom.
func (e *Engine) SpendCodes(t testing.TB, channel string, most int, of func(i int) (to string, from netip.Addr)) (n int) {
	t.Helper()
	err := e.store.Update(t.Context(), func(tx Tx) error {
		for n = 0; n < most; n++ {
			to, from := of(n)
			say, err := e.spendIn(tx, channel, to, NativeClient{Address: from})
			if err != nil || say != "" {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Hashes are a new hash of a password and the one of nobody's.
func (e *Engine) Hashes(t testing.TB) (made, dummy string) {
	t.Helper()
	made, err := e.passwords.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return made, e.passwords.dummy
}

// Crowd has as many passwords wait as may; leave ends it.
func (e *Engine) Crowd() (leave func()) {
	n := cap(e.passwords.queue)
	for range n {
		e.passwords.queue <- struct{}{}
	}
	return func() {
		for range n {
			<-e.passwords.queue
		}
	}
}

// CrowdFrom has as many people of an address wait as may; leave ends it.
func (e *Engine) CrowdFrom(a netip.Addr) (waiting int, leave func()) {
	n := 0
	for e.passwords.enterCrowd(context.Background(), a) == nil {
		n++
	}
	return n, func() {
		for range n {
			e.passwords.leaveCrowd(a)
		}
	}
}
