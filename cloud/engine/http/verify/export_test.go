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
