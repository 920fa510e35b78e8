// Package peer finds the independent programs that tests compare us with:
// clients, servers and calculators that other people wrote, and starts those
// servers that several tests need. A test that needs one asks for it by name;
// where it is not installed the test is skipped and says which Debian package
// it wants. With MFABRIDGE_FORBID_SKIPS set, as in CI, a missing peer is a
// failure.
package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Path returns where the program is, e.g. Path(t, "radclient", "freeradius-utils").
func Path(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program, debianPackage)
	}
	return path
}

// python is the interpreter that Debian's modules are installed for; another
// one may come first on the path.
const python = "/usr/bin/python3"

// Python returns the interpreter that can import a module,
// e.g. Python(t, "pskc", "python3-pskc").
func Python(t testing.TB, module, debianPackage string) string {
	t.Helper()
	if err := exec.Command(python, "-c", "import "+module).Run(); err != nil {
		missing(t, "the Python module "+module, debianPackage)
	}
	return python
}

// Modules returns the folder of npm packages that fixtures/native/package-lock.json
// names, in which the one called module is installed, e.g. @azure/msal-browser.
// scripts/peers.sh installs them.
func Modules(t testing.TB, module string) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			break
		}
		if folder == filepath.Dir(folder) {
			t.Fatal("the test does not run within the module")
		}
		folder = filepath.Dir(folder)
	}
	modules := filepath.Join(folder, "fixtures", "native", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, module, "package.json")); err != nil {
		missing(t, "the npm package "+module, "npm")
	}
	return modules
}

func missing(t testing.TB, what, debianPackage string) {
	t.Helper()
	if os.Getenv("MFABRIDGE_FORBID_SKIPS") != "" {
		t.Fatalf("%s is not installed (Debian package %s), and skips are forbidden", what, debianPackage)
	}
	t.Skipf("%s is not installed (Debian package %s)", what, debianPackage)
}
