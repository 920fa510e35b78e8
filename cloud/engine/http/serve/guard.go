package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/share"
)

// maxToken is the longest bearer token that is looked at, in bytes.
const maxToken = 4 << 10

// fileLimit is how long somebody may take to take a file, which is small.
const fileLimit = 20 * time.Second

type callerKey struct{}

type againKey struct{}

// Again looks at the token of a request once more: for what lasts. It returns
// nil as long as the caller may go on, and on an open route.
func Again(ctx context.Context) error {
	look, ok := ctx.Value(againKey{}).(func() error)
	if !ok {
		return nil
	}
	return look()
}

// CallerOf is who calls; the zero Caller on an open route.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// guard is what stands before a handler.
func (t *Table) guard(route Route) http.Handler {
	places := t.held(&route)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := t.addressed(r, route.Listener)
		from := t.counts(ctx, &route)
		// Whoever sends slowly holds no place meanwhile that somebody else needs:
		// neither who has proven nothing, nor anybody who has a device.
		if route.Open || route.Listener == Pages {
			if err := t.gather(w, r, &route, from); err != nil {
				t.refuse(w, r, err)
				return
			}
		}
		for _, place := range places {
			if !place.Take(from) {
				t.refuse(w, r, &cloud.Error{Kind: cloud.Unavailable, Message: "too many requests are in flight", RetryAfter: time.Second})
				return
			}
			defer place.Leave(from)
		}
		if !route.Open {
			caller, err := t.admit(r, &route)
			if err != nil {
				if caller == (Caller{}) && cloud.KindOf(err) == cloud.Denied {
					w.Header().Set("WWW-Authenticate", `Bearer realm="mfabridge", error="invalid_token"`)
					write(w, http.StatusUnauthorized, err)
					return
				}
				t.refuse(w, r, err)
				return
			}
			ctx = context.WithValue(ctx, callerKey{}, caller)
			if route.Streams {
				asked := r
				ctx = context.WithValue(ctx, againKey{}, func() error {
					_, err := t.admit(asked, &route)
					return err
				})
			}
		}
		r = r.WithContext(ctx)
		if route.Streams {
			// The time to read a request is over by now and does not count on.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		}
		if route.File {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileLimit))
		}
		if err := bounded(w, r, route.Body); err != nil {
			t.refuse(w, r, err)
			return
		}
		if err := route.Handler(w, r); err != nil {
			t.refuse(w, r, err)
		}
	})
}

// held are the places that a request holds while it is answered. Of ops it holds
// none: health and metrics tell how it stands when all others are taken.
func (t *Table) held(route *Route) []*share.Pool {
	p := t.places[route.Listener]
	switch {
	case route.Listener == Ops:
		return nil
	case route.Streams:
		return []*share.Pool{p.streams}
	case route.File:
		return []*share.Pool{p.files}
	case route.Heavy:
		return []*share.Pool{p.short, p.heavy}
	}
	return []*share.Pool{p.short}
}

// counts is for whom the places count that a request takes: where anybody may
// call, and on the public listener, for its address. Programs with a token have
// all of them, and so have streams, which many people behind one address keep
// open; of those the core has few for each.
func (t *Table) counts(ctx context.Context, route *Route) netip.Prefix {
	if route.Streams || !route.Open && route.Listener != Pages {
		return netip.Prefix{}
	}
	proxies := t.proxies[route.Listener]
	return proxies.single(AddressOf(ctx))
}

// admit checks token and role. A caller comes back whose token was good but
// whose role is another.
func (t *Table) admit(r *http.Request, route *Route) (Caller, error) {
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return Caller{}, denied("one bearer token is needed")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return Caller{}, denied("one bearer token is needed")
	}
	caller, err := t.auth.Authenticate(r.Context(), token)
	if err != nil {
		return Caller{}, err
	}
	if !slices.Contains(route.Roles, caller.Role) {
		return caller, denied("an application of role " + string(caller.Role) + " may not do this")
	}
	return caller, nil
}

func denied(message string) error { return &cloud.Error{Kind: cloud.Denied, Message: message} }

// bounded limits the body before anybody reads it.
func bounded(w http.ResponseWriter, r *http.Request, limit int64) error {
	if limit == 0 {
		if r.ContentLength != 0 {
			return &cloud.Error{Kind: cloud.Invalid, Message: "this route takes no body"}
		}
		return nil
	}
	if r.ContentLength > limit {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the body is too large", Err: &http.MaxBytesError{Limit: limit}}
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	return nil
}

// smallBody is how much of a body is read before it counts as a large one, in
// bytes: whoever has proven nothing fills that much memory at each place.
const smallBody = 32 << 10

// gather reads a whole body within the limit, in place of what reads it later.
// What goes beyond smallBody needs a place of its own, of which there are few.
func (t *Table) gather(w http.ResponseWriter, r *http.Request, route *Route, from netip.Prefix) error {
	if err := bounded(w, r, route.Body); err != nil || route.Body == 0 {
		return err
	}
	p := t.places[route.Listener]
	if !p.gathered.Take(from) {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "too many requests are being read", RetryAfter: time.Second}
	}
	defer p.gathered.Leave(from)
	body, err := io.ReadAll(io.LimitReader(r.Body, smallBody+1))
	if err == nil && len(body) > smallBody {
		if !p.large.Take(from) {
			return &cloud.Error{Kind: cloud.Unavailable, Message: "too many large requests are being read", RetryAfter: time.Second}
		}
		defer p.large.Leave(from)
		var rest []byte
		rest, err = io.ReadAll(r.Body)
		body = append(body, rest...)
	}
	if err != nil {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the body did not arrive whole", Err: err}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// Read decodes a JSON body, whole and strictly.
func Read(r *http.Request, into any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the body must be application/json"}
	}
	return wire.Decode(r.Body, into)
}

// Parameters reads the query of an address, which may hold each of these names
// once. What is not one of them, or cannot be read, is refused: left out, it
// would ask for more than was meant.
func Parameters(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the parameters of this route cannot be read"}
	}
	for name, given := range query {
		if len(given) != 1 || !slices.Contains(names, name) {
			return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the parameters of this route are " + strings.Join(names, ", ") + "; each once at most"}
		}
	}
	return query, nil
}

// Wait reads how long a request is to be held: a duration from 0s to
// wire.MaxWait; empty: not at all.
func Wait(given string) (time.Duration, error) {
	if given == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(given)
	if err != nil || wait < 0 || wait > wire.MaxWait {
		return 0, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("wait must be a time from 0s to %v", wire.MaxWait)}
	}
	return wait, nil
}

// Answer writes a JSON body.
func Answer(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who hung up hears nothing
	return nil
}
