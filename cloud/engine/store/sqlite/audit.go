package sqlite

import (
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/store/rows"
)

// Statements of the audit.
const (
	sqlAudit     = "SELECT " + rows.EntryColumns + " FROM audit WHERE seq > +$1 ORDER BY seq LIMIT +$2"
	sqlLastAudit = "SELECT " + rows.EntryColumns + " FROM audit WHERE seq > 0 ORDER BY seq DESC LIMIT 1"
	sqlLastOf    = "SELECT " + rows.EntryColumns + " FROM audit WHERE seq > 0 AND node = +$1 AND number > 0 ORDER BY seq DESC LIMIT 1"
	sqlLastSeq   = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'"
	sqlRedact    = "UPDATE audit SET subject = $1, detail = $2, reason = $3, link = $4 WHERE seq = $5"
	sqlPruneAt   = "DELETE FROM audit WHERE seq <= $1"
)

// heads are the ends of the chains as this connection last left them. They
// hold as long as nobody else has committed since.
type heads struct {
	version int64 // of the data
	seq     int64
	byNode  map[string]audit.Head
}

// Append implements [engine.Tx].
func (t tx) Append(e audit.Entry) error {
	prev, err := t.headOf(e.Node)
	if err != nil {
		return err
	}
	e.Seq = t.c.heads.seq + 1
	e.Chain(prev.Number+1, prev.Link)
	t.c.heads.seq, t.c.heads.byNode[e.Node] = e.Seq, audit.Head{Number: e.Number, Link: e.Link}
	t.c.late.entries = append(t.c.late.entries, e)
	return t.lately()
}

// headOf is the end of a node's chain; the zero one: there is none yet.
func (t tx) headOf(node string) (audit.Head, error) {
	version, err := t.c.dataVersion()
	if err != nil {
		return audit.Head{}, err
	}
	if t.c.heads == nil || t.c.heads.version != version {
		seq, err := t.c.number(sqlLastSeq)
		if err != nil {
			return audit.Head{}, err
		}
		t.c.heads = &heads{version: version, seq: seq, byNode: map[string]audit.Head{}}
	}
	if h, ok := t.c.heads.byNode[node]; ok {
		return h, nil
	}
	known, err := t.Meta(audit.MetaChain + node)
	switch {
	case err != nil:
		return audit.Head{}, err
	case known == nil: // the first entry of this node
		return audit.Head{}, t.SetMeta(audit.MetaChain+node, []byte{})
	}
	last, err := t.entries(sqlLastOf, node)
	if err != nil {
		return audit.Head{}, err
	}
	h := audit.ParseHead(known)
	if len(last) > 0 {
		h = audit.Head{Number: last[0].Number, Link: last[0].Link}
	}
	t.c.heads.byNode[node] = h
	return h, nil
}

func (t tx) Redact(e *audit.Entry) error {
	return t.do(sqlRedact, e.Subject, e.Detail, e.Reason, rows.Full(e.Link), e.Seq)
}

// PruneAudit implements [engine.Tx]. The table's trigger looks at the floor.
func (t tx) PruneAudit(through int64, limit int) (int, error) {
	floor, gone, err := audit.MoveFloor(t, through, limit)
	if err != nil || gone == 0 {
		return 0, err
	}
	return gone, t.do(sqlPruneAt, floor)
}

func (r reader) Audit(after int64, limit int) ([]audit.Entry, error) {
	r.c.walks = true
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
	err = r.c.query(sql, func(row rows.Row) { entries = append(entries, rows.Entry(row)) }, args...)
	return entries, err
}
