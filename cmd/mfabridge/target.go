package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// targets are the kinds of target that an option takes: each of these takes
// those before it, too.
type targets int

const (
	stores  targets = iota // the store of an engine, which this process opens
	engines                // an engine elsewhere
	clouds                 // Microsoft Entra ID
)

// String is what is written for them.
func (k targets) String() string {
	return strings.Join([]string{
		"sqlite:PATH or postgres://USER@HOST/DATABASE, the store of an engine",
		"https://HOST, an engine elsewhere",
		"entra:TENANT, Microsoft Entra ID",
	}[:k+1], "; ")
}

// targetFlags name a target and its key.
func targetFlags(name, what string, takes targets) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: name, Usage: what + " `TARGET`: " + takes.String()},
		keyFlag(),
	}
}

func keyFlag() cli.Flag {
	return &cli.StringFlag{Name: "engine-key", Usage: "where the store's key is: `file:PATH` or env:NAME (default: PATH.key; needed with postgres:), or age:IDENTITYFILE for PATH.key.age"}
}

// place is a target as a command line names it.
type place struct {
	given string // "sqlite:cloud.db"
	path  string
	url   string // of an engine elsewhere; path is empty

	database string // address of a store in PostgreSQL; path is empty

	tenant    string // of Entra ID; path is empty
	activates bool   // what is assumed of it, see activationFlag
	tokenless bool   // a plan was made for a cloud without hardware tokens

	key string // reference to the key; empty: PATH.key
}

// parseTarget understands the TARGET that stands at an option ("--to") or in a
// configuration ("engine.store"). Kinds that are not taken there are refused by
// name, so that nobody takes a typing mistake for a file.
func parseTarget(at string, takes targets, given, key string) (place, error) {
	kind, rest, _ := strings.Cut(given, ":")
	switch {
	case strings.HasPrefix(key, "age:"):
		if _, ok := parseSealed(key); !ok {
			return place{}, usage(fmt.Sprintf("the store's key cannot be at %q", key), sealedUse)
		}
	case key != "" && !secret.IsReference(key):
		return place{}, hint.Wrap(fmt.Errorf("the store's key: %w", secret.ErrNoReference), "e.g. --engine-key file:cloud.db.key")
	}
	switch {
	case given == "":
		return place{}, usage(at+" is missing", "name the target, e.g. "+at+" sqlite:cloud.db")
	case kind == "sqlite" && rest != "":
		return place{given: given, path: rest, key: key}, nil
	case kind == "sqlite":
		return place{}, usage("sqlite: needs the path of a store", "e.g. sqlite:cloud.db")
	case (kind == "http" || kind == "https") && takes < engines:
		return place{}, usage(at+" works on the store itself, not over HTTP", "run it where the store is, with sqlite:PATH")
	case kind == "http" || kind == "https":
		if _, err := remote.CheckURL(given); err != nil {
			return place{}, &exit{code: exitUsage, err: err}
		}
		return place{given: given, url: given}, nil
	case kind == "entra" && takes < clouds:
		return place{}, usage(at+" works on an engine, not on Entra ID", "use "+takes.String())
	case kind == "entra" && rest == "":
		return place{}, usage("entra: needs the tenant", "e.g. entra:contoso.onmicrosoft.com, or its id")
	case kind == "entra" && strings.ContainsFunc(rest, notOfTenant):
		return place{}, usage(fmt.Sprintf("%q is not a tenant", rest), "e.g. entra:contoso.onmicrosoft.com, or its id")
	case kind == "entra":
		return place{given: given, tenant: rest}, nil
	case kind == "postgres" || kind == "postgresql":
		return databasePlace(given, key)
	default:
		return place{}, usage(fmt.Sprintf("%q is not a target", given), "use "+takes.String())
	}
}

// notOfTenant tells a character that stands in no tenant's id or domain.
func notOfTenant(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-'
}

// onTarget is a command that works on a target, with advice where the target
// refuses the application and says no more than that.
func onTarget(do cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := do(c)
		if cloud.KindOf(err) != cloud.Denied {
			return err
		}
		return hint.Default(err, "mfabridge preflight --to TARGET says which permission is missing; at an engine mfabridge engine app list shows the application's role, and a move needs migrate")
	}
}

func (t place) keyPath() string { return t.path + ".key" }

// outbox is the folder of messages that nobody delivers: beside the store, or
// beside the key of one in a database.
func (t place) outbox() string {
	if t.database == "" {
		return t.path + ".outbox"
	}
	if path, ok := strings.CutPrefix(t.key, "file:"); ok {
		return path + ".outbox"
	}
	if sealed, ok := parseSealed(t.key); ok {
		return strings.TrimSuffix(sealed.file, ".age") + ".outbox"
	}
	return "mfabridge.outbox"
}

// called is the store's name for people.
func (t place) called() string { return cmp.Or(t.path, t.database) }

func (t place) exists() bool {
	if t.url != "" || t.tenant != "" || t.database != "" {
		return true // whoever asks it hears whether it is
	}
	_, err := os.Lstat(t.path)
	return !errors.Is(err, fs.ErrNotExist)
}

// folder says no where a store cannot be made because its folder is missing.
func (t place) folder() error {
	dir := filepath.Dir(t.path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return hint.New(fmt.Sprintf("%s cannot be made: there is no folder %s", t.given, dir), "make the folder, or correct the path")
	}
	return nil
}

// makeable says no where a store cannot be made later: its folder is missing,
// or the key that it is to be sealed with.
func (p *program) makeable(ctx context.Context, t place) error {
	if err := t.folder(); err != nil || t.key == "" {
		return err
	}
	_, err := p.loadKey(ctx, t)
	return err
}

