package postgres

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Statements about messages on their way.
const (
	flightColumns     = "id, user_id, due, state"
	sqlFlight         = "SELECT " + flightColumns + " FROM flights WHERE id = $1"
	sqlFlightOf       = "SELECT id, user_id, due, state FROM receipts JOIN flights ON flights.id = receipts.flight WHERE name = $1"
	sqlFlightsDue     = "SELECT " + flightColumns + " FROM flights WHERE due > 0 AND due <= $1 ORDER BY due LIMIT $2"
	sqlPruneFlights   = "DELETE FROM flights WHERE id <= $1"
	sqlPruneReceipts  = "DELETE FROM receipts WHERE flight <= $1"
	sqlForgetFlights  = "DELETE FROM flights WHERE user_id = $1"
	sqlForgetReceipts = "DELETE FROM receipts WHERE flight IN (SELECT id FROM flights WHERE user_id = $1)"
	sqlFenceFlights   = "DELETE FROM flights"
	sqlFenceReceipts  = "DELETE FROM receipts"
)

// Statements that insert or replace.
var (
	sqlPutFlight  = put("flights", "id", flightColumns)
	sqlPutReceipt = put("receipts", "name", "name, flight")
)

func (r reader) flights(sql string, args ...any) (found []*engine.Flight, err error) {
	err = r.query(sql, func(row [][]byte) error {
		found = append(found, &engine.Flight{ID: cloud.ChallengeID(text(row[0])), User: cloud.UserID(text(row[1])), Due: clock(row[2]), State: blob(row[3])})
		return nil
	}, args...)
	return found, err
}

func (r reader) flight(sql, arg string) (*engine.Flight, error) {
	found, err := r.flights(sql, arg)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (r reader) Flight(id cloud.ChallengeID) (*engine.Flight, error) {
	return r.flight(sqlFlight, string(id))
}

func (r reader) FlightOf(receipt string) (*engine.Flight, error) {
	return r.flight(sqlFlightOf, receipt)
}

func (r reader) FlightsDue(by time.Time, limit int) ([]*engine.Flight, error) {
	return r.flights(sqlFlightsDue, nano(by), int64(limit))
}

func (t *tx) PutFlight(f *engine.Flight) error {
	return t.do(sqlPutFlight, string(f.ID), string(f.User), nano(f.Due), full(f.State))
}

func (t *tx) PutReceipt(name string, flight cloud.ChallengeID) error {
	return t.do(sqlPutReceipt, name, string(flight))
}
