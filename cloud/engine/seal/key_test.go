package seal_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/seal"
	"mfabridge/internal/secret"
)

// A keyset is read whole or not at all, and an error shows nothing of it.
func FuzzParseKey(f *testing.F) {
	key, err := seal.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := key.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good.Reveal()))
	f.Add("{}")
	f.Add(`{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.HmacKey","value":"CANARY","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := seal.ParseKey(secret.FromString(s))
		switch {
		case err != nil && len(s) > 12 && strings.Contains(err.Error(), s):
			t.Errorf("the error quotes the key: %v", err)
		case err == nil:
			if _, err := k.Marshal(); err != nil {
				t.Errorf("a key that was read cannot be written: %v", err)
			}
		}
	})
}

func TestSealedIsBound(t *testing.T) {
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("a secret"), "oath/ada")
	if err != nil || seal.By(sealed) != key.Primary() {
		t.Fatalf("sealed by %s: %v", seal.By(sealed), err)
	}
	if value, err := key.Open(sealed, "oath/ada"); err != nil || string(value.Reveal()) != "a secret" {
		t.Errorf("it does not open: %v", err)
	}
	if _, err := key.Open(sealed, "oath/bob"); err == nil {
		t.Error("it opens for somebody else")
	}
	other, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed, "oath/ada"); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("with a key of another store: %v", err)
	}
	for i := range sealed {
		altered := append([]byte(nil), sealed...)
		altered[i] ^= 1
		if _, err := key.Open(altered, "oath/ada"); err == nil {
			t.Errorf("it opens with byte %d altered", i)
		}
	}
}

// A process that follows the file opens what the next key sealed, and what the
// one before sealed as long as that is in the file.
func TestKeyFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db.key")
	made, err := seal.NewKey()
	if err == nil {
		err = made.WriteFile(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := made.WriteFile(path); err == nil {
		t.Error("a key file is overwritten")
	}
	load := func() seal.Key {
		key, err := seal.LoadKey("file:" + path)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	running := load()
	before, err := running.Seal([]byte("old"), "a")
	if err != nil {
		t.Fatal(err)
	}
	file, err := seal.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Promote(); err == nil {
		t.Error("a key takes over that is not there")
	}
	first := file.Primary()
	next, err := file.Stage()
	if err != nil || file.Primary() != first || load().Primary() != first {
		t.Fatalf("staged %s: %v", next, err)
	}
	if err := file.Promote(); err != nil || file.Primary() != next {
		t.Fatalf("promoted %s: %v", file.Primary(), err)
	}
	after, err := load().Seal([]byte("new"), "a")
	if err != nil || seal.By(after) != next {
		t.Fatalf("sealed by %s: %v", seal.By(after), err)
	}
	if value, err := running.Open(after, "a"); err != nil || string(value.Reveal()) != "new" {
		t.Errorf("what the next key sealed: %v", err)
	}
	if old := running.Old(); !slices.Equal(old, []seal.KeyID{first}) {
		t.Errorf("old: %v", old)
	}
	if err := file.Remove([]seal.KeyID{first}); err != nil || !slices.Equal(file.Keys(), []seal.KeyID{next}) {
		t.Fatalf("left: %v, %v", file.Keys(), err)
	}
	if _, err := load().Open(before, "a"); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("what a key sealed that is gone: %v", err)
	}
	if _, err := os.Stat(file.Before()); err != nil {
		t.Errorf("the file of before: %v", err)
	}
}
