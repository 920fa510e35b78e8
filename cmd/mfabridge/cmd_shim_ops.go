package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/bypass"
	"mfabridge/shim/config"
	"mfabridge/shim/metrics"
)

// opsPatience bounds what a caller of the ops port may take.
const opsPatience = 10 * time.Second

// opsIdle is how long a caller of the ops port may keep a connection and ask
// nothing.
const opsIdle = 2 * time.Minute

// opsConnections is how many connections the ops port has at once: those who watch
// are few, and two a second that are never closed are as many as end by opsIdle.
const opsConnections = 256

// openOps opens the port for those who watch the shim.
func (p *program) openOps(conf *config.Config, parts *shimParts, server *shim.Server) (*port, error) {
	l, err := net.Listen("tcp", conf.Ops)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("cannot listen for ops: %w", err), "stop who has the port, or choose another one under ops")
	}
	l = serve.Bound(l, connectionsOf(conf, opsConnections),
		"find out who watches the shim, and have them close what they have asked on; let no others reach the port", parts.log)
	o := metrics.Options{Now: p.now, Ready: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), opsPatience/2)
		defer cancel()
		return server.Ready(ctx)
	}}
	book := bypass.Open(conf.Data, p.now)
	o.Bypasses = func() map[string]time.Time {
		all, _ := book.All() // what cannot be read opens nothing
		until := make(map[string]time.Time, len(all))
		for _, x := range all {
			until[x.Client] = x.Until
		}
		return until
	}
	o.Configuration, o.AccountsRefused = parts.taken.state, p.binds.Refused
	var ends atomic.Int64 // RadSec's certificate, in Unix seconds
	renew := func(c *config.Config) { ends.Store(certificateEnd(c.RADIUS.RadSec)) }
	renew(conf)
	o.Certificate = func() (end time.Time) {
		if s := ends.Load(); s != 0 {
			end = time.Unix(s, 0)
		}
		return end
	}
	h := &http.Server{Handler: metrics.Handler(server, parts.observed, o), ReadHeaderTimeout: opsPatience, WriteTimeout: opsPatience, IdleTimeout: opsIdle, MaxHeaderBytes: 16 << 10}
	end := func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		if err := h.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // closes l again, while it is served
			return err
		}
		return nil
	}
	return &port{address: l.Addr(), what: " (ops)", first: true, close: end, retire: end, renew: renew, serve: func() error {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return shim.ErrServerClosed
	}}, nil
}

// certificateEnd is when RadSec's certificate ends, in Unix seconds; 0: there
// is none.
func certificateEnd(r *config.RadSec) int64 {
	if r == nil {
		return 0
	}
	leaf, err := x509.ParseCertificate(r.Certificate.Certificate[0])
	if err != nil {
		return 0
	}
	return leaf.NotAfter.Unix()
}
