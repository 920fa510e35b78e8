package sqlite

import (
	"database/sql/driver"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Statements about slips.
const (
	slipColumns   = "id, user, data, until"
	sqlSlip       = "SELECT " + slipColumns + " FROM slips WHERE id = $1"
	sqlSlipsOf    = "SELECT " + slipColumns + " FROM slips WHERE user = +$1 ORDER BY id"
	sqlPutSlip    = "INSERT OR REPLACE INTO slips (" + slipColumns + ") VALUES ($1, $2, $3, $4)"
	sqlRemoveSlip = "DELETE FROM slips WHERE id = $1"
	sqlPruneSlips = "DELETE FROM slips WHERE id IN (SELECT id FROM slips WHERE until < $1 ORDER BY until LIMIT $2)"
)

func (r reader) slips(sql, arg string) (found []engine.Slip, err error) {
	err = r.c.query(sql, 4, func(row []driver.Value) error {
		found = append(found, engine.Slip{ID: text(row[0]), User: cloud.UserID(text(row[1])), Data: blob(row[2]), Until: clock(row[3])})
		return nil
	}, arg)
	return found, err
}

func (r reader) Slip(id string) (*engine.Slip, error) {
	found, err := r.slips(sqlSlip, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (r reader) SlipsOf(user cloud.UserID) ([]engine.Slip, error) {
	return r.slips(sqlSlipsOf, string(user))
}

func (t tx) PutSlip(s *engine.Slip) error {
	return t.do(sqlPutSlip, s.ID, string(s.User), s.Data, nano(s.Until))
}

func (t tx) RemoveSlip(id string) error { return t.do(sqlRemoveSlip, id) }

func (t tx) PruneSlips(at time.Time, limit int) error {
	return t.do(sqlPruneSlips, nano(at), int64(limit))
}
