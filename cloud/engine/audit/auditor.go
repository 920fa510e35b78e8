package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Actions of entries that the audit's own check reads.
const (
	ActionCheckpoint = "audit.checkpoint" // Detail: a [Checkpoint] as JSON
	ActionErase      = "person.erase"     // Subject: what stands for the person; Detail: "entries=" and how many were erased
)

// Limits of a check of the audit.
const (
	maxFlaws    = 100
	rememberedN = 4096 // entries of a node that a checkpoint may lie behind its end
)

// Checkpoint says, signed, how far the chain of a node went at a time. Whoever
// keeps one elsewhere can tell later that nothing before it is gone.
type Checkpoint struct {
	Instance  string    `json:"instance"`
	Node      string    `json:"node"`
	Seq       int64     `json:"seq"`
	Number    int64     `json:"number"`
	Hash      []byte    `json:"hash"`
	Time      time.Time `json:"time"`
	Signature []byte    `json:"signature"`
}

// signed are the bytes that are signed.
func (c *Checkpoint) signed() []byte {
	var b bytes.Buffer
	b.WriteString(domainCheckpoint)
	fmt.Fprintf(&b, "%q %q %d %d %x %d", c.Instance, c.Node, c.Seq, c.Number, c.Hash, c.Time.UnixNano())
	return b.Bytes()
}

// Holds tells whether the signature is of that key.
func (c *Checkpoint) Holds(public ed25519.PublicKey) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, c.signed(), c.Signature)
}

// Floor says, signed, what was removed from the old end of the audit. The zero
// Floor: nothing was.
type Floor struct {
	Instance  string           `json:"instance"`
	Seq       int64            `json:"seq"`
	Heads     map[string]ended `json:"heads"` // where the chain of a node ended
	Time      time.Time        `json:"time"`
	Signature []byte           `json:"signature,omitempty"`
}

// ended is where a chain ends.
type ended struct {
	Number int64  `json:"number"`
	Hash   []byte `json:"hash"`
}

func (f *Floor) signed() []byte {
	bare := *f
	bare.Signature = nil
	text, _ := json.Marshal(bare) // our own struct; maps are written in order
	return append([]byte(domainFloor), text...)
}

// Holds tells whether the signature is of that key.
func (f *Floor) Holds(public ed25519.PublicKey) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, f.signed(), f.Signature)
}

// Flaw is something in the audit that is not as it was written.
type Flaw struct {
	Seq    int64  `json:"seq"` // 0: of no entry
	Node   string `json:"node"`
	Number int64  `json:"number"`
	What   string `json:"what"`
}

// String is the flaw in one line.
func (f Flaw) String() string {
	if f.Seq == 0 {
		return f.What
	}
	return fmt.Sprintf("entry %d %s", f.Seq, f.What)
}

// Chained is what was found of one node.
type Chained struct {
	Node     string
	From, To int64     // numbers of its first and last entry
	Signed   int64     // the last one that a checkpoint covers; 0: none
	At       time.Time // of that checkpoint
}

// Result is the result of a check. No Flaws: the audit is as it was written,
// as far as one can tell from it.
type Result struct {
	Entries int64
	Before  int64 // entries from before there were chains, which nothing protects
	Erased  int64
	Floor   int64 // entries up to this Seq were removed by retention
	Chains  []Chained
	Flaws   []Flaw
	More    int // flaws that are not listed
}

// Auditor checks entries in their order.
type Auditor struct {
	public    ed25519.PublicKey
	key       *Key // nil: without the store's key nobody can tell who appended
	instance  string
	wanted    []Checkpoint // must be found among the entries
	found     map[string]bool
	chains    map[string]*chain
	blanked   map[string]int64 // erased entries by their subject
	erasures  map[string]int64 // what erasures say of it
	result    Result
	sinceHere bool // a chained entry was seen
}

// chain is one node's while it is checked.
type chain struct {
	Chained
	hash   []byte
	recent map[int64][]byte // hashes by number
}

// NewAuditor makes an auditor that checks an export with a public key alone.
// It takes the first entry of each node as it is: where that is not number 1,
// the result says so in Chained.From. Checkpoints that were kept elsewhere must
// be found again.
func NewAuditor(public ed25519.PublicKey, kept ...Checkpoint) *Auditor {
	return &Auditor{public: public, wanted: kept, found: map[string]bool{}, chains: map[string]*chain{},
		blanked: map[string]int64{}, erasures: map[string]int64{}}
}

// NewOwnAuditor makes an auditor of the store of that key: it can tell who
// appended, begins behind what f says was removed, and can sign.
func NewOwnAuditor(key *Key, instance string, f *Floor, kept ...Checkpoint) *Auditor {
	a := NewAuditor(key.Public(), kept...)
	a.key, a.instance = key, instance
	a.result.Floor = f.Seq
	a.sinceHere = len(f.Heads) > 0
	for node, h := range f.Heads {
		a.chains[node] = &chain{Chained: Chained{Node: node, From: h.Number + 1, To: h.Number}, hash: h.Hash, recent: map[int64][]byte{h.Number: h.Hash}}
	}
	return a
}

