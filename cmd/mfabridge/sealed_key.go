package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"filippo.io/age"

	"mfabridge/cloud/engine/seal"
	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
	"mfabridge/internal/secret"
)

const (
	// maxSealedKey is the most that a key sealed by age may be, in bytes: a key
	// file of the largest size, and a line for each of many recipients.
	maxSealedKey = 256 << 10

	// maxKeyScrypt is the largest work factor of a passphrase that is tried:
	// 2^20 blocks of 1 KiB, which is 1 GiB for a moment. The age program writes 18.
	maxKeyScrypt = 20

	sealedUse = "write age:IDENTITYFILE (PATH.key.age is opened), age:IDENTITYFILE,KEYFILE where it is elsewhere, " +
		"and - for IDENTITYFILE to be asked for a passphrase"
)

// sealedKey says what opens a store's key that age has sealed, and where it is.
type sealedKey struct {
	identity string // path of an identity file; "-": somebody is asked for a passphrase
	file     string // empty: PATH.key.age
}

// parseSealed reads age:IDENTITYFILE[,KEYFILE].
func parseSealed(key string) (s sealedKey, ok bool) {
	rest, ok := strings.CutPrefix(key, "age:")
	if !ok {
		return s, false
	}
	identity, file, two := strings.Cut(rest, ",")
	return sealedKey{identity, file}, identity != "" && (file != "") == two
}

// sealedPath is where a key is that age has sealed.
func (t place) sealedPath(s sealedKey) string {
	if s.file != "" {
		return s.file
	}
	return t.keyPath() + ".age"
}

// openSealed reads a key that age has sealed. The key is in memory only, and
// does not follow its file, as one in a file of its own does.
func (p *program) openSealed(ctx context.Context, path, identity string) (seal.Key, error) {
	sealed, err := readSealed(path)
	if err != nil {
		return seal.Key{}, err
	}
	by, denied, err := p.opener(ctx, path, identity)
	if err != nil {
		return seal.Key{}, err
	}
	text, err := unseal(sealed, by...)
	if _, no := errors.AsType[*age.NoIdentityMatchError](err); no {
		return seal.Key{}, denied
	}
	if err != nil {
		return seal.Key{}, hint.New("the store's key "+path+" cannot be used: it was cut short or altered, or not sealed by the age program", "take a copy of it")
	}
	defer text.Wipe()
	return seal.ParseKey(text)
}

// readSealed reads what age has sealed, as it is. Others may be able to read it.
func readSealed(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.New("there is no sealed key at "+path, "seal the key that was made with the store: age -r RECIPIENT -o "+path+" KEYFILE")
	}
	if err != nil {
		return nil, fmt.Errorf("the store's key cannot be opened: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSealedKey+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the store's key cannot be read: %w", err)
	case bytes.HasPrefix(b, []byte("-----BEGIN AGE")):
		return nil, hint.New("the store's key "+path+" is sealed as text (age --armor), which is not read", "seal it again without --armor")
	case !bytes.HasPrefix(b, []byte(ageMagic)):
		return nil, hint.New("the store's key "+path+" is not sealed by age", "a key in the clear is named with --engine-key file:PATH")
	case len(b) > maxSealedKey:
		return nil, fmt.Errorf("the store's key %s is larger than %d bytes", path, maxSealedKey)
	}
	return b, nil
}

// unseal opens what age has sealed. Nothing is returned unless all of it is as
// it was sealed.
func unseal(sealed []byte, by ...age.Identity) (secret.Bytes, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), by...)
	if err != nil {
		return secret.Bytes{}, err
	}
	b, err := io.ReadAll(io.LimitReader(r, secret.MaxFile+1))
	text := secret.New(b)
	if err == nil && len(b) > secret.MaxFile {
		err = errors.New("it is too large")
	}
	if err != nil {
		text.Wipe()
		return secret.Bytes{}, err
	}
	return text, nil
}

// opener is what opens the sealed key at path: the identities of a file, or a
// passphrase; denied is what to say where they do not.
func (p *program) opener(ctx context.Context, path, identity string) (by []age.Identity, denied, err error) {
	if identity != "-" {
		by, err = identities("engine-key", "file:"+identity)
		if err != nil && isSealed(identity) {
			err = hint.New(identity+" is a file that age has sealed, and no identity", sealedUse)
		}
		return by, hint.New("the store's key "+path+" is sealed to somebody else than this identity",
			"name the identity of somebody whom it was sealed to, or - in its place to be asked for a passphrase"), err
	}
	word, err := p.words.of(path, func() (secret.Bytes, error) {
		return p.secretText(ctx, "Passphrase of "+path+": ", "")
	})
	if err != nil {
		return nil, nil, err
	}
	scrypt, err := age.NewScryptIdentity(string(bytes.TrimRight(word.Reveal(), "\r\n")))
	if err != nil {
		return nil, nil, hint.New("no passphrase was given for "+path, "type it, or give it as a line of the standard input")
	}
	scrypt.SetMaxWorkFactor(maxKeyScrypt)
	return []age.Identity{scrypt}, hint.New("this passphrase does not open the store's key "+path,
		"give it exactly as it was, or the identity file that the key was sealed to"), nil
}

// isSealed tells whether age made a file.
func isSealed(path string) bool {
	f, err := regular.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(ageMagic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == ageMagic
}

// passphrases are those that somebody was asked for, by what they open: once in
// a run of the program.
type passphrases struct {
	mu sync.Mutex
	at map[string]secret.Bytes
}

func (w *passphrases) of(path string, ask func() (secret.Bytes, error)) (secret.Bytes, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if word, ok := w.at[path]; ok {
		return word, nil
	}
	word, err := ask()
	if err != nil {
		return secret.Bytes{}, err
	}
	if w.at == nil {
		w.at = map[string]secret.Bytes{}
	}
	w.at[path] = word
	return word, nil
}
