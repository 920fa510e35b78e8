package main

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/shim/config"
)

// A certificate that has ended is no reason to refuse a configuration in which it
// only moves, for a server in front of it that is gone; a new one is.
func TestOnlyNewCertificatesAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := &program{now: func() time.Time { return now }}
	server := func(raw string, left time.Duration) firstfactor.Server {
		return firstfactor.Server{TLS: &firstfactor.ServerTLS{Certificate: tls.Certificate{Leaf: &x509.Certificate{Raw: []byte(raw), NotAfter: now.Add(left)}}}}
	}
	of := func(servers ...firstfactor.Server) *config.Config {
		return &config.Config{Primaries: map[string]*firstfactor.Primary{"old": {Servers: servers}}}
	}
	good, ended, other := server("good", time.Hour), server("ended", -time.Hour), server("other", -time.Hour)
	before := of(good, ended)
	for name, c := range map[string]struct {
		next    *config.Config
		refused bool
	}{
		"as before":       {of(good, ended), false},
		"moved":           {of(ended), false},
		"the other way":   {of(ended, good), false},
		"new":             {of(good, other), true},
		"new, and moved":  {of(other, ended), true},
		"new, in a place": {of(good, ended, other), true},
	} {
		if err := p.newCertificates(before, c.next); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
