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

// Receipts come in any order before their message is known, too: that it was sent
// does not undo that it has arrived.
func TestEarlyReceiptThatOutranksStays(t *testing.T) {
	for name, c := range map[string]struct {
		told []carrier.Status
		want carrier.Status
	}{
		"in order":                {[]carrier.Status{carrier.Sent, carrier.Delivered}, carrier.Delivered},
		"sent behind delivered":   {[]carrier.Status{carrier.Delivered, carrier.Sent}, carrier.Delivered},
		"sent behind failed":      {[]carrier.Status{carrier.Failed, carrier.Sent}, carrier.Failed},
		"failed behind delivered": {[]carrier.Status{carrier.Delivered, carrier.Failed}, carrier.Delivered},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEarly()
			for _, status := range c.told {
				e.put("a", carrier.Receipt{Status: status}, time.Now())
			}
			if r, _ := e.take("a"); r.Status != c.want {
				t.Errorf("%s is kept", r.Status)
			}
		})
	}
}
