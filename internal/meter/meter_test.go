package meter_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mfabridge/internal/meter"
)

func written(t *testing.T, m *meter.Meter) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Names that somebody else chose make no new series, and do not break lines.
func TestLabelsAreBounded(t *testing.T) {
	m := meter.New()
	c := m.Counter("test_total", "Test.", meter.Label{Name: "a", Values: []string{"x", "y"}}, meter.Label{Name: "b", Values: []string{"z"}})
	d := m.Durations("test_seconds", "Test.", meter.Label{Name: "a", Values: []string{"x"}})
	c.Add("x", "z")
	c.Add("y")
	c.Add("x", "z", "more")
	hostile := []string{"", "\n", "a\"} 1\nevil_total 1\n", "\xff\xfe", strings.Repeat("long", 10_000), "X", "other", "x\x00"}
	for i, name := range hostile {
		c.Add(name, name)
		d.Add(1, name)
		d.Add(1, fmt.Sprint(name, i))
	}
	d.Add(.01, "x")
	text := written(t, m)
	for _, want := range []string{`test_total{a="x",b="z"} 2`, `test_total{a="y",b="other"} 1`, `test_total{a="other",b="other"} 8`,
		`test_seconds_count{a="other"} 16`, `test_seconds_count{a="x"} 1`, "process_open_fds", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if n := strings.Count(text, "\ntest_total{"); n != 3 {
		t.Errorf("%d series", n)
	}
	if strings.Contains(text, "evil") || strings.Contains(text, "long") {
		t.Error("a hostile name is in it")
	}
}

func TestRead(t *testing.T) {
	m := meter.New()
	n := 1.0
	m.Gauge("test_depth", "Test.", func() float64 { return n })
	m.GaugeOf("test_end", "Test.", "listener", "api", func() float64 { return 5 })
	m.GaugeOf("test_end", "Test.", "listener", "ops", func() float64 { return 6 })
	m.Total("test_commits_total", "Test.", func() float64 { return 7 })
	n = 3
	text := written(t, m)
	for _, want := range []string{"test_depth 3", `test_end{listener="api"} 5`, `test_end{listener="ops"} 6`, "test_commits_total 7"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}
