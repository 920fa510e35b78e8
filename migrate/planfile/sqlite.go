package planfile

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// db is one connection, used by one goroutine. The driver is spoken to
// directly: a plan is millions of rows, and database/sql costs as much as
// SQLite itself there.
type db struct {
	conn  driver.Conn
	stmts []*stmt
}

// uri makes an SQLite URI of a path and its parameters. A connection has one user,
// so SQLite takes no locks for it.
func uri(path, params string) string {
	p := filepath.ToSlash(filepath.Clean(path))
	if filepath.VolumeName(path) != "" {
		p = "/" + p
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(p) + "?_mutex=no&" + params
}

// openDB opens a connection and runs the statements of setup.
func openDB(uri string, setup ...string) (*db, error) {
	conn, err := new(sqlite3.SQLiteDriver).Open(uri)
	if err != nil {
		return nil, err
	}
	d := &db{conn: conn}
	for _, s := range setup {
		if err := d.exec(s); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

// limit bounds the length of every cell and statement (SQLITE_LIMIT_LENGTH).
func (d *db) limit(bytes int) {
	const limitLength = 0
	if c, ok := d.conn.(interface{ SetLimit(id, value int) int }); ok {
		c.SetLimit(limitLength, bytes)
	}
}

func (d *db) close() error {
	if d == nil || d.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range d.stmts {
		errs = append(errs, s.s.Close())
	}
	errs = append(errs, d.conn.Close())
	d.conn = nil
	return errors.Join(errs...)
}

// exec runs statements without arguments.
func (d *db) exec(sql string) error {
	e, ok := d.conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the SQLite driver runs no statements (was it built without cgo?)")
	}
	_, err := e.ExecContext(context.Background(), sql, nil)
	return err
}

// stmt is a prepared statement. Its arguments are set by place, from 0, and
// stay until they are set again.
type stmt struct {
	s    driver.Stmt
	args []driver.NamedValue
}

func (d *db) prepare(sql string) (*stmt, error) {
	s, err := d.conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	st := &stmt{s: s, args: make([]driver.NamedValue, s.NumInput())}
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	d.stmts = append(d.stmts, st)
	return st, nil
}

// exec runs a statement that returns no rows. It goes through the driver's
// query: that binds all arguments and steps in one call into C, where its exec
// takes a call for each argument.
func (s *stmt) exec(values ...driver.Value) error {
	for i, v := range values {
		s.args[i].Value = v
	}
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	return rows.Close()
}

// query begins reading. Only one reading of a stmt is open at a time.
func (s *stmt) query(values ...driver.Value) (*cursor, error) {
	for i, v := range values {
		s.args[i].Value = v
	}
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return nil, err
	}
	return &cursor{rows: rows, row: make([]driver.Value, len(rows.Columns()))}, nil
}

// cursor walks the rows of a query. A cell of another type than expected is
// a damaged file; it is remembered and returned by err.
type cursor struct {
	rows driver.Rows
	row  []driver.Value
	bad  error
}

// next steps to the next row; false at the end and on an error.
func (c *cursor) next() bool {
	if c.bad != nil {
		return false
	}
	err := c.rows.Next(c.row)
	if err != nil && !errors.Is(err, io.EOF) {
		c.bad = err
	}
	return err == nil
}

func (c *cursor) close() error { return errors.Join(c.bad, c.rows.Close()) }

func (c *cursor) wrong(i int, want string) {
	if c.bad == nil {
		c.bad = fmt.Errorf("column %d holds %T, not %s", i+1, c.row[i], want)
	}
}

func (c *cursor) text(i int) string {
	switch v := c.row[i].(type) {
	case string:
		return v
	case nil:
		return ""
	}
	c.wrong(i, "text")
	return ""
}

func (c *cursor) int(i int) int64 {
	v, ok := c.row[i].(int64)
	if !ok {
		c.wrong(i, "a number")
	}
	return v
}

func (c *cursor) blob(i int) []byte {
	switch v := c.row[i].(type) {
	case []byte:
		return v
	case nil:
		return nil
	}
	c.wrong(i, "bytes")
	return nil
}

// number runs a query whose only cell is a number.
func (d *db) number(sql string) (int64, error) {
	s, err := d.prepare(sql)
	if err != nil {
		return 0, err
	}
	c, err := s.query()
	if err != nil {
		return 0, err
	}
	var n int64
	if c.next() {
		n = c.int(0)
	}
	return n, c.close()
}

// checkSchema refuses a database whose schema is not exactly what is wanted:
// no table, view, index or trigger more, none less, none different.
func (d *db) checkSchema(want []string) error {
	s, err := d.prepare(`SELECT type, name, sql FROM sqlite_schema`)
	if err != nil {
		return err
	}
	c, err := s.query()
	if err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, sql := range want {
		missing[sql] = true
	}
	for c.next() {
		kind, name, sql := c.text(0), c.text(1), c.text(2)
		if !missing[sql] && c.bad == nil {
			c.bad = fmt.Errorf("it holds a foreign %s %q", kind, name)
		}
		delete(missing, sql)
	}
	if err := c.close(); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of its tables are missing", len(missing))
	}
	return nil
}
