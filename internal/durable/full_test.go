//go:build unix

package durable_test

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mfabridge/internal/durable"
)

// What does not go onto the disk whole gets no name: a file that is there stays
// as it was, and nothing is left. The child is a process whose files cannot grow.
func TestDiskFull(t *testing.T) {
	if folder := os.Getenv("MFABRIDGE_TEST_FULL"); folder != "" {
		overfill(t, folder)
		return
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "counts")
	if err := durable.Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_FULL="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	holds(t, path, "one")
}

func overfill(t *testing.T, folder string) {
	const most = 4096
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), most+1)
	if err := durable.Replace(filepath.Join(folder, "counts"), large); err == nil {
		t.Error("Replace wrote more than there is room for")
	} else if want := filepath.Join(folder, "counts") + ": "; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, which does not name the file that was asked for", err)
	}
	if err := durable.Create(filepath.Join(folder, "new"), large); err == nil {
		t.Error("Create wrote more than there is room for")
	}
}
