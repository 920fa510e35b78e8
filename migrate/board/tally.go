package board

import (
	"context"
	"slices"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Limits on what the page names in its fixed part.
const (
	maxNamed    = 200 // users on paper, of each group of the outlook
	maxProblems = 100 // findings that belong to no user
	maxWaves    = 100
)

// tally is what is counted over all users of a plan.
type tally struct {
	users        int
	outlook      map[migrate.Outlook]int
	actions      map[migrate.Action]int
	ops          map[cloud.Op]int
	lost         int                  // changes that apply leaves out unless it is told otherwise
	irreversible map[cloud.Method]int // changes that it makes and undo cannot take back
	findings     map[migrate.Code]int // occurrences, those of no user included
	affected     map[migrate.Code]int // users who have it, each once
	kinds        map[kind]*kindCount
	causes       map[migrate.Outlook]map[migrate.Code]int // users by group and finding
	moves        map[cloud.Method]*moves
	waves        []wave // those of the plan, then others in order of appearance
	waveAt       map[string]int
	classes      [classes]int
	named        map[migrate.Outlook][]named
	problems     []migrate.Finding
	problemCount int
	domains      domains
}

// kind is a finding as one severity: some are less grave for some users.
type kind struct {
	code     migrate.Code
	severity migrate.Severity
}

// kindCount counts how often a kind occurs, and users who have it, each once.
type kindCount struct{ n, users int }

// moves counts the changes of one method.
type moves struct{ added, changed, removed int }

type wave struct {
	name    string
	users   int
	outlook map[migrate.Outlook]int
}

// named is a user whom the page names on paper.
type named struct {
	user     string
	done     migrate.Action
	findings []migrate.Finding
}

// Classes of users, by how much somebody has to look at them; a page that
// cannot list all takes the lower classes first.
const (
	classError   = iota // an error, locked out, or in with the password alone
	classAct            // has to do something
	classWarning        // a warning
	classChange         // changes, and nothing to say about them
	classRest
	classes
)

func classOf(d *migrate.Decision) int {
	class := classRest
	if len(d.Changes) > 0 {
		class = classChange
	}
	for i := range d.Findings {
		switch severityOf(d.Findings[i].Severity) {
		case migrate.SeverityError:
			return classError
		case migrate.SeverityWarning:
			class = classWarning
		}
	}
	switch d.Outlook {
	case migrate.PasswordOnly, migrate.LockedOut:
		return classError
	case migrate.MustAct:
		return classAct
	}
	return class
}

// count reads the plan once.
func count(ctx context.Context, p migrate.PlanReader, o Options) (*tally, error) {
	t := &tally{
		outlook: map[migrate.Outlook]int{}, actions: map[migrate.Action]int{}, ops: map[cloud.Op]int{},
		irreversible: map[cloud.Method]int{}, findings: map[migrate.Code]int{}, affected: map[migrate.Code]int{}, kinds: map[kind]*kindCount{},
		causes: map[migrate.Outlook]map[migrate.Code]int{}, moves: map[cloud.Method]*moves{}, waveAt: map[string]int{},
		named: map[migrate.Outlook][]named{},
	}
	for _, w := range p.Header().Waves {
		if o.Wave == "" {
			t.waveNamed(w.Name)
		}
	}
	for d, err := range p.Users(ctx, migrate.Masked) {
		if err != nil {
			return nil, err
		}
		t.user(&d)
	}
	for f, err := range p.Problems(ctx) {
		if err != nil {
			return nil, err
		}
		t.findings[f.Code]++
		f.Severity = severityOf(f.Severity)
		t.kind(&f).n++
		if t.problemCount++; len(t.problems) < maxProblems {
			t.problems = append(t.problems, f)
		}
	}
	return t, nil
}

func (t *tally) user(d *migrate.Decision) {
	t.users++
	t.outlook[d.Outlook]++
	t.actions[d.Action]++
	t.classes[classOf(d)]++
	t.wave(d)
	t.domains.add(text(d.Username))
	t.domains.add(text(d.UPN))
	for i := range d.Changes {
		t.change(&d.Changes[i])
	}
	causes := t.causes[d.Outlook]
	if causes == nil {
		causes = map[migrate.Code]int{}
		t.causes[d.Outlook] = causes
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		t.findings[f.Code]++
		kind := t.kind(f)
		kind.n++
		if !seen(d.Findings[:i], f.Code) {
			kind.users++
			t.affected[f.Code]++
			causes[f.Code]++
		}
	}
	t.name(d)
}

// kind is what is counted of findings like f.
func (t *tally) kind(f *migrate.Finding) *kindCount {
	k := kind{f.Code, severityOf(f.Severity)}
	if t.kinds[k] == nil {
		t.kinds[k] = new(kindCount)
	}
	return t.kinds[k]
}

// gravest is the gravest severity that a code has in the plan.
func (t *tally) gravest(code migrate.Code) migrate.Severity {
	for _, s := range migrate.Severities {
		if t.kinds[kind{code, s}] != nil {
			return s
		}
	}
	return migrate.SeverityError
}

// severityOf takes a severity that this version does not know for an error.
func severityOf(s migrate.Severity) migrate.Severity {
	if slices.Contains(migrate.Severities[:], s) {
		return s
	}
	return migrate.SeverityError
}

func seen(findings []migrate.Finding, code migrate.Code) bool {
	for i := range findings {
		if findings[i].Code == code {
			return true
		}
	}
	return false
}

func (t *tally) change(c *migrate.PlannedChange) {
	t.ops[c.Op]++
	switch {
	case c.Loses():
		t.lost++
	case c.Irreversible:
		t.irreversible[c.Method]++
	}
	m := t.moves[c.Method]
	if m == nil {
		m = &moves{}
		t.moves[c.Method] = m
	}
	switch {
	case c.Op == cloud.Add:
		m.added++
	case c.Op == cloud.Remove:
		m.removed++
	default:
		m.changed++
	}
}

// wave counts a user in a wave.
func (t *tally) wave(d *migrate.Decision) {
	w := &t.waves[t.waveNamed(d.Wave)]
	w.users++
	w.outlook[d.Outlook]++
}

// waveNamed is the number of a wave; past maxWaves they count as one.
func (t *tally) waveNamed(name string) int {
	i, known := t.waveAt[name]
	if known {
		return i
	}
	i = min(len(t.waves), maxWaves)
	t.waveAt[name] = i
	if i == len(t.waves) {
		if i == maxWaves {
			name = "further waves"
		}
		t.waves = append(t.waves, wave{name: name, outlook: map[migrate.Outlook]int{}})
	}
	return i
}

// name keeps a user for paper: those whom somebody has to look at.
func (t *tally) name(d *migrate.Decision) {
	group := d.Outlook
	if classOf(d) > classAct || len(t.named[group]) >= maxNamed {
		return
	}
	n := named{user: text(d.Username), done: d.Action}
	for _, f := range d.Findings {
		if f.Severity != migrate.SeverityInfo && !seen(n.findings, f.Code) {
			n.findings = append(n.findings, migrate.Finding{Code: f.Code, Severity: f.Severity})
		}
	}
	t.named[group] = append(t.named[group], n)
}

// total is the number of changes.
func (t *tally) total() int { return sum(t.ops) }

// staying is the number of changes that apply makes and undo cannot take back.
func (t *tally) staying() int { return sum(t.irreversible) }

func sum[K comparable](counts map[K]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}
