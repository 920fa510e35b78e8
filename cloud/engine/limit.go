package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"mfabridge/cloud"
)

// Limits say how failures slow a user down. The first Free failures in a row
// cost nothing; each further one doubles the time for which nothing is
// checked, from First up to Most. Failures count by user, way of verifying and
// calling station (or address); after a proven first factor, and for passwords,
// again by user and way alone with ten times Free, which leaves those networks
// open where the user came in lately. A success ends the count of its place;
// Forget after the last failure the count is forgotten.
type Limits struct {
	Free   int           // 0: 5
	First  time.Duration // 0: 5 seconds
	Most   time.Duration // 0: 15 minutes
	Forget time.Duration // 0: 24 hours

	Texts Texts
	Calls Texts // the same of calls, counted apart
}

// everywhere is how many times Free is allowed across all places.
const everywhere = 10

func (l Limits) filled() Limits {
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
	l.Texts = l.Texts.filled()
	l.Calls = l.Calls.filled()
	return l
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
	return Failures{Count: l.current(f, now).Count + 1, Last: now}
}

// current is f, or nothing where it is to be forgotten. A last failure that
// lies ahead by more than the longest delay was counted before the clock was
// set back: it counts on, but locks nobody out until the clock gets there.
func (l Limits) current(f Failures, now time.Time) Failures {
	switch {
	case now.Sub(f.Last) >= l.Forget:
		return Failures{}
	case f.Last.Sub(now) > l.Most:
		f.Last = now.Add(-l.Most)
	}
	return f
}

// where says whose failures count, and where.
type where struct {
	user   string // user id, or a digest of an unknown user's name
	way    string
	place  string
	proven bool // they count against the user as a whole as well, see proven
}

// proven tells whether whoever asks has proven who the user is: then the name
// that a person typed was not enough. Only after that does a wrong second
// factor count against the user as a whole, so that nobody is locked out by
// somebody who knows no more than a name.
func proven(subject cloud.Key) bool { return subject.Kind != cloud.ByName }

// gate is the limit of one user, way and place, as read in a transaction.
type gate struct {
	limits    Limits
	where     where
	here, all Failures
	shut      bool // nothing is checked now
}

// gate reads the counts. Beyond the bar for all places together a place from
// which the user came in lately is still open.
func (e *Engine) gate(r Reader, w where, now time.Time) (g gate, err error) {
	g = gate{limits: e.limits, where: w}
	if g.here, err = r.Failures(g.counter(w.place)); err != nil {
		return g, err
	}
	g.here = e.limits.current(g.here, now)
	g.shut = now.Before(e.limits.until(g.here, e.limits.Free))
	if !w.proven {
		return g, nil
	}
	if g.all, err = r.Failures(g.counter("")); err != nil {
		return g, err
	}
	g.all = e.limits.current(g.all, now)
	if !g.shut && now.Before(e.limits.until(g.all, everywhere*e.limits.Free)) {
		known, err := r.Failures(g.known())
		g.shut = knownLeft(known, now) <= 0
		return g, err
	}
	return g, nil
}

func (g *gate) counter(place string) Counter {
	return Counter{User: g.where.user, Way: g.where.way, Place: place}
}

// known is where it is kept that the user came in from around this place: a
// count of one whose time is that of the end, less the time for which counts are
// kept anyway.
func (g *gate) known() Counter {
	return Counter{User: g.where.user, Way: g.where.way + "/known", Place: around(g.where.place)}
}

// knownFor is how long a place stays one from which the user comes: over a
// weekend and over holidays.
const knownFor = 30 * 24 * time.Hour

// knownLeft is how long a place is known from now on; nothing or less: it is
// not. An end further away than any that is given was written by a clock that
// has been set back since, and is none.
func knownLeft(f Failures, now time.Time) time.Duration {
	left := f.Last.Add(keepCounts).Sub(now)
	if f.Count == 0 || left > knownFor {
		return 0
	}
	return left
}

// around is the network that an address is in: people get another address at
// the same place every few days. A calling station is itself.
func around(place string) string {
	text, ok := strings.CutPrefix(place, "address:")
	if !ok {
		return place
	}
	bits := 24
	a, err := netip.ParseAddr(text)
	if err != nil { // IPv6 is a network already
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return place
		}
		a, bits = p.Addr(), 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return place
	}
	return "network:" + p.String()
}

// stranger counts a try with a name that is nobody's, and tells whether there
// were too many from around that place.
func (e *Engine) stranger(tx Tx, way, place string, now time.Time) (shut bool, err error) {
	s, err := e.strangers(tx, way, place, now)
	switch {
	case err != nil:
		return false, err
	case s.shut: // the name is not counted: nobody is to see that by the time
		return true, e.countNobody(tx, now)
	}
	return false, firstOf(tx.PutFailures(s.counter, s.limits.after(s.was, now)), e.prune(tx, now, pruneLimit))
}

// strangers is the limit on names that are nobody's, of one network: whoever
// makes names up fills neither the audit nor the disk with them. Beyond it the
// answer is that of a wrong guess, and nothing of it is kept: what is written
// then, for the time that it takes, is one row for all.
type strangers struct {
	limits  Limits
	counter Counter
	was     Failures
	shut    bool
}

// strangers reads it.
func (e *Engine) strangers(r Reader, way, place string, now time.Time) (s strangers, err error) {
	s = strangers{limits: e.limits, counter: Counter{User: "?", Way: way, Place: around(place)}}
	s.was, err = r.Failures(s.counter)
	s.was = e.limits.current(s.was, now)
	s.shut = now.Before(e.limits.until(s.was, everywhere*e.limits.Free))
	return s, err
}

// crowded tells whether names that are nobody's are not all counted one by one
// any more: such a name is never shut, and one that is shut is somebody's.
func (s *strangers) crowded() bool { return s.was.Count >= everywhere*s.limits.Free }

// count records how a check went.
func (g *gate) count(tx Tx, passed bool, now time.Time) error {
	if passed {
		return g.passed(tx, now)
	}
	if err := tx.PutFailures(g.counter(g.where.place), g.limits.after(g.here, now)); err != nil || !g.where.proven {
		return err
	}
	return tx.PutFailures(g.counter(""), g.limits.after(g.all, now))
}

// passed ends the count of this place. What other places did stays counted.
func (g *gate) passed(tx Tx, now time.Time) error {
	if g.here.Count > 0 {
		if err := tx.PutFailures(g.counter(g.where.place), Failures{}); err != nil {
			return err
		}
		if g.where.proven {
			rest := max(0, g.all.Count-g.here.Count)
			if err := tx.PutFailures(g.counter(""), Failures{Count: rest, Last: g.all.Last}); err != nil {
				return err
			}
		}
	}
	if !g.where.proven {
		return nil
	}
	known, err := tx.Failures(g.known())
	if err != nil || knownLeft(known, now) > knownFor-12*time.Hour { // no write for each login
		return err
	}
	return tx.PutFailures(g.known(), Failures{Count: 1, Last: now.Add(knownFor - keepCounts)})
}

// digest is a short stand-in for a text of any length or confidence.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// place is what failures are counted by: the calling station, else the
// address. Long stations are cut by a digest, so that a counter stays small.
func place(c cloud.Client) string {
	switch {
	case c.Station != "":
		if len(c.Station) > 64 {
			return "station:" + digest(c.Station)
		}
		return "station:" + c.Station
	case c.Address.IsValid():
		return "address:" + subnet(c.Address)
	default:
		return "unknown"
	}
}

// subnet is the address itself, of IPv6 its /64: within one a caller picks
// addresses freely.
func subnet(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
