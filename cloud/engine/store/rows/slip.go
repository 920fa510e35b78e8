package rows

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// SlipColumns are those of slips, without the user's.
const SlipColumns = "id, data, until"

// Slip reads one, the user first.
func Slip(r Row) engine.Slip {
	return engine.Slip{User: cloud.UserID(r.Text()), ID: r.Text(), Data: r.Bytes(), Until: clock(r)}
}

// SlipValues appends what is written, the user first.
func SlipValues(to []any, s *engine.Slip) []any {
	return append(to, string(s.User), s.ID, Full(s.Data), Nanos(s.Until))
}
