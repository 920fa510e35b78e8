package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

// roundsVariable is the store on which the test binary settles rounds until it
// is killed.
const roundsVariable = "MFABRIDGE_TEST_STORE_ROUNDS"

// settlers are how many users log in with each round.
const settlers = 6

func settler(n int) string { return fmt.Sprintf("user%d@contoso.example", n) }

// enrolSettlers makes users with Generator(1) and so on.
func enrolSettlers(t *testing.T, e *engine.Engine) {
	t.Helper()
	var changes []cloud.Change
	for n := 1; n <= settlers; n++ {
		p := &cloud.Profile{UPN: settler(n), Enabled: true}
		changes = append(changes, cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}},
			cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}})
	}
	for _, r := range e.Write(t.Context(), changes) {
		if r.Outcome != cloud.Done {
			t.Fatal(r.Err)
		}
	}
}

// roundAt is each user with the code of that time, twice, and between them who
// fails: with a wrong code, and with a name that is nobody's.
func roundAt(at time.Time, who string) (cases []cloud.Case) {
	add := func(name, key string, code secret.Bytes) {
		cases = append(cases, cloud.Case{Request: cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: name}, Tries: 1, Code: code,
			Key: key, Client: cloud.Client{Station: key}}})
	}
	for n := 1; n <= settlers; n++ {
		code := cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), at)
		for twice := range 2 {
			add(settler(n), fmt.Sprint(who, at.Unix(), n, twice), code)
		}
		add("nobody", fmt.Sprint(who, at.Unix(), n), code)
	}
	add(settler(1), fmt.Sprint("wrong", who, at.Unix()), secret.FromString("wrong"))
	return cases
}

// atStep is the time of those who settle rounds: one step every twenty
// milliseconds, so that two processes are at the same one.
func atStep() time.Time {
	return time.Unix(time.Now().UnixMilli()/20*30%1e10, 0)
}

// settleRounds settles rounds for a while, and counts who was let in. Where nobody
// was, it goes on for a minute at most: on a machine that is busy the while may be
// over with one round, whose step another process has taken.
func settleRounds(e *engine.Engine, now *time.Time, who string, while time.Duration) (approved int, err error) {
	begun := time.Now()
	for round := 0; time.Since(begun) < while || approved == 0 && time.Since(begun) < time.Minute; round++ {
		*now = atStep()
		cases := roundAt(*now, fmt.Sprint(who, round))
		e.Settle(context.Background(), cases)
		for _, c := range cases {
			switch {
			case c.Request.Subject.Value == "nobody" && cloud.KindOf(c.Err) == cloud.NotFound:
			case c.Err != nil:
				return approved, c.Err
			case c.Challenge.State == cloud.Approved:
				approved++
			}
		}
	}
	return approved, nil
}

// roundsForever settles rounds until it is killed.
func roundsForever(path string) error {
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return err
	}
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		return err
	}
	now := atStep()
	e, err := engine.Open(context.Background(), engine.Config{Store: s, Key: key, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	_, err = settleRounds(e, &now, "child", time.Hour)
	return errors.Join(err, errors.New("it was not killed"))
}

// approvals counts the approvals of the audit by user and time step, and checks
// the audit.
func approvals(t *testing.T, e *engine.Engine) (total int) {
	t.Helper()
	audited, err := e.VerifyAudit(t.Context())
	if err != nil || len(audited.Flaws) > 0 {
		t.Errorf("the audit: %+v, %v", audited.Flaws, err)
	}
	seen := map[string]int{}
	for entry, err := range e.AuditBetween(t.Context(), time.Time{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Action == "verify.approved" {
			total++
			seen[fmt.Sprint(entry.Subject, " ", entry.Time.Unix())]++
		}
	}
	for login, n := range seen {
		if n != 1 {
			t.Errorf("%s was approved %d times", login, n)
		}
	}
	return total
}

// Two processes settle the same logins on one store, and one of them is killed:
// each code is taken once, whoever took it is told so, and the audit stands.
func TestRoundsOfTwoProcesses(t *testing.T) {
	for round := range 3 {
		path := made(t)
		s := opens(t, path)
		now := atStep()
		e := engineOn(t, s, path, func() time.Time { return now })
		enrolSettlers(t, e)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roundsVariable+"="+path)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		first, err := settleRounds(e, &now, "parent", time.Duration(300+50*round)*time.Millisecond)
		if killed := child.Process.Kill(); err != nil || killed != nil {
			t.Fatal(err, killed)
		}
		_ = child.Wait() // it was killed
		again, err := settleRounds(e, &now, "parent again", 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		total := approvals(t, e)
		t.Logf("%d approvals, of which %d and %d were told here", total, first, again)
		if total < first+again || again == 0 {
			t.Errorf("%d approvals, of which %d and %d were told here", total, first, again)
		}
	}
}

// On a full disk no login of a round is one, and no code is used up.
func TestRoundOnAFullDisk(t *testing.T) {
	if dir := os.Getenv("MFABRIDGE_TEST_FULL_ROUND"); dir != "" {
		fillByRounds(t, filepath.Join(dir, "cloud.db"))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRoundOnAFullDisk$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_FULL_ROUND="+filepath.Dir(made(t)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fillByRounds(t *testing.T, path string) {
	now := epoch
	s := opens(t, path)
	e := engineOn(t, s, path, func() time.Time { return now })
	enrolSettlers(t, e)
	limitFiles(t, 256<<10)
	told := 0
	var failed error
	for i := 0; failed == nil && i < 1000; i++ {
		now = epoch.Add(time.Duration(i) * 30 * time.Second)
		cases := roundAt(now, "full")
		e.Settle(t.Context(), cases)
		for _, c := range cases {
			if cloud.KindOf(c.Err) == cloud.Unavailable {
				failed = c.Err
			} else if c.Err == nil && c.Challenge.State == cloud.Approved {
				told++
			}
		}
	}
	if failed == nil {
		t.Fatal("the disk was never full")
	}
	limitFiles(t, unix.RLIM_INFINITY)
	cases := roundAt(now, "with room")
	e.Settle(t.Context(), cases)
	for _, c := range cases {
		if c.Err == nil && c.Challenge.State == cloud.Approved {
			told++
		}
	}
	if total := approvals(t, e); total != told {
		t.Errorf("%d approvals, of which %d were told", total, told)
	}
}
