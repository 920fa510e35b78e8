package native

import (
	"net/http"
	"slices"
	"strings"

	"mfabridge/cloud/engine"
)

// preflightAge is how long a browser may remember the answer, in seconds.
const preflightAge = "600"

// allow lets a web page read the answer whose origin is one of the
// application's, exactly. A request that no page sends has no origin.
func allow(w http.ResponseWriter, r *http.Request, app *engine.NativeApp) error {
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) == 0:
		return nil
	case len(origins) > 1 || !slices.Contains(app.Origins, origins[0]):
		return badOrigin
	}
	readable(w, origins[0])
	return nil
}

// readable lets pages of an origin read the answer; "*": any page.
func readable(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "x-ms-request-id, client-request-id, Retry-After")
}

// preflight answers what a browser asks before it sends. Which application will
// call is not known yet: the origin must be that of one of them.
func (f *Face) preflight(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Origin")
	w.Header().Add("Vary", "Access-Control-Request-Headers")
	origins := r.Header.Values("Origin")
	if !f.meter.Take(from(r).Address) {
		w.WriteHeader(http.StatusTooManyRequests)
		return nil
	}
	apps, err := f.core.NativeApps(r.Context())
	if err != nil {
		return err
	}
	known := len(origins) == 1 && slices.ContainsFunc(apps, func(a engine.NativeApp) bool {
		return !a.Disabled && slices.Contains(a.Origins, origins[0])
	})
	if !known {
		w.WriteHeader(http.StatusForbidden)
		return nil
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Allow-Methods", "POST, GET")
	h.Set("Access-Control-Max-Age", preflightAge)
	if asked := wanted(r.Header.Get("Access-Control-Request-Headers")); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wanted are the headers that a page may send: those of the protocol, and those
// beginning with x-, which clients add to. None of them is looked at.
func wanted(list string) (all []string) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		if plain && len(name) < 64 && (strings.HasPrefix(name, "x-") || slices.Contains([]string{"content-type", "client-request-id", "return-client-request-id"}, name)) {
			all = append(all, name)
		}
	}
	return all[:min(len(all), 50)]
}
