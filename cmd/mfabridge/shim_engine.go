package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel"
	engineconfig "mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote"
	"mfabridge/internal/hint"
	"mfabridge/shim/config"
)

// shimEngine is who a shim asks for the second factor, wherever it is.
type shimEngine interface {
	cloud.Verifier
	cloud.Passwords
	Close() error
}

var (
	_ shimEngine = (*storeEngine)(nil)
	_ shimEngine = (*servedEngine)(nil)
	_ shimEngine = (*quietEngine)(nil)
	_ shimEngine = (*remote.Client)(nil)
)

// shimEngine opens the engine that a shim's configuration names; one that is
// elsewhere may be away just now.
func (p *program) shimEngine(ctx context.Context, conf *config.Engine, key string) (shimEngine, error) {
	switch {
	case conf.RADIUS != nil:
		return p.npsEngine(conf.RADIUS)
	case conf.Entra != nil:
		return p.connectorEngine(conf.Entra)
	case conf.Native != nil:
		return p.externalEngine(conf.Native)
	case conf.URL != "":
		return p.farEngine(conf)
	case conf.Config != "":
		return p.servedEngine(ctx, conf)
	}
	return p.storeEngine(ctx, conf, key)
}

// storeEngine is an engine in this process, on its store.
type storeEngine struct {
	*embedded
	outbox *channel.Outbox
}

// Close implements shimEngine.
func (e *storeEngine) Close() error { return errors.Join(e.embedded.Close(), e.outbox.Close()) }

func (p *program) storeEngine(ctx context.Context, conf *config.Engine, key string) (*storeEngine, error) {
	t, err := parseTarget("engine.store", stores, conf.Store, key)
	if err != nil {
		return nil, err
	}
	outbox, err := channel.OpenOutbox(t.outbox(), cloud.SMS)
	if err != nil {
		return nil, err
	}
	e, err := p.openWith(ctx, t, sqlite.Options{}, delivery{outbox: outbox})
	if err != nil {
		return nil, errors.Join(err, outbox.Close())
	}
	return &storeEngine{embedded: e, outbox: outbox}, nil
}

// servedEngine is an engine in this process that answers others as well, and
// does all that engine serve does.
type servedEngine struct {
	*engineServer
	stop   context.CancelFunc
	beside sync.WaitGroup
}

// Close implements shimEngine: requests that were read are answered first.
func (e *servedEngine) Close() error {
	e.stop()
	e.beside.Wait()
	return errors.Join(e.drain(context.Background()), e.engineServer.Close())
}

func (p *program) servedEngine(ctx context.Context, conf *config.Engine) (*servedEngine, error) {
	s, err := p.openServer(ctx, conf.Config)
	if err != nil {
		return nil, inEngine(err)
	}
	s.boundConnections(2)
	fmt.Fprintf(p.err, "mfabridge: engine is listening on %s\n", s.start())
	e := &servedEngine{engineServer: s}
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx)) // logins that are drained need it
	s.waker.start(ctx)
	keep := s.conf.Audit.KeepTime // before a reload puts another configuration there
	e.beside.Go(func() { s.keepAudit(ctx, keep, s.log) })
	e.beside.Go(func() {
		select {
		case err := <-s.group.Failed():
			s.log.Error("a listener of the engine has ended: restart the shim", "err", err)
		case <-ctx.Done():
		}
	})
	return e, nil
}

// quietEngine is an engine in this process that answers nobody else.
type quietEngine struct{ *engineServer }

// Close implements shimEngine.
func (e *quietEngine) Close() error {
	return errors.Join(e.drain(context.Background()), e.engineServer.Close())
}

// engineBeside opens the engine that a shim's configuration names, for a program
// that may run beside that shim: it leaves the engine's own listeners alone.
func (p *program) engineBeside(ctx context.Context, conf *config.Engine, key string) (shimEngine, error) {
	if conf.Config == "" {
		return p.shimEngine(ctx, conf, key)
	}
	s, err := p.openServerAs(ctx, conf.Config, func(c *engineconfig.Config) {
		c.Listeners = engineconfig.Listeners{API: &engineconfig.Listener{Address: netip.MustParseAddrPort("127.0.0.1:0")}}
	})
	if err != nil {
		return nil, inEngine(err)
	}
	s.waker.start(ctx) // devices are to hear of a push
	return &quietEngine{s}, nil
}

// engineInside is the configuration of an engine that answers others as well;
// nil: it is none.
func engineInside(e shimEngine) *engineconfig.Config {
	if served, ok := e.(*servedEngine); ok {
		return served.conf
	}
	return nil
}

// askInside asks the first factors of an engine that a shim serves, as shim
// check asks the shim's own.
func (p *program) askInside(ctx context.Context, engine *engineconfig.Config) (err error) {
	if engine == nil {
		return nil
	}
	first, err := p.primaries(engine.FirstFactors())
	if err != nil {
		return inEngine(err)
	}
	defer func() { err = errors.Join(err, first.close()) }()
	return first.check(ctx, p.out, "engine.config: ")
}

// inEngine says of an error that the file at engine.config is its place.
func inEngine(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("engine.config: %w", err)
}

// farEngine is an engine elsewhere.
func (p *program) farEngine(conf *config.Engine) (*remote.Client, error) {
	c, err := remote.New(remote.Options{URL: conf.URL, ClientID: conf.ClientID, Secret: conf.Secret, CA: conf.Authorities, Now: p.now})
	if err != nil {
		return nil, fmt.Errorf("engine.url: %w", err)
	}
	return c, nil
}

// checkShimEngine tries what a shim will do with its engine, and says what came
// of it. It starts nothing.
func (p *program) checkShimEngine(ctx context.Context, conf *config.Engine, key string) (opened string, err error) {
	if conf.RADIUS != nil || conf.Entra != nil || conf.Native != nil {
		return p.checkForeign(ctx, conf)
	}
	if conf.URL != "" {
		far, err := p.farEngine(conf)
		if err != nil {
			return "", err
		}
		// An empty look proves address, certificate, secret and role.
		_, err = far.Look(ctx, nil)
		if err = errors.Join(err, far.Close()); err != nil {
			return "", hint.Default(fmt.Errorf("engine.url: %w", err), "check url, ca, client_id and client_secret, and that the application has the role shim")
		}
		return "the engine lets this shim in", nil
	}
	at, opened := "engine.store", "the engine's store opens"
	var e interface{ Close() error }
	if conf.Config != "" {
		at = "engine.config"
		e, err = p.checkServer(ctx, conf.Config)
	} else {
		var t place
		if t, err = parseTarget("engine.store", stores, conf.Store, key); err == nil {
			e, err = p.open(ctx, t, sqlite.Options{})
		}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", at, err)
	}
	return opened, e.Close()
}
