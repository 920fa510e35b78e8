package sqlite_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
)

// What a walk through the audit has read is not kept: the next one reads the file
// again.
func TestAuditStaysInNoPageCache(t *testing.T) {
	s := opens(t, made(t))
	const entries, detail = 1500, 400
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		for range entries {
			if err := tx.Append(audit.Entry{Node: "n", Actor: "test", Action: "test", Detail: strings.Repeat("x", detail)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := bytesRead(t)
		if err := s.View(t.Context(), func(r engine.Reader) error {
			page, err := r.Audit(0, 2*entries)
			if len(page) < entries {
				t.Errorf("%d entries", len(page))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n := bytesRead(t) - before; n < entries*detail {
			t.Errorf("%d bytes were read of %d: the rest was kept", n, entries*detail)
		}
	}
}

// bytesRead is how much this process has read from files, in bytes.
func bytesRead(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(regexp.MustCompile(`rchar: (\d+)`).FindSubmatch(text)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
