package migrate_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// counting is what one reads off the rows of a plan.
type counting struct {
	Users    map[migrate.Action]int
	Outlook  map[migrate.Outlook]int
	Changes  map[cloud.Op]int
	Of       map[cloud.Method]int
	Findings map[migrate.Code]int
	Severity map[migrate.Severity]int
}

func newCounting() counting {
	return counting{map[migrate.Action]int{}, map[migrate.Outlook]int{}, map[cloud.Op]int{}, map[cloud.Method]int{}, map[migrate.Code]int{}, map[migrate.Severity]int{}}
}

func (c *counting) user(d *migrate.Decision) {
	c.Users[d.Action]++
	c.Outlook[d.Outlook]++
	for i := range d.Changes {
		c.Changes[d.Changes[i].Op]++
		c.Of[d.Changes[i].Method]++
	}
	for i := range d.Findings {
		c.finding(&d.Findings[i])
	}
}

func (c *counting) finding(f *migrate.Finding) {
	c.Findings[f.Code]++
	c.Severity[f.Severity]++
}

func countingOf(s *migrate.Summary) counting {
	return counting{s.Users, s.Outlook, s.Changes, s.ChangesOf, s.Findings, s.Severity}
}

// shown is a plan as Plan made it, to be shown.
type shown struct {
	*fakePlan
	sum      migrate.Summary
	problems []migrate.Finding
}

func (p *shown) Summary() migrate.Summary { return p.sum }

// The numbers of a plan are those of its rows, in all and in every wave; what
// a report says in one form it says in the others, and says it twice with the
// same bytes.
func TestNumbersAddUp(t *testing.T) {
	for number := range uint64(60) {
		m := made{rand.New(rand.NewPCG(number, 11))}
		src, dir, opt := &export{}, &directory{caps: m.capabilities()}, m.options()
		src.problems = []legacy.Problem{{Code: legacy.RowInvalid, Username: "u1", Place: legacy.Place{File: "users.csv", Line: 3}, Detail: "is bad"}}
		for n := range 1 + m.IntN(20) {
			src.users = append(src.users, m.row(n))
			if m.maybe() {
				dir.users = append(dir.users, m.user(n))
			}
		}
		for _, given := range []string{"first=30%", "second=60%"} { // the others are in none
			w, err := migrate.ParseWave(given, nil)
			if err != nil {
				t.Fatal(err)
			}
			opt.Waves = append(opt.Waves, w)
		}
		opt.Unread = int(number)
		var out sheet
		sum, err := migrate.Plan(t.Context(), src, dir, opt, &out)
		if err != nil {
			t.Fatal(err)
		}
		addUp(t, &out, &sum)
		p := &shown{&fakePlan{decisions: out.decisions}, sum, out.problems}
		sameEverywhere(t, p)
		if t.Failed() {
			t.Fatalf("world %d", number)
		}
	}
}

// addUp counts the rows again.
func addUp(t *testing.T, out *sheet, sum *migrate.Summary) {
	t.Helper()
	whole, waves := newCounting(), map[string]*counting{}
	for i := range out.decisions {
		d := &out.decisions[i]
		whole.user(d)
		if d.Wave == "" {
			continue
		}
		if waves[d.Wave] == nil {
			c := newCounting()
			waves[d.Wave] = &c
		}
		waves[d.Wave].user(d)
	}
	for i := range out.problems {
		whole.finding(&out.problems[i])
	}
	if diff := cmp.Diff(whole, countingOf(sum)); diff != "" {
		t.Error("the whole plan: ", diff)
	}
	if len(waves) != len(sum.Waves) {
		t.Errorf("%d waves have users, the summary has %d", len(waves), len(sum.Waves))
	}
	for name, c := range waves {
		if diff := cmp.Diff(*c, countingOf(sum.Waves[name])); diff != "" {
			t.Errorf("wave %s: %s", name, diff)
		}
	}
	modes := 0
	for _, users := range sum.Modes {
		modes += users
	}
	if modes != sum.Total() {
		t.Errorf("%d users have a mode, of %d", modes, sum.Total())
	}
}

