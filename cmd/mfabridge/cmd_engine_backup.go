package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// ageMagic begins every file that age made.
const ageMagic = "age-encryption.org/"

func (p *program) backupCommand() *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "write a copy of a store, while it is in use", ArgsUsage: "FILE",
		Description: "The copy is of one moment, and checked. It holds no key: keep a copy of the key file elsewhere. It does not open as a\n" +
			"store: engine restore makes one of it that accepts no code that was used since. For PostgreSQL use its own tools\n" +
			"(pg_dump, pg_basebackup) and engine restore --in-place on what is brought back, which does not open before; see docs/operations.md.",
		Flags: slices.Concat(storeFlags(), []cli.Flag{
			&cli.StringSliceFlag{Name: "recipient", Usage: "encrypt it to this age `RECIPIENT` (age1…)"},
			&cli.StringFlag{Name: "reason", Value: "backup", Usage: "why, for the audit"},
		}),
		Action: p.engineBackup,
	}
}

func (p *program) restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "make a store of a backup, in which no old code is accepted", ArgsUsage: "[BACKUP]",
		Description: "--store must name a file that does not exist yet. Every code that could have been accepted until now is void, and so are\n" +
			"open challenges, bypasses and passes. What was done since the backup is not in it: blocks, removed applications, passwords.",
		Flags: slices.Concat(storeFlags(), []cli.Flag{
			&cli.StringFlag{Name: "identity", Usage: "age identity that opens the backup: `file:PATH` or env:NAME"},
			&cli.StringFlag{Name: "old", Usage: "the store that is replaced, where it can still be opened: `sqlite:PATH`; who has it open refuses every login from then on"},
			&cli.BoolFlag{Name: "in-place", Usage: "no backup is read: --store was brought back by other means, and is made safe"},
			reasonFlag(),
		}),
		Action: p.engineRestore,
	}
}

func (p *program) engineBackup(c *cli.Context) error {
	given, err := args(c, "FILE")
	if err != nil {
		return err
	}
	var to []age.Recipient
	for _, text := range c.StringSlice("recipient") {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return usage(fmt.Sprintf("--recipient %q is not an age recipient", text), "age-keygen prints it; it begins with age1")
		}
		to = append(to, r)
	}
	by := engine.Actor{Who: operator(), Reason: c.String("reason")}
	return p.withEngine(c, func(e *embedded) (err error) {
		out, err := newPart(given[0])
		if err != nil {
			return err
		}
		clear := out.Name()
		defer func() { err = errors.Join(out.end(err), sqlite.Remove(clear)) }() // a database leaves more than one file where it fails
		b, err := p.copyStore(c.Context, e, by, clear)
		if err != nil {
			return err
		}
		if len(to) > 0 {
			if err := encryptPart(out, to); err != nil {
				return err
			}
		}
		if err := out.publish(); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "backup of %s, %s: audit entries up to %d; the store's key is not in it\n", stamp(b.Time), out.path, b.Audit)
		return nil
	})
}

// copyStore writes a marked copy of the store over an empty file.
func (p *program) copyStore(ctx context.Context, e *embedded, by engine.Actor, path string) (b engine.Backup, err error) {
	s, ok := e.store.(*sqlite.Store)
	if !ok {
		return b, usage("a store in PostgreSQL is not copied by this command", "pg_dump -Fc does, and engine restore --in-place on what you bring back; see docs/operations.md")
	}
	if err := e.BeginBackup(ctx, by); err != nil {
		return b, err
	}
	if err := s.Backup(ctx, path); err != nil {
		return b, err
	}
	copied, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return b, err
	}
	b, err = e.MarkBackup(ctx, copied)
	return b, errors.Join(err, copied.Close())
}

// encryptPart puts the encrypted text of what was written in its place.
func encryptPart(out *part, to []age.Recipient) (err error) {
	plain, err := os.Open(out.Name())
	if err != nil {
		return err
	}
	defer plain.Close()
	sealed, err := durable.Beside(out.path)
	if err != nil {
		return err
	}
	w, err := age.Encrypt(sealed, to...)
	if err == nil {
		_, err = io.Copy(w, plain)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return errors.Join(hint.Wrap(fmt.Errorf("the backup cannot be encrypted: %w", err), "make room where it is to go"), sealed.Close(), os.Remove(sealed.Name()))
	}
	clear := out.file
	out.file = sealed
	return errors.Join(clear.Close(), os.Remove(clear.Name()))
}

