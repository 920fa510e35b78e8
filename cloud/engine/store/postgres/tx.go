package postgres

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// tx implements [engine.Tx] on the writing connection. What it writes waits in
// the connection's queue until something is read.
type tx struct {
	reader
	c       *conn
	end     *chainEnd
	origin  string    // see originOf
	own     *chainEnd // what this update has appended to; nil: nothing
	pending int       // writes in the queue
	sent    int       // writes that the server has
	broken  error     // the first error of the server's or the connection's
}

// query implements [asker].
func (t *tx) query(text string, scan func([][]byte) error, args ...any) error {
	if t.broken != nil {
		return t.broken
	}
	if err := t.c.query(text, scan, args...); err != nil {
		t.broken = err
		return err
	}
	t.sent, t.pending = t.sent+t.pending, 0
	return nil
}

// do runs a statement for which nobody waits.
func (t *tx) do(sql string, args ...any) error {
	if t.broken != nil {
		return t.broken
	}
	if err := t.c.later(sql, args...); err != nil {
		return err
	}
	t.pending++
	return nil
}

// put is the statement that inserts or replaces a row; keys are the columns
// that name it.
func put(table, keys, columns string) string {
	var values, set []string
	for i, c := range strings.Split(columns, ", ") {
		values = append(values, fmt.Sprintf("$%d", i+1))
		if !strings.Contains(", "+keys+", ", ", "+c+", ") {
			set = append(set, c+" = excluded."+c)
		}
	}
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + strings.Join(values, ", ") + ") ON CONFLICT (" + keys + ") DO UPDATE SET " + strings.Join(set, ", ")
}

// Statements that insert or replace.
var (
	sqlSetMeta = put("meta", "name", "name, value")
	sqlPutUser = put("users", "id", "id, upn, display_name, aliases, sid, enabled, mobile, alternate, office, email, "+
		"preference, blocked_until, password, created, class, roles, devices, aside, email_proof")
	sqlPutToken = put("tokens", "user_id, id", "user_id, id, method, name, serial, manufacturer, model, algorithm, digits, period, fingerprint, "+
		"sealed, proven, drift, last_step, seen_step")
	sqlPutChallenge = put("challenges", "id", challengeColumns)
	sqlPutAttempt   = put("attempts", "challenge, answer_key", "challenge, answer_key, state, reason, tries, at")
	sqlSetLastSent  = put("last_sent", "user_id, place", "user_id, place, challenge")
	sqlPutFailures  = put("failures", "user_id, way, place", "user_id, way, place, count, last")
	sqlPutApp       = put("apps", "name", appColumns)
	sqlPutDevice    = put("devices", "user_id, id", "user_id, id, name, state, until, created, public_key, opened, aside")
	sqlPutGroup     = put("groups", "id", "id, name, created")
)

// Statements that write otherwise.
const (
	sqlRemoveMeta  = "DELETE FROM meta WHERE name = $1"
	sqlRemoveUser  = "DELETE FROM users WHERE id = $1"
	sqlClaim       = "INSERT INTO names (space, name, user_id) VALUES ($1, $2, $3)"
	sqlOwner       = "SELECT user_id FROM names WHERE space = $1 AND name = $2"
	sqlReleaseOne  = "DELETE FROM names WHERE space = $1 AND name = $2"
	sqlSerialOf    = "SELECT user_id, id FROM tokens WHERE serial = $1"
	sqlSetClock    = "UPDATE tokens SET proven = $1, drift = $2, last_step = $3, seen_step = $4 WHERE user_id = $5 AND id = $6"
	sqlRemoveToken = "DELETE FROM tokens WHERE user_id = $1 AND id = $2"
	sqlSetSpent    = "INSERT INTO spent (fingerprint, second) VALUES ($1, $2) " +
		"ON CONFLICT (fingerprint) DO UPDATE SET second = greatest(spent.second, excluded.second)"
	sqlRemoveFailures = "DELETE FROM failures WHERE user_id = $1 AND way = $2 AND place = $3"
	sqlRemoveApp      = "DELETE FROM apps WHERE name = $1"

	sqlPruneTo         = "SELECT max(id) FROM (SELECT id FROM challenges WHERE id < $1 ORDER BY id LIMIT $2) AS oldest"
	sqlPruneChallenges = "DELETE FROM challenges WHERE id <= $1"
	sqlPruneAttempts   = "DELETE FROM attempts WHERE challenge <= $1"
	sqlPruneSent       = "DELETE FROM last_sent WHERE user_id IN (SELECT user_id FROM challenges WHERE id <= $1 AND method <> 'oath') AND challenge <= $1"
	sqlPruneFailures   = "DELETE FROM failures WHERE (user_id, way, place) IN " +
		"(SELECT user_id, way, place FROM failures WHERE last < $1 ORDER BY last LIMIT $2)"
	sqlPruneWriters = "DELETE FROM writers WHERE id IN (SELECT id FROM writers WHERE seen < $1 LIMIT $2)"
)

// writerLife is how long the number of a process that commits nothing is kept. It
// is asked for within seconds: by whoever does not know what became of a commit.
const writerLife = 7 * 24 * time.Hour

