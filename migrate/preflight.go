package migrate

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Preflight asks a target whether it would take a plan, and changes nothing. A
// target that offers no checks is one check whose result is unknown.
func Preflight(ctx context.Context, dir cloud.DirectoryReader) ([]cloud.Check, error) {
	p, ok := dir.(cloud.Preflighter)
	if !ok {
		return []cloud.Check{{Name: "preflight", Result: cloud.CheckUnknown, Detail: "this target offers no checks",
			Action: "Make a plan: it says what cannot move."}}, nil
	}
	checks, err := p.Preflight(ctx)
	if err != nil {
		return nil, fmt.Errorf("the target cannot be asked whether it is ready: %w", err)
	}
	return checks, nil
}

// Blockers are the checks for which an apply would fail.
func Blockers(checks []cloud.Check) []cloud.Check {
	var out []cloud.Check
	for _, c := range checks {
		if c.Result == cloud.CheckBlocker {
			out = append(out, c)
		}
	}
	return out
}

// CheckText is a check as people read it.
func CheckText(c cloud.Check) string {
	text := fmt.Sprintf("%-8s %s: %s", c.Result, c.Name, c.Detail)
	if c.Action != "" {
		text += " -- " + c.Action
	}
	return Plain(text)
}

// checks makes findings of the checks that block, and of administrators whom
// nobody could tell from other users.
func (f findings) checks(all []cloud.Check, tell func(Finding) error) error {
	for _, c := range all {
		code := TargetNotReady
		switch {
		case c.Result == cloud.CheckBlocker:
		case c.Name == cloud.CheckEligible && c.Result != cloud.CheckPassed:
			code = EligibleNotSeen
		default:
			continue
		}
		if err := tell(f.of(code, c.Name, c.Detail+". "+c.Action)); err != nil {
			return err
		}
	}
	return nil
}

// toldOfEligible refuses a run that the target tells less of administrators
// than the plan: who has become one since would be written to like everybody
// else. A plan that was not told has said so ([EligibleNotSeen]).
func toldOfEligible(ctx context.Context, planned []cloud.Check, dir cloud.DirectoryReader) error {
	passed := func(all []cloud.Check) (cloud.Check, bool) {
		i := slices.IndexFunc(all, func(c cloud.Check) bool { return c.Name == cloud.CheckEligible })
		if i < 0 {
			return cloud.Check{}, false
		}
		return all[i], all[i].Result == cloud.CheckPassed
	}
	if _, told := passed(planned); !told {
		return nil
	}
	now, err := Preflight(ctx, dir)
	if err != nil {
		return err
	}
	if c, told := passed(now); !told {
		return hint.New("this run is told less of administrators than the plan was: "+cmp.Or(c.Detail, "the target offers no such check"),
			"let it run as the application that planned, or with the same permissions; or plan again as this one")
	}
	return nil
}

type checkForm struct {
	Type   string            `json:"type,omitempty"`
	Name   string            `json:"name"`
	Result cloud.CheckResult `json:"result"`
	Detail string            `json:"detail"`
	Action string            `json:"action"`
}

func checkForms(checks []cloud.Check) []checkForm {
	forms := make([]checkForm, len(checks))
	for i, c := range checks {
		forms[i] = checkForm{"", c.Name, c.Result, c.Detail, c.Action}
	}
	return forms
}

// ShowChecks writes checks as JSON lines, then a summary of target and counts.
func ShowChecks(w io.Writer, target Target, checks []cloud.Check) error {
	r := NewReport(w, false)
	count := map[cloud.CheckResult]int{}
	for i, form := range checkForms(checks) {
		form.Type = "check"
		count[checks[i].Result]++
		if err := r.line(form); err != nil {
			return err
		}
	}
	err := r.line(struct {
		Type   string                    `json:"type"`
		Target targetForm                `json:"target"`
		Checks map[cloud.CheckResult]int `json:"checks"`
	}{"summary", formOf(target), count})
	if err != nil {
		return err
	}
	return r.Flush()
}
