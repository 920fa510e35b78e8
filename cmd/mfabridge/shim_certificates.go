package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	engineconfig "mfabridge/cloud/engine/config"
	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
	"mfabridge/shim/config"
)

// renewal is how long before its end a certificate should have a successor.
const renewal = 14 * 24 * time.Hour

// certificatesOf are those that a shim shows, by their place in its
// configuration.
func certificatesOf(conf *config.Config) map[string]tls.Certificate {
	all := make(map[string]tls.Certificate)
	if r := conf.RADIUS.RadSec; r != nil {
		all["radius.radsec.cert"] = r.Certificate
	}
	servers := func(at string, list []firstfactor.Server) {
		for i, s := range list {
			if s.TLS != nil {
				all[fmt.Sprintf("%s.servers[%d].tls.cert", at, i)] = s.TLS.Certificate
			}
		}
	}
	for name, p := range conf.Primaries {
		servers("primaries."+name, p.Servers)
	}
	if n := conf.Engine.RADIUS; n != nil {
		servers("engine.radius", n.Servers)
	}
	maps.DeleteFunc(all, func(_ string, c tls.Certificate) bool { return c.Leaf == nil })
	return all
}

// outOfDate says of a certificate that nobody takes now why that is so.
func (p *program) outOfDate(at string, c tls.Certificate) error {
	switch end := c.Leaf.NotAfter.UTC(); {
	case !p.now().Before(end):
		return hint.New(fmt.Sprintf("%s: the certificate ended %s", at, end.Format(time.DateTime)), "renew it; SIGHUP has a running shim take the new one")
	case p.now().Before(c.Leaf.NotBefore):
		return hint.New(fmt.Sprintf("%s: the certificate begins only %s", at, c.Leaf.NotBefore.UTC().Format(time.DateTime)), "is the clock of this host right?")
	}
	return nil
}

// checkCertificates says of the certificates that the shim shows, and the
// engine that it serves, when they end; one that cannot be used is an error.
func (p *program) checkCertificates(conf *config.Config, engine *engineconfig.Config) error {
	var problems []error
	all := certificatesOf(conf)
	if engine != nil {
		for name, l := range listenersOf(engine) {
			if l.TLS == nil {
				continue
			}
			at := fmt.Sprintf("engine.config: listeners.%s.tls.cert", name)
			if _, err := p.certificate(name, l.TLS, p.logger()); err != nil {
				problems = append(problems, inEngine(err))
			} else if all[at], err = regular.Pair(l.TLS.Cert, l.TLS.Key); err != nil {
				problems = append(problems, inEngine(err))
				delete(all, at)
			}
		}
	}
	for _, at := range slices.Sorted(maps.Keys(all)) {
		if err := p.outOfDate(at, all[at]); err != nil {
			problems = append(problems, err)
		} else if end := all[at].Leaf.NotAfter.UTC(); end.Sub(p.now()) < renewal {
			fmt.Fprintf(p.out, "%s: the certificate ends %s\n", at, end.Format(time.DateTime))
		}
	}
	return errors.Join(problems...)
}

// warnOfCertificates says in a log what is wrong with the dates of certificates
// that a shim shows: it starts nevertheless, since there may be other ways in.
func (p *program) warnOfCertificates(conf *config.Config, log *slog.Logger) {
	all := certificatesOf(conf)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		if err := p.outOfDate(at, all[at]); err != nil {
			log.Warn("certificate", "err", err.Error(), "hint", hint.Of(err))
		}
	}
}

// newCertificates refuses certificates that nobody takes now, and that were not
// there before, wherever.
func (p *program) newCertificates(before, next *config.Config) error {
	old, now := certificatesOf(before), certificatesOf(next)
	var problems []error
	for _, at := range slices.Sorted(maps.Keys(now)) {
		had := slices.ContainsFunc(slices.Collect(maps.Values(old)), func(c tls.Certificate) bool { return bytes.Equal(c.Leaf.Raw, now[at].Leaf.Raw) })
		if !had {
			problems = append(problems, p.outOfDate(at, now[at]))
		}
	}
	return errors.Join(problems...)
}
