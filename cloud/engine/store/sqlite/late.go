package sqlite

import (
	"errors"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/oath"
)

// late are rows of a transaction that are still to be written. A login leaves a
// challenge, an attempt perhaps, the clock of a generator and a line of the
// audit; the logins of one commit have theirs written together, many rows with
// one statement. Whoever reads one of them before finds it here. An update that
// writes or reads anything else has all of it written out first, and goes on
// without: see [tx.directly]. So nothing ever comes out of its order.
//
// An update that was late all along needs no savepoint: to undo it is to forget
// its rows.
type late struct {
	challenges []engine.Challenge
	attempts   []engine.Attempt
	clocks     []lateClock
	entries    []audit.Entry

	own    mark  // where the rows of the update at work begin
	seq    int64 // of the audit, when it began; -1: not known
	direct bool  // it has a savepoint, and is late no more
	lost   error // why the transaction, or rows of updates before it, cannot be written: none of it may stay
	args   []any
}

// lateClock is what [tx.SetClock] was told.
type lateClock struct {
	user cloud.UserID
	id   string
	at   oath.Clock
}

// mark is how many rows of each kind there are.
type mark struct{ challenges, attempts, clocks, entries int }

func (l *late) end() mark {
	return mark{len(l.challenges), len(l.attempts), len(l.clocks), len(l.entries)}
}

// forget drops the rows from a mark on. The room of each slice is kept.
func (l *late) forget(from mark) {
	l.challenges = slices.Delete(l.challenges, from.challenges, len(l.challenges))
	l.attempts = slices.Delete(l.attempts, from.attempts, len(l.attempts))
	l.clocks = slices.Delete(l.clocks, from.clocks, len(l.clocks))
	l.entries = slices.Delete(l.entries, from.entries, len(l.entries))
}

// written drops the rows up to a mark.
func (l *late) written(to mark) {
	l.challenges = slices.Delete(l.challenges, 0, to.challenges)
	l.attempts = slices.Delete(l.attempts, 0, to.attempts)
	l.clocks = slices.Delete(l.clocks, 0, to.clocks)
	l.entries = slices.Delete(l.entries, 0, to.entries)
	l.own = mark{}
}

// begins is called before each update.
func (c *conn) begins() {
	c.late.own, c.late.direct, c.late.seq = c.late.end(), false, -1
	if c.heads != nil {
		c.late.seq = c.heads.seq
	}
}

// ends is called after each update: it keeps or undoes what the update did.
func (c *conn) ends(keep bool) error {
	l := &c.late
	switch {
	case l.lost != nil:
		return l.lost
	case keep && l.direct:
		return c.do(sqlRelease)
	case keep:
		return nil
	case l.direct:
		if err := c.do(sqlUndo); err != nil {
			return err
		}
		if err := c.do(sqlRelease); err != nil {
			return err
		}
	default:
		l.forget(l.own)
	}
	if c.heads != nil && c.heads.seq != l.seq { // what was appended is undone, and the end of each chain is to be read
		c.heads = nil
		return c.writeLate(l.end())
	}
	return nil
}

// stands says no where SQLite has ended the transaction by itself, as on a disk
// that fails: a statement would be one of its own then, and stay.
func (t tx) stands() error {
	l := &t.c.late
	if l.lost == nil && t.c.raw.AutoCommit() {
		l.lost = unavailable("the store could not commit", errors.New("the transaction has ended before its time"))
	}
	return l.lost
}

// directly has the update at work write at once from now on.
func (t tx) directly() error {
	l := &t.c.late
	if err := t.stands(); err != nil || l.direct {
		return err
	}
	if l.lost = t.c.writeLate(l.own); l.lost != nil {
		return l.lost
	}
	if err := t.c.do(sqlSavepoint); err != nil {
		return err
	}
	l.direct = true
	return t.c.writeLate(l.end())
}

// rowsAtOnce are how many rows one statement writes: the most that fit.
var rowsAtOnce = [...]int{32, 8, 2, 1}

// Heads of the statements that write many rows.
const (
	sqlPutChallenges = "INSERT OR REPLACE INTO challenges (" + challengeColumns + ")"
	sqlPutAttempts   = "INSERT OR REPLACE INTO attempts (" + rows.AttemptKeys + ", " + rows.AttemptColumns + ")"
	sqlAppendAll     = "INSERT INTO audit (" + rows.EntryColumns + ")"
)

// manyRows is a statement that writes n rows of so many columns.
func manyRows(head string, columns, n int) string {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return head + " VALUES " + strings.Repeat(row+", ", n-1) + row
}

