package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// KeyLength is the length of a cluster key in octets.
const KeyLength = 32

// ownKey is where a single node keeps the key that it makes for itself.
func (c *Config) ownKey() string { return filepath.Join(c.Data, "cluster.key") }

func (c *Config) loadOwnKey() error {
	if _, err := os.Lstat(c.ownKey()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key, err := loadKey("file:" + c.ownKey())
	if err != nil {
		return err
	}
	c.Keys = []secret.Bytes{key}
	return nil
}

// MakeKeys sees to it that there is a cluster key: where none is configured
// and none has been made, it makes cluster.key under Data. Of two processes
// that do so at once one wins and both use its key.
func (c *Config) MakeKeys() error {
	if len(c.Keys) > 0 {
		return nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data folder cannot be made: %w", err)
	}
	if err := MakeKey(c.ownKey()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return c.loadOwnKey()
}

// MakeKey writes a new random cluster key, in base64 and readable by its owner
// only. It never replaces a file: one that is there is an error that is
// [fs.ErrExist]. The file appears whole or not at all.
func MakeKey(path string) error {
	key := make([]byte, KeyLength)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	if err := durable.Create(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n")); err != nil {
		return hint.Wrap(fmt.Errorf("cluster key cannot be made: %w", err), "the data folder must be there and writable for the user whom the shim runs as")
	}
	return nil
}

// loadKey reads one cluster key.
func loadKey(ref string) (secret.Bytes, error) {
	text, err := secret.Load(ref)
	if err != nil {
		return secret.Bytes{}, err
	}
	key := make([]byte, base64.StdEncoding.DecodedLen(text.Len()))
	n, err := base64.StdEncoding.Decode(key, text.Reveal())
	if err != nil || n != KeyLength {
		return secret.Bytes{}, hint.New(fmt.Sprintf("the cluster key of %s is not %d octets in base64", ref, KeyLength),
			"put back a copy of it, or make one: head -c 32 /dev/urandom | base64 > cluster.key")
	}
	return secret.New(key[:n]), nil
}
