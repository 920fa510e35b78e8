package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxLine bounds a line of an exported audit, in bytes.
const maxLine = 64 << 10

// line is an entry in an export: all that [Auditor] needs.
type line struct {
	Type    string    `json:"type"` // "audit"
	Seq     int64     `json:"seq"`
	Time    time.Time `json:"time"`
	Node    string    `json:"node"`
	Number  int64     `json:"number"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
	Reason  string    `json:"reason"`
	Link    []byte    `json:"link"`
}

// Line is the entry as one line of JSON, without the newline.
func (e *Entry) Line() ([]byte, error) {
	return json.Marshal(line{"audit", e.Seq, e.Time.UTC(), e.Node, e.Number, e.Actor, e.Action, e.Subject, e.Detail, e.Reason, e.Link})
}

// ParseEntry reads what [Entry.Line] wrote.
func ParseEntry(text []byte) (Entry, error) {
	if len(text) > maxLine {
		return Entry{}, fmt.Errorf("an entry has more than %d bytes", maxLine)
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, errors.New("an entry is not JSON as it was exported")
	}
	e := Entry{Seq: l.Seq, Time: l.Time, Node: l.Node, Number: l.Number, Actor: l.Actor, Action: l.Action, Subject: l.Subject,
		Detail: l.Detail, Reason: l.Reason, Link: l.Link}
	if n := len(e.Link); l.Type != "audit" || e.Seq < 1 || e.Number < 0 || n != 0 && n != linkWhole && n != linkErased {
		return Entry{}, errors.New("an entry is not as it was exported")
	}
	return e, nil
}
