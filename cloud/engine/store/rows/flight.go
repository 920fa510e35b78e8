package rows

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// FlightColumns are those of flights, without the user's.
const FlightColumns = "id, due, state"

// Flight reads one, the user first.
func Flight(r Row) *engine.Flight {
	return &engine.Flight{User: cloud.UserID(r.Text()), ID: cloud.ChallengeID(r.Text()), Due: clock(r), State: r.Bytes()}
}

// FlightValues appends what is written, the user first.
func FlightValues(to []any, f *engine.Flight) []any {
	return append(to, string(f.User), string(f.ID), Nanos(f.Due), Full(f.State))
}
