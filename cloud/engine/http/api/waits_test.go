package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// FuzzPushesQuery: of the parameters of GET pushes only those are taken that say
// something, once each.
func FuzzPushesQuery(f *testing.F) {
	for _, query := range []string{"", "version=x", "wait=30s", "version=&wait=0", "wait=61s", "wait=-1s", "wait=1", "wait=30s&wait=1s", "wait=%zz", "a=b", "wait=1s;version=x", "version=%00", "wait=9999999h"} {
		f.Add(query)
	}
	h := build(f)
	ended, stop := context.WithCancel(f.Context())
	stop() // nobody waits
	face := pages.New(ended, h.engine, pages.Options{})
	table, err := serve.New(serve.Options{Routes: face.Routes(), Auth: face})
	if err != nil {
		f.Fatal(err)
	}
	handler, token := table.Handler(serve.Pages), "Bearer "+h.phone.token(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, base+"/pushes", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		given, err := url.ParseQuery(query)
		may := err == nil
		for name, values := range given {
			may = may && (name == "version" || name == "wait") && len(values) == 1
		}
		if text := given.Get("wait"); text != "" {
			wait, err := time.ParseDuration(text)
			may = may && err == nil && wait >= 0 && wait <= wire.MaxWait
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[may]; w.Code != want {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}
