package planfile

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// Plan is an opened plan file. It is a [migrate.PlanReader]; its methods may
// be called concurrently.
type Plan struct {
	path    string
	file    *os.File // keeps the file that was checked, whatever its name comes to stand for
	key     *key     // nil: opened without
	header  migrate.Header
	summary migrate.Summary
	kinds   map[int64]kind
	digest  string
}

var _ migrate.PlanReader = (*Plan)(nil)

// Open opens and checks the plan file at path. With a keyPath the MAC is
// checked as well and the sealed values can be read; an empty keyPath opens
// without. The error says what is wrong in one sentence; errors.Is tells
// [ErrAltered] and os.ErrNotExist of the plan or the key apart. The caller
// closes the plan.
func Open(path, keyPath string) (*Plan, error) {
	if keyPath == "" {
		return open(path, nil)
	}
	return open(path, func() (key, error) { return readKey(keyPath) })
}

// open is Open with what gets the key; nil: without.
func open(path string, getKey func() (key, error)) (*Plan, error) {
	p := &Plan{path: path}
	f, err := regular.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.Wrap(&absent{"there is no plan " + path}, "make one with: mfabridge plan EXPORT --to TARGET -o "+path)
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("plan file %s cannot be opened: %w", path, reason(err)), "name a plan file that you may read")
	}
	p.file = f
	if getKey != nil {
		k, err := getKey()
		if err != nil {
			if _, other := readSums(f, secret.Bytes{}); other != nil {
				err = p.unusable(other) // what is no plan has no key
			}
			f.Close()
			return nil, err
		}
		p.key = &k
	}
	if err := p.load(); err != nil {
		f.Close()
		return nil, p.unusable(err)
	}
	return p, nil
}

func (p *Plan) unusable(err error) error {
	return hint.Default(fmt.Errorf("plan file %s cannot be used: %w", p.path, err), "make a new plan, or take the file from where it was made")
}

// absent is os.ErrNotExist with a sentence of its own.
type absent struct{ message string }

func (e *absent) Error() string { return e.message }
func (*absent) Unwrap() error   { return fs.ErrNotExist }

// reason is what the system said, without the operation and the path: a
// temporary name means nothing to people.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// load checks all of the file and reads what there is once.
func (p *Plan) load() error {
	var k key
	if p.key != nil {
		k = *p.key
	}
	s, err := readSums(p.file, k.mac)
	if err != nil {
		return err
	}
	p.digest = s.digest
	d, err := p.connect()
	if err == nil {
		err = p.readHead(d)
		err = errors.Join(err, d.close())
	}
	if p.key == nil {
		return err
	}
	// Whose key it is can be said only of a file that can be read; what does
	// not bear its MAC is not used in any case.
	genuine := hmac.Equal(s.mac, s.stated)
	switch {
	case err == nil && p.header.PlanID != k.plan:
		return hint.New("the key is that of another plan", "use the .key file that was made with this plan")
	case !genuine:
		return ErrAltered
	}
	return err
}

// connect opens a connection that can only read, trusts nothing in the
// schema, and has checked that the schema is ours.
func (p *Plan) connect() (*db, error) {
	if err := p.same(); err != nil {
		return nil, err
	}
	d, err := openDB(uri(p.path, "mode=ro&immutable=1"), `PRAGMA trusted_schema=OFF`, `PRAGMA query_only=ON`,
		`PRAGMA cell_size_check=ON`, `PRAGMA mmap_size=0`, `PRAGMA cache_size=-4096`)
	if err != nil {
		return nil, err
	}
	d.limit(maxCell)
	if err := checkFormat(d, schema[:]); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

var errNotOurs = errors.New("it was not written by mfabridge")

// checkFormat checks whose database this is, which version, and the schema.
func checkFormat(d *db, want []string) error {
	id, err := d.number(`PRAGMA application_id`)
	if err != nil {
		return err
	}
	if id != applicationID {
		return errNotOurs
	}
	version, err := d.number(`PRAGMA user_version`)
	if err != nil {
		return err
	}
	if version > Version {
		return tooNew("it", version)
	}
	if version != Version {
		return fmt.Errorf("it has the unknown format %d", version)
	}
	return d.checkSchema(want)
}

// same makes sure that the file's name still stands for the file that was
// checked.
func (p *Plan) same() error {
	now, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	then, err := p.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(now, then) {
		return errors.New("it was replaced while it was open")
	}
	return nil
}

// readHead reads header, kinds and summary.
func (p *Plan) readHead(d *db) error {
	rows, err := d.texts(`SELECT name, value FROM header`)
	if err != nil {
		return err
	}
	for _, f := range headerFields(&p.header) {
		text, ok := rows[f.name]
		if !ok && f.later {
			continue
		}
		if err := json.Unmarshal([]byte(text), f.value); err != nil {
			return fmt.Errorf("its header %q is damaged", f.name)
		}
	}
	if rows, err = d.texts(`SELECT name, value FROM summary`); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(rows["summary"]), &p.summary); err != nil {
		return errors.New("its summary is damaged")
	}
	return p.readKinds(d)
}

