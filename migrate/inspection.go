package migrate

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// InspectionText writes an inspection for people: the outlook, the overview,
// and the findings by severity and code, each with its place.
func InspectionText(w io.Writer, o Overview, findings *Listing) error {
	t := &groups{w: bufio.NewWriterSize(w, 64<<10), listing: findings}
	o.WriteText(t.w)
	for f, err := range findings.Findings() {
		if err != nil {
			return err
		}
		t.finding(&f)
	}
	t.rest()
	return t.w.Flush()
}

// groups writes findings, a heading for each code.
type groups struct {
	w        *bufio.Writer
	listing  *Listing
	severity Severity
	code     Code
	listed   int // findings of this code so far
}

func (t *groups) finding(f *Listed) {
	if f.Code != t.code {
		t.rest()
		t.heading(&f.Finding)
	}
	t.listed++
	fmt.Fprintf(t.w, "    %s: %s%s\n", cmp.Or(f.Place, "the export"), f.about(), f.Detail)
	if a := f.Accepted; a != nil {
		fmt.Fprintf(t.w, "      accepted by %s: %s\n", Plain(a.Approver), Plain(a.Reason))
	}
}

// about is whom or which column a finding is about, in front of its detail.
func (f *Listed) about() string {
	switch {
	case f.Username != "":
		return f.Username + ": "
	case f.Field != "" && !strings.Contains(f.Detail, f.Field):
		return f.Field + ": "
	default:
		return ""
	}
}

func (t *groups) heading(f *Finding) {
	if f.Severity != t.severity {
		t.severity = f.Severity
		fmt.Fprintf(t.w, "\n%s\n", severityWords[f.Severity])
	}
	t.code, t.listed = f.Code, 0
	fmt.Fprintf(t.w, "\n  %s, %d\n", f.Code, t.listing.Count(f.Code))
	if f.Action != "" {
		fmt.Fprintf(t.w, "  to do: %s\n", f.Action)
	}
}

// rest ends a group.
func (t *groups) rest() {
	if t.code == "" {
		return
	}
	if more := t.listing.Count(t.code) - t.listed; more > 0 {
		fmt.Fprintf(t.w, "    and %d more (--all lists them)\n", more)
	}
}

// severityWords head the findings of a severity.
var severityWords = map[Severity]string{
	SeverityError:   "ERRORS: somebody is locked out, let in or left behind if nothing is done",
	SeverityWarning: "WARNINGS: something moves in another way or not at all",
	SeverityInfo:    "GOOD TO KNOW",
}

// InspectionJSON is a [Sink] that writes an inspection as JSON lines: an
// object of type "user" for each user, of type "finding" for what belongs to
// none. Summary ends the report.
type InspectionJSON struct{ r *Report }

// NewInspectionJSON returns an InspectionJSON on w.
func NewInspectionJSON(w io.Writer) *InspectionJSON { return &InspectionJSON{r: NewReport(w, false)} }

type acceptedForm struct {
	Reason   string `json:"reason"`
	Approver string `json:"approver"`
}

func acceptedFormOf(a *Acceptance) *acceptedForm {
	if a == nil {
		return nil
	}
	return &acceptedForm{a.Reason, a.Approver}
}

// placedForm is a finding of a user with its place.
type placedForm struct {
	findingForm
	Place    string        `json:"place"`
	Accepted *acceptedForm `json:"accepted,omitempty"`
}

// Add writes a user.
func (j *InspectionJSON) Add(d Decision) error {
	form := struct {
		Type     string       `json:"type"`
		Username string       `json:"username"`
		UPN      string       `json:"upn"`
		Outlook  Outlook      `json:"outlook"`
		Findings []placedForm `json:"findings"`
	}{"user", d.Username, d.UPN, d.Outlook, make([]placedForm, len(d.Findings))}
	for i, f := range d.Findings {
		form.Findings[i] = placedForm{findingForm{f.Code, f.Severity, f.Field, f.Detail, f.Action}, f.Place, acceptedFormOf(f.Accepted)}
	}
	return j.r.line(form)
}

