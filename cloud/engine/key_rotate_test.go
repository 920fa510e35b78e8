package engine_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/internal/secret"
)

// registered gives ada a generator and a password by engine e.
func registered(t *testing.T, h *house, e *engine.Engine, name, serial string) cloud.UserID {
	t.Helper()
	id, err := e.AddUser(t.Context(), operator, cloud.Profile{UPN: name, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	o := &cloud.OATH{Serial: serial, Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(seedOf(serial))}
	r := e.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: o}}})
	if r[0].Outcome != cloud.Done {
		t.Fatalf("%+v", r[0])
	}
	if err := e.SetPassword(t.Context(), operator, id, secret.FromString("correct horse")); err != nil {
		t.Fatal(err)
	}
	return id
}

func keyUse(t *testing.T, e *engine.Engine) engine.KeyUse {
	t.Helper()
	use, err := e.CheckKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return use
}

// A key is rotated while another process works on the store; the old one goes
// when nothing needs it, and not before.
func TestKeyRotation(t *testing.T) {
	h := build(t)
	running := h.Engine
	registered(t, h, running, "ada@contoso.example", "S1")
	h.open(t) // another process, which rotates
	rotating := h.Engine

	file, err := seal.OpenKeyFile(h.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	old := file.Primary()
	staged, err := file.Stage()
	if err != nil || staged == 0 || file.Primary() != old {
		t.Fatalf("staged %s, %v", staged, err)
	}
	if again, err := file.Stage(); err != nil || again != staged {
		t.Errorf("staged once more: %s, %v", again, err)
	}
	if use := keyUse(t, running); use.Of(old) != 4 || use.Of(staged) != 0 || use.Failed != 0 || use.Primary != old {
		t.Errorf("before: %+v", use)
	}
	if err := file.Promote(); err != nil {
		t.Fatal(err)
	}
	// The running process seals with the new key from now on, and opens both.
	registered(t, h, running, "bob@contoso.example", "S2")
	if use := keyUse(t, running); use.Of(old) != 4 || use.Of(staged) != 2 || use.Failed != 0 || use.Primary != staged {
		t.Errorf("promoted: %+v", use)
	}
	if _, err := rotating.RetireKeys(t.Context(), operator); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("a key that is needed was retired: %v", err)
	}
	n, err := rotating.Reseal(t.Context(), operator, func(int) {})
	if err != nil || n != 4 {
		t.Errorf("sealed anew: %d, %v", n, err)
	}
	if n, err := rotating.Reseal(t.Context(), operator, func(int) {}); err != nil || n != 0 {
		t.Errorf("sealed anew once more: %d, %v", n, err)
	}
	gone, err := rotating.RetireKeys(t.Context(), operator)
	if err != nil || len(gone) != 1 || gone[0] != old {
		t.Fatalf("retired %v, %v", gone, err)
	}
	if err := file.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if use := keyUse(t, running); use.Of(staged) != 6 || use.Failed != 0 {
		t.Errorf("at the end: %+v", use)
	}
	if proof, err := running.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, secret.FromString("correct horse"), cloud.Client{}); err != nil || !proof.OK {
		t.Errorf("the password: %+v, %v", proof, err)
	}
	if info, err := os.Stat(file.Before()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy of the key file: %v, %v", info, err)
	}
	if r := verified(t, h); len(r.Flaws) != 0 {
		t.Errorf("the audit: %+v", r.Flaws)
	}
}

