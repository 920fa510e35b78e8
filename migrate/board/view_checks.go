package board

import (
	"mfabridge/cloud"
	"mfabridge/migrate"
)

// check is one thing that the target was asked before the plan.
type check struct{ Name, Result, Severity, Detail, Action string }

// checks lists what the target said before the plan was made. A blocker is a
// question to the board as well.
func (v *view) checks(h migrate.Header) {
	for _, c := range h.Preflight {
		row := check{text(c.Name), resultWords(c.Result), "error", text(c.Detail), text(c.Action)}
		switch c.Result {
		case cloud.CheckPassed:
			row.Severity = "works"
		case cloud.CheckWarning, cloud.CheckUnknown:
			row.Severity = "warning"
		default:
			v.Decisions = append(v.Decisions, decision{What: "The target would not take the plan: " + row.Detail, Do: row.Action, Count: "1"})
		}
		v.Checks = append(v.Checks, row)
	}
	v.Open = len(v.Decisions)
}

func resultWords(r cloud.CheckResult) string {
	switch r {
	case cloud.CheckPassed:
		return "passed"
	case cloud.CheckWarning:
		return "worth knowing"
	case cloud.CheckBlocker:
		return "stands in the way"
	case cloud.CheckUnknown:
		return "cannot be seen"
	}
	return text(string(r))
}
