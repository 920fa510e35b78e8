package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud/graph"
	"mfabridge/migrate"
)

// An engineer follows what cutover status prints, step by step, and takes the
// last one back.
func TestCutoverStatus(t *testing.T) {
	r := rehearseGraph(t, nil, []string{"federated=contoso.example/enforceMfaByFederatedIdp"})
	must(t, exitDone, r.to("plan", r.path("export"), "--to", "entra:contoso.example", "-o", r.plan, "--default-country", "US",
		"--wave", "pilot=group:vpn-pilot", "--wave", "rest=100%")...)
	at := r.flags[len(r.flags)-3]
	reader := append(r.app(t, "board", "auditor"), "--graph-url", at, "--authority-url", at)
	status := func(words ...string) result {
		t.Helper()
		return must(t, exitDone, append(append([]string{"cutover", "status", r.plan, "--to", "entra:contoso.example"}, words...), reader...)...)
	}
	before := status()
	for _, want := range []string{"contoso.example", "the old server asks", "pilot", "not yet: ", "0 of 10 groups", "PATCH https://", "rejectMfaByFederatedIdp"} {
		if !strings.Contains(before.out, want) {
			t.Errorf("%q is not said:\n%s", want, before.out)
		}
	}
	must(t, exitDone, r.to("apply", r.plan, "--wave", "pilot")...)
	steps := stepsOf(t, status("--format", "json").out)
	if len(steps) != 2 || !strings.Contains(steps[0].What, "pilot") || !strings.Contains(steps[1].Early, "depend on the old server") {
		t.Fatalf("steps: %+v", steps)
	}
	if listed := status("--users").out; !strings.Contains(listed, "waiting") {
		t.Errorf("nobody is listed:\n%s", listed)
	}
	hand := r.byHand(t, at)
	for _, s := range steps {
		hand(s.Make)
	}
	after := status()
	for _, want := range []string{"vpn-pilot", "1 of 10 groups", "Entra ID asks always", "nothing is left to change"} {
		if !strings.Contains(after.out, want) {
			t.Errorf("%q is not said:\n%s", want, after.out)
		}
	}
	// Somebody switches staged rollout off: its groups are not reached any more.
	rollout, _, _ := strings.Cut(steps[0].Make.URL, "/appliesTo/")
	hand(request{http.MethodPatch, rollout, `{"isEnabled":false}`})
	off := stepsOf(t, status("--format", "json").out)
	if len(off) != 1 || !strings.Contains(off[0].What, "switch staged rollout on") || strings.Contains(status().out, "nothing is left") {
		t.Fatalf("steps: %+v", off)
	}
	hand(off[0].Make)
	if out := status().out; !strings.Contains(out, "nothing is left to change") {
		t.Errorf("it was switched on:\n%s", out)
	}
	slices.Reverse(steps)
	for _, s := range steps {
		hand(s.Back)
	}
	if again := status("--format", "json").out; !slices.Equal(stepsOf(t, again), stepsOf(t, status("--format", "json").out)) || len(stepsOf(t, again)) != 2 {
		t.Errorf("it was not taken back:\n%s", again)
	}

	// A wave whose group is not there any more is said to be, and ends nothing.
	must(t, exitDone, "engine", "group", "remove", "vpn-pilot", "--store", r.store, "--reason", "the pilot is over")
	if out := status().out; !strings.Contains(out, "wave pilot cannot be put into staged rollout: there is no group vpn-pilot") || !strings.Contains(out, "rest") {
		t.Errorf("a group that is gone:\n%s", out)
	}
	if out := status("--format", "json").out; !strings.Contains(out, `"group_unknown":"there is no group vpn-pilot"`) {
		t.Errorf("a group that is gone:\n%s", out)
	}

	// Who may not read staged rollout is told so, and the rest all the same.
	if out := must(t, exitDone, r.to("cutover", "status", "--to", "entra:contoso.example")...).out; !strings.Contains(out, "not known: ") || !strings.Contains(out, "contoso.example") {
		t.Errorf("the application of the migration is shown\n%s", out)
	}
	must(t, exitUsage, "cutover", "status", "--to", r.store)

	// Nobody can tell who depends without the plan, and that of a rehearsal does not.
	if out := must(t, exitDone, append([]string{"cutover", "status", "--to", "entra:contoso.example"}, reader...)...).out; !strings.Contains(out, "not yet: which of its users") {
		t.Errorf("without a plan:\n%s", out)
	}
	must(t, exitDone, "plan", r.path("export"), "--to", "sqlite:"+r.path("other.db"), "--as", "entra", "--domain", "contoso.example", "-o", r.path("other.plan"), "--default-country", "US")
	if got := must(t, exitFailed, append([]string{"cutover", "status", r.path("other.plan"), "--to", "entra:contoso.example"}, reader...)...); got.out != "" || !strings.Contains(got.err, "made for this tenant") {
		t.Errorf("the plan of another target: %s%s", got.out, got.err)
	}
	must(t, exitUsage, r.to("cutover", "status", r.plan, r.plan, "--to", "entra:contoso.example")...)
	must(t, exitFailed, append([]string{"cutover", "status", r.path("people.csv"), "--to", "entra:contoso.example"}, reader...)...)
}

