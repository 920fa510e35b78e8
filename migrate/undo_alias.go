package migrate

import (
	"slices"

	"mfabridge/cloud"
)

// keepAliases makes c take back the aliases that the plan has brought, and
// leave those alone that came or went since. It tells whether it could: where
// anything else of the user is another than apply left it, c stays as it is.
func keepAliases(c *PlannedChange, now cloud.Value) bool {
	ours, back, have := c.Before.Profile, c.After.Profile, now.Profile
	if c.Method != cloud.Account || ours == nil || back == nil || have == nil || !equalBesideAliases(*ours, *have) && !equalBesideAliases(*back, *have) {
		return false
	}
	merged := *back
	merged.Aliases = slices.DeleteFunc(slices.Clone(have.Aliases), func(name string) bool {
		return hasAlias(ours.Aliases, name) && !hasAlias(back.Aliases, name)
	})
	for _, name := range back.Aliases {
		if !hasAlias(ours.Aliases, name) && !hasAlias(merged.Aliases, name) {
			merged.Aliases = append(merged.Aliases, name)
		}
	}
	c.After.Profile = &merged
	return true
}

// equalBesideAliases compares all of two profiles but their aliases.
func equalBesideAliases(a, b cloud.Profile) bool {
	a.Aliases, b.Aliases = nil, nil
	return a.Equal(b)
}

func hasAlias(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return alike(n, name) })
}
