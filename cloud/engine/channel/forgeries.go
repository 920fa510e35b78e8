package channel

import (
	"sync"
	"time"

	"mfabridge/internal/seldom"
)

// forgeries counts calls that were not believed. Anybody may make them, and is not
// to fill the log.
type forgeries struct {
	mu    sync.Mutex
	all   uint64 // since the start
	since int    // since they were told of
	told  seldom.Word
}

// add counts one more. times is how many are to be told of now; 0: none.
func (f *forgeries) add(now time.Time) (times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all++
	f.since++
	if !f.told.Due(now) {
		return 0
	}
	times, f.since = f.since, 0
	return times
}

func (f *forgeries) count() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}