func (a *Auditor) flaw(e *Entry, format string, args ...any) {
	if len(a.result.Flaws) >= maxFlaws {
		a.result.More++
		return
	}
	a.result.Flaws = append(a.result.Flaws, Flaw{Seq: e.Seq, Node: e.Node, Number: e.Number, What: fmt.Sprintf(format, args...)})
}

// Check takes the next entry.
func (a *Auditor) Check(e *Entry) {
	a.result.Entries++
	if e.Number == 0 && len(e.Link) == 0 {
		a.result.Before++
		if a.sinceHere {
			a.flaw(e, "was appended outside the chain")
		}
		return
	}
	a.sinceHere = true
	c := a.chains[e.Node]
	if c == nil {
		c = &chain{Chained: Chained{Node: e.Node, From: e.Number}, recent: map[int64][]byte{}}
		a.chains[e.Node] = c
	}
	a.link(c, e)
	if e.Erased() {
		a.result.Erased++
		a.blanked[e.Subject]++
		return
	}
	switch e.Action {
	case ActionCheckpoint:
		a.checkpoint(e)
	case ActionErase:
		n, err := strconv.ParseInt(strings.TrimPrefix(e.Detail, "entries="), 10, 64)
		if err != nil {
			a.flaw(e, "does not say how many entries were erased")
		}
		a.erasures[e.Subject] += n
	}
}

// link checks an entry against the one before it of its node.
func (a *Auditor) link(c *chain, e *Entry) {
	content := e.digested()
	switch {
	case content == nil:
		a.flaw(e, "has no link to the entry before it")
		return
	case a.key == nil && c.To == 0 && e.Number > 1: // an export of a part begins somewhere
	case e.Number > c.To+1 && c.To == 0 && a.result.Floor == 0:
		a.flaw(e, "is the first that is there: %s before it", missing(1, e.Number-1))
	case e.Number > c.To+1:
		a.flaw(e, "%s before it", missing(c.To+1, e.Number-1))
	case e.Number <= c.To:
		a.flaw(e, "stands behind entry %d: it was moved, or inserted", c.To)
	default:
		if sum := e.hash(c.hash, content); !bytes.Equal(sum[:], e.Link[:linkHash]) {
			a.flaw(e, "was altered, or its link was")
		}
	}
	if a.key != nil && !hmac.Equal(a.key.tag(e.Link[:linkHash]), e.Link[linkHash:linkHash+linkMAC]) {
		a.flaw(e, "was not written by this engine")
	}
	c.To, c.hash = max(e.Number, c.To), e.Link[:linkHash]
	c.recent[e.Number] = c.hash
	delete(c.recent, e.Number-rememberedN)
}

func missing(from, to int64) string {
	if from == to {
		return fmt.Sprintf("entry %d is missing", from)
	}
	return fmt.Sprintf("entries %d to %d are missing", from, to)
}

// checkpoint checks a signature and what it covers.
func (a *Auditor) checkpoint(e *Entry) {
	var p Checkpoint
	switch err := json.Unmarshal([]byte(e.Detail), &p); {
	case err != nil:
		a.flaw(e, "is a checkpoint that cannot be read")
		return
	case !p.Holds(a.public):
		a.flaw(e, "is a checkpoint whose signature does not hold")
		return
	}
	if a.instance == "" {
		a.instance = p.Instance
	}
	c := a.chains[p.Node]
	switch {
	case p.Instance != a.instance:
		a.flaw(e, "is a checkpoint of another store")
	case p.Number == 0 || p.Seq <= a.result.Floor:
	case c == nil || !bytes.Equal(c.recent[p.Number], p.Hash):
		a.flaw(e, "is a checkpoint that signed another entry %d of node %q than is there", p.Number, p.Node)
	default:
		c.Signed, c.At = p.Number, p.Time
	}
	a.found[string(p.Signature)] = true
}

// lookFor finds checkpoints again that were kept. Each stands in the audit right
// behind what it signs.
func (a *Auditor) lookFor(kept []Checkpoint) {
	for i := range kept {
		p := &kept[i]
		switch of := (&Entry{Node: p.Node, Number: p.Number}); {
		case !p.Holds(a.public):
			a.flaw(of, "a checkpoint that was kept is not signed by this store")
		case !a.found[string(p.Signature)] && p.Seq >= a.result.Floor:
			a.flaw(of, "the end is missing: a checkpoint of %s signed entry %d, and is not there", p.Time.UTC().Format(time.RFC3339), p.Number)
		}
	}
}

// Finish returns what came out.
func (a *Auditor) Finish() Result {
	a.lookFor(a.wanted)
	for subject, n := range a.blanked {
		if said := a.erasures[subject]; n > said || n < said && a.result.Floor == 0 {
			a.flaw(&Entry{}, "%d entries say that they were erased as %s, and the erasure says %d", n, subject, said)
		}
	}
	for _, c := range a.chains {
		a.result.Chains = append(a.result.Chains, c.Chained)
	}
	slices.SortFunc(a.result.Chains, func(x, y Chained) int { return strings.Compare(x.Node, y.Node) })
	return a.result
}
