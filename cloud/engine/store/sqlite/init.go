package sqlite

import (
	"context"
	"errors"
	"os"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
)

// Init makes a store at path and a new key for it in the file keyPath (empty:
// PATH.key), as an engine of its own. Neither file is ever overwritten; if
// anything fails, neither is left.
func Init(ctx context.Context, path, keyPath string, with engine.Setup) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return exists(path)
	}
	if keyPath == "" {
		keyPath = path + ".key"
	}
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	if err := key.WriteFile(keyPath); err != nil {
		return err
	}
	if err := InitWith(ctx, path, key, with); err != nil {
		return errors.Join(err, os.Remove(keyPath))
	}
	return nil
}

// InitWith makes a store at path for a key that exists.
func InitWith(ctx context.Context, path string, key seal.Key, with engine.Setup) error {
	return Create(ctx, path, func(s *Store) error { return engine.Init(ctx, s, key, with) })
}
