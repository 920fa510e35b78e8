package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "check and change the key that seals a store's secrets, while it is in use",
		Subcommands: []*cli.Command{
			{Name: "check", Usage: "open every secret of the store, and count them by key", Flags: append(storeFlags(), formatFlag()), Action: p.keyCheck,
				Description: "Exit code 1 if a secret does not open."},
			{Name: "rotate", Usage: "make a new key, seal everything with it, keep the old one for what is left",
				Description: "The key file is replaced; the one before stays as PATH.before-ID. Programs that have the store open read the file again\n" +
					"by themselves. Where several machines have copies of the file: make the new key with --prepare, copy the file everywhere,\n" +
					"and rotate then.",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.BoolFlag{Name: "prepare", Usage: "only add the new key, so that copies of the file can be made first"},
					reasonFlag(),
				}), Action: p.keyRotate},
			{Name: "reseal", Usage: "go on with a rotation that was interrupted", Flags: append(storeFlags(), reasonFlag()), Action: p.keyReseal},
			{Name: "retire", Usage: "take old keys out of the key file, once no secret needs them",
				Description: "Backups from before need the key file that is kept as PATH.before-ID: keep it with them.",
				Flags:       append(storeFlags(), reasonFlag()), Action: p.keyRetire},
		},
	}
}

// withKeyFile opens a store and the key file of its key. Whoever changes a key
// file is alone at it.
func (p *program) withKeyFile(c *cli.Context, use func(*embedded, *seal.KeyFile, engine.Actor) error) error {
	if _, err := args(c); err != nil {
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
	path, isFile := t.keyPath(), true
	if t.key != "" {
		path, isFile = strings.CutPrefix(t.key, "file:")
	}
	if strings.HasPrefix(t.key, "age:") {
		return usage("the key is sealed by age, so it cannot be changed here",
			"open it with age -d into a file that only you can read, name that with --engine-key file:PATH, and seal the file again afterwards")
	}
	if !isFile {
		return usage("the key is not in a file, so it cannot be changed here", "put it into a file, and name that with --engine-key file:PATH")
	}
	return p.withEngine(c, func(e *embedded) (err error) {
		unlock, err := e.Lock(c.Context, "engine key "+c.Command.Name+" by "+by.Who)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
		file, err := seal.OpenKeyFile(path)
		if err != nil {
			return err
		}
		return use(e, file, by)
	})
}

// keyForm is a key in JSON, with how many secrets it opens.
type keyForm struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Seals      bool   `json:"seals"`
	Generators int    `json:"generators"`
	Passwords  int    `json:"passwords"`
	Others     int    `json:"others"`
}

// unopenedForm is a secret that no key opens.
type unopenedForm struct {
	Type string `json:"type"`
	What string `json:"what"`
}

func (p *program) keyCheck(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "KEY", "SEALS", "GENERATORS", "PASSWORDS", "OTHERS")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		use, err := e.CheckKeys(c.Context)
		if err != nil {
			return err
		}
		ids := map[seal.KeyID]bool{use.Primary: true}
		for _, counts := range []map[seal.KeyID]int{use.Generators, use.Passwords, use.Others} {
			for id := range counts {
				ids[id] = true
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			form := keyForm{"key", id.String(), id == use.Primary, use.Generators[id], use.Passwords[id], use.Others[id]}
			if err := l.add(form, form.ID, yesNo(form.Seals), strconv.Itoa(form.Generators), strconv.Itoa(form.Passwords), strconv.Itoa(form.Others)); err != nil {
				return err
			}
		}
		for _, what := range use.Unopened {
			if err := l.note(unopenedForm{"unopened", what}, "! "+what+" does not open"); err != nil {
				return err
			}
		}
		if err := l.end(); err != nil {
			return err
		}
		if use.Failed > 0 {
			return &exit{code: exitFailed, err: hint.New(migrate.Number(use.Failed, "secret does", "secrets do")+" not open with this key",
				"if it is the right key file, the store is damaged: take the backup")}
		}
		return nil
	})
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func (p *program) keyRotate(c *cli.Context) error {
	return p.withKeyFile(c, func(e *embedded, file *seal.KeyFile, by engine.Actor) error {
		id, err := file.Stage()
		if err != nil {
			return err
		}
		if c.Bool("prepare") {
			fmt.Fprintf(p.out, "the new key %s opens, and does not seal yet: copy the key file to where it is needed, then rotate\n", id)
			return e.NoteKeys(c.Context, by, "prepare", id)
		}
		if err := e.NoteKeys(c.Context, by, "rotate", id); err != nil { // first: what is not recorded is not done
			return err
		}
		if err := file.Promote(); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "the key %s seals from now on\n", id)
		return p.resealAll(c, e, by)
	})
}

func (p *program) keyReseal(c *cli.Context) error {
	return p.withKeyFile(c, func(e *embedded, _ *seal.KeyFile, by engine.Actor) error { return p.resealAll(c, e, by) })
}

func (p *program) resealAll(c *cli.Context, e *embedded, by engine.Actor) error {
	bar := p.progress("sealing secrets anew", 0)
	n, err := e.Reseal(c.Context, by, func(changed int) { bar.at(int64(changed), 0) })
	bar.end()
	if err != nil {
		return hint.Wrap(err, "go on with: mfabridge engine key reseal")
	}
	fmt.Fprintf(p.out, "%s sealed anew\n", migrate.Number(n, "secret was", "secrets were"))
	return nil
}

func (p *program) keyRetire(c *cli.Context) error {
	return p.withKeyFile(c, func(e *embedded, file *seal.KeyFile, by engine.Actor) error {
		old, err := e.RetireKeys(c.Context, by)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			fmt.Fprintln(p.out, "there is no old key")
			return nil
		}
		if err := file.Remove(old); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "removed %v; backups from before need %s\n", old, file.Before())
		return nil
	})
}
