package channel

import (
	"sync"
	"time"
)

// forgedEvery is how often forged calls are told of: anybody may make them, and is
// not to fill the log.
const forgedEvery = time.Minute

// forgeries counts calls that were not believed.
type forgeries struct {
	mu    sync.Mutex
	all   uint64    // since the start
	since int       // since they were told of
	at    time.Time // when that was
}

// add counts one more. times is how many are to be told of now; 0: none.
func (f *forgeries) add(now time.Time) (times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all++
	f.since++
	if !f.at.IsZero() && now.Sub(f.at) < forgedEvery {
		return 0
	}
	times, f.since, f.at = f.since, 0, now
	return times
}

func (f *forgeries) count() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}
