package pfsdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/legacy/pfsdk"
)

func TestPullGoesOnWhereItWas(t *testing.T) {
	var left atomic.Int32
	left.Store(30)
	broken := func(w http.ResponseWriter, _ string) bool {
		if left.Add(-1) >= 0 {
			return false
		}
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	}
	s, config := start(t, &server{users: people(100), answers: map[string]func(http.ResponseWriter, string) bool{"GetUserDevices": broken}})
	o := options(t)
	result, err := pull(t, config, o)
	if !errors.Is(err, pfsdk.ErrUnavailable) || result.Written {
		t.Fatalf("%+v, %v", result, err)
	}
	checkSecrets(t, filepath.Dir(o.Out))
	read, err := os.ReadFile(o.Out + ".partial/progress.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(read), "\n"); n != 31 {
		t.Fatalf("%d lines, want those of 30 users", n)
	}
	// What a crash leaves of a line does not count.
	torn := read[:len(read)-10]
	if err := os.WriteFile(o.Out+".partial/progress.jsonl", torn, 0o600); err != nil {
		t.Fatal(err)
	}
	left.Store(1000)
	s.forget()
	result, err = pull(t, config, o)
	if err != nil || !result.Written || !result.Resumed || result.Users != 100 {
		t.Fatalf("%+v, %v", result, err)
	}
	if n := s.askedFor("GetUserSettings_3"); n != 71 {
		t.Errorf("%d users were asked for again, want 71", n)
	}
	if s.askedFor("FindUsers") != 0 {
		t.Error("the users were searched for again")
	}
	checkFolder(t, o.Out)
	if _, err := pull(t, config, o); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("an export was overwritten: %v", err)
	}
}

func TestProgressOfAnotherPullIsRefused(t *testing.T) {
	_, config := start(t, &server{users: people(3)})
	for _, c := range []struct{ content, want string }{
		{`{"format":"mfabridge-pull","version":1,"url":"https://other.example/","usernames":["a"]}` + "\n", "is of a pull from https://other.example/ with other settings"},
		{`{"format":"mfabridge-pull","version":2}` + "\n", "that this version can go on with"},
		{"", "is not the progress of a pull"},
		{"{}", "is not the progress of a pull"},
		{fmt.Sprintf(`{"format":"mfabridge-pull","version":1,"url":%q,"usernames":["a"]}`+"\n"+`{"u":"b"}`+"\n", config.URL), "is damaged"},
		{fmt.Sprintf(`{"format":"mfabridge-pull","version":1,"url":%q,"usernames":["a"]}`+"\n"+"x\n", config.URL), "is damaged"},
	} {
		o := options(t)
		if err := os.Mkdir(o.Out+".partial", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.Out+".partial/progress.jsonl", []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := pull(t, config, o); err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%q: got %v, want %s", c.content, err, c.want)
		}
	}
}

func TestOnePullAtATime(t *testing.T) {
	_, config := start(t, &server{users: people(20)})
	o := options(t)
	var second error
	once := make(chan struct{}, 1)
	o.Progress = func(int, int, int) {
		select {
		case once <- struct{}{}:
			other := o
			other.Progress = nil
			_, second = pull(t, config, other)
		default:
		}
	}
	if result, err := pull(t, config, o); err != nil || result.Users != 20 {
		t.Errorf("%+v, %v", result, err)
	}
	if !errors.Is(second, pfsdk.ErrLocked) {
		t.Errorf("the second pull: %v", second)
	}
}

func TestWhatIsLeftOfAStoppedPullIsNamed(t *testing.T) {
	_, config := start(t, &server{users: people(5)})
	o := options(t)
	for _, folder := range []string{o.Out, o.Out + ".partial"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pull(t, config, o); err == nil || !strings.Contains(hint.Of(err), ".partial is left of a pull that was stopped: it holds secrets") {
		t.Errorf("%v: %s", err, hint.Of(err))
	}
}

func TestInterruptedPull(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, config := start(t, &server{users: people(50)})
	client, err := pfsdk.NewClient(config, 2)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Progress = func(done, _, _ int) {
		if done == 10 {
			cancel()
		}
	}
	if _, err := client.Pull(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("an export was written")
	}
	o.Progress = nil
	if result, err := client.Pull(t.Context(), o); err != nil || result.Users != 50 {
		t.Errorf("%+v, %v", result, err)
	}
}

func FuzzProgress(f *testing.F) {
	const head = `{"format":"mfabridge-pull","version":1,"url":"u","usernames":["ada","bob"]}` + "\n"
	f.Add([]byte(head + `{"u":"ada","f":[["Phone","1"]],"d":[[["UserDeviceId","1"]]]}` + "\n" + `{"u":"bob","gone":true}` + "\n"))
	f.Add([]byte(head + `{"u":"ADA"}` + "\n" + `{"u":"bo`))
	f.Add([]byte(head + head))
	f.Fuzz(func(t *testing.T, content []byte) {
		users, err := pfsdk.ReadProgress(filepath.Join(t.TempDir(), "export"), "u", content)
		if err != nil && users > 0 {
			t.Errorf("%d users and %v", users, err)
		}
	})
}
