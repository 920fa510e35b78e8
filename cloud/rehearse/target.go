// Package rehearse makes a target misbehave on purpose: to test what a
// migration does then, and to let an operator see it before the real one.
//
// [Wrap] puts faults in front of any [cloud.Directory]; what it does wrong is
// written as words with commas between them:
//
//	seed=7                 chance begins here; the same seed, the same faults
//	throttle=10%           a tenth of all calls is refused: too many requests
//	throttle@3-5:2s        the Writes 3 to 5 are, and Retry-After says 2 seconds
//	unavailable=5%         a call is not made
//	lost@4                 the fourth Write is made, and its answer lost
//	partial=20%            of every user only the first few changes of a Write are made
//	denied=2%              2 % of the users are refused for good
//	read-only@5-           from the fifth on no Write is allowed
//	slow:200ms             every call takes that much longer
//	late:5s                a Read misses a Write for that long
//	die@6, die-after@6     the process ends, before or right behind the sixth Write
//	gone@7                 from the seventh Write on nothing answers any more
//
// Only Writes are counted, from 1 in each process. What has neither @ nor =
// happens at every call. Throttle, unavailable and slow without @ are about
// Find and Read too. The wrapped target keeps the promises of
// [cloud.Directory]: it fails only in ways that the contract allows.
package rehearse

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
)

// Machine is what a target misbehaves with.
type Machine struct {
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	Die   func() // ends the process at once; should it return, the call fails
}

// target is a Directory with faults.
type target struct {
	inner   cloud.Directory
	faults  []Fault
	machine Machine
	seed    uint64

	mu     sync.Mutex
	random *rand.Rand
	writes int
	gone   bool
	hidden memory
}

// lockable is a target whose inner one keeps runs apart.
type lockable struct {
	*target
	cloud.Locker
}

var (
	_ cloud.Directory = (*target)(nil)
	_ cloud.Locker    = lockable{}
)

// Wrap returns d with faults. It is a [cloud.Locker] if d is.
func Wrap(d cloud.Directory, f Faults, m Machine) cloud.Directory {
	t := &target{inner: d, faults: f.Faults, machine: m, seed: f.Seed, random: rand.New(rand.NewPCG(f.Seed, 0))}
	if l, ok := d.(cloud.Locker); ok {
		return lockable{t, l}
	}
	return t
}

// Capabilities implements [cloud.DirectoryReader].
func (t *target) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	c, err := t.inner.Capabilities(ctx)
	for _, f := range t.faults {
		c.Delayed = c.Delayed || f.Kind == Late
	}
	return c, err
}

// Find implements [cloud.DirectoryReader].
func (t *target) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	if err := t.before(ctx, t.hit(0)); err != nil {
		return nil, err
	}
	found, err := t.inner.Find(ctx, keys)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range found {
		found[i] = t.hidden.without(t.machine.Now(), found[i])
	}
	return found, nil
}

// Read implements [cloud.DirectoryReader].
func (t *target) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	if err := t.before(ctx, t.hit(0)); err != nil {
		return nil, err
	}
	users, err := t.inner.Read(ctx, ids)
	if len(users) != len(ids) {
		return users, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, id := range ids {
		if old, ok := t.hidden.of(t.machine.Now(), id); ok {
			users[i] = old
		}
	}
	return users, err
}

// Restorable implements [cloud.Restorer]. Where nobody can come back, nobody
// is told to.
func (t *target) Restorable(ctx context.Context, ids []cloud.UserID) ([]bool, error) {
	if r, ok := t.inner.(cloud.Restorer); ok {
		return r.Restorable(ctx, ids)
	}
	return make([]bool, len(ids)), nil
}

// Write implements [cloud.Directory].
func (t *target) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	t.mu.Lock()
	t.writes++
	number := t.writes
	t.mu.Unlock()
	hits := t.hit(number)
	if err := t.before(ctx, hits); err != nil {
		return all(changes, err)
	}
	results := t.write(ctx, changes, hits)
	if _, ok := hits[DieAfter]; ok {
		t.machine.Die()
		return all(changes, unavailable("the process should have ended"))
	}
	if _, ok := hits[Lost]; ok {
		return all(changes, unavailable("the answer is lost"))
	}
	return results
}

