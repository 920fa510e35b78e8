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
		{"nothing seen", func(*observe.Count) {}, begin.Add(9 * day), false, "no request has been written down yet, which a running shim does once a minute"},
		{"watched for too short", func(c *observe.Count) { c.Add(observe.Signed, from, begin) }, begin.Add(6 * day), false, "look again after 2026-11-08"},
		{"a good week", func(c *observe.Count) { c.Add(observe.Signed, from, begin) }, begin.Add(7 * day), true, "none without for 7 days"},
		{"a good week to its end", func(c *observe.Count) { // what require takes, or drops as well, puts nothing off
			c.Add(observe.Signed, from, begin.Add(6*day))
			c.Add(observe.Wrong, from, begin.Add(6*day))
		}, begin.Add(7 * day), true, "require is safe: 1 requests"},
		{"one without", func(c *observe.Count) {
			c.Add(observe.Signed, from, begin)
			c.Add(observe.Unsigned, from, begin.Add(3*day))
		}, begin.Add(9 * day), false, "1 requests without Message-Authenticator, the last 2026-11-04 08:00:00Z from 192.0.2.7"},
		{"one without, a week ago", func(c *observe.Count) {
			c.Add(observe.Signed, from, begin)
			c.Add(observe.UnsignedProxyState, from, begin.Add(3*day))
		}, begin.Add(10 * day), true, "require is safe"},
		{"only ever without", func(c *observe.Count) { c.Add(observe.Unsigned, from, begin) }, begin.Add(20 * day), false, "no request with"},
		{"wrong ones say nothing", func(c *observe.Count) { c.Add(observe.Wrong, from, begin) }, begin.Add(20 * day), false, "no request has been written down yet, which a running shim does once a minute"},
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
		if (r.Without() > 0) != (r.From == "192.0.2.7") || (r.Without() == 0) != (r.From == "") {
			t.Errorf("%s: %d without, the last from %q", c.name, r.Without(), r.From)
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
	for _, text := range []string{"", "x", `{"client":"a"}`, `[] []`, `[{"client":"vpn","counts":{"signed":7}}]`, "[]" + strings.Repeat(" ", 4<<20)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := observe.Open(path); err == nil {
			t.Errorf("%.40q was read", text)
		}
	}
	if err := os.WriteFile(path, []byte("[]"+strings.Repeat(" ", 4<<20-2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := observe.Open(path); err != nil {
		t.Errorf("as large as can be: %v", err)
	}
	if err := observe.New().Save(); err != nil {
		t.Errorf("counts of no file: %v", err)
	}
}

func TestADamagedFileIsSetAsideAndTheWeekBeginsAnew(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "observe.json")
	text := "[{\"client\":\"vpn\",\"since\":\"2026-01-01T00:00:00Z\",\"counts\":{\"signed\":90"
	for range 2 { // the second time over one that is there
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, lost := observe.Recover(path)
		if lost == nil || !strings.Contains(lost.Error(), "set aside as "+path+observe.Aside) {
			t.Fatalf("lost: %v", lost)
		}
		b.Of("vpn", begin).Add(observe.Signed, from, begin)
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path + observe.Aside); err != nil || string(got) != text {
		t.Errorf("aside lies %q, %v", got, err)
	}
	b, lost := observe.Recover(path)
	if lost != nil {
		t.Fatalf("what was begun anew is lost, too: %v", lost)
	}
	r := b.Of("vpn", begin).Report("vpn")
	if r.Safe(begin.Add(observe.Period-time.Second)) || !r.Safe(begin.Add(observe.Period)) {
		t.Errorf("safe after another time than a fresh week: %+v", r)
	}
}

// Whoever cannot move the file either begins anew all the same.
func TestWhatCannotBeSetAsideKeepsNobodyFromCounting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "observe.json")
	if err := os.MkdirAll(filepath.Join(path+observe.Aside, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, lost := observe.Recover(path)
	if lost == nil || !strings.Contains(lost.Error(), "cannot be set aside") {
		t.Errorf("lost: %v", lost)
	}
	if b.Of("vpn", begin); b.Save() != nil {
		t.Error("it is not saved")
	}
}
