package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/accounting"
	"mfabridge/shim/bypass"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
	"mfabridge/shim/observe"
)

// drainLimit is how long a stopping shim goes on with logins that it has read.
const drainLimit = 10 * time.Second

// accountingFile is how large a file of accounting grows. None is removed.
const accountingFile = 64 << 20

func (p *program) shimCommand() *cli.Command {
	configFlag := &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "shim.yaml", Usage: "`FILE` with the shim's configuration"}
	return &cli.Command{
		Name:  "shim",
		Usage: "answer RADIUS in the old server's place",
		Subcommands: []*cli.Command{
			{Name: "serve", Usage: "run until stopped; drains on SIGTERM", Flags: []cli.Flag{configFlag, keyFlag()}, Action: serving(p.shimServe)},
			{Name: "check", Usage: "check the configuration and the engine; starts nothing", Flags: []cli.Flag{configFlag, keyFlag()}, Action: p.shimCheck},
			p.shimImportCommand(),
			{Name: "test", Usage: "go through one login from the inside, step by step",
				Description: "Starts the configuration on a port of its own on the loopback, as one client of it, and logs a user in: with the\n" +
					"real first factor and the real engine, so that a push or a text goes out. The password comes from a file or the\n" +
					"environment, codes are read from the standard input.",
				Flags: []cli.Flag{configFlag, keyFlag(),
					&cli.StringFlag{Name: "user", Usage: "the `NAME` as a user types it"},
					&cli.StringFlag{Name: "client", Usage: "`NAME` of the client whose rules count"},
					&cli.StringFlag{Name: "password", Usage: "file:PATH or env:NAME with the first `PASSWORD`; left out: none"}},
				Action: p.shimTest},
			{Name: "selftest", Usage: "play hostile packets at a port of our own, as every client",
				Description: "Starts the configuration on a port of its own on the loopback and plays broken, forged and misplaced packets at it, as\n" +
					"each client. Nobody is logged in, and no message goes out. Any packet that is not met as it should be fails the test.",
				Flags: []cli.Flag{configFlag, keyFlag()}, Action: p.shimSelftest},
			p.shimBypassCommand(configFlag),
			{Name: "why", Usage: "explain what became of a login", ArgsUsage: "REQUEST|USER",
				Description: "Reads the events that a shim keeps under data, and shows the latest of a user, request, challenge, calling\n" +
					"station, address or client with the reason in words. A request is known by the first octets of its\n" +
					"authenticator, which every log line and every packet capture has.",
				Flags: []cli.Flag{configFlag, formatFlag()}, Action: p.shimWhy},
		},
	}
}

// shimParts is everything that a shim is wired from.
type shimParts struct {
	config    *config.Config
	engine    shimEngine
	primaries *primaries
	observed  *observe.Book // of those that listen
	endLog    func() error
	records   *journal.Journal // of accounting
	desk      *accounting.Desk
	log       *slog.Logger
	taken     *taking // the configuration
}

func (s *shimParts) Close() error {
	return errors.Join(s.primaries.close(), s.engine.Close(), s.records.Close(), s.endLog())
}

// shimConfig loads a configuration and says what is odd about it.
func (p *program) shimConfig(path string) (*config.Config, error) {
	conf, warnings, err := config.Load(path)
	for _, w := range warnings {
		fmt.Fprintf(p.err, "mfabridge: warning: %s\n", w)
	}
	if err != nil {
		return nil, &misconfigured{err}
	}
	return conf, nil
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
	p.tellUndelivered(conf, c.String("engine-key"))
	engine, err := engineServed(&conf.Engine)
	if err != nil {
		return err
	}
	sockets := socketsOf(conf, engine)
	if err := distinct(sockets); err != nil {
		return err
	}
	state, err := addressesFree(sockets)
	if err != nil {
		return err
	}
	if err := errors.Join(p.checkCertificates(conf, engine), dataUsable(conf.Data)); err != nil {
		return err
	}
	first, err := p.primaries(conf.FirstFactors())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, first.close()) }()
	if err := errors.Join(first.check(c.Context, p.out, ""), p.askInside(c.Context, engine)); err != nil {
		return err
	}
	p.adviseObserved(p.out, conf)
	if err := p.tellBypasses(p.out, conf); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nthe configuration is good, %s, and %s\n", opened, state)
	return nil
}

