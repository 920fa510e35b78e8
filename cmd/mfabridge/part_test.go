package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/hint"
)

// However something is written to a file that is not there yet, what goes wrong
// names the file that was asked for, and what to do.
func TestPartIsCalledByItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	f, err := newPart(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.file.Close(); err != nil { // takes nothing any more, as a disk that is full
		t.Fatal(err)
	}
	for name, write := range map[string]func() error{
		"Write":       func() error { _, err := f.Write([]byte("x")); return err },
		"WriteString": func() error { _, err := io.WriteString(f, "x"); return err },
		"Copy":        func() error { _, err := io.Copy(f, strings.NewReader("x")); return err },
		"publish":     f.publish,
	} {
		if err := write(); err == nil || !strings.HasPrefix(err.Error(), path+" cannot be written: ") || strings.Contains(err.Error(), ".new-") || hint.Of(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, hint.Of(err))
		}
	}
	if err := f.end(nil); err != nil {
		t.Error(err)
	}
}
