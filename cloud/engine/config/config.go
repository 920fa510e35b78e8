// Package config is the configuration of the engine's server, engine.yaml, as
// plain structs whose field comments are the operator's manual.
//
//	store: sqlite:cloud.db
//	listeners:
//	  api:
//	    listen: 0.0.0.0:8443
//	    url: https://engine.contoso.example:8443
//	    tls: {cert: engine.crt, key: engine.key}
//	  ops: {listen: 127.0.0.1:9090}
//
// Load is strict: unknown keys are refused by line and name, what a key
// could say but this version cannot do is refused by name, and http is for
// loopback addresses only. Relative paths count from the folder of the file.
// Users, policy and applications are not here: they live in the store.
package config

import (
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/confcheck"
	"mfabridge/internal/strictyaml"
)

// Config is the whole file.
type Config struct {
	// Store is sqlite:PATH or postgres://… of the engine's store.
	Store string `yaml:"store"`

	// Key says where the store's key is: file:PATH or env:NAME; or
	// age:IDENTITYFILE for PATH.key.age, age:IDENTITYFILE,KEYFILE for one
	// elsewhere. Default: PATH.key.
	Key string `yaml:"key"`

	Listeners Listeners `yaml:"listeners"`

	Tokens Tokens `yaml:"tokens"`

	Limits Limits `yaml:"limits"`

	Fraud Fraud `yaml:"fraud"`

	Audit Audit `yaml:"audit"`

	// Channels deliver codes: docs/delivery.md. Default: all lie in the outbox.
	Channels *channel.Config `yaml:"channels"`

	// PublicURL is the address of the pages listener as people know it:
	// https://HOST[:PORT]. Links that they get begin with it. Default: none, and
	// no links are given out.
	PublicURL string `yaml:"public_url"`

	// Primaries are who proves passwords that the engine does not keep, by name:
	// the same block as in shim.yaml (docs/shim.md).
	Primaries map[string]*firstfactor.Primary `yaml:"primaries"`

	// Usernames as in shim.yaml: domains of the names that people type.
	Usernames firstfactor.Usernames `yaml:"usernames"`

	// SignIn is whose passwords count where nobody else is named: engine
	// (default), those that the engine keeps, or a name under primaries.
	SignIn string `yaml:"sign_in"`

	// Push has devices woken through push services. Default: they are not.
	Push *Push `yaml:"push"`

	// Warnings are sentences for the operator.
	Warnings []string `yaml:"-"`
}

// FirstFactors are the blocks of who proves passwords, together.
func (c *Config) FirstFactors() firstfactor.Config {
	return firstfactor.Config{Primaries: c.Primaries, Usernames: &c.Usernames}
}

// Listeners are the engine's doors. One that is left out is not opened; api
// must be there.
type Listeners struct {
	Pages *Listener `yaml:"pages"` // people; public
	API   *Listener `yaml:"api"`   // programs with tokens
	Ops   *Listener `yaml:"ops"`   // health; without tokens, so keep it inside
	Graph *Listener `yaml:"graph"` // answers in Microsoft Graph's place; only over a store that rehearses Entra ID
}

// Listener is one door.
type Listener struct {
	// Listen is an address with port: "0.0.0.0:8443", "[::1]:9090".
	Listen string `yaml:"listen"`

	// URL is the address of the api listener as its callers know it, and the
	// issuer of tokens: https://HOST[:PORT]. Default: the address that it
	// listens on.
	URL string `yaml:"url"`

	// TLS is needed unless the address is a loopback one, or the listener is
	// pages behind trusted_proxies on a private address. The files are read
	// again when they change, and on SIGHUP; it may name others then.
	TLS *TLS `yaml:"tls"`

	// Assume is of graph alone: NAME=VALUE for each switch of docs/entra.md.
	Assume []string `yaml:"assume"`

	// TrustedProxies, of pages and api, are networks or addresses whose
	// X-Forwarded-For or Forwarded says where a request comes from. A pages
	// listener without TLS on another address than a loopback one answers
	// nobody else.
	TrustedProxies []string `yaml:"trusted_proxies"`

	// Proxies is TrustedProxies, parsed.
	Proxies []netip.Prefix `yaml:"-"`

	// Address is Listen, parsed.
	Address netip.AddrPort `yaml:"-"`
}

// Proxied tells whether the listener answers proxies alone: it speaks no TLS,
// and others than this machine reach it.
func (l *Listener) Proxied() bool {
	a := l.Address.Addr().Unmap()
	return l.TLS == nil && len(l.Proxies) > 0 && a.IsPrivate()
}

// TLS is a certificate with its key, as PEM files.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Tokens say how long access tokens and their keys live.
type Tokens struct {
	Life     string `yaml:"life"`     // of a token, 1m to 1h; default 30m
	Rotation string `yaml:"rotation"` // of a signing key, 4h to 8760h; default 720h

	LifeTime     time.Duration `yaml:"-"`
	RotationTime time.Duration `yaml:"-"`
}

// Audit says what becomes of the audit.
type Audit struct {
	Keep string `yaml:"keep"` // remove entries that are older, once a day, 168h to 175200h; default: they stay

	KeepTime time.Duration `yaml:"-"` // 0: they stay
}

// Fraud says what follows when a user reports a login that is somebody else's.
type Fraud struct {
	Block string `yaml:"block"` // block the user for this time, 1m to 8760h; default: only report it

	BlockTime time.Duration `yaml:"-"` // 0: do not
}

// Limits bound what all callers of one listener take together. 0: the default.
type Limits struct {
	InFlight    int `yaml:"in_flight"`   // short requests at once; 512
	Heavy       int `yaml:"heavy"`       // of them with large bodies; 8
	Streams     int `yaml:"streams"`     // open streams and waits; 1024
	Connections int `yaml:"connections"` // of each listener; 4096
}

func file() strictyaml.Kind {
	return strictyaml.Kind{Name: "engine configuration", Manual: "docs/engine.md",
		Empty: "it needs at least store and listeners.api"}
}

// Load reads, checks and completes a configuration file. The error joins
// everything that is wrong.
func Load(path string) (*Config, error) {
	text, folder, err := file().Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(text, filepath.Base(path), folder)
}

// Parse is [Load] of text that was read already.
func Parse(text []byte, name, folder string) (*Config, error) {
	c := new(Config)
	if err := file().Decode(text, name, c); err != nil {
		return nil, err
	}
	k := &check{Config: c, Check: confcheck.Check{Folder: folder}}
	k.all()
	if len(k.Problems) > 0 {
		return nil, errors.Join(k.Problems...)
	}
	c.Warnings = k.Check.Warnings
	return c, nil
}
