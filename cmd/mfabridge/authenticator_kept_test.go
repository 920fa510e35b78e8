package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watched is an input that looks around before it answers.
type watched struct {
	io.Reader
	look func()
}

func (w watched) Read(b []byte) (int, error) {
	w.look()
	return w.Reader.Read(b)
}

// Whoever is killed while an activation waits, leaves nothing in the place of
// the authenticator: the next try would be refused for it.
func TestActivateHasNoFileBeforeItIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authenticator.json")
	looked := 0
	in := watched{strings.NewReader("123456\n"), func() {
		looked++
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("while the code is asked for: %v", err)
		}
	}}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"mfabridge", "authenticator", "activate", "--url", "https://127.0.0.1:1", "--user", "ada@contoso.example", "--code", "-", "--device", path},
		streams{in: in, out: &out, err: &errs})
	if looked == 0 || code == exitDone {
		t.Errorf("looked %d times, exit code %d, stderr %s", looked, code, errs.String())
	}
	if left := holds(t, filepath.Dir(path)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := mfabridgeIn(t, "123456\n", "authenticator", "activate", "--url", "https://127.0.0.1:1", "--user", "ada@contoso.example", "--code", "-", "--device", path)
	if !strings.Contains(r.err, "exists already") || !strings.Contains(r.err, "hint: give --device a name") {
		t.Errorf("in the place of another: %s", r.err)
	}
}
