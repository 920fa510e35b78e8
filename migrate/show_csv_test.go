package migrate_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"strings"
	"testing"

	"mfabridge/migrate"
)

// paper is a plan in memory.
type paper struct {
	users    []migrate.Decision
	problems []migrate.Finding
	err      error
}

func (p paper) Header() migrate.Header   { return migrate.Header{} }
func (p paper) Summary() migrate.Summary { return migrate.NewSummary() }
func (p paper) Digest() string           { return "" }
func (p paper) Sealed() bool             { return true }

func (p paper) Users(context.Context, migrate.View) iter.Seq2[migrate.Decision, error] {
	return func(yield func(migrate.Decision, error) bool) {
		for _, d := range p.users {
			if !yield(d, nil) {
				return
			}
		}
		if p.err != nil {
			yield(migrate.Decision{}, p.err)
		}
	}
}

func (p paper) Problems(context.Context) iter.Seq2[migrate.Finding, error] {
	return func(yield func(migrate.Finding, error) bool) {
		for _, f := range p.problems {
			if !yield(f, nil) {
				return
			}
		}
	}
}

var listed = paper{
	users: []migrate.Decision{
		{Username: `=HYPERLINK("http://x")`, UPN: "ada@contoso.example", Action: migrate.Create, Outlook: migrate.MustAct, Findings: []migrate.Finding{
			{Code: "PHONE_INVALID", Severity: migrate.SeverityWarning, Field: "Phone", Detail: "+44 ********00, \"odd\"", Action: "Call the user."},
			{Code: "PIN_NOT_MOVED", Severity: migrate.SeverityWarning, Field: "PinMode", Detail: "a PIN", Action: "Call the user."},
			{Code: "EMAIL_SKIPPED", Severity: migrate.SeverityInfo, Field: "EmailAddress", Detail: "not moved", Action: "Nothing."}}},
		{Username: "@ben", UPN: "ben@contoso.example", Action: migrate.Keep, Outlook: migrate.Works},
	},
	problems: []migrate.Finding{{Code: "ROW_INVALID", Severity: migrate.SeverityError, Field: "Enabled", Place: "users.csv:7:3", Detail: "-1 is\nno boolean"}},
}

func rows(t *testing.T, text string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestShowCSV(t *testing.T) {
	var out bytes.Buffer
	if err := migrate.ShowCSV(t.Context(), &out, listed); err != nil {
		t.Fatal(err)
	}
	got := rows(t, out.String())
	if strings.Join(got[0], ",") != "wave,username,upn,code,severity,field,detail,action" || len(got) != 5 {
		t.Fatalf("got %q", got)
	}
	if got[1][1] != `'=HYPERLINK("http://x")` || got[1][6] != "'+44 ********00, \"odd\"" {
		t.Errorf("a spreadsheet would run a cell of %q", got[1])
	}
	if last := got[4]; last[5] != "users.csv:7:3" || last[6] != `'-1 is\u000ano boolean` {
		t.Errorf("a finding of no user: %q", last)
	}
}

func TestShowUsersCSV(t *testing.T) {
	var out bytes.Buffer
	if err := migrate.ShowUsersCSV(t.Context(), &out, listed); err != nil {
		t.Fatal(err)
	}
	got := rows(t, out.String())
	if len(got) != 3 || got[1][4] != "must act" || got[1][5] != "Call the user." || got[2][1] != "'@ben" || got[2][5] != "" {
		t.Errorf("got %q", got)
	}
}

func TestShowCSVStopsAtAnError(t *testing.T) {
	broken := paper{err: errors.New("torn")}
	for name, show := range map[string]func() error{
		"findings": func() error { return migrate.ShowCSV(t.Context(), &bytes.Buffer{}, broken) },
		"users":    func() error { return migrate.ShowUsersCSV(t.Context(), &bytes.Buffer{}, broken) },
	} {
		if err := show(); err == nil || err.Error() != "torn" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
