package postgres

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
)

// Statements about slips.
const (
	slipColumns   = "user_id, " + rows.SlipColumns
	sqlSlip       = "SELECT " + slipColumns + " FROM slips WHERE id = $1"
	sqlSlipsOf    = "SELECT " + slipColumns + " FROM slips WHERE user_id = $1 ORDER BY id"
	sqlRemoveSlip = "DELETE FROM slips WHERE id = $1"
	sqlPruneSlips = "DELETE FROM slips WHERE id IN (SELECT id FROM slips WHERE until < $1 ORDER BY until LIMIT $2)"
)

var sqlPutSlip = rows.Put("slips", "id", slipColumns)

func (r reader) slips(sql, arg string) (found []engine.Slip, err error) {
	err = r.query(sql, func(row rows.Row) { found = append(found, rows.Slip(row)) }, arg)
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

func (t *tx) PutSlip(s *engine.Slip) error {
	return t.do(sqlPutSlip, rows.SlipValues(nil, s)...)
}

func (t *tx) RemoveSlip(id string) error { return t.do(sqlRemoveSlip, id) }

func (t *tx) PruneSlips(at time.Time, limit int) error {
	return t.do(sqlPruneSlips, rows.Nanos(at), int64(limit))
}
