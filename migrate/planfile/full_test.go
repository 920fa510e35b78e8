//go:build unix

package planfile_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/migrate/planfile"
)

// TestDiskFull runs itself in a process whose files cannot grow.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("MFABRIDGE_TEST_FULL"); dir != "" {
		fillDisk(t, filepath.Join(dir, "plan.db"))
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
	cmd.Env = append(os.Environ(), "MFABRIDGE_TEST_FULL="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func fillDisk(t *testing.T, path string) {
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	w, err := planfile.Create(path, header(), planfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := range 1000 {
		if err = w.Add(sampleUser(i)); err != nil {
			return
		}
	}
	if _, err = w.Finish(summary()); err == nil {
		t.Fatal("a thousand users went into 64 KiB")
	}
}
