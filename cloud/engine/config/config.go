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
// Load is strict: unknown keys are refused with line and excerpt, what a key
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
	"mfabridge/internal/strictyaml"
)

// Config is the whole file.
type Config struct {
	// Store is sqlite:PATH or postgres://… of the engine's store.
	Store string `yaml:"store"`

	// Key says where the store's key is: file:PATH or env:NAME. Default:
	// PATH.key.
	Key string `yaml:"key"`

	Listeners Listeners `yaml:"listeners"`

	Tokens Tokens `yaml:"tokens"`

	Limits Limits `yaml:"limits"`

	Fraud Fraud `yaml:"fraud"`

	// Channels deliver codes: docs/delivery.md. Default: all lie in the outbox.
	Channels *channel.Config `yaml:"channels"`

	// Not built yet.
	Primaries any `yaml:"primaries"`
	PublicURL any `yaml:"public_url"`
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

	// TLS is needed unless the address is a loopback one. The files are read
	// again when they change, and on SIGHUP; it may name others then.
	TLS *TLS `yaml:"tls"`

	// Assume is of graph alone: NAME=VALUE for each switch of docs/entra.md.
	Assume []string `yaml:"assume"`

	// TrustedProxies are not built yet.
	TrustedProxies any `yaml:"trusted_proxies"`

	// Address is Listen, parsed.
	Address netip.AddrPort `yaml:"-"`
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

// Fraud says what follows when a user reports a login that is somebody else's.
type Fraud struct {
	Block string `yaml:"block"` // block the user for this time, 1m to 8760h; default: only report it

	BlockTime time.Duration `yaml:"-"` // 0: do not
}

// Limits bound what all callers of one listener take together. 0: the default.
type Limits struct {
	InFlight    int `yaml:"in_flight"`   // short requests at once; 256
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
	k := &check{Config: c, folder: folder}
	k.all()
	if len(k.problems) > 0 {
		return nil, errors.Join(k.problems...)
	}
	return c, nil
}
