package sqlite

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// tx implements [engine.Tx] on the writing connection.
type tx struct{ reader }

const (
	sqlSetMeta    = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
	sqlRemoveMeta = "DELETE FROM meta WHERE name = $1"
	sqlPutUser    = "INSERT OR REPLACE INTO users (id, upn, display_name, aliases, sid, enabled, mobile, alternate, office, email, " +
		"preference, blocked_until, password, created, class, roles, devices, aside, email_proof) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
	sqlRemoveUser = "DELETE FROM users WHERE id = $1"
	sqlClaim      = "INSERT INTO names (space, name, user) VALUES ($1, $2, $3) ON CONFLICT (space, name) DO NOTHING"
	sqlOwner      = "SELECT user FROM names WHERE space = $1 AND name = $2"
	sqlReleaseOne = "DELETE FROM names WHERE space = $1 AND name = $2"
	sqlPutToken   = "INSERT INTO tokens (user, id, method, name, serial, manufacturer, model, algorithm, digits, period, fingerprint, " +
		"sealed, proven, drift, last_step, seen_step) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) " +
		"ON CONFLICT (user, id) DO UPDATE SET method = excluded.method, name = excluded.name, serial = excluded.serial, " +
		"manufacturer = excluded.manufacturer, model = excluded.model, algorithm = excluded.algorithm, digits = excluded.digits, " +
		"period = excluded.period, fingerprint = excluded.fingerprint, sealed = excluded.sealed, proven = excluded.proven, " +
		"drift = excluded.drift, last_step = excluded.last_step, seen_step = excluded.seen_step"
	sqlSetClock    = "UPDATE tokens SET proven = $1, drift = $2, last_step = $3, seen_step = $4 WHERE user = $5 AND id = $6"
	sqlRemoveToken = "DELETE FROM tokens WHERE user = $1 AND id = $2"
	sqlSetSpent    = "INSERT INTO spent (fingerprint, second) VALUES ($1, $2) " +
		"ON CONFLICT (fingerprint) DO UPDATE SET second = max(second, excluded.second)"
	sqlSetLastSent    = "INSERT OR REPLACE INTO last_sent (user, place, challenge) VALUES ($1, $2, $3)"
	sqlPutFailures    = "INSERT OR REPLACE INTO failures (user, way, place, count, last) VALUES ($1, $2, $3, $4, $5)"
	sqlRemoveFailures = "DELETE FROM failures WHERE user = $1 AND way = $2 AND place = $3"
	sqlPutApp         = "INSERT OR REPLACE INTO apps (" + appColumns + ") VALUES ($1, $2, $3, $4, $5, $6)"
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
func (t tx) do(sql string, args ...driver.Value) error {
	if err := t.directly(); err != nil {
		return err
	}
	return t.c.do(sql, args...)
}

// exec runs a writing statement and returns how many rows it changed.
func (t tx) exec(sql string, args ...driver.Value) (int64, error) {
	if err := t.directly(); err != nil {
		return 0, err
	}
	return t.c.exec(sql, args...)
}

func (t tx) SetMeta(name string, value []byte) error {
	delete(t.c.meta, name)
	return t.do(sqlSetMeta, name, value)
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

func (t tx) PutUser(u *engine.User) error {
	var password, aside, proof driver.Value
	if u.Password != nil {
		password = u.Password
	}
	if u.Aside != nil {
		aside = u.Aside
	}
	if u.Proof != nil {
		proof = u.Proof
	}
	return t.do(sqlPutUser, string(u.ID), u.UPN, u.DisplayName, strings.Join(u.Aliases, "\n"), u.SID, flag(u.Enabled),
		u.Mobile, u.Alternate, u.Office, u.Email, string(u.Default), nano(u.BlockedUntil), password, nano(u.Created),
		flag(u.Guest)|flag(u.External)<<1, strings.Join(u.Roles, "\n"), int64(u.Devices), aside, proof)
}

func (t tx) RemoveUser(id cloud.UserID) error { return t.do(sqlRemoveUser, string(id)) }

func (t tx) Claim(space engine.Space, name string, user cloud.UserID) (cloud.UserID, error) {
	made, err := t.exec(sqlClaim, int64(space), name, string(user))
	if err != nil || made == 1 {
		return user, err
	}
	var owner string
	err = t.c.query(sqlOwner, 1, func(row []driver.Value) error { owner = text(row[0]); return nil }, int64(space), name)
	return cloud.UserID(owner), err
}

func (t tx) Release(space engine.Space, name string) error {
	return t.do(sqlReleaseOne, int64(space), name)
}

func (t tx) PutToken(k *engine.Token) error {
	o := &k.OATH
	err := t.do(sqlPutToken, string(k.User), k.ID, string(k.Method), o.Name, o.Serial, o.Manufacturer, o.Model, string(o.Algorithm),
		int64(o.Digits), int64(o.Period), o.Fingerprint, k.Sealed, flag(k.Proven), int64(k.Clock.Drift), k.Last, k.Seen)
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

// ownerEnds divides who began a challenge from the application that users are
// shown, in one column. Neither holds control characters.
const ownerEnds = "\x1f"

func ownedApp(c *engine.Challenge) string {
	if c.Owner == "" {
		return c.App
	}
	return c.Owner + ownerEnds + c.App
}

func (t tx) SetLastSent(user cloud.UserID, place string, id cloud.ChallengeID) error {
	return t.do(sqlSetLastSent, string(user), place, string(id))
}

func (t tx) PutFailures(c engine.Counter, f engine.Failures) error {
	if f.Count == 0 {
		return t.do(sqlRemoveFailures, c.User, c.Way, c.Place)
	}
	return t.do(sqlPutFailures, c.User, c.Way, c.Place, int64(f.Count), nano(f.Last))
}

func (t tx) PutApp(a *engine.App) error {
	return t.do(sqlPutApp, a.Name, string(a.Role), a.Digest, nano(a.Created), nano(a.Until), flag(a.Disabled))
}

func (t tx) RemoveApp(name string) error { return t.do(sqlRemoveApp, name) }

// Prune deletes from the oldest on, so that what lies below the last deleted
// challenge is a range without gaps.
func (t tx) Prune(id cloud.ChallengeID, at time.Time, limit int) error {
	if err := t.directly(); err != nil {
		return err
	}
	var last string
	take := func(row []driver.Value) error { last = text(row[0]); return nil }
	err := t.c.query(sqlPruneTo, 1, take, string(id), int64(limit-1))
	if err == nil && last == "" { // fewer than limit
		err = t.c.query(sqlPruneToLast, 1, take, string(id))
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
	err = t.c.query(sqlOldFailures, 1, func([]driver.Value) error { old = true; return nil }, nano(at))
	if err != nil || !old {
		return err
	}
	return t.do(sqlPruneFailures, nano(at), int64(limit))
}
