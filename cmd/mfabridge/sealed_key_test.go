package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"mfabridge/internal/secret"
)

// sealFor writes content, sealed by age, into the file at path.
func sealFor(t *testing.T, path string, content []byte, to ...age.Recipient) {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	keepFile(t, path, b.Bytes())
}

func keepFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newIdentity makes an identity file.
func newIdentity(t *testing.T, path string) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keepFile(t, path, []byte("# made for a test\n"+id.String()+"\n"))
	return id
}

// sealedStore makes the store cloud.db in a new folder, which becomes the
// current one, with its key sealed to me.txt as cloud.db.key.age, and no longer
// in the clear. It returns the key and its recipient.
func sealedStore(t *testing.T) (key []byte, to age.Recipient) {
	t.Helper()
	t.Chdir(t.TempDir())
	must(t, exitDone, "engine", "init", "--store", "sqlite:cloud.db")
	key, err := os.ReadFile("cloud.db.key")
	if err != nil {
		t.Fatal(err)
	}
	me := newIdentity(t, "me.txt")
	sealFor(t, "cloud.db.key.age", key, me.Recipient())
	if err := os.Remove("cloud.db.key"); err != nil {
		t.Fatal(err)
	}
	return key, me.Recipient()
}

func TestSealedKeyOpens(t *testing.T) {
	key, to := sealedStore(t)
	list := []string{"engine", "user", "list", "--store", "sqlite:cloud.db"}
	r := must(t, exitFailed, list...)
	if !strings.Contains(r.err, "cloud.db.key.age is there: say which identity opens it") {
		t.Error(r.err)
	}
	must(t, exitDone, "engine", "user", "add", "ada@contoso.example", "--store", "sqlite:cloud.db", "--engine-key", "age:me.txt", "--reason", "test")
	t.Setenv("MFABRIDGE_ENGINE_KEY", "age:me.txt")
	if r := must(t, exitDone, list...); !strings.Contains(r.out, "ada@contoso.example") {
		t.Error(r.out)
	}
	if err := os.Rename("cloud.db.key.age", "elsewhere.age"); err != nil {
		t.Fatal(err)
	}
	if r := must(t, exitFailed, list...); !strings.Contains(r.err, "there is no sealed key at cloud.db.key.age") {
		t.Error(r.err)
	}
	must(t, exitDone, append(list, "--engine-key", "age:me.txt,elsewhere.age")...)

	// A store that is made gets the sealed key, and no file in the clear.
	must(t, exitDone, "engine", "init", "--store", "sqlite:new.db", "--engine-key", "age:me.txt,elsewhere.age")
	if _, err := os.Lstat("new.db.key"); err == nil {
		t.Error("a key lies there in the clear")
	}
	sealFor(t, "new.db.key.age", key, to)
	must(t, exitDone, "engine", "key", "check", "--store", "sqlite:new.db", "--engine-key", "age:me.txt")
	r = must(t, exitUsage, "engine", "key", "rotate", "--store", "sqlite:new.db", "--engine-key", "age:me.txt", "--reason", "test")
	if !strings.Contains(r.err, "sealed by age, so it cannot be changed here") {
		t.Error(r.err)
	}
}

