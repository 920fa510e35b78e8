package shim_test

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// closing is a memoryConn that tells when it is closed.
type closing struct {
	*memoryConn
	closed chan struct{}
}

func (c closing) Close() error { close(c.closed); return nil }

// A socket that is retired reads nothing more, and is closed once the logins
// that came by it are answered, by it.
func TestRetiredSocketAnswersWhatItHasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		old := closing{newMemoryConn(), make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- r.server.Serve(old) }()
		request := r.build(pushLogin)
		old.in <- datagram{b: request, peer: pushLogin.source()}
		synctest.Wait()
		if err := r.server.Retire(old); err != nil {
			t.Fatal(err)
		}
		if err := <-served; err != shim.ErrRetired {
			t.Errorf("Serve returned %v", err)
		}
		time.Sleep(5 * time.Second)
		select {
		case <-old.closed:
			t.Error("closed before its login was answered")
		default:
		}
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked((<-old.out).b, request), radius.AccessAccept)
		time.Sleep(time.Second)
		select {
		case <-old.closed:
		default:
			t.Error("not closed though nothing is left to answer")
		}
		want(t, r.login(ask{from: vpn, user: "ada", password: "correct horse"}), radius.AccessChallenge)
	})
}

// A socket that nobody serves is just closed.
func TestRetireOfAnUnservedSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		pc, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.server.Retire(pc); err != nil {
			t.Error(err)
		}
		if _, _, err := pc.ReadFrom(make([]byte, 1)); err == nil || !isClosed(err) {
			t.Errorf("still open: %v", err)
		}
	})
}

func isClosed(err error) bool {
	op, ok := err.(*net.OpError)
	return ok && op.Err == net.ErrClosed
}