// sameEverywhere compares the forms of a report with one another.
func sameEverywhere(t *testing.T, p *shown) {
	t.Helper()
	write := func(show func(*bytes.Buffer) error) string {
		var first, second bytes.Buffer
		if err := show(&first); err != nil {
			t.Fatal(err)
		}
		if err := show(&second); err != nil || first.String() != second.String() {
			t.Errorf("the same plan is shown in two ways (%v)", err)
		}
		return first.String()
	}
	ctx := t.Context()
	text := write(func(b *bytes.Buffer) error { return migrate.ShowText(ctx, b, p, migrate.ShowOptions{}) })
	lines := write(func(b *bytes.Buffer) error { return migrate.ShowJSON(ctx, b, p, false) })
	table := write(func(b *bytes.Buffer) error { return migrate.ShowCSV(ctx, b, p) })
	users := write(func(b *bytes.Buffer) error { return migrate.ShowUsersCSV(ctx, b, p) })
	found := 0
	for _, n := range p.sum.Severity {
		found += n
	}
	own := found - len(p.problems) // the plan in memory shows none that belong to no user
	if n := tableRows(t, table); n != own {
		t.Errorf("%d rows of findings, want %d", n, own)
	}
	if n := tableRows(t, users); n != p.sum.Total() {
		t.Errorf("%d rows of users, want %d", n, p.sum.Total())
	}
	if n := strings.Count(lines, `{"type":"user"`); n != p.sum.Total() {
		t.Errorf("%d lines of users, want %d", n, p.sum.Total())
	}
	if n := strings.Count(text, "\n  ! "); n != own {
		t.Errorf("%d lines of findings in the text, want %d", n, own)
	}
	if n := p.sum.Unread; !strings.Contains(text, migrate.UnreadText(p.sum)) || strings.Contains(text, "in no group") != (n > 0) {
		t.Errorf("%d rows stand in no group, and the text says:\n%.600s", n, text)
	}
	var last struct {
		Outlook map[migrate.Outlook]int
		Users   map[migrate.Action]int
		Unread  int
	}
	if err := json.Unmarshal([]byte(lines[strings.LastIndex(lines[:len(lines)-1], "\n")+1:]), &last); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.sum.Outlook, last.Outlook) + cmp.Diff(p.sum.Users, last.Users) + cmp.Diff(p.sum.Unread, last.Unread); diff != "" {
		t.Error(diff)
	}
}

// tableRows is the number of rows below the header.
func tableRows(t *testing.T, table string) int {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return len(rows) - 1
}

// A part of a plan has the scope of the whole.
func TestWaveKeepsTheScope(t *testing.T) {
	users, people := cohort(9)
	dir := &grouped{directory: directory{caps: engine(), users: people}}
	wave, err := migrate.ParseWave("first=100%", nil)
	if err != nil {
		t.Fatal(err)
	}
	opt := migrate.Options{Waves: []migrate.Wave{wave}, Scope: selection(t, "users:pilot.txt", "user3@contoso.example\nuser7@contoso.example\n")}
	out, sum, err := planFor(t, dir, users, opt)
	if err != nil {
		t.Fatal(err)
	}
	p := &shown{&fakePlan{decisions: out.decisions, waves: []migrate.Chosen{{Name: "first", Given: "100%"}, {Name: "empty", Given: "1%"}}}, sum, nil}
	for _, name := range []string{"first", "empty"} {
		part, err := migrate.InWave(p, name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := migrate.ShowText(t.Context(), &b, part, migrate.ShowOptions{}); err != nil || !strings.Contains(b.String(), ", 7 rows left out\n") {
			t.Errorf("%s: %v; of the scope it says:\n%s", name, err, b.String())
		}
	}
}
