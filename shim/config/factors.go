package config

import "mfabridge/internal/confcheck"

// FirstFactors are the blocks primaries and usernames alone, for another
// program's configuration that has them too.
type FirstFactors struct {
	Primaries map[string]*Primary
	Usernames Usernames
}

// Check completes them as Load does: secrets are read, and relative paths count
// from folder. Warnings are sentences for the operator.
func (f *FirstFactors) Check(folder string) (warnings []string, problems []error) {
	k := &check{Config: &Config{Primaries: f.Primaries, Usernames: f.Usernames}, Check: confcheck.Check{Folder: folder}}
	k.primaries()
	k.usernames()
	f.Usernames = k.Usernames
	return k.Warnings, k.Problems
}