// stale is a process that has a copy of the key as it is now, and does not
// follow the file.
func stale(t *testing.T, h *house) *engine.Engine {
	t.Helper()
	b, err := os.ReadFile(h.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STALE_KEY", strings.TrimSpace(string(b)))
	key, err := seal.LoadKey("env:STALE_KEY")
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Config{Store: h.store, Key: key, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A key file that a start would not take is found while a program runs, which
// goes on.
func TestKeyFileIsLookedAt(t *testing.T) {
	h := build(t)
	path := h.path + ".key"
	if err := h.KeyFile(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := build(t)
	foreign, err := os.ReadFile(other.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		do  func() error
		say string
	}{
		"others may read it": {func() error { return os.Chmod(path, 0o644) }, "may be read by others"},
		"it is gone":         {func() error { return os.Remove(path) }, "cannot be opened"},
		"it is damaged":      {func() error { return os.WriteFile(path, good[:20], 0o600) }, "not a keyset"},
		"another store's":    {func() error { return os.WriteFile(path, foreign, 0o600) }, "does not have"},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if err := h.KeyFile(t.Context()); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", what, err)
		}
		if err := errors.Join(os.WriteFile(path, good, 0o600), os.Chmod(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(h.KeyFile(t.Context()), h.Opens(t.Context())); err != nil {
			t.Errorf("%s, and then it is back: %v", what, err)
		}
	}
	if err := stale(t, h).KeyFile(t.Context()); err != nil {
		t.Errorf("without a file: %v", err)
	}
}

// What a program seals while another store's key file lies in the place of its own
// opens once the right file is back: the wrong one is not followed.
func TestForeignKeyFileIsNotFollowed(t *testing.T) {
	h, other := build(t), build(t)
	path := h.path + ".key"
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	registered(t, h, h.Engine, "ada@contoso.example", "S1")
	if err := h.Opens(t.Context()); err != nil {
		t.Errorf("while it lies there: %v", err)
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if use := keyUse(t, h.Engine); use.Failed != 0 {
		t.Errorf("lost: %v", use.Unopened)
	}
}

// A program that slept through a whole rotation, so that its file has none of the
// keys that it knows, follows it all the same.
func TestSleeperFollowsItsKeyFile(t *testing.T) {
	h := build(t)
	key, err := seal.LoadKey("file:" + h.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	sleeper, err := engine.Open(t.Context(), engine.Config{Store: h.store, Key: key, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	file := promoted(t, h)
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	old, err := h.RetireKeys(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Remove(old); err != nil {
		t.Fatal(err)
	}
	registered(t, h, sleeper, "ada@contoso.example", "S1")
	if use := keyUse(t, h.Engine); use.Failed != 0 || use.Of(file.Primary()) == 0 {
		t.Errorf("%+v", use)
	}
}

// promoted gives the key file of a house a new first key.
func promoted(t *testing.T, h *house) *seal.KeyFile {
	t.Helper()
	file, err := seal.OpenKeyFile(h.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Stage(); err != nil {
		t.Fatal(err)
	}
	if err := file.Promote(); err != nil {
		t.Fatal(err)
	}
	return file
}

// A process that has an old copy of the key cannot seal with a retired key.
func TestRetiredKeyDoesNotSeal(t *testing.T) {
	h := build(t)
	stale := stale(t, h)
	id := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	promoted(t, h)
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := stale.SetPassword(t.Context(), operator, id, secret.FromString("another horse")); err != nil {
		t.Fatalf("before it was retired: %v", err)
	}
	if _, err := h.RetireKeys(t.Context(), operator); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("retired under a process that seals with it: %v", err)
	}
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.RetireKeys(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	if err := stale.SetPassword(t.Context(), operator, id, secret.FromString("another horse")); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a retired key seals: %v", err)
	}
}

// A process whose copy of the key file is an old one says so, and answers nobody
// with a verdict.
func TestOldCopyOfTheKey(t *testing.T) {
	h := build(t)
	stale := stale(t, h)
	id := registered(t, h, h.Engine, "ada@contoso.example", "S1")
	if err := stale.Opens(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := promoted(t, h)
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := h.Opens(t.Context()); err != nil {
		t.Errorf("the process that follows its file: %v", err)
	}
	if err := stale.Opens(t.Context()); cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), file.Primary().String()) {
		t.Errorf("the old copy: %v", err)
	}
	_, err := stale.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: cloud.OATHCode, Code: codeAt(h.Now()), Tries: 1})
	if cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a login: %v", err)
	}
	if _, err := stale.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString("correct horse"), cloud.Client{}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a password: %v", err)
	}
	if state, reason := login(t, h, id, codeAt(h.Now())); state != cloud.Approved {
		t.Errorf("the code was used up: %s", reason)
	}
}

func TestDamagedSecretIsFound(t *testing.T) {
	h := build(t)
	registered(t, h, h.Engine, "ada@contoso.example", "S1")
	byHand(t, h.path, "UPDATE tokens SET sealed = zeroblob(40)")
	if use := keyUse(t, h.Engine); use.Failed != 1 || len(use.Unopened) != 1 || !strings.HasPrefix(use.Unopened[0], "generator ") {
		t.Errorf("%+v", use)
	}
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err == nil {
		t.Error("it was sealed anew")
	}
	if err := os.WriteFile(h.path+".key", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if use := keyUse(t, h.Engine); use.Failed != 1 || use.Passwords[use.Primary] != 1 {
		t.Errorf("a broken key file was taken: %+v", use)
	}
}