// full is a value of a column that cannot be NULL.
func full(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (t *tx) RemoveMeta(name string) error { return t.do(sqlRemoveMeta, name) }

func (t *tx) SetMeta(name string, value []byte) error { return t.do(sqlSetMeta, name, full(value)) }

func (t *tx) PutUser(u *engine.User) error {
	return t.do(sqlPutUser, string(u.ID), u.UPN, u.DisplayName, strings.Join(u.Aliases, "\n"), u.SID, flag(u.Enabled),
		u.Mobile, u.Alternate, u.Office, u.Email, string(u.Default), nano(u.BlockedUntil), u.Password, nano(u.Created),
		flag(u.Guest)|flag(u.External)<<1, strings.Join(u.Roles, "\n"), int64(u.Devices), u.Aside, u.Proof)
}

func (t *tx) RemoveUser(id cloud.UserID) error { return t.do(sqlRemoveUser, string(id)) }

// Claim looks first: nobody else writes meanwhile.
func (t *tx) Claim(space engine.Space, name string, user cloud.UserID) (owner cloud.UserID, err error) {
	err = t.query(sqlOwner, func(row [][]byte) error { owner = cloud.UserID(text(row[0])); return nil }, int64(space), name)
	if err != nil || owner != "" {
		return owner, err
	}
	return user, t.do(sqlClaim, int64(space), name, string(user))
}

func (t *tx) Release(space engine.Space, name string) error {
	return t.do(sqlReleaseOne, int64(space), name)
}

// PutToken looks first who has the serial number: an error of the server's
// would be the end of the transaction.
func (t *tx) PutToken(k *engine.Token) error {
	taken := false
	err := t.query(sqlSerialOf, func(row [][]byte) error {
		taken = text(row[0]) != string(k.User) || text(row[1]) != k.ID
		return nil
	}, k.Serial)
	switch {
	case err != nil:
		return err
	case taken:
		return engine.ErrTaken
	}
	o := &k.OATH
	return t.do(sqlPutToken, string(k.User), k.ID, string(k.Method), o.Name, o.Serial, o.Manufacturer, o.Model, string(o.Algorithm),
		int64(o.Digits), int64(o.Period), o.Fingerprint, full(k.Sealed), flag(k.Proven), int64(k.Clock.Drift), k.Last, k.Seen)
}

func (t *tx) SetClock(user cloud.UserID, id string, c engine.Clock) error {
	return t.do(sqlSetClock, flag(c.Proven), int64(c.Drift), c.Last, c.Seen, string(user), id)
}

func (t *tx) RemoveToken(user cloud.UserID, id string) error {
	return t.do(sqlRemoveToken, string(user), id)
}

func (t *tx) SetSpent(fingerprint string, second int64) error {
	return t.do(sqlSetSpent, fingerprint, second)
}

func (t *tx) PutChallenge(c *engine.Challenge) error {
	var key any
	if c.Key != "" {
		key = c.Key
	}
	return t.do(sqlPutChallenge, string(c.ID), key, string(c.User), string(c.Method), string(c.State), string(c.Reason),
		c.Prompt, ownedApp(c), c.Place, int64(c.Tries), c.Sent, c.Context, nano(c.Created), nano(c.Expires), nano(c.Decided),
		flag(c.Proven)|flag(c.Bypassed)<<1)
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

func (t *tx) PutAttempt(a *engine.Attempt) error {
	return t.do(sqlPutAttempt, string(a.Challenge), a.Key, string(a.State), string(a.Reason), int64(a.Tries), nano(a.At))
}

func (t *tx) SetLastSent(user cloud.UserID, place string, id cloud.ChallengeID) error {
	return t.do(sqlSetLastSent, string(user), place, string(id))
}

func (t *tx) PutFailures(c engine.Counter, f engine.Failures) error {
	if f.Count == 0 {
		return t.do(sqlRemoveFailures, c.User, c.Way, c.Place)
	}
	return t.do(sqlPutFailures, c.User, c.Way, c.Place, int64(f.Count), nano(f.Last))
}

func (t *tx) PutApp(a *engine.App) error {
	return t.do(sqlPutApp, a.Name, string(a.Role), full(a.Digest), nano(a.Created), nano(a.Until), flag(a.Disabled))
}

func (t *tx) RemoveApp(name string) error { return t.do(sqlRemoveApp, name) }

// Prune deletes from the oldest on, so that what lies below the last deleted
// challenge is a range without gaps.
func (t *tx) Prune(id cloud.ChallengeID, at time.Time, limit int) error {
	var last string
	err := t.query(sqlPruneTo, func(row [][]byte) error { last = text(row[0]); return nil }, string(id), int64(limit))
	if err != nil {
		return err
	}
	if last != "" {
		if err := errors.Join(t.do(sqlPruneSent, last), t.do(sqlPruneChallenges, last), t.do(sqlPruneAttempts, last),
			t.do(sqlPruneReceipts, last), t.do(sqlPruneFlights, last)); err != nil {
			return err
		}
	}
	return errors.Join(t.do(sqlPruneFailures, nano(at), int64(limit)), t.do(sqlPruneWriters, time.Now().Add(-writerLife).Unix(), int64(limit)))
}