// Problem writes a finding that belongs to no user.
func (j *InspectionJSON) Problem(f Finding) error {
	return j.r.line(struct {
		problemForm
		Field    string        `json:"field"`
		Accepted *acceptedForm `json:"accepted,omitempty"`
	}{problemForm{"finding", f.Code, f.Severity, f.Place, f.Detail, f.Action}, f.Field, acceptedFormOf(f.Accepted)})
}

// Overview writes the RADIUS clients and the counts, and ends the report.
func (j *InspectionJSON) Overview(o Overview) error {
	for _, c := range o.Clients() {
		if err := j.client(c); err != nil {
			return err
		}
	}
	s, e := o.Summary, o.Export
	err := j.r.line(struct {
		Type        string                   `json:"type"`
		Outlook     map[Outlook]int          `json:"outlook"`
		Findings    map[Code]int             `json:"findings"`
		Accepted    map[Code]int             `json:"accepted"`
		Modes       map[legacy.Mode]int      `json:"modes"`
		Methods     map[cloud.Method]int     `json:"methods"`
		Countries   map[string]int           `json:"countries"`
		Devices     devicesForm              `json:"devices"`
		Tokens      devicesForm              `json:"tokens"`
		Activations map[Platform]map[Age]int `json:"activations"`
		Rows        rowsForm                 `json:"rows"`
		Activity    activityForm             `json:"activity"`
		Settings    settingsForm             `json:"settings"`
	}{"summary", s.Outlook, s.Findings, s.Accepted, s.Modes, s.Methods, s.Countries, devicesForm{s.Devices, s.DevicesWithSecret},
		devicesForm{int(e.Tokens), int(e.TokensWithSecret)}, s.Activated, rowsForm{e.Rows, e.Users, e.SkippedRows, e.SkippedOwn, e.Duplicates, e.DuplicateRows()},
		activityFormOf(e), settingsForm{o.Settings.Present, len(o.Settings.RadiusClients), len(o.Settings.LDAPClients),
			len(o.Settings.Caching), len(o.Settings.TrustedIPs)}})
	if err != nil {
		return err
	}
	return j.r.Flush()
}

type rowsForm struct {
	Rows          int64 `json:"rows"`
	Users         int64 `json:"users"`
	Skipped       int64 `json:"skipped"` // of all tables
	SkippedUsers  int64 `json:"skipped_users"`
	Duplicates    int64 `json:"duplicates"` // names
	DuplicateRows int64 `json:"duplicate_rows"`
}

type settingsForm struct {
	Present       bool `json:"present"`
	RadiusClients int  `json:"radius_clients"`
	LDAPClients   int  `json:"ldap_clients"`
	CachingRules  int  `json:"caching_rules"`
	TrustedRanges int  `json:"trusted_ranges"`
}

type activityForm struct {
	Attempts        int64  `json:"attempts"`
	First           string `json:"first,omitempty"`
	Last            string `json:"last,omitempty"`
	UsersWith       int64  `json:"users_with"`
	UsersWithout    int64  `json:"users_without"`
	UnknownUsers    int64  `json:"unknown_users"`
	UnknownAttempts int64  `json:"unknown_attempts"`
}

func activityFormOf(e legacy.Summary) activityForm {
	a := e.Activity
	if a.Attempts == 0 {
		return activityForm{}
	}
	return activityForm{a.Attempts, dated("", a.First), dated("", a.Last), a.Users, e.Users - a.Users, a.UnknownUsers, a.UnknownAttempts}
}

func (j *InspectionJSON) client(c Client) error {
	return j.r.line(struct {
		Type        string `json:"type"`
		Name        string `json:"name"`
		Address     string `json:"address"`
		Application string `json:"application"`
		InSettings  bool   `json:"in_settings"`
		Secret      bool   `json:"shared_secret"`
		UserMatch   bool   `json:"require_user_match"`
		InActivity  bool   `json:"in_activity"`
		Shared      bool   `json:"shared_application"`
		Attempts    int64  `json:"attempts"`
		Users       int64  `json:"users"`
		Last        string `json:"last,omitempty"`
	}{"radius_client", c.Name, c.Address, c.Application, c.InSettings, c.Secret, c.UserMatch, c.InActivity, c.Shared,
		c.Attempts, c.Users, dated("", c.Last)})
}
