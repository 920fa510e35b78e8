package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/peer"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// hostile is what an export could hold to take over a page, a terminal or a
// style.
const hostile = `</script></style><script>document.title="taken over"</script><img src=x onerror=alert(1)>"'{{.JS}}` + "\x1b[2J\u202e"

// page is an inspection in which every text is hostile.
func page(t *testing.T, most int) (string, *migrate.Listing) {
	t.Helper()
	made := time.Date(2024, 9, 28, 0, 0, 0, 0, time.UTC)
	o := migrate.Overview{Summary: migrate.NewSummary()}
	o.Summary.Outlook[migrate.Works], o.Summary.Outlook[migrate.LockedOut], o.Summary.Users[migrate.Keep] = 3, 1, 4
	o.Summary.Modes[legacy.Mode(hostile)] = 4
	o.Summary.Findings[migrate.PhoneShared] = 30
	o.Summary.Activated = map[migrate.Platform]map[migrate.Age]int{migrate.PlatformIOS: {migrate.AgeOneYear: 3, migrate.AgeOlder: 1}}
	for i := range 20 {
		o.Summary.Countries[fmt.Sprint(100+i)] = 20 - i
	}
	o.Export.Source, o.Export.Created = hostile, made
	o.Export.Activity = legacy.ActivitySummary{Attempts: 1, First: made, Last: made,
		Applications: []legacy.Application{{Name: hostile, Type: "radius"}, {Name: "x", Type: hostile, Attempts: 1}}}
	o.Settings = legacy.Settings{Present: true, RadiusClients: []legacy.RadiusClient{{Name: hostile + "2", IPAddress: hostile}}}
	l := migrate.NewListing(most, t.TempDir())
	t.Cleanup(func() { _ = l.Close() })
	for i := range 30 {
		f := migrate.Finding{Code: migrate.PhoneShared, Severity: migrate.SeverityWarning, Field: hostile, Detail: fmt.Sprint(i, hostile), Action: hostile,
			Place: hostile, Accepted: &migrate.Acceptance{Reason: hostile, Approver: hostile}}
		if err := l.Add(migrate.Decision{Username: hostile, Findings: []migrate.Finding{f}}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := migrate.InspectionHTML(&b, o, l, migrate.HTMLOptions{Made: now, Version: hostile}); err != nil {
		t.Fatal(err)
	}
	return b.String(), l
}

func TestHTMLNeutralisesMarkup(t *testing.T) {
	text, _ := page(t, 0)
	for tag, want := range map[string]int{"<script": 1, "</script>": 1, "<style": 1, "</style>": 1, "<img": 0, "style=": 0, `"use strict"`: 1} {
		if got := strings.Count(text, tag); got != want {
			t.Errorf("%s occurs %d times, want %d", tag, got, want)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Error("something in it steers a terminal")
	}
	if n := strings.Count(text, html.EscapeString(`<script>document.title=`)); n < 30 {
		t.Errorf("what the export says is shown only %d times", n)
	}
	for _, outside := range []string{"http://", "https://", "src=", "@import", "url("} {
		if strings.Contains(strings.ReplaceAll(text, html.EscapeString(hostile), ""), outside) && !strings.Contains(hostile, outside) {
			t.Errorf("the page asks for something: %s", outside)
		}
	}
}

// between cuts out what stands between two texts that occur once.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, from)
	inner, _, end := strings.Cut(after, to)
	if !ok || !end {
		t.Fatalf("no %s … %s", from, to)
	}
	return inner
}

func TestHTMLPolicyAllowsItsOwnPartsOnly(t *testing.T) {
	text, _ := page(t, 0)
	policy := html.UnescapeString(between(t, text, `http-equiv="Content-Security-Policy" content="`, `"`))
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; style-src " + hash(between(t, text, "<style>", "</style>")) +
		"; script-src " + hash(between(t, text, "<script>", "</script>")) + "; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %s\nwant   %s", policy, want)
	}
	if head := strings.Index(text, "Content-Security-Policy"); head > strings.Index(text, "<style") {
		t.Error("the policy comes after what it is to govern")
	}
}

