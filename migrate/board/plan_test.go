package board_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// sample is a plan in memory; everybody and everything in it is synthetic.
type sample struct {
	header    migrate.Header
	summary   migrate.Summary
	unsealed  bool
	users     int
	user      func(i int) migrate.Decision
	problems  []migrate.Finding
	breaksAt  int // the user before whom reading fails; 0: none
	revealing bool
}

func (p *sample) Header() migrate.Header   { return p.header }
func (p *sample) Summary() migrate.Summary { return p.summary }
func (p *sample) Digest() string           { return strings.Repeat("0123456789abcdef", 4) }
func (p *sample) Sealed() bool             { return !p.unsealed }

func (p *sample) Users(_ context.Context, v migrate.View) iter.Seq2[migrate.Decision, error] {
	return func(yield func(migrate.Decision, error) bool) {
		p.revealing = p.revealing || v == migrate.Revealed
		for i := range p.users {
			if p.breaksAt > 0 && i == p.breaksAt {
				yield(migrate.Decision{}, fmt.Errorf("user %d cannot be read", i))
				return
			}
			if !yield(p.user(i), nil) {
				return
			}
		}
	}
}

func (p *sample) Problems(context.Context) iter.Seq2[migrate.Finding, error] {
	return func(yield func(migrate.Finding, error) bool) {
		for _, f := range p.problems {
			if !yield(f, nil) {
				return
			}
		}
	}
}

var made = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// plan is a plan of n users: of ten, one is locked out, three have to act, one
// is skipped as disabled, five go on working.
func plan(n int) *sample {
	p := &sample{users: n, user: person, summary: migrate.NewSummary()}
	p.header = migrate.Header{ToolVersion: "1.2.3", PlanID: "plan-1", Created: made, PhoneMetadata: "v1",
		Target:       migrate.Target{Given: "sqlite:cloud.db", Instance: "i-1", Product: "mfabridge engine"},
		Inputs:       []migrate.Input{{Name: "users.csv", SHA256: "5a"}},
		Options:      map[string]string{"create-users": "true", "default-country": "US", "map": ""},
		Capabilities: cloud.Capabilities{CreateUsers: true, Methods: map[cloud.Method]cloud.Access{cloud.Mobile: {Create: true}}},
		Waves:        []migrate.Chosen{{Name: "pilot", Given: "20%"}},
		Accepted:     []migrate.Acceptance{{Code: migrate.NoFactorAfterApply, User: "user0@contoso.example", Reason: "leaves on Friday", Approver: "Dana Board"}}}
	p.header.Preflight = []cloud.Check{{Name: "clock", Result: cloud.CheckPassed, Detail: "2 s apart"},
		{Name: "policy.sms", Result: cloud.CheckBlocker, Detail: "texts are forbidden", Action: "Allow them."}}
	p.summary.Modes[legacy.ModeSMSText] = n
	p.summary.Methods[cloud.Mobile] = n
	p.summary.Accepted[migrate.NoFactorAfterApply] = 1
	p.summary.Deadlines["2027-02-01"], p.summary.Deadlines["unknown"] = 7, 2
	seconds := 5400
	p.summary.Estimate = migrate.Estimate{Requests: 3 * n, Seconds: &seconds}
	p.problems = []migrate.Finding{{Code: migrate.RowInvalid, Severity: migrate.SeverityError, Place: "users.csv:9", Detail: "the row has 2 fields"}}
	return p
}

