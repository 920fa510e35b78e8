package migrate

import (
	"context"
	"fmt"

	"mfabridge/cloud"
)

// Standing is how far one user has come on the way that a plan describes.
type Standing string

const (
	Moved   Standing = "moved"   // every change is made, or there was none to make
	Partly  Standing = "partly"  // some changes are made, others failed, were stale, or are left out
	Waiting Standing = "waiting" // nothing was begun, or it was put back
	LeftOut Standing = "skipped" // the plan moves nothing of the user

)

// Standings lists all of them in the order of reports.
var Standings = [...]Standing{Moved, Partly, Waiting, LeftOut}

// Old tells whether the user still depends on what was there before.
func (s Standing) Old() bool { return s != Moved }

// WaveStanding counts the users of one wave.
type WaveStanding struct {
	Wave  string // empty: users of no wave
	Given string // whom the wave was made of: "group:Pilot", "20%"
	Users map[Standing]int
}

// Total is the number of users.
func (w WaveStanding) Total() int {
	n := 0
	for _, users := range w.Users {
		n += users
	}
	return n
}

// standingPage is how many users are looked up in the journal at once.
const standingPage = 1000

// Stand tells how far the users of a plan have come, by its journal alone: the
// waves in the order of the plan, then the users of none. each is called for
// every user, in the order of the plan; it may be nil. j is nil where the plan
// was never applied. It reads; the target is not asked, see [Check].
func Stand(ctx context.Context, p PlanReader, j JournalReader, each func(Decision, Standing) error) ([]WaveStanding, error) {
	waves := make([]WaveStanding, 0, len(p.Header().Waves)+1)
	for _, w := range p.Header().Waves {
		waves = append(waves, WaveStanding{Wave: w.Name, Given: w.Given, Users: map[Standing]int{}})
	}
	waves = append(waves, WaveStanding{Users: map[Standing]int{}})
	at := func(name string) *WaveStanding {
		for i := range waves {
			if waves[i].Wave == name {
				return &waves[i]
			}
		}
		return &waves[len(waves)-1]
	}
	var page []Decision
	count := func() error {
		entries, err := entriesOf(ctx, j, page)
		if err != nil {
			return err
		}
		for _, d := range page {
			s := standingOf(&d, entries[d.Ordinal])
			at(d.Wave).Users[s]++
			if each == nil {
				continue
			}
			if err := each(d, s); err != nil {
				return err
			}
		}
		page = page[:0]
		return nil
	}
	for d, err := range p.Users(ctx, Masked) {
		if err != nil {
			return nil, err
		}
		if page = append(page, d); len(page) == standingPage {
			if err := count(); err != nil {
				return nil, err
			}
		}
	}
	return waves, count()
}

// entriesOf reads what the journal has about a page of users.
func entriesOf(ctx context.Context, j JournalReader, page []Decision) (map[int]JournalEntry, error) {
	if j == nil || len(page) == 0 {
		return nil, nil
	}
	list, err := j.Entries(ctx, page[0].Ordinal, page[len(page)-1].Ordinal)
	if err != nil {
		return nil, fmt.Errorf("the journal cannot be read: %w", err)
	}
	all := make(map[int]JournalEntry, len(list))
	for _, e := range list {
		all[e.Ordinal] = e
	}
	return all, nil
}

// standingOf judges one user by what the journal has.
func standingOf(d *Decision, e JournalEntry) Standing {
	if d.Action == Skip {
		return LeftOut
	}
	made := 0
	for _, r := range e.Results {
		if r.Outcome == cloud.Done || r.Outcome == cloud.Already {
			made++
		}
	}
	switch {
	case made == len(d.Changes):
		return Moved
	case len(e.Results) > 0 || e.Intended():
		return Partly
	}
	return Waiting
}
