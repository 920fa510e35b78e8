package shim_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// books is an accountant that counts, and may say no.
type books struct {
	mu    sync.Mutex
	taken int
	err   error
	hold  chan struct{}
}

func (b *books) Account(ctx context.Context, a shim.Account) error {
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken++
	return b.err
}

// accountingRig is a rig whose conn is an accounting port.
func accountingRig(t *testing.T, b *books) *rig {
	r := newRig(t, func(o *shim.Options) { o.Accountant = b })
	synctest.Wait() // the rig's own port is served
	port := newMemoryConn()
	served := make(chan error, 1)
	go func() { served <- r.server.ServeAccounting(port) }()
	stop := r.stop
	r.conn = port
	r.stop = func(ctx context.Context) error {
		err := stop(ctx)
		if got := <-served; got != shim.ErrServerClosed {
			t.Errorf("ServeAccounting returned %v", got)
		}
		return err
	}
	synctest.Wait()
	return r
}

func (r *rig) accounting(secret *radius.Secret, id byte) []byte {
	r.t.Helper()
	w := radius.NewAccountingRequest(nil, id)
	w.AddUint32(40, 1)
	w.Add(radius.UserName, []byte("ada"))
	w.Add(radius.ProxyState, []byte("way"))
	b, err := secret.SealAccountingRequest(&w)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rig) isAccounted(reply, request []byte) {
	r.t.Helper()
	p, err := radius.Parse(reply)
	if err != nil {
		r.t.Fatal(err)
	}
	q, err := radius.Parse(request)
	if err != nil {
		r.t.Fatal(err)
	}
	state, n := p.Lookup(radius.ProxyState)
	if err := r.secret.VerifyAccountingResponse(p, q); err != nil || p.Code() != radius.AccountingResponse || n != 1 || string(state) != "way" {
		r.t.Errorf("answered by %v with %q: %v", p.Code(), state, err)
	}
}

// Accounting-Request: authenticator verified before any work; answered only
// once recorded.
func TestAccountingIsAnsweredOnceItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{hold: make(chan struct{})}
		r := accountingRig(t, b)
		defer r.close()
		request := r.accounting(r.secret, 1)
		for range 3 {
			r.send(request, ask{}.source())
			synctest.Wait()
		}
		r.silent("before it is taken")
		close(b.hold)
		first := r.receive()
		r.isAccounted(first, request)
		r.send(request, ask{}.source())
		if again := r.receive(); !bytes.Equal(first, again) || b.taken != 1 {
			t.Errorf("the copy was answered anew, %d taken", b.taken)
		}
		b.mu.Lock()
		b.err = errors.New("the disk is full")
		b.mu.Unlock()
		other := r.accounting(r.secret, 2)
		r.send(other, ask{}.source())
		synctest.Wait()
		r.silent("what could not be taken")
		b.mu.Lock()
		b.err = nil
		b.mu.Unlock()
		r.send(other, ask{}.source())
		r.isAccounted(r.receive(), other)
		if got := r.server.Counters(); got.Accounted != 2 || got.Dropped["account_not_taken"] != 1 {
			t.Errorf("counters %+v", got)
		}
	})
}

func TestForgedAccountingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(books)
		r := accountingRig(t, b)
		defer r.close()
		r.send(r.accounting(radius.NewSecret([]byte("another secret")), 1), ask{}.source())
		r.send(r.accounting(r.secret, 1), ask{from: "127.9.9.9"}.source())
		r.send(r.build(ask{user: "ada", password: "123456"}), ask{}.source()) // a login at the wrong port
		synctest.Wait()
		r.silent("forged, foreign or misplaced")
		got := r.server.Counters().Dropped
		if b.taken != 0 || got["wrong_request_authenticator"] != 1 || got["unknown_client"] != 1 || got["unexpected_code"] != 1 {
			t.Errorf("%d taken, dropped %v", b.taken, got)
		}
		w := radius.NewRequest(nil, radius.StatusServer, 9, [16]byte{9})
		status, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		r.send(status, ask{}.source())
		reply := r.receive()
		p, err := radius.Parse(reply)
		if err != nil || p.Code() != radius.AccountingResponse {
			t.Errorf("Status-Server: %v, %v", p.Code(), err)
		}
	})
}

func TestAccountingAtThePortOfLoginsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(books)
		r := newRig(t, func(o *shim.Options) { o.Accountant = b })
		defer r.close()
		r.send(r.accounting(r.secret, 1), ask{}.source())
		synctest.Wait()
		r.silent("accounting at the port of logins")
		if got := r.server.Counters().Dropped; b.taken != 0 || got["unexpected_code"] != 1 {
			t.Errorf("%d taken, dropped %v", b.taken, got)
		}
	})
}

func TestSlowAccountingLeavesWorkersForLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{hold: make(chan struct{})}
		r := accountingRig(t, b)
		defer r.close()
		for i := range 64 { // as many as there are workers
			r.send(r.accounting(r.secret, byte(i)), ask{}.source())
		}
		synctest.Wait()
		if got := r.server.Counters().Dropped["overload"]; got != 48 {
			t.Errorf("%d dropped, want three quarters of 64", got)
		}
		time.Sleep(time.Minute)
	})
}
