package migrate

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// ShowOptions say how a plan is shown to people.
type ShowOptions struct {
	Reveal bool // full values; needs the plan's key
	Color  bool // colours of a terminal
}

// maxAcceptances is how many acceptances the head of a plan lists.
const maxAcceptances = 50

// The colours of the symbols that begin a line.
var symbolColor = map[byte]string{'+': "\x1b[32m", '~': "\x1b[33m", '-': "\x1b[31m", '!': "\x1b[35m"}

// ShowText writes a plan for people: what it was made for, the outlook, the
// users with a line for every change (+ added, ~ changed, - removed) and every
// finding (!), and the counts.
func ShowText(ctx context.Context, w io.Writer, p PlanReader, o ShowOptions) error {
	t := &text{w: bufio.NewWriterSize(w, 64<<10), opts: o}
	t.head(p)
	for d, err := range p.Users(ctx, view(o.Reveal)) {
		if err != nil {
			return err
		}
		if err := t.user(&d); err != nil {
			return err
		}
	}
	first := true
	for f, err := range p.Problems(ctx) {
		if err != nil {
			return err
		}
		if first {
			t.printf("\nof the export\n")
			first = false
		}
		t.finding(&f, cmp.Or(f.Place, f.Field))
	}
	t.counts(p.Summary())
	return t.w.Flush()
}

// text writes lines; an error of the writer below comes out of Flush.
type text struct {
	w    *bufio.Writer
	opts ShowOptions
}

func (t *text) printf(format string, args ...any) { fmt.Fprintf(t.w, format, args...) }

// line writes a symbol and what it stands for, indented.
func (t *text) line(symbol byte, format string, args ...any) {
	body := Plain(fmt.Sprintf(format, args...))
	if t.opts.Color {
		t.printf("  %s%c %s\x1b[0m\n", symbolColor[symbol], symbol, body)
		return
	}
	t.printf("  %c %s\n", symbol, body)
}

func (t *text) head(p PlanReader) {
	h, s := p.Header(), p.Summary()
	t.printf("devices with a usable code secret: %d of %d\n\noutlook\n", s.DevicesWithSecret, s.Devices)
	for _, o := range Outlooks {
		t.printf("  %-14s %d\n", words(o), s.Outlook[o])
	}
	if unread := UnreadText(s); unread != "" {
		t.printf("  %s\n", unread)
	}
	t.printf("\nplan %s\n", Plain(h.PlanID))
	t.basis(p)
	for _, a := range h.Accepted[:min(len(h.Accepted), maxAcceptances)] {
		t.printf("  accept  %s\n", Plain(fmt.Sprintf("%s of %s, by %s: %s", a.Code, a.User, a.Approver, a.Reason)))
	}
	if more := len(h.Accepted) - maxAcceptances; more > 0 {
		t.printf("  accept  and %d more; --format json lists them\n", more)
	}
	t.printf("  digest  %s\n  seal    %s\n\n", p.Digest(), seal(p))
}

// opSymbols are the symbols of changes.
var opSymbols = map[cloud.Op]byte{cloud.Add: '+', cloud.Update: '~', cloud.Remove: '-', cloud.Set: '~'}

func (t *text) user(d *Decision) error {
	line := d.Username
	if d.UPN != "" && d.UPN != d.Username {
		line += " (" + d.UPN + ")"
	}
	line += "  " + actionWords[d.Action]
	if d.Wave != "" {
		line += ", wave " + d.Wave
	}
	if d.MatchedBy != "" && d.Action != Create {
		line += ", matched by " + d.MatchedBy
	}
	t.printf("%s\n", Plain(line+", "+words(d.Outlook)))
	for i := range d.Changes {
		if err := t.change(&d.Changes[i]); err != nil {
			return err
		}
	}
	for i := range d.Findings {
		t.finding(&d.Findings[i], d.Findings[i].Field)
	}
	return nil
}

// actionWords are the actions as people read them.
var actionWords = map[Action]string{Create: "is created", Modify: "is changed", Keep: "stays as it is", Skip: "is skipped"}

func (t *text) change(c *PlannedChange) error {
	before, err := t.value(c.Method, c.Before)
	if err != nil {
		return err
	}
	after, err := t.value(c.Method, c.After)
	if err != nil {
		return err
	}
	what := after
	switch {
	case c.After.IsZero():
		what = before
	case !c.Before.IsZero():
		what = before + " -> " + after
	}
	note := c.Reason + irreversibleNote(c)
	symbol := opSymbols[c.Op]
	if c.Op == cloud.Set && c.Before.IsZero() {
		symbol = '+'
	}
	t.line(cmp.Or(symbol, '~'), "%-16s %s  [%s]", c.Method, what, note)
	return nil
}

// irreversibleNote says that undo could not take a change back, and where
// apply does not make it unless it is told to.
func irreversibleNote(c *PlannedChange) string {
	switch {
	case c.Loses():
		return ", irreversible, left out without --allow-irreversible"
	case c.Irreversible:
		return ", irreversible"
	}
	return ""
}

// value is v as people read it, masked unless the whole report is revealed.
func (t *text) value(m cloud.Method, v cloud.Value) (string, error) {
	return ValueText(m, v, t.opts.Reveal)
}

// ValueText is v as people read it, masked unless reveal.
func ValueText(m cloud.Method, v cloud.Value, reveal bool) (string, error) {
	if v.IsZero() {
		return "none", nil
	}
	if !reveal {
		v = MaskValue(m, v)
	}
	switch {
	case v.OATH != nil:
		o := v.OATH
		return fmt.Sprintf("%s serial %s, %s, %d digits, %d s", Quoted(o.Name), o.Serial, o.Algorithm, o.Digits, o.Period), nil
	case v.Profile != nil:
		p := v.Profile
		s := p.UPN
		if p.DisplayName != "" {
			s += " " + Quoted(p.DisplayName)
		}
		if len(p.Aliases) > 0 {
			s += ", also " + strings.Join(p.Aliases, ", ")
		}
		if !p.Enabled {
			s += ", disabled"
		}
		return s, nil
	case m == cloud.Blocked:
		return "until " + v.Until.UTC().Format("2006-01-02 15:04:05 UTC"), nil
	case m == cloud.Authenticator:
		return v.State, nil
	}
	return v.Text, nil
}

// finding writes a finding and what it is about.
func (t *text) finding(f *Finding, where string) {
	if where != "" {
		where += ": "
	}
	detail := f.Detail
	if f.Action != "" {
		detail += " -- " + f.Action
	}
	t.line('!', "%-8s %s  %s%s", f.Severity, f.Code, where, detail)
}

func (t *text) counts(s Summary) {
	t.printf("\nusers     %s\n", counts(s.Users))
	t.printf("changes   %s\n", counts(s.Changes))
	t.printf("findings  %s\n", counts(s.Severity))
	for _, code := range slices.Sorted(maps.Keys(s.Findings)) {
		t.printf("  %-28s %d\n", Plain(string(code)), s.Findings[code])
	}
}

// counts is "create 3, update 5", by name; "none" of nothing.
func counts[K ~string](m map[K]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", Plain(words(k)), m[k]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
