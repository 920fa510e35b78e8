package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/http/api"
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
		Description: "Reads engine.yaml (docs/engine.md). On SIGHUP, and when their files change, certificates are read again;\n" +
			"one that cannot be used leaves the one before in place. The API is described in docs/api.md.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, EnvVars: env("config"), Value: "engine.yaml", Usage: "`FILE` with the engine's configuration"},
		},
		Action: p.engineServe,
	}
}

// doors are the listeners of a configuration, opened.
type doors struct {
	conns map[serve.Listener]net.Listener
	tls   map[serve.Listener]*tls.Config
	certs []*serve.Certificate
}

func (p *program) engineServe(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	conf, err := config.Load(c.String("config"))
	if err != nil {
		return err
	}
	t, err := parseTarget("store", conf.Store, conf.Key)
	if err != nil {
		return err
	}
	log := p.logger()
	outbox, err := channel.OpenOutbox(t.outbox(), cloud.SMS)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	e, err := p.openWith(c.Context, t, sqlite.Options{}, map[cloud.Preference]engine.Sender{cloud.SMS: outbox})
	if err != nil {
		return hint.Wrap(fmt.Errorf("store: %w", err), hint.Of(err))
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	open, err := p.openDoors(conf, log)
	if err != nil {
		return err
	}
	faces, err := api.New(api.Options{Engine: e.Engine, Issuer: issuer(conf, open), Life: conf.Tokens.LifeTime, Period: conf.Tokens.RotationTime,
		Limits: serve.Limits{InFlight: conf.Limits.InFlight, Heavy: conf.Limits.Heavy, Streams: conf.Limits.Streams}, Now: p.now, Log: log})
	if err != nil {
		return errors.Join(err, open.close())
	}
	defer func() { err = errors.Join(err, faces.Close()) }()
	return p.answer(c.Context, conf, open, faces, log)
}

// openDoors opens all listeners, or none.
func (p *program) openDoors(conf *config.Config, log *slog.Logger) (*doors, error) {
	d := &doors{conns: map[serve.Listener]net.Listener{}, tls: map[serve.Listener]*tls.Config{}}
	for name, l := range map[serve.Listener]*config.Listener{serve.Pages: conf.Listeners.Pages, serve.API: conf.Listeners.API, serve.Ops: conf.Listeners.Ops} {
		if l == nil {
			continue
		}
		if l.TLS != nil {
			cert, err := serve.LoadCertificate(l.TLS.Cert, l.TLS.Key, p.now, func(err error) {
				log.Error("the certificate was not read again; the one before stays", "listener", name, "err", err)
			})
			if err != nil {
				return nil, errors.Join(hint.Wrap(fmt.Errorf("listeners.%s.tls: %w", name, err), hint.Of(err)), d.close())
			}
			d.certs = append(d.certs, cert)
			d.tls[name] = cert.Config()
		}
		conn, err := net.Listen("tcp", l.Address.String())
		if err != nil {
			return nil, errors.Join(hint.Wrap(fmt.Errorf("listeners.%s: %w", name, err), "another program has that address, or this machine has not"), d.close())
		}
		d.conns[name] = conn
	}
	return d, nil
}

func (d *doors) close() error {
	var errs []error
	for _, conn := range d.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// issuer is the address of the api listener as callers know it.
func issuer(conf *config.Config, d *doors) string {
	if conf.Listeners.API.URL != "" {
		return conf.Listeners.API.URL
	}
	return d.scheme(serve.API) + "://" + d.conns[serve.API].Addr().String()
}

func (d *doors) scheme(l serve.Listener) string {
	if d.tls[l] != nil {
		return "https"
	}
	return "http"
}

// answer serves until ctx ends, then drains.
func (p *program) answer(ctx context.Context, conf *config.Config, d *doors, faces *api.API, log *slog.Logger) error {
	group := &serve.Group{Connections: conf.Limits.Connections, Log: log}
	var told []string
	for _, name := range []serve.Listener{serve.Pages, serve.API, serve.Ops} {
		if conn := d.conns[name]; conn != nil {
			group.Start(conn, faces.Handler(name), d.tls[name])
			told = append(told, fmt.Sprintf("%s://%s (%s)", d.scheme(name), conn.Addr(), name))
		}
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	fmt.Fprintf(p.err, "mfabridge: engine is listening on %s\n", strings.Join(told, ", "))
	failed := p.attend(ctx, d, group, hangup)
	faces.Drain()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineDrain)
	defer cancel()
	err := group.Shutdown(limit)
	if err != nil {
		err = fmt.Errorf("some requests were still unanswered after %s: %w", engineDrain, err)
	}
	if failed == nil && err == nil {
		fmt.Fprintln(p.err, "mfabridge: engine has stopped; every request that was read is answered")
	}
	return errors.Join(failed, err)
}

// attend waits for the end, and reads certificates again on SIGHUP.
func (p *program) attend(ctx context.Context, d *doors, group *serve.Group, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-group.Failed():
			return err
		case <-hangup:
			var errs []error
			for _, cert := range d.certs {
				errs = append(errs, cert.Reload())
			}
			if err := errors.Join(errs...); err != nil {
				p.logger().Error("certificates were not read again; those before stay", "err", err)
			} else {
				fmt.Fprintln(p.err, "mfabridge: certificates were read again")
			}
		}
	}
}
