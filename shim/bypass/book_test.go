package bypass_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/shim/bypass"
	"mfabridge/shim/journal"
)

// clock is one that a test turns.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func book(t *testing.T) (*bypass.Book, *clock, string) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	data := t.TempDir()
	return bypass.Open(data, c.now), c, data
}

func (c *clock) hours(n float64) bypass.Bypass {
	return bypass.Bypass{Client: "vpn", By: "ada", Reason: "ticket 4711", Until: c.at.Add(time.Duration(n * float64(time.Hour)))}
}

func fileOf(data, client string) string {
	return filepath.Join(data, "bypass", hex.EncodeToString([]byte(client))+".json")
}

func TestBypassEndsByItself(t *testing.T) {
	b, c, data := book(t)
	if _, ok := b.Of("vpn"); ok {
		t.Error("there is one from the start")
	}
	if all, err := b.All(); err != nil || len(all) != 0 {
		t.Errorf("from the start all are %v, %v", all, err)
	}
	if err := b.Allow(c.hours(1)); err != nil {
		t.Fatal(err)
	}
	again := bypass.Open(data, c.now) // as after a restart
	if until, ok := again.Of("vpn"); !ok || !until.Equal(c.at.Add(time.Hour)) {
		t.Errorf("got %v, %v", until, ok)
	}
	for _, other := range []string{"", "VPN", "vpn ", "citrix", "../vpn"} {
		if _, ok := b.Of(other); ok {
			t.Errorf("client %q has it too", other)
		}
	}
	c.at = c.at.Add(time.Hour - time.Nanosecond)
	if _, ok := again.Of("vpn"); !ok {
		t.Error("it ended too early")
	}
	c.at = c.at.Add(time.Nanosecond)
	if _, ok := again.Of("vpn"); ok {
		t.Error("it goes on after its end")
	}
	c.at = c.at.Add(-2 * time.Hour) // a clock that was put back must not renew it
	if _, ok := again.Of("vpn"); ok {
		t.Error("it runs before its beginning")
	}
	if all, err := again.All(); err != nil || len(all) != 0 {
		t.Errorf("all are %v, %v", all, err)
	}
}

func TestBypassIsEndedAndAudited(t *testing.T) {
	b, c, data := book(t)
	if err := b.End("vpn", "bob", "over"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ended what is not there: %v", err)
	}
	if err := b.Allow(c.hours(4)); err != nil {
		t.Fatal(err)
	}
	if all, err := b.All(); err != nil || len(all) != 1 || all[0].Reason != "ticket 4711" {
		t.Errorf("all are %v, %v", all, err)
	}
	if err := b.End("vpn", "bob", "over"); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Of("vpn"); ok {
		t.Error("it goes on")
	}
	var lines []string
	for line, err := range journal.Lines(filepath.Join(data, "audit")) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	if len(lines) != 2 || !strings.Contains(lines[0], `"msg":"bypass allowed","client":"vpn","by":"ada","reason":"ticket 4711"`) ||
		!strings.Contains(lines[1], `"msg":"bypass ended","client":"vpn","by":"bob","reason":"over","from":"2026-03-01T12:00:00Z","until":"2026-03-01T12:00:00Z"`) {
		t.Errorf("the audit says %q", lines)
	}
}