// hit says which faults hit a call: the Write of that number, or 0 for a call
// that only reads.
func (t *target) hit(number int) map[Kind]Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	hits := map[Kind]Fault{}
	for _, f := range t.faults {
		counted := number >= f.First && number <= f.Last
		reads := f.First == 0 && (f.Kind == Throttle || f.Kind == Unavailable || f.Kind == Slow || f.Kind == Gone)
		switch {
		case number > 0 && f.First > 0 && !counted, number == 0 && !reads:
			continue
		case f.Kind != Denied && f.Share < 1 && t.random.Float64() >= f.Share:
			continue
		}
		t.gone = t.gone || f.Kind == Gone
		hits[f.Kind] = f
	}
	if t.gone {
		hits[Gone] = Fault{Kind: Gone}
	}
	return hits
}

// before is what happens instead of a call, if anything.
func (t *target) before(ctx context.Context, hits map[Kind]Fault) error {
	if f, ok := hits[Slow]; ok {
		if err := t.machine.Sleep(ctx, f.Duration); err != nil {
			return &cloud.Error{Kind: cloud.Unavailable, Message: "the call was given up", Err: err}
		}
	}
	if _, ok := hits[Gone]; ok {
		return unavailable("the target is gone")
	}
	if _, ok := hits[Die]; ok {
		t.machine.Die()
		return unavailable("the process should have ended")
	}
	if _, ok := hits[ReadOnly]; ok {
		return &cloud.Error{Kind: cloud.Denied, Message: "nothing may be written here (rehearsed)"}
	}
	if f, ok := hits[Throttle]; ok {
		return &cloud.Error{Kind: cloud.Throttled, Message: "too many requests (rehearsed)", RetryAfter: f.Duration}
	}
	if _, ok := hits[Unavailable]; ok {
		return unavailable("the target does not answer")
	}
	return nil
}

// write makes those of the changes that no fault keeps back.
func (t *target) write(ctx context.Context, changes []cloud.Change, hits map[Kind]Fault) []cloud.Result {
	results := make([]cloud.Result, len(changes))
	var made []cloud.Change
	var places []int
	cut := t.cuts(hits)
	for i, c := range changes {
		if err := cut(c); err != nil {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: err}
			continue
		}
		made, places = append(made, c), append(places, i)
	}
	late, isLate := hits[Late]
	var before []cloud.User
	if isLate {
		before = t.remembered(ctx, made)
	}
	for i, r := range t.inner.Write(ctx, made) {
		results[places[i]] = r
	}
	if isLate {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.hidden.hide(t.machine.Now(), late.Duration, before, made, results, places)
	}
	return results
}

// cuts returns what says, change by change, whether it is kept back.
func (t *target) cuts(hits map[Kind]Fault) func(cloud.Change) error {
	denied, isDenied := hits[Denied]
	_, isPartial := hits[Partial]
	t.mu.Lock()
	defer t.mu.Unlock()
	chance := rand.New(rand.NewPCG(t.random.Uint64(), 0))
	left := map[string]int{} // changes of a user that are still made
	return func(c cloud.Change) error {
		name := strings.ToLower(c.UPN)
		if isDenied && t.drawn(name) < denied.Share {
			return &cloud.Error{Kind: cloud.Denied, Message: "this user may not be changed (rehearsed)"}
		}
		if !isPartial {
			return nil
		}
		if _, ok := left[name]; !ok {
			left[name] = chance.IntN(4)
		}
		if left[name]--; left[name] < 0 {
			left[name] = -1
			return unavailable("the target stopped in the middle")
		}
		return nil
	}
}

// drawn is a number of a user from 0 to below 1, always the same with one seed.
func (t *target) drawn(name string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(t.seed, h.Sum64())).Float64()
}

// all answers every change with one error.
func all(changes []cloud.Change, err error) []cloud.Result {
	results := make([]cloud.Result, len(changes))
	for i := range results {
		results[i] = cloud.Result{Outcome: cloud.Failed, Err: err}
	}
	return results
}

func unavailable(what string) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: what + " (rehearsed)"}
}
