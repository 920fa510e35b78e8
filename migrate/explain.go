package migrate

import (
	"context"
	"fmt"
	"io"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
)

// Explanation is everything that is known of one user of a plan.
type Explanation struct {
	Decision Decision
	Journal  *JournalEntry // nil: apply has not come to this user
	Now      *cloud.User   // the target's user; nil: there is none
	NowErr   error         // why the target could not be asked
}

// Explain looks one user up by Username or user principal name, case-folded:
// in the plan, in the journal, and in the target as it is now. A target that
// cannot be asked is no error, because that may be just what is to be
// explained; a nil dir is not asked. Values are whole if the plan was opened
// with its key.
func Explain(ctx context.Context, p PlanReader, j JournalReader, dir cloud.DirectoryReader, name string) (Explanation, error) {
	d, err := findDecision(ctx, p, name)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Decision: d}
	if j != nil {
		entries, err := j.Entries(ctx, d.Ordinal, d.Ordinal)
		if err != nil {
			return e, err
		}
		if len(entries) == 1 {
			e.Journal = &entries[0]
		}
	}
	if dir != nil {
		e.Now, e.NowErr = readNow(ctx, dir, &d)
	}
	return e, nil
}

func findDecision(ctx context.Context, p PlanReader, name string) (Decision, error) {
	view := Masked
	if p.Sealed() {
		view = Revealed
	}
	wanted := legacy.Fold(name)
	for d, err := range p.Users(ctx, view) {
		if err != nil {
			return Decision{}, err
		}
		if legacy.Fold(d.Username) == wanted || legacy.Fold(d.UPN) == wanted {
			return d, nil
		}
	}
	return Decision{}, hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: fmt.Sprintf("the plan has no user %q", Plain(name))},
		"give the Username of the old server or the user principal name; rows that could not be read are among the findings of the export")
}

// readNow returns the target's user, or nil if there is none.
func readNow(ctx context.Context, dir cloud.DirectoryReader, d *Decision) (*cloud.User, error) {
	id := d.Target
	if id == "" && d.UPN != "" {
		found, err := dir.Find(ctx, []cloud.Key{{Kind: cloud.ByUPN, Value: d.UPN}})
		if err != nil {
			return nil, err
		}
		if len(found[0]) == 1 {
			id = found[0][0]
		}
	}
	if id == "" {
		return nil, nil
	}
	users, err := dir.Read(ctx, []cloud.UserID{id})
	if err != nil || users[0].ID == "" {
		return nil, err
	}
	return &users[0], nil
}

// Text writes the explanation for people. Values are masked unless o.Reveal.
func (e *Explanation) Text(w io.Writer, o ShowOptions) error {
	var b strings.Builder
	d := &e.Decision
	fmt.Fprintf(&b, "%s\n", Plain(d.Username))
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", what, Plain(fmt.Sprintf(format, args...)))
	}
	line("export", "user number %d", d.Ordinal+1)
	line("target", "%s", orElse(d.UPN, "no user principal name"))
	line("matched by", "%s", orElse(d.MatchedBy, "nothing"))
	line("plan", "%s, %s", actionWords[d.Action], words(d.Outlook))
	if d.Wave != "" {
		line("wave", "%s", d.Wave)
	}
	line("journal", "%s", e.progress())
	line("target now", "%s", e.now())
	for i := range d.Changes {
		if err := e.change(&b, i, o); err != nil {
			return err
		}
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "  ! %-8s %s  %s -- %s\n", f.Severity, f.Code, Plain(f.Detail), f.Action)
	}
	for _, f := range d.Facts {
		if !o.Reveal {
			f = MaskFact(f)
		}
		line("relied on", "%s is %s", f.Name, f.Value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (e *Explanation) progress() string {
	switch {
	case e.Journal == nil && len(e.Decision.Changes) == 0:
		return "there is nothing to do"
	case e.Journal == nil:
		return "apply has not come to this user yet"
	case e.Journal.Intended():
		return fmt.Sprintf("run %d was about to write and did not come to say what came of it; run apply again", e.Journal.IntentRun)
	default:
		return fmt.Sprintf("written by run %d", e.Journal.ResultRun)
	}
}

func (e *Explanation) now() string {
	switch {
	case e.NowErr != nil:
		return "cannot be asked: " + e.NowErr.Error()
	case e.Now == nil:
		return "there is no such user"
	case !e.Now.Enabled:
		return "the user exists and is disabled"
	default:
		return "the user exists"
	}
}

// change writes one change, what the journal says of it, and what the target
// has now.
func (e *Explanation) change(b *strings.Builder, i int, o ShowOptions) error {
	c := &e.Decision.Changes[i]
	what := c.After
	if what.IsZero() {
		what = c.Before
	}
	text, err := ValueText(c.Method, what, o.Reveal)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "  %c %-16s %s  [%s]\n", opSymbols[c.Op], c.Method, Plain(text), c.Reason)
	if e.Journal != nil {
		for _, r := range e.Journal.Results {
			if r.Seq == i {
				fmt.Fprintf(b, "      journal: %s\n", strings.TrimSpace(string(r.Outcome)+" "+Plain(r.Message)))
			}
		}
	}
	if e.NowErr != nil || e.Now == nil {
		return nil
	}
	state, err := e.stateOf(c, o)
	fmt.Fprintf(b, "      now: %s\n", Plain(state))
	return err
}

// stateOf compares a change with the target as it is now.
func (e *Explanation) stateOf(c *PlannedChange, o ShowOptions) (string, error) {
	found := e.Now.Value(c.Method, c.ID, c.After)
	comparable, before, after := found, c.Before, c.After
	if !o.Reveal { // a plan opened without its key has masked values
		comparable, before, after = MaskValue(c.Method, found), MaskValue(c.Method, before), MaskValue(c.Method, after)
	}
	switch {
	case comparable.Equal(after):
		return "as planned", nil
	case comparable.Equal(before):
		return "as before the plan", nil
	}
	text, err := ValueText(c.Method, found, o.Reveal)
	return "neither as before nor as planned: " + text, err
}
