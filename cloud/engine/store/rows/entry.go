package rows

import "mfabridge/cloud/engine/audit"

// EntryColumns are those of the audit.
const EntryColumns = "seq, time, node, actor, action, subject, detail, reason, number, link"

// Entry reads one.
func Entry(r Row) audit.Entry {
	return audit.Entry{Seq: r.Number(), Time: clock(r), Node: r.Text(), Actor: r.Text(), Action: r.Text(), Subject: r.Text(),
		Detail: r.Text(), Reason: r.Text(), Number: r.Number(), Link: r.Bytes()}
}

// EntryValues appends what is written.
func EntryValues(to []any, e *audit.Entry) []any {
	return append(to, e.Seq, Nanos(e.Time), e.Node, e.Actor, e.Action, e.Subject, e.Detail, e.Reason, e.Number, Full(e.Link))
}
