// Package shim stands in for a retired MFA server towards applications that
// speak RADIUS: it takes a login, has the first factor checked where the
// client has not done so itself, and asks a [cloud.Verifier] for the second.
//
//	s, err := shim.New(shim.Options{Config: c, Verifier: v, Passwords: p, Log: log})
//	pc, err := shim.Listen(address)
//	go s.Serve(pc)            // one call a socket
//	...
//	err = s.Shutdown(ctx)     // stops reading, answers what it has read, closes
//
// The way of a datagram: client by longest prefix, packet, Message-
// Authenticator, reply cache, queue, worker, login, verdict, reply. The loop of
// a socket does everything up to the queue and answers Status-Server and
// retransmissions itself, without allocating; a fixed number of workers, which
// the Verifier may block, do the rest. Logins that need nobody but a Verifier
// that is a [cloud.Settler] go to two clerks instead, who take all that wait at
// the moment through it together. Nothing grows with the load: beyond the
// queue requests are dropped and counted, and clients send them again.
//
// Whatever is not an approval by the Verifier is no Access-Accept, but for what
// the configuration or an administrator spares the second factor. A login that
// was judged is Access-Reject; one that could not be judged is silence, so that
// the client asks another server, unless its on_outage says reject.
//
// User names must be UTF-8 without control characters. They are brought to
// Unicode form NFC and otherwise passed on as typed: not trimmed, not cut,
// DOMAIN\user and realms included. Where the shim compares names it folds case.
package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/shim/config"
	"mfabridge/shim/observe"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("shim: server closed")

// Defaults of Options.
const (
	DefaultWorkers     = 256
	DefaultQueue       = 4096
	DefaultCallTimeout = 10 * time.Second
	DefaultHeld        = 1 << 15
)

// Options are what a Server is made of.
type Options struct {
	Config     *config.Config     // as config.Load returned it, with Keys
	Verifier   cloud.Verifier     // asked for the second factor
	Passwords  cloud.Passwords    // checks passwords; nil where no client has primary engine
	Primaries  map[string]Primary // those that clients name, besides engine
	Accountant Accountant         // takes accounting; nil where ServeAccounting is not called
	Log        *slog.Logger       // takes one event a login; nil: no log
	Now        func() time.Time   // nil: time.Now
	Bypasses   Bypasses           // clients whose second factor is put aside for a while; nil: none
	Observed   *observe.Book      // counts Message-Authenticators by client; nil: one that is forgotten

	Workers     int           // logins at work at once; 0: DefaultWorkers
	Queue       int           // logins waiting for a worker; 0: DefaultQueue
	Held        int           // logins waiting for a push or call; 0: DefaultHeld
	CallTimeout time.Duration // for all that one login asks, and longest wait in the queue; 0: DefaultCallTimeout
}

// Server answers RADIUS. All methods may be called concurrently.
type Server struct {
	options  Options // as New took them
	clients  atomic.Pointer[clientTable]
	logins   *logins
	log      *slog.Logger
	now      func() time.Time
	patience time.Duration
	replies  int // that are remembered for each socket
	count    *counters
	away     atomic.Bool // the last that was heard of the engine is that it could not be asked

	free    chan *job     // jobs that nobody holds: their number is the bound on work
	queue   chan *job     // as large as all jobs, so that sending never blocks
	settler cloud.Settler // nil: there are no clerks
	desk    chan *job     // what goes to clerks; as large as queue

	waiting                         *table        // logins that wait for a push or call
	wakeListen, wakeTimes, wakeLook chan struct{} // something waits
	blind                           atomic.Bool   // the engine could not be asked about them of late

	accounts chan struct{} // a token for each accounting request at work

	calls   context.Context // of calls to the Verifier; ends when a drain gives up
	giveUp  context.CancelFunc
	number  int // of workers
	loops   sync.WaitGroup
	workers sync.WaitGroup
	clerks  sync.WaitGroup
	watches sync.WaitGroup // end with calls

	mu      sync.Mutex
	conns   map[endpoint]struct{}
	retired map[endpoint]struct{} // those of conns that are read no longer
	started bool
	closing bool
}

// New makes a Server that is ready to serve. It refuses options that would let
// a login through with less than its factors.
func New(o Options) (*Server, error) {
	if o.Config == nil || o.Verifier == nil {
		return nil, errors.New("shim needs a configuration and a verifier")
	}
	o.fill()
	s := &Server{
		options: o, conns: make(map[endpoint]struct{}), log: o.Log, now: o.Now, count: newCounters(),
		patience: orDefault(o.CallTimeout, DefaultCallTimeout),
		number:   orDefault(o.Workers, DefaultWorkers),
	}
	s.logins = newLogins(o)
	if err := s.Swap(o.Config, o.Primaries); err != nil {
		return nil, err
	}
	held := orDefault(o.Held, DefaultHeld)
	s.waiting = newTable(held)
	s.wakeListen, s.wakeTimes, s.wakeLook = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	jobs := s.number + orDefault(o.Queue, DefaultQueue)
	s.replies = max(leastReplies, 2*(jobs+held))
	s.accounts = make(chan struct{}, max(1, s.number/4))
	s.free, s.queue, s.desk = make(chan *job, jobs), make(chan *job, jobs), make(chan *job, jobs)
	s.settler, _ = o.Verifier.(cloud.Settler)
	for range jobs {
		s.free <- new(job)
	}
	// Calls outlive the signal that stops the program: Shutdown bounds them.
	s.calls, s.giveUp = context.WithCancel(context.Background())
	return s, nil
}

