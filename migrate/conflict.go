package migrate

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"mfabridge/internal/spill"
)

const (
	maxOthers  = 5   // users that a finding names
	maxOther   = 256 // bytes of a name that a finding quotes
	sumSize    = 16
	ordinalLen = 8
)

// sum stands for a claim's key. It is keyed with a random value of this run,
// so that telephone numbers cannot be guessed from it.
type sum [sumSize]byte

type hasher struct{ key [16]byte }

func newHasher() *hasher {
	h := new(hasher)
	_, _ = rand.Read(h.key[:]) // never fails
	return h
}

func (h *hasher) sum(kind ConflictKind, key string) sum {
	var stack [128]byte
	b := append(append(append(stack[:0], h.key[:]...), byte(kind)), key...)
	full := sha256.Sum256(b)
	return sum(full[:sumSize])
}

// conflicts finds what users of an export have in common, in flat memory: all
// claims are sorted by key, and what stands there more than once is sorted
// back into the order of the export.
type conflicts struct {
	hash    *hasher
	claims  *spill.Sorter // kind, sum, ordinal, grade, username
	found   *spill.Sorter // ordinal, kind, sum, more, names
	dropped bitmap        // users who share the target's user: what else they claim does not count
	buf     []byte
}

func newConflicts(dir string) *conflicts {
	return &conflicts{hash: newHasher(), claims: spill.New(spill.Options{Dir: dir}), found: spill.New(spill.Options{Dir: dir})}
}

func (c *conflicts) Close() error {
	err := c.claims.Close()
	if e := c.found.Close(); err == nil {
		err = e
	}
	return err
}

