package webpush

import (
	"sync"
	"sync/atomic"
	"testing"
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
	if now = now.Add(toldFor); s.once(w) {
		t.Error("a notice that was not seen wakes again")
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
