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

// Values that are not in their form are not taken for half of one.
func TestSealedValuesThatAreOdd(t *testing.T) {
	profile := "\x01\x01\x04" + "\x00\x00\x00\x00" // names, no aliases, no SID
	for name, b := range map[string]string{
		"nothing":                   "",
		"another version":           "\x02\x01\x00\x00\x00",
		"two changes for one":       "\x01\x02\x00\x00\x00\x00\x00",
		"more changes than any has": "\x01\xff\xff\xff\xff\x7f",
		"a fact more":               "\x01\x01\x00\x00\x01\x00",
		"something behind":          "\x01\x01\x00\x00\x00\x00",
		"a part of a later version": "\x01\x01\x20\x00\x00",
		"a text that is cut off":    "\x01\x01\x01\x05abc",
		"a text of a huge length":   "\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a number that has no end":  "\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"a second of a billion":     "\x01\x01\x08\x00\x80\x94\xeb\xdc\x03\x00\x00",
		"neither enabled nor not":   profile + "\x02\x00\x00",
	} {
		d := migrate.Decision{Changes: make([]migrate.PlannedChange, 1)}
		if err := planfile.DecodeValues([]byte(b), &d); err == nil {
			t.Errorf("%s is taken: %+v", name, d)
		}
	}
	d := migrate.Decision{Changes: make([]migrate.PlannedChange, 1)}
	if err := planfile.DecodeValues([]byte(profile+"\x01\x00\x00"), &d); err != nil || !d.Changes[0].Before.Profile.Enabled {
		t.Errorf("one that is right: %+v, %v", d, err)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	good := "mfabridge-plan-key 1\nplan p\ndata " + strings.Repeat("A", 43) + "=\nmac " + strings.Repeat("B", 42) + "A=\n"
	if _, err := planfile.ParseKey([]byte("# a remark\n" + good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, now string }{
		"three lines":          {"plan p\n", ""},
		"five lines":           {"plan p\n", "plan p\nplan q\n"},
		"of something else":    {"mfabridge-plan-key 1", "age-key 1"},
		"no version":           {"key 1", "key one"},
		"a later version":      {"key 1", "key 2"},
		"of no plan":           {"plan p", "plan "},
		"a plan by no name":    {"plan p", "p"},
		"data by no name":      {"data ", ""},
		"a key by no name":     {"mac ", ""},
		"data that is short":   {"data AAAA", "data "},
		"a key that is long":   {"mac ", "mac AAAA"},
		"a key in other signs": {"mac B", "mac -"},
	} {
		if text, err := planfile.ParseKey([]byte(strings.Replace(good, c.old, c.now, 1))); err == nil {
			t.Errorf("%s is taken: %s", name, text)
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

func TestTrailersThatAreNone(t *testing.T) {
	good := "\nmfabridge-plan-mac 1 hmac-sha256 " + strings.Repeat("0f", 32) + "\n"
	if _, err := planfile.ParseTrailer(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, now string }{
		"no line":            {"\nmfabridge", "mfabridge"},
		"no end":             {"0f\n", "0f"},
		"no version":         {"mac 1 ", "mac "},
		"an earlier version": {"mac 1", "mac 0"},
		"a later version":    {"mac 1", "mac 2"},
		"another seal":       {"hmac-sha256", "hmac-sha1"},
		"a short seal":       {"0f\n", "\n"},
		"a long seal":        {"0f\n", "0f0f\n"},
		"half an octet":      {"0f\n", "0\n"},
		"in capitals":        {"0f\n", "0F\n"},
		"in other signs":     {"0f\n", "0g\n"},
	} {
		if mac, err := planfile.ParseTrailer(strings.Replace(good, c.old, c.now, 1)); err == nil {
			t.Errorf("%s: %x", name, mac)
		}
	}
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
