package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// takenMeanwhile is an engine beside which somebody else makes the file that
// the secret was to go to.
type takenMeanwhile struct {
	administrator
	file string
	apps map[string]bool
}

func (a *takenMeanwhile) AddApp(_ context.Context, _ engine.Actor, name string, _ engine.Role, _ time.Time) (secret.Bytes, error) {
	a.apps[name] = true
	return secret.FromString("hush"), os.WriteFile(a.file, []byte("of somebody else"), 0o600)
}

func (a *takenMeanwhile) RemoveApp(_ context.Context, _ engine.Actor, name string) error {
	delete(a.apps, name)
	return nil
}

// An application whose secret nobody has is not left behind.
func TestApplicationWithoutItsSecret(t *testing.T) {
	e := &takenMeanwhile{file: filepath.Join(t.TempDir(), "vpn.secret"), apps: map[string]bool{}}
	err := registerApp(t.Context(), e, engine.Actor{Who: "test", Reason: "test"}, engine.App{Name: "vpn", Role: engine.RoleShim}, e.file)
	if err == nil || len(e.apps) > 0 {
		t.Errorf("error %v, and there are the applications %v", err, e.apps)
	}
	if text, err := os.ReadFile(e.file); err != nil || string(text) != "of somebody else" {
		t.Errorf("the file that was there holds %q, %v", text, err)
	}
}