func (p *program) engineRestore(c *cli.Context) error {
	names := []string{"BACKUP"}
	if c.Bool("in-place") {
		names = nil
	}
	given, err := args(c, names...)
	if err != nil {
		return err
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	t, err := parseTarget("--store", stores, c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	if c.Bool("in-place") {
		return p.restoreInPlace(c, t, by)
	}
	if t.database != "" {
		return usage("a backup is not put into PostgreSQL by this command", "bring the database back by its own tools, and use --in-place")
	}
	if t.exists() {
		return hint.New(t.path+" exists already", "a restore never overwrites: move the old store away with its -wal and -shm files, or restore beside it")
	}
	if err := t.folder(); err != nil {
		return err
	}
	ids, err := identities("identity", c.String("identity"))
	if err != nil {
		return err
	}
	r, err := p.restoreFile(c.Context, t, given[0], ids, by)
	if err != nil {
		return err
	}
	return errors.Join(p.replaceOld(c, r, by), p.restored(t, r))
}

// restoreFile makes the store beside its place, and gives it its name when it
// is safe.
func (p *program) restoreFile(ctx context.Context, t place, from string, ids []age.Identity, by engine.Actor) (r engine.Restored, err error) {
	out, err := newPart(t.path)
	if err != nil {
		return r, err
	}
	temp := out.Name()
	defer func() { err = errors.Join(err, sqlite.Remove(temp)) }()
	err = copyBackup(out, from, ids)
	if err = errors.Join(err, out.close()); err != nil {
		return r, err
	}
	if err := sqlite.Intact(ctx, temp); err != nil {
		return r, hint.New(fmt.Sprintf("the backup %s cannot be used: %s", from, strings.ReplaceAll(err.Error(), temp, "it")), "name a file of: mfabridge engine backup")
	}
	s, err := sqlite.Open(ctx, temp, sqlite.Options{})
	if err != nil {
		return r, err
	}
	r, err = p.fence(ctx, s, t, by)
	if err = errors.Join(err, s.Close()); err != nil {
		return r, err
	}
	if err := sqlite.Publish(temp, t.path); err != nil {
		return r, err
	}
	durable.Sweep(t.path)
	return r, nil
}

// fence makes an open store safe, and checks its audit.
func (p *program) fence(ctx context.Context, s engine.Store, t place, by engine.Actor) (r engine.Restored, err error) {
	key, err := p.loadKey(ctx, t)
	if err != nil {
		return r, err
	}
	conf := engine.Config{Store: s, Key: key, Now: p.now, Log: p.logger(), Actor: by.Who}
	if r, err = engine.Restore(ctx, conf, by); err != nil {
		return r, err
	}
	e, err := engine.Open(ctx, conf)
	if err != nil {
		return r, err
	}
	found, err := e.VerifyAudit(ctx)
	if n := len(found.Flaws) + found.More; err == nil && n > 0 {
		fmt.Fprintf(p.err, "mfabridge: the audit of the backup is not as it was written: %s; see mfabridge engine audit verify\n", migrate.Number(n, "flaw", "flaws"))
	}
	return r, errors.Join(err, e.Close())
}

// copyBackup writes the backup in the clear.
func copyBackup(to io.Writer, from string, ids []age.Identity) error {
	f, err := os.Open(from)
	if err != nil {
		return hint.Wrap(fmt.Errorf("the backup cannot be read: %w", err), "name a file of: mfabridge engine backup")
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return hint.New("the backup "+from+" is a folder", "name a file of: mfabridge engine backup")
	}
	if log, err := os.Stat(from + "-wal"); err == nil && log.Size() > 0 { // blocks among them, perhaps
		return hint.New(from+" is a store: what was changed in it last is in "+from+"-wal, and would be lost", "copy the store with: mfabridge engine backup")
	}
	in := bufio.NewReader(f)
	var plain io.Reader = in
	if magic, _ := in.Peek(len(ageMagic)); string(magic) == ageMagic {
		if len(ids) == 0 {
			return hint.New("the backup is encrypted", "say which identity opens it: --identity file:PATH")
		}
		if plain, err = age.Decrypt(in, ids...); err != nil {
			return hint.New("the identity does not open the backup", "it was made for another recipient")
		}
	}
	if _, err := io.Copy(to, plain); err != nil {
		return hint.Wrap(fmt.Errorf("the backup cannot be copied: %w", err), "it may be cut short, or there is no room")
	}
	return nil
}

func (p *program) restoreInPlace(c *cli.Context, t place, by engine.Actor) (err error) {
	s, err := t.openRestored(c.Context)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err := p.fence(c.Context, s, t, by)
	if err != nil {
		return err
	}
	return p.restored(t, r)
}

// replaceOld marks the store that the restored one replaces.
func (p *program) replaceOld(c *cli.Context, r engine.Restored, by engine.Actor) (err error) {
	if c.String("old") == "" {
		return nil
	}
	old, err := parseTarget("--old", stores, c.String("old"), c.String("engine-key"))
	if err != nil {
		return err
	}
	e, err := p.open(c.Context, old, sqlite.Options{})
	if err != nil {
		return hint.Wrap(fmt.Errorf("the old store was not marked: %w", err), "make sure that no program uses it any more")
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if e.Instance() != r.Instance {
		return hint.New("the old store was not marked: it is another instance", "make sure that no program uses the one that was replaced")
	}
	if err := e.Replace(c.Context, by, r.Generation); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s refuses every login from now on\n", strings.TrimPrefix(old.given, "sqlite:"))
	return nil
}

func (p *program) restored(t place, r engine.Restored) error {
	what := "a store that was no marked backup"
	if !r.Backup.Time.IsZero() {
		what = "the backup of " + stamp(r.Backup.Time)
	}
	_, err := fmt.Fprintf(p.out, "%s holds %s; codes of before %s are void\n"+
		"generators take codes again from %s, those never used here from %s\n"+
		"not in it is what was done since: blocks, removed authenticators and applications, passwords, new users\n",
		cmp.Or(t.path, t.given), what, stamp(r.Fenced), stamp(r.Proven), stamp(r.Unproven))
	return err
}
