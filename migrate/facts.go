package migrate

import (
	"slices"
	"strconv"
	"strings"

	"mfabridge/cloud"
)

// FactsOf lists what a decision about an existing user relies on besides the
// values that its changes replace. Whoever applies the plan reads the user
// again, calls FactsOf, and compares: another list means that the decision
// might be another one today. No change of a plan alters a fact.
func FactsOf(u *cloud.User) []Fact {
	forbidden := make([]string, len(u.Forbidden))
	for i, m := range u.Forbidden {
		forbidden[i] = string(m)
	}
	for _, way := range u.ForbiddenWays {
		forbidden = append(forbidden, string(way))
	}
	slices.Sort(forbidden)
	return []Fact{
		{Name: "upn", Value: u.UPN},
		{Name: "guest", Value: strconv.FormatBool(u.Guest)},
		{Name: "privileged", Value: strconv.FormatBool(u.Privileged)},
		{Name: "sms_sign_in", Value: strconv.FormatBool(u.SMSSignIn)},
		{Name: "forbidden", Value: strings.Join(forbidden, ",")},
	}
}

// factText is what people call a fact.
func factText(name string) string {
	switch name {
	case "upn":
		return "the user principal name"
	case "guest":
		return "the kind, member or guest,"
	case "privileged":
		return "the administrative role"
	case "sms_sign_in":
		return "the sign-in by text"
	case "forbidden":
		return "the list of forbidden methods"
	}
	return name
}
