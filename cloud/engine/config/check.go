package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/strictyaml"
)

// Defaults and bounds of times.
const (
	lifeDefault, lifeLeast, lifeMost             = 30 * time.Minute, time.Minute, time.Hour
	rotationDefault, rotationLeast, rotationMost = 720 * time.Hour, 4 * time.Hour, 8760 * time.Hour
)

// maxLimit is the largest number that a limit may be.
const maxLimit = 100_000

// check goes over a configuration, completes it and collects what is wrong.
type check struct {
	*Config
	folder   string
	problems []error
}

func (k *check) refuse(advice, format string, args ...any) {
	k.problems = append(k.problems, hint.New(fmt.Sprintf(format, args...), advice))
}

func (k *check) unbuilt(key string, set bool) {
	if set {
		k.refuse("remove it", "%s is not built into this version", key)
	}
}

func (k *check) all() {
	k.store()
	k.unbuilt("primaries", k.Primaries != nil)
	if k.Channels != nil {
		k.problems = append(k.problems, k.Channels.Check(k.folder)...)
	}
	k.unbuilt("public_url", k.PublicURL != nil)
	if k.Listeners.API == nil {
		k.refuse("write for example listeners: {api: {listen: 127.0.0.1:8443}}", "listeners.api is missing, so nobody could ask")
	}
	k.listener("pages", k.Listeners.Pages)
	k.listener("api", k.Listeners.API)
	k.listener("ops", k.Listeners.Ops)
	k.listener("graph", k.Listeners.Graph)
	k.Tokens.LifeTime = k.duration("tokens.life", k.Tokens.Life, lifeDefault, lifeLeast, lifeMost)
	k.Tokens.RotationTime = k.duration("tokens.rotation", k.Tokens.Rotation, rotationDefault, rotationLeast, rotationMost)
	k.Fraud.BlockTime = k.duration("fraud.block", k.Fraud.Block, 0, time.Minute, 8760*time.Hour)
	k.number("limits.in_flight", k.Limits.InFlight)
	k.number("limits.heavy", k.Limits.Heavy)
	k.number("limits.streams", k.Limits.Streams)
	k.number("limits.connections", k.Limits.Connections)
}

func (k *check) store() {
	switch path, ok := strings.CutPrefix(k.Store, "sqlite:"); {
	case strings.HasPrefix(k.Store, "postgres://") || strings.HasPrefix(k.Store, "postgresql://"):
		if k.Key == "" {
			k.refuse("write key: file:PATH", "key is missing: a store in PostgreSQL has none beside it")
		}
	case k.Store == "":
		k.refuse("write store: sqlite:PATH", "store is missing")
	case !ok || path == "":
		k.refuse("write store: sqlite:PATH", "store is not of the form sqlite:PATH or postgres://USER@HOST/DATABASE")
	}
	k.Store = strictyaml.Resolve(k.Store, "sqlite", k.folder)
	if k.Key != "" && !strings.HasPrefix(k.Key, "file:") && !strings.HasPrefix(k.Key, "env:") {
		k.refuse("write file:PATH or env:NAME, never the key itself", "key does not say where the store's key is")
	}
	k.Key = strictyaml.Resolve(k.Key, "file", k.folder)
}

func (k *check) listener(name string, l *Listener) {
	if l == nil {
		return
	}
	at := "listeners." + name
	a, err := netip.ParseAddrPort(l.Listen)
	if err != nil {
		k.refuse(`write an address and a port: "0.0.0.0:8443", "127.0.0.1:9090" or "[::1]:9090"`, "%s.listen: %q is not an address with a port", at, l.Listen)
		return
	}
	l.Address = a
	k.unbuilt(at+".trusted_proxies", l.TrustedProxies != nil)
	if len(l.Assume) > 0 && name != "graph" {
		k.refuse("remove it", "%s.assume means nothing: only graph assumes something", at)
	}
	switch {
	case l.TLS == nil && !a.Addr().Unmap().IsLoopback():
		k.refuse("give it tls: {cert: FILE, key: FILE}, or listen on 127.0.0.1", "%s listens on %s without TLS", at, l.Listen)
	case l.TLS != nil && (l.TLS.Cert == "" || l.TLS.Key == ""):
		k.refuse("name both files", "%s.tls needs cert and key", at)
	case l.TLS != nil:
		l.TLS.Cert, l.TLS.Key = k.path(l.TLS.Cert), k.path(l.TLS.Key)
	}
	switch {
	case l.URL != "" && name != "api":
		k.refuse("remove it", "%s.url means nothing: only api is called by its address", at)
	case l.URL != "":
		k.url(at, l)
	case name == "api" && a.Addr().IsUnspecified():
		k.refuse("write url: https://HOST:PORT", "%s.url is missing: no caller can use %s as an address", at, l.Listen)
	}
}

func (k *check) url(at string, l *Listener) {
	scheme := "https"
	if l.TLS == nil {
		scheme = "http"
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" || u.Scheme != scheme {
		k.refuse("write "+scheme+"://HOST or "+scheme+"://HOST:PORT, and nothing behind it", "%s.url is not the address of this listener", at)
	}
	l.URL = strings.TrimRight(l.URL, "/")
}

// path makes the path of a file absolute.
func (k *check) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(k.folder, p)
}

func (k *check) duration(key, text string, unset, least, most time.Duration) time.Duration {
	if text == "" {
		return unset
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		k.refuse(fmt.Sprintf("write a time from %v to %v, e.g. %v", least, most, max(unset, least)), "%s cannot be %q", key, text)
	}
	return d
}

func (k *check) number(key string, n int) {
	if n < 0 || n > maxLimit {
		k.refuse(fmt.Sprintf("write a number up to %d, or 0 for the default", maxLimit), "%s cannot be %d", key, n)
	}
}
