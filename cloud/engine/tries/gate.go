package tries

import "time"

// Where says whose failures count, and where.
type Where struct {
	User   string // user id, or a digest of an unknown user's name
	Way    string
	Place  string
	Proven bool // they count against the user as a whole as well
}

// Gate is the limit of one user, way and place, as read in a transaction.
type Gate struct {
	Shut bool // nothing is checked now

	limits    Limits
	where     Where
	here, all Failures
}

// Gate reads the counts. Beyond the bar for all places together a place from
// which the user came in lately is still open.
func (l Limits) Gate(r Reader, w Where, now time.Time) (g Gate, err error) {
	g = Gate{limits: l, where: w}
	if g.here, err = r.Failures(g.counter(w.Place)); err != nil {
		return g, err
	}
	g.here = l.Current(g.here, now)
	g.Shut = now.Before(l.until(g.here, l.Free))
	if !w.Proven {
		return g, nil
	}
	if g.all, err = r.Failures(g.counter("")); err != nil {
		return g, err
	}
	g.all = l.Current(g.all, now)
	if !g.Shut && now.Before(l.until(g.all, everywhere*l.Free)) {
		known, err := r.Failures(g.known())
		g.Shut = knownLeft(known, now) <= 0
		return g, err
	}
	return g, nil
}

func (g *Gate) counter(place string) Counter {
	return Counter{User: g.where.User, Way: g.where.Way, Place: place}
}

// Count records how a check went.
func (g *Gate) Count(tx Tx, passed bool, now time.Time) error {
	if passed {
		return g.passed(tx, now)
	}
	if err := tx.PutFailures(g.counter(g.where.Place), g.limits.after(g.here, now)); err != nil || !g.where.Proven {
		return err
	}
	return tx.PutFailures(g.counter(""), g.limits.after(g.all, now))
}

// passed ends the count of this place. What other places did stays counted.
func (g *Gate) passed(tx Tx, now time.Time) error {
	if g.here.Count > 0 {
		if err := tx.PutFailures(g.counter(g.where.Place), Failures{}); err != nil {
			return err
		}
		if g.where.Proven {
			rest := max(0, g.all.Count-g.here.Count)
			if err := tx.PutFailures(g.counter(""), Failures{Count: rest, Last: g.all.Last}); err != nil {
				return err
			}
		}
	}
	if !g.where.Proven {
		return nil
	}
	known, err := tx.Failures(g.known())
	if err != nil || knownLeft(known, now) > knownFor-12*time.Hour { // no write for each login
		return err
	}
	return tx.PutFailures(g.known(), Failures{Count: 1, Last: now.Add(knownFor - keepAtLeast)})
}

// known is where it is kept that the user came in from around this place: a
// count of one whose time is that of the end, less the time for which counts are
// kept anyway.
func (g *Gate) known() Counter {
	return Counter{User: g.where.User, Way: g.where.Way + "/known", Place: around(g.where.Place)}
}

// knownFor is how long a place stays one from which the user comes: over a
// weekend and over holidays.
const knownFor = 30 * 24 * time.Hour

// knownLeft is how long a place is known from now on; nothing or less: it is
// not. An end further away than any that is given was written by a clock that
// has been set back since, and is none.
func knownLeft(f Failures, now time.Time) time.Duration {
	left := f.Last.Add(keepAtLeast).Sub(now)
	if f.Count == 0 || left > knownFor {
		return 0
	}
	return left
}

// Strangers is the limit on names that are nobody's, of one network: whoever
// makes names up fills neither the audit nor the disk with them. Beyond it the
// answer is that of a wrong guess, and nothing of it is kept: what is written
// then, for the time that it takes, is one row for all.
type Strangers struct {
	Shut bool

	limits  Limits
	counter Counter
	was     Failures
}

// Strangers reads it.
func (l Limits) Strangers(r Reader, way, place string, now time.Time) (s Strangers, err error) {
	s = Strangers{limits: l, counter: Counter{User: "?", Way: way, Place: around(place)}}
	s.was, err = r.Failures(s.counter)
	s.was = l.Current(s.was, now)
	s.Shut = now.Before(l.until(s.was, everywhere*l.Free))
	return s, err
}

// Count records one more name that is nobody's.
func (s *Strangers) Count(tx Tx, now time.Time) error {
	return tx.PutFailures(s.counter, s.limits.after(s.was, now))
}

// Crowded tells whether names that are nobody's are not all counted one by one
// any more: such a name is never shut, and one that is shut is somebody's.
func (s *Strangers) Crowded() bool { return s.was.Count >= everywhere*s.limits.Free }
