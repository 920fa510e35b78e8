package board

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mfabridge/migrate"
)

// maxCauses is how many findings explain a group of the outlook.
const maxCauses = 4

// groupView is a group of the outlook on the page.
type groupView struct {
	Word, Name, Says, Count, Share string
	Number                         int
	X, Width                       string // of the bar of all groups, of 100
	Causes                         []cause
}

// cause is a finding that users of a group have.
type cause struct {
	Code    string
	Meaning string
	Count   string
	Number  int // in the page's list of codes
	n       int
}

func (v *view) outlook(t *tally, s migrate.Summary) {
	at := 0.0
	numbers, entries := codeNumbers(t), codesOf(t)
	for i, g := range groups() {
		n := t.outlook[g.Outlook]
		row := groupView{Word: string(g.Outlook), Name: g.Name, Says: g.Says, Count: num(n), Share: share(n, t.users), Number: i}
		if n == 0 {
			row.Says = g.Nobody
		} else {
			wide := 100 * float64(n) / float64(max(t.users, 1))
			row.X, row.Width = fmt.Sprintf("%.2f", at), fmt.Sprintf("%.2f", wide)
			at += wide
			if g.Outlook == migrate.MustAct && v.FirstDate != "" {
				row.Says += " The first date on which texts and calls end is " + v.FirstDate + "."
			}
			row.Causes = causesOf(t, g.Outlook, numbers, entries)
		}
		v.Groups = append(v.Groups, row)
	}
	v.Verdict = verdict(t)
	if unread := migrate.UnreadText(s); unread != "" {
		v.Verdict += " " + unread + "."
	}
}

// causesOf are the findings that put users into a group, the most frequent
// first.
func causesOf(t *tally, o migrate.Outlook, numbers map[migrate.Code]int, entries []migrate.Entry) []cause {
	if o == migrate.Works || o == migrate.OutOfScope {
		return nil
	}
	var all []cause
	counts := t.causes[o]
	for code := range counts {
		e := entries[numbers[code]]
		if explains(o, code) || o != migrate.MustAct && e.Severity == migrate.SeverityError {
			all = append(all, cause{text(string(code)), e.Meaning, num(counts[code]), numbers[code], counts[code]})
		}
	}
	slices.SortFunc(all, func(a, b cause) int {
		return cmp.Or(b.n-a.n, strings.Compare(a.Code, b.Code))
	})
	return all[:min(len(all), maxCauses)]
}

// explains tells the warnings that put users into a group.
func explains(o migrate.Outlook, c migrate.Code) bool {
	switch c {
	case migrate.PushNeedsActivation, migrate.TelephonyNoProvider, migrate.TelephonyRetirement:
		return o == migrate.MustAct
	case migrate.CloudUserDisabled:
		return o == migrate.LockedOut
	}
	return false
}

// verdict is the outlook in one sentence.
func verdict(t *tally) string {
	var parts []string
	say := func(o migrate.Outlook, one, many string) {
		switch n := t.outlook[o]; {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, num(n)+" "+many)
		}
	}
	say(migrate.Works, "goes on working with nothing to do", "go on working with nothing to do")
	say(migrate.MustAct, "has to do something", "have to do something")
	say(migrate.LockedOut, "would be locked out", "would be locked out")
	say(migrate.PasswordOnly, "gets in today with the password alone", "get in today with the password alone")
	say(migrate.OutOfScope, "is left out as disabled", "are left out as disabled")
	if len(parts) == 0 {
		return "The plan holds no users."
	}
	return "Of " + some(t.users, "user") + ", " + enumerate(parts) + "."
}

// enumerate joins parts as a sentence does.
func enumerate(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// decision is something that the board has to decide.
type decision struct {
	Code     string // empty: not about a finding
	Number   int
	What, Do string
	Count    string
}

type acceptance struct{ Code, User, Reason, Approver string }

// maxAccepted is how many acceptances the page lists.
const maxAccepted = 200

// decide lists what is open. How many findings are accepted the plan has
// counted itself: an acceptance that no finding met accepts nothing.
func (v *view) decide(h migrate.Header, accepted map[migrate.Code]int, t *tally) {
	for _, a := range h.Accepted {
		if len(v.Accepted) < maxAccepted {
			v.Accepted = append(v.Accepted, acceptance{text(string(a.Code)), text(a.User), text(a.Reason), text(a.Approver)})
		}
	}
	if more := len(h.Accepted) - len(v.Accepted); more > 0 {
		v.More = fmt.Sprintf("and %s more; show --format json lists them all", num(more))
	}
	for i, e := range codesOf(t) {
		n := t.findings[e.Code]
		if n == 0 || e.Severity != migrate.SeverityError {
			continue
		}
		count := num(n)
		if a := accepted[e.Code]; a > 0 {
			count += fmt.Sprintf(" (%s accepted below)", num(min(a, n)))
		}
		if n > accepted[e.Code] {
			v.Decisions = append(v.Decisions, decision{text(string(e.Code)), i, e.Meaning, e.Action, count})
		}
	}
	if n := t.staying(); n > 0 {
		v.Decisions = append(v.Decisions, decision{What: "Changes that apply makes and undo cannot take back, since the target cannot be given the old state again: " + stayingWords(t) + ".",
			Do: "Live with them (what users are asked first goes with its method), or plan without them.", Count: num(n)})
	}
	if t.lost > 0 {
		v.Decisions = append(v.Decisions, decision{What: "Changes that would take from a user what nobody could give back.",
			Do: "Leave them out, as apply does by itself, or allow them when the plan is carried out (apply --allow-irreversible).", Count: num(t.lost)})
	}
	v.Open = len(v.Decisions)
}
