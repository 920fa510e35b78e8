package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/share"
)

// Listener is one of the engine's three doors.
type Listener string

const (
	Pages Listener = "pages" // public
	API   Listener = "api"   // programs with tokens
	Ops   Listener = "ops"   // health; loopback by default
)

// listeners are all doors.
var listeners = []Listener{Pages, API, Ops}

// Caller is who a token was given to.
type Caller struct {
	App  string
	Role engine.Role

	User   cloud.UserID // of roles device and owner: who it is
	Device string       // of role device: which of them
}

// Authenticator checks a bearer token as it stands now. A token that does not
// let in is a *cloud.Error of kind Denied.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Caller, error)
}

// Handler answers a request or returns why not, before anything was written.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one row of the table.
type Route struct {
	Listener Listener
	Method   string
	Path     string        // pattern of http.ServeMux
	Roles    []engine.Role // who may call
	Open     bool          // anybody may; Roles is empty
	Body     int64         // bytes of the largest body; 0: none is taken
	Heavy    bool          // may hold much memory: few at once
	Streams  bool          // lasts: counted apart from short requests
	File     bool          // the same for everybody, out of memory: counted apart, since whoever takes it slowly is to hold nothing else
	Handler  Handler
}

// Limits bound what all requests of one listener take together: whoever fills
// the public one leaves that of programs alone. Zero fields are defaults.
type Limits struct {
	InFlight int // short requests at once; 512: all that may wait for providers of codes, and a few. As many files
	Gathered int // bodies that are being read of who holds no place yet: one connection may carry many; 4096
	Large    int // of them those beyond 32 KiB; 64
	Heavy    int // of them with large bodies; 8
	Streams  int // open streams and waits; 1024
}

func (l Limits) filled() Limits {
	l.InFlight = cmp.Or(l.InFlight, 512)
	l.Gathered = cmp.Or(l.Gathered, 4096)
	l.Large = cmp.Or(l.Large, 64)
	l.Heavy = cmp.Or(l.Heavy, 8)
	l.Streams = cmp.Or(l.Streams, 1024)
	return l
}

// places are what requests of one listener hold while they are answered, and
// bodies while they are gathered.
type places struct{ short, files, heavy, streams, gathered, large *share.Pool }

func (l Limits) places() places {
	return places{short: share.New(l.InFlight), files: share.New(l.InFlight), heavy: share.New(l.Heavy), streams: share.New(l.Streams),
		gathered: share.New(l.Gathered), large: share.New(l.Large)}
}

// Options are what a table is made with.
type Options struct {
	Routes []Route
	Auth   Authenticator
	Limits Limits
	Log    *slog.Logger // nil: nothing is logged

	Proxies map[Listener]Proxies // who may say where callers come from
}

// Table answers for all listeners.
type Table struct {
	routes  []Route
	auth    Authenticator
	log     *slog.Logger
	places  map[Listener]places
	number  atomic.Uint64 // of requests that failed, for the log
	byDoor  map[Listener]http.Handler
	proxies map[Listener]Proxies
}

// New makes the table, or says which row is wrong.
func New(o Options) (*Table, error) {
	limits := o.Limits.filled()
	t := &Table{routes: o.Routes, auth: o.Auth, log: o.Log, byDoor: map[Listener]http.Handler{},
		places: map[Listener]places{}, proxies: o.Proxies}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	for _, door := range listeners {
		t.places[door] = limits.places()
		mux := http.NewServeMux()
		for _, r := range o.Routes {
			if err := r.check(o.Auth); err != nil {
				return nil, err
			}
			if r.Listener == door {
				mux.Handle(r.Method+" "+r.Path, t.guard(r))
			}
		}
		t.byDoor[door] = t.outermost(door, mux)
	}
	return t, nil
}

