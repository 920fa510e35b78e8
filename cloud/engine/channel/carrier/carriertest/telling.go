package carriertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// sent is a note that the provider has.
type sent struct {
	carrier.Note
	taken carrier.Taken
}

func (p *Peer) sent(t *testing.T, i int) sent {
	t.Helper()
	n := p.note(i)
	taken, err := p.send(t.Context(), t, p.Driver, n)
	if err != nil {
		t.Fatal(err)
	}
	return sent{n, taken}
}

// hear lets the provider tell something, and returns what the driver makes of it.
func (p *Peer) hear(t *testing.T, d carrier.Driver, s sent, status carrier.Status) carrier.Receipt {
	t.Helper()
	call := p.Tell(t, s.Note, s.taken, status)
	if call == nil {
		select {
		case r := <-p.told:
			return r
		case <-time.After(patience):
			t.Fatalf("nothing was heard of %s", status)
		}
	}
	hook, ok := d.(carrier.Hook)
	if !ok {
		t.Fatal("it takes no calls")
	}
	reply, err := hook.Call(t.Context(), *call)
	if err != nil || len(reply.Receipts) != 1 {
		t.Fatalf("%s: %+v, %v", status, reply, err)
	}
	return reply.Receipts[0]
}

// means says no to a receipt that is not this one.
func (s sent) means(t *testing.T, r carrier.Receipt, status carrier.Status) {
	t.Helper()
	name := s.taken.ID
	if r.ByNote {
		name = s.Public
	}
	if r.ID == "" || r.ID != name || r.Status != status {
		t.Errorf("it is %+v, told was %s of %+v", r, status, s.taken)
	}
}

// receipts: each is heard for the message that it is about, and once more when it
// comes once more.
func receipts(t *testing.T, p *Peer) {
	for i, status := range p.Statuses {
		s := p.sent(t, i)
		for range 2 {
			s.means(t, p.hear(t, p.Driver, s, status), status)
			if p.Sign == "" && len(p.Statuses) == 1 {
				break // the twins: it tells by itself, once
			}
		}
	}
}

// lateReceipts: the last message is told of first, and by a driver that was opened
// since.
func lateReceipts(t *testing.T, p *Peer) {
	all := []sent{p.sent(t, 1), p.sent(t, 2), p.sent(t, 3)}
	d := p.Reopen(t)
	p.listen(d)
	for i := range p.Statuses {
		status := p.Statuses[len(p.Statuses)-1-i]
		for _, s := range slices.Backward(all) {
			s.means(t, p.hear(t, d, s, status), status)
		}
	}
}

// forged: a call counts only as its provider has signed it.
func forged(t *testing.T, p *Peer) {
	hook, ok := p.Driver.(carrier.Hook)
	if !ok {
		t.Fatal("it takes no calls")
	}
	status := p.Statuses[0]
	one, other := p.sent(t, 1), p.sent(t, 2)
	genuine, another := *p.Tell(t, one.Note, one.taken, status), *p.Tell(t, other.Note, other.taken, status)
	header := func(change func(string) string) func(string) string {
		return func(name string) string {
			if strings.EqualFold(name, p.Sign) {
				return change(genuine.Header(name))
			}
			return genuine.Header(name)
		}
	}
	for name, change := range map[string]func(c *carrier.Call){
		"no headers":            func(c *carrier.Call) { c.Header = func(string) string { return "" } },
		"no signature":          func(c *carrier.Call) { c.Header = header(func(string) string { return "" }) },
		"a zero signature":      func(c *carrier.Call) { c.Header = header(func(s string) string { return strings.Repeat("0", len(s)) }) },
		"half a signature":      func(c *carrier.Call) { c.Header = header(func(s string) string { return s[:len(s)/2] }) },
		"another's signature":   func(c *carrier.Call) { c.Header = another.Header },
		"another's body":        func(c *carrier.Call) { c.Body, c.URL, c.Query = another.Body, another.URL, another.Query },
		"one more byte":         func(c *carrier.Call) { c.Body = append(bytes.Clone(c.Body), 'x') },
		"one byte less":         func(c *carrier.Call) { c.Body = c.Body[:len(c.Body)-1] },
		"no body":               func(c *carrier.Call) { c.Body = nil },
		"nesting without end":   func(c *carrier.Call) { c.Body = bytes.Repeat([]byte(`{"a":[`), 40_000) },
		"another way of a call": func(c *carrier.Call) { c.Method = "GET" },
	} {
		c := genuine
		change(&c)
		if reply, err := hook.Call(t.Context(), c); !errors.Is(err, carrier.ErrForged) || len(reply.Receipts) > 0 || len(reply.Body) > 0 {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
	if p.Fresh > 0 {
		for _, by := range []time.Duration{p.Fresh + time.Second, -p.Fresh - time.Second} {
			c := genuine
			c.Now = c.Now.Add(by)
			if _, err := hook.Call(t.Context(), c); !errors.Is(err, carrier.ErrForged) {
				t.Errorf("made %v ago: %v", by, err)
			}
		}
	}
	if _, err := p.Stranger(t).(carrier.Hook).Call(t.Context(), genuine); !errors.Is(err, carrier.ErrForged) {
		t.Errorf("with another secret: %v", err)
	}
	if _, err := hook.Call(t.Context(), genuine); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
}
