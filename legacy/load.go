package legacy

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"mfabridge/internal/hint"
	"mfabridge/internal/spill"
)

// progressRows is how many rows are read between two calls of Progress.
const progressRows = 10_000

// loader is the first pass over an export.
type loader struct {
	*Export
	ctx      context.Context
	manifest manifest
	names    *spill.Sorter   // all rows of all tables by folded name
	mapped   map[string]bool // folded headers of Options.Map that some table has
	rows     int64
	rec      []byte
	body     []byte
}

func (e *Export) load(ctx context.Context) error {
	l := &loader{Export: e, ctx: ctx, mapped: map[string]bool{},
		names: spill.New(spill.Options{Dir: e.options.TempDir, Memory: namesMemory})}
	defer l.names.Close()
	if err := l.readManifest(); err != nil {
		return err
	}
	if err := l.readTables(); err != nil {
		return err
	}
	if err := l.checkMapped(); err != nil {
		return err
	}
	for _, p := range e.folder.notRead() {
		if err := e.problems.add(p); err != nil {
			return err
		}
	}
	if err := l.join(); err != nil {
		return err
	}
	return l.count()
}

func (l *loader) readManifest() error {
	m, digests, err := readManifest(l.ctx, l.folder)
	l.manifest = m
	l.summary.Source, l.summary.Created, l.summary.Files = m.Source, m.Created, digests
	return err
}

func (l *loader) readTables() error {
	users := newUserRow(l.options.SecretFormat)
	err := l.readTable(&users.values, func(line int) (*badRow, error) { return users.read(line), l.addUser(users) })
	if err != nil {
		return err
	}
	l.users = l.summary.Files[len(l.summary.Files)-1]
	if l.summary.Rows == 0 {
		return hint.New(usersFile+" holds no users", "it has a header and nothing else; export it again")
	}
	for _, k := range []kind{kindDevice, kindToken} {
		r := newAttachedRow(k, l.options.SecretFormat)
		if !l.folder.has(r.schema.file) {
			continue
		}
		err := l.readTable(&r.values, func(line int) (*badRow, error) {
			user, upn, bad := r.read(line)
			if bad != nil {
				return bad, nil
			}
			return nil, l.addAttached(r, user, upn)
		})
		if err != nil {
			return err
		}
	}
	if l.options.Progress != nil {
		l.options.Progress(l.rows)
	}
	return nil
}

// readTable hands each row of a table to row, which finds it in the values,
// and reports those that cannot be read.
func (l *loader) readTable(v *values, row func(line int) (*badRow, error)) error {
	in, err := l.folder.open(l.ctx, v.schema.file)
	if err != nil {
		return err
	}
	defer in.Close()
	t, err := l.openTable(in, v)
	if err != nil {
		return err
	}
	for {
		v.start()
		line, err := t.next(v.cells)
		if err == io.EOF {
			break
		}
		bad, isBad := err.(*badRow)
		if err != nil && !isBad {
			return err
		}
		if !isBad {
			if bad, err = row(line); err != nil {
				return err
			}
		} else if v.schema.file == usersFile {
			l.summary.Rows++
		}
		if bad != nil {
			if err := l.skip(v, line, bad); err != nil {
				return err
			}
		}
		l.rows++
		if l.rows%progressRows == 0 && l.options.Progress != nil {
			l.options.Progress(l.rows)
		}
	}
	d := in.digest()
	l.summary.Files = append(l.summary.Files, d)
	return l.manifest.check(d)
}

// openTable reads the header and reports columns that nothing is read from.
func (l *loader) openTable(in *input, v *values) (table, error) {
	t, others, err := openCSV(in, v.schema, l.mapping)
	if err != nil {
		return nil, err
	}
	v.spelled = t.spelled(v.schema)
	for _, name := range t.header {
		l.mapped[foldHeader(name)] = true
	}
	for _, u := range others {
		p := Problem{Code: ColumnUnknown, Place: Place{v.schema.file, u.line, u.col},
			Field:  cmp.Or(u.name, fmt.Sprintf("column %d", u.number)),
			Detail: "nothing is read from this column, and its values are not kept"}
		if err := l.problems.add(p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// skip reports a row that cannot be read.
func (l *loader) skip(v *values, line int, bad *badRow) error {
	if bad.line == 0 {
		bad.line = line
	}
	l.summary.SkippedRows++
	name := ""
	for _, key := range v.schema.keys {
		name = cmp.Or(name, string(v.cells[key].text))
	}
	return l.problems.add(Problem{
		Code:     RowInvalid,
		Place:    Place{v.schema.file, bad.line, bad.col},
		Username: name,
		Field:    bad.field,
		Detail:   bad.text + "; the row is left out",
	})
}

// checkMapped refuses a mapping that no table needs: it is a mistyped one.
func (l *loader) checkMapped() error {
	for _, folded := range slices.Sorted(maps.Keys(l.mapping)) {
		if !l.mapped[folded] {
			return hint.New(fmt.Sprintf("a column is mapped to %s that no table of the export has", l.mapping[folded]),
				"look at the spelling of the left side of --map; the first line of each table names its columns")
		}
	}
	return nil
}
