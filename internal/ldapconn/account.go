package ldapconn

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"
)

// How long a bind that was refused is left alone: two tries in any half hour,
// and soon one an hour, is less than what locks an account.
const (
	firstPause = 15 * time.Minute // doubles with each further refusal
	mostPause  = time.Hour
)

// Accounts keeps those who search from being locked by a password that is wrong,
// or has been changed: a bind that a server has refused is tried again after
// growing pauses only. What counts is name and password, whichever of the
// servers of whichever [Client] is asked, since servers of one directory count
// together. As long as nobody knows whether a password is right one bind at a
// time is tried with it, and later one at a time at each server.
//
// The zero value is ready to use. All methods may be called concurrently.
type Accounts struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*account
}

// account is one name with one password.
type account struct {
	mu      sync.Mutex
	turns   map[string]chan struct{} // held by who binds; by server once the password was right
	right   bool                     // the last bind that was answered was taken
	refused int                      // binds in a row
	at      time.Time                // of the last refusal
	until   time.Time                // nobody tries before
}

// of is the account of a Config; nil: its binds have no pace.
func (a *Accounts) of(cfg Config) *account {
	if a == nil || cfg.BindDN == "" {
		return nil
	}
	name, err := FoldName(cfg.BindDN)
	if err != nil { // a user principal name
		name = strings.ToLower(cfg.BindDN)
	}
	key := sha256.Sum256(append([]byte(name+"\x00"), cfg.Password.Reveal()...))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = make(map[[sha256.Size]byte]*account)
	}
	if a.all[key] == nil {
		a.all[key] = &account{turns: make(map[string]chan struct{})}
	}
	return a.all[key]
}

// TryAgain ends all pauses: somebody has mended what was wrong, or says so.
func (a *Accounts) TryAgain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.all {
		one.mu.Lock()
		one.refused, one.until = 0, time.Time{}
		one.mu.Unlock()
	}
}

// Refused is how many accounts were refused by the last server that they asked.
func (a *Accounts) Refused() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, one := range a.all {
		one.mu.Lock()
		if one.refused > 0 {
			n++
		}
		one.mu.Unlock()
	}
	return n
}

// admit says why nobody may bind now; nil: somebody may.
func (a *account) admit(now time.Time) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !now.Before(a.until) || now.Before(a.at) { // the clock was set back
		return nil
	}
	return &Error{Kind: Denied, Message: fmt.Sprintf("the bind of the account that searches was refused, and is left alone until %s, since each try counts towards a lockout", a.until.UTC().Format(time.TimeOnly+"Z"))}
}

// turn waits until a bind at a server may be tried, at most for patience.
// Whoever got one calls done.
func (a *account) turn(ctx context.Context, address string, patience time.Duration) (done func(), err error) {
	if a == nil {
		return func() {}, nil
	}
	a.mu.Lock()
	if !a.right {
		address = ""
	}
	held := a.turns[address]
	if held == nil {
		held = make(chan struct{}, 1)
		a.turns[address] = held
	}
	a.mu.Unlock()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-limit.C:
		return nil, &Error{Kind: Unavailable, Message: "other binds of the account that searches are not answered"}
	}
}

// took notes a bind that a server took.
func (a *account) took() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.right, a.refused, a.until = true, 0, time.Time{}
}

// refuse notes a bind that a server refused; first tells the first in a row.
func (a *account) refuse(now time.Time) (until time.Time, first bool) {
	if a == nil {
		return time.Time{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	pause := mostPause
	if a.refused < 8 {
		pause = min(firstPause<<a.refused, mostPause)
	}
	a.right, a.at, a.until = false, now, now.Add(pause)
	a.refused++
	return a.until, a.refused == 1
}
