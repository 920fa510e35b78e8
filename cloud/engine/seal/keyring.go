package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// KeyID names a key of a keyset. It stands in front of what the key sealed.
type KeyID uint32

func (id KeyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// By is the key that sealed a value; 0: none that this package would make.
func By(sealed []byte) KeyID {
	if len(sealed) < 5 || sealed[0] != 1 { // Tink's prefix of a ciphertext
		return 0
	}
	return KeyID(binary.BigEndian.Uint32(sealed[1:]))
}

// keyring is the keyset in use, and the file that it follows.
type keyring struct {
	current atomic.Pointer[keys]

	mu   sync.Mutex
	path string          // empty: there is no file
	seen fs.FileInfo     // of the file as it was read; nil: it could not be looked at
	fits func(Key) error // whether a keyset is the store's; nil: nobody can tell
}

// keys is an opened keyset.
type keys struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	primary KeyID
	all     []KeyID // oldest first
}

func openKeys(handle *keyset.Handle) (*keys, error) {
	refused := hint.New("the engine's key cannot seal: it is of another kind", "name the key file that was made with the store (PATH.key)")
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, refused
	}
	k := &keys{handle: handle, aead: primitive}
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return nil, refused
		}
		k.all = append(k.all, KeyID(entry.KeyID()))
		if entry.IsPrimary() {
			k.primary = KeyID(entry.KeyID())
		}
	}
	return k, nil
}

// staged is a key that was added and does not seal yet; 0: there is none. A
// key is added at the end, and takes its turn once.
func (k *keys) staged() KeyID {
	if last := k.all[len(k.all)-1]; last != k.primary {
		return last
	}
	return 0
}

// Refresh reads the file again if it has changed, and tells whether other keys
// are in use now. One that cannot be read, or is another store's, leaves those
// before in use: what it sealed would be lost once the right file is back.
func (r *keyring) refresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" {
		return false
	}
	now, err := os.Stat(r.path)
	if err != nil || r.seen != nil && os.SameFile(now, r.seen) && now.ModTime().Equal(r.seen.ModTime()) && now.Size() == r.seen.Size() {
		return false
	}
	read, err := LoadKey("file:" + r.path)
	if err != nil || !r.succeeds(read) {
		return false
	}
	r.seen = now
	r.current.Store(read.ring.current.Load())
	return true
}

// succeeds tells whether a keyset is what became of the one in use. Each step of a
// rotation keeps a key of the step before; who slept through several asks the
// store. The caller holds mu.
func (r *keyring) succeeds(read Key) bool {
	before := r.current.Load().all
	if slices.ContainsFunc(read.ring.current.Load().all, func(id KeyID) bool { return slices.Contains(before, id) }) {
		return true
	}
	return r.fits != nil && r.fits(read) == nil
}

// KeyFile is a store's key file, to be changed by one process at a time.
type KeyFile struct {
	path string
	set  *keys
}

// OpenKeyFile reads a key file.
func OpenKeyFile(path string) (*KeyFile, error) {
	k, err := LoadKey("file:" + path)
	if err != nil {
		return nil, err
	}
	return &KeyFile{path: path, set: k.ring.current.Load()}, nil
}

// Primary is the key that seals.
func (f *KeyFile) Primary() KeyID { return f.set.primary }

// Staged is a key that was added and does not seal yet; 0: there is none.
func (f *KeyFile) Staged() KeyID { return f.set.staged() }

// Keys are all keys, oldest first.
func (f *KeyFile) Keys() []KeyID { return f.set.all }

// Stage adds a key that opens and does not seal yet, unless there is one.
func (f *KeyFile) Stage() (KeyID, error) {
	if id := f.Staged(); id != 0 {
		return id, nil
	}
	err := f.change(func(m *keyset.Manager) error {
		_, err := m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
	return f.Staged(), err
}

// Promote has the staged key seal from now on.
func (f *KeyFile) Promote() error {
	id := f.Staged()
	if id == 0 {
		return errors.New("there is no key that could take over")
	}
	return f.change(func(m *keyset.Manager) error { return m.SetPrimary(uint32(id)) })
}

// Remove takes keys out. What they sealed does not open any more.
func (f *KeyFile) Remove(ids []KeyID) error {
	return f.change(func(m *keyset.Manager) error {
		for _, id := range ids {
			if err := m.Delete(uint32(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Before is where the file is kept as it was before a key was removed.
func (f *KeyFile) Before() string { return f.path + ".before-" + f.set.primary.String() }

// change edits the keyset and puts it in the place of the one before, of which
// a copy is kept.
func (f *KeyFile) change(edit func(*keyset.Manager) error) error {
	m := keyset.NewManagerFromHandle(f.set.handle)
	if err := edit(m); err != nil {
		return fmt.Errorf("the keyset cannot be changed: %w", err)
	}
	handle, err := m.Handle()
	if err != nil {
		return fmt.Errorf("the keyset cannot be changed: %w", err)
	}
	set, err := openKeys(handle)
	if err != nil {
		return err
	}
	b, err := marshalKeys(handle)
	if err != nil {
		return err
	}
	if err := f.replace(b); err != nil {
		return hint.Wrap(fmt.Errorf("the key file cannot be replaced; it is as it was: %w", err), "its folder must be writable and have room")
	}
	f.set = set
	return nil
}

// replace writes the file beside its place and renames it, after the copy.
func (f *KeyFile) replace(b secret.Bytes) error {
	durable.Sweep(f.path) // they hold keys, and whoever changes a key file is alone at it
	temp, err := written(f.path, f.path, append(b.Reveal(), '\n'))
	if err != nil {
		return err
	}
	defer os.Remove(temp) // gone where it was renamed
	// The copy is the file itself under a second name.
	if err := os.Remove(f.Before()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := second(f.path, f.Before(), os.Link); err != nil {
		return err
	}
	if err := os.Rename(temp, f.path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(f.path))
}

// second gives a file a second name, or a copy where names cannot be given so.
func second(path, name string, link func(from, to string) error) error {
	if err := link(path, name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content := secret.New(b)
	defer content.Wipe()
	temp, err := written(name, path, b)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // gone where it was renamed
	return durable.Place(temp, name)
}

// written makes a durable file beside path, of whoever owns the other one, and
// returns its name.
func written(path, owned string, content []byte) (name string, err error) {
	f, err := durable.Beside(path)
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = durable.KeepOwner(f, owned)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
