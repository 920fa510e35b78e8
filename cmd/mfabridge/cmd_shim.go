package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
	"mfabridge/shim/observe"
)

// drainLimit is how long a stopping shim goes on with logins that it has read.
const drainLimit = 10 * time.Second

func (p *program) shimCommand() *cli.Command {
	configFlag := &cli.StringFlag{Name: "config", Aliases: []string{"c"}, EnvVars: env("config"), Value: "shim.yaml", Usage: "`FILE` with the shim's configuration"}
	formatFlag := &cli.StringFlag{Name: "format", EnvVars: env("format"), Value: "text", Usage: "`FORMAT` of the output: text or json"}
	return &cli.Command{
		Name:  "shim",
		Usage: "answer RADIUS in the old server's place",
		Subcommands: []*cli.Command{
			{Name: "serve", Usage: "run until stopped; drains on SIGTERM", Flags: []cli.Flag{configFlag, keyFlag()}, Action: p.shimServe},
			{Name: "check", Usage: "check the configuration and the engine; starts nothing", Flags: []cli.Flag{configFlag, keyFlag()}, Action: p.shimCheck},
			{Name: "why", Usage: "explain what became of a login", ArgsUsage: "REQUEST|USER",
				Description: "Reads the events that a shim keeps under data, and shows the latest of a user, request, challenge, calling\n" +
					"station, address or client with the reason in words. A request is known by the first octets of its\n" +
					"authenticator, which every log line and every packet capture has.",
				Flags: []cli.Flag{configFlag, formatFlag}, Action: p.shimWhy},
		},
	}
}

// shimParts is everything that a shim is wired from.
type shimParts struct {
	config    *config.Config
	engine    shimEngine
	primaries *primaries
	observed  *observe.Book
	events    *journal.Journal
	log       *slog.Logger
}

func (s *shimParts) Close() error {
	return errors.Join(s.primaries.close(), s.engine.Close(), s.events.Close())
}

// shimConfig loads a configuration and says what is odd about it.
func (p *program) shimConfig(path string) (*config.Config, error) {
	conf, warnings, err := config.Load(path)
	for _, w := range warnings {
		fmt.Fprintf(p.err, "mfabridge: warning: %s\n", w)
	}
	return conf, err
}

func (p *program) shimCheck(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	conf, err := p.shimConfig(c.String("config"))
	if err != nil {
		return err
	}
	opened, err := p.checkShimEngine(c.Context, &conf.Engine, c.String("engine-key"))
	if err != nil {
		return err
	}
	if err := conf.Summary(p.out); err != nil {
		return err
	}
	state := "the addresses are free"
	for _, address := range conf.RADIUS.Addresses {
		conn, err := shim.Listen(address)
		if errors.Is(err, syscall.EADDRINUSE) {
			state = address.String() + " is in use, perhaps by the shim that this configuration is for"
			continue
		}
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	first, err := p.primaries(conf)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, first.close()) }()
	if err := first.check(c.Context, p.out); err != nil {
		return err
	}
	if err := p.adviseObserved(p.out, conf); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nthe configuration is good, %s, and %s\n", opened, state)
	return nil
}

func (p *program) shimServe(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	parts, err := p.loadShim(c.Context, c.String("config"), c.String("engine-key"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	server, conns, err := p.listen(parts)
	if err != nil {
		return err
	}
	beside, stop := context.WithCancel(c.Context)
	var others sync.WaitGroup
	others.Go(func() { p.keepObserved(beside, parts.observed) })
	swap := &swapper{p: p, path: c.String("config"), parts: parts, server: server}
	others.Go(func() { swap.attend(beside) })
	err = p.serve(c.Context, server, conns)
	stop()
	others.Wait()
	return err
}

// loadShim opens what a configuration names.
func (p *program) loadShim(ctx context.Context, path, key string) (*shimParts, error) {
	conf, err := p.shimConfig(path)
	if err != nil {
		return nil, err
	}
	if err := conf.MakeKeys(); err != nil {
		return nil, err
	}
	book, err := observed(conf)
	if err != nil {
		return nil, err
	}
	events, log, err := p.shimLog(conf)
	if err != nil {
		return nil, err
	}
	e, err := p.shimEngine(ctx, &conf.Engine, key)
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	first, err := p.primaries(conf)
	if err != nil {
		return nil, errors.Join(err, e.Close(), events.Close())
	}
	return &shimParts{config: conf, engine: e, primaries: first, observed: book, events: events, log: log}, nil
}

// listen makes the server and opens all its sockets, or none.
func (p *program) listen(parts *shimParts) (*shim.Server, []net.PacketConn, error) {
	server, err := shim.New(shim.Options{Config: parts.config, Verifier: parts.engine, Passwords: parts.engine,
		Primaries: parts.primaries.byName, Log: parts.log, Now: p.now, Observed: parts.observed})
	if err != nil {
		return nil, nil, err
	}
	var conns []net.PacketConn
	for _, address := range parts.config.RADIUS.Addresses {
		conn, err := shim.Listen(address)
		if err != nil {
			for _, open := range conns {
				err = errors.Join(err, open.Close())
			}
			return nil, nil, err
		}
		conns = append(conns, conn)
	}
	return server, conns, nil
}

// serve answers on all sockets until ctx ends, then drains.
func (p *program) serve(ctx context.Context, server *shim.Server, conns []net.PacketConn) error {
	ended := make(chan error, len(conns))
	var addresses []string
	for _, conn := range conns {
		addresses = append(addresses, conn.LocalAddr().String())
		go func() { ended <- server.Serve(conn) }()
	}
	fmt.Fprintf(p.err, "mfabridge: shim is listening on %s\n", strings.Join(addresses, ", "))
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-ended:
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	err := server.Shutdown(limit)
	if failed != nil && !errors.Is(failed, shim.ErrServerClosed) {
		return errors.Join(failed, err)
	}
	if err != nil {
		return fmt.Errorf("some logins were still unanswered after %s: %w", drainLimit, err)
	}
	fmt.Fprintln(p.err, "mfabridge: shim has stopped; every login that was read is answered")
	return nil
}
