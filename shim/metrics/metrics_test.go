package metrics_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/metrics"
	"mfabridge/shim/observe"
)

type fixed shim.Counters

func (f fixed) Counters() shim.Counters { return shim.Counters(f) }

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestCountersAreShown(t *testing.T) {
	book := observe.New()
	begin := time.Unix(1e9, 0)
	book.Of(`odd "name"`, begin).Add(observe.Signed, netip.MustParseAddr("192.0.2.1"), begin)
	var away error
	h := metrics.Handler(fixed{Received: 7, Logins: map[string]uint64{"accept": 2}, Reasons: map[string]uint64{"wrong_code": 1}, Spared: map[string]uint64{"cache": 4}, Dropped: map[string]uint64{"malformed": 3}},
		book, metrics.Options{Certificate: func() time.Time { return time.Unix(2e9, 0) }, Now: func() time.Time { return begin.Add(8 * 24 * time.Hour) }, Ready: func() error { return away },
			Bypasses:      func() map[string]time.Time { return map[string]time.Time{"vpn": time.Unix(3e9, 0)} },
			Configuration: func() (time.Time, bool) { return time.Unix(4e9, 0), true }, AccountsRefused: func() int { return 5 }})
	code, text := get(t, h, "/metrics")
	for _, want := range []string{"mfabridge_shim_packets_received_total 7", `mfabridge_shim_logins_total{outcome="accept"} 2`, `mfabridge_shim_refusals_total{reason="wrong_code"} 1`,
		`mfabridge_shim_packets_dropped_total{why="malformed"} 3`, `mfabridge_shim_message_authenticator_total{client="odd \"name\"",kind="signed"} 1`,
		`mfabridge_shim_message_authenticator_require_safe{client="odd \"name\""} 1`, `mfabridge_shim_second_factor_spared_total{by="cache"} 4`, `mfabridge_shim_client_bypass_until_seconds{client="vpn"} 3e+09`, "mfabridge_shim_radsec_certificate_not_after_seconds 2e+09",
		"mfabridge_shim_configuration_since_seconds 4e+09", "mfabridge_shim_configuration_refused 1", "mfabridge_shim_directory_accounts_refused 5"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if code != http.StatusOK {
		t.Errorf("status %d", code)
	}
	if code, _ := get(t, h, "/readyz"); code != http.StatusOK {
		t.Errorf("ready: %d", code)
	}
	away = errors.New("the engine is away")
	if code, text := get(t, h, "/readyz"); code != http.StatusServiceUnavailable || text != "the engine is away\n" {
		t.Errorf("not ready: %d %q", code, text)
	}
	if code, _ := get(t, h, "/healthz"); code != http.StatusOK {
		t.Errorf("alive: %d", code)
	}
	if code, _ := get(t, h, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("another path: %d", code)
	}
}
