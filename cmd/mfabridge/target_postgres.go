package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
)

// databasePlace understands postgres://…, which needs to be told where its key
// is. The option --old names a store that a restore replaces, with the same key.
func databasePlace(given, key string) (place, error) {
	if err := postgres.Check(given); err != nil {
		return place{}, &exit{code: exitUsage, err: err}
	}
	if key == "" {
		return place{}, usage("a store in PostgreSQL needs --engine-key", "name the file of its key, e.g. --engine-key file:store.key; engine init makes it")
	}
	if sealed, ok := parseSealed(key); ok && sealed.file == "" {
		return place{}, usage("a store in PostgreSQL has no key beside it that "+key+" could open", sealedUse)
	}
	return place{given: given, database: given, key: key}, nil
}

// openStore opens the store itself, wherever it is.
func (t place) openStore(ctx context.Context, o sqlite.Options) (engine.Store, error) {
	if t.database != "" {
		return postgres.Open(ctx, t.database)
	}
	return sqlite.Open(ctx, t.path, o)
}

// openRestored is openStore also of what was brought back from a copy.
func (t place) openRestored(ctx context.Context) (engine.Store, error) {
	if t.database != "" {
		return postgres.OpenRestored(ctx, t.database)
	}
	return sqlite.Open(ctx, t.path, sqlite.Options{})
}

// node is the name of this machine in the audit of a store that several
// machines have open; empty: there is only this one.
func (t place) node() string {
	if t.database == "" {
		return ""
	}
	name, err := os.Hostname()
	if err != nil {
		return "" // the audit is as good without it
	}
	return name
}

// createDatabase makes an engine in a database. A key file that does not exist
// is made with it; if that fails, it is gone again.
func (p *program) createDatabase(ctx context.Context, t place, with engine.Setup) error {
	with.Now = p.now()
	key, made, err := p.keyOrNew(ctx, t)
	if err != nil {
		return err
	}
	err = postgres.Init(ctx, t.database, key, with)
	if err != nil && made != "" {
		err = errors.Join(err, os.Remove(made))
	}
	return hint.Default(err, "see whether the address and the database's user are right")
}

// keyOrNew is the store's key. Where it is to be in a file that does not exist,
// it is made, and the file's path returned.
func (p *program) keyOrNew(ctx context.Context, t place) (key seal.Key, made string, err error) {
	path, isFile := strings.CutPrefix(t.key, "file:")
	if isFile {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			isFile = false
		}
	}
	if !isFile {
		key, err = p.loadKey(ctx, t)
		return key, "", err
	}
	if key, err = seal.NewKey(); err != nil {
		return key, "", err
	}
	if err := key.WriteFile(path); err != nil {
		return key, "", hint.Wrap(fmt.Errorf("the key cannot be written: %w", err), "its folder must exist and be writable")
	}
	return key, path, nil
}
