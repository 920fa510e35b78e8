package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

const value = "CORRECT-HORSE-BATTERY"

func TestSecretIsNeverPrinted(t *testing.T) {
	s := secret.FromString(value)
	nested := struct {
		Public secret.Bytes
		hidden secret.Bytes
		slice  []secret.Bytes
		ptr    *secret.Bytes
	}{s, s, []secret.Bytes{s}, &s}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10v"} {
		fmt.Fprintf(&out, verb+"\n", s)
		if shown := fmt.Sprintf(verb, s); shown != "[redacted]" {
			t.Errorf("%s shows %q", verb, shown)
		}
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", nested)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("test", "secret", s, "nested", nested)
	slog.New(slog.NewTextHandler(&out, nil)).Info("test", "secret", s, "nested", nested)
	if err := json.NewEncoder(&out).Encode(map[string]any{"a": s, "b": &s, "c": nested}); err != nil {
		t.Fatal(err)
	}
	hexed := fmt.Sprintf("%x", value)
	bytesed := strings.Trim(fmt.Sprint([]byte(value)), "[]")
	for _, form := range []string{value, hexed, strings.ToUpper(hexed), bytesed} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows as %q in:\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that a value was left out")
	}
}

func TestEqualAndZero(t *testing.T) {
	a, b := secret.FromString("a"), secret.FromString("b")
	if a.Equal(b) || !a.Equal(secret.FromString("a")) || a.Equal(secret.Bytes{}) {
		t.Error("Equal does not compare values")
	}
	if !secret.New(nil).IsZero() || a.IsZero() || a.Len() != 1 {
		t.Error("IsZero or Len is wrong")
	}
	a.Wipe()
	if a.Reveal()[0] != 0 {
		t.Error("Wipe left the value")
	}
}

func TestIsReference(t *testing.T) {
	for ref, want := range map[string]bool{"file:x": true, "env:X": true, "file": false, value: false, "x:" + value: false, "": false} {
		if got := secret.IsReference(ref); got != want {
			t.Errorf("%q: %v", ref, got)
		}
	}
}

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Setenv("MFABRIDGE_TEST_SECRET", value)
	for _, ref := range []string{"file:" + write(t, value+"\r\n", 0o600), "env:MFABRIDGE_TEST_SECRET"} {
		s, err := secret.Load(ref)
		if err != nil || string(s.Reveal()) != value {
			t.Errorf("Load(%q) = %d bytes, %v", ref, s.Len(), err)
		}
	}
}

func TestLargestFile(t *testing.T) {
	if s, err := secret.Load("file:" + write(t, strings.Repeat("x", secret.MaxFile), 0o600)); err != nil || s.Len() != secret.MaxFile {
		t.Errorf("%d bytes, %v", s.Len(), err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Load("file:" + dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder of one's own: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, ref := range map[string]string{
		"readable by others": "file:" + write(t, value, 0o644),
		"readable by group":  "file:" + write(t, value, 0o640),
		"empty":              "file:" + write(t, "\n", 0o600),
		"too large":          "file:" + write(t, strings.Repeat("x", secret.MaxFile+1), 0o600),
		"missing":            "file:" + filepath.Join(t.TempDir(), "none"),
		"a folder":           "file:" + t.TempDir(),
		"unset variable":     "env:MFABRIDGE_TEST_UNSET",
		"the secret itself":  value,
		"with a colon in it": "x:" + value,
	} {
		s, err := secret.Load(ref)
		if err == nil || !s.IsZero() {
			t.Errorf("%s: was taken", name)
			continue
		}
		if strings.Contains(err.Error()+hint.Of(err), value) {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
}