// A domain that follows the one above it is that one's change, and one of which
// nobody knows leaves the end open.
func TestCutoverOfDomainsWithoutAConfiguration(t *testing.T) {
	s := cutover{tenant: "contoso.example", urls: func(path string) string { return path }, domains: []graph.Domain{
		{Name: "contoso.example", Federated: true, Federation: "1", Behavior: graph.MFAReject},
		{Name: "emea.contoso.example", Federated: true, Behavior: graph.MFAReject, Like: "contoso.example"}}}
	var out strings.Builder
	if err := s.text(&out); err != nil || !strings.Contains(out.String(), "as contoso.example") || !strings.Contains(out.String(), "nothing is left to change") {
		t.Errorf("%v\n%s", err, out.String())
	}
	s.domains = append(s.domains, graph.Domain{Name: "fabrikam.example", Federated: true, Unknown: "Graph answers 404"})
	out.Reset()
	if err := s.text(&out); err != nil || !strings.Contains(out.String(), "not known: Graph answers 404") || strings.Contains(out.String(), "nothing is left to change") ||
		!strings.Contains(out.String(), "who does multifactor authentication for fabrikam.example is not known") {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := s.json(&out); err != nil || !strings.Contains(out.String(), `"like":"contoso.example"`) || !strings.Contains(out.String(), `"unknown":"Graph answers 404"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Staged rollout takes so many groups and no more: the next one has to wait.
func TestCutoverOfAWaveTooMany(t *testing.T) {
	for there, want := range map[int]string{graph.MaxRolloutGroups - 2: "", graph.MaxRolloutGroups - 1: "", graph.MaxRolloutGroups: "take one out"} {
		s := cutover{plan: "move.plan", urls: func(path string) string { return path }, group: map[string]string{"pilot": "p"}, waves: []migrate.WaveStanding{{Wave: "pilot"}},
			rollouts: []graph.Rollout{{ID: "r", Feature: graph.MFAFeature, Enabled: true, Groups: make([]graph.RolloutGroup, there)}}}
		if steps := s.steps(); len(steps) != 1 || !strings.Contains(steps[0].early, want) || (steps[0].early == "") != (want == "") {
			t.Errorf("%d groups: %+v", there, steps)
		}
	}
}

type cutoverStep struct {
	Type, What string
	Early      string `json:"not_yet"`
	Make, Back request
}

func stepsOf(t *testing.T, out string) (steps []cutoverStep) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var s cutoverStep
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if s.Type == "step" {
			steps = append(steps, s)
		}
	}
	return steps
}

// byHand makes changes as an administrator of the tenant does.
func (r *rehearsed) byHand(t *testing.T, at string) func(request) {
	t.Helper()
	r.app(t, "administrator", "admin")
	authority, err := os.ReadFile(r.path("engine.crt"))
	if err != nil {
		t.Fatal(err)
	}
	word, err := os.ReadFile(r.path("administrator.secret"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	t.Cleanup(client.CloseIdleConnections)
	given, err := client.PostForm(at+"/contoso.example/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"administrator"},
		"client_secret": {strings.TrimSpace(string(word))}, "scope": {at + "/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	defer given.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(given.Body).Decode(&token); err != nil || token.Access == "" {
		t.Fatalf("no token: %d, %v", given.StatusCode, err)
	}
	return func(q request) {
		t.Helper()
		call, err := http.NewRequestWithContext(t.Context(), q.Method, q.URL, strings.NewReader(q.Body))
		if err != nil {
			t.Fatal(err)
		}
		call.Header.Set("Authorization", "Bearer "+token.Access)
		call.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(call)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, _ := io.ReadAll(answer.Body); answer.StatusCode > 299 {
			t.Fatalf("%s %s: %d %s", q.Method, q.URL, answer.StatusCode, body)
		}
	}
}
