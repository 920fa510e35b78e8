package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An auditor elsewhere reads the audit, its key and its checkpoints, and can
// tell that what was read is as it was written, without the store.
func TestAuditOverHTTPS(t *testing.T) {
	dir := t.TempDir()
	s := serveEngine(t, dir)
	store := "sqlite:" + filepath.Join(dir, "cloud.db")
	auditor, desk, root := s.app(t, "auditor", "auditor"), s.app(t, "desk", "helpdesk"), s.app(t, "root", "admin")
	people := filepath.Join(dir, "people.csv")
	rows := "UserPrincipalName,SamAccountName,Groups\nada@contoso.example,ada,Staff\ngrace@contoso.example,grace,Staff;Desk\nbob@contoso.example,ADA,\n"
	if err := os.WriteFile(people, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	bring := append([]string{"engine", "user", "import", people, "--to", s.api, "--reason", "from afar"}, root...)
	if r := must(t, exitPartly, bring...); !strings.Contains(r.out, "2 made, 0 changed, 0 as they were, 1 row left out") || !strings.Contains(r.err, "people.csv:4:") {
		t.Errorf("the import says %s%s", r.out, r.err)
	}
	if r := must(t, exitPartly, bring...); !strings.Contains(r.out, "0 made, 0 changed, 2 as they were") {
		t.Errorf("again: %s", r.out)
	}
	if r := must(t, exitFailed, append([]string{"engine", "user", "import", people, "--to", s.api, "--reason", "x"}, desk...)...); !strings.Contains(r.err, "role helpdesk may not do this") {
		t.Errorf("by a helpdesk: %s", r.err)
	}

	path := func(name string) string { return filepath.Join(dir, name) }
	read := func(words ...string) []string {
		return append(append([]string{"engine", "audit"}, words...), append([]string{"--store", s.api}, auditor...)...)
	}
	must(t, exitDone, "engine", "audit", "checkpoint", "--store", store)
	must(t, exitDone, read("export", "-o", path("far.jsonl"))...)
	must(t, exitDone, read("key", "-o", path("far.pem"))...)
	must(t, exitDone, read("checkpoint", "-o", path("far.signed"))...)
	must(t, exitDone, "engine", "audit", "key", "--store", store, "-o", path("near.pem"))
	must(t, exitDone, "engine", "audit", "verify", path("far.jsonl"), "--public-key", path("far.pem"), "--checkpoint", path("far.signed"))
	if far, near := readFile(t, path("far.pem")), readFile(t, path("near.pem")); far != near {
		t.Error("the key elsewhere is another one")
	}
	if text := readFile(t, path("far.jsonl")); !strings.Contains(text, `"reason":"from afar"`) || !strings.Contains(text, "via root") {
		t.Errorf("the audit does not say who imported, and why:\n%s", text)
	}
	for _, words := range [][]string{{"verify"}, {"prune", "--before", "24h", "--reason", "x"}} {
		must(t, exitUsage, append(append([]string{"engine", "audit"}, words...), "--store", s.api)...)
	}
	if r := must(t, exitFailed, append([]string{"engine", "audit", "export", "--store", s.api}, desk...)...); !strings.Contains(r.err, "may not do this") {
		t.Errorf("by a helpdesk: %s", r.err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The route says what it takes, and pages on by the number of the last entry.
func TestAuditRoute(t *testing.T) {
	s := moved(t)
	e := serveConfigured(t, s, "")
	auditor := e.calls(t, "auditor", "auditor")
	get := func(query string) (int, []string) {
		code, text := auditor.do(t, "GET", "/admin/v1/audit"+query, "")
		return code, strings.Split(strings.TrimSpace(text), "\n")
	}
	code, all := get("")
	if code != 200 || len(all) < 10 || all[len(all)-1] != `{"end":true}` {
		t.Fatalf("%d, %d lines", code, len(all))
	}
	var third struct{ Entry struct{ Seq int64 } }
	if err := json.Unmarshal([]byte(all[2]), &third); err != nil || third.Entry.Seq != 3 {
		t.Fatalf("%s: %v", all[2], err)
	}
	if _, rest := get("?after=3"); len(rest) < len(all)-3 || rest[0] != all[3] {
		t.Errorf("after the third: %d of %d lines, %s", len(rest), len(all), rest[0])
	}
	if _, none := get("?until=" + time.Unix(0, 0).UTC().Format(time.RFC3339)); len(none) != 1 {
		t.Errorf("before everything: %d lines", len(none))
	}
	for _, query := range []string{"?after=x", "?after=-1", "?since=yesterday", "?limit=3", "?after=1&after=2"} {
		if code, text := get(query); code != 400 {
			t.Errorf("%s: %d %s", query, code, text)
		}
	}
}

// A running engine removes what is older than it is to be kept; what stays can
// be verified.
func TestServedEngineKeepsItsAuditForATime(t *testing.T) {
	s := moved(t)
	path := s.write(t, "engine.yaml", "store: sqlite:cloud.db\naudit: {keep: 720h}\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n")
	later := func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	p := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, now: later}
	e, err := p.openServer(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { e.keepAudit(ctx, e.conf.Audit.KeepTime, slog.New(slog.DiscardHandler)); close(ended) }()
	await(t, func() bool {
		for entry, err := range e.Audit(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			return entry.Seq > 5
		}
		return false
	}, func() string { return "what is old is kept" })
	stop()
	<-ended
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if r := must(t, exitDone, "engine", "audit", "verify", "--store", s.store); !strings.Contains(r.out, "removed by retention") {
		t.Errorf("verify: %s", r.out)
	}
	if r := must(t, exitDone, "engine", "audit", "export", "--store", s.store); !strings.Contains(r.out, "audit.keep: 720h") {
		t.Errorf("the audit does not say why: %s", r.out)
	}
}
