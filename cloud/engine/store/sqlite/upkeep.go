package sqlite

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
)

// Statements for what is done to a store as a whole, or about one person. The
// last ones walk whole tables, and may: nobody waits for them at a login.
const (
	sqlMetaNames       = "SELECT name FROM meta WHERE name >= +$1 AND name < +$2 ORDER BY name"
	sqlChallengesAfter = "SELECT " + challengeColumns + " FROM challenges WHERE id > +$1 ORDER BY id LIMIT +$2"
	sqlFailuresOf      = "SELECT " + rows.FailuresKeys + ", " + rows.FailuresColumns + " FROM failures WHERE user = +$1 ORDER BY way, place"
	sqlForgetFailures  = "DELETE FROM failures WHERE user = $1"
	sqlForgetSent      = "DELETE FROM last_sent WHERE user = $1"

	sqlForgetAttempts   = "DELETE FROM attempts WHERE challenge IN (SELECT id FROM challenges WHERE user = $1)"
	sqlForgetChallenges = "DELETE FROM challenges WHERE user = $1"
	sqlFenceTokens      = "UPDATE tokens SET last_step = max(last_step, $1 / period + max(drift, 0) + CASE proven WHEN 0 THEN $2 ELSE $3 END), seen_step = 0"
	sqlFenceSpent       = "UPDATE spent SET second = max(second, $1)"
	sqlFenceAside       = "UPDATE users SET aside = NULL WHERE aside IS NOT NULL"
	sqlFenceChallenges  = "DELETE FROM challenges"
	sqlFenceAttempts    = "DELETE FROM attempts"
	sqlFenceSent        = "DELETE FROM last_sent"
	sqlFenceSlips       = "DELETE FROM slips"
	sqlForgetSlips      = "DELETE FROM slips WHERE user = $1"
)

// MetaNames implements [engine.Reader]. Names are ASCII.
func (r reader) MetaNames(prefix string) (names []string, err error) {
	err = r.c.query(sqlMetaNames, func(row rows.Row) { names = append(names, row.Text()) }, prefix, prefix+"\x7f")
	return names, err
}

func (r reader) ChallengesAfter(id cloud.ChallengeID, limit int) ([]*engine.Challenge, error) {
	return r.challenges(sqlChallengesAfter, string(id), int64(limit))
}

func (r reader) FailuresOf(user string) (map[tries.Counter]tries.Failures, error) {
	all := map[tries.Counter]tries.Failures{}
	err := r.c.query(sqlFailuresOf, func(row rows.Row) {
		c := tries.Counter{User: user, Way: row.Text(), Place: row.Text()}
		all[c] = rows.Failures(row)
	}, user)
	return all, err
}

// ForgetUser overwrites what it deletes, and what the rest of this process
// deletes after it; the file's log is cleared with its next checkpoint.
func (t tx) ForgetUser(user cloud.UserID) error {
	if err := t.c.script("PRAGMA secure_delete=ON"); err != nil {
		return err
	}
	for _, sql := range []string{sqlForgetAttempts, sqlForgetChallenges, sqlForgetSent, sqlForgetFailures, sqlForgetSlips, sqlForgetReceipts, sqlForgetFlights} {
		if err := t.do(sql, string(user)); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) Fence(at time.Time, proven, unproven int) error {
	second := at.Unix()
	if err := t.do(sqlFenceTokens, second, int64(unproven), int64(proven)); err != nil {
		return err
	}
	if err := t.do(sqlFenceSpent, second); err != nil {
		return err
	}
	for _, sql := range []string{sqlFenceAside, sqlFenceChallenges, sqlFenceAttempts, sqlFenceSent, sqlFenceSlips, sqlFenceFlights, sqlFenceReceipts} {
		if err := t.do(sql); err != nil {
			return err
		}
	}
	return nil
}