// tellUndelivered says where codes by text lie that nobody delivers, if a client
// may have any sent: one whose password field is the code has not.
func (p *program) tellUndelivered(conf *config.Config, key string) {
	asks := func(c config.Client) bool { return c.CodeEntry != config.Only }
	if conf.Engine.Store == "" || !slices.ContainsFunc(conf.RADIUS.Clients, asks) {
		return
	}
	if t, err := parseTarget("engine.store", stores, conf.Engine.Store, key); err == nil {
		fmt.Fprintf(p.out, "nobody delivers codes by text: they lie in %s; an engine at engine.config or engine.url has providers\n", t.outbox())
	}
}

// shimGCPercent is how much garbage a shim leaves at most, in percent of what
// lives: the replies that it keeps are many and live for half a minute.
const shimGCPercent = 60

func (p *program) shimServe(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(shimGCPercent))
	}
	parts, err := p.loadShim(c.Context, c.String("config"), c.String("engine-key"), p.shimEngine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	all, err := p.listen(parts)
	if err != nil {
		return err
	}
	all.manager = serviceManager()
	p.warnOfCertificates(parts.config, parts.log)
	if err := dataUsable(parts.config.Data); err != nil { // logins go on; what became of them is not kept
		parts.log.Warn("not all can be kept under data", "err", err.Error(), "hint", hint.Of(err))
	}
	beside, stop := context.WithCancel(c.Context)
	var others sync.WaitGroup
	others.Go(func() { p.keepObserved(beside, parts.observed) })
	if e, ok := parts.engine.(*storeEngine); ok {
		others.Go(func() { keepTidy(beside, e.Engine, parts.log) })
	}
	swap := &swapper{p: p, path: c.String("config"), parts: parts, ports: all}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anybody is told that the shim is ready
	defer signal.Stop(hangup)
	others.Go(func() { swap.attend(beside, hangup) })
	others.Go(func() { all.manager.live(beside, all.look) })
	err = p.serve(c.Context, all)
	stop()
	others.Wait()
	return err
}

// openEngine opens the engine that a shim's configuration names.
type openEngine func(ctx context.Context, conf *config.Engine, key string) (shimEngine, error)

// loadShim opens what a configuration names.
func (p *program) loadShim(ctx context.Context, path, key string, engine openEngine) (*shimParts, error) {
	conf, err := p.shimConfig(path)
	if err != nil {
		return nil, err
	}
	if err := tellApart(conf); err != nil {
		return nil, err
	}
	if err := conf.MakeKeys(); err != nil {
		return nil, err
	}
	endLog, log, err := p.shimLog(conf)
	if err != nil {
		return nil, err
	}
	e, err := engine(ctx, &conf.Engine, key)
	if err != nil {
		return nil, errors.Join(err, endLog())
	}
	first, err := p.primaries(conf.FirstFactors())
	if err != nil {
		return nil, errors.Join(err, e.Close(), endLog())
	}
	records, err := journal.Open(journal.Options{Folder: filepath.Join(conf.Data, "accounting"), MaxFile: accountingFile, Now: p.now})
	if err != nil {
		return nil, errors.Join(err, e.Close(), endLog(), first.close())
	}
	desk := accounting.New(records, first.relays(), p.now)
	return &shimParts{config: conf, engine: e, primaries: first, endLog: endLog, log: log, records: records, desk: desk, taken: newTaking(p.now())}, nil
}

// listen makes the server and opens all its ports, or none.
func (p *program) listen(parts *shimParts) (*ports, error) {
	boundRadSec(parts.config, parts.log)
	parts.observed = observed(parts.config, parts.log)
	server, err := shim.New(shim.Options{Config: parts.config, Verifier: parts.engine, Passwords: parts.engine,
		Primaries: parts.primaries.byName, Log: parts.log, Now: p.now, Observed: parts.observed, Accountant: parts.desk, Bypasses: bypass.Open(parts.config.Data, p.now)})
	if err != nil {
		return nil, err
	}
	all := &ports{p: p, parts: parts, server: server, ended: make(chan error, 1), gone: make(map[*port]bool)}
	made, err := all.openNew(parts.config)
	if err != nil {
		return nil, err
	}
	return all, all.take(parts.config, made)
}

// serve answers at all ports until ctx ends, then drains.
func (p *program) serve(ctx context.Context, all *ports) error {
	listening := "listening on " + all.begin()
	fmt.Fprintf(p.err, "mfabridge: shim is %s\n", listening)
	all.manager.tell("READY=1", status(listening, ""))
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-all.ended:
	}
	all.manager.tell("STOPPING=1", status("answering what was read", ""))
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	err := all.stop(limit)
	if failed != nil && !errors.Is(failed, shim.ErrServerClosed) {
		return errors.Join(failed, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("some logins were still unanswered after %s: %w", drainLimit, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.err, "mfabridge: shim has stopped; every login that was read is answered")
	return nil
}
