package legacy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/spill"
)

// progressRows is how many rows are read between two calls of Progress.
const progressRows = 10_000

// loader is the first pass over an export.
type loader struct {
	*Export
	ctx       context.Context
	manifest  manifest
	names     *spill.Sorter   // all rows of all tables by folded name
	mapped    map[string]bool // folded headers of Options.Map that some table has
	rows      int64
	strangers map[string]bool // unknown columns that were reported
	seeds     bool            // there are files that may hold tokens without their user
	activity  *activityTable
	rec       []byte
	body      []byte
}

func (e *Export) load(ctx context.Context) error {
	l := &loader{Export: e, ctx: ctx, mapped: map[string]bool{}, strangers: map[string]bool{},
		names: spill.New(spill.Options{Dir: e.options.TempDir, Memory: namesMemory})}
	defer l.names.Close()
	l.seeds = len(e.folder.of(aboutTokens)) > 0 || len(e.folder.of(aboutKeys)) > 0
	if err := l.readManifest(); err != nil {
		return err
	}
	if err := l.readTables(); err != nil {
		return err
	}
	if err := l.readSettings(); err != nil {
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
	l.methods, l.summary.Activity.Applications = l.activity.methods, l.activity.apps
	return l.count()
}

func (l *loader) readTables() error {
	if err := l.readUsers(); err != nil {
		return err
	}
	for _, k := range []kind{kindDevice, kindToken} {
		if err := l.readAttached(k); err != nil {
			return err
		}
	}
	if err := l.readKeys(); err != nil {
		return err
	}
	if err := l.readActivity(); err != nil {
		return err
	}
	if l.options.Progress != nil {
		l.options.Progress(l.rows)
	}
	return nil
}

func (l *loader) readUsers() error {
	users := newUserRow(l.options.SecretFormat)
	parts, answers := l.folder.of(aboutUsers), l.folder.of(aboutAnswers)
	for _, i := range parts {
		before := len(l.summary.Files)
		err := l.readTable(i, &users.values, func(line int) (*badRow, error) { return users.read(line), l.addUser(users) })
		if err != nil {
			return err
		}
		l.users = append(l.users, l.summary.Files[before])
	}
	if err := l.readAnswers(); err != nil {
		return err
	}
	switch {
	case l.summary.Rows > 0:
		return nil
	case len(parts) == 0:
		return hint.New(fmt.Sprintf("none of the %d files in %s holds the settings of a user", len(answers), soapFolder),
			"capture the answers to GetUserSettings, not only lists of users")
	case len(parts) == 1:
		return hint.New(l.folder.parts[parts[0]].name+" holds no users", "it has a header and nothing else; export it again")
	default:
		return hint.New(fmt.Sprintf("none of the %d files of users holds a user", len(parts)), "export them again")
	}
}

// readAttached reads all files of devices, or of tokens.
func (l *loader) readAttached(k kind) error {
	about := aboutDevices
	if k == kindToken {
		about = aboutTokens
	}
	r := newAttachedRow(k, l.options.SecretFormat)
	for _, i := range l.folder.of(about) {
		err := l.readTable(i, &r.values, func(line int) (*badRow, error) {
			user, upn, bad := r.read(line)
			if bad != nil {
				return bad, nil
			}
			return nil, l.addAttached(r.kind, &r.row, user, upn)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readTable hands each row of a table to row, which finds it in the values,
// and reports those that cannot be read.
func (l *loader) readTable(i int, v *values, row func(line int) (*badRow, error)) error {
	p := l.folder.parts[i]
	in, err := l.folder.open(l.ctx, p)
	if err != nil {
		return err
	}
	defer in.Close()
	v.begin(i, p.name)
	t, err := openTable(in, p.form, l.options.Encoding, l.reading(v))
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
		} else if p.about == aboutUsers {
			l.summary.Rows++
		}
		if bad != nil {
			if p.about == aboutUsers {
				l.summary.SkippedOwn++
			}
			if err := l.skip(v, line, bad); err != nil {
				return err
			}
		}
		l.rows++
		if l.rows%progressRows == 0 && l.options.Progress != nil {
			l.options.Progress(l.rows)
		}
	}
	d, err := in.finish()
	if err != nil {
		return err
	}
	l.summary.Files = append(l.summary.Files, d)
	return errors.Join(l.manifest.check(d), l.unended(t, p.name))
}

// unended reports a table that may have been cut off: all others have a line end
// behind their last row. Nobody needs to wonder where a manifest has its sum.
func (l *loader) unended(t table, name string) error {
	csv, ok := t.(*csvTable)
	if !ok || csv.split.unended == 0 || l.manifest.sums[strings.ToLower(name)] != "" {
		return nil
	}
	return l.problems.add(Problem{Code: FileUnended, Place: Place{File: name, Line: csv.split.unended},
		Detail: "no line end stands behind the last row, as where a file was not copied whole"})
}

// reading reports columns that nothing is read from.
func (l *loader) reading(v *values) reading {
	return reading{file: v.file, schema: v.schema, mapping: l.mapping, found: func(h heading) error {
		l.mapped[foldHeader(h.name)] = true
		if h.column >= 0 {
			v.spelled[h.column] = h.name
			return nil
		}
		if slices.Contains(v.schema.passed, foldHeader(h.name)) {
			return nil
		}
		return l.stranger(v.part, Place{v.file, h.line, h.col}, cmp.Or(h.name, fmt.Sprintf("column %d", h.number)),
			"nothing is read from this column, and its values are not kept")
	}}
}

// maxStrangers is how many unknown columns are told apart, so that each is
// reported once for all files of a table.
const maxStrangers = 10_000

// stranger reports a column that nothing is read from.
func (l *loader) stranger(part int, at Place, name, detail string) error {
	id := string(rune(l.folder.parts[part].about)) + foldHeader(name)
	if l.strangers[id] {
		return nil
	}
	if len(l.strangers) < maxStrangers {
		l.strangers[id] = true
	}
	return l.problems.add(Problem{Code: ColumnUnknown, Place: at, Field: name, Detail: detail})
}

// skip reports a row that cannot be read.
func (l *loader) skip(v *values, line int, bad *badRow) error {
	if bad.line == 0 {
		bad.line = line
	}
	l.summary.SkippedRows++
	name := ""
	for _, key := range v.schema.keys {
		if !v.schema.columns[key].quiet {
			name = cmp.Or(name, string(v.cells[key].text))
		}
	}
	return l.problems.add(Problem{
		Code:     RowInvalid,
		Place:    Place{v.file, bad.line, bad.col},
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