func TestSealedKeySaysNo(t *testing.T) {
	key, to := sealedStore(t)
	good, err := os.ReadFile("cloud.db.key.age")
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"engine", "user", "list", "--store", "sqlite:cloud.db", "--engine-key"}
	newIdentity(t, "stranger.txt")
	newIdentity(t, "open.txt")
	if err := os.Chmod("open.txt", 0o644); err != nil {
		t.Fatal(err)
	}
	keepFile(t, "words.txt", []byte("hello\n"))
	must(t, exitDone, "engine", "init", "--store", "sqlite:other.db")
	other, err := os.ReadFile("other.db.key")
	if err != nil {
		t.Fatal(err)
	}
	sealFor(t, "other.age", other, to)
	sealFor(t, "words.age", []byte("no keyset"), to)
	sealFor(t, "empty.age", nil, to)
	sealFor(t, "long.age", bytes.Repeat([]byte(" "), secret.MaxFile+1), to)
	keepFile(t, "huge.age", append(bytes.Clone(good), make([]byte, maxSealedKey)...))
	keepFile(t, "cut.age", good[:len(good)-20])
	keepFile(t, "clear.age", key)
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	if _, err := w.Write(good); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	keepFile(t, "armored.age", text.Bytes())
	if err := os.Mkdir("folder.age", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key, want string
		code      int
	}{
		{"age:stranger.txt", "sealed to somebody else than this identity", exitFailed},
		{"age:open.txt", "may be read by others (mode 0644)", exitFailed},
		{"age:none.txt", "cannot be opened", exitFailed},
		{"age:words.txt", "does not hold an age identity", exitFailed},
		{"age:cloud.db.key.age", "is a file that age has sealed, and no identity", exitFailed},
		{"age:me.txt,other.age", "the key does not belong to this store", exitFailed},
		{"age:me.txt,words.age", "is not a keyset", exitFailed},
		{"age:me.txt,empty.age", "is not a keyset", exitFailed},
		{"age:me.txt,long.age", "cannot be used", exitFailed},
		{"age:me.txt,huge.age", "is larger than", exitFailed},
		{"age:me.txt,cut.age", "cut short or altered", exitFailed},
		{"age:me.txt,clear.age", "is not sealed by age", exitFailed},
		{"age:me.txt,armored.age", "sealed as text", exitFailed},
		{"age:me.txt,folder.age", "not a regular file", exitFailed},
		{"age:me.txt,none.age", "there is no sealed key at none.age", exitFailed},
		{"age:", "cannot be at", exitUsage},
		{"age:me.txt,", "cannot be at", exitUsage},
		{"age:,cut.age", "cannot be at", exitUsage},
	} {
		r := must(t, c.code, append(list, c.key)...)
		if !strings.Contains(r.err, c.want) {
			t.Errorf("%s: %s", c.key, r.err)
		}
		if r.out != "" || strings.Contains(r.err, "AGE-SECRET-KEY-1Q") || strings.Contains(r.err, "hello") {
			t.Errorf("%s: %s%s", c.key, r.out, r.err)
		}
	}
	for at := 0; at < len(good); at += 7 {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		keepFile(t, "bad.age", bad)
		if r := must(t, exitFailed, append(list, "age:me.txt,bad.age")...); r.out != "" {
			t.Errorf("with byte %d altered the store opened: %s", at, r.out)
		}
	}
	r := must(t, exitUsage, "engine", "user", "list", "--store", "postgres://engine@127.0.0.1/engine", "--engine-key", "age:me.txt")
	if !strings.Contains(r.err, "no key beside it") {
		t.Error(r.err)
	}
}

func TestSealedKeyWithPassphrase(t *testing.T) {
	key, _ := sealedStore(t)
	seal := func(path string, work int) {
		to, err := age.NewScryptRecipient("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		to.SetWorkFactor(work)
		sealFor(t, path, key, to)
	}
	seal("cloud.db.key.age", 10)
	list := []string{"engine", "user", "list", "--store", "sqlite:cloud.db", "--engine-key", "age:-"}
	for stdin, want := range map[string]string{"correct horse\n": "", "correct horse": "", "correct horse\r\nmore\n": "",
		"wrong horse\n": "this passphrase does not open", "": "no passphrase was given", "\n": "no passphrase was given"} {
		r := mfabridgeIn(t, stdin, list...)
		if (r.code == exitDone) != (want == "") || !strings.Contains(r.err, want) || strings.Contains(r.err, "horse") {
			t.Errorf("%q: exit code %d, %s", stdin, r.code, r.err)
		}
	}
	if r := mfabridgeIn(t, "correct horse\n", "engine", "user", "list", "--store", "sqlite:cloud.db", "--engine-key", "age:me.txt"); r.code != exitFailed {
		t.Errorf("an identity opens what has a passphrase: %s", r.out)
	}
	head, _ := os.ReadFile("cloud.db.key.age")
	keepFile(t, "work.age", bytes.Replace(head, []byte(" 10\n"), []byte(" 21\n"), 1))
	if r := mfabridgeIn(t, "correct horse\n", "engine", "user", "list", "--store", "sqlite:cloud.db", "--engine-key", "age:-,work.age"); r.code != exitFailed || !strings.Contains(r.err, "cannot be used") {
		t.Errorf("a work factor of 21: exit code %d, %s", r.code, r.err)
	}
}