func TestHTMLListsABoundedNumber(t *testing.T) {
	for most, want := range map[int]string{0: "All 30 findings are listed.", 4: "4 of 30 findings are listed, of each code the first 4; --format json has them all."} {
		text, l := page(t, most)
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
		rows := strings.Count(text, `<td class="place">`)
		if most > 0 && (rows != most || !strings.Contains(text, `<p class="more">and 26 more, not listed</p>`)) || most == 0 && rows != 30 {
			t.Errorf("at most %d: %d rows", most, rows)
		}
		if l.Count(migrate.PhoneShared) != 30 {
			t.Errorf("counted %d", l.Count(migrate.PhoneShared))
		}
	}
}

var barWidth = regexp.MustCompile(`width="([0-9.]+)" height="9"`)

func TestHTMLCharts(t *testing.T) {
	text, _ := page(t, 0)
	for _, want := range []string{
		`aria-label="What awaits the users: pass with the password alone today 0, disabled, left out 0, cannot log in unless somebody acts 1, have to do something themselves 0, go on working 3"`,
		`<rect class="bar works" x="0" y="172" width="270.0"`, `<rect class="bar locked_out" x="0" y="96" width="90.0"`,
		`9 others</text><text class="value" x="360" y="432">45</text>`, // 20 countries: 11 and the others
		`<rect class="age0" x="0.0" y="20" width="270.0"`, `<rect class="age3" x="270.0" y="20" width="90.0"`,
		`<td>iOS</td><td class="number">3</td><td class="number">0</td><td class="number">0</td><td class="number">1</td><td class="number">0</td>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, m := range barWidth.FindAllStringSubmatch(text, -1) {
		var width float64
		if _, err := fmt.Sscan(m[1], &width); err != nil || width < 0 || width > 360 {
			t.Errorf("a bar is %s long", m[1])
		}
	}
}

func TestHTMLOfNothing(t *testing.T) {
	l := migrate.NewListing(0, t.TempDir())
	var b bytes.Buffer
	if err := migrate.InspectionHTML(&b, migrate.Overview{Summary: migrate.NewSummary()}, l, migrate.HTMLOptions{Made: now}); err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"RADIUS clients", "Activations of", `class="group`} {
		if strings.Contains(b.String(), absent) {
			t.Errorf("%s is there", absent)
		}
	}
	if !strings.Contains(b.String(), "All 0 findings are listed.") {
		t.Error("it does not say that there is nothing")
	}
	if err := migrate.InspectionHTML(full{}, migrate.Overview{Summary: migrate.NewSummary()}, l, migrate.HTMLOptions{}); err == nil {
		t.Error("a full disk: no error")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A browser applies the page's own style and script, and runs nothing that the
// export brought.
func TestHTMLInABrowser(t *testing.T) {
	chromium := peer.Path(t, "chromium", "chromium")
	text, _ := page(t, 0)
	// A script that the policy does not know must not run, wherever it comes from.
	text = strings.Replace(text, "</footer>", `</footer><script>document.title="taken over"</script><p style="color:red" id="styled"></p>`, 1)
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for fragment, want := range map[string]string{"": "30 of 30 listed findings", "#filter=29%20shared": "1 of 30 listed findings", "#filter=%E0": "30 of 30 listed findings"} {
		dom := dump(t, chromium, "file://"+path+fragment)
		if !strings.Contains(dom, want) {
			t.Errorf("%s: %q is missing; the script did not run:\n%.2000s", fragment, want, dom)
		}
		if !strings.Contains(dom, "<title>Inspection of an export of 4 users</title>") {
			t.Errorf("%s: the title is another: a foreign script ran", fragment)
		}
	}
}

func dump(t *testing.T, chromium, url string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--dump-dom", url)
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("chromium: %v\n%s", err, e.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
