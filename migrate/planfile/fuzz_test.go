package planfile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// What can be read is read again the same after writing it.
func FuzzSealedValues(f *testing.F) {
	for _, d := range decisions() {
		f.Add(planfile.EncodeValues(nil, &d), len(d.Changes), len(d.Facts))
	}
	f.Add([]byte{1, 1, 16, 0, 0, 255}, 1, 0)
	f.Fuzz(func(t *testing.T, b []byte, changes, facts int) {
		if changes < 0 || facts < 0 || changes > 8 || facts > 8 {
			return
		}
		empty := func() migrate.Decision {
			return migrate.Decision{Changes: make([]migrate.PlannedChange, changes), Facts: make([]migrate.Fact, facts)}
		}
		first, second := empty(), empty()
		if planfile.DecodeValues(b, &first) != nil {
			return
		}
		if err := planfile.DecodeValues(planfile.EncodeValues(nil, &first), &second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dump(first), dump(second)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSealedValuesTruncated(t *testing.T) {
	for _, d := range decisions() {
		whole := planfile.EncodeValues(nil, &d)
		for n := range whole {
			got := migrate.Decision{Changes: make([]migrate.PlannedChange, len(d.Changes)), Facts: make([]migrate.Fact, len(d.Facts))}
			if planfile.DecodeValues(whole[:n], &got) == nil {
				t.Errorf("%d of %d bytes are taken for whole", n, len(whole))
			}
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("# key\nmfabridge-plan-key 1\nplan p\ndata " + strings.Repeat("A", 43) + "=\nmac " + strings.Repeat("B", 42) + "A=\n"))
	f.Add([]byte("mfabridge-plan-key 2\nplan p\ndata x\nmac y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := planfile.ParseKey(b)
		if err != nil {
			return
		}
		again, err := planfile.ParseKey(text)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%q is not read again: %v", text, err)
		}
	})
}

func FuzzTrailer(f *testing.F) {
	f.Add("\nmfabridge-plan-mac 1 hmac-sha256 " + strings.Repeat("0f", 32) + "\n")
	f.Add("\nmfabridge-plan-mac 2 hmac-sha256 " + strings.Repeat("0F", 32) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		if mac, err := planfile.ParseTrailer(s); err == nil && len(mac) != 32 {
			t.Errorf("a MAC of %d bytes", len(mac))
		}
	})
}

func FuzzResults(f *testing.F) {
	f.Add([]byte(`[{"s":0,"o":"d","i":"x"},{"s":1,"o":"f","k":"conflict","m":"y"}]`))
	f.Add([]byte(`[{"s":0,"o":"d"}] []`))
	f.Fuzz(func(t *testing.T, b []byte) {
		results, err := planfile.ParseResults(b)
		if err != nil || len(results) == 0 {
			return
		}
		for i, r := range results { // only these have a kind and a message
			if r.Outcome != cloud.Failed && r.Outcome != cloud.Outdated {
				results[i].Kind, results[i].Message = 0, ""
			}
		}
		again, err := planfile.ParseResults(planfile.AppendResults(nil, results))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(results, again); diff != "" {
			t.Error(diff)
		}
	})
}
