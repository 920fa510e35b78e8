// Package api puts the faces of one engine together: tokens, /directory/v1,
// /verify/v1, /admin/v1, /authenticator/v1, /delivery/v1, /native and health, as
// one table of routes for three listeners. It holds no logic of its own; a
// program makes an [API], starts its handlers, and closes it.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/http/admin"
	"mfabridge/cloud/engine/http/app"
	"mfabridge/cloud/engine/http/directory"
	"mfabridge/cloud/engine/http/native"
	"mfabridge/cloud/engine/http/oauth"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/receipts"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/verify"
)

// Options are what an API is made of. Zero fields are defaults.
type Options struct {
	Engine *engine.Engine
	Issuer string        // address of the api listener as callers know it
	Life   time.Duration // of a token
	Period time.Duration // of a signing key
	Public string        // address of the pages listener as people know it; empty: no native authentication
	Native serve.Rate
	Lease  time.Duration // of a lock
	Limits serve.Limits

	// Proxies are whose word on the address of a caller counts.
	Proxies map[serve.Listener]serve.Proxies

	// Pages is what the public pages need; without a push key nothing is sent to
	// push services.
	Pages pages.Options

	// Channels are how codes reach people, PublicURL is where providers tell what
	// became of them; nil: nobody tells.
	Channels  *channel.Channels
	PublicURL string

	Now func() time.Time
	Log *slog.Logger
}

// API is an engine as the network sees it.
type API struct {
	*serve.Table
	engine   *engine.Engine
	tokens   *oauth.Face
	metrics  *metrics
	stop     context.CancelFunc
	draining atomic.Bool
	unready  atomic.Bool // the log has said it
	log      *slog.Logger
}

// New makes the API. It serves nothing yet.
func New(o Options) (*API, error) {
	ctx, stop := context.WithCancel(context.Background())
	a := &API{engine: o.Engine, stop: stop, log: o.Log}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	tokens := oauth.New(oauth.Options{Core: o.Engine, Issuer: o.Issuer, Life: o.Life, Period: o.Period, Now: o.Now, Log: o.Log})
	a.tokens = tokens
	users := directory.New(directory.Options{For: func(app string) directory.Core { return o.Engine.As(app) },
		Groups: o.Engine, Preflight: o.Engine, Lease: o.Lease})
	verifier := verify.New(ctx, verify.Options{For: func(app string) verify.Core { return o.Engine.As(app) }, Verdicts: o.Engine.Verdicts, Log: o.Log})
	devices := pages.New(ctx, o.Engine, o.Pages)
	browsers, err := app.New()
	if err != nil {
		stop()
		return nil, err
	}
	var routes []serve.Route
	for _, rows := range [][]serve.Route{tokens.Routes(), users.Routes(), verifier.Routes(), admin.New(o.Engine).Routes(), a.health(), devices.Routes(), browsers.Routes(), front(), told(&o)} {
		routes = append(routes, rows...)
	}
	if o.Public != "" {
		signIn := native.New(native.Options{Core: o.Engine, Signer: tokens, Public: o.Public, Rate: o.Native, Now: o.Now, Log: o.Log})
		routes = append(routes, signIn.Routes()...)
	}
	table, err := serve.New(serve.Options{Routes: routes, Auth: gate{tokens, devices}, Limits: o.Limits, Proxies: o.Proxies, Log: o.Log})
	if err != nil {
		stop()
		return nil, err
	}
	a.Table = table
	a.metrics = newMetrics(table, o.Channels)
	o.Engine.Observe(a.metrics.verdict)
	return a, nil
}

// gate sends tokens to whoever can check them: those of applications and those
// of authenticators.
type gate struct {
	tokens  *oauth.Face
	devices *pages.Face
}

// Authenticate implements [serve.Authenticator].
func (g gate) Authenticate(ctx context.Context, token string) (serve.Caller, error) {
	if pages.Takes(token) {
		return g.devices.Authenticate(ctx, token)
	}
	return g.tokens.Authenticate(ctx, token)
}

// SetTokens says how long tokens live from now on, and how long a key signs.
func (a *API) SetTokens(life, period time.Duration) { a.tokens.SetTimes(life, period) }

// Drain ends what lasts, and says so at /readyz; requests go on.
func (a *API) Drain() {
	a.draining.Store(true)
	a.stop()
}

// Close ends what the API does by itself. It comes after the servers have
// ended.
func (a *API) Close() error {
	a.Drain()
	return nil
}

// health are the rows of the ops listener.
func (a *API) health() []serve.Route {
	row := func(path string, check func(context.Context) error) serve.Route {
		return serve.Route{Listener: serve.Ops, Method: http.MethodGet, Path: path, Open: true, Handler: func(w http.ResponseWriter, r *http.Request) error {
			if err := check(r.Context()); err != nil {
				return err
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, "ok\n")
			return nil
		}}
	}
	return []serve.Route{
		row("/healthz", func(context.Context) error { return nil }),
		row("/readyz", a.ready),
		{Listener: serve.Ops, Method: http.MethodGet, Path: "/metrics", Open: true, Handler: a.measured},
	}
}

// ready tells whether requests can be answered: the store is there, our key opens
// it, it takes changes for all that is known, and nobody has asked us to end. The log says once why not.
func (a *API) ready(ctx context.Context) error {
	if a.draining.Load() {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the engine is stopping"}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	why := "the store does not answer, or holds what this process cannot open"
	err := a.engine.Opens(ctx)
	if err == nil {
		why = "the store takes no changes"
		err = a.engine.Takes(ctx)
	}
	if err != nil && a.unready.CompareAndSwap(false, true) {
		a.log.ErrorContext(ctx, "the engine is not ready", "err", err)
	}
	if err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: why, Err: errors.Unwrap(err)}
	}
	a.unready.Store(false)
	return nil
}

// page is what a person sees who comes to the public address.
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>mfabridge</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><p>This is a sign-in service. People are looking for the <a href="authenticator">Authenticator</a>.</p></html>
`

// told are the rows where providers tell what became of messages.
func told(o *Options) []serve.Route {
	if o.Channels == nil {
		return nil
	}
	return receipts.New(o.Channels, o.PublicURL, o.Now).Routes()
}

// front is the first row of the public listener.
func front() []serve.Route {
	return []serve.Route{{Listener: serve.Pages, Method: http.MethodGet, Path: "/{$}", Open: true, Handler: func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = io.WriteString(w, page)
		return nil
	}}}
}
