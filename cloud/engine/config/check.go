package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/internal/confcheck"
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
	confcheck.Check
}

func (k *check) all() {
	k.store()
	k.primaries()
	if k.Channels != nil {
		k.Add(k.Channels.Check(k.Folder)...)
	}
	k.publicURL()
	if k.Listeners.API == nil {
		k.Refuse("write for example listeners: {api: {listen: 127.0.0.1:8443}}", "listeners.api is missing, so nobody could ask")
	}
	k.listener("pages", k.Listeners.Pages)
	k.listener("api", k.Listeners.API)
	k.listener("ops", k.Listeners.Ops)
	k.listener("graph", k.Listeners.Graph)
	k.Tokens.LifeTime = k.duration("tokens.life", k.Tokens.Life, lifeDefault, lifeLeast, lifeMost)
	k.Tokens.RotationTime = k.duration("tokens.rotation", k.Tokens.Rotation, rotationDefault, rotationLeast, rotationMost)
	k.Fraud.BlockTime = k.duration("fraud.block", k.Fraud.Block, 0, time.Minute, 8760*time.Hour)
	k.push()
	k.Audit.KeepTime = k.duration("audit.keep", k.Audit.Keep, 0, 7*24*time.Hour, 20*365*24*time.Hour)
	k.number("limits.in_flight", k.Limits.InFlight)
	k.number("limits.heavy", k.Limits.Heavy)
	k.number("limits.streams", k.Limits.Streams)
	k.number("limits.connections", k.Limits.Connections)
}

func (k *check) store() {
	switch path, ok := strings.CutPrefix(k.Store, "sqlite:"); {
	case strings.HasPrefix(k.Store, "postgres://") || strings.HasPrefix(k.Store, "postgresql://"):
		if k.Key == "" {
			k.Refuse("write key: file:PATH", "key is missing: a store in PostgreSQL has none beside it")
		}
	case k.Store == "":
		k.Refuse("write store: sqlite:PATH", "store is missing")
	case !ok || path == "":
		k.Refuse("write store: sqlite:PATH", "store is not of the form sqlite:PATH or postgres://USER@HOST/DATABASE")
	}
	k.Store = strictyaml.Resolve(k.Store, "sqlite", k.Folder)
	k.key()
}

// key checks where the store's key is, and resolves its paths.
func (k *check) key() {
	if rest, ok := strings.CutPrefix(k.Key, "age:"); ok {
		k.sealedKey(rest)
		return
	}
	if k.Key != "" && !strings.HasPrefix(k.Key, "file:") && !strings.HasPrefix(k.Key, "env:") {
		k.Refuse("write file:PATH or env:NAME, never the key itself", "key does not say where the store's key is")
	}
	k.Key = k.Ref(k.Key)
}

// sealedKey checks a key that age has sealed: IDENTITYFILE, or
// IDENTITYFILE,KEYFILE where it is not PATH.key.age.
func (k *check) sealedKey(given string) {
	identity, file, two := strings.Cut(given, ",")
	switch {
	case identity == "-":
		k.Refuse("seal the key to an identity, and write key: age:IDENTITYFILE", "key is sealed with a passphrase, and a server asks nobody for one")
		return
	case identity == "" || two && file == "":
		k.Refuse("write key: age:IDENTITYFILE, or age:IDENTITYFILE,KEYFILE where the key is not PATH.key.age", "key does not say what opens the store's key")
		return
	case !two && !strings.HasPrefix(k.Store, "sqlite:"):
		k.Refuse("write key: age:IDENTITYFILE,KEYFILE", "key does not say where the sealed key is: a store in PostgreSQL has none beside it")
		return
	}
	k.Key = "age:" + k.Path(identity)
	if two {
		k.Key += "," + k.Path(file)
	}
}

func (k *check) listener(name string, l *Listener) {
	if l == nil {
		return
	}
	at := "listeners." + name
	a, err := netip.ParseAddrPort(l.Listen)
	if err != nil {
		k.Refuse(`write an address and a port: "0.0.0.0:8443", "127.0.0.1:9090" or "[::1]:9090"`, "%s.listen: %q is not an address with a port", at, l.Listen)
		return
	}
	l.Address = a
	k.proxies(name, l)
	if len(l.Assume) > 0 && name != "graph" {
		k.Refuse("remove it", "%s.assume means nothing: only graph assumes something", at)
	}
	switch {
	case l.TLS == nil && l.Proxied():
	case l.TLS == nil && name == "pages" && len(l.Proxies) > 0 && !a.Addr().Unmap().IsLoopback():
		k.Refuse("listen on a private address, on 127.0.0.1, or give it tls: {cert: FILE, key: FILE}",
			"%s listens on %s, which is no private address, without TLS", at, l.Listen)
	case l.TLS == nil && !a.Addr().Unmap().IsLoopback():
		k.Refuse("give it tls: {cert: FILE, key: FILE}, or listen on 127.0.0.1", "%s listens on %s without TLS", at, l.Listen)
	case l.TLS != nil && (l.TLS.Cert == "" || l.TLS.Key == ""):
		k.Refuse("name both files", "%s.tls needs cert and key", at)
	case l.TLS != nil:
		l.TLS.Cert, l.TLS.Key = k.Path(l.TLS.Cert), k.Path(l.TLS.Key)
	}
	switch {
	case l.URL != "" && name != "api":
		k.Refuse("remove it", "%s.url means nothing: only api is called by its address", at)
	case l.URL != "":
		k.url(at, l)
	case name == "api" && a.Addr().IsUnspecified():
		k.Refuse("write url: https://HOST:PORT", "%s.url is missing: no caller can use %s as an address", at, l.Listen)
	}
}

