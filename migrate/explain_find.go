package migrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
)

// mostNear is the most names that an answer suggests.
const mostNear = 5

// findDecision returns the user that a name stands for: by Username or user
// principal name, or by a part of one that only one user has.
func findDecision(ctx context.Context, p PlanReader, name string) (Decision, error) {
	view := Masked
	if p.Sealed() {
		view = Revealed
	}
	wanted := legacy.Fold(name)
	var same *Decision  // whom a target would know by this name
	var bare []Decision // whose name without a domain is meant; at most mostNear
	near := nearNames{wanted: []rune(bareName(wanted))}
	for d, err := range p.Users(ctx, view) {
		if err != nil {
			return Decision{}, err
		}
		username, upn := legacy.Fold(d.Username), legacy.Fold(d.UPN)
		if username == wanted || upn == wanted && upn != "" {
			return d, nil
		}
		if alike(d.Username, name) || d.UPN != "" && alike(d.UPN, name) {
			same = &d
			continue
		}
		if b := bareName(wanted); b != "" && (bareName(username) == b || bareName(upn) == b) {
			if len(bare) < mostNear {
				bare = append(bare, d)
			}
			continue
		}
		near.add(username, d.Username)
	}
	if same != nil {
		return *same, nil
	}
	// A domain that was said has to be that of the user.
	if bareName(wanted) == wanted && len(bare) == 1 {
		return bare[0], nil
	}
	var names []string
	for _, d := range bare {
		names = append(names, d.Username)
	}
	what := "the plan has no user " + Quoted(name)
	if bareName(wanted) == wanted && len(bare) > 1 {
		what = "the plan has several users " + Quoted(name)
	}
	advice, err := leftOut(ctx, p, wanted)
	if names = append(names, near.names...); advice == "" && len(names) > 0 {
		advice = "is one of these meant? " + Plain(strings.Join(names[:min(len(names), mostNear)], ", "))
	}
	if err != nil {
		return Decision{}, err
	}
	return Decision{}, hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: what},
		cmp.Or(advice, "give the Username of the old server or the user principal name"+outsideWords(p.Summary().LeftOut)))
}

// leftOut says what a plan knows of a name that none of its users has: why the
// row was left out. Empty: nothing.
func leftOut(ctx context.Context, p PlanReader, wanted string) (string, error) {
	for f, err := range p.Problems(ctx) {
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(legacy.Fold(f.Detail), wanted+": ") {
			return fmt.Sprintf("the export has %s%s: %s. %s", f.Code, at(f.Place), f.Detail, f.Action), nil
		}
	}
	return "", nil
}

// outsideWords reminds of rows that a plan is not about.
func outsideWords(rows int) string {
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of the export outside of the plan's scope", Number(rows, "row is", "rows are"))
}

// bareName is a folded name without its domain: of ada@contoso.example and
// contoso\ada it is ada.
func bareName(name string) string {
	if i := strings.LastIndexByte(name, '\\'); i >= 0 {
		name = name[i+1:]
	}
	bare, _, _ := strings.Cut(name, "@")
	return bare
}

// nearNames keeps the names that one or two slips of the keyboard away from
// the one that is wanted, the nearest first.
type nearNames struct {
	wanted []rune
	names  []string
	slips  []int
}

// slipsAllowed grows with the name: of three letters two are not a slip.
func (n *nearNames) slipsAllowed() int { return min(2, len(n.wanted)/3) }

func (n *nearNames) add(folded, shown string) {
	slips := distance(n.wanted, []rune(bareName(folded)), n.slipsAllowed())
	if slips > n.slipsAllowed() {
		return
	}
	at, _ := slices.BinarySearch(n.slips, slips+1)
	if at >= mostNear {
		return
	}
	n.slips, n.names = slices.Insert(n.slips, at, slips), slices.Insert(n.names, at, shown)
	n.slips, n.names = n.slips[:min(len(n.slips), mostNear)], n.names[:min(len(n.names), mostNear)]
}

// distance is the number of letters to add, drop, change or swap with the next
// that lie between two words; anything above most is most+1.
func distance(a, b []rune, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
