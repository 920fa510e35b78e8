package migrate

import (
	"fmt"
	"io"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// InspectionText is a [Sink] that writes the findings of an inspection for
// people, a line each: of users in the order of the export, then the others.
type InspectionText struct {
	W   io.Writer
	err error
}

// Add writes the findings of a user.
func (t *InspectionText) Add(d Decision) error {
	for i := range d.Findings {
		t.line(Plain(d.Username), &d.Findings[i])
	}
	return t.err
}

// Problem writes a finding that belongs to no user.
func (t *InspectionText) Problem(f Finding) error {
	t.line(Plain(f.Place), &f)
	return t.err
}

func (t *InspectionText) line(where string, f *Finding) {
	if _, err := fmt.Fprintf(t.W, "%-8s %-28s %s: %s\n", f.Severity, f.Code, where, f.Detail); t.err == nil {
		t.err = err
	}
}

// InspectionJSON is a [Sink] that writes an inspection as JSON lines: an
// object of type "user" for each user, of type "finding" for what belongs to
// none. Summary ends the report.
type InspectionJSON struct{ r *Report }

// NewInspectionJSON returns an InspectionJSON on w.
func NewInspectionJSON(w io.Writer) *InspectionJSON { return &InspectionJSON{r: NewReport(w, false)} }

// Add writes a user.
func (j *InspectionJSON) Add(d Decision) error {
	form := struct {
		Type     string        `json:"type"`
		Username string        `json:"username"`
		UPN      string        `json:"upn"`
		Outlook  Outlook       `json:"outlook"`
		Findings []findingForm `json:"findings"`
	}{"user", d.Username, d.UPN, d.Outlook, make([]findingForm, len(d.Findings))}
	for i, f := range d.Findings {
		form.Findings[i] = findingForm{f.Code, f.Severity, f.Field, f.Detail, f.Action}
	}
	return j.r.line(form)
}

// Problem writes a finding that belongs to no user.
func (j *InspectionJSON) Problem(f Finding) error {
	return j.r.line(problemForm{"finding", f.Code, f.Severity, f.Place, f.Detail, f.Action})
}

// Summary writes the counts and ends the report.
func (j *InspectionJSON) Summary(s Summary) error {
	err := j.r.line(struct {
		Type      string               `json:"type"`
		Outlook   map[Outlook]int      `json:"outlook"`
		Findings  map[Code]int         `json:"findings"`
		Modes     map[legacy.Mode]int  `json:"modes"`
		Methods   map[cloud.Method]int `json:"methods"`
		Countries map[string]int       `json:"countries"`
		Devices   devicesForm          `json:"devices"`
	}{"summary", s.Outlook, s.Findings, s.Modes, s.Methods, s.Countries, devicesForm{s.Devices, s.DevicesWithSecret}})
	if err != nil {
		return err
	}
	return j.r.Flush()
}
