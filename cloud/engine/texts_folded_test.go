package engine_test

import (
	"fmt"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// A number counts as one however its country code is told from the rest, and its
// country by the code that it has.
func TestNumbersCountHoweverTheyAreWritten(t *testing.T) {
	h := build(t)
	others := 7
	h.texts = engine.Texts{NumberHour: 4, Countries: map[string]int{"+1900": 0}, Others: &others}
	h.Reopen(t)
	sent := 0
	for n, number := range []string{"+44 2079460000", "+442 079460000", "+4 42079460000"} {
		id := h.texted(t, n, number)
		for range 4 {
			if c := h.ask(t, id, nil); c.State == cloud.Pending {
				sent++
			}
		}
	}
	if sent != 4 {
		t.Errorf("one telephone got %d texts in an hour", sent)
	}
	for n, number := range []string{"+1 9005550100", "+19 005550100", "+190 05550100"} {
		if c := h.ask(t, h.texted(t, 10+n, number), nil); c.State == cloud.Pending {
			t.Errorf("%s is closed: %+v", number, c)
		}
	}
	sent = 0
	for n := range 6 {
		code := []string{"+44 ", "+442 ", "+4 4"}[n%3]
		if c := h.ask(t, h.texted(t, 20+n, fmt.Sprintf("%s079460%03d", code, n)), nil); c.State == cloud.Pending {
			sent++
		}
	}
	if sent != 3 {
		t.Errorf("a country with %d texts a day got %d more behind 4", others, sent)
	}
}

// Labels behind a + do not make one mailbox many.
func TestLabelsOfAMailboxCountAsOne(t *testing.T) {
	h := build(t)
	sent := 0
	for n := range 24 {
		id := h.user(t, n)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(fmt.Sprintf("Ada+%d@fabrikam.example", n))})
		if _, err := h.SendEmailCode(t.Context(), operator, id); err == nil {
			sent++
		} else if cloud.KindOf(err) != cloud.Throttled {
			t.Fatal(err)
		}
	}
	if sent != 20 {
		t.Errorf("one mailbox got %d mails in an hour", sent)
	}
}
