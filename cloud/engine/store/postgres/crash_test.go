package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

// childVariable makes the test binary a node that is under load until it is
// killed: address, key file, start, name.
const childVariable = "MFABRIDGE_TEST_PG_CHILD"

// The load: users, logins at once on each node, and how much faster than the
// real one the clock of the nodes goes, so that codes change often.
const (
	loadUsers = 8
	loadAt    = 6
	loadSpeed = 60
)

func loadName(i int) string { return fmt.Sprintf("user%d@contoso.example", i) }

// loadClock is the time of all nodes.
func loadClock(start time.Time) func() time.Time {
	return func() time.Time {
		return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).Add(time.Since(start) * loadSpeed)
	}
}

func loadEngine(address string, key seal.Key, start time.Time) (*engine.Engine, *postgres.Store, error) {
	s, err := postgres.Open(context.Background(), address)
	if err != nil {
		return nil, nil, err
	}
	e, err := engine.Open(context.Background(), engine.Config{Store: s, Key: key, Now: loadClock(start), Tries: tries.Limits{Free: 1 << 30}})
	return e, s, err
}

// underLoad logs users in, with right codes and wrong ones, and says of every
// attempt what was answered, under a name that stands in the audit too.
func underLoad(word string) error {
	with := strings.Split(word, "|")
	key, err := seal.LoadKey("file:" + with[1])
	if err != nil {
		return err
	}
	began, err := strconv.ParseInt(with[2], 10, 64)
	if err != nil {
		return err
	}
	start := time.Unix(0, began)
	var e *engine.Engine
	for e == nil { // the database may be away just now
		if e, _, err = loadEngine(with[0], key, start); err != nil && cloud.KindOf(err) != cloud.Unavailable {
			return err
		}
	}
	var wg sync.WaitGroup
	for w := range loadAt {
		wg.Go(func() {
			for n := 0; ; n++ {
				say(attempt(e, fmt.Sprintf("%s-%d-%d", with[3], w, n), (w+n)%loadUsers, n%7 == 0, loadClock(start)()))
			}
		})
	}
	wg.Wait()
	return nil
}

// say writes a line at once.
func say(line string) { _, _ = os.Stdout.WriteString(line + "\n") }

func attempt(e *engine.Engine, name string, user int, wrong bool, now time.Time) string {
	code, kind := cloudtest.Code(cloudtest.Seed(user), cloudtest.Generator(user), now), "right"
	if wrong {
		code, kind = secret.FromString("x"), "wrong"
	}
	step := now.Unix() / 30
	c, err := e.Begin(context.Background(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: loadName(user)}, Tries: 1,
		Client: cloud.Client{App: name, Station: name}, Key: name, Code: code})
	if err != nil {
		return fmt.Sprintf("%s %d %d %s error %s", name, user, step, kind, strings.ReplaceAll(cloud.KindOf(err).String(), " ", "-"))
	}
	return fmt.Sprintf("%s %d %d %s %s %s", name, user, step, kind, c.State, c.Reason)
}

// answered is what a node said of one attempt.
type answered struct {
	user, step          int
	right               bool
	state, reason, line string
}

// nodes are engines as processes, and what they have said.
type nodes struct {
	t       *testing.T
	address string
	key     string
	start   time.Time
	mu      sync.Mutex
	said    map[string]answered
	running []*exec.Cmd
	count   int
	wg      sync.WaitGroup
}

func (n *nodes) add() {
	n.t.Helper()
	n.count++
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d|node%d", childVariable, n.address, n.key, n.start.UnixNano(), n.count))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.running = append(n.running, cmd)
	n.wg.Go(func() { n.read(out) })
}

func (n *nodes) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		f := strings.Split(lines.Text(), " ")
		if len(f) != 6 {
			continue // cut off by the kill
		}
		a := answered{right: f[3] == "right", state: f[4], reason: f[5], line: lines.Text()}
		a.user, _ = strconv.Atoi(f[1])
		a.step, _ = strconv.Atoi(f[2])
		n.mu.Lock()
		n.said[f[0]] = a
		n.mu.Unlock()
	}
}

// kill ends the oldest node.
func (n *nodes) kill() {
	cmd := n.running[0]
	n.running = n.running[1:]
	_ = cmd.Process.Kill() // it runs until then
	_ = cmd.Wait()
}

func (n *nodes) heard() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.said)
}

