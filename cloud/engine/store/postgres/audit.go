package postgres

import (
	"maps"

	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/store/rows"
)

// Statements of the audit.
const (
	sqlAudit       = "SELECT " + rows.EntryColumns + " FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"
	sqlLastAudit   = "SELECT " + rows.EntryColumns + " FROM audit ORDER BY seq DESC LIMIT 1"
	sqlLastOf      = "SELECT " + rows.EntryColumns + " FROM audit WHERE node = $1 AND number > 0 ORDER BY seq DESC LIMIT 1"
	sqlAuditEnd    = "SELECT seq FROM audit_end"
	sqlSetAuditEnd = "UPDATE audit_end SET seq = $1"
	sqlAppend      = "INSERT INTO audit (" + rows.EntryColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	sqlRedact      = "UPDATE audit SET subject = $1, detail = $2, reason = $3, link = $4 WHERE seq = $5"
	sqlPruneAt     = "DELETE FROM audit WHERE seq <= $1"
)

// chainEnd is the end of the audit and of the chains in it, as this process
// left them. It holds as long as nobody else has appended, which the number in
// audit_end tells at the beginning of each transaction.
type chainEnd struct {
	seq    int64
	moved  bool // by this transaction
	byNode map[string]audit.Head
}

// is hears where the audit ends.
func (e *chainEnd) is(seq int64) {
	if e.byNode == nil || e.seq != seq {
		e.byNode = map[string]audit.Head{}
	}
	e.seq, e.moved = seq, false
}

// forget is for after a transaction that was undone.
func (e *chainEnd) forget() { *e = chainEnd{} }

// adopt makes what an update has appended part of its transaction.
func (t *tx) adopt() {
	if t.own == nil {
		return
	}
	t.end.seq, t.end.moved = t.own.seq, true
	maps.Copy(t.end.byNode, t.own.byNode)
}

// Append gives the entry the number that is next: nobody else writes meanwhile.
func (t *tx) Append(e audit.Entry) error {
	prev, err := t.headOf(e.Node)
	if err != nil {
		return err
	}
	if t.own == nil {
		t.own = &chainEnd{seq: t.end.seq, byNode: map[string]audit.Head{}}
	}
	e.Seq = t.own.seq + 1
	e.Chain(prev.Number+1, prev.Link)
	if err := t.do(sqlAppend, rows.EntryValues(nil, &e)...); err != nil {
		return err
	}
	t.own.seq, t.own.byNode[e.Node] = e.Seq, audit.Head{Number: e.Number, Link: e.Link}
	return nil
}

// headOf is the end of a node's chain; the zero one: there is none yet.
func (t *tx) headOf(node string) (audit.Head, error) {
	if t.own != nil {
		if h, ok := t.own.byNode[node]; ok {
			return h, nil
		}
	}
	if t.c.answered { // else it is not known yet where the audit ends
		if h, ok := t.end.byNode[node]; ok {
			return h, nil
		}
	}
	known, err := t.Meta(audit.MetaChain + node)
	switch {
	case err != nil:
		return audit.Head{}, err
	case known == nil: // the first entry of this node
		return audit.Head{}, t.SetMeta(audit.MetaChain+node, nil)
	}
	last, err := t.entries(sqlLastOf, node)
	if err != nil {
		return audit.Head{}, err
	}
	h := audit.ParseHead(known)
	if len(last) > 0 {
		h = audit.Head{Number: last[0].Number, Link: last[0].Link}
	}
	t.end.byNode[node] = h
	return h, nil
}

func (t *tx) Redact(e *audit.Entry) error {
	return t.do(sqlRedact, e.Subject, e.Detail, e.Reason, rows.Full(e.Link), e.Seq)
}

// PruneAudit implements [engine.Tx]. The table's trigger looks at the floor.
func (t *tx) PruneAudit(through int64, limit int) (int, error) {
	floor, gone, err := audit.MoveFloor(t, through, limit)
	if err != nil || gone == 0 {
		return 0, err
	}
	return gone, t.do(sqlPruneAt, floor)
}

func (r reader) Audit(after int64, limit int) ([]audit.Entry, error) {
	return r.entries(sqlAudit, after, int64(limit))
}

func (r reader) LastAudit() (audit.Entry, error) {
	entries, err := r.entries(sqlLastAudit)
	if err != nil || len(entries) == 0 {
		return audit.Entry{}, err
	}
	return entries[0], nil
}

func (r reader) entries(sql string, args ...any) (entries []audit.Entry, err error) {
	err = r.query(sql, func(row rows.Row) { entries = append(entries, rows.Entry(row)) }, args...)
	return entries, err
}
