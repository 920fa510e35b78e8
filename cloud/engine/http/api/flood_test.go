package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
)

// One address that floods what needs no token is told to wait before anything is
// looked up or hashed, on every such route; others are not, and what costs
// nothing goes on.
func TestOneAddressFloodsNobodyElse(t *testing.T) {
	h := build(t)
	face := pages.New(t.Context(), h.engine, pages.Options{Now: h.Now})
	table, err := serve.New(serve.Options{Routes: face.Routes(), Auth: face})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(from, method, path string) *httptest.ResponseRecorder {
		body := ""
		if method == "POST" {
			body = "{" // costs nothing
		}
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.RemoteAddr = from
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		table.Handler(serve.Pages).ServeHTTP(w, r)
		return w
	}
	for _, route := range face.Routes() {
		if !route.Open {
			continue
		}
		h.Advance(time.Minute)
		n := 0
		for n < 1000 && ask("203.0.113.7:1", route.Method, route.Path).Code != http.StatusTooManyRequests {
			n++
		}
		if want := map[bool]int{true: 1000, false: 40}[route.Method == "GET"]; n != want {
			t.Errorf("%s: %d at once, want %d", route.Path, n, want)
		}
		if w := ask("203.0.113.8:1", route.Method, route.Path); w.Code == http.StatusTooManyRequests {
			t.Errorf("%s from another address: %d", route.Path, w.Code)
		}
		if route.Method == "POST" && ask("203.0.113.7:1", route.Method, route.Path).Header().Get("Retry-After") != "1" {
			t.Errorf("%s: nobody says when to come back", route.Path)
		}
	}
	h.Advance(time.Second)
	if w := ask("203.0.113.7:1", "POST", base+"/pass"); w.Code != http.StatusBadRequest {
		t.Errorf("a second later: %d", w.Code)
	}
}
