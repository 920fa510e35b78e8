package planfile_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := planfile.Create(filepath.Join(dir, "plan.db"), header(), planfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(decisions()[0]); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := w.Add(decisions()[1]); err == nil {
		t.Error("Add after Abort")
	}
	if _, err := w.Finish(summary()); err == nil {
		t.Error("Finish after Abort")
	}
}

func TestTaken(t *testing.T) {
	path, _ := makePlan(t)
	before := read(t, path)
	for _, name := range []string{path, planfile.KeyPath(path)} {
		_, err := planfile.Create(path, header(), planfile.Options{})
		if err == nil || !strings.Contains(err.Error(), "exists already") || hint.Of(err) == "" {
			t.Errorf("%s is there: %v", name, err)
		}
		if name == path {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, path, before)
	w, err := planfile.Create(path, header(), planfile.Options{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(summary()); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, open(t, path).Users(t.Context(), migrate.Masked)); len(got) != 0 {
		t.Errorf("the overwritten plan has %d users", len(got))
	}
	write(t, planfile.JournalPath(path), []byte("of a run"))
	if _, err := planfile.Create(path, header(), planfile.Options{Overwrite: true}); err == nil {
		t.Error("a plan that was applied is overwritten")
	}
}

// Two that write to one path at once: one of them gets it, whole.
func TestRace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.db")
	var writers []*planfile.Writer
	for range 2 {
		w, err := planfile.Create(path, header(), planfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	if _, err := writers[0].Finish(summary()); err != nil {
		t.Fatal(err)
	}
	if _, err := writers[1].Finish(summary()); err == nil {
		t.Error("the second replaced the first")
	}
	open(t, path)
	if left := names(t, dir); len(left) != 2 {
		t.Errorf("in the folder: %v", left)
	}
}

func TestAddRefuses(t *testing.T) {
	w, err := planfile.Create(filepath.Join(t.TempDir(), "plan.db"), header(), planfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	good := decisions()[1]
	for name, spoil := range map[string]func(*migrate.Decision){
		"changes of a skipped user": func(d *migrate.Decision) { d.Action = migrate.Skip },
		"somebody else's change":    func(d *migrate.Decision) { d.Changes[0].User = "id-eve" },
		"somebody else's name":      func(d *migrate.Decision) { d.Changes[0].UPN = "eve@contoso.example" },
		"a long text":               func(d *migrate.Decision) { d.Changes[0].After.Text = strings.Repeat("x", planfile.MaxText+1) },
		"many changes":              func(d *migrate.Decision) { d.Changes = slices.Repeat(d.Changes[:1], planfile.MaxChanges+1) },
		"many facts":                func(d *migrate.Decision) { d.Facts = make([]migrate.Fact, planfile.MaxFacts+1) },
		"many findings":             func(d *migrate.Decision) { d.Findings = make([]migrate.Finding, planfile.MaxFindings+1) },
		"a long finding": func(d *migrate.Decision) {
			d.Findings = []migrate.Finding{{Detail: strings.Repeat("x", planfile.MaxText+1)}}
		},
		"a long fact": func(d *migrate.Decision) {
			d.Facts = []migrate.Fact{{Value: strings.Repeat("x", planfile.MaxText+1)}}
		},
		"many long texts": func(d *migrate.Decision) {
			for range 5 {
				d.Changes = append(d.Changes, change(d.Target, d.UPN, cloud.Add, cloud.Email, "", cloud.Value{}, cloud.TextValue(strings.Repeat("x", planfile.MaxText))))
			}
		},
		"a negative ordinal": func(d *migrate.Decision) { d.Ordinal = -1 },
	} {
		d := good
		d.Changes = append([]migrate.PlannedChange{}, good.Changes...)
		spoil(&d)
		if err := w.Add(d); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := w.Add(good); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(good); err == nil {
		t.Error("the same user twice: accepted")
	}
}

// forms are the ways in which a secret could stand somewhere.
func forms(s string) map[string][]byte {
	b := []byte(s)
	m := map[string][]byte{
		"raw": b, "hex": []byte(hex.EncodeToString(b)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(b))),
	}
	// Encodings in groups look different by where the secret begins; the ends
	// of each are cut off, for they depend on what stands beside.
	for i := range 5 {
		padded := append(bytes.Repeat([]byte{0}, i), b...)
		m["base32 "+string(rune('0'+i))] = []byte(base32.StdEncoding.EncodeToString(padded))[8 : 8+16]
		if i < 3 {
			m["base64 "+string(rune('0'+i))] = []byte(base64.StdEncoding.EncodeToString(padded))[4 : 4+16]
		}
	}
	return m
}

func searchCanary(t *testing.T, where string, content []byte) {
	t.Helper()
	for form, b := range forms(canary) {
		if bytes.Contains(content, b) {
			t.Errorf("the secret stands in %s (%s)", where, form)
		}
	}
}

func TestCanary(t *testing.T) {
	path, _ := makePlan(t)
	p := open(t, path)
	for _, where := range names(t, filepath.Dir(path)) {
		searchCanary(t, where, read(t, filepath.Join(filepath.Dir(path), where)))
	}
	for _, personal := range []string{"2079460012", "4255550100", "4255550101", "robert.private"} {
		if bytes.Contains(read(t, path), []byte(personal)) {
			t.Errorf("%s stands in the plan", personal)
		}
	}
	for _, reveal := range []bool{false, true} {
		var b bytes.Buffer
		if err := migrate.ShowText(t.Context(), &b, p, migrate.ShowOptions{Reveal: reveal, Color: true}); err != nil {
			t.Fatal(err)
		}
		if err := migrate.ShowJSON(t.Context(), &b, p, reveal); err != nil {
			t.Fatal(err)
		}
		searchCanary(t, "the report", b.Bytes())
		if got := bytes.Contains(b.Bytes(), []byte("2079460012")); got != reveal {
			t.Errorf("reveal %v: the number is shown: %v", reveal, got)
		}
	}
}
