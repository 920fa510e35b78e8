package rehearse

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mfabridge/internal/hint"
)

// Kind is a way to misbehave.
type Kind string

const (
	Throttle    Kind = "throttle"    // the call is refused, with Retry-After if a duration is given
	Unavailable Kind = "unavailable" // the call is not made
	Lost        Kind = "lost"        // the Write is made and its answer lost
	Partial     Kind = "partial"     // of every user only the first few changes of a Write are made
	Denied      Kind = "denied"      // changes of some users are refused for good
	ReadOnly    Kind = "read-only"   // the Write is refused as a whole
	Slow        Kind = "slow"        // the call takes that much longer
	Late        Kind = "late"        // a Read misses a Write for that long
	Die         Kind = "die"         // the process ends before the Write
	DieAfter    Kind = "die-after"   // the process ends right behind the Write
	Gone        Kind = "gone"        // from that Write on nothing answers any more
)

// kinds says what each kind is written with.
var kinds = map[Kind]struct{ duration, needsDuration bool }{
	Throttle: {duration: true}, Unavailable: {}, Lost: {}, Partial: {}, Denied: {}, ReadOnly: {},
	Slow: {true, true}, Late: {true, true}, Die: {}, DieAfter: {}, Gone: {},
}

// Bounds of a specification.
const (
	maxSpec     = 1000
	maxDuration = time.Hour
)

// Fault is one thing that goes wrong.
type Fault struct {
	Kind     Kind
	First    int     // number of the first Write that it is about, from 1; 0: not counted
	Last     int     // the last one
	Share    float64 // of the calls (Denied: of the users) that it hits, above 0 to 1
	Duration time.Duration
}

// Faults are what a [Wrap]ped target does wrong. The zero Faults are none.
type Faults struct {
	Seed   uint64
	Faults []Fault
}

const specAdvice = "write KIND[@FIRST[-LAST]][=SHARE%][:DURATION],… with a KIND of throttle, unavailable, lost, partial, denied, read-only, " +
	"slow, late, die, die-after or gone, e.g. seed=7,throttle=10%:2s,lost@3,late:5s"

// Parse reads faults as the package comment describes them.
func Parse(spec string) (Faults, error) {
	var f Faults
	if len(spec) > maxSpec {
		return f, hint.New(fmt.Sprintf("the faults are longer than %d bytes", maxSpec), specAdvice)
	}
	for word := range strings.SplitSeq(spec, ",") {
		word = strings.TrimSpace(word)
		if seed, ok := strings.CutPrefix(word, "seed="); ok {
			n, err := strconv.ParseUint(seed, 10, 64)
			if err != nil {
				return Faults{}, hint.New(fmt.Sprintf("%q is no seed", seed), "it is a number")
			}
			f.Seed = n
			continue
		}
		fault, ok := parseFault(word)
		if !ok {
			return Faults{}, hint.New(fmt.Sprintf("%q is no fault", word), specAdvice)
		}
		f.Faults = append(f.Faults, fault)
	}
	return f, nil
}

func parseFault(word string) (f Fault, ok bool) {
	rest, duration, hasDuration := strings.Cut(word, ":")
	rest, share, hasShare := strings.Cut(rest, "=")
	kind, calls, hasCalls := strings.Cut(rest, "@")
	f = Fault{Kind: Kind(kind), Share: 1}
	takes, known := kinds[f.Kind]
	if !known || hasDuration && !takes.duration || takes.needsDuration && !hasDuration {
		return f, false
	}
	if hasDuration {
		d, err := time.ParseDuration(duration)
		if err != nil || d <= 0 || d > maxDuration {
			return f, false
		}
		f.Duration = d
	}
	if hasShare {
		percent, isPercent := strings.CutSuffix(share, "%")
		n, err := strconv.ParseFloat(percent, 64)
		if !isPercent || err != nil || !(n > 0 && n <= 100) {
			return f, false
		}
		f.Share = n / 100
	}
	return f, !hasCalls || f.calls(calls)
}

// calls reads "7", "3-5" and "3-".
func (f *Fault) calls(text string) bool {
	first, last, isRange := strings.Cut(text, "-")
	var err error
	if f.First, err = strconv.Atoi(first); err != nil || f.First < 1 {
		return false
	}
	switch {
	case !isRange:
		f.Last = f.First
	case last == "":
		f.Last = math.MaxInt
	default:
		f.Last, err = strconv.Atoi(last)
	}
	return err == nil && f.Last >= f.First
}
