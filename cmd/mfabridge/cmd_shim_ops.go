package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/bypass"
	"mfabridge/shim/metrics"
)

// opsPatience bounds what a caller of the ops port may take.
const opsPatience = 10 * time.Second

// openOps opens the port for those who watch the shim.
func (p *program) openOps(parts *shimParts, server *shim.Server, ports *[]port) error {
	l, err := net.Listen("tcp", parts.config.Ops)
	if err != nil {
		return hint.Wrap(fmt.Errorf("cannot listen for ops: %w", err), "stop who has the port, or choose another one under ops")
	}
	o := metrics.Options{Now: p.now, Ready: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), opsPatience/2)
		defer cancel()
		return server.Ready(ctx)
	}}
	book := bypass.Open(parts.config.Data, p.now)
	o.Bypasses = func() map[string]time.Time {
		all, _ := book.All() // what cannot be read opens nothing
		until := make(map[string]time.Time, len(all))
		for _, x := range all {
			until[x.Client] = x.Until
		}
		return until
	}
	if r := parts.config.RADIUS.RadSec; r != nil {
		if leaf, err := x509.ParseCertificate(r.Certificate.Certificate[0]); err == nil {
			o.Certificate = leaf.NotAfter
		}
	}
	h := &http.Server{Handler: metrics.Handler(server, parts.observed, o), ReadHeaderTimeout: opsPatience, WriteTimeout: opsPatience, MaxHeaderBytes: 16 << 10}
	*ports = append(*ports, port{address: l.Addr(), what: " (ops)", first: true, close: h.Close, serve: func() error {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return shim.ErrServerClosed
	}})
	return nil
}
