package webpush

import (
	"cmp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine"
)

func TestLanesAreFair(t *testing.T) {
	var l lanes
	stop := make(chan struct{})
	var stuck atomic.Int64
	for range maxForHost + maxWaiting {
		if !l.run("slow", func() { stuck.Add(1); <-stop }) {
			t.Fatal("there was room")
		}
	}
	if l.run("slow", func() {}) {
		t.Error("more than may wait was taken")
	}
	var done sync.WaitGroup
	done.Add(3)
	for range 3 {
		if !l.run("fast", done.Done) {
			t.Error("another host was refused")
		}
	}
	done.Wait()
	if n := stuck.Load(); n > maxForHost {
		t.Errorf("%d at once to one host", n)
	}
	close(stop)
	l.close()
	if l.run("fast", func() {}) {
		t.Error("something was taken after the end")
	}
	if l.busy != 0 || len(l.byHost) != 0 || len(l.order) != 0 || stuck.Load() != maxForHost+maxWaiting {
		t.Errorf("%d busy, %d hosts, %d in order, %d ran", l.busy, len(l.byHost), len(l.order), stuck.Load())
	}
}

// One that waits behind a slow host begins at once, and all hosts together have no
// more than their places.
func TestLanesBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		stop, ran := make(chan struct{}), map[string]*atomic.Int64{}
		put := func(host string, n int) {
			ran[host] = new(atomic.Int64)
			for range n {
				if !l.run(host, func() { ran[host].Add(1); <-stop }) {
					t.Fatalf("no room for %s", host)
				}
			}
			synctest.Wait()
		}
		put("slow", maxForHost+1)
		put("one", 1)
		if ran["one"].Load() != 1 {
			t.Error("a host waits behind one that is slow")
		}
		all := int64(maxForHost + 1)
		for i := range 10 {
			put(strconv.Itoa(i), 5)
			all += ran[strconv.Itoa(i)].Load()
		}
		if all != maxSending {
			t.Errorf("%d at once, want %d", all, maxSending)
		}
		close(stop)
		l.close()
		for host, n := range ran {
			if want := map[string]int64{"slow": maxForHost + 1, "one": 1}[host]; n.Load() != cmp.Or(want, 5) {
				t.Errorf("%s: %d ran", host, n.Load())
			}
		}
		if l.busy != 0 || len(l.byHost) != 0 || len(l.order) != 0 {
			t.Errorf("%d busy, %d hosts, %d in order", l.busy, len(l.byHost), len(l.order))
		}
	})
}

func TestNobodyIsWokenTwice(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s := &Sender{o: Options{Now: func() time.Time { return now }}, told: map[string]time.Time{}}
	w := &engine.Wake{Device: "d", Notice: &engine.Notice{ID: "n", At: now}}
	if !s.once(w) || s.once(w) {
		t.Error("a notice is told once")
	}
	if other := (&engine.Wake{Device: "e", Notice: w.Notice}); !s.once(other) {
		t.Error("another device is told too")
	}
	if other := (&engine.Wake{Device: "d", Notice: &engine.Notice{ID: "m", At: now}}); !s.once(other) {
		t.Error("another notice is told too")
	}
	if push := (&engine.Wake{Device: "d", Push: &engine.Push{Challenge: "c"}}); !s.once(push) || s.once(push) {
		t.Error("a push is told once")
	}
	if now = now.Add(toldFor); s.once(w) {
		t.Error("a notice that was not seen wakes again")
	}
}

// What was told is remembered within bounds; what does not fit is told.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s := &Sender{o: Options{Now: func() time.Time { return now }}, told: map[string]time.Time{}}
	push := func(device string) bool {
		return s.once(&engine.Wake{Device: device, Push: &engine.Push{Challenge: "c"}})
	}
	for i := range maxTold + 1 {
		if !push(strconv.Itoa(i)) {
			t.Fatalf("device %d is not woken", i)
		}
	}
	if len(s.told) != maxTold || push("7") {
		t.Errorf("%d are remembered", len(s.told))
	}
	if now = now.Add(toldFor); !push("7") || push("7") || len(s.told) != 1 {
		t.Errorf("after five minutes: %d are remembered", len(s.told))
	}
}

// A browser has what it needs to say a notice in the language of its user.
func TestNoticeSaysWhatItIs(t *testing.T) {
	s := &Sender{}
	m, life := s.messageOf(&engine.Wake{Device: "d", Notice: &engine.Notice{ID: "n", Text: "in English", Kind: engine.NoticeDeviceAdded, Name: "Phone"}})
	if m.Type != "notice" || m.Text != "in English" || m.Kind != "device_added" || m.Name != "Phone" || life != noticeLives {
		t.Errorf("%+v for %v", m, life)
	}
}
