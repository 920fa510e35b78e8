package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/secret"
)

// What callers and users choose, however hostile, makes no new series.
func TestMetricsAreBounded(t *testing.T) {
	h := build(t)
	scrape := func() string {
		w := h.do(serve.Ops, http.MethodGet, "/metrics", "")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
		return w.Body.String()
	}
	h.do(serve.API, http.MethodGet, "/first", "")
	h.do(serve.API, http.MethodGet, "/verify/v1/challenges/first", "")
	series := strings.Count(scrape(), "\n")
	for i := range 50 {
		h.do(serve.API, http.MethodGet, fmt.Sprintf("/evil%d", i), "")
		h.do(serve.API, http.MethodGet, fmt.Sprintf("/verify/v1/challenges/evil%d", i), "")
		h.do(serve.API, fmt.Sprintf("EVIL%d", i), "/readyz", "")
		_, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 1, Method: cloud.Preference(fmt.Sprintf("evil%d", i)),
			Code: secret.FromString("000000"), Client: cloud.Client{App: fmt.Sprintf("evil\"} %d\n", i), Station: fmt.Sprint("evil", i)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	text := scrape()
	if strings.Contains(strings.ToLower(text), "evil") {
		t.Error("a hostile name is in the metrics")
	}
	if more := strings.Count(text, "\n") - series; more > 40 {
		t.Errorf("%d lines more", more)
	}
	for _, want := range []string{`mfabridge_engine_requests_total{route="GET /verify/v1/challenges/{id}",status="401"} 51`,
		`mfabridge_engine_verdicts_total{`, `mfabridge_engine_in_flight{kind="short"} 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if w := h.do(serve.API, http.MethodGet, "/metrics", ""); w.Code != http.StatusNotFound {
		t.Errorf("the api listener has metrics: %d", w.Code)
	}
}

// While an engine drains, /readyz says so, and requests are still answered.
func TestDrainIsSaid(t *testing.T) {
	h := build(t)
	if w := h.do(serve.Ops, http.MethodGet, "/readyz", ""); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	h.Drain()
	if w := h.do(serve.Ops, http.MethodGet, "/readyz", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz says %d", w.Code)
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		if w := h.do(serve.Ops, http.MethodGet, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s says %d", path, w.Code)
		}
	}
	if w := h.do(serve.API, http.MethodGet, "/.well-known/oauth-authorization-server", ""); w.Code != http.StatusOK {
		t.Errorf("a request is answered %d", w.Code)
	}
}
