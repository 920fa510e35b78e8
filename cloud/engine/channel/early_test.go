package channel_test

import (
	"context"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
)

// narrow is a ledger in which a message is recorded in the moment in which
// somebody has found that it is not known.
type narrow struct {
	channel.Ledger
	between func()
}

func (n *narrow) Land(ctx context.Context, name string, status engine.LegStatus) (l engine.Landing, known bool, err error) {
	l, known, err = n.Ledger.Land(ctx, name, status)
	if between := n.between; between != nil && !known {
		n.between = nil
		between()
	}
	return l, known, err
}

// A receipt that comes while its message is being recorded is not lost.
func TestReceiptInTheMomentOfTheRecord(t *testing.T) {
	o, p := newCompanyOffice(t)
	n := &narrow{Ledger: o.Engine}
	id := o.user(t, "asha", "+91 9812345678")
	delivered := statusOf("wamid.A", "delivered", 0)
	var c cloud.Challenge
	n.between = func() { c = o.ask(t, id, cloud.SMS) } // records wamid.A, and looks for early receipts
	if err := o.channels.Attach(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := told(o, delivered, signature("CANARY-APP", delivered)); err != nil {
		t.Fatal(err)
	}
	until(t, "the announcement, as the message has arrived", func() bool { return len(o.files(t, "sms")) == 1 })
	if c.State != cloud.Pending || len(p.bodies) != 1 {
		t.Errorf("%+v, %d messages", c, len(p.bodies))
	}
}

// What is kept of a message counts also where another receipt of it comes while
// the message is being recorded.
func TestReceiptsAroundTheRecord(t *testing.T) {
	o, _ := newCompanyOffice(t)
	n := &narrow{Ledger: o.Engine}
	if err := o.channels.Attach(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	c := o.ask(t, o.user(t, "asha", "+91 9812345678"), cloud.SMS)
	record := func() {
		leg := engine.Leg{Flight: c.ID, Status: engine.LegTaken, Receipts: []string{engine.ReceiptName(engine.ChannelWhatsApp, "wa", "wamid.B")}}
		if _, err := o.Logged(t.Context(), leg); err != nil {
			t.Error(err)
		}
	}
	for i, body := range []string{statusOf("wamid.B", "delivered", 0), statusOf("wamid.B", "sent", 0)} {
		if i == 1 {
			n.between = record
		}
		if err := told(o, body, signature("CANARY-APP", body)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the announcement, as the message has arrived", func() bool { return len(o.files(t, "sms")) == 1 })
}
