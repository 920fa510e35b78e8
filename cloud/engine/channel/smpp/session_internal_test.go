package smpp

import (
	"errors"
	"strings"
	"testing"

	"mfabridge/cloud/engine/channel/carrier"
)

// Numbers begin again before the highest bit.
func TestNumbersBeginAgain(t *testing.T) {
	s := &session{sequence: maxSequence - 1}
	for _, want := range []uint32{maxSequence, 1, 2} {
		if got := s.number(); got != want {
			t.Errorf("number %d, want %d", got, want)
		}
	}
}

// A session that is over sends nothing, which is known.
func TestSessionThatIsOver(t *testing.T) {
	s := &session{over: make(chan struct{}), waiting: map[uint32]chan pdu{}}
	s.end()
	if _, err := s.ask(t.Context(), submitSM, nil); !errors.Is(err, ErrNotBound) {
		t.Error(err)
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		given   pdu
		refused uint32
		unknown bool
	}{
		"yes":               {pdu{command: submitSM | answer}, 0, false},
		"no":                {pdu{command: submitSM | answer, status: statusBadDest}, statusBadDest, false},
		"a nack":            {pdu{command: genericNack, status: statusBadLength}, statusBadLength, false},
		"a nack without no": {pdu{command: genericNack}, statusBadCommand, false},
		"another answer":    {pdu{command: enquireLink | answer}, 0, true},
	} {
		err := judge(submitSM, c.given)
		refused, is := errors.AsType[*Refused](err)
		if is != (c.refused != 0) || is && refused.Status != c.refused || errors.Is(err, carrier.ErrUnknown) != c.unknown || (err == nil) != (name == "yes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A receipt is one only where it names a message and says what became of it; what
// a text quotes says nothing.
func TestParseReceipt(t *testing.T) {
	long := strings.Repeat("x", maxMessageID)
	deliver := func(class byte, text, options string) []byte {
		b := append([]byte("CMT\x00\x01\x0114255550142\x00\x05\x00Contoso\x00"), class, 0, 0)
		b = append(append(b, "261122120000000+\x00261122130000000+\x00"...), 0, 0, 0, 0, byte(len(text)))
		return append(append(b, text...), options...)
	}
	for name, c := range map[string]struct {
		body  []byte
		want  carrier.Receipt
		found bool
	}{
		"the text":               {deliver(0x04, "id:m1 stat:DELIVRD err:000", ""), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
		"in other letters":       {deliver(0x04, "ID:m1 Stat:delivrd", ""), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
		"words without a colon":  {deliver(0x04, "submit id id:m1 stat stat:EXPIRED", ""), carrier.Receipt{ID: "m1", Status: carrier.Failed}, true},
		"the first counts":       {deliver(0x04, "id:m1 id:m2 stat:EXPIRED stat:DELIVRD", ""), carrier.Receipt{ID: "m1", Status: carrier.Failed}, true},
		"a quoted state":         {deliver(0x04, "id:m1 text:x stat:DELIVRD", ""), carrier.Receipt{ID: "m1"}, false},
		"a quoted id":            {deliver(0x04, "stat:DELIVRD text:x id:m1", ""), carrier.Receipt{Status: carrier.Delivered}, false},
		"no state that is known": {deliver(0x04, "id:m1 stat:UNKNOWN", ""), carrier.Receipt{ID: "m1"}, false},
		"no receipt":             {deliver(0x00, "id:m1 stat:DELIVRD", ""), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, false},
		"of another kind":        {deliver(0x08, "id:m1 stat:DELIVRD", ""), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, false},
		"the longest id":         {deliver(0x04, "id:"+long+" stat:DELIVRD", ""), carrier.Receipt{ID: long, Status: carrier.Delivered}, true},
		"a longer one":           {deliver(0x04, "id:x"+long+" stat:DELIVRD", ""), carrier.Receipt{Status: carrier.Delivered}, false},
		"the longest parameter":  {deliver(0x04, "", "\x00\x1e\x00\x41"+long+"\x00\x04\x27\x00\x01\x08"), carrier.Receipt{ID: long, Status: carrier.Failed}, true},
		"a longer parameter":     {deliver(0x04, "id:m1 stat:DELIVRD", "\x00\x1e\x00\x42x"+long+"\x00"), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
		"a strange state":        {deliver(0x04, "id:m1 stat:DELIVRD", "\x04\x27\x00\x01\x09"), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
		"a state of two octets":  {deliver(0x04, "id:m1 stat:DELIVRD", "\x04\x27\x00\x02\x05\x05"), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
		"another parameter":      {deliver(0x04, "id:m1 stat:DELIVRD", "\x04\x23\x00\x01\x05"), carrier.Receipt{ID: "m1", Status: carrier.Delivered}, true},
	} {
		if got, found, err := parseReceipt(c.body); got != c.want || found != c.found || err != nil {
			t.Errorf("%s: %+v, %v, %v", name, got, found, err)
		}
	}
	whole := deliver(0x04, "id:m1 stat:DELIVRD", "\x04\x27\x00\x01\x02")
	for n := range whole {
		if n == len(whole)-5 {
			continue // what stands there is optional
		}
		if got, found, err := parseReceipt(whole[:n]); err == nil || found {
			t.Errorf("the first %d octets: %+v, %v", n, got, found)
		}
	}
	if _, found, err := parseReceipt(append(whole, strings.Repeat("\x04\x23\x00\x00", maxTLVs)...)); err == nil || found {
		t.Error("parameters without end are read")
	}
}

// The name of an answer and that of its receipt become the same, and stay what
// they are where nothing was said of hexadecimal.
func TestIDs(t *testing.T) {
	for _, c := range []struct {
		ids              IDs
		answer, named    string
		receipt, toldNow string
	}{
		{SameIDs, "1aF0", "1aF0", "1aF0", "1aF0"},
		{SameIDs, "0012", "0012", "0012", "0012"},
		{DecimalIDs, "1aF0", "6896", "0000006896", "6896"},
		{DecimalIDs, "00000012", "18", "18", "18"},
		{DecimalIDs, "no-number", "no-number", "0no-number", "0no-number"},
		{DecimalIDs, "0", "0", "000", "000"},
	} {
		if got := c.ids.name(c.answer); got != c.named {
			t.Errorf("%s: the answer %s names %s", c.ids, c.answer, got)
		}
		if got := c.ids.told(c.receipt); got != c.toldNow {
			t.Errorf("%s: the receipt %s tells of %s", c.ids, c.receipt, got)
		}
	}
}
