package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"mfabridge/shim/radius"
)

// leastSchema has what a login reads and leaves, and nothing else: who somebody
// is with the clock of their generator, the verdict, a line of the audit.
const leastSchema = `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-12288;
CREATE TABLE users (name TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE verdicts (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);`

// leastRows are how many rows one statement writes.
var leastRows = [...]int{32, 8, 2, 1}

// leastStore is the plain driver with the statements of a login.
type leastStore struct {
	db                         *sqlite3.SQLiteConn
	begin, commit, read, write *sqlite3.SQLiteStmt
	verdicts, audit            [len(leastRows)]*sqlite3.SQLiteStmt
	last                       int64
	args                       []driver.NamedValue
	row                        [2]driver.Value
	room                       [2 * 32]driver.Value
}

// leastUsers are as many as the shim is measured with.
const leastUsers = 60_000

// openLeast makes a file with all users.
func openLeast(path string) (*leastStore, error) {
	opened, err := new(sqlite3.SQLiteDriver).Open("file:" + path + "?_mutex=no")
	if err != nil {
		return nil, err
	}
	s := &leastStore{db: opened.(*sqlite3.SQLiteConn)}
	if _, err := s.db.Exec(leastSchema, nil); err != nil {
		return nil, err
	}
	prepare := func(text string) *sqlite3.SQLiteStmt {
		made, e := s.db.Prepare(text)
		if e != nil {
			err = e
			return nil
		}
		return made.(*sqlite3.SQLiteStmt)
	}
	s.begin, s.commit = prepare("BEGIN IMMEDIATE"), prepare("COMMIT")
	s.read, s.write = prepare("SELECT data, clock FROM users WHERE name = +$1"), prepare("UPDATE users SET clock = $1 WHERE name = $2")
	for i, n := range leastRows {
		rows := " VALUES " + strings.Repeat("(?, ?), ", n-1) + "(?, ?)"
		s.verdicts[i], s.audit[i] = prepare("INSERT INTO verdicts (id, data)"+rows), prepare("INSERT INTO audit (seq, data)"+rows)
	}
	put := prepare("INSERT INTO users (name, data, clock) VALUES ($1, $2, 0)")
	if err != nil {
		return nil, err
	}
	data := make([]byte, 400) // as much as a user and a generator are in the engine's store
	rand.Read(data)
	err = s.do(s.begin)
	for n := 0; n < leastUsers && err == nil; n++ {
		err = s.do(put, userName(n), data)
	}
	if err == nil {
		err = s.do(s.commit)
	}
	return s, err
}

// do runs a statement and keeps its first row, if it has one.
func (s *leastStore) do(stmt *sqlite3.SQLiteStmt, args ...driver.Value) error {
	s.args = s.args[:0]
	for i, arg := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	rows, err := stmt.QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	if stmt == s.read {
		if err := rows.Next(s.row[:]); err != nil {
			return err
		}
	}
	return rows.Close()
}

// logins has a round of users log in, with one commit. Their names stand in the
// datagrams; Status-Server has none.
func (s *leastStore) logins(round []*datagram) error {
	if err := s.do(s.begin); err != nil {
		return err
	}
	n := 0
	for _, d := range round {
		p, err := radius.Parse(d.b[:d.n])
		if err != nil {
			return err
		}
		name, named := p.Lookup(radius.UserName)
		if named == 0 {
			continue
		}
		if err := s.do(s.read, string(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := s.do(s.write, s.row[1].(int64)+1, string(name)); err != nil {
			return err
		}
		n++
	}
	if err := s.leave(n); err != nil {
		return err
	}
	return s.do(s.commit)
}

// leave writes what n logins leave.
func (s *leastStore) leave(n int) error {
	row := bytes.Repeat([]byte{'v'}, 300) // about what each of both has in the engine's store
	for n > 0 {
		k := slices.IndexFunc(leastRows[:], func(size int) bool { return size <= n })
		args := s.room[:0]
		for range leastRows[k] {
			s.last++
			args = append(args, s.last, row)
		}
		if err := s.do(s.verdicts[k], args...); err != nil {
			return err
		}
		if err := s.do(s.audit[k], args...); err != nil {
			return err
		}
		n -= leastRows[k]
	}
	return nil
}
