package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/graph"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
)

// engineDrain is how long a stopping engine goes on with requests that it has
// read.
const engineDrain = 20 * time.Second

func (p *program) engineServeCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "answer the engine's HTTP API until stopped; drains on SIGTERM",
		Description: "Reads engine.yaml (docs/engine.md). On SIGHUP it is read again and checked as a whole; certificates, tokens and primaries\n" +
			"may differ then. Certificates are read again when their files change, too; one that cannot be used leaves the one before in place. The API is described in docs/api.md.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "engine.yaml", Usage: "`FILE` with the engine's configuration"},
		},
		Action: serving(p.engineServe),
	}
}

// engineServer is an engine with everything that its configuration names.
type engineServer struct {
	*embedded
	p         *program
	path      string // of its configuration
	conf      *config.Config
	outbox    *channel.Outbox
	delivery  delivery
	waker     *waker
	primaries *primaries // who proves passwords besides the store
	doors     *doors
	faces     *api.API
	graph     *graph.Face // nil: nothing answers in Graph's place
	group     *serve.Group
	ops       *serve.Group // nil: there is no listener for health
	log       *slog.Logger
}

func (p *program) engineServe(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	s, err := p.openServer(c.Context, c.String("config"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.boundConnections(1)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	m, listening := serviceManager(), "listening on "+s.start()
	fmt.Fprintf(p.err, "mfabridge: engine is %s\n", listening)
	defer boundMemory(s.conf.Limits)()
	s.waker.start(c.Context)
	signing, stop := context.WithCancel(c.Context)
	var beside sync.WaitGroup
	keep := s.conf.Audit.KeepTime // before a reload puts another configuration there
	beside.Go(func() { s.keepAudit(signing, keep, s.log) })
	beside.Go(func() { m.live(signing, func() { s.look(signing) }) })
	m.tell("READY=1", status(listening, ""))
	failed := p.attend(c.Context, s, hangup, m)
	m.tell("STOPPING=1", status("answering what was read", ""))
	stop()
	beside.Wait()
	err = s.drain(c.Context)
	if failed == nil && err == nil {
		fmt.Fprintln(p.err, "mfabridge: engine has stopped; every request that was read is answered")
	}
	return errors.Join(failed, err)
}

// openServer opens all that a configuration names, or nothing. It serves
// nothing yet.
func (p *program) openServer(ctx context.Context, path string) (*engineServer, error) {
	return p.openServerAs(ctx, path, func(*config.Config) {})
}

// openServerAs is openServer of a configuration that is changed before.
func (p *program) openServerAs(ctx context.Context, path string, change func(*config.Config)) (_ *engineServer, err error) {
	s := &engineServer{p: p, path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.conf, err = config.Load(path); err != nil {
		return nil, &misconfigured{err}
	}
	change(s.conf)
	for _, line := range s.conf.Warnings {
		p.logger().Warn("configuration", "warning", line)
	}
	t, err := parseTarget("store", stores, s.conf.Store, s.conf.Key)
	if err != nil {
		return nil, err
	}
	if s.outbox, err = channel.OpenOutbox(t.outbox(), cloud.SMS); err != nil {
		return nil, err
	}
	log := p.logger()
	if s.delivery, err = openDelivery(s.conf.Channels, s.conf.PublicURL, s.outbox, p.now, log); err != nil {
		return nil, err
	}
	if s.embedded, err = p.openWith(ctx, t, sqlite.Options{}, s.delivery); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := s.delivery.attach(ctx, s.Engine); err != nil {
		return nil, err
	}
	if s.doors, err = p.openDoors(s.conf, log); err != nil {
		return nil, err
	}
	s.SetFraud(engine.Fraud{Block: s.conf.Fraud.BlockTime})
	if err := p.openPrimaries(s); err != nil {
		return nil, err
	}
	public, err := p.openPush(s, log)
	if err != nil {
		return nil, err
	}
	limits := s.conf.Limits
	s.faces, err = api.New(api.Options{Engine: s.Engine, Issuer: issuer(s.conf, s.doors), Life: s.conf.Tokens.LifeTime, Period: s.conf.Tokens.RotationTime,
		Limits: serve.Limits{InFlight: limits.InFlight, Heavy: limits.Heavy, Streams: limits.Streams}, Proxies: proxiesOf(s.conf),
		Pages: public, Channels: s.delivery.channels, PublicURL: s.conf.PublicURL, Public: publicURL(s.conf, s.doors), Now: p.now, Log: log})
	if err != nil {
		return nil, err
	}
	s.group, s.log = &serve.Group{Connections: limits.Connections, Log: log}, log
	for _, l := range proxiesOf(s.conf) {
		s.group.Spared = append(s.group.Spared, l.Networks...)
	}
	s.measure()
	if s.conf.Listeners.Graph != nil {
		if s.graph, err = p.graphFace(s, log); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// graphDoor is the listener that answers in Graph's place.
const graphDoor serve.Listener = "graph"

// graphFace is what answers in Graph's place.
func (p *program) graphFace(s *engineServer, log *slog.Logger) (*graph.Face, error) {
	assumed, err := graph.ParseAssumptions(s.conf.Listeners.Graph.Assume)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("listeners.graph.assume: %w", err), "docs/entra.md lists the switches")
	}
	f, err := graph.New(graph.Options{Core: s.Engine, Assume: assumed, Now: p.now, Log: log})
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("listeners.graph: %w", err), "make the store with: mfabridge engine init --as entra, or remove listeners.graph")
	}
	return f, nil
}

// checkServer opens the store of a configuration, and nothing that somebody
// else may have open.
func (p *program) checkServer(ctx context.Context, path string) (*embedded, error) {
	conf, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	t, err := parseTarget("store", stores, conf.Store, conf.Key)
	if err != nil {
		return nil, err
	}
	d, err := openDelivery(conf.Channels, conf.PublicURL, nil, p.now, p.logger()) // its secrets can be read
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	return p.open(ctx, t, sqlite.Options{})
}

// start serves, and tells where.
func (s *engineServer) start() string {
	var told []string
	for _, name := range []serve.Listener{serve.Pages, serve.API, serve.Ops} {
		if conn := s.doors.conns[name]; conn != nil {
			if name != serve.Ops {
				s.group.Start(conn, s.faces.Handler(name), s.doors.tls[name])
			}
			told = append(told, fmt.Sprintf("%s://%s (%s)", s.doors.scheme(name), conn.Addr(), name))
		}
	}
	s.openOps(s.log)
	if conn := s.doors.conns[graphDoor]; conn != nil {
		s.group.Start(conn, s.graph, s.doors.tls[graphDoor])
		told = append(told, fmt.Sprintf("%s://%s (%s)", s.doors.scheme(graphDoor), conn.Addr(), graphDoor))
	}
	return strings.Join(told, ", ")
}

// drain takes no new requests and waits for those that were read, also when
// ctx has ended.
func (s *engineServer) drain(ctx context.Context) error {
	s.faces.Drain()
	s.waker.close()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineDrain)
	defer cancel()
	err := s.group.Shutdown(limit)
	if s.ops != nil {
		err = errors.Join(err, s.ops.Shutdown(limit))
	}
	if err != nil {
		return fmt.Errorf("some requests were still unanswered after %s: %w", engineDrain, err)
	}
	return nil
}

