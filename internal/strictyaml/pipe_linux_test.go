package strictyaml_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/strictyaml"
)

// What is no regular file is refused at once: a named pipe that nobody writes to
// would keep a service from its start.
func TestReadTakesRegularFilesOnly(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, folder, "/dev/null"} {
		_, _, err := strictyaml.Kind{Name: "shim configuration"}.Read(path)
		if err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
