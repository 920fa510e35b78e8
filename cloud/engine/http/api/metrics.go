package api

import (
	"net/http"
	"strconv"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/meter"
)

// states, reasons and methods are all values of their labels: what a verdict
// can say.
func states() []string {
	return []string{string(cloud.Pending), string(cloud.Approved), string(cloud.Refused), string(cloud.Expired)}
}

func reasons() []string {
	all := []string{"none"}
	for _, r := range []cloud.Reason{cloud.WrongCode, cloud.UsedCode, cloud.WrongPassword, cloud.UserDenied, cloud.UserDisabled, cloud.UserBlocked,
		cloud.NoMethod, cloud.NotAllowed, cloud.TooManyTries, cloud.Undeliverable, cloud.TimedOut, cloud.RepeatRefused, cloud.NeedNextCode} {
		all = append(all, string(r))
	}
	return all
}

func methods() []string {
	all := []string{"none"}
	for _, m := range []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice, cloud.EmailCode} {
		all = append(all, string(m))
	}
	return all
}

// metrics are what an API counts.
type metrics struct {
	*meter.Meter
	verdicts  *meter.Counter
	requests  *meter.Counter
	durations *meter.Durations
}

const forgedHelp = "Calls in the name of the provider that were not believed since the start; unknown: of providers that there are not."

// newMetrics makes the metrics of a table of routes.
func newMetrics(t *serve.Table, channels *channel.Channels) *metrics {
	var routes []string
	for _, r := range t.Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	m := &metrics{Meter: meter.New()}
	m.verdicts = m.Counter("mfabridge_engine_verdicts_total", "Verdicts that this process reached on challenges.",
		meter.Label{Name: "outcome", Values: states()}, meter.Label{Name: "reason", Values: reasons()}, meter.Label{Name: "method", Values: methods()})
	route := meter.Label{Name: "route", Values: routes}
	m.requests = m.Counter("mfabridge_engine_requests_total", "Requests by route and class of their status.",
		route, meter.Label{Name: "status", Values: []string{"2xx", "3xx", "4xx", "401", "403", "429", "5xx", "503"}})
	m.durations = m.Durations("mfabridge_engine_request_seconds", "How long requests took; streams last as long as they are open.", route)
	for name, read := range map[string]func(short, heavy, streams int) int{
		"short":   func(n, _, _ int) int { return n },
		"heavy":   func(_, n, _ int) int { return n },
		"streams": func(_, _, n int) int { return n },
	} {
		m.GaugeOf("mfabridge_engine_in_flight", "Requests that are being answered.", "kind", name, func() float64 { return float64(read(t.InFlight())) })
	}
	for _, h := range channels.Health() {
		at := h.Channel + "/" + h.Provider
		read := func(is func(channel.Health) float64) func() float64 {
			return func() float64 { return is(channels.HealthOf(h.Channel, h.Provider)) }
		}
		m.GaugeOf("mfabridge_engine_provider_resting", "Providers that are left alone for a while, as they failed again and again.", "provider", at, read(func(h channel.Health) float64 {
			if h.State == "resting" {
				return 1
			}
			return 0
		}))
		m.GaugeOf("mfabridge_engine_provider_taken", "Messages that the provider has taken over since the start.", "provider", at, read(func(h channel.Health) float64 { return float64(h.Taken) }))
		m.GaugeOf("mfabridge_engine_provider_refused", "Messages that it has not.", "provider", at, read(func(h channel.Health) float64 { return float64(h.Refused) }))
		m.GaugeOf("mfabridge_engine_provider_forged", forgedHelp, "provider", at,
			read(func(h channel.Health) float64 { return float64(h.Forged) }))
	}
	if channels != nil {
		m.GaugeOf("mfabridge_engine_provider_forged", forgedHelp, "provider", "unknown", func() float64 { return float64(channels.Strange()) })
	}
	for _, t := range channels.Told() {
		m.GaugeOf("mfabridge_engine_receipts", "What providers have told of messages since the start.", "receipt", t.Channel+"/"+t.Status,
			func() float64 { return float64(channels.ToldOf(t.Channel, t.Status)) })
	}
	return m
}

// verdict counts a verdict.
func (m *metrics) verdict(d cloud.Decision) {
	m.verdicts.Add(string(d.State), orNone(string(d.Reason)), orNone(string(d.Method)))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Handler answers for one listener, and counts.
func (a *API) Handler(l serve.Listener) http.Handler {
	inner := a.Table.Handler(l)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		inner.ServeHTTP(status, r)
		a.metrics.requests.Add(r.Pattern, class(status.status))
		a.metrics.durations.Add(time.Since(begun).Seconds(), r.Pattern)
	})
}

// class is the label of a status: those that alarms are set on by themselves.
func class(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status/100) + "xx"
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	told   bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	if !w.told {
		w.status, w.told = status, status >= 200
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an [http.ResponseController] through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// measured answers with all metrics.
func (a *API) measured(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", meter.ContentType)
	return a.metrics.Write(w)
}

// Meter is where programs add what they measure themselves.
func (a *API) Meter() *meter.Meter { return a.metrics.Meter }
