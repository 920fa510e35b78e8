package channel_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/internal/secret"
)

func message(id string) engine.Message {
	return engine.Message{ID: id, Time: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), To: "+44 2079460000",
		Text: secret.FromString("Your code is 123456"), Application: "vpn"}
}

func open(t *testing.T) (*channel.Outbox, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "deep", "outbox")
	o, err := channel.OpenOutbox(folder, cloud.SMS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o, folder
}

func TestOutboxWritesOneFile(t *testing.T) {
	o, folder := open(t)
	for range 2 { // the same message again replaces it
		if err := o.Send(t.Context(), message("abc")); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || files[0].Name() != "20261102T090000.000000000Z-abc.json" {
		t.Fatalf("files: %v, %v", files, err)
	}
	path := filepath.Join(folder, files[0].Name())
	for _, p := range []struct {
		path string
		mode os.FileMode
	}{{path, 0o600}, {folder, 0o700}} {
		if info, err := os.Stat(p.path); err != nil || info.Mode().Perm() != p.mode {
			t.Errorf("%s: mode %v, %v", p.path, info.Mode(), err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got channel.Written
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	want := channel.Written{ID: "abc", Time: message("").Time, Channel: string(cloud.SMS), To: "+44 2079460000", Text: "Your code is 123456", Application: "vpn"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestOutboxRefuses(t *testing.T) {
	o, folder := open(t)
	for _, id := range []string{"", "../escape", "a/b", "a\\b", ".", "a.json", "ä", string(make([]byte, 65))} {
		if err := o.Send(t.Context(), message(id)); err == nil {
			t.Errorf("id %q was written", id)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Send(ctx, message("late")); err == nil {
		t.Error("a message of a caller who had left was written")
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("left: %v, %v", files, err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.OpenOutbox(folder, cloud.SMS); err == nil {
		t.Error("a folder that others may read was taken")
	}
	if o.Delivers() {
		t.Error("an outbox counts as telephony")
	}
}
