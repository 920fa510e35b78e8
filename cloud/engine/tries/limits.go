package tries

import "time"

// Limits say how failures slow somebody down. The first Free failures in a row
// cost nothing; each further one doubles the time for which nothing is
// checked, from First up to Most. Forget after the last failure the count is
// forgotten.
type Limits struct {
	Free   int           // 0: 5
	First  time.Duration // 0: 5 seconds
	Most   time.Duration // 0: 15 minutes
	Forget time.Duration // 0: 24 hours
}

// everywhere is how many times Free is allowed across all places.
const everywhere = 10

// keepAtLeast is how long counts are kept whatever is forgotten before: a day's
// messages stand among them, and what networks are known.
const keepAtLeast = 24 * time.Hour

// Filled is l with what was left open.
func (l Limits) Filled() Limits {
	if l.Free <= 0 {
		l.Free = 5
	}
	if l.First <= 0 {
		l.First = 5 * time.Second
	}
	if l.Most <= 0 {
		l.Most = 15 * time.Minute
	}
	if l.Forget <= 0 {
		l.Forget = 24 * time.Hour
	}
	return l
}

// Kept is how long a count must be kept after its Last.
func (l Limits) Kept() time.Duration { return max(l.Forget, keepAtLeast) }

// Counter names a count of failures.
type Counter struct {
	User  string // user id, or a digest of an unknown user's name
	Way   string // "oath", "sms", "password"
	Place string // see [Place]; empty: all places together
}

// Failures is a count of failures in a row and the time of the last.
type Failures struct {
	Count int
	Last  time.Time
}

// Reader is where counts are read; what is not there is the zero value.
type Reader interface {
	Failures(c Counter) (Failures, error)
}

// Tx is where they are kept, for as long as [Limits.Kept] says.
type Tx interface {
	Reader
	PutFailures(c Counter, f Failures) error // a zero Count removes
}

// until is the time before which nothing is checked; at or before now: free.
func (l Limits) until(f Failures, free int) time.Time {
	if f.Count < free {
		return time.Time{}
	}
	delay := l.First
	for i := free; i < f.Count && delay < l.Most; i++ {
		delay *= 2
	}
	return f.Last.Add(min(delay, l.Most))
}

// after counts one more failure.
func (l Limits) after(f Failures, now time.Time) Failures {
	return Failures{Count: l.Current(f, now).Count + 1, Last: now}
}

// Current is f, or nothing where it is to be forgotten. A last failure that
// lies ahead by more than the longest delay was counted before the clock was
// set back: it counts on, but locks nobody out until the clock gets there.
func (l Limits) Current(f Failures, now time.Time) Failures {
	switch {
	case now.Sub(f.Last) >= l.Forget:
		return Failures{}
	case f.Last.Sub(now) > l.Most:
		f.Last = now.Add(-l.Most)
	}
	return f
}