func (p *Plan) readKinds(d *db) error {
	s, err := d.prepare(`SELECT kind, code, severity, action FROM kinds ORDER BY kind`)
	if err != nil {
		return err
	}
	c, err := s.query()
	if err != nil {
		return err
	}
	p.kinds = map[int64]kind{}
	for c.next() && len(p.kinds) <= maxKinds {
		p.kinds[c.int(0)] = kind{migrate.Code(c.text(1)), migrate.Severity(c.text(2)), c.text(3)}
	}
	return c.close()
}

// maxNames is the most rows that header and summary may have.
const maxNames = 64

// texts reads a table of names and values.
func (d *db) texts(sql string) (map[string]string, error) {
	s, err := d.prepare(sql)
	if err != nil {
		return nil, err
	}
	c, err := s.query()
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for c.next() && len(m) <= maxNames {
		m[c.text(0)] = c.text(1)
	}
	return m, c.close()
}

// Close ends the use of the plan.
func (p *Plan) Close() error { return p.file.Close() }

// Path is where the plan file is.
func (p *Plan) Path() string { return p.path }

// Header says what the plan was made from and for.
func (p *Plan) Header() migrate.Header { return p.header }

// Summary counts what the plan holds.
func (p *Plan) Summary() migrate.Summary { return p.summary }

// Digest is the SHA-256 of the plan file, in hexadecimal.
func (p *Plan) Digest() string { return p.digest }

// Sealed tells that the plan was opened with its key and that its seal holds.
func (p *Plan) Sealed() bool { return p.key != nil }

// Problems yields the findings that belong to no user, in the order written.
func (p *Plan) Problems(ctx context.Context) iter.Seq2[migrate.Finding, error] {
	return func(yield func(migrate.Finding, error) bool) {
		if err := p.eachProblem(ctx, func(f migrate.Finding) bool { return yield(f, nil) }); err != nil {
			yield(migrate.Finding{}, p.damaged(err))
		}
	}
}

func (p *Plan) eachProblem(ctx context.Context, yield func(migrate.Finding) bool) (err error) {
	d, err := p.connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	s, err := d.prepare(`SELECT kind, field, detail, place FROM problems ORDER BY seq`)
	if err != nil {
		return err
	}
	c, err := s.query()
	if err != nil {
		return err
	}
	for c.next() && ctx.Err() == nil {
		f, err := p.finding(c, 0)
		if err != nil {
			return errors.Join(err, c.close())
		}
		if !yield(f) {
			return c.close()
		}
	}
	return errors.Join(ctx.Err(), c.close())
}

// finding reads kind, field, detail and place from column i on.
func (p *Plan) finding(c *cursor, i int) (migrate.Finding, error) {
	k, ok := p.kinds[c.int(i)]
	if !ok {
		return migrate.Finding{}, errors.New("a finding is of no known kind")
	}
	return migrate.Finding{Code: k.code, Severity: k.severity, Action: k.action,
		Field: c.text(i + 1), Detail: c.text(i + 2), Place: c.text(i + 3)}, c.bad
}

// damaged says of an error in reading which file it is about.
func (p *Plan) damaged(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("plan file %s cannot be read: %w", p.path, err)
}
