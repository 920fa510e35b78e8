package sqlite

import (
	"database/sql/driver"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// reader implements [engine.Reader] on one connection inside a transaction.
type reader struct{ c *conn }

// Placeholders stand in ascending order: the driver binds them by their first
// appearance, not by their number. The plus before some keeps SQLite from
// planning by the value that is bound: the driver clears bindings before each
// use, and a statement whose plan depends on one would be compiled every time,
// at ten times the cost.
const (
	userColumns = "users.id, upn, display_name, aliases, sid, enabled, mobile, alternate, office, email, preference, " +
		"blocked_until, password, created, class, roles, devices, aside, email_proof"
	sqlMeta       = "SELECT value FROM meta WHERE name = $1"
	sqlUser       = "SELECT " + userColumns + " FROM users WHERE id = $1"
	sqlUserNamed  = "SELECT " + userColumns + " FROM names JOIN users ON users.id = names.user WHERE space = +$1 AND name = +$2"
	sqlUsersAfter = "SELECT " + userColumns + " FROM users WHERE id > +$1 ORDER BY id LIMIT +$2"
	sqlTokens     = "SELECT id, method, name, serial, manufacturer, model, algorithm, digits, period, fingerprint, sealed, " +
		"proven, drift, last_step, seen_step FROM tokens WHERE user = +$1 ORDER BY id"
	sqlSpent         = "SELECT second FROM spent WHERE fingerprint = $1"
	challengeColumns = "id, request_key, user, method, state, reason, prompt, app, place, tries, sent, context, created, expires, decided, flags"
	sqlChallenge     = "SELECT " + challengeColumns + " FROM challenges WHERE id = $1"
	sqlAttempt       = "SELECT state, reason, tries, at FROM attempts WHERE challenge = $1 AND answer_key = $2"
	sqlLastSent      = "SELECT challenge FROM last_sent WHERE user = $1 AND place = $2"
	sqlFailures      = "SELECT count, last FROM failures WHERE user = $1 AND way = $2 AND place = $3"
	sqlDevices       = "SELECT id, name, state, until, created, public_key, opened, aside FROM devices WHERE user = +$1 ORDER BY id"
	sqlGroup         = "SELECT id, name, created FROM groups WHERE id = $1"
	sqlGroupNamed    = "SELECT id, groups.name, created FROM names JOIN groups ON groups.id = names.user WHERE space = 2 AND names.name = +$1"
	sqlGroupsAfter   = "SELECT id, name, created FROM groups WHERE id > +$1 ORDER BY id LIMIT +$2"
	sqlMembersAfter  = "SELECT member FROM members WHERE parent = +$1 AND kind = +$2 AND member > +$3 ORDER BY member LIMIT +$4"
	sqlParents       = "SELECT parent FROM members WHERE member = +$1 ORDER BY parent LIMIT +$2"
	appColumns       = "name, role, digest, created, until, disabled"
	sqlApp           = "SELECT " + appColumns + " FROM apps WHERE name = $1"
	sqlApps          = "SELECT " + appColumns + " FROM apps ORDER BY name"
)

// nano and clock turn times into columns and back; 0 is the zero time.
func nano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func clock(v driver.Value) time.Time {
	n := integer(v)
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (r reader) Meta(name string) (value []byte, err error) {
	err = r.c.query(sqlMeta, 1, func(row []driver.Value) error { value = blob(row[0]); return nil }, name)
	return value, err
}

func scanUser(row []driver.Value) *engine.User {
	u := &engine.User{Password: blob(row[12]), Created: clock(row[13]), Aside: blob(row[17]), Proof: blob(row[18])}
	u.ID = cloud.UserID(text(row[0]))
	u.Profile = cloud.Profile{UPN: text(row[1]), DisplayName: text(row[2]), SID: text(row[4]), Enabled: integer(row[5]) != 0}
	if aliases := text(row[3]); aliases != "" {
		u.Aliases = strings.Split(aliases, "\n")
	}
	class := integer(row[14])
	u.Guest, u.External, u.Devices = class&1 != 0, class&2 != 0, int(integer(row[16]))
	if roles := text(row[15]); roles != "" {
		u.Roles = strings.Split(roles, "\n")
	}
	u.Mobile, u.Alternate, u.Office, u.Email = text(row[6]), text(row[7]), text(row[8]), text(row[9])
	u.Default, u.BlockedUntil = cloud.Preference(text(row[10])), clock(row[11])
	return u
}

func (r reader) users(sql string, args ...driver.Value) (users []*engine.User, err error) {
	err = r.c.query(sql, 19, func(row []driver.Value) error { users = append(users, scanUser(row)); return nil }, args...)
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
	err = r.c.query(sqlTokens, 15, func(row []driver.Value) error {
		t := engine.Token{User: user, Sealed: blob(row[10])}
		t.ID, t.Method = text(row[0]), cloud.Method(text(row[1]))
		t.OATH = cloud.OATH{Name: text(row[2]), Serial: text(row[3]), Manufacturer: text(row[4]), Model: text(row[5]),
			Algorithm: cloud.Algorithm(text(row[6])), Digits: int(integer(row[7])), Period: int(integer(row[8])), Fingerprint: text(row[9])}
		t.Clock = engine.Clock{Proven: integer(row[11]) != 0, Drift: int(integer(row[12])), Last: integer(row[13]), Seen: integer(row[14])}
		tokens = append(tokens, t)
		return nil
	}, string(user))
	return tokens, err
}

func (r reader) Spent(fingerprint string) (second int64, err error) {
	err = r.c.query(sqlSpent, 1, func(row []driver.Value) error { second = integer(row[0]); return nil }, fingerprint)
	return second, err
}

func (r reader) challenge(sql, arg string) (*engine.Challenge, error) {
	found, err := r.challenges(sql, arg)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (r reader) challenges(sql string, args ...driver.Value) (found []*engine.Challenge, err error) {
	err = r.c.query(sql, 16, func(row []driver.Value) error {
		c := &engine.Challenge{ID: cloud.ChallengeID(text(row[0])), Key: text(row[1]), User: cloud.UserID(text(row[2])),
			Method: cloud.Preference(text(row[3])), State: cloud.State(text(row[4])), Reason: cloud.Reason(text(row[5])),
			Prompt: text(row[6]), Place: text(row[8]), Tries: int(integer(row[9])),
			Sent: blob(row[10]), Context: blob(row[11]), Created: clock(row[12]), Expires: clock(row[13]), Decided: clock(row[14]),
			Proven: integer(row[15])&1 != 0, Bypassed: integer(row[15])&2 != 0}
		var ok bool
		if c.Owner, c.App, ok = strings.Cut(text(row[7]), ownerEnds); !ok {
			c.Owner, c.App = "", c.Owner
		}
		found = append(found, c)
		return nil
	}, args...)
	return found, err
}

func (r reader) Challenge(id cloud.ChallengeID) (*engine.Challenge, error) {
	return r.challenge(sqlChallenge, string(id))
}

func (r reader) Attempt(id cloud.ChallengeID, key string) (a *engine.Attempt, err error) {
	err = r.c.query(sqlAttempt, 4, func(row []driver.Value) error {
		a = &engine.Attempt{Challenge: id, Key: key, State: cloud.State(text(row[0])), Reason: cloud.Reason(text(row[1])),
			Tries: int(integer(row[2])), At: clock(row[3])}
		return nil
	}, string(id), key)
	return a, err
}

func (r reader) LastSent(user cloud.UserID, place string) (id cloud.ChallengeID, err error) {
	err = r.c.query(sqlLastSent, 1, func(row []driver.Value) error { id = cloud.ChallengeID(text(row[0])); return nil }, string(user), place)
	return id, err
}

func (r reader) Failures(c engine.Counter) (f engine.Failures, err error) {
	err = r.c.query(sqlFailures, 2, func(row []driver.Value) error {
		f = engine.Failures{Count: int(integer(row[0])), Last: clock(row[1])}
		return nil
	}, c.User, c.Way, c.Place)
	return f, err
}

func (r reader) apps(sql string, args ...driver.Value) (apps []engine.App, err error) {
	err = r.c.query(sql, 6, func(row []driver.Value) error {
		apps = append(apps, engine.App{Name: text(row[0]), Role: engine.Role(text(row[1])), Digest: blob(row[2]),
			Created: clock(row[3]), Until: clock(row[4]), Disabled: integer(row[5]) != 0})
		return nil
	}, args...)
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