// Close gives back what was opened, as far as that went.
func (s *engineServer) Close() error {
	var errs []error
	if s.faces != nil {
		errs = append(errs, s.faces.Close())
	}
	if s.doors != nil {
		s.doors.close()
	}
	s.delivery.halt()
	if s.embedded != nil {
		errs = append(errs, s.embedded.Close())
	}
	if s.primaries != nil {
		errs = append(errs, s.primaries.close())
	}
	errs = append(errs, s.delivery.Close())
	if s.outbox != nil {
		errs = append(errs, s.outbox.Close())
	}
	return errors.Join(errs...)
}

// attend waits for the end, and reads the configuration again on SIGHUP.
func (p *program) attend(ctx context.Context, s *engineServer, hangup <-chan os.Signal, m *manager) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.group.Failed():
			return err
		case <-hangup:
			m.reloading()
			said := "configuration and certificates were read again"
			now := status(said, "")
			if err := p.reload(ctx, s); err != nil {
				said = "configuration and certificates were not read again; those before stay"
				now = status(said, "the journal says why")
				p.logger().Error(said, "err", err, "hint", hint.Of(err))
			} else {
				fmt.Fprintln(p.err, "mfabridge: "+said)
			}
			m.tell("READY=1", now)
		}
	}
}

// reload takes the configuration as its file is now, or nothing of it.
func (p *program) reload(ctx context.Context, s *engineServer) error {
	p.binds.TryAgain()
	next, err := config.Load(s.path)
	if err != nil {
		return err
	}
	if err := s.conf.Follows(next); err != nil {
		return err
	}
	certs := map[serve.Listener]*serve.Certificate{}
	for name, l := range listenersOf(next) {
		if l.TLS == nil {
			continue
		}
		if certs[name], err = p.certificate(name, l.TLS, p.logger()); err != nil {
			return err
		}
	}
	if err := p.renew(ctx, s, next); err != nil {
		return err
	}
	for name, cert := range certs {
		s.doors.certs[name].Become(cert)
	}
	s.SetFraud(engine.Fraud{Block: next.Fraud.BlockTime})
	s.faces.SetTokens(next.Tokens.LifeTime, next.Tokens.RotationTime)
	s.conf = next
	return nil
}
