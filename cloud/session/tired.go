package session

import (
	"time"

	"mfabridge/cloud"
)

// After so many pushes and calls that nobody approved in so long, a user is
// asked for codes only: whoever has the password must not be able to press
// until the user gives in.
const (
	tiredBy     = 3
	tiredWindow = 10 * time.Minute
)

// bother is a push or call, or a question that may become one.
type bother struct {
	user cloud.UserID
	at   time.Time
	gone bool // it was approved, or none after all
}

// bothers remembers those of the window, in the order in which they began.
// Guarded by the mutex of the verifier.
type bothers struct {
	all  []*bother
	open map[cloud.UserID]int // not approved
}

// begin counts one more, unless there were too many.
func (b *bothers) begin(user cloud.UserID, now time.Time) (*bother, bool) {
	if b.tired(user, now) {
		return nil, false
	}
	one := &bother{user: user, at: now}
	b.all = append(b.all, one)
	b.open[user]++
	return one, true
}

// tired tells whether a user is to be asked no more.
func (b *bothers) tired(user cloud.UserID, now time.Time) bool {
	for len(b.all) > 0 {
		age := now.Sub(b.all[0].at)
		if age < tiredWindow && age > -tiredWindow {
			break
		}
		b.end(b.all[0])
		b.all[0] = nil
		b.all = b.all[1:]
	}
	return b.open[user] >= tiredBy
}

// end counts one no more.
func (b *bothers) end(one *bother) {
	if one == nil || one.gone {
		return
	}
	one.gone = true
	if b.open[one.user]--; b.open[one.user] <= 0 {
		delete(b.open, one.user)
	}
}
