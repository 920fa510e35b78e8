package postgres

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
)

// Statements about messages on their way.
const (
	flightColumns     = "user_id, " + rows.FlightColumns
	sqlFlight         = "SELECT " + flightColumns + " FROM flights WHERE id = $1"
	sqlFlightOf       = "SELECT " + flightColumns + " FROM receipts JOIN flights ON flights.id = receipts.flight WHERE name = $1"
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
	sqlPutFlight  = rows.Put("flights", "id", flightColumns)
	sqlPutReceipt = rows.Put("receipts", "name", "name, flight")
)

func (r reader) flights(sql string, args ...any) (found []*engine.Flight, err error) {
	err = r.query(sql, func(row rows.Row) { found = append(found, rows.Flight(row)) }, args...)
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
	return r.flights(sqlFlightsDue, rows.Nanos(by), int64(limit))
}

func (t *tx) PutFlight(f *engine.Flight) error {
	return t.do(sqlPutFlight, rows.FlightValues(nil, f)...)
}

func (t *tx) PutReceipt(name string, flight cloud.ChallengeID) error {
	return t.do(sqlPutReceipt, name, string(flight))
}
