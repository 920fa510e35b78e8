package postgres

import (
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/oath"
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
func (t *tx) query(text string, scan func(rows.Row), args ...any) error {
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

// Statements that insert or replace.
var (
	sqlSetMeta      = rows.Put("meta", "name", "name, value")
	sqlPutUser      = rows.Put("users", "id", rows.UserColumns)
	sqlPutToken     = rows.Put("tokens", "user_id, id", "user_id, "+rows.TokenColumns)
	sqlPutChallenge = rows.Put("challenges", "id", challengeColumns)
	sqlPutAttempt   = rows.Put("attempts", rows.AttemptKeys, rows.AttemptKeys+", "+rows.AttemptColumns)
	sqlSetLastSent  = rows.Put("last_sent", "user_id, place", "user_id, place, challenge")
	sqlPutFailures  = rows.Put("failures", "user_id, "+rows.FailuresKeys, "user_id, "+rows.FailuresKeys+", "+rows.FailuresColumns)
	sqlPutApp       = rows.Put("apps", "name", rows.AppColumns)
	sqlPutDevice    = rows.Put("devices", "user_id, id", "user_id, "+rows.DeviceColumns)
	sqlPutGroup     = rows.Put("groups", "id", rows.GroupColumns)
)

// Statements that write otherwise.
const (
	sqlRemoveMeta  = "DELETE FROM meta WHERE name = $1"
	sqlRemoveUser  = "DELETE FROM users WHERE id = $1"
	sqlClaim       = "INSERT INTO names (space, name, user_id) VALUES ($1, $2, $3)"
	sqlOwner       = "SELECT user_id FROM names WHERE space = $1 AND name = $2"
	sqlReleaseOne  = "DELETE FROM names WHERE space = $1 AND name = $2"
	sqlSerialOf    = "SELECT user_id, id FROM tokens WHERE serial = $1"
	sqlSetClock    = "UPDATE tokens SET (" + rows.ClockColumns + ") = ($1, $2, $3, $4) WHERE user_id = $5 AND id = $6"
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
	sqlPruneWriters = "DELETE FROM writers WHERE id IN (SELECT id FROM writers WHERE seen < " + serverTime + " - $1 LIMIT $2)"
)

// writerLife is how long the number of a process that commits nothing is kept. It
// is asked for within seconds: by whoever does not know what became of a commit.
// The server's clock counts, which all processes share: with its own, one that is
// ahead of the others would forget what they are about to ask for.
const (
	writerLife = 7 * 24 * time.Hour
	serverTime = "extract(epoch FROM now())::bigint"
)

func (t *tx) RemoveMeta(name string) error { return t.do(sqlRemoveMeta, name) }

func (t *tx) SetMeta(name string, value []byte) error {
	return t.do(sqlSetMeta, name, rows.Full(value))
}

func (t *tx) PutUser(u *engine.User) error { return t.do(sqlPutUser, rows.UserValues(nil, u)...) }

func (t *tx) RemoveUser(id cloud.UserID) error { return t.do(sqlRemoveUser, string(id)) }

// Claim looks first: nobody else writes meanwhile.
func (t *tx) Claim(space engine.Space, name string, user cloud.UserID) (owner cloud.UserID, err error) {
	err = t.query(sqlOwner, func(row rows.Row) { owner = cloud.UserID(row.Text()) }, int64(space), name)
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
	err := t.query(sqlSerialOf, func(row rows.Row) {
		user, id := row.Text(), row.Text()
		taken = user != string(k.User) || id != k.ID
	}, k.Serial)
	switch {
	case err != nil:
		return err
	case taken:
		return engine.ErrTaken
	}
	return t.do(sqlPutToken, rows.TokenValues(nil, k)...)
}

func (t *tx) SetClock(user cloud.UserID, id string, c oath.Clock) error {
	return t.do(sqlSetClock, append(rows.ClockValues(nil, c), string(user), id)...)
}

func (t *tx) RemoveToken(user cloud.UserID, id string) error {
	return t.do(sqlRemoveToken, string(user), id)
}

func (t *tx) SetSpent(fingerprint string, second int64) error {
	return t.do(sqlSetSpent, fingerprint, second)
}

func (t *tx) PutChallenge(c *engine.Challenge) error {
	return t.do(sqlPutChallenge, rows.ChallengeValues(nil, c)...)
}

func (t *tx) PutAttempt(a *engine.Attempt) error {
	return t.do(sqlPutAttempt, rows.AttemptValues(nil, a)...)
}

func (t *tx) SetLastSent(user cloud.UserID, place string, id cloud.ChallengeID) error {
	return t.do(sqlSetLastSent, string(user), place, string(id))
}

func (t *tx) PutFailures(c tries.Counter, f tries.Failures) error {
	if f.Count == 0 {
		return t.do(sqlRemoveFailures, rows.CounterValues(nil, c)...)
	}
	return t.do(sqlPutFailures, rows.FailuresValues(nil, c, f)...)
}

func (t *tx) PutApp(a *engine.App) error {
	return t.do(sqlPutApp, rows.AppValues(nil, a)...)
}

func (t *tx) RemoveApp(name string) error { return t.do(sqlRemoveApp, name) }

// Prune deletes from the oldest on, so that what lies below the last deleted
// challenge is a range without gaps.
func (t *tx) Prune(id cloud.ChallengeID, at time.Time, limit int) error {
	var last string
	err := t.query(sqlPruneTo, func(row rows.Row) { last = row.Text() }, string(id), int64(limit))
	if err != nil {
		return err
	}
	if last != "" {
		if err := errors.Join(t.do(sqlPruneSent, last), t.do(sqlPruneChallenges, last), t.do(sqlPruneAttempts, last),
			t.do(sqlPruneReceipts, last), t.do(sqlPruneFlights, last)); err != nil {
			return err
		}
	}
	return errors.Join(t.do(sqlPruneFailures, rows.Nanos(at), int64(limit)), t.do(sqlPruneWriters, int64(writerLife/time.Second), int64(limit)))
}
