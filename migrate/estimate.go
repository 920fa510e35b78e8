package migrate

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"mfabridge/cloud"
)

// Estimate is how long an apply is at it at least, under the target's limits.
type Estimate struct {
	// Requests are calls to the target: where it says what things cost, the sum
	// of that; else a look and a write for every batch.
	Requests int
	// Seconds are nil where the target does not say how fast it takes them.
	Seconds *int
}

// EstimateOf estimates the changes that s counts.
func EstimateOf(s *Summary, caps *cloud.Capabilities) Estimate {
	changes, units := 0, 0.0
	for _, method := range slices.Sorted(maps.Keys(s.ChangesOf)) { // in one order: sums of fractions depend on it
		n := s.ChangesOf[method]
		changes += n
		cost, ok := caps.Pace.Change[method]
		if !ok {
			cost = 1
		}
		units += cost * float64(n)
	}
	units += caps.Pace.Read * float64(s.Users[Create]+s.Users[Modify])
	batch := max(caps.Batch, 1)
	e := Estimate{Requests: 2 * ((changes + batch - 1) / batch)}
	if caps.Pace.Read > 0 || len(caps.Pace.Change) > 0 {
		e.Requests = int(math.Ceil(units))
	}
	if caps.Pace.PerSecond > 0 {
		seconds := int(math.Ceil(units / caps.Pace.PerSecond))
		e.Seconds = &seconds
	}
	return e
}

// String is the estimate for people.
func (e Estimate) String() string {
	text := strconv.Itoa(e.Requests) + " requests"
	if e.Seconds == nil {
		return text + "; how fast the target takes them is not known"
	}
	return text + ", at least " + (time.Duration(*e.Seconds) * time.Second).String()
}
