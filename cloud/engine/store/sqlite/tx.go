package sqlite

import (
	"bytes"
	"errors"
	"time"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
)

// tx implements [engine.Tx] on the writing connection.
type tx struct{ reader }

// Statements that insert or replace.
var (
	sqlSetMeta     = rows.Put("meta", "name", "name, value")
	sqlPutUser     = rows.Put("users", "id", rows.UserColumns)
	sqlPutToken    = rows.Put("tokens", "user, id", "user, "+rows.TokenColumns)
	sqlSetLastSent = rows.Put("last_sent", "user, place", "user, place, challenge")
	sqlPutFailures = rows.Put("failures", "user, "+rows.FailuresKeys, "user, "+rows.FailuresKeys+", "+rows.FailuresColumns)
	sqlPutApp      = rows.Put("apps", "name", rows.AppColumns)
)

// Statements that write otherwise.
const (
	sqlRemoveMeta  = "DELETE FROM meta WHERE name = $1"
	sqlRemoveUser  = "DELETE FROM users WHERE id = $1"
	sqlClaim       = "INSERT INTO names (space, name, user) VALUES ($1, $2, $3) ON CONFLICT (space, name) DO NOTHING"
	sqlOwner       = "SELECT user FROM names WHERE space = $1 AND name = $2"
	sqlReleaseOne  = "DELETE FROM names WHERE space = $1 AND name = $2"
	sqlSetClock    = "UPDATE tokens SET (" + rows.ClockColumns + ") = ($1, $2, $3, $4) WHERE user = $5 AND id = $6"
	sqlRemoveToken = "DELETE FROM tokens WHERE user = $1 AND id = $2"
	sqlSetSpent    = "INSERT INTO spent (fingerprint, second) VALUES ($1, $2) " +
		"ON CONFLICT (fingerprint) DO UPDATE SET second = max(second, excluded.second)"
	sqlRemoveFailures = "DELETE FROM failures WHERE user = $1 AND way = $2 AND place = $3"
	sqlRemoveApp      = "DELETE FROM apps WHERE name = $1"

	sqlPruneTo         = "SELECT id FROM challenges WHERE id < +$1 ORDER BY id LIMIT 1 OFFSET +$2"
	sqlPruneToLast     = "SELECT id FROM challenges WHERE id < $1 ORDER BY id DESC LIMIT 1"
	sqlPruneChallenges = "DELETE FROM challenges WHERE id <= $1"
	sqlPruneAttempts   = "DELETE FROM attempts WHERE challenge <= $1"
	sqlPruneSent       = "DELETE FROM last_sent WHERE user IN (SELECT user FROM challenges WHERE id <= $1 AND method <> 'oath') AND challenge <= $2"
	sqlOldFailures     = "SELECT 1 FROM failures WHERE last < +$1 LIMIT 1"
	sqlPruneFailures   = "DELETE FROM failures WHERE (user, way, place) IN " +
		"(SELECT user, way, place FROM failures WHERE last < $1 ORDER BY last LIMIT $2)"
)

// do runs a writing statement of which nobody counts the rows.
func (t tx) do(sql string, args ...any) error {
	if err := t.directly(); err != nil {
		return err
	}
	return t.c.do(sql, args...)
}

// exec runs a writing statement and returns how many rows it changed.
func (t tx) exec(sql string, args ...any) (int64, error) {
	if err := t.directly(); err != nil {
		return 0, err
	}
	return t.c.exec(sql, args...)
}

func (t tx) SetMeta(name string, value []byte) error {
	delete(t.c.meta, name)
	return t.do(sqlSetMeta, name, rows.Full(value))
}

func (t tx) RemoveMeta(name string) error {
	delete(t.c.meta, name)
	return t.do(sqlRemoveMeta, name)
}

// Meta reads once what every update of a transaction asks for: nobody else
// can write until it ends.
func (t tx) Meta(name string) ([]byte, error) {
	if value, ok := t.c.meta[name]; ok {
		return bytes.Clone(value), nil
	}
	value, err := t.reader.Meta(name)
	if err == nil && t.c.meta != nil {
		t.c.meta[name] = bytes.Clone(value)
	}
	return value, err
}

func (t tx) PutUser(u *engine.User) error { return t.do(sqlPutUser, rows.UserValues(nil, u)...) }

func (t tx) RemoveUser(id cloud.UserID) error { return t.do(sqlRemoveUser, string(id)) }

func (t tx) Claim(space engine.Space, name string, user cloud.UserID) (cloud.UserID, error) {
	made, err := t.exec(sqlClaim, int64(space), name, string(user))
	if err != nil || made == 1 {
		return user, err
	}
	var owner string
	err = t.c.query(sqlOwner, func(row rows.Row) { owner = row.Text() }, int64(space), name)
	return cloud.UserID(owner), err
}

func (t tx) Release(space engine.Space, name string) error {
	return t.do(sqlReleaseOne, int64(space), name)
}

func (t tx) PutToken(k *engine.Token) error {
	err := t.do(sqlPutToken, rows.TokenValues(nil, k)...)
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.ExtendedCode == sqlite3.ErrConstraintUnique {
		return engine.ErrTaken
	}
	return err
}

func (t tx) RemoveToken(user cloud.UserID, id string) error {
	return t.do(sqlRemoveToken, string(user), id)
}

func (t tx) SetSpent(fingerprint string, second int64) error {
	return t.do(sqlSetSpent, fingerprint, second)
}

func (t tx) SetLastSent(user cloud.UserID, place string, id cloud.ChallengeID) error {
	return t.do(sqlSetLastSent, string(user), place, string(id))
}

func (t tx) PutFailures(c tries.Counter, f tries.Failures) error {
	if f.Count == 0 {
		return t.do(sqlRemoveFailures, rows.CounterValues(nil, c)...)
	}
	return t.do(sqlPutFailures, rows.FailuresValues(nil, c, f)...)
}

func (t tx) PutApp(a *engine.App) error {
	return t.do(sqlPutApp, rows.AppValues(nil, a)...)
}

func (t tx) RemoveApp(name string) error { return t.do(sqlRemoveApp, name) }

// Prune deletes from the oldest on, so that what lies below the last deleted
// challenge is a range without gaps.
func (t tx) Prune(id cloud.ChallengeID, at time.Time, limit int) error {
	if err := t.directly(); err != nil {
		return err
	}
	var last string
	take := func(row rows.Row) { last = row.Text() }
	err := t.c.query(sqlPruneTo, take, string(id), int64(limit-1))
	if err == nil && last == "" { // fewer than limit
		err = t.c.query(sqlPruneToLast, take, string(id))
	}
	if err != nil {
		return err
	}
	if last != "" {
		err := errors.Join(t.do(sqlPruneSent, last, last), t.do(sqlPruneChallenges, last), t.do(sqlPruneAttempts, last),
			t.do(sqlPruneReceipts, last), t.do(sqlPruneFlights, last))
		if err != nil {
			return err
		}
	}
	old := false
	err = t.c.query(sqlOldFailures, func(rows.Row) { old = true }, rows.Nanos(at))
	if err != nil || !old {
		return err
	}
	return t.do(sqlPruneFailures, rows.Nanos(at), int64(limit))
}
