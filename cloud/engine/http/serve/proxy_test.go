package serve_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"mfabridge/cloud/engine/http/serve"
)

// proxied is a table with one open route on the public listener that answers
// with where the request comes from.
func proxied(t testing.TB, p serve.Proxies) http.Handler {
	t.Helper()
	route := serve.Route{Listener: serve.Pages, Method: http.MethodGet, Path: "/from", Open: true,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			_, err := w.Write([]byte(serve.AddressOf(r.Context()).String()))
			return err
		}}
	table, err := serve.New(serve.Options{Routes: []serve.Route{route}, Proxies: map[serve.Listener]serve.Proxies{serve.Pages: p}})
	if err != nil {
		t.Fatal(err)
	}
	return table.Handler(serve.Pages)
}

func from(h http.Handler, connection string, headers ...string) (string, int) {
	r := httptest.NewRequest(http.MethodGet, "/from", nil)
	r.RemoteAddr = connection
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String(), w.Code
}

func TestWhereRequestsComeFrom(t *testing.T) {
	h := proxied(t, serve.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}})
	const xff, fwd = "X-Forwarded-For", "Forwarded"
	for name, c := range map[string]struct {
		connection string
		headers    []string
		want       string
	}{
		"nobody in between":           {"192.0.2.7:4711", nil, "192.0.2.7"},
		"a stranger's word":           {"192.0.2.7:4711", []string{xff, "198.51.100.1"}, "192.0.2.7"},
		"a stranger's other word":     {"192.0.2.7:4711", []string{fwd, "for=198.51.100.1"}, "192.0.2.7"},
		"a proxy's word":              {"10.0.0.1:4711", []string{xff, "192.0.2.7"}, "192.0.2.7"},
		"what stands before it":       {"10.0.0.1:4711", []string{xff, "198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		"in another line":             {"10.0.0.1:4711", []string{xff, "198.51.100.1", xff, "192.0.2.7"}, "192.0.2.7"},
		"a chain":                     {"10.0.0.1:4711", []string{xff, "198.51.100.1, 192.0.2.7, 10.0.0.2"}, "192.0.2.7"},
		"a trusted address made up":   {"10.0.0.1:4711", []string{xff, "10.0.0.3, 192.0.2.7"}, "192.0.2.7"},
		"nothing but proxies":         {"10.0.0.1:4711", []string{xff, "10.0.0.2, 10.0.0.3"}, "10.0.0.2"},
		"junk before":                 {"10.0.0.1:4711", []string{xff, "<script>, 192.0.2.7"}, "192.0.2.7"},
		"junk last":                   {"10.0.0.1:4711", []string{xff, "192.0.2.7, unknown"}, "10.0.0.1"},
		"empty":                       {"10.0.0.1:4711", []string{xff, ""}, "10.0.0.1"},
		"no header":                   {"10.0.0.1:4711", nil, "10.0.0.1"},
		"with a port":                 {"10.0.0.1:4711", []string{xff, "192.0.2.7:5000"}, "192.0.2.7"},
		"IPv6":                        {"[fd00::1]:4711", []string{xff, "2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":            {"[fd00::1]:4711", []string{xff, "[2001:db8::7]"}, "2001:db8::7"},
		"IPv4 in IPv6":                {"[::ffff:10.0.0.1]:4711", []string{xff, "::ffff:192.0.2.7"}, "192.0.2.7"},
		"Forwarded":                   {"10.0.0.1:4711", []string{fwd, `for=192.0.2.7;proto=https;by=10.0.0.1`}, "192.0.2.7"},
		"Forwarded, IPv6":             {"10.0.0.1:4711", []string{fwd, `proto=https;For="[2001:db8::7]:4711"`}, "2001:db8::7"},
		"Forwarded, hidden":           {"10.0.0.1:4711", []string{fwd, "for=198.51.100.1, for=_hidden"}, "10.0.0.1"},
		"Forwarded, a comma quoted":   {"10.0.0.1:4711", []string{fwd, `for="198.51.100.1, for=192.0.2.7`}, "192.0.2.7"},
		"both alike":                  {"10.0.0.1:4711", []string{xff, "192.0.2.7", fwd, "for=192.0.2.7"}, "192.0.2.7"},
		"one of them let through":     {"10.0.0.1:4711", []string{xff, "192.0.2.7", fwd, "for=198.51.100.1"}, "10.0.0.1"},
		"one made up to look trusted": {"10.0.0.1:4711", []string{xff, "192.0.2.7", fwd, "for=10.0.0.9"}, "10.0.0.1"},
		"a hundred hops":              {"10.0.0.1:4711", []string{xff, "192.0.2.7" + strings.Repeat(", 10.0.0.2", 100)}, "10.0.0.2"},
	} {
		if got, _ := from(h, c.connection, c.headers...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestPlainListenerIsForProxiesOnly(t *testing.T) {
	h := proxied(t, serve.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, Only: true})
	if got, code := from(h, "10.0.0.1:4711", "X-Forwarded-For", "192.0.2.7"); got != "192.0.2.7" {
		t.Errorf("a proxy: %d %s", code, got)
	}
	if got, code := from(h, "10.0.0.2:4711", "X-Forwarded-For", "10.0.0.1"); code != http.StatusForbidden || !strings.Contains(got, "denied") {
		t.Errorf("a neighbour: %d %s", code, got)
	}
}

func FuzzForwarded(f *testing.F) {
	h := proxied(f, serve.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	f.Add("192.0.2.7, 10.0.0.2", `for="[2001:db8::1]:80", for=_x`)
	f.Fuzz(func(t *testing.T, plain, standard string) {
		// What anybody writes before it changes nothing about whom the proxy heard.
		got, _ := from(h, "10.0.0.1:1", "X-Forwarded-For", plain+",192.0.2.7", "Forwarded", standard+",for=192.0.2.7")
		if got != "192.0.2.7" {
			t.Errorf("%q and %q: %s", plain, standard, got)
		}
	})
}