func (r *Route) check(auth Authenticator) error {
	switch {
	case !slices.Contains(listeners, r.Listener), r.Method == "", !strings.HasPrefix(r.Path, "/"), r.Handler == nil:
		return fmt.Errorf("route %s %s is incomplete", r.Method, r.Path)
	case r.Open == (len(r.Roles) > 0):
		return fmt.Errorf("route %s %s must name roles or be open", r.Method, r.Path)
	case !r.Open && auth == nil:
		return fmt.Errorf("route %s %s needs tokens, and nobody checks them", r.Method, r.Path)
	}
	return nil
}

// InFlight counts requests that are being answered: short ones, those of them
// with large bodies, and streams.
func (t *Table) InFlight() (short, heavy, streams int) {
	for _, p := range t.places {
		short, heavy, streams = short+p.short.Taken()+p.files.Taken(), heavy+p.heavy.Taken(), streams+p.streams.Taken()
	}
	return short, heavy, streams
}

// Routes are all rows.
func (t *Table) Routes() []Route { return slices.Clone(t.routes) }

// Handler answers for one listener.
func (t *Table) Handler(l Listener) http.Handler { return t.byDoor[l] }

// outermost is around everything: headers of every answer, faults, and the
// answers of the mux itself (404, 405) in our form.
func (t *Table) outermost(door Listener, mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			if fault := recover(); fault != nil {
				if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(fault)
				}
				t.log.Error("request panicked", "route", r.Pattern, "fault", fault, "stack", string(debug.Stack()))
				t.refuse(w, r, errors.New("panic"))
			}
		}()
		if err := t.behind(r, door); err != nil {
			t.refuse(w, r, err)
			return
		}
		// A path in another spelling is another path: no redirects. One that ends
		// in a slash is a row of its own, or none.
		spelled := r.URL.EscapedPath()
		_, pattern := mux.Handler(r)
		if strings.HasSuffix(pattern, "/{$}") && spelled != "/" {
			spelled = strings.TrimSuffix(spelled, "/")
		}
		if pattern == "" || path.Clean(spelled) != spelled {
			t.unrouted(w, r, door, mux)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// unrouted answers what no row takes.
func (t *Table) unrouted(w http.ResponseWriter, r *http.Request, door Listener, mux *http.ServeMux) {
	clean := path.Clean(r.URL.EscapedPath()) == r.URL.EscapedPath()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" && clean {
			w.Header().Add("Allow", method)
		}
	}
	if w.Header().Get("Allow") != "" {
		write(w, http.StatusMethodNotAllowed, &cloud.Error{Kind: cloud.Unsupported, Message: "this route takes another method"})
		return
	}
	if door == Pages && person(r) {
		lost(w, r)
		return
	}
	// Not NotFound: that is an answer about somebody, and whoever asked at the
	// wrong place must not take it for one.
	write(w, http.StatusNotFound, &cloud.Error{Kind: cloud.Unsupported, Message: "there is no such route here"})
}

// refuse answers with an error, and logs what is a fault of ours.
func (t *Table) refuse(w http.ResponseWriter, r *http.Request, err error) {
	kind := cloud.KindOf(err)
	if kind == cloud.Internal {
		n := t.number.Add(1)
		w.Header().Set("Mfabridge-Failure", fmt.Sprint(n))
		t.log.ErrorContext(r.Context(), "request failed", "failure", n, "route", r.Pattern, "err", err)
	}
	status := wire.Status(kind)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		status = http.StatusRequestEntityTooLarge
		w.Header().Set("Connection", "close")
	}
	if e, ok := errors.AsType[*cloud.Error](err); ok && (kind == cloud.Throttled || kind == cloud.Unavailable) {
		wait := max(int64(e.RetryAfter+time.Second-1)/int64(time.Second), 1)
		w.Header().Set("Retry-After", fmt.Sprint(wait))
	}
	write(w, status, err)
}

func write(w http.ResponseWriter, status int, err error) {
	_ = Answer(w, status, wire.Refusal{Error: wire.FromError(err)}) // who hung up hears nothing
}
