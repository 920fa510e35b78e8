package sqlite

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
)

// Statements of the keys of repeatable requests.
const (
	sqlRecent       = "SELECT seq, keys FROM recent WHERE seq > +$1 ORDER BY seq"
	sqlRecentRow    = "SELECT keys FROM recent WHERE seq = $1"
	sqlPutRecent    = "INSERT INTO recent (until, keys) VALUES ($1, $2)"
	sqlOldestRecent = "SELECT seq, until FROM recent WHERE seq > 0 ORDER BY seq LIMIT $1"
	sqlPruneRecent  = "DELETE FROM recent WHERE seq <= $1"
)

const (
	// turn is how long keys are gathered in one generation of them.
	turn = 32 * time.Second
	// maxTurn bounds a generation by the number of its keys. Beyond it the
	// oldest are forgotten before their time: what repeats them is judged anew
	// then, and finds its code used.
	maxTurn = 1 << 18
	// pruneEvery is how many commits pass between two that clear at most
	// pruneRecent old rows away.
	pruneEvery  = 64
	pruneRecent = 128
)

// recent finds the latest challenge of a key. It knows in which row of the
// table of that name it stands, for rows of all processes up to the row last.
// That is all there is as long as nobody else has committed since, which the
// version of the data tells within the transaction that asks. It is the
// writer's.
type recent struct {
	version int64 // of the data when we last looked; 0: we never did
	last    int64
	began   time.Time           // of the newer generation
	known   [2]map[uint64]place // by the head of a key's digest, the newer generation first
	commits int                 // since rows were cleared away

	// Of the transaction at work.
	fresh bool   // we have looked
	keys  []byte // of the row to be
	until int64
	now   time.Time
}

// place is where a key is found.
type place struct {
	row   int64
	until int64 // nanoseconds
}

// A key in a row: its digest, until when it leads to the challenge, and the
// challenge's id with its length before it.
const (
	digestSize = 16
	keyHead    = digestSize + 8 + 1
)

type keyDigest [digestSize]byte

func digestOf(key string) keyDigest {
	var room [cloud.MaxIdempotencyKey + 64]byte // with the name of an application before it; longer ones find room elsewhere
	sum := sha256.Sum256(append(room[:0], key...))
	return keyDigest(sum[:digestSize])
}

// short is by what a digest is remembered.
func short(digest []byte) uint64 { return binary.BigEndian.Uint64(digest) }

// dataVersion tells within a transaction whether anybody else has committed
// since another one: then it is another number.
func (c *conn) dataVersion() (int64, error) {
	if c.version != 0 {
		return c.version, nil
	}
	version, err := c.number(sqlDataVersion)
	c.version = version
	return version, err
}

// eachKey walks a row. What cannot be read ends it.
func eachKey(row []byte, do func(digest []byte, until int64, id []byte)) {
	for len(row) > keyHead && len(row) >= keyHead+int(row[keyHead-1]) {
		end := keyHead + int(row[keyHead-1])
		do(row[:digestSize], int64(binary.BigEndian.Uint64(row[digestSize:])), row[keyHead:end])
		row = row[end:]
	}
}

// inRow is the last challenge of a key in a row; empty: none.
func inRow(row []byte, d *keyDigest) cloud.ChallengeID {
	var found []byte
	eachKey(row, func(of []byte, _ int64, id []byte) {
		if bytes.Equal(of, d[:]) {
			found = id
		}
	})
	return cloud.ChallengeID(found)
}

// begin is called when a transaction begins.
func (r *recent) begin() { r.fresh, r.keys, r.until = false, r.keys[:0], 0 }

// note puts the key of a challenge into the row to be.
func (r *recent) note(db *conn, c *engine.Challenge) error {
	if known, err := r.find(db, c.Key); err != nil || known == c.ID || len(c.ID) > 255 {
		return err
	}
	d := digestOf(c.Key)
	until := c.Repeatable().UnixNano()
	r.keys = append(r.keys, d[:]...)
	r.keys = binary.BigEndian.AppendUint64(r.keys, uint64(until))
	r.keys = append(append(r.keys, byte(len(c.ID))), c.ID...)
	r.until, r.now = max(r.until, until), c.Created
	return nil
}

// catchUp reads what other processes have committed since we last looked.
func (r *recent) catchUp(c *conn) error {
	if r.fresh {
		return nil
	}
	version, err := c.dataVersion()
	if err != nil {
		return err
	}
	if version != r.version {
		err := c.query(sqlRecent, func(row rows.Row) { r.learn(row.Number(), row.Bytes()) }, r.last)
		if err != nil {
			return err
		}
	}
	r.version, r.fresh = version, true
	return nil
}

// learn remembers the keys of a row.
func (r *recent) learn(seq int64, keys []byte) {
	if r.known[0] == nil || len(r.known[0]) >= maxTurn {
		r.known[0], r.known[1] = map[uint64]place{}, r.known[0]
	}
	eachKey(keys, func(digest []byte, until int64, _ []byte) { r.known[0][short(digest)] = place{seq, until} })
	r.last = seq
}

// age begins another generation when the newer one has had its turn, or began
// in what is the future now. What still holds of the older one goes along.
func (r *recent) age(now time.Time) {
	if now.Sub(r.began).Abs() < turn {
		return
	}
	old := r.known[1]
	r.known[0], r.known[1] = make(map[uint64]place, len(r.known[0])), r.known[0]
	r.began = now
	for d, p := range old {
		if _, newer := r.known[1][d]; !newer && p.until > now.UnixNano() {
			r.known[0][d] = p
		}
	}
}

// find is the latest challenge of a key, as far as is known.
func (r *recent) find(c *conn, key string) (id cloud.ChallengeID, err error) {
	if err := r.catchUp(c); err != nil {
		return "", err
	}
	d := digestOf(key)
	if id = inRow(r.keys, &d); id != "" {
		return id, nil
	}
	p, ok := r.known[0][short(d[:])]
	if !ok {
		if p, ok = r.known[1][short(d[:])]; !ok {
			return "", nil
		}
	}
	err = c.query(sqlRecentRow, func(row rows.Row) { id = inRow(row.Bytes(), &d) }, p.row)
	return id, err
}

// settle writes the row of a transaction that is about to be committed.
func (r *recent) settle(c *conn) error {
	if len(r.keys) == 0 {
		return nil
	}
	if err := r.catchUp(c); err != nil {
		return err
	}
	seq, err := c.insert(sqlPutRecent, r.until, r.keys)
	if err != nil {
		return err
	}
	r.age(r.now)
	r.learn(seq, r.keys)
	if r.commits++; r.commits < pruneEvery {
		return nil
	}
	r.commits = 0
	return r.prune(c, r.now.UnixNano())
}

// prune clears rows away of which every key has ended, from the oldest on.
func (r *recent) prune(c *conn, now int64) error {
	var through int64
	over := true
	err := c.query(sqlOldestRecent, func(row rows.Row) {
		seq, until := row.Number(), row.Number()
		if over = over && until < now; over {
			through = seq
		}
	}, int64(pruneRecent))
	if err != nil || through == 0 {
		return err
	}
	return c.do(sqlPruneRecent, through)
}

// ChallengeByKey implements [engine.Tx].
func (t tx) ChallengeByKey(key string) (*engine.Challenge, error) {
	id, err := t.c.recent.find(t.c, key)
	if err != nil || id == "" {
		return nil, err
	}
	c, err := t.Challenge(id)
	if err != nil || c == nil || c.Key != key {
		return nil, err
	}
	return c, nil
}
