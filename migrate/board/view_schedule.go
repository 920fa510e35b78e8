package board

import (
	"fmt"
	"time"

	"mfabridge/migrate"
)

// waveRow is a wave and its outlook as parts of one bar.
type waveRow struct {
	Name, Users string
	Given       string // how its users were chosen
	Parts       []part
	Says        string // the parts in words
}

type part struct{ Word, X, Width string }

// schedule says what happens when: deadlines, waves, and how long it takes.
func (v *view) schedule(p migrate.PlanReader, t *tally) {
	v.Estimate = estimateSentence(p.Summary().Estimate, t.total())
	v.deadlines(p.Summary().Deadlines, t)
	if !t.hasWaves() {
		return
	}
	most := 0
	for _, w := range t.waves {
		most = max(most, w.users)
	}
	given := map[string]string{}
	for _, w := range p.Header().Waves {
		given[w.Name] = text(w.Given)
	}
	for _, w := range t.waves {
		row := newWaveRow(w, most)
		row.Given = given[w.name]
		if s := p.Summary().Waves[w.name]; s != nil && s.Estimate.Seconds != nil {
			row.Says += "; at least " + duration(*s.Estimate.Seconds)
		}
		v.Waves = append(v.Waves, row)
	}
}

// deadlines says when the texts and calls of users end whom nothing else
// verifies.
func (v *view) deadlines(dates map[string]int, t *tally) {
	v.NoDates = "The plan knows of no date that ends a method which these users depend on."
	if n := t.affected[migrate.TelephonyRetirement]; n > 0 {
		v.NoDates = some(n, "user") + " depend on texts and calls alone, which the target's supplier ends. This plan does not name the date."
	}
	most := 0
	for _, n := range dates {
		most = max(most, n)
	}
	for _, key := range sortedKeys(dates) { // 2027-02-01, later dates, and behind them words
		b := bar{Name: "no date is published", Count: num(dates[key]), Width: width(dates[key], most)}
		if date, err := time.Parse(time.DateOnly, key); err == nil {
			b.Name = date.Format("2 January 2006")
			if v.FirstDate == "" {
				v.FirstDate = b.Name
			}
		}
		v.Dates = append(v.Dates, b)
	}
}

// estimateSentence says how long an apply takes.
func estimateSentence(e migrate.Estimate, changes int) string {
	switch {
	case changes == 0:
		return "There is nothing to do."
	case e.Requests == 0:
		return "The plan does not say."
	case e.Seconds == nil:
		return fmt.Sprintf("It takes about %s to the target. How fast the target takes them is not known, so no time can be named.", some(e.Requests, "request"))
	default:
		return fmt.Sprintf("At the pace that the target is known to allow, carrying out the whole plan takes at least %s (%s to the target).", duration(*e.Seconds), some(e.Requests, "request"))
	}
}

// duration is a number of seconds in words.
func duration(seconds int) string {
	hours, minutes := seconds/3600, (seconds%3600+59)/60
	switch {
	case seconds < 60:
		return some(seconds, "second")
	case hours == 0:
		return some(minutes, "minute")
	case minutes == 0:
		return some(hours, "hour")
	default:
		return some(hours, "hour") + " and " + some(minutes, "minute")
	}
}

func newWaveRow(w wave, most int) waveRow {
	row := waveRow{Name: waveName(w.name), Users: num(w.users)}
	at := 0
	var says []string
	for _, g := range groups() {
		n := w.outlook[g.Outlook]
		if n == 0 {
			continue
		}
		row.Parts = append(row.Parts, part{string(g.Outlook), width(at, most), width(n, most)})
		says = append(says, g.Name+" "+num(n))
		at += n
	}
	row.Says = enumerate(says)
	return row
}
