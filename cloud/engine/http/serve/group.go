package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Timeouts of a connection, for each phase.
type Timeouts struct {
	Header time.Duration // from the first byte to the end of the header; 5 s
	Read   time.Duration // to the end of the body; 30 s
	Write  time.Duration // of an answer, from the end of the header; streams set their own; 90 s
	Idle   time.Duration // between requests; 120 s
}

func (t Timeouts) filled() Timeouts {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{{&t.Header, 5 * time.Second}, {&t.Read, 30 * time.Second}, {&t.Write, 90 * time.Second}, {&t.Idle, 2 * time.Minute}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return t
}

// maxHeader bounds a request's header, in bytes.
const maxHeader = 16 << 10

// DefaultConnections is how many connections one listener has at once, unless
// it is told otherwise.
const DefaultConnections = 4096

// maxServers is how many servers a group has at most.
const maxServers = 8

// Group runs servers that end together.
type Group struct {
	Timeouts    Timeouts
	Connections int            // at once, on each listener; 0: DefaultConnections
	Spared      []netip.Prefix // networks of which one address may have all connections, as many people come from there: proxies
	Log         *slog.Logger

	mu      sync.Mutex
	servers []*http.Server
	wg      sync.WaitGroup
	ended   chan error
}

// Start serves on an open listener, with TLS if there is a configuration for
// it. The listener is the group's to close.
func (g *Group) Start(l net.Listener, h http.Handler, t *tls.Config) {
	limits := g.Timeouts.filled()
	s := &http.Server{Handler: h, TLSConfig: t, ReadHeaderTimeout: limits.Header, ReadTimeout: limits.Read, WriteTimeout: limits.Write,
		IdleTimeout: limits.Idle, MaxHeaderBytes: maxHeader}
	log := g.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended == nil {
		g.ended = make(chan error, maxServers)
	}
	g.servers = append(g.servers, s)
	most := g.Connections
	if most == 0 {
		most = DefaultConnections
	}
	l = newBounder(l, most, g.Spared, log)
	g.wg.Go(func() {
		var err error
		if t != nil {
			err = s.ServeTLS(l, "", "")
		} else {
			err = s.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			g.ended <- err
		}
	})
}

// Failed yields the error of a server that ended by itself.
func (g *Group) Failed() <-chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended == nil {
		g.ended = make(chan error, maxServers)
	}
	return g.ended
}

// Shutdown takes no new requests and waits for those that run. When ctx ends
// first, connections are cut and its error comes back.
func (g *Group) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	servers := g.servers
	g.mu.Unlock()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(errs[i], s.Close())
			}
		})
	}
	wg.Wait()
	g.wg.Wait()
	return errors.Join(errs...)
}
