package engine

import (
	"fmt"
	"time"

	"mfabridge/cloud"
)

// waiting is a flight that somebody may still have to open.
type waiting struct {
	row   *Flight
	state flight
}

// waitingFlights are the flights of challenges that wait for their answer. What
// others hold is never sent any more, and goes with its challenge.
func waitingFlights(r Reader, now time.Time) (found []waiting, err error) {
	for last := oldestID(now.Add(-remembered)); ; {
		page, err := r.ChallengesAfter(last, pageSize)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if last = c.ID; c.Method != cloud.SMS || c.State != cloud.Pending || !now.Before(c.Expires) {
				continue
			}
			row, err := r.Flight(c.ID)
			if err != nil {
				return nil, err
			}
			if row == nil {
				continue
			}
			f, err := readFlight(row)
			if err != nil {
				return nil, err
			}
			if len(f.Sealed) > 0 {
				found = append(found, waiting{row, f})
			}
		}
		if len(page) < pageSize {
			return found, nil
		}
	}
}

// resealFlights seals with the primary key what waits for its next channel.
func (e *Engine) resealFlights(tx Tx) (changed int, err error) {
	all, err := waitingFlights(tx, e.now())
	if err != nil {
		return 0, err
	}
	for _, w := range all {
		sealed, err := e.resealed(w.state.Sealed, bindingFlight(w.row.ID))
		if err != nil {
			return 0, fmt.Errorf("message %s: %w", w.row.ID, err)
		}
		if sealed == nil {
			continue
		}
		w.state.Sealed = sealed
		if err := putFlight(tx, w.row.ID, w.row.User, w.row.Due, &w.state); err != nil {
			return 0, err
		}
		changed++
	}
	return changed, nil
}
