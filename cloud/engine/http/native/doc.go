// Package native serves Microsoft's native authentication API, version 1, so
// that an application that was written against it signs people in here: inside
// the application, first factor then second, without a browser's redirect.
// docs/native-auth.md is its manual.
//
// # A flow
//
// Every answer that goes on carries a new continuation token, in which the flow
// travels sealed ([engine.Flow]); the table in step.go says from which step a
// request may come and which parameters it takes, and nothing else does. What
// is decided is decided by the core: who may be asked for what, whether a code
// is right, what the rules of access ask for, and that a token from before the
// flow went on is worth nothing.
//
// # Tokens
//
// Tokens come after everything that the rules ask for was proven. They are
// signed by the keys of the other access tokens of the engine and differ from
// those by issuer, audience and claims; discovery and keys are published below
// the same base.
//
// # Who may call
//
// Anybody may: applications of this kind keep no secret. Web pages may where
// their origin is one of the application's, exactly, without credentials
// (cors.go). Requests are limited by address and for all together ([serve.Meter]),
// before anything is looked up.
package native

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/secret"
)

// Base is the path before all routes of this face: an application's authority
// is the public address with it.
const Base = "/native"

// Bounds of a request.
const (
	maxBody     = 32 << 10 // bytes that are read at all
	maxForm     = 24 << 10 // bytes of a form
	maxUsername = 256
	maxOOB      = 32
	maxScope    = 2 << 10
	maxExtra    = 4 << 10 // attributes, claims
)

// allRequests is how many there are in a second unless it is said otherwise.
const allRequests = 200

// DefaultLife is how long access tokens and ID tokens live.
const DefaultLife = time.Hour

// Core is what this face needs of the engine.
type Core interface {
	Instance() string
	NativeApp(ctx context.Context, id string) (engine.NativeApp, error)
	NativeApps(ctx context.Context) ([]engine.NativeApp, error)
	SealFlow(f engine.Flow) (string, error)
	OpenFlow(token string) (engine.Flow, error)

	BeginSignIn(ctx context.Context, app engine.NativeApp, name string, offer engine.Offer) (engine.Flow, error)
	AskFirst(ctx context.Context, app engine.NativeApp, f engine.Flow, c engine.NativeClient) (engine.Flow, engine.Asked, error)
	AnswerPassword(ctx context.Context, app engine.NativeApp, f engine.Flow, password secret.Bytes, c engine.NativeClient, w engine.Wish) (engine.Outcome, error)
	AnswerCode(ctx context.Context, app engine.NativeApp, f engine.Flow, code secret.Bytes, c engine.NativeClient, w engine.Wish) (engine.Outcome, error)
	SecondFactors(ctx context.Context, app engine.NativeApp, f engine.Flow) ([]engine.NativeMethod, engine.Flow, error)
	AskSecond(ctx context.Context, app engine.NativeApp, f engine.Flow, id string, c engine.NativeClient) (engine.Flow, engine.Asked, error)
	Finish(ctx context.Context, app engine.NativeApp, f engine.Flow, c engine.NativeClient, w engine.Wish) (engine.Outcome, error)
	RefreshGrant(ctx context.Context, app engine.NativeApp, token string, scopes []string, c engine.NativeClient) (*engine.Granted, error)

	BeginSignUp(ctx context.Context, app engine.NativeApp, name string, password secret.Bytes, attributes map[string]string, offer engine.Offer, client engine.NativeClient) (engine.Flow, error)
	AskSignUp(ctx context.Context, app engine.NativeApp, f engine.Flow, c engine.NativeClient) (engine.Flow, engine.Asked, error)
	AnswerSignUp(ctx context.Context, app engine.NativeApp, f engine.Flow, code secret.Bytes, c engine.NativeClient) (engine.Flow, error)
	PasswordForSignUp(ctx context.Context, app engine.NativeApp, f engine.Flow, password secret.Bytes, c engine.NativeClient) (engine.Flow, error)
	AttributesForSignUp(ctx context.Context, app engine.NativeApp, f engine.Flow, attributes map[string]string, c engine.NativeClient) (engine.Flow, error)

	BeginReset(ctx context.Context, app engine.NativeApp, name string, offer engine.Offer) (engine.Flow, error)
	AskReset(ctx context.Context, app engine.NativeApp, f engine.Flow, c engine.NativeClient) (engine.Flow, engine.Asked, error)
	AnswerReset(ctx context.Context, f engine.Flow, code secret.Bytes, c engine.NativeClient) (engine.Flow, error)
	SetWord(ctx context.Context, app engine.NativeApp, f engine.Flow, password secret.Bytes, c engine.NativeClient) (engine.Flow, error)
	ResetDone(ctx context.Context, f engine.Flow) (engine.Flow, error)

	EnrolMethods(ctx context.Context, app engine.NativeApp, f engine.Flow) ([]engine.NativeMethod, engine.Flow, error)
	AskEnrol(ctx context.Context, app engine.NativeApp, f engine.Flow, channel, target string, c engine.NativeClient) (engine.Flow, engine.Asked, error)
	AnswerEnrol(ctx context.Context, app engine.NativeApp, f engine.Flow, code secret.Bytes, c engine.NativeClient) (engine.Flow, error)
	EnrolKnown(ctx context.Context, app engine.NativeApp, f engine.Flow, c engine.NativeClient) (engine.Flow, error)
}

