package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote/admin"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) importCommand() *cli.Command {
	return &cli.Command{Name: "import", Usage: "make users as a directory knows them, above all to rehearse", ArgsUsage: "FILE",
		Description: "FILE is CSV with a header of these columns, in any order: UserPrincipalName (required), Sid, SamAccountName,\n" +
			"DisplayName, Enabled, UserType (Member or Guest), Roles and Groups (several are divided by semicolons). Users who are\n" +
			"there already are brought in line; aliases and groups are added and never taken away. Rows that say something wrong\n" +
			"are named by line and column and left out. Run again, it changes nothing that is right already.\n" +
			"At https://HOST the application needs the role admin.",
		Flags:  slices.Concat(targetFlags("to", "fill", engines), []cli.Flag{reasonFlag()}, accessFlags()),
		Action: p.importUsers}
}

func (p *program) importUsers(c *cli.Context) (err error) {
	name, by, err := named(c, "FILE")
	if err != nil {
		return err
	}
	to, err := parseTarget("--to", engines, c.String("to"), c.String("engine-key"))
	if err != nil {
		return err
	}
	in, err := os.Open(name)
	if err != nil {
		return hint.Wrap(fmt.Errorf("the file cannot be read: %w", err), "name a CSV file")
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if info, err := in.Stat(); err == nil && info.IsDir() {
		return hint.New(name+" is a folder", "name a CSV file")
	}
	file, err := openImport(in)
	if err != nil {
		return hint.Wrap(fmt.Errorf("%s:%w", name, err), "the first line must name the columns: mfabridge engine user import --help")
	}
	e, err := p.openImporter(c, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	i := &importing{p: p, c: c, e: e, by: by, name: name, file: file, bar: p.progress("importing", 0), count: map[engine.Imported]int{}}
	err = i.run()
	i.bar.end()
	fmt.Fprintf(p.out, "%d made, %d changed, %d as they were, %s left out\n",
		i.count[engine.ImportMade], i.count[engine.ImportChanged], i.count[engine.ImportSame], migrate.Number(i.bad, "row", "rows"))
	done := i.count[engine.ImportMade] + i.count[engine.ImportChanged] + i.count[engine.ImportSame]
	if err == nil && i.bad > 0 {
		err = &exit{code: exitPartly, err: hint.New(migrate.Number(i.bad, "row was", "rows were")+" left out", "mend them and import the file again")}
		if done == 0 {
			err = hint.New("no row could be used", "mend them and import the file again")
		}
	}
	return err
}

// importer is an engine that users are imported into.
type importer interface {
	ImportUsers(ctx context.Context, by engine.Actor, users []engine.Newcomer) []engine.ImportResult
	Close() error
}

func (p *program) openImporter(c *cli.Context, to place) (importer, error) {
	if to.url == "" {
		return p.open(c.Context, to, sqlite.Options{Cache: applyCache})
	}
	client, err := p.far(c, to)
	if err != nil {
		return nil, err
	}
	return admin.Client{Client: client}, nil
}

// importing is one run of an import.
type importing struct {
	p     *program
	c     *cli.Context
	e     importer
	by    engine.Actor
	name  string
	file  *importFile
	bar   *progress
	users []engine.Newcomer
	lines []int // of users
	rows  int64
	bad   int
	count map[engine.Imported]int
}

func (i *importing) run() error {
	for {
		n, line, err := i.file.next()
		bad, isBad := errors.AsType[*badRow](err)
		switch {
		case errors.Is(err, io.EOF):
			return i.flush()
		case isBad:
			i.leaveOut(bad)
			continue
		case err != nil:
			return errors.Join(i.flush(), err)
		}
		i.users, i.lines = append(i.users, n), append(i.lines, line)
		if len(i.users) == engine.MaxImport {
			if err := i.flush(); err != nil {
				return err
			}
		}
	}
}

// leaveOut says which row is not used, and why.
func (i *importing) leaveOut(b *badRow) {
	i.bad++
	i.rows++
	fmt.Fprintf(i.p.err, "%s:%s\n", migrate.Plain(i.name), migrate.Plain(b.Error()))
}

// flush writes the users that wait, in one commit.
func (i *importing) flush() error {
	if len(i.users) == 0 {
		return i.c.Context.Err()
	}
	for n, r := range i.e.ImportUsers(i.c.Context, i.by, i.users) {
		switch {
		case r.Err == nil:
			i.count[r.Outcome]++
			i.rows++
		case slices.Contains([]cloud.Kind{cloud.Unavailable, cloud.Internal, cloud.Throttled, cloud.Denied}, cloud.KindOf(r.Err)):
			return r.Err // it concerns all
		default:
			i.leaveOut(&badRow{i.lines[n], 1, r.Err.Error()})
		}
	}
	i.users, i.lines = i.users[:0], i.lines[:0]
	i.bar.at(i.rows, int64(i.bad))
	return nil
}