func TestBypassIsRefused(t *testing.T) {
	b, c, data := book(t)
	for name, change := range map[string]func(*bypass.Bypass){
		"too long": func(x *bypass.Bypass) { x.Until = x.Until.Add(time.Nanosecond) }, "over": func(x *bypass.Bypass) { x.Until = c.at },
		"past": func(x *bypass.Bypass) { x.Until = c.at.Add(-time.Hour) }, "no reason": func(x *bypass.Bypass) { x.Reason = " " },
		"nobody": func(x *bypass.Bypass) { x.By = "" }, "no client": func(x *bypass.Bypass) { x.Client = "" },
		"long reason": func(x *bypass.Bypass) { x.Reason = strings.Repeat("x", 1025) }, "long name": func(x *bypass.Bypass) { x.By = strings.Repeat("x", 1025) },
		"long client": func(x *bypass.Bypass) { x.Client = strings.Repeat("x", 1025) },
	} {
		x := c.hours(4)
		change(&x)
		if err := b.Allow(x); err == nil {
			t.Errorf("%s: allowed", name)
		}
		if _, ok := b.Of(x.Client); ok {
			t.Errorf("%s: it runs", name)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "audit")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the audit has what was refused: %v", err)
	}
	longest := c.hours(1)
	longest.By, longest.Reason = strings.Repeat("x", 1024), strings.Repeat("x", 1024)
	if err := b.Allow(longest); err != nil {
		t.Errorf("texts of 1024 octets: %v", err)
	}
	if err := errors.Join(b.End("vpn", "ada", "over"), os.RemoveAll(filepath.Join(data, "audit"))); err != nil {
		t.Fatal(err)
	}
	// Without an audit there is none.
	if err := os.WriteFile(filepath.Join(data, "audit"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Allow(c.hours(1)); err == nil || !strings.Contains(err.Error(), "audit") {
		t.Errorf("allowed without an audit: %v", err)
	}
	if _, ok := b.Of("vpn"); ok {
		t.Error("it runs without an audit")
	}
}

// A file that is torn, altered beyond the rules, of another client or open to
// others is no bypass, and is told.
func TestFilesThatAreNoBypass(t *testing.T) {
	b, c, data := book(t)
	if err := b.Allow(c.hours(1)); err != nil {
		t.Fatal(err)
	}
	path := fileOf(data, "vpn")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from := c.at.Format(time.RFC3339)
	whole := `{"client":%q,"by":"x","reason":"y","from":"` + from + `","until":"2026-03-01T13:00:00Z"}`
	for name, text := range map[string]string{
		"torn": string(good[:len(good)/2]), "empty": "", "another client": fmt.Sprintf(whole, "citrix"), "five hours": strings.Replace(fmt.Sprintf(whole, "vpn"), "T13", "T17", 1),
		"unknown key": strings.Replace(fmt.Sprintf(whole, "vpn"), "{", `{"forever":true,`, 1), "two": fmt.Sprintf(whole, "vpn") + "{}",
		"large": fmt.Sprintf(whole, "vpn") + strings.Repeat(" ", 8<<10), "no end": `{"client":"vpn","by":"x","reason":"y","from":"` + from + `"}`,
		"nobody": strings.Replace(fmt.Sprintf(whole, "vpn"), `"by":"x",`, "", 1), "no reason": strings.Replace(fmt.Sprintf(whole, "vpn"), `"reason":"y",`, "", 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := b.Of("vpn"); ok {
			t.Errorf("%s: it runs", name)
		}
		if all, err := b.All(); err == nil || len(all) != 0 {
			t.Errorf("%s: all are %v, %v", name, all, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Of("vpn"); !ok {
		t.Error("the good one does not run")
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Of("vpn"); ok {
		t.Error("one that others may write runs")
	}
	if err := b.End("vpn", "bob", "over"); err != nil {
		t.Errorf("it cannot be ended: %v", err)
	}
	if err := os.WriteFile(fileOf(data, ""), []byte(fmt.Sprintf(whole, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Of(""); ok {
		t.Error("a client without a name has one")
	}
}

// What lies beside the bypasses, or goes away meanwhile, is none and harms none.
func TestAllAreByClient(t *testing.T) {
	b, c, data := book(t)
	for _, client := range []string{"vpn", "citrix"} {
		x := c.hours(1)
		x.Client = client
		if err := b.Allow(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(fileOf(data, "web")+".new-1", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("away", fileOf(data, "gone")); err != nil {
		t.Fatal(err)
	}
	all, err := b.All()
	if err != nil || len(all) != 2 || all[0].Client != "citrix" || all[1].Client != "vpn" {
		t.Errorf("all are %v, %v", all, err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"client":"vpn","by":"x","reason":"y","from":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z"}`))
	f.Add([]byte(`{"client":"vpn"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data := t.TempDir()
		if err := os.Mkdir(filepath.Join(data, "bypass"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fileOf(data, "vpn"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
		if until, ok := bypass.Open(data, func() time.Time { return at }).Of("vpn"); ok && (until.Sub(at) > bypass.Max || !until.After(at)) {
			t.Errorf("runs until %v", until)
		}
	})
}
