package migrate

// Holds is for tests.
var Holds = holds

// For tests of what has a short way for most and a long one for the rest.
var (
	IsMailbox = isMailbox
	Label     = label
)
