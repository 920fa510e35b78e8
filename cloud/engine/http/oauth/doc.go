// Package oauth gives programs access tokens for the engine's API and checks
// them: OAuth 2 client credentials (RFC 6749 §4.4) with a secret or with a
// signed assertion (RFC 7523), tokens as signed JWTs (RFC 9068), discovery
// (RFC 8414) and published keys (RFC 7517).
//
// # What a token says, and what it does not decide
//
// A token names the application, its role, the instance of the engine it is
// for, and when it was registered; it lives an hour at most. It proves who was
// let in, not that they still are: [Face.Authenticate] looks at the application
// in the store for every request, so that one that was removed, disabled, ended
// or given another role is out at its next request. What is remembered between
// requests is that a signature was right, together with the key that made it;
// the key must still be in the store's set.
//
// # Keys
//
// Tokens are signed with ES256. Keys lie sealed in the store. A new one is
// published more than an hour before it signs, and the old one stays until the
// last token that it signed has ended ([rotated]).
package oauth

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"context"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// Bounds of a token's life.
const (
	MaxLife     = time.Hour
	DefaultLife = 30 * time.Minute
)

// DefaultPeriod is how long a key signs.
const DefaultPeriod = 30 * 24 * time.Hour

// maxForm bounds the body of a token request, in bytes.
const maxForm = 16 << 10

// Core is what this face needs of the engine.
type Core interface {
	Instance() string
	Authenticate(ctx context.Context, name string, word secret.Bytes) (engine.App, error)
	AppKeys(ctx context.Context, app string) (engine.App, []engine.AppKey, error)
	UseAssertion(ctx context.Context, app, id string, since, until time.Time) error
	Standing(ctx context.Context, app, kept string) (engine.Standing, error)
	Unseal(name string, sealed []byte) (secret.Bytes, error)
	Keep(ctx context.Context, name string, edit func(old secret.Bytes) (secret.Bytes, error)) error
}

// Options of a face. Zero fields are defaults.
type Options struct {
	Core   Core
	Issuer string        // address of the api listener as callers know it: https://engine.example
	Life   time.Duration // of a token; DefaultLife, at most MaxLife
	Period time.Duration // of a key; DefaultPeriod
	Now    func() time.Time
	Log    *slog.Logger
}

// Face issues and checks tokens.
type Face struct {
	core   Core
	issuer string
	times  atomic.Pointer[times]
	now    func() time.Time
	log    *slog.Logger
	ring   atomic.Pointer[ring] // the last one that was opened

	mu      sync.Mutex
	proven  map[[32]byte]proof // signatures that were right
	looking map[string]*looks  // by application, while one runs
}

// New makes a face. It reads nothing yet.
func New(o Options) *Face {
	f := &Face{core: o.Core, issuer: strings.TrimSuffix(o.Issuer, "/"), now: o.Now, log: o.Log,
		proven: map[[32]byte]proof{}, looking: map[string]*looks{}}
	f.SetTimes(o.Life, o.Period)
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// times are how long tokens live and keys sign.
type times struct{ life, period time.Duration }

// SetTimes says how long tokens live from now on, and how long a key signs.
// Zero is the default.
func (f *Face) SetTimes(life, period time.Duration) {
	if life <= 0 {
		life = DefaultLife
	}
	if period <= 0 {
		period = DefaultPeriod
	}
	f.times.Store(&times{life: min(life, MaxLife), period: max(period, 4*MaxLife)})
}

// Routes are the face's rows. They are open: who calls proves itself in the
// request, or asks for what is public.
func (f *Face) Routes() []serve.Route {
	return []serve.Route{
		{Listener: serve.API, Method: http.MethodPost, Path: wire.PathToken, Open: true, Body: maxForm, Handler: f.token},
		{Listener: serve.API, Method: http.MethodGet, Path: wire.PathKeys, Open: true, Handler: f.keySet},
		{Listener: serve.API, Method: http.MethodGet, Path: wire.PathDiscovery, Open: true, Handler: f.discovery},
	}
}