// add takes the claims of one user.
func (c *conflicts) add(d *draft) error {
	name := d.Username
	if len(name) > maxOther {
		name = name[:maxOther]
	}
	for _, cl := range d.claims {
		s := c.hash.sum(cl.kind, cl.key)
		b := append(c.buf[:0], byte(cl.kind))
		b = append(b, s[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(d.Ordinal))
		b = append(b, byte(cl.grade))
		c.buf = append(b, name...)
		if err := c.claims.Add(c.buf); err != nil {
			return err
		}
	}
	return nil
}

// group compares the claims; then each user's conflicts can be read. The work
// is linear, also where very many users share one number.
func (c *conflicts) group() error {
	const keySize = 1 + sumSize
	var g group
	for rec, err := range c.claims.Sorted() {
		if err != nil {
			return err
		}
		if !bytes.Equal(g.key, rec[:keySize]) {
			if err := c.close(&g); err != nil {
				return err
			}
			g.start(rec[:keySize])
		}
		ordinal := binary.BigEndian.Uint64(rec[keySize:])
		level := grade(rec[keySize+ordinalLen])
		kind := ConflictKind(rec[0])
		if (level != claimHeld || kind == SharedPhone) && kind != SharedTarget && c.dropped.has(ordinal) {
			if kind != SharedSecret && kind != SharedSerial {
				continue // SharedTarget comes first, so that all of these are known
			}
			level = claimIdle
		}
		g.add(ordinal, level, rec[keySize+ordinalLen+1:])
	}
	return c.close(&g)
}

// close writes the conflicts of a group.
func (c *conflicts) close(g *group) error {
	if len(g.members) < 2 {
		return nil
	}
	names := g.tally.names()
	for i, m := range g.members {
		if i > 0 && g.members[i-1].ordinal == m.ordinal {
			continue
		}
		if !g.yields(m) {
			continue
		}
		others := g.tally.except(m.ordinal, names)
		if len(others.Others) == 0 {
			others = g.idle.whole()
		}
		if len(others.Others) == 0 {
			continue
		}
		if ConflictKind(g.key[0]) == SharedTarget {
			c.dropped.set(m.ordinal)
		}
		b := binary.BigEndian.AppendUint64(c.buf[:0], m.ordinal)
		p := packer{append(b, g.key...)}
		p.flag(others.Idle)
		p.flag(!others.Idle && m.grade == claimMoves && g.movers == 1 && g.idle.users == 0)
		p.number(others.More)
		p.texts(others.Others)
		c.buf = p.b
		if err := c.found.Add(c.buf); err != nil {
			return err
		}
	}
	return nil
}

// group is all claims of one key, in the order of the export.
type group struct {
	key     []byte
	members []member
	tally   tally // of those who move it, or have it
	movers  int   // who move it
	idle    tally // of those who do neither
}

type member struct {
	ordinal uint64
	grade   grade
}

func (g *group) start(key []byte) {
	g.key = append(g.key[:0], key...)
	g.members = g.members[:0]
	g.tally.clear()
	g.idle.clear()
	g.movers = 0
}

func (g *group) add(ordinal uint64, level grade, name []byte) {
	if last := len(g.members) - 1; level == claimMoves && (last < 0 || g.members[last] != member{ordinal, level}) {
		g.movers++
	}
	g.members = append(g.members, member{ordinal, level})
	if level == claimIdle {
		g.idle.add(ordinal, name)
		return
	}
	g.tally.add(ordinal, name)
}

// yields tells whether a member gives way to the others. What the target holds
// already stays; and a user's own name, as against a login name besides it,
// is nobody else's: whose it is, the match has decided.
func (g *group) yields(m member) bool {
	return m.grade == claimAlias || m.grade == claimMoves && ConflictKind(g.key[0]) != SharedName
}

// tally counts users, and keeps the first few by name.
type tally struct {
	users uint64
	last  uint64 // the ordinal counted last
	first []named
}

// named is a user. The room of its name is used again for other groups: most
// have one member, and nobody asks for its name.
type named struct {
	ordinal uint64
	name    []byte
}

func (t *tally) clear() { t.users, t.first = 0, t.first[:0] }

func (t *tally) add(ordinal uint64, name []byte) {
	if t.users > 0 && t.last == ordinal {
		return
	}
	t.users++
	t.last = ordinal
	n := len(t.first)
	if n > maxOthers {
		return
	}
	if n == cap(t.first) {
		t.first = append(t.first, named{})
	}
	t.first = t.first[:n+1]
	t.first[n].ordinal, t.first[n].name = ordinal, append(t.first[n].name[:0], name...)
}

// names are those of the first users.
func (t *tally) names() []string {
	names := make([]string, len(t.first))
	for i, n := range t.first {
		names[i] = string(n.name)
	}
	return names
}

// except is the tally as the conflict of one of its users.
func (t *tally) except(ordinal uint64, names []string) Conflict {
	c := Conflict{Others: make([]string, 0, maxOthers)}
	for i, n := range t.first {
		if n.ordinal != ordinal && len(c.Others) < maxOthers {
			c.Others = append(c.Others, names[i])
		}
	}
	c.More = int(t.users) - 1 - len(c.Others)
	return c
}

// whole is the tally as the conflict of somebody who is none of its users.
func (t *tally) whole() Conflict {
	names := t.names()
	names = names[:min(len(names), maxOthers)]
	return Conflict{Others: names, More: int(t.users) - len(names), Idle: true}
}

// ofUsers yields, in the order of the export, the users who have conflicts.
func (c *conflicts) ofUsers() iter.Seq2[userConflicts, error] {
	return func(yield func(userConflicts, error) bool) {
		current := userConflicts{hash: c.hash}
		for rec, err := range c.found.Sorted() {
			if err != nil {
				yield(userConflicts{}, err)
				return
			}
			ordinal := int(binary.BigEndian.Uint64(rec))
			if len(current.shared) > 0 && current.ordinal != ordinal {
				if !yield(current, nil) {
					return
				}
				current.shared = nil
			}
			current.ordinal = ordinal
			s, err := readShared(rec[ordinalLen:])
			if err != nil {
				yield(userConflicts{}, err)
				return
			}
			current.shared = append(current.shared, s)
		}
		if len(current.shared) > 0 {
			yield(current, nil)
		}
	}
}

// userConflicts are the Conflicts of one user.
type userConflicts struct {
	ordinal int
	hash    *hasher
	shared  []shared
}

type shared struct {
	kind ConflictKind
	sum  sum
	Conflict
}

func readShared(rec []byte) (shared, error) {
	s := shared{kind: ConflictKind(rec[0]), sum: sum(rec[1 : 1+sumSize])}
	p := newUnpacker(rec[1+sumSize:])
	s.Idle, s.Held = p.flag(), p.flag()
	s.More = int(p.varint())
	s.Others = p.texts()
	if p.bad || len(p.b) != 0 {
		return shared{}, errSnapshot
	}
	return s, nil
}

// Of implements [Conflicts].
func (u userConflicts) Of(kind ConflictKind, key string) (Conflict, bool) {
	if !slices.ContainsFunc(u.shared, func(s shared) bool { return s.kind == kind }) {
		return Conflict{}, false
	}
	s := u.hash.sum(kind, key)
	for i := range u.shared {
		if u.shared[i].kind == kind && u.shared[i].sum == s {
			return u.shared[i].Conflict, true
		}
	}
	return Conflict{}, false
}

// bitmap is a set of ordinals, one bit each.
type bitmap []uint64

func (b bitmap) has(n uint64) bool {
	return n/64 < uint64(len(b)) && b[n/64]&(1<<(n%64)) != 0
}

func (b *bitmap) set(n uint64) {
	for uint64(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}
