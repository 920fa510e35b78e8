package migrate

import (
	"context"
	"io"

	"mfabridge/cloud"
)

type findingForm struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Field    string   `json:"field"`
	Detail   string   `json:"detail"`
	Action   string   `json:"action"`
}

type problemForm struct {
	Type     string   `json:"type"`
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Place    string   `json:"place"`
	Detail   string   `json:"detail"`
	Action   string   `json:"action"`
}

type summaryForm struct {
	Type      string           `json:"type"`
	Outlook   map[Outlook]int  `json:"outlook"`
	Users     map[Action]int   `json:"users"`
	Changes   map[cloud.Op]int `json:"changes"`
	Findings  map[Code]int     `json:"findings"`
	Deadlines map[string]int   `json:"deadlines"` // users by the date that ends what they use
	Estimate  estimateForm     `json:"estimate"`
	Unread    int              `json:"unread"` // rows of users in no group of the outlook
	Devices   devicesForm      `json:"devices"`
	Digest    string           `json:"digest"`
	Seal      string           `json:"seal"`
	Accepted  []acceptanceForm `json:"accepted"` // what no gate of this plan counted
	Waves     []waveForm       `json:"waves"`    // in the order of the options
	Plan      planForm         `json:"plan"`     // what it was made from
}

type acceptanceForm struct {
	Code     Code   `json:"code"`
	User     string `json:"user"`
	Reason   string `json:"reason"`
	Approver string `json:"approver"`
}

func acceptanceForms(all []Acceptance) []acceptanceForm {
	forms := make([]acceptanceForm, len(all))
	for i, a := range all {
		forms[i] = acceptanceForm{a.Code, a.User, a.Reason, a.Approver}
	}
	return forms
}

type devicesForm struct {
	Total      int `json:"total"`
	WithSecret int `json:"with_secret"`
}

// ShowJSON writes a plan as JSON lines: its users in the order of the export,
// the findings that belong to none, then a summary. Values are masked unless
// reveal, which needs the plan's key.
func ShowJSON(ctx context.Context, w io.Writer, p PlanReader, reveal bool) error {
	r := NewReport(w, reveal)
	for d, err := range p.Users(ctx, view(reveal)) {
		if err != nil {
			return err
		}
		if err := r.decision(&d); err != nil {
			return err
		}
	}
	for f, err := range p.Problems(ctx) {
		if err != nil {
			return err
		}
		if err := r.line(problemForm{"finding", f.Code, f.Severity, f.Place, f.Detail, f.Action}); err != nil {
			return err
		}
	}
	s := p.Summary()
	err := r.line(summaryForm{"summary", counted(s.Outlook), counted(s.Users), counted(s.Changes), counted(s.Findings),
		counted(s.Deadlines), s.Estimate.form(), s.Unread, devicesForm{s.Devices, s.DevicesWithSecret}, p.Digest(), seal(p), acceptanceForms(p.Header().Accepted), waveForms(p), planFormOf(p)})
	if err != nil {
		return err
	}
	return r.Flush()
}

func view(reveal bool) View {
	if reveal {
		return Revealed
	}
	return Masked
}

// seal says in a report whether the plan's seal was checked.
func seal(p PlanReader) string {
	if p.Sealed() {
		return "holds"
	}
	return "not checked"
}
