package phone_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"mfabridge/legacy/phone"
)

// TestTables makes the tables of all calling codes: each has one, and all
// together stay small.
func TestTables(t *testing.T) {
	nodes, bytes := 0, 0
	for code := range phonenumbers.GetSupportedCallingCodes() {
		table, err := phone.NewTable(code)
		if err != nil {
			t.Errorf("+%d: %v", code, err)
		}
		nodes += table.Nodes
		bytes += table.Bytes
	}
	t.Logf("%d nodes, %d KiB", nodes, bytes>>10)
	if nodes > 30_000 || bytes > 1<<20 {
		t.Errorf("the tables have %d nodes in %d bytes", nodes, bytes)
	}
}

func TestNoTable(t *testing.T) {
	if _, err := phone.NewTable(999); err == nil {
		t.Error("there is a table for a calling code that does not exist")
	}
	for _, pattern := range []string{`^1\d`, `\b1`, `1(`, `(?m)1$`} {
		if phone.Automaton(pattern, 100) == nil {
			t.Errorf("there is an automaton for %s", pattern)
		}
	}
	if err := phone.Automaton(`[2-9]\d{9}`, 12); err != nil {
		t.Error(err)
	}
	if phone.Automaton(`[2-9]\d{9}`, 11) == nil {
		t.Error("the limit of nodes does not hold")
	}
}

func TestTrunks(t *testing.T) {
	for code, want := range map[int][]string{
		1: {"1"}, 36: {"06"}, 39: nil, 44: {"0", "180020"}, 375: {"0", "80", "8"}, // plain
		81: {"0037680", "003768", "0"}, // beside one that is transformed
		55: nil,                        // all are transformed
	} {
		table, err := phone.NewTable(code)
		if err != nil || !slices.Equal(table.Trunks, want) {
			t.Errorf("+%d: got %q, %v; want %q", code, table.Trunks, err, want)
		}
	}
}

// TestCallingCodesAreDistinct holds up Parser.cutCallingCode, which takes the
// first that fits.
func TestCallingCodesAreDistinct(t *testing.T) {
	codes := phonenumbers.GetSupportedCallingCodes()
	for one := range codes {
		for other := range codes {
			if one != other && strings.HasPrefix(strconv.Itoa(other), strconv.Itoa(one)) {
				t.Errorf("%d starts with %d", other, one)
			}
		}
	}
}
