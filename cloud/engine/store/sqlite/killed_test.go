package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
)

const childVariable = "MFABRIDGE_TEST_STORE_CHILD"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := logInForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if path := os.Getenv(roundsVariable); path != "" {
		fmt.Fprintln(os.Stderr, roundsForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// epoch is when the child's first login takes place.
var epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// logInForever logs the user in, each time one step later, and prints the
// number of each login that was approved. It ends by being killed.
func logInForever(path string) error {
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return err
	}
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		return err
	}
	now := epoch
	e, err := engine.Open(context.Background(), engine.Config{Store: s, Key: key, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	if _, err := e.Lock(context.Background(), "the child"); err != nil {
		return err
	}
	for i := 0; ; i++ {
		now = epoch.Add(time.Duration(i) * 30 * time.Second)
		c, err := e.Begin(context.Background(), loginAt(now))
		if err != nil || c.State != cloud.Approved {
			return fmt.Errorf("login %d: %+v, %w", i, c, err)
		}
		fmt.Println(i)
	}
}

func loginAt(at time.Time) cloud.Request {
	return cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: "ada@contoso.example"}, Tries: 1,
		Code: cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), at)}
}

// After a kill no login that was answered can be repeated, and the lock of the
// dead process is free.
func TestKilledProcessForgetsNothing(t *testing.T) {
	for round := range 5 {
		path := made(t)
		s := opens(t, path)
		now := epoch
		e := engineOn(t, s, path, func() time.Time { return now })
		enrol(t, e)
		last := killAfter(t, path, 20+round*37)
		for back := range 3 {
			now = epoch.Add(time.Duration(last) * 30 * time.Second)
			c, err := e.Begin(t.Context(), loginAt(now.Add(-time.Duration(back)*30*time.Second)))
			if err != nil || c.State == cloud.Approved {
				t.Fatalf("login %d, %d steps before the last that was answered: %+v, %v", last, back, c, err)
			}
		}
		unlock, err := e.Lock(t.Context(), "the survivor")
		if err != nil {
			t.Fatalf("the lock of a dead process: %v", err)
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs the child, kills it after it printed some logins, and returns
// the last one that it printed.
func killAfter(t *testing.T, path string, logins int) (last int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if last == logins {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || last < logins {
		t.Fatalf("the child ended by itself after %d logins: %v", last, err)
	}
	return last
}
