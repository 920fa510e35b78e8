package board

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mfabridge/migrate"
)

// severityView is the findings of one severity.
type severityView struct {
	Word, Name, Says, Count string
	Codes                   []codeView
}

type codeView struct {
	Code            string
	Number          int    // in the page's list of codes
	ID              string // on the page; links lead to the gravest
	Again           bool   // it stands under a graver severity, too
	Count, Users    string
	Width           string
	Meaning, Action string
	n               int
	Affected        bool // somebody in the table has it
}

func (v *view) findings(t *tally) {
	most := 0
	for _, n := range t.findings {
		most = max(most, n)
	}
	linked := map[migrate.Code]bool{}
	for _, severity := range migrate.Severities {
		s := severityView{Word: string(severity), Name: severityName(severity), Says: severityMeaning(severity)}
		total := 0
		for i, e := range codesOf(t) {
			k := t.kinds[kind{e.Code, severity}]
			if k == nil {
				continue
			}
			total += k.n
			c := codeView{Code: text(string(e.Code)), Number: i, ID: fmt.Sprintf("code-%d", i), Again: linked[e.Code], Count: num(k.n), Width: width(k.n, most), Meaning: e.Meaning, Action: e.Action, n: k.n, Affected: k.users > 0}
			if c.Again {
				c.ID += "-" + string(severity)
			}
			linked[e.Code] = true
			if c.Users = some(k.users, "user"); k.users == 0 {
				c.Users = "belongs to no user"
			}
			s.Codes = append(s.Codes, c)
		}
		slices.SortStableFunc(s.Codes, func(a, b codeView) int {
			return cmp.Or(b.n-a.n, strings.Compare(a.Code, b.Code))
		})
		s.Count = num(total)
		v.Severities = append(v.Severities, s)
	}
	v.exportProblems(t)
}

// problem is a finding that belongs to no user.
type problem struct{ Code, Severity, Place, Detail string }

func (v *view) exportProblems(t *tally) {
	for _, f := range t.problems {
		v.Problems = append(v.Problems, problem{text(string(f.Code)), string(f.Severity), text(cmp.Or(f.Place, f.Field)), text(f.Detail)})
	}
	if more := t.problemCount - len(t.problems); more > 0 {
		v.ProblemNote = fmt.Sprintf("The first %d of %s are listed; show --format json has them all.", len(t.problems), num(t.problemCount))
	}
}

// namedGroup are the users of a group whom the page names on paper.
type namedGroup struct {
	Name, Note string
	Users      []namedUser
}

type namedUser struct{ User, Done, Findings string }

// list says which users the page lists, on the screen and on paper.
func (v *view) list(t *tally, o Options) {
	for _, n := range t.chosen(o.Most) {
		v.Listed += n
	}
	if v.Listed < t.users {
		v.ListNote = fmt.Sprintf("The table lists %s of %s users: first those with an error, then those who have to act, with a warning, with changes, each in the order of the export. "+
			"All counts above are of all users; show --format json lists everybody.", num(v.Listed), num(t.users))
	}
	for _, a := range actions {
		v.Actions = append(v.Actions, option{actionNumber(a), actionName(a)})
	}
	if t.hasWaves() {
		for i, w := range t.waves {
			v.Waved = append(v.Waved, option{i, waveName(w.name)})
		}
	}
	for _, g := range groups() {
		users := t.named[g.Outlook]
		if len(users) == 0 {
			continue
		}
		n := namedGroup{Name: g.Name, Note: "All are listed."}
		if total := t.outlook[g.Outlook]; len(users) < total {
			n.Note = fmt.Sprintf("%s of %s are listed.", num(len(users)), num(total))
			if g.Outlook == migrate.Works || g.Outlook == migrate.OutOfScope {
				n.Note = fmt.Sprintf("Of %s, those with an error are listed, at most %d.", num(total), maxNamed)
			}
		}
		for _, u := range users {
			var codes []string
			for _, f := range u.findings {
				codes = append(codes, string(f.Code))
			}
			n.Users = append(n.Users, namedUser{u.user, actionName(u.done), text(strings.Join(codes, ", "))})
		}
		v.Named = append(v.Named, n)
	}
}
