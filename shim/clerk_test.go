package shim_test

import (
	"os"
	"os/exec"
	"testing"
)

// bySettling is set in the environment of a run of these tests whose engine is
// a [cloud.Settler].
const bySettling = "MFABRIDGE_TEST_BY_SETTLING"

// Everything that holds with workers holds with clerks.
func TestEverythingWithClerks(t *testing.T) {
	if os.Getenv(bySettling) != "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test", "-test.short")
	cmd.Env = append(os.Environ(), bySettling+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