// Swap replaces clients, primaries and cluster keys by those of another
// configuration, all of them or, with an error, none. Requests that were read
// before go on as they began, so primaries that are left out must work until
// those are answered; a State that was sealed by a key that is left out is
// refused. Nothing else of the configuration is looked at.
func (s *Server) Swap(c *config.Config, primaries map[string]Primary) error {
	swap, err := s.Prepare(c, primaries)
	if err == nil {
		swap()
	}
	return err
}

// Prepare is Swap up to the point where something changes: whatever is wrong
// with the configuration, it says so. Calling swap then cannot fail.
func (s *Server) Prepare(c *config.Config, primaries map[string]Primary) (swap func(), err error) {
	o := s.options
	o.Config, o.Primaries = c, primaries
	clients, err := newClientTable(c.RADIUS.Clients, o.primaries(), func(name string) *observe.Count { return o.Observed.Of(name, o.Now()) })
	if err != nil {
		return nil, err
	}
	for _, client := range c.RADIUS.Clients {
		if client.CodeEntry == config.Append && s.logins.matcher == nil {
			return nil, hint.New(fmt.Sprintf("client %s has code_entry: append, but this engine cannot tell a code without using it up", client.Name),
				"use code_entry: challenge")
		}
	}
	keys, err := newKeyring(c.Keys)
	if err != nil {
		return nil, err
	}
	clients.bulkhead(s.number)
	return func() {
		s.logins.ring.Store(keys)
		s.clients.Store(&clients)
	}, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observed == nil {
		o.Observed = observe.New()
	}
}

// primaries are all that a client may name.
func (o Options) primaries() map[string]Primary {
	all := maps.Clone(o.Primaries)
	if all == nil {
		all = make(map[string]Primary)
	}
	delete(all, config.None)
	delete(all, config.Native)
	if o.Passwords != nil {
		all[config.Native] = native{o.Passwords}
	}
	return all
}

func orDefault[T int | time.Duration](v, standard T) T {
	if v <= 0 {
		return standard
	}
	return v
}

// Serve reads requests from a socket and answers them until Shutdown, which
// closes the socket; it returns [ErrServerClosed] then, and before that only
// if the socket fails for good, or with [ErrRetired]. It may be called for several sockets. After
// Shutdown it closes the socket at once.
func (s *Server) Serve(pc net.PacketConn) error {
	return s.serve(newLoop(s, pc), pc)
}

func (s *Server) serve(l *loop, pc endpoint) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = pc.Close() // nothing was read from it
		return ErrServerClosed
	}
	s.conns[pc] = struct{}{}
	if !s.started {
		s.started = true
		for range s.number {
			s.workers.Go(s.work)
		}
		for range clerks {
			s.clerks.Go(newClerk(s).work)
		}
		for _, watch := range []func(){s.listen, s.look, s.times} {
			s.watches.Go(watch)
		}
	}
	s.loops.Add(1)
	s.mu.Unlock()
	defer s.loops.Done()
	if l.stream != nil {
		return l.runStream()
	}
	err := l.run()
	if errors.Is(err, ErrRetired) {
		s.watches.Go(func() { s.bury(l) })
	}
	return err
}

// Shutdown stops reading, waits until the logins that were read are answered,
// and closes the sockets. When ctx ends first, the calls that still run are
// cancelled and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	for pc := range s.conns {
		_ = pc.SetReadDeadline(time.Unix(1, 0)) // a socket that cannot is closed already
	}
	s.mu.Unlock()
	if !first {
		return ErrServerClosed
	}
	s.loops.Wait()
	drained := make(chan struct{})
	go func() {
		close(s.desk)
		s.clerks.Wait() // they may hand logins on
		close(s.queue)
		s.workers.Wait()
		<-s.waiting.drained()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.giveUp()
	for _, g := range s.waiting.all() {
		s.release(g, verdict{reason: stopped, method: g.held.method, challenge: g.held.challenge})
	}
	s.watches.Wait()          // they may be answering what they took
	var closes sync.WaitGroup // a stream is closed behind its last answer
	for pc := range s.conns {
		closes.Go(func() { _ = pc.Close() })
	}
	closes.Wait()
	return err
}

// Ready tells whether logins can be judged just now: the engine can be asked,
// and nobody has begun to stop the server.
func (s *Server) Ready(ctx context.Context) error {
	if s.isClosing() {
		return ErrServerClosed
	}
	return s.engineThere(ctx)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Counters returns what has happened so far.
func (s *Server) Counters() Counters {
	c := s.count.snapshot()
	c.Waiting, _ = s.waiting.size()
	return c
}