// keyCalled is the place of the store's key for people.
func (t place) keyCalled() string {
	if sealed, ok := parseSealed(t.key); ok {
		return t.sealedPath(sealed)
	}
	return cmp.Or(t.key, t.keyPath())
}

// loadKey reads the store's key, from wherever it is.
func (p *program) loadKey(ctx context.Context, t place) (seal.Key, error) {
	if sealed, ok := parseSealed(t.key); ok {
		return p.openSealed(ctx, t.sealedPath(sealed), sealed.identity)
	}
	if t.key != "" {
		key, err := seal.LoadKey(t.key)
		if errors.Is(err, fs.ErrNotExist) {
			err = hint.Wrap(fmt.Errorf("there is no key at %s", t.key), t.keyAdvice())
		}
		return key, err
	}
	key, err := seal.LoadKey("file:" + t.keyPath())
	if errors.Is(err, fs.ErrNotExist) {
		advice := "say where it is with --engine-key file:PATH"
		if _, sealed := os.Lstat(t.keyPath() + ".age"); sealed == nil {
			advice = t.keyPath() + ".age is there: say which identity opens it, with --engine-key age:IDENTITYFILE"
		}
		err = hint.Wrap(fmt.Errorf("the key of the store %s is not at %s", t.path, t.keyPath()), advice)
	}
	return key, err
}

func (t place) keyAdvice() string {
	if t.database != "" {
		return "name the key file that was made with the store"
	}
	return "name the key file that was made with the store, or leave --engine-key out for " + t.keyPath()
}

// embedded is an engine that runs in this process, with its store.
type embedded struct {
	*engine.Engine
	store engine.Store
}

func (e *embedded) Close() error { return errors.Join(e.Engine.Close(), e.store.Close()) }

// open opens the engine on an existing store. It cannot send anything.
func (p *program) open(ctx context.Context, t place, o sqlite.Options) (*embedded, error) {
	return p.openWith(ctx, t, o, delivery{})
}

// openWith is open with what delivers codes.
func (p *program) openWith(ctx context.Context, t place, o sqlite.Options, d delivery) (*embedded, error) {
	if t.url != "" || t.tenant != "" {
		return nil, usage("this command works on the store itself, not over HTTP", "run it where the store is, with sqlite:PATH")
	}
	if !t.exists() {
		return nil, hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no store at " + t.path},
			"make one with: mfabridge engine init --store sqlite:"+t.path)
	}
	// The store first: what is none has no key either.
	s, err := t.openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	key, err := p.loadKey(ctx, t)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	e, err := engine.Open(ctx, engine.Config{Store: s, Key: key, Senders: d.senders(), Texts: d.texts, Calls: d.calls, Now: p.now, Log: p.logger(),
		Actor: operator(), Node: t.node(), Link: d.link()})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &embedded{Engine: e, store: s}, nil
}

// create makes a store with its key. If it fails, files that it made are gone
// and those that were there before are left alone. A key at PATH.key without a
// store at PATH is what a run leaves that was killed in between: it is used.
func (p *program) create(ctx context.Context, t place, with engine.Setup) error {
	if t.database != "" {
		return p.createDatabase(ctx, t, with)
	}
	if t.exists() {
		return hint.Wrap(&cloud.Error{Kind: cloud.Conflict, Message: t.path + " exists already"}, "choose another path, or use the store that is there")
	}
	if err := t.folder(); err != nil {
		return err
	}
	with.Now = p.now()
	err := p.fill(ctx, t, with)
	if err == nil {
		t.clearLeftovers()
	}
	return hint.Default(err, "the folder must be writable and have room")
}

// fill makes the store, and its key unless there is one.
func (p *program) fill(ctx context.Context, t place, with engine.Setup) error {
	if _, err := os.Lstat(t.keyPath()); t.key == "" && err != nil {
		return sqlite.Init(ctx, t.path, t.keyPath(), with)
	}
	key, err := p.loadKey(ctx, t)
	if err != nil {
		return err
	}
	return sqlite.InitWith(ctx, t.path, key, with)
}

// clearLeftovers removes what runs have left that were killed while they made
// this store or its key. Both are there now: who is still making them will not
// get their place anyway. What cannot be removed is in nobody's way.
func (t place) clearLeftovers() {
	for _, made := range []string{t.path, t.keyPath()} {
		durable.Sweep(made)
	}
}

// tempAdvice is for what goes wrong with temporary files.
const tempAdvice = "make room in the folder for temporary files, or name another one (TMPDIR)"

// imagine opens an empty engine in a temporary folder: what a target that does
// not exist yet reads as. conf is the configuration that it will have, if there
// is one already.
func (p *program) imagine(ctx context.Context, with engine.Setup, conf string) (*embedded, func() error, error) {
	folder, err := os.MkdirTemp("", "mfabridge-")
	if err != nil {
		return nil, nil, hint.Wrap(err, tempAdvice)
	}
	remove := func() error { return os.RemoveAll(folder) }
	t := place{path: filepath.Join(folder, "empty.db")}
	with.Actor = engine.Actor{Who: operator(), Reason: "plan for a target that does not exist yet"}
	err = p.create(ctx, t, with)
	if err != nil {
		return nil, nil, errors.Join(hint.Wrap(fmt.Errorf("an empty store to plan with: %w", err), tempAdvice), remove())
	}
	e, err := p.promising(ctx, t, sqlite.Options{}, conf)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return e, func() error { return errors.Join(e.Close(), remove()) }, nil
}

// operator is who stands in the audit for what this process does.
func operator() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if who := os.Getenv(name); who != "" {
			return who
		}
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
