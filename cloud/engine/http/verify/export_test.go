package verify

// Seams for tests outside the package.
const (
	MaxBehind = maxBehind
	MaxNodes  = maxNodes
	KeepFor   = keepFor
	Beat      = beat
	MaxStream = maxStream
)
