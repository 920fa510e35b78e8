package smpp

import (
	"errors"
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
