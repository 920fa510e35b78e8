package audit

import (
	"crypto/ed25519"
	"maps"
	"slices"
	"time"
)

// Resume makes an auditor that has checked nothing yet begin at the checkpoints
// that were kept, where they are all of one moment, and returns the Seq behind
// which it goes on.
func (a *Auditor) Resume() (from int64) {
	old, floor := a.wanted, a.result.Floor
	for i := range old {
		if p := &old[i]; !p.Holds(a.public) || p.Instance != a.instance || p.Seq <= floor || p.Seq != old[0].Seq {
			return floor // go through all of it
		}
	}
	if len(old) == 0 {
		return floor
	}
	a.chains = map[string]*chain{}
	a.sinceHere = true
	for i := range old {
		p := &old[i]
		a.chains[p.Node] = &chain{Chained: Chained{Node: p.Node, From: p.Number, To: p.Number, Signed: p.Number}, hash: p.Hash,
			recent: map[int64][]byte{p.Number: p.Hash}}
	}
	return old[0].Seq
}

// Sign makes a checkpoint of each chain if any has grown by more than the
// checkpoints that were kept; seq is that of the last entry. What is not as it
// was written is not signed: the first flaw comes back instead, which may be that
// a checkpoint that was kept is not there. The key must be the store's.
func (a *Auditor) Sign(seq int64, now time.Time) (made []Checkpoint, flaw *Flaw) {
	a.lookFor(a.wanted)
	if len(a.result.Flaws) > 0 {
		return nil, &a.result.Flaws[0]
	}
	grown := int64(0)
	for _, c := range a.chains {
		grown += c.To
	}
	for i := range a.wanted {
		grown -= a.wanted[i].Number
	}
	if grown <= int64(len(a.wanted)) { // the checkpoints of last time
		return nil, nil
	}
	for _, node := range slices.Sorted(maps.Keys(a.chains)) {
		c := a.chains[node]
		p := Checkpoint{Instance: a.instance, Node: node, Seq: seq, Number: c.To, Hash: c.hash, Time: now}
		p.Signature = ed25519.Sign(a.key.signer, p.signed())
		made = append(made, p)
	}
	return made, nil
}

// Signed is the Seq up to which all checkpoints that were kept have signed; of
// none: there is no bound.
func (a *Auditor) Signed() (through int64) {
	through = 1 << 62
	for i := range a.wanted {
		through = min(through, a.wanted[i].Seq)
	}
	return through
}

// Lower signs that all that was checked, up to the entry seq, may be removed.
// What is not as it was written stays: the first flaw comes back instead. The key
// must be the store's.
func (a *Auditor) Lower(seq int64, now time.Time) (*Floor, *Flaw) {
	if len(a.result.Flaws) > 0 {
		return nil, &a.result.Flaws[0]
	}
	f := &Floor{Instance: a.instance, Seq: seq, Heads: map[string]ended{}, Time: now}
	for node, c := range a.chains {
		f.Heads[node] = ended{c.To, c.hash}
	}
	f.Signature = ed25519.Sign(a.key.signer, f.signed())
	return f, nil
}
