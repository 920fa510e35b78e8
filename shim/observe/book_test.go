package observe_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/shim/observe"
)

var (
	begin = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	from  = netip.MustParseAddr("192.0.2.7")
)

func TestRequireIsSafeOnlyAfterAQuietWeek(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		do   func(*observe.Count)
		at   time.Time
		safe bool
		says string
	}{
		{"nothing seen", func(*observe.Count) {}, begin.Add(9 * day), false, "no request has been seen yet"},
		{"watched for too short", func(c *observe.Count) { c.Add(observe.Signed, from, begin) }, begin.Add(6 * day), false, "look again after 2026-11-08"},
		{"a good week", func(c *observe.Count) { c.Add(observe.Signed, from, begin) }, begin.Add(7 * day), true, "require is safe"},
		{"one without", func(c *observe.Count) {
			c.Add(observe.Signed, from, begin)
			c.Add(observe.Unsigned, from, begin.Add(3*day))
		}, begin.Add(9 * day), false, "1 requests without Message-Authenticator, the last 2026-11-04 08:00:00Z from 192.0.2.7"},
		{"one without, a week ago", func(c *observe.Count) {
			c.Add(observe.Signed, from, begin)
			c.Add(observe.UnsignedProxyState, from, begin.Add(3*day))
		}, begin.Add(10 * day), true, "require is safe"},
		{"only ever without", func(c *observe.Count) { c.Add(observe.Unsigned, from, begin) }, begin.Add(20 * day), false, "no request with"},
		{"wrong ones say nothing", func(c *observe.Count) { c.Add(observe.Wrong, from, begin) }, begin.Add(20 * day), false, "no request has been seen yet"},
		{"the clock went back", func(c *observe.Count) {
			c.Add(observe.Signed, from, begin)
			c.Add(observe.Unsigned, from, begin.Add(30*day))
		}, begin.Add(8 * day), false, "not safe"},
	} {
		count := observe.New().Of("vpn", begin)
		c.do(count)
		r := count.Report("vpn")
		if r.Safe(c.at) != c.safe || !strings.Contains(r.Advice(c.at), c.says) {
			t.Errorf("%s: safe %v, says %q", c.name, r.Safe(c.at), r.Advice(c.at))
		}
	}
}

func TestCountsOutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "observe.json")
	b, err := observe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b.Of("vpn", begin).Add(observe.Signed, from, begin)
	b.Of("vpn", begin).Add(observe.UnsignedEAP, from, begin.Add(time.Hour))
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := observe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r := again.Of("vpn", begin.Add(time.Hour)).Report("vpn")
	if !r.Since.Equal(begin) || r.Counts["signed"] != 1 || r.Without() != 1 || r.From != "192.0.2.7" || !r.LastUnsigned.Equal(begin.Add(time.Hour)) {
		t.Errorf("got %+v", r)
	}
	if len(again.Reports()) != 1 {
		t.Errorf("%d clients", len(again.Reports()))
	}
}

func TestAForeignFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "observe.json")
	for _, text := range []string{"", "x", `{"client":"a"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := observe.Open(path); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
