package postgres

import (
	"context"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
)

// Statements for what is done to a store as a whole, or about one person. The
// last ones walk whole tables, and may: nobody waits for them at a login.
const (
	sqlMetaNames       = "SELECT name FROM meta WHERE name >= $1 AND name < $2 ORDER BY name"
	sqlChallengesAfter = "SELECT " + challengeColumns + " FROM challenges WHERE id > $1 ORDER BY id LIMIT $2"
	sqlFailuresOf      = "SELECT " + rows.FailuresKeys + ", " + rows.FailuresColumns + " FROM failures WHERE user_id = $1 ORDER BY way, place"
	sqlForgetFailures  = "DELETE FROM failures WHERE user_id = $1"
	sqlForgetSent      = "DELETE FROM last_sent WHERE user_id = $1"

	sqlForgetAttempts   = "DELETE FROM attempts WHERE challenge IN (SELECT id FROM challenges WHERE user_id = $1)"
	sqlForgetChallenges = "DELETE FROM challenges WHERE user_id = $1"
	sqlFenceTokens      = "UPDATE tokens SET last_step = greatest(last_step, $1 / period + greatest(drift, 0) + CASE proven WHEN 0 THEN $2::bigint ELSE $3::bigint END), seen_step = 0"
	sqlFenceSpent       = "UPDATE spent SET second = greatest(second, $1)"
	sqlFenceAside       = "UPDATE users SET aside = NULL WHERE aside IS NOT NULL"
	sqlFenceChallenges  = "DELETE FROM challenges"
	sqlFenceAttempts    = "DELETE FROM attempts"
	sqlFenceSent        = "DELETE FROM last_sent"
	sqlFenceSlips       = "DELETE FROM slips"
	sqlForgetSlips      = "DELETE FROM slips WHERE user_id = $1"
	sqlUnhurried        = "SET LOCAL statement_timeout = 0"
)

// MetaNames implements [engine.Reader]. Names are ASCII.
func (r reader) MetaNames(prefix string) (names []string, err error) {
	err = r.query(sqlMetaNames, func(row rows.Row) { names = append(names, row.Text()) }, prefix, prefix+"\x7f")
	return names, err
}

func (r reader) ChallengesAfter(id cloud.ChallengeID, limit int) ([]*engine.Challenge, error) {
	return r.challenges(sqlChallengesAfter, string(id), int64(limit))
}

func (r reader) FailuresOf(user string) (map[tries.Counter]tries.Failures, error) {
	all := map[tries.Counter]tries.Failures{}
	err := r.query(sqlFailuresOf, func(row rows.Row) {
		c := tries.Counter{User: user, Way: row.Text(), Place: row.Text()}
		all[c] = rows.Failures(row)
	}, user)
	return all, err
}

// ForgetUser deletes. PostgreSQL overwrites what was deleted when the table is
// vacuumed and the space is used again; its log and backups keep it longer.
func (t *tx) ForgetUser(user cloud.UserID) error {
	for _, sql := range []string{sqlForgetAttempts, sqlForgetChallenges, sqlForgetSent, sqlForgetFailures, sqlForgetSlips, sqlForgetReceipts, sqlForgetFlights} {
		if err := t.do(sql, string(user)); err != nil {
			return err
		}
	}
	return nil
}

// unhurried lifts the limits on time from the rest of the transaction: what is
// to do grows with the store, and nobody logs in before it is done. A server
// that is gone is noticed all the same.
func (t *tx) unhurried() error {
	t.c.ctx = context.WithoutCancel(t.c.ctx)
	return t.do(sqlUnhurried)
}

func (t *tx) Fence(at time.Time, proven, unproven int) error {
	second := at.Unix()
	if err := t.unhurried(); err != nil {
		return err
	}
	if err := t.SetMeta(metaOrigin, []byte(t.origin)); err != nil {
		return err
	}
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