// Signer signs what tokens say, and publishes the keys.
type Signer interface {
	// Sign makes a JWT (RFC 7519) of a type, by the key of the moment.
	Sign(ctx context.Context, typ string, claims any) (string, error)
	// PublicKeys is the key set (RFC 7517), as JSON.
	PublicKeys(ctx context.Context) (json.RawMessage, error)
}

// Options of a face. Zero fields are defaults.
type Options struct {
	Core   Core
	Signer Signer
	Public string        // address of the pages listener as people know it: https://login.example
	Life   time.Duration // of access tokens and ID tokens; DefaultLife, at most an hour
	Rate   serve.Rate    // by default 20 from one address, 200 in all
	Now    func() time.Time
	Log    *slog.Logger
}

// Face answers for native authentication.
type Face struct {
	core   Core
	signer Signer
	base   string // public address with Base
	life   time.Duration
	meter  *serve.Meter
	now    func() time.Time
	log    *slog.Logger
}

// New makes a face.
func New(o Options) *Face {
	f := &Face{core: o.Core, signer: o.Signer, base: strings.TrimSuffix(o.Public, "/") + Base, life: o.Life, now: o.Now, log: o.Log}
	if f.life <= 0 || f.life > DefaultLife {
		f.life = DefaultLife
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.meter = serve.NewMeter(serve.Rate{Address: o.Rate.Address, All: cmp.Or(o.Rate.All, allRequests)}, f.now)
	return f
}

// Issuer is the issuer of the face's tokens.
func (f *Face) Issuer() string { return f.base + "/v2.0" }

// Routes are the face's rows, each with one for what browsers ask before.
func (f *Face) Routes() []serve.Route {
	var rows []serve.Route
	open := func(method, path string, body int64, h serve.Handler) {
		rows = append(rows, serve.Route{Listener: serve.Pages, Method: method, Path: Base + path, Open: true, Body: body, Handler: h})
	}
	seen := map[string]bool{}
	for _, s := range f.steps() {
		if seen[s.path] {
			continue
		}
		seen[s.path] = true
		open(http.MethodPost, s.path, maxBody, func(w http.ResponseWriter, r *http.Request) error { return f.answer(w, r, s.path) })
		open(http.MethodOptions, s.path, 0, f.preflight)
	}
	open(http.MethodGet, pathDiscovery, 0, f.discovery)
	open(http.MethodGet, pathKeys, 0, f.keys)
	open(http.MethodGet, pathBranding, 0, f.branding)
	open(http.MethodOptions, pathBranding, 0, f.preflight)
	return rows
}
