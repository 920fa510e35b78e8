package channel

import (
	"strconv"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// Receipts that nobody knows are kept for a minute, so many of them and each for
// one who asks.
func TestEarlyReceiptsAreBounded(t *testing.T) {
	e, now := newEarly(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range maxEarly {
		e.put(strconv.Itoa(i), carrier.Receipt{Status: carrier.Read}, now)
	}
	e.put("more", carrier.Receipt{Status: carrier.Read}, now.Add(earlyLife))
	if _, there := e.take("more"); there || len(e.seen) != maxEarly || len(e.at) != maxEarly {
		t.Errorf("%d and %d are kept", len(e.seen), len(e.at))
	}
	if r, there := e.take("7"); !there || r.Status != carrier.Read {
		t.Errorf("it is %+v, %v", r, there)
	}
	if _, there := e.take("7"); there {
		t.Error("it is there twice")
	}
	e.put("again", carrier.Receipt{}, now.Add(earlyLife))
	e.put("late", carrier.Receipt{}, now.Add(earlyLife+time.Second))
	if len(e.seen) != 2 || len(e.at) != 2 {
		t.Errorf("%d and %d are kept after a minute", len(e.seen), len(e.at))
	}
}
