// Package meter counts and measures for operators, in the text format of
// Prometheus, with labels that cannot grow.
//
// A label has a table of values when it is made. What is not in the table
// counts as "other": a hostile name, or a word of a newer version, makes no new
// series. Nothing that a caller or a user chose belongs into a table.
//
//	m := meter.New()
//	logins := m.Counter("mfabridge_logins_total", "Verdicts.", meter.Label{"outcome", []string{"approved", "denied"}})
//	logins.Add("approved")
//	err := m.Write(w)
package meter

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// Other is the value of what is not in a label's table.
const Other = "other"

// ContentType is what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Label is a dimension of a metric with all its values.
type Label struct {
	Name   string
	Values []string
}

// Meter holds metrics. Its methods that make one panic when the name is taken
// or not a name: that is a fault of the program which shows at its start.
type Meter struct{ registry *prometheus.Registry }

// New makes a meter that knows of the process and of Go's runtime.
func New() *Meter {
	m := &Meter{registry: prometheus.NewPedanticRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Write writes all metrics as they are now.
func (m *Meter) Write(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return fmt.Errorf("metrics cannot be gathered: %w", err)
	}
	enc := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// tables are the labels of one metric.
type tables []map[string]bool

func newTables(labels []Label) (t tables, names []string) {
	for _, l := range labels {
		table := map[string]bool{}
		for _, v := range l.Values {
			table[v] = true
		}
		t, names = append(t, table), append(names, l.Name)
	}
	return t, names
}

// bound makes values that are in the tables.
func (t tables) bound(values []string) []string {
	out := make([]string, len(t))
	for i := range t {
		out[i] = Other
		if i < len(values) && t[i][values[i]] {
			out[i] = values[i]
		}
	}
	return out
}

// Counter counts, by labels.
type Counter struct {
	tables
	vec *prometheus.CounterVec
}

// Counter makes one. Its name ends in _total.
func (m *Meter) Counter(name, help string, labels ...Label) *Counter {
	t, names := newTables(labels)
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names)
	m.registry.MustRegister(vec)
	return &Counter{t, vec}
}

// Add counts one. Values stand in the order of the labels.
func (c *Counter) Add(values ...string) { c.vec.WithLabelValues(c.bound(values)...).Inc() }

// Durations counts how long things took, in seconds, by labels.
type Durations struct {
	tables
	vec *prometheus.HistogramVec
}

// Durations makes one. Its name ends in _seconds.
func (m *Meter) Durations(name, help string, labels ...Label) *Durations {
	t, names := newTables(labels)
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30, 60}}, names)
	m.registry.MustRegister(vec)
	return &Durations{t, vec}
}

// Add counts one that took so many seconds.
func (d *Durations) Add(seconds float64, values ...string) {
	d.vec.WithLabelValues(d.bound(values)...).Observe(seconds)
}

// Gauge has a value read whenever somebody looks.
func (m *Meter) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// GaugeOf is Gauge for one value of a label that is fixed here: several may
// have one name.
func (m *Meter) GaugeOf(name, help, label, value string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{label: value}}, read))
}

// Total has a count read that somebody else keeps. Its name ends in _total.
func (m *Meter) Total(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}
