package engine

import (
	"context"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
)

// counted is the name under which failures count, also of a user who is not
// there: limits must not tell who exists.
func counted(u *User, subject cloud.Key) string {
	if u != nil {
		return string(u.ID)
	}
	return "?" + digest(string(subject.Kind)+"/"+Fold(subject.Value))
}

// stranger counts a try with a name that is nobody's, and tells whether there
// were too many from around that place.
func (e *Engine) stranger(tx Tx, way, place string, now time.Time) (shut bool, err error) {
	s, err := e.tries.Strangers(tx, way, place, now)
	switch {
	case err != nil:
		return false, err
	case s.Shut: // the name is not counted: nobody is to see that by the time
		return true, e.countNobody(tx, now)
	}
	return false, firstOf(s.Count(tx, now), e.prune(tx, now, pruneLimit))
}

// countNobody does for a code of nobody what a wrong code of somebody costs above
// all, a row in the same commit: by how long an answer takes nobody is to learn
// who there is, however many logins are committed with it. What it writes is
// nothing.
func (e *Engine) countNobody(tx Tx, now time.Time) error {
	return tx.PutFailures(notice("", "nobody"), tries.Failures{Count: 1, Last: now})
}

// takeAsLong is countNobody where no transaction is at work. If it fails nothing
// is lost.
func (e *Engine) takeAsLong(ctx context.Context) {
	_ = e.store.Update(ctx, func(tx Tx) error { return e.countNobody(tx, e.now()) })
}