func (k *check) url(at string, l *Listener) {
	scheme := "https"
	if l.TLS == nil {
		scheme = "http"
	}
	if u := bare(l.URL); u == nil || u.Scheme != scheme {
		k.Refuse("write "+scheme+"://HOST or "+scheme+"://HOST:PORT, and nothing behind it", "%s.url is not the address of this listener", at)
	}
	l.URL = strings.TrimRight(l.URL, "/")
}

// bare is an address of a scheme and a host, and nothing behind it; nil: the
// text is not one.
func bare(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil
	}
	return u
}

// publicURL checks the address that people know. Links carry codes: http is for
// trying things out on one machine.
func (k *check) publicURL() {
	if k.PublicURL == "" {
		return
	}
	u := bare(k.PublicURL)
	switch {
	case u == nil || u.Scheme != "https" && u.Scheme != "http":
		k.Refuse("write https://HOST or https://HOST:PORT, and nothing behind it", "public_url is not the address of a host")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		k.Refuse("write https://"+u.Host, "public_url is http, and %s is not this machine", u.Hostname())
	case k.Listeners.Pages == nil:
		k.Refuse("write for example listeners: {pages: {listen: 127.0.0.1:8080}}", "public_url leads to listeners.pages, which is missing")
	}
	k.PublicURL = strings.TrimRight(k.PublicURL, "/")
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// primaries checks who proves passwords.
func (k *check) primaries() {
	k.FirstFactors().Check(&k.Check)
	for _, name := range slices.Sorted(maps.Keys(k.Primaries)) {
		p := k.Primaries[name]
		if p == nil {
			continue
		}
		if p.NamesTunnelUser {
			k.Refuse("remove it", "primaries.%s.names_tunnel_user means nothing here: the engine asks with passwords alone", name)
		}
		for i := range p.Servers {
			if p.Servers[i].Accounting != "" {
				k.Refuse("remove it", "primaries.%s.servers[%d].accounting means nothing here: the engine relays none", name, i)
			}
		}
	}
	k.SignIn = cmp.Or(k.SignIn, engine.OwnPasswords)
	if k.SignIn != engine.OwnPasswords && k.Primaries[k.SignIn] == nil {
		k.Refuse("write engine, or a name that stands there", "sign_in: %q is not defined under primaries", k.SignIn)
	}
}

// proxies parses whose word on addresses counts.
func (k *check) proxies(name string, l *Listener) {
	at := "listeners." + name + ".trusted_proxies"
	if l.TrustedProxies == nil {
		return
	}
	if name != "pages" && name != "api" {
		k.Refuse("remove it", "%s means nothing: only pages and api go by the address of a caller", at)
		return
	}
	if len(l.TrustedProxies) == 0 {
		k.Refuse(`write networks, e.g. ["10.0.0.0/24"], or remove it`, "%s names no network", at)
	}
	for i, s := range l.TrustedProxies {
		switch p, ok := k.Network(s, fmt.Sprintf("%s[%d]", at, i)); {
		case !ok:
		case p.Bits() == 0:
			k.Refuse("name the networks of the proxies", "%s[%d]: %s would let every caller say where it comes from", at, i, s)
		default:
			l.Proxies = append(l.Proxies, p)
		}
	}
	if l.Proxied() && !strings.HasPrefix(k.PublicURL, "https://") {
		k.Refuse("write public_url: https://HOST as the proxy is called", "%s: without TLS here the proxy has to speak it, and public_url does not say so", at)
	}
}

func (k *check) duration(key, text string, unset, least, most time.Duration) time.Duration {
	if text == "" {
		return unset
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		k.Refuse(fmt.Sprintf("write a time from %v to %v, e.g. %v", least, most, max(unset, least)), "%s cannot be %q", key, text)
	}
	return d
}

func (k *check) number(key string, n int) {
	if n < 0 || n > maxLimit {
		k.Refuse(fmt.Sprintf("write a number up to %d, or 0 for the default", maxLimit), "%s cannot be %d", key, n)
	}
}
