package planfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func identity(tb testing.TB) *age.X25519Identity {
	tb.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func makeSealed(tb testing.TB, path string, o planfile.Options) {
	tb.Helper()
	w, err := planfile.Create(path, header(), o)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Abort()
	for _, d := range decisions() {
		if err := w.Add(d); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := w.Finish(summary()); err != nil {
		tb.Fatal(err)
	}
}

func TestSealedToRecipients(t *testing.T) {
	first, second := identity(t), identity(t)
	path := filepath.Join(t.TempDir(), "f.plan")
	makeSealed(t, path, planfile.Options{Recipients: []age.Recipient{first.Recipient(), second.Recipient()}})
	if _, err := os.Lstat(planfile.KeyPath(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a plan that is sealed to recipients leaves its key in the clear: %v", err)
	}
	for i, id := range []age.Identity{first, second} {
		p, err := planfile.OpenSealed(path, id)
		if err != nil {
			t.Fatalf("recipient %d: %v", i+1, err)
		}
		var got []migrate.Decision
		for d, err := range p.Users(t.Context(), migrate.Revealed) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d)
		}
		if len(got) != len(decisions()) || !p.Sealed() {
			t.Errorf("recipient %d reads %d users, sealed %v", i+1, len(got), p.Sealed())
		}
		p.Close()
	}
	if _, err := planfile.OpenSealed(path, identity(t)); err == nil || !strings.Contains(err.Error(), "somebody else") || hint.Of(err) == "" {
		t.Errorf("a foreign identity: %v", err)
	}
	if p, err := planfile.Open(path, ""); err != nil || p.Sealed() {
		t.Errorf("without a key: %v", err)
	} else {
		p.Close()
	}
}

func TestSealedKeyFaults(t *testing.T) {
	id := identity(t)
	folder := t.TempDir()
	path, other := filepath.Join(folder, "f.plan"), filepath.Join(folder, "g.plan")
	seal := planfile.Options{Recipients: []age.Recipient{id.Recipient()}}
	makeSealed(t, path, seal)
	makeSealed(t, other, seal)
	key := planfile.SealedKeyPath(path)
	whole := read(t, key)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-5] ^= 1
	for name, c := range map[string]struct {
		key  []byte
		want string
	}{
		"of another plan": {read(t, planfile.SealedKeyPath(other)), "altered"},
		"cut short":       {whole[:len(whole)-40], "altered"},
		"altered":         {flipped, "altered"},
		"empty":           {nil, "not a key"},
		"too large":       {bytes.Repeat([]byte{'x'}, 1<<20), "larger"},
	} {
		write(t, key, c.key)
		if p, err := planfile.OpenSealed(path, id); err == nil {
			p.Close()
			t.Errorf("%s: it opens", name)
		} else if !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "another plan") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.OpenSealed(path, id); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lost: %v", err)
	}
	write(t, key, whole)
	plan := read(t, path)
	plan[len(plan)/2] ^= 1
	write(t, path, plan)
	if _, err := planfile.OpenSealed(path, id); err == nil {
		t.Error("an altered plan opens")
	}
}

// A plan that replaces another leaves no key that does not fit.
func TestSealedReplaces(t *testing.T) {
	id := identity(t)
	path := filepath.Join(t.TempDir(), "f.plan")
	names := func() []string {
		var list []string
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	sealed := planfile.Options{Recipients: []age.Recipient{id.Recipient()}}
	makeSealed(t, path, sealed)
	if _, err := planfile.Create(path, header(), planfile.Options{}); err == nil {
		t.Error("a plan is replaced unasked")
	}
	makeSealed(t, path, planfile.Options{Overwrite: true})
	if diff := cmp.Diff([]string{"f.plan", "f.plan.key"}, names()); diff != "" {
		t.Error(diff)
	}
	sealed.Overwrite = true
	makeSealed(t, path, sealed)
	if diff := cmp.Diff([]string{"f.plan", "f.plan.key.age"}, names()); diff != "" {
		t.Error(diff)
	}
	write(t, planfile.SealedKeyPath(path), []byte("the notes of somebody"))
	if _, err := planfile.Create(path, header(), sealed); err == nil {
		t.Error("a file that is no key is replaced")
	}
}