func person(i int) migrate.Decision {
	d := migrate.Decision{Ordinal: i, Username: fmt.Sprintf("user%d@contoso.example", i), Action: migrate.Modify, Outlook: migrate.Works, MatchedBy: "upn", Target: "t-1"}
	d.UPN = d.Username
	if i%5 == 0 {
		d.Wave = "pilot"
	}
	number := cloud.TextValue(fmt.Sprintf("+1 425555%04d", 100+i%100))
	switch {
	case i%10 == 0:
		d.Outlook, d.Action, d.Target, d.MatchedBy = migrate.LockedOut, migrate.Skip, "", ""
		d.Findings = []migrate.Finding{finding(migrate.NoFactorAfterApply, migrate.SeverityError, "nothing verifies the user")}
	case i%10 < 4:
		d.Outlook = migrate.MustAct
		d.Changes = []migrate.PlannedChange{change(cloud.Add, cloud.Mobile, cloud.Value{}, number), change(cloud.Set, cloud.DefaultMethod, cloud.TextValue("oath"), cloud.TextValue("sms"))}
		d.Findings = []migrate.Finding{finding(migrate.PushNeedsActivation, migrate.SeverityWarning, "pushes do not move"), finding(migrate.PhoneUnverified, migrate.SeverityInfo, "possible")}
	case i%10 == 4:
		d.Outlook, d.Action = migrate.OutOfScope, migrate.Skip
		d.Findings = []migrate.Finding{finding(migrate.UserDisabled, migrate.SeverityInfo, "disabled")}
	default:
		d.Changes = []migrate.PlannedChange{change(cloud.Update, cloud.Mobile, cloud.TextValue("+44 2079460012"), number)}
	}
	return d
}

func finding(code migrate.Code, s migrate.Severity, detail string) migrate.Finding {
	return migrate.Finding{Code: code, Severity: s, Field: "Phone", Detail: detail}
}

func change(op cloud.Op, m cloud.Method, before, after cloud.Value) migrate.PlannedChange {
	return migrate.PlannedChange{Change: cloud.Change{Op: op, Method: m, Before: before, After: after}, Reason: "Phone"}
}

// hostile is what an export could hold to take over a page, a terminal, a
// style or a spreadsheet.
const hostile = `=cmd()|'x'</script></style><!--<script>document.title="taken over"</script><img src=x onerror="document.title='taken over'">{{.JS}}` + "\x1b[2J\u202e\u2028\ue000\x00"

// hostilePlan says hostile things wherever a text from outside can stand.
func hostilePlan() *sample {
	p := plan(30)
	p.header = migrate.Header{ToolVersion: hostile, PlanID: hostile, Created: made, PhoneMetadata: hostile,
		Target: migrate.Target{Given: hostile, Instance: hostile, Product: hostile}, Inputs: []migrate.Input{{Name: hostile, SHA256: hostile}},
		Options: map[string]string{hostile: hostile}, Capabilities: cloud.Capabilities{Instance: hostile, Telephony: []cloud.Preference{hostile}},
		Preflight: []cloud.Check{{Name: hostile, Result: hostile, Detail: hostile, Action: hostile}},
		Waves:     []migrate.Chosen{{Name: hostile, Given: hostile}}, Scope: migrate.Chosen{Given: hostile, SHA256: hostile},
		Accepted: []migrate.Acceptance{{Code: hostile, User: hostile, Reason: hostile, Approver: hostile}}}
	p.summary.Modes[hostile] = 3
	p.summary.LeftOut = 1
	p.summary.Deadlines[hostile] = 1
	p.header.Target.Kind, p.header.Target.Assumed = "entra", []string{hostile}
	p.problems = []migrate.Finding{{Code: hostile, Severity: hostile, Place: hostile, Detail: hostile}}
	p.user = func(i int) migrate.Decision {
		d := person(i)
		d.Username, d.UPN, d.Target, d.MatchedBy, d.Wave = fmt.Sprint(hostile, i), "@"+hostile, hostile, hostile, hostile
		d.Changes = append(d.Changes, change(hostile, hostile, cloud.TextValue(hostile), cloud.TextValue("+1 5=cmd()")),
			change(cloud.Add, cloud.SoftwareOATH, cloud.Value{}, cloud.Value{OATH: &cloud.OATH{Name: hostile, Serial: hostile, Algorithm: hostile}}),
			change(cloud.Add, cloud.Account, cloud.Value{}, cloud.Value{Profile: &cloud.Profile{UPN: hostile, DisplayName: hostile, Aliases: []string{hostile}}}))
		d.Changes[0].Reason = hostile
		d.Findings = append(d.Findings, migrate.Finding{Code: hostile, Severity: hostile, Field: hostile, Detail: hostile})
		if i == 0 {
			d.Outlook, d.Action, d.Username = hostile, hostile, strings.Repeat("long", 1000)
		}
		return d
	}
	return p
}
