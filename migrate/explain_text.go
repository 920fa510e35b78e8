package migrate

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// Text writes the explanation for people. Values are masked unless o.Reveal.
func (e *Explanation) Text(w io.Writer, o ShowOptions) error {
	t := explaining{e: e, reveal: o.Reveal}
	d := &e.Decision
	fmt.Fprintf(&t.b, "%s\n", Plain(d.Username))
	t.line("export", "user number %d%s", d.Ordinal+1, e.files())
	t.line("target", "%s", orElse(d.UPN, "no user principal name"))
	t.line("matched by", "%s", orElse(d.MatchedBy, "nothing"))
	t.line("plan", "%s, %s", actionWords[d.Action], words(d.Outlook))
	if d.Wave != "" {
		t.line("wave", "%s", d.Wave)
	}
	t.line("journal", "%s", e.progress())
	for _, r := range e.History {
		t.line(fmt.Sprintf("run %d, %s", r.Run, r.Phase), "%s: %s", r.Started.UTC().Format("2006-01-02 15:04:05 UTC"), outcomes(r))
	}
	t.line("target now", "%s", e.now())
	t.holdings()
	for i := range d.Changes {
		t.change(i)
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&t.b, "  ! %-8s %s  %s%s -- %s\n", f.Severity, f.Code, Plain(f.Detail), at(f.Place), f.Action)
	}
	for i, f := range d.Facts {
		now, changed := e.factNow(i)
		if !o.Reveal {
			f, now = MaskFact(f), MaskFact(now)
		}
		text := f.Name + " is " + f.Value
		if changed {
			text = f.Name + " was " + f.Value + ", and is " + orElse(now.Value, "empty") + " now"
		}
		t.line("relied on", "%s", text)
	}
	if t.err != nil {
		return t.err
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// explaining is a text in the making.
type explaining struct {
	e      *Explanation
	reveal bool
	b      strings.Builder
	err    error // of a value
}

func (t *explaining) line(what, format string, args ...any) {
	fmt.Fprintf(&t.b, "  %-12s %s\n", what, Plain(fmt.Sprintf(format, args...)))
}

func (t *explaining) value(m cloud.Method, v cloud.Value) string {
	text, err := ValueText(m, v, t.reveal)
	if err != nil && t.err == nil {
		t.err = err
	}
	return text
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " (" + Plain(place) + ")"
}

// files names what the plan was made from.
func (e *Explanation) files() string {
	var names []string
	for _, in := range e.Inputs {
		names = append(names, in.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return " in " + strings.Join(names, ", ")
}

// progress is what stands of the plan for this user.
func (e *Explanation) progress() string {
	var last JournalRun
	if n := len(e.History); n > 0 {
		last = e.History[n-1]
	}
	switch {
	case e.Journal == nil && last.Phase == PhaseUndo:
		return fmt.Sprintf("put back by run %d: nothing of the plan stands", last.Run)
	case e.Journal == nil && len(e.Decision.Changes) == 0:
		return "there is nothing to do"
	case e.Journal == nil:
		return "apply has not come to this user yet"
	case e.Journal.Intended() && last.Phase == PhaseUndo:
		return fmt.Sprintf("run %d was about to put back and did not come to say what came of it; run undo again", e.Journal.IntentRun)
	case e.Journal.Intended():
		return fmt.Sprintf("run %d was about to write and did not come to say what came of it; run apply again", e.Journal.IntentRun)
	case last.Phase == PhaseUndo:
		return fmt.Sprintf("put back by run %d, but for what stands still", last.Run)
	case !slices.ContainsFunc(e.Journal.Results, func(r ChangeResult) bool { return r.Outcome == cloud.Done || r.Outcome == cloud.Already }):
		return fmt.Sprintf("run %d made none of the changes", e.Journal.ResultRun)
	default:
		return fmt.Sprintf("written by run %d", e.Journal.ResultRun)
	}
}

// outcomes counts what a run has done about the user.
func outcomes(r JournalRun) string {
	if r.Open {
		return "was about to write, and did not come to say what came of it"
	}
	var parts []string
	for _, o := range []cloud.Outcome{cloud.Done, cloud.Already, cloud.Outdated, cloud.Failed} {
		n := 0
		for _, result := range r.Results {
			if result.Outcome == o {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return orElse(strings.Join(parts, ", "), "nothing")
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

// holdings lists what the target has of the user.
func (t *explaining) holdings() {
	u := t.e.Now
	if u == nil || t.e.NowErr != nil {
		return
	}
	for _, h := range holdings(u) {
		note := ""
		if h.inactive {
			note = ", not activated"
		}
		t.line("  has", "%s %s%s", h.method, t.value(h.method, h.value), note)
	}
	if len(u.Aliases) > 0 {
		t.line("  has", "aliases %s", strings.Join(u.Aliases, ", "))
	}
}

// change writes one change, what every run did about it, and what the target
// has now.
func (t *explaining) change(i int) {
	e := t.e
	c := &e.Decision.Changes[i]
	what := c.After
	if what.IsZero() {
		what = c.Before
	}
	fmt.Fprintf(&t.b, "  %c %-16s %s  [%s]\n", opSymbols[c.Op], c.Method, Plain(t.value(c.Method, what)), Plain(c.Reason+irreversibleNote(c)))
	for _, run := range e.History {
		for _, r := range run.Results {
			if r.Seq == i {
				fmt.Fprintf(&t.b, "      run %d, %s: %s\n", run.Run, run.Phase, strings.TrimSpace(string(r.Outcome)+" "+Plain(r.Message)))
			}
		}
	}
	switch standing, now := e.standing(c, t.reveal); standing {
	case standsPlanned:
		t.b.WriteString("      now: as planned\n")
	case standsBefore:
		t.b.WriteString("      now: as before the plan\n")
	case standsElse:
		fmt.Fprintf(&t.b, "      now: neither as before nor as planned: %s\n", Plain(t.value(c.Method, now)))
	}
}
