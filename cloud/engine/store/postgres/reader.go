package postgres

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
)

// asker runs a reading statement.
type asker interface {
	query(text string, scan func(rows.Row), args ...any) error
}

// reader implements [engine.Reader] inside a transaction.
type reader struct{ asker }

// Statements that read. Every one of them finds its rows by an index, in the
// order that the engine expects.
const (
	challengeColumns = "user_id, " + rows.ChallengeColumns

	sqlMeta         = "SELECT value FROM meta WHERE name = $1"
	sqlUser         = "SELECT " + rows.UserColumns + " FROM users WHERE id = $1"
	sqlUserNamed    = "SELECT " + rows.UserColumns + " FROM names JOIN users ON users.id = names.user_id WHERE space = $1 AND name = $2"
	sqlUsersAfter   = "SELECT " + rows.UserColumns + " FROM users WHERE id > $1 ORDER BY id LIMIT $2"
	sqlTokens       = "SELECT " + rows.TokenColumns + " FROM tokens WHERE user_id = $1 ORDER BY id"
	sqlSpent        = "SELECT second FROM spent WHERE fingerprint = $1"
	sqlHolder       = "SELECT user_id FROM tokens WHERE fingerprint = $1 AND user_id <> $2 LIMIT 1"
	sqlChallenge    = "SELECT " + challengeColumns + " FROM challenges WHERE id = $1"
	sqlByKey        = "SELECT " + challengeColumns + " FROM challenges WHERE request_key = $1 ORDER BY created DESC LIMIT 1"
	sqlAttempt      = "SELECT " + rows.AttemptColumns + " FROM attempts WHERE challenge = $1 AND answer_key = $2"
	sqlLastSent     = "SELECT challenge FROM last_sent WHERE user_id = $1 AND place = $2"
	sqlFailures     = "SELECT " + rows.FailuresColumns + " FROM failures WHERE user_id = $1 AND way = $2 AND place = $3"
	sqlDevices      = "SELECT " + rows.DeviceColumns + " FROM devices WHERE user_id = $1 ORDER BY id"
	sqlGroup        = "SELECT " + rows.GroupColumns + " FROM groups WHERE id = $1"
	sqlGroupNamed   = "SELECT " + rows.GroupColumns + " FROM groups WHERE id = (SELECT user_id FROM names WHERE space = 2 AND name = $1)"
	sqlGroupsAfter  = "SELECT " + rows.GroupColumns + " FROM groups WHERE id > $1 ORDER BY id LIMIT $2"
	sqlMembersAfter = "SELECT member FROM members WHERE parent = $1 AND kind = $2 AND member > $3 ORDER BY member LIMIT $4"
	sqlParents      = "SELECT parent FROM members WHERE member = $1 ORDER BY parent LIMIT $2"
	sqlApp          = "SELECT " + rows.AppColumns + " FROM apps WHERE name = $1"
	sqlApps         = "SELECT " + rows.AppColumns + " FROM apps ORDER BY name"
)

func (r reader) Meta(name string) (value []byte, err error) {
	err = r.query(sqlMeta, func(row rows.Row) { value = row.Bytes() }, name)
	return value, err
}

func (r reader) users(sql string, args ...any) (users []*engine.User, err error) {
	err = r.query(sql, func(row rows.Row) { users = append(users, rows.User(row)) }, args...)
	return users, err
}

// first is the only user of a list, or nil.
func first(users []*engine.User, err error) (*engine.User, error) {
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return users[0], nil
}

func (r reader) User(id cloud.UserID) (*engine.User, error) {
	return first(r.users(sqlUser, string(id)))
}

func (r reader) UserNamed(space engine.Space, name string) (*engine.User, error) {
	return first(r.users(sqlUserNamed, int64(space), name))
}

func (r reader) UsersAfter(id cloud.UserID, limit int) ([]*engine.User, error) {
	return r.users(sqlUsersAfter, string(id), int64(limit))
}

func (r reader) Tokens(user cloud.UserID) (tokens []engine.Token, err error) {
	err = r.query(sqlTokens, func(row rows.Row) { tokens = append(tokens, rows.Token(row, user)) }, string(user))
	return tokens, err
}

func (r reader) Spent(fingerprint string) (second int64, err error) {
	err = r.query(sqlSpent, func(row rows.Row) { second = row.Number() }, fingerprint)
	return second, err
}

func (r reader) HolderBesides(user cloud.UserID, fingerprint string) (holder cloud.UserID, err error) {
	err = r.query(sqlHolder, func(row rows.Row) { holder = cloud.UserID(row.Text()) }, fingerprint, string(user))
	return holder, err
}

func (r reader) challenge(sql, arg string) (*engine.Challenge, error) {
	found, err := r.challenges(sql, arg)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (r reader) challenges(sql string, args ...any) (found []*engine.Challenge, err error) {
	err = r.query(sql, func(row rows.Row) { found = append(found, rows.Challenge(row)) }, args...)
	return found, err
}

func (r reader) Challenge(id cloud.ChallengeID) (*engine.Challenge, error) {
	return r.challenge(sqlChallenge, string(id))
}

func (t *tx) ChallengeByKey(key string) (*engine.Challenge, error) {
	return t.challenge(sqlByKey, key)
}

func (r reader) Attempt(id cloud.ChallengeID, key string) (a *engine.Attempt, err error) {
	err = r.query(sqlAttempt, func(row rows.Row) { a = rows.Attempt(row, id, key) }, string(id), key)
	return a, err
}

func (r reader) LastSent(user cloud.UserID, place string) (id cloud.ChallengeID, err error) {
	err = r.query(sqlLastSent, func(row rows.Row) { id = cloud.ChallengeID(row.Text()) }, string(user), place)
	return id, err
}

func (r reader) Failures(c tries.Counter) (f tries.Failures, err error) {
	err = r.query(sqlFailures, func(row rows.Row) { f = rows.Failures(row) }, c.User, c.Way, c.Place)
	return f, err
}

func (r reader) apps(sql string, args ...any) (apps []engine.App, err error) {
	err = r.query(sql, func(row rows.Row) { apps = append(apps, rows.App(row)) }, args...)
	return apps, err
}

func (r reader) App(name string) (*engine.App, error) {
	apps, err := r.apps(sqlApp, name)
	if err != nil || len(apps) == 0 {
		return nil, err
	}
	return &apps[0], nil
}

func (r reader) Apps() ([]engine.App, error) { return r.apps(sqlApps) }
