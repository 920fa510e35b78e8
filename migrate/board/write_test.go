package board_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
	"mfabridge/migrate/board"
)

func page(t testing.TB, p *sample, o board.Options) string {
	t.Helper()
	o.Made, o.Version = made, "1.2.3"
	var b bytes.Buffer
	if err := board.Write(t.Context(), &b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageSaysWhatABoardAsks(t *testing.T) {
	text := page(t, plan(100), board.Options{})
	for _, want := range []string{
		"Of 100 users, 50 go on working with nothing to do, 30 have to do something, 10 would be locked out and 10 are left out as disabled.",
		"checked, and it holds", strings.Repeat("0123456789abcdef", 4), "mfabridge engine, to be created (sqlite:cloud.db)",
		"2 March 2026, 09:30 UTC", "leaves on Friday", "Dana Board", "The plan makes 110 changes, 0 of them new accounts.",
		"at least 1 hour and 30 minutes", "Signature", "in no wave", "Text message",
		"Accounts that do not exist are created", "texts and calls end is 1 February 2027", "no date is published", "The target would not take the plan: texts are forbidden", "users.csv:9", "the row has 2 fields",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if text := page(t, plan(100), board.Options{Wave: "pilot"}); !strings.Contains(text, "Migration plan, wave pilot: 100 users") || !strings.Contains(text, "about the wave pilot alone") {
		t.Error("nothing says that the page is about one wave")
	}
	p := plan(10)
	p.summary.Unread = 2
	if text := page(t, p, board.Options{}); !strings.Contains(text, " 2 rows of users stand in no group: ") {
		t.Error("nothing says that rows stand in no group")
	}
	p.unsealed = true
	if text := page(t, p, board.Options{}); !strings.Contains(text, "The seal was not checked.") {
		t.Error("nothing says that the seal was not checked")
	}
}

func TestOpenQuestions(t *testing.T) {
	p := plan(100)
	if text := page(t, p, board.Options{}); !strings.Contains(text, "10 (1 accepted below)") || !strings.Contains(text, "<strong>3 questions are open.") {
		t.Error("one of ten is accepted, a row is invalid and a check blocks, and the page does not say so")
	}
	clear(p.summary.Accepted) // an acceptance that no finding has met
	if text := page(t, p, board.Options{}); strings.Contains(text, "accepted below") {
		t.Error("an acceptance that no finding has met accepts something")
	}
	p.summary.Accepted[migrate.NoFactorAfterApply], p.problems, p.header.Preflight = 10, nil, nil
	if text := page(t, p, board.Options{}); !strings.Contains(text, "No question is open.") {
		t.Error("all is accepted, and the page does not say so")
	}
	person := p.user
	p.user = func(i int) migrate.Decision {
		d := person(i)
		if i == 5 {
			d.Changes[0].Irreversible = true
		}
		return d
	}
	if text := page(t, p, board.Options{}); !strings.Contains(text, "<strong>1 question is open.") || !strings.Contains(text, "1 change cannot be taken back by undo") {
		t.Error("a change that cannot be taken back is no question")
	}
}

// What apply leaves out by itself and what it makes although undo cannot take
// it back are two questions.
func TestIrreversibleAndLost(t *testing.T) {
	none := cloud.Value{}
	first := change(cloud.Set, cloud.DefaultMethod, none, cloud.TextValue("sms"))
	gone := change(cloud.Remove, cloud.SoftwareOATH, cloud.Value{OATH: &cloud.OATH{Name: "Phone"}}, none)
	first.Irreversible, gone.Irreversible = true, true
	const stays, leaves = "2 changes cannot be taken back by undo: Asked first by (2).", "1 change would take from a user what nobody could give back; apply leaves that out"
	for _, c := range []struct {
		changes        []migrate.PlannedChange
		says, saysNot  string
		questions, all string
	}{
		{[]migrate.PlannedChange{first, first}, stays, "apply leaves", "<strong>1 question is open.", "apply makes and undo cannot take back"},
		{[]migrate.PlannedChange{gone}, leaves, "cannot be taken back by undo", "<strong>1 question is open.", "as apply does by itself"},
		{[]migrate.PlannedChange{first, first, gone}, stays + " " + leaves, "Undo can take all", "<strong>2 questions are open.", "what nobody could give back"},
		{nil, "Undo can take all of them back.", "cannot be taken back by undo", "No question is open.", ""},
	} {
		p := plan(1)
		p.problems, p.header.Preflight, p.header.Accepted = nil, nil, nil
		p.user = func(int) migrate.Decision {
			d := person(5)
			d.Changes = append(d.Changes, c.changes...)
			return d
		}
		text := page(t, p, board.Options{})
		for _, want := range []string{c.says, c.questions, c.all} {
			if !strings.Contains(text, want) {
				t.Errorf("%d changes: %q is missing", len(c.changes), want)
			}
		}
		if strings.Contains(text, c.saysNot) {
			t.Errorf("%d changes: it says %q", len(c.changes), c.saysNot)
		}
	}
}

// A code that is a warning for some and only info for others counts under both,
// as in the other reports, and links lead to the graver.
func TestOneCodeOfTwoSeverities(t *testing.T) {
	p := plan(8)
	p.problems = nil
	p.user = func(i int) migrate.Decision {
		d := person(5)
		d.Findings = []migrate.Finding{finding(migrate.TelephonyRetirement, migrate.SeverityInfo, "the provider delivers")}
		if i < 3 {
			d.Findings[0].Severity = migrate.SeverityWarning
		}
		return d
	}
	text := page(t, p, board.Options{})
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`badge (\w+)">[^<]*</span> <span class="count">(\d+)<`).FindAllStringSubmatch(text, -1) {
		got[m[1]] = m[2]
	}
	if got["error"] != "0" || got["warning"] != "3" || got["info"] != "5" {
		t.Errorf("findings by severity: %v", got)
	}
	ids := regexp.MustCompile(`<li id="(code-\d+(?:-\w+)?)">`).FindAllStringSubmatch(text, -1)
	if len(ids) != 2 || ids[1][1] != ids[0][1]+"-info" {
		t.Errorf("they stand as %v", ids)
	}
}

func TestPolicyAllowsItsOwnPartsOnly(t *testing.T) {
	text := page(t, plan(10), board.Options{})
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if policy == nil {
		t.Fatal("there is no policy")
	}
	rules := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(policy[1])
	if strings.Contains(rules, "unsafe") || !strings.HasPrefix(rules, "default-src 'none'; ") {
		t.Errorf("the policy is lax: %s", rules)
	}
	for _, tag := range []string{"style", "script"} {
		open, end := "<"+tag+">", "</"+tag+">"
		if n := strings.Count(text, open); n != 1 {
			t.Fatalf("%s occurs %d times", open, n)
		}
		_, body, _ := strings.Cut(text, open)
		body, _, _ = strings.Cut(body, end)
		sum := sha256.Sum256([]byte(body))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(rules, tag+"-src "+want) {
			t.Errorf("the policy does not name the %s %s: %s", tag, want, rules)
		}
	}
	for _, outside := range []string{"http:", "https:", "src=", "@import", "url(", "style=\"", "<link", "<iframe"} {
		if strings.Contains(text, outside) {
			t.Errorf("the page asks for something, or has a style of its own: %s", outside)
		}
	}
}

func TestTextsFromOutsideAreInert(t *testing.T) {
	text := page(t, hostilePlan(), board.Options{})
	for tag, want := range map[string]int{"<style": 1, "</style>": 1, "<img": 0, "<!--": 0, "<script>": 1, `"use strict"`: 1} {
		if got := strings.Count(text, tag); got != want {
			t.Errorf("%s occurs %d times, want %d", tag, got, want)
		}
	}
	if open, closed := strings.Count(text, "<script"), strings.Count(text, "</script>"); open != closed || open != 4 {
		t.Errorf("%d scripts begin and %d end, want 4: meta, index, details and the program", open, closed)
	}
	if strings.ContainsAny(text, "\x1b\u202e\u2028\x00") {
		t.Error("something in it steers a terminal")
	}
	if n := len(regexp.MustCompile(`(long){100}…`).FindAllString(text, -1)); n == 0 {
		t.Error("a long name was not cut with a mark")
	}
	for _, data := range regexp.MustCompile(`<script type="application/json"[^>]*>(.*?)</script>`).FindAllStringSubmatch(text, -1) {
		if !json.Valid([]byte(data[1])) {
			t.Errorf("not JSON: %.200s", data[1])
		}
		for _, cell := range regexp.MustCompile(`["\\][n"]([=@|%-][^"]*)"`).FindAllStringSubmatch(data[1], -1) {
			t.Errorf("a spreadsheet would run %q", cell[1])
		}
	}
}

func TestValuesAreMaskedUnlessRevealed(t *testing.T) {
	p := plan(20)
	if text := page(t, p, board.Options{}); strings.Contains(text, "4255550101") || !strings.Contains(text, "+1 ********01") || p.revealing {
		t.Error("numbers are not masked")
	}
	text := page(t, p, board.Options{Reveal: true})
	if !strings.Contains(text, "+1 4255550101") || !strings.Contains(text, "shows telephone numbers and addresses in full") || !p.revealing {
		t.Error("numbers are not shown in full, or the page does not say that they are")
	}
}

// A page that cannot list everybody lists those first whom somebody has to
// look at, and says so.
func TestMoreUsersThanAPageLists(t *testing.T) {
	text := page(t, plan(100), board.Options{Most: 20})
	if !strings.Contains(text, "The table lists 20 of 100 users: first those with an error") {
		t.Error("nothing says that users are left out")
	}
	var names []string
	for _, data := range regexp.MustCompile(`class="index">(.*?)</script>`).FindAllStringSubmatch(text, -1) {
		var index struct {
			N []string
			K string
		}
		if err := json.Unmarshal([]byte(data[1]), &index); err != nil {
			t.Fatal(err)
		}
		names = append(names, index.N...)
		if strings.Count(index.K, "13") != 10 || strings.Count(index.K, "21") != 10 {
			t.Errorf("not ten of the locked out and ten of those who have to act: %s", index.K)
		}
	}
	if len(names) != 20 {
		t.Errorf("%d users are listed", len(names))
	}
	if text := page(t, plan(100), board.Options{}); strings.Contains(text, "The table lists") {
		t.Error("a page that lists everybody says that it does not")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestErrorsAreTold(t *testing.T) {
	if err := board.Write(t.Context(), full{}, plan(5000), board.Options{}); err == nil {
		t.Error("written to nowhere without an error")
	}
	p := plan(100)
	p.breaksAt = 50
	var b bytes.Buffer
	if err := board.Write(t.Context(), &b, p, board.Options{}); err == nil || b.Len() > 0 {
		t.Errorf("a plan that cannot be read: error %v, %d bytes written", err, b.Len())
	}
}
