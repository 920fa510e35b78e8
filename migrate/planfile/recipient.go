package planfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// maxSealedKey is the most that a sealed key may be, in bytes: a key of 300
// bytes and a line for each of many recipients.
const maxSealedKey = 256 << 10

// ageIntro begins a file that age encrypted.
const ageIntro = "age-encryption.org/v1\n"

// SealedKeyPath is where the key of the plan file at path is if it was sealed
// to age recipients.
func SealedKeyPath(path string) string { return KeyPath(path) + ".age" }

// keyFile is what stands beside the plan: the text of the key, or that text
// encrypted so that each of the recipients can open it.
func keyFile(k key, recipients []age.Recipient) ([]byte, error) {
	if len(recipients) == 0 {
		return k.marshal(), nil
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, recipients...)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be sealed to these recipients: %w", err)
	}
	text := k.marshal()
	defer clear(text)
	_, err = w.Write(text)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// OpenSealed is Open with a key that was sealed to age recipients. It says
// nothing about who made the plan: everybody can seal to a recipient, so that
// whoever may replace both files may replace the plan. Its digest tells.
func OpenSealed(path string, identities ...age.Identity) (*Plan, error) {
	return open(path, func() (key, error) { return readSealedKey(SealedKeyPath(path), identities) })
}

func readSealedKey(path string, identities []age.Identity) (key, error) {
	b, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return key{}, hint.Wrap(&absent{"the plan's key " + path + " is not there"},
			"copy the .key.age file that was made with the plan to where the plan is")
	}
	if err != nil {
		return key{}, fmt.Errorf("the plan's key %s cannot be read: %w", path, reason(err))
	}
	r, err := age.Decrypt(bytes.NewReader(b), identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return key{}, hint.New("the plan's key "+path+" is sealed to somebody else than this identity",
			"use the identity of one of the recipients that --seal-to named")
	}
	unusable := func(what string) (key, error) {
		return key{}, hint.New(path+" cannot be used: "+what, "use the .key.age file that was made with the plan")
	}
	if err != nil {
		return unusable("it is not a key that age has sealed, or was altered")
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSealedKey))
	if err != nil {
		return unusable("it was cut short or altered")
	}
	held := secret.New(text)
	defer held.Wipe()
	k, err := parseKey(held.Reveal())
	if err != nil {
		return unusable(err.Error())
	}
	return k, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSealedKey+1))
	if err == nil && len(b) > maxSealedKey {
		err = fmt.Errorf("it is larger than %d bytes", maxSealedKey)
	}
	return b, err
}

// otherKey is the key that a plan at w.path may have from before, of the kind
// that this one does not get.
func (w *Writer) otherKey() string {
	if len(w.recipients) > 0 {
		return KeyPath(w.path)
	}
	return SealedKeyPath(w.path)
}

// keyPlace is where the key comes to stand.
func (w *Writer) keyPlace() string {
	if len(w.recipients) > 0 {
		return SealedKeyPath(w.path)
	}
	return KeyPath(w.path)
}

// replaceableSealed refuses to replace what is no sealed key.
func replaceableSealed(path, advice string) error {
	name := SealedKeyPath(path)
	if !exists(name) {
		return nil
	}
	b, err := readSmall(name)
	if err != nil || !bytes.HasPrefix(b, []byte(ageIntro)) {
		return hint.New(filepath.Clean(name)+" is there, and is not the sealed key of a plan", advice)
	}
	return nil
}
