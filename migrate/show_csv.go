package migrate

import (
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strings"
)

// ShowCSV writes the findings of a plan for a spreadsheet, a row each: those
// of users in the order of the export, then those that belong to none, whose
// place stands in the column field.
func ShowCSV(ctx context.Context, w io.Writer, p PlanReader) error {
	out := csv.NewWriter(w)
	row := func(wave, username, upn string, f Finding) error {
		where := f.Field
		if username == "" && f.Place != "" {
			where = f.Place
		}
		return out.Write(cells(wave, username, upn, string(f.Code), string(f.Severity), where, f.Detail, f.Action))
	}
	if err := out.Write([]string{"wave", "username", "upn", "code", "severity", "field", "detail", "action"}); err != nil {
		return err
	}
	for d, err := range p.Users(ctx, Masked) {
		if err != nil {
			return err
		}
		for _, f := range d.Findings {
			if err := row(d.Wave, d.Username, d.UPN, f); err != nil {
				return err
			}
		}
	}
	for f, err := range p.Problems(ctx) {
		if err != nil {
			return err
		}
		if err := row("", "", "", f); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ShowUsersCSV writes a row a user, for a mail merge: what is done, what
// awaits the user, and what has to be done by people (of warnings and errors,
// each once).
func ShowUsersCSV(ctx context.Context, w io.Writer, p PlanReader) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"wave", "username", "upn", "action", "outlook", "action_needed"}); err != nil {
		return err
	}
	for d, err := range p.Users(ctx, Masked) {
		if err != nil {
			return err
		}
		if err := out.Write(cells(d.Wave, d.Username, d.UPN, string(d.Action), words(d.Outlook), needed(d.Findings))); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// needed joins what is to be done about warnings and errors.
func needed(findings []Finding) string {
	var actions []string
	for _, f := range findings {
		if f.Severity != SeverityInfo && f.Action != "" && !slices.Contains(actions, f.Action) {
			actions = append(actions, f.Action)
		}
	}
	return strings.Join(actions, " ")
}

// cells makes texts fit for a spreadsheet.
func cells(texts ...string) []string {
	for i, s := range texts {
		texts[i] = Cell(s)
	}
	return texts
}

// Cell is a text as it stands in a CSV file for people: nothing that a
// terminal obeys, and nothing that a spreadsheet would take for a formula,
// which begins with one of these characters, also behind spaces.
func Cell(s string) string {
	s = Plain(s)
	if first := strings.TrimLeft(s, " \u00a0\u3000"); first != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(first)[0]) {
		return "'" + s
	}
	return s
}