// wait returns when the nodes have said so much more.
func (n *nodes) wait(more int) {
	n.t.Helper()
	want, limit := n.heard()+more, time.After(5*time.Minute)
	for n.heard() < want {
		select {
		case <-limit:
			n.t.Fatalf("only %d answers of %d", n.heard(), want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Engines and the database are killed under load. No code is accepted twice,
// no verdict that was answered is lost or another one, nothing that was
// answered as not having happened has happened, and no code is called used
// that was not.
func TestKilledUnderLoad(t *testing.T) {
	peer.NeedCluster(t, cluster)
	rounds := 10 // of two kills each
	if os.Getenv("MFABRIDGE_SOAK") != "" {
		rounds = 60
	}
	address, key := made(t)
	file := filepath.Join(t.TempDir(), "engine.key")
	if err := key.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	n := &nodes{t: t, address: address, key: file, start: time.Now(), said: map[string]answered{}}
	e, s, err := loadEngine(address, key, n.start)
	if err != nil {
		t.Fatal(err)
	}
	for i := range loadUsers {
		enrolLoad(t, e, i)
	}
	for range 3 {
		n.add()
	}
	for range rounds {
		n.wait(150)
		n.kill()
		n.add()
		n.wait(150)
		cluster.Kill()
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		n.wait(150)
	}
	for len(n.running) > 0 {
		n.kill()
	}
	n.wg.Wait()
	kinds := map[string]int{}
	for _, a := range n.said {
		kinds[a.state+" "+a.reason]++
	}
	t.Logf("%d attempts: %v", len(n.said), kinds)
	if kinds["approved "] == 0 {
		t.Error("nothing was accepted: nothing was tested")
	}
	for _, fault := range check(n.said, audited(t, s)) {
		t.Error(fault)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func enrolLoad(t *testing.T, e *engine.Engine, i int) {
	t.Helper()
	for _, r := range e.Write(t.Context(), []cloud.Change{
		{UPN: loadName(i), Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: loadName(i), Enabled: true}}},
		{UPN: loadName(i), Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(i)}},
	}) {
		if r.Outcome != cloud.Done {
			t.Fatal(r.Outcome, r.Err)
		}
	}
}

// audited are the verdicts in the audit, by the name of their attempt.
func audited(t *testing.T, s *postgres.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	var after int64
	for {
		var page []audit.Entry
		if err := s.View(t.Context(), func(r engine.Reader) (err error) { page, err = r.Audit(after, 1000); return err }); err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		for _, entry := range page {
			if state, ok := strings.CutPrefix(entry.Action, "verify."); ok {
				all[entry.Actor] = append(all[entry.Actor], state)
			}
		}
		after = page[len(page)-1].Seq
	}
}

// check compares what was said with what is recorded, and returns what is
// wrong. A code may be called used only where one of that step or later was
// accepted; what a killed node has not said any more may be that one.
func check(said map[string]answered, recorded map[string][]string) (faults []string) {
	type use struct{ user, step int }
	accepted, latest := map[use]int{}, map[int]int{}
	unsaid := false
	for name, states := range recorded {
		if _, ok := said[name]; !ok && len(states) == 1 && states[0] == string(cloud.Approved) {
			unsaid = true
		}
	}
	for name, a := range said {
		states := recorded[name]
		switch {
		case a.state == "error" && a.reason == "internal": // promises nothing
		case a.state == "error" && len(states) > 0:
			faults = append(faults, fmt.Sprintf("answered as not having happened, and recorded as %v: %s", states, a.line))
		case a.state == "error":
		case len(states) != 1 || states[0] != a.state:
			faults = append(faults, fmt.Sprintf("recorded as %v: %s", states, a.line))
		case a.state == string(cloud.Approved) && !a.right:
			faults = append(faults, "a wrong code was accepted: "+a.line)
		case a.state == string(cloud.Approved):
			latest[a.user] = max(latest[a.user], a.step)
			if accepted[use{a.user, a.step}]++; accepted[use{a.user, a.step}] > 1 {
				faults = append(faults, "the code was accepted before: "+a.line)
			}
		}
	}
	for _, a := range said {
		if a.reason == string(cloud.UsedCode) && a.step > latest[a.user]+1 && !unsaid {
			faults = append(faults, "called used, and nobody has used it: "+a.line)
		}
	}
	return faults
}

// The checker sees every fault that it is there for.
func TestCheckerSaysNo(t *testing.T) {
	ok, no := string(cloud.Approved), string(cloud.Refused)
	used := string(cloud.UsedCode)
	for name, c := range map[string]struct {
		said     map[string]answered
		recorded map[string][]string
		faults   int
	}{
		"all is well":      {map[string]answered{"a": {1, 5, true, ok, "", ""}, "b": {1, 5, true, no, used, ""}, "c": {1, 6, true, "error", "unavailable", ""}}, map[string][]string{"a": {ok}, "b": {no}}, 0},
		"accepted twice":   {map[string]answered{"a": {1, 5, true, ok, "", ""}, "b": {1, 5, true, ok, "", ""}}, map[string][]string{"a": {ok}, "b": {ok}}, 1},
		"verdict lost":     {map[string]answered{"a": {1, 5, true, ok, "", ""}}, nil, 1},
		"verdict changed":  {map[string]answered{"a": {1, 5, true, ok, "", ""}}, map[string][]string{"a": {no}}, 1},
		"verdict twice":    {map[string]answered{"a": {1, 5, true, ok, "", ""}}, map[string][]string{"a": {ok, ok}}, 1},
		"wrong code":       {map[string]answered{"a": {1, 5, false, ok, "", ""}}, map[string][]string{"a": {ok}}, 1},
		"happened after":   {map[string]answered{"a": {1, 5, true, "error", "unavailable", ""}}, map[string][]string{"a": {ok}}, 1},
		"used by nobody":   {map[string]answered{"a": {1, 5, true, no, used, ""}}, map[string][]string{"a": {no}}, 1},
		"used by the dead": {map[string]answered{"a": {1, 5, true, no, used, ""}}, map[string][]string{"a": {no}, "b": {ok}}, 0},
	} {
		if faults := check(c.said, c.recorded); len(faults) != c.faults {
			t.Errorf("%s: %v", name, faults)
		}
	}
}
