// Package seal keeps the secrets of a store sealed: with [Key], a keyset of
// AES-256-GCM keys of which one seals and all open. What is sealed is bound to a
// text, such as the user and the method that it belongs to, so that it does not
// Open in another place.
//
// # Rotation
//
// A [KeyFile] is changed in three steps, so that processes that follow the file
// never meet a secret that they cannot open: [KeyFile.Stage] adds a key that only
// opens, [KeyFile.Promote] has it seal once all have read it, and
// [KeyFile.Remove] takes out what nothing needs any more. Whoever asks for that
// makes sure of the last. The file is replaced whole, and a copy of the one
// before stays beside it.
//
// # Format
//
// A keyset is Tink's, as JSON, in the clear, in a file of mode 0600; what it
// seals begins with Tink's prefix, which names the key ([By]).
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"mfabridge/cloud"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Key seals the secrets in a store: a keyset of AES-256-GCM keys, of which the
// primary one seals and all open. A key of a file follows the file: it is read
// again when it has changed, before something is sealed and where something
// does not open. The zero Key is invalid. Copies of a Key are the same Key.
type Key struct{ ring *keyring }

// NewKey makes a keyset with one random key.
func NewKey() (Key, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return Key{}, fmt.Errorf("no key can be made: %w", err)
	}
	return newKey(handle)
}

// LoadKey reads a keyset from "file:PATH" or "env:NAME", as [secret.Load]
// does: a file that others may read is refused.
func LoadKey(ref string) (Key, error) {
	path, _ := strings.CutPrefix(ref, "file:")
	if path == ref {
		path = ""
	}
	seen, _ := os.Stat(path) // before it is read: a later change is seen
	b, err := secret.Load(ref)
	if err != nil {
		return Key{}, err
	}
	k, err := ParseKey(b)
	if err == nil && path != "" {
		k.ring.path, k.ring.seen = path, seen
	}
	return k, err
}

// ParseKey reads a keyset as [Key.Marshal] wrote it. The error quotes nothing
// of the input.
func ParseKey(b secret.Bytes) (Key, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b.Reveal())))
	if err != nil {
		return Key{}, hint.New("the engine's key is not a keyset",
			"name the key file that was made with the store (PATH.key)")
	}
	return newKey(handle)
}

func newKey(handle *keyset.Handle) (Key, error) {
	set, err := openKeys(handle)
	if err != nil {
		return Key{}, err
	}
	k := Key{ring: &keyring{}}
	k.ring.current.Store(set)
	return k, nil
}

// IsZero tells whether there is no key.
func (k Key) IsZero() bool { return k.ring == nil }

// Marshal is the keyset in the clear, as JSON: whoever has it opens every
// secret of the store.
func (k Key) Marshal() (secret.Bytes, error) {
	if k.IsZero() {
		return secret.Bytes{}, errors.New("there is no key")
	}
	return marshalKeys(k.ring.current.Load().handle)
}

func marshalKeys(handle *keyset.Handle) (secret.Bytes, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return secret.Bytes{}, errors.New("the key cannot be written as a keyset")
	}
	return secret.New(b.Bytes()), nil
}

// WriteFile writes the keyset into a new file with mode 0600, which appears
// whole or not at all. A file that exists is never overwritten.
func (k Key) WriteFile(path string) error {
	b, err := k.Marshal()
	if err != nil {
		return err
	}
	err = durable.Create(path, append(b.Reveal(), '\n'))
	switch {
	case errors.Is(err, fs.ErrExist):
		return hint.Wrap(fmt.Errorf("key file %s is there already", path),
			"it may open another store: move it away, or choose another place")
	case err != nil:
		return fmt.Errorf("key file cannot be written: %w", err)
	}
	return nil
}

// Guard has fits say of a file that shares no key with this one whether it is the
// store's all the same; without it none is. It must not use this key.
func (k Key) Guard(fits func(Key) error) {
	k.ring.mu.Lock()
	defer k.ring.mu.Unlock()
	k.ring.fits = fits
}

// Refresh reads the file of the key again if it has changed, and tells whether
// other keys are in use now.
func (k Key) Refresh() bool { return k.ring.refresh() }

// Reread is the key as a program would read it from its file that started now;
// the zero Key where there is no file. This key stays as it is.
func (k Key) Reread() (Key, error) {
	if k.ring.path == "" {
		return Key{}, nil
	}
	return LoadKey("file:" + k.ring.path)
}

// Primary is the key that seals.
func (k Key) Primary() KeyID { return k.ring.current.Load().primary }

// Old are the keys that only open, oldest first: neither the primary one nor one
// that waits to become it.
func (k Key) Old() (old []KeyID) {
	set := k.ring.current.Load()
	for _, id := range set.all {
		if id != set.primary && id != set.staged() {
			old = append(old, id)
		}
	}
	return old
}

// Seal encrypts a value so that it opens only with the same binding.
func (k Key) Seal(value []byte, binding string) ([]byte, error) {
	k.Refresh()
	sealed, err := k.ring.current.Load().aead.Encrypt(value, []byte(binding))
	if err != nil {
		return nil, fmt.Errorf("a secret cannot be sealed: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made with the same binding. Unavailable: it was sealed
// with a key that this process does not have.
func (k Key) Open(sealed []byte, binding string) (secret.Bytes, error) {
	value, err := k.ring.current.Load().aead.Decrypt(sealed, []byte(binding))
	if err != nil && k.Refresh() {
		value, err = k.ring.current.Load().aead.Decrypt(sealed, []byte(binding))
	}
	if err == nil {
		return secret.New(value), nil
	}
	if id := By(sealed); id != 0 && !slices.Contains(k.ring.current.Load().all, id) {
		return secret.Bytes{}, hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "a secret is sealed with the key " + id.String() + ", which this process does not have"},
			"give it the key file as it is now: the key was rotated elsewhere")
	}
	return secret.Bytes{}, errors.New("a sealed secret does not open with this key")
}
