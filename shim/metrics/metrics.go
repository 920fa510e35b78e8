// Package metrics shows what a shim does to those who watch it: counters for
// Prometheus, and whether it is alive and ready.
//
//	h := metrics.Handler(server, book, metrics.Options{Certificate: ends, Ready: ready})
//	http.Serve(listener, h)      // /metrics, /healthz, /readyz
//
// Labels are the shim's own words (reasons, outcomes, kinds) and the names of
// configured clients: nothing that comes in a packet can make a new one.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mfabridge/shim"
	"mfabridge/shim/observe"
)

// Server is what is watched; *shim.Server is one.
type Server interface{ Counters() shim.Counters }

// Options are what else is shown.
type Options struct {
	Certificate func() time.Time // when RadSec's certificate ends; nil or zero: there is none
	Now         func() time.Time // nil: time.Now
	// Ready returns why the shim is not ready for logins; nil: it is.
	Ready func() error
	// Bypasses returns until when which clients ask for no second factor; nil: none ever.
	Bypasses func() map[string]time.Time
	// Configuration returns since when the configuration that counts has
	// counted, and whether a later one was refused; nil: nobody knows.
	Configuration func() (since time.Time, refused bool)
	// AccountsRefused returns how many accounts that search a directory are refused
	// by it; nil: nobody counts.
	AccountsRefused func() int
}

// Handler answers /metrics, /healthz and /readyz.
func Handler(s Server, book *observe.Book, o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{s: s, book: book, o: o})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { say(w, o.Ready()) })
	return mux
}

func say(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = w.Write([]byte(text)) // who asked has gone
}

// collector reads the counters when it is asked.
type collector struct {
	s    Server
	book *observe.Book
	o    Options
}

// Describe implements prometheus.Collector: what there is depends on what has
// happened.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	n := c.s.Counters()
	for name, v := range map[string]struct {
		help  string
		value uint64
	}{
		"packets_received": {"Packets that came in.", n.Received}, "status_server": {"Status-Server that was answered.", n.StatusServer},
		"replies_repeated": {"Retransmissions answered from the cache.", n.Repeated}, "requests_in_flight_again": {"Retransmissions dropped while the first was at work.", n.InFlight},
		"replies_superseded": {"Replies whose identifier had been used anew.", n.Superseded}, "faults": {"Faults of the program; each cost one request.", n.Panics},
		"accounting_taken": {"Accounting-Requests that were taken and answered.", n.Accounted},
	} {
		c.counter(out, name, v.help, v.value, nil)
	}
	for label, all := range map[string]struct {
		name, help string
		values     map[string]uint64
	}{
		"outcome": {"logins", "Logins by outcome.", n.Logins}, "reason": {"refusals", "Logins refused or left unanswered, by reason.", n.Reasons},
		"by":  {"second_factor_spared", "Logins accepted without a second factor, by what stood in for it.", n.Spared},
		"why": {"packets_dropped", "Packets that did not become a login.", n.Dropped},
	} {
		for value, count := range all.values {
			c.counter(out, all.name, all.help, count, prometheus.Labels{label: value})
		}
	}
	c.gauge(out, "logins_waiting", "Logins that wait for a push or a call.", float64(n.Waiting), nil)
	if c.o.Bypasses != nil {
		for client, until := range c.o.Bypasses() {
			c.gauge(out, "client_bypass_until_seconds", "Until when a client asks for no second factor, in Unix seconds.", float64(until.Unix()), prometheus.Labels{"client": client})
		}
	}
	if c.o.AccountsRefused != nil {
		c.gauge(out, "directory_accounts_refused", "Accounts that search a directory and are refused by it.", float64(c.o.AccountsRefused()), nil)
	}
	c.configuration(out)
	for _, r := range c.book.Reports() {
		for kind, count := range r.Counts {
			c.counter(out, "message_authenticator", "Access-Requests by client and kind of Message-Authenticator.", count, prometheus.Labels{"client": r.Client, "kind": kind})
		}
		safe := 0.0
		if r.Safe(c.o.Now()) {
			safe = 1
		}
		c.gauge(out, "message_authenticator_require_safe", "1: message_authenticator: require would have dropped nothing for a week.", safe, prometheus.Labels{"client": r.Client})
	}
	if c.o.Certificate == nil {
		return
	}
	if end := c.o.Certificate(); !end.IsZero() {
		c.gauge(out, "radsec_certificate_not_after_seconds", "When RadSec's certificate ends, in Unix seconds.", float64(end.Unix()), nil)
	}
}

// configuration tells which one counts, and whether it is the latest.
func (c *collector) configuration(out chan<- prometheus.Metric) {
	if c.o.Configuration == nil {
		return
	}
	since, refused := c.o.Configuration()
	c.gauge(out, "configuration_since_seconds", "Since when the configuration counts that is in use, in Unix seconds.", float64(since.Unix()), nil)
	late := 0.0
	if refused {
		late = 1
	}
	c.gauge(out, "configuration_refused", "1: the latest reload was refused, and the configuration before it goes on.", late, nil)
}

func (*collector) counter(out chan<- prometheus.Metric, name, help string, n uint64, labels prometheus.Labels) {
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("mfabridge_shim_"+name+"_total", help, nil, labels), prometheus.CounterValue, float64(n))
}

func (*collector) gauge(out chan<- prometheus.Metric, name, help string, v float64, labels prometheus.Labels) {
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("mfabridge_shim_"+name, help, nil, labels), prometheus.GaugeValue, v)
}
