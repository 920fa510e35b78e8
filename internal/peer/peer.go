// Package peer finds the independent programs that tests compare us with:
// clients, servers and calculators that other people wrote. A test that needs
// one asks for it by name; where it is not installed the test is skipped and
// says which Debian package it wants. With MFABRIDGE_FORBID_SKIPS set, as in
// CI, a missing peer is a failure.
package peer

import (
	"os"
	"os/exec"
	"testing"
)

// Path returns where the program is, e.g. Path(t, "radclient", "freeradius-utils").
func Path(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		return path
	case os.Getenv("MFABRIDGE_FORBID_SKIPS") != "":
		t.Fatalf("%s is not installed (Debian package %s), and skips are forbidden", program, debianPackage)
	default:
		t.Skipf("%s is not installed (Debian package %s)", program, debianPackage)
	}
	return ""
}