// writeLate writes the rows up to a mark, in the order of each table.
func (c *conn) writeLate(to mark) error {
	l := &c.late
	if to == (mark{}) {
		return nil
	}
	err := c.writeRows(sqlPutChallenges, to.challenges, func(to []any, i int) []any { return rows.ChallengeValues(to, &l.challenges[i]) })
	if err == nil {
		err = c.writeRows(sqlPutAttempts, to.attempts, func(to []any, i int) []any { return rows.AttemptValues(to, &l.attempts[i]) })
	}
	for i := 0; err == nil && i < to.clocks; i++ {
		k := &l.clocks[i]
		l.args = append(rows.ClockValues(l.args[:0], k.at), string(k.user), k.id)
		err = c.do(sqlSetClock, l.args...)
	}
	if err == nil {
		err = c.writeRows(sqlAppendAll, to.entries, func(to []any, i int) []any { return rows.EntryValues(to, &l.entries[i]) })
	}
	l.written(to)
	return err
}

// writeRows writes n rows, of which add appends the values of one.
func (c *conn) writeRows(head string, n int, add func(to []any, i int) []any) error {
	for at := 0; at < n; {
		for _, size := range rowsAtOnce {
			if n-at < size {
				continue
			}
			c.late.args = c.late.args[:0]
			for end := at + size; at < end; at++ {
				c.late.args = add(c.late.args, at)
			}
			if err := c.do(c.many(head, len(c.late.args)/size, size), c.late.args...); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// manyKey names a statement for many rows.
type manyKey struct {
	head string
	n    int
}

// many returns manyRows, made once a connection.
func (c *conn) many(head string, columns, n int) string {
	key := manyKey{head, n}
	text, ok := c.manies[key]
	if !ok {
		if c.manies == nil {
			c.manies = map[manyKey]string{}
		}
		text = manyRows(head, columns, n)
		c.manies[key] = text
	}
	return text
}

// PutChallenge implements [engine.Tx].
func (t tx) PutChallenge(c *engine.Challenge) error {
	if c.Key != "" {
		if err := t.c.recent.note(t.c, c); err != nil {
			return err
		}
	}
	t.c.late.challenges = append(t.c.late.challenges, *c)
	return t.lately()
}

// PutAttempt implements [engine.Tx].
func (t tx) PutAttempt(a *engine.Attempt) error {
	t.c.late.attempts = append(t.c.late.attempts, *a)
	return t.lately()
}

// SetClock implements [engine.Tx].
func (t tx) SetClock(user cloud.UserID, id string, at oath.Clock) error {
	t.c.late.clocks = append(t.c.late.clocks, lateClock{user, id, at})
	return t.lately()
}

// lately leaves what was added for the end, where it may wait.
func (t tx) lately() error {
	if !t.c.late.direct {
		return nil
	}
	if err := t.stands(); err != nil {
		return err
	}
	return t.c.writeLate(t.c.late.end())
}

// Challenge implements [engine.Reader].
func (t tx) Challenge(id cloud.ChallengeID) (*engine.Challenge, error) {
	late := t.c.late.challenges
	for i := len(late) - 1; i >= 0; i-- {
		if late[i].ID == id {
			found := late[i] // the caller's own
			return &found, nil
		}
	}
	return t.reader.Challenge(id)
}

// Attempt implements [engine.Reader].
func (t tx) Attempt(id cloud.ChallengeID, key string) (*engine.Attempt, error) {
	late := t.c.late.attempts
	for i := len(late) - 1; i >= 0; i-- {
		if late[i].Challenge == id && late[i].Key == key {
			found := late[i]
			return &found, nil
		}
	}
	return t.reader.Attempt(id, key)
}

// Tokens implements [engine.Reader].
func (t tx) Tokens(user cloud.UserID) ([]engine.Token, error) {
	tokens, err := t.reader.Tokens(user)
	for i := range t.c.late.clocks {
		if k := &t.c.late.clocks[i]; k.user == user {
			if n := slices.IndexFunc(tokens, func(of engine.Token) bool { return of.ID == k.id }); n >= 0 {
				tokens[n].Clock = k.at
			}
		}
	}
	return tokens, err
}

// ChallengesAfter implements [engine.Reader].
func (t tx) ChallengesAfter(id cloud.ChallengeID, limit int) ([]*engine.Challenge, error) {
	if err := t.directly(); err != nil {
		return nil, err
	}
	return t.reader.ChallengesAfter(id, limit)
}

// Audit implements [engine.Reader].
func (t tx) Audit(after int64, limit int) ([]audit.Entry, error) {
	if err := t.directly(); err != nil {
		return nil, err
	}
	return t.reader.Audit(after, limit)
}

// LastAudit implements [engine.Reader].
func (t tx) LastAudit() (audit.Entry, error) {
	if err := t.directly(); err != nil {
		return audit.Entry{}, err
	}
	return t.reader.LastAudit()
}
