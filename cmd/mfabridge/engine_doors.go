package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"syscall"

	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/hint"
)

// doors are the listeners of a configuration, opened.
type doors struct {
	conns map[serve.Listener]net.Listener
	tls   map[serve.Listener]*tls.Config
	certs map[serve.Listener]*serve.Certificate
}

// openDoors opens all listeners, or none.
func (p *program) openDoors(conf *config.Config, log *slog.Logger) (*doors, error) {
	d := &doors{conns: map[serve.Listener]net.Listener{}, tls: map[serve.Listener]*tls.Config{},
		certs: map[serve.Listener]*serve.Certificate{}}
	for name, l := range listenersOf(conf) {
		if l.TLS != nil {
			cert, err := p.certificate(name, l.TLS, log)
			if err != nil {
				d.close()
				return nil, err
			}
			d.certs[name] = cert
			d.tls[name] = cert.Config()
		}
		conn, err := openDoor(name, l)
		if err != nil {
			d.close()
			return nil, err
		}
		d.conns[name] = conn
	}
	return d, nil
}

// openDoor opens one listener.
func openDoor(name serve.Listener, l *config.Listener) (net.Listener, error) {
	conn, err := net.Listen("tcp", l.Address.String())
	if err == nil {
		return conn, nil
	}
	advice := "another program has that address, or this machine has not"
	if errors.Is(err, syscall.EACCES) {
		advice = "ports below 1024 need a privilege: CAP_NET_BIND_SERVICE, which packaging/mfabridge-engine.service gives"
	}
	return nil, hint.Wrap(fmt.Errorf("listeners.%s: %w", name, err), advice)
}

// close ends the listeners. Those that were served are closed already.
func (d *doors) close() {
	for _, conn := range d.conns {
		_ = conn.Close()
	}
}

func (d *doors) scheme(l serve.Listener) string {
	if d.tls[l] != nil {
		return "https"
	}
	return "http"
}

// listenersOf are the listeners that a configuration has.
func listenersOf(conf *config.Config) map[serve.Listener]*config.Listener {
	all := map[serve.Listener]*config.Listener{serve.Pages: conf.Listeners.Pages, serve.API: conf.Listeners.API, serve.Ops: conf.Listeners.Ops,
		graphDoor: conf.Listeners.Graph}
	maps.DeleteFunc(all, func(_ serve.Listener, l *config.Listener) bool { return l == nil })
	return all
}

func (p *program) certificate(name serve.Listener, files *config.TLS, log *slog.Logger) (*serve.Certificate, error) {
	cert, err := serve.LoadCertificate(files.Cert, files.Key, p.now, func(err error) {
		log.Error("the certificate was not read again; the one before stays", "listener", name, "err", err)
	})
	if err != nil {
		return nil, fmt.Errorf("listeners.%s.tls: %w", name, err)
	}
	return cert, nil
}

// proxiesOf says for each listener whose word on addresses counts.
func proxiesOf(conf *config.Config) map[serve.Listener]serve.Proxies {
	all := map[serve.Listener]serve.Proxies{}
	for name, l := range listenersOf(conf) {
		if len(l.Proxies) > 0 {
			all[name] = serve.Proxies{Networks: l.Proxies, Only: l.Proxied()}
		}
	}
	return all
}

// issuer is the address of the api listener as callers know it.
func issuer(conf *config.Config, d *doors) string {
	if conf.Listeners.API.URL != "" {
		return conf.Listeners.API.URL
	}
	return d.scheme(serve.API) + "://" + d.conns[serve.API].Addr().String()
}

// publicURL is the address of the pages listener as people know it; empty: there
// is none.
func publicURL(conf *config.Config, d *doors) string {
	switch conn := d.conns[serve.Pages]; {
	case conf.PublicURL != "":
		return conf.PublicURL
	case conn != nil:
		return d.scheme(serve.Pages) + "://" + conn.Addr().String()
	}
	return ""
}
