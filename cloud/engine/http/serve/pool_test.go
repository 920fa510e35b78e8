package serve_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// held is a request that stays in its handler until it is told to go on.
type held struct{ in, out chan struct{} }

type heldKey struct{}

// crowded is a table whose routes have four places of each kind.
func crowded(t *testing.T, proxies serve.Proxies) *serve.Table {
	t.Helper()
	wait := func(w http.ResponseWriter, r *http.Request) error {
		if held, ok := r.Context().Value(heldKey{}).(held); ok {
			held.in <- struct{}{}
			<-held.out
		}
		return serve.Answer(w, http.StatusOK, "ok")
	}
	admin := []engine.Role{engine.RoleAdmin}
	made, err := serve.New(serve.Options{Auth: guards{}, Limits: serve.Limits{InFlight: 4, Gathered: 4, Large: 4, Heavy: 2, Streams: 4},
		Proxies: map[serve.Listener]serve.Proxies{serve.Pages: proxies, serve.API: proxies},
		Routes: []serve.Route{
			{Listener: serve.Pages, Method: "POST", Path: "/open", Open: true, Body: 1 << 20, Handler: wait},
			{Listener: serve.Pages, Method: "GET", Path: "/file", Open: true, File: true, Handler: wait},
			{Listener: serve.Pages, Method: "GET", Path: "/me", Roles: admin, Handler: wait},
			{Listener: serve.Pages, Method: "GET", Path: "/events", Roles: admin, Streams: true, Handler: wait},
			{Listener: serve.API, Method: "POST", Path: "/token", Open: true, Body: 100, Handler: wait},
			{Listener: serve.API, Method: "GET", Path: "/users", Roles: admin, Handler: wait},
			{Listener: serve.API, Method: "GET", Path: "/import", Roles: admin, Heavy: true, Handler: wait},
			{Listener: serve.API, Method: "GET", Path: "/verdicts", Roles: admin, Streams: true, Handler: wait},
		}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Whoever sends or takes slowly, on however few connections, keeps nobody out
// who comes from another address: they get half of the places. Programs with a
// token get all of them, and so do many people behind one address: streams, a
// proxy, this machine.
func TestOneAddressTakesHalf(t *testing.T) {
	const eve, ada = "198.51.100.7:1", "192.0.2.1:1"
	large := strings.Repeat("x", 33<<10)
	for name, c := range map[string]struct {
		door             serve.Listener
		method, path     string
		sent             string // of a body that does not end; empty: the handler is what lasts
		from, other      string
		forwarded, third string // what proxies say of them
		most             int
	}{
		"bodies":              {door: serve.Pages, method: "POST", path: "/open", sent: "x", from: eve, other: ada, most: 2},
		"large bodies":        {door: serve.Pages, method: "POST", path: "/open", sent: large, from: eve, other: ada, most: 2},
		"bodies of programs":  {door: serve.API, method: "POST", path: "/token", sent: "x", from: eve, other: ada, most: 2},
		"files":               {door: serve.Pages, method: "GET", path: "/file", from: eve, other: ada, most: 2},
		"requests of devices": {door: serve.Pages, method: "GET", path: "/me", from: eve, other: ada, most: 2},
		"a network of IPv6":   {door: serve.Pages, method: "GET", path: "/file", from: "[2001:db8::1]:1", other: "[2001:db8:0:1::1]:1", most: 2},
		"behind a proxy":      {door: serve.Pages, method: "GET", path: "/file", from: "10.0.0.1:1", forwarded: "198.51.100.7", other: "10.0.0.1:1", third: "192.0.2.1", most: 2},
		"the proxy itself":    {door: serve.Pages, method: "GET", path: "/file", from: "10.0.0.1:1", most: 4},
		"this machine":        {door: serve.Pages, method: "GET", path: "/file", from: "127.0.0.1:1", most: 4},
		"streams":             {door: serve.Pages, method: "GET", path: "/events", from: eve, most: 4},
		"programs":            {door: serve.API, method: "GET", path: "/users", from: eve, most: 4},
	} {
		t.Run(name, func(t *testing.T) {
			h := crowded(t, serve.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}).Handler(c.door)
			ask := func(from, forwarded string, body io.Reader, hold *held) int {
				r := httptest.NewRequest(c.method, c.path, body)
				r.RemoteAddr = from
				r.Header.Set("Authorization", "Bearer good")
				if forwarded != "" {
					r.Header.Set("X-Forwarded-For", forwarded)
				}
				if hold != nil {
					r = r.WithContext(context.WithValue(r.Context(), heldKey{}, *hold))
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w.Code
			}
			quick := func(from, forwarded string) int {
				if c.sent == "" {
					return ask(from, forwarded, nil, nil)
				}
				return ask(from, forwarded, strings.NewReader(c.sent), nil)
			}
			codes, ends := make(chan int), []func(){}
			for range c.most {
				if c.sent == "" {
					hold := &held{in: make(chan struct{}), out: make(chan struct{})}
					go func() { codes <- ask(c.from, c.forwarded, nil, hold) }()
					<-hold.in
					ends = append(ends, func() { close(hold.out) })
					continue
				}
				slow, rest := io.Pipe()
				go func() { codes <- ask(c.from, c.forwarded, slow, nil) }()
				if _, err := io.WriteString(rest, c.sent); err != nil { // it holds its place by now
					t.Fatal(err)
				}
				ends = append(ends, func() { _ = rest.Close() })
			}
			if got := quick(c.from, c.forwarded); got != http.StatusServiceUnavailable {
				t.Errorf("one more: %d", got)
			}
			if c.other != "" {
				if got := quick(c.other, c.third); got != http.StatusOK {
					t.Errorf("somebody else: %d", got)
				}
			}
			for _, end := range ends {
				end()
				if got := <-codes; got != http.StatusOK {
					t.Errorf("who was let in: %d", got)
				}
			}
			if got := quick(c.from, c.forwarded); got != http.StatusOK {
				t.Errorf("afterwards: %d", got)
			}
		})
	}
}

// Streams, which last, and requests that hold much memory keep short requests out
// of nothing.
func TestShortRequestsGoOn(t *testing.T) {
	for path, most := range map[string]int{"/verdicts": 4, "/import": 2} {
		h := crowded(t, serve.Proxies{}).Handler(serve.API)
		ask := func(path string, hold *held) int {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer good")
			if hold != nil {
				r = r.WithContext(context.WithValue(r.Context(), heldKey{}, *hold))
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		hold, codes := held{in: make(chan struct{}), out: make(chan struct{})}, make(chan int)
		for range most {
			go func() { codes <- ask(path, &hold) }()
			<-hold.in
		}
		if got := ask(path, nil); got != http.StatusServiceUnavailable {
			t.Errorf("%s, one more: %d", path, got)
		}
		if got := ask("/users", nil); got != http.StatusOK {
			t.Errorf("a short one beside %s: %d", path, got)
		}
		close(hold.out)
		for range most {
			if got := <-codes; got != http.StatusOK {
				t.Errorf("%s: %d", path, got)
			}
		}
	}
}
