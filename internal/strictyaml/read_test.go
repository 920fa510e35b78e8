package strictyaml_test

import (
	"path/filepath"
	"testing"

	"mfabridge/internal/strictyaml"
)

// A file that is not there is named once.
func TestReadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	_, _, err := strictyaml.Kind{Name: "shim configuration"}.Read(path)
	if want := "shim configuration " + path + " cannot be opened: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}
