package verify

// Seams for tests outside the package.
const (
	MaxBehind = maxBehind
	MaxNodes  = maxNodes
	MaxFeeds  = maxFeeds
	KeepFor   = keepFor
	Beat      = beat
	MaxStream = maxStream
)

// Waiters is how many challenges somebody waits for.
func (f *Face) Waiters() int {
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	return len(f.feeds.waiters)
}
