package planfile

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// inserts are the tables with many rows.
type inserts struct {
	user, change, finding, problem *batch
}

func (r *inserts) prepare(d *db) error {
	for _, t := range []struct {
		into    *(*batch)
		table   string
		columns int
	}{{&r.user, "users", 10}, {&r.change, "changes", 9}, {&r.finding, "findings", 6}, {&r.problem, "problems", 5}} {
		var err error
		if *t.into, err = d.batch(t.table, t.columns); err != nil {
			return err
		}
	}
	return nil
}

// flush inserts all rows that wait.
func (r *inserts) flush() error {
	return errors.Join(r.user.flush(), r.change.flush(), r.finding.flush(), r.problem.flush())
}

// user writes the rows of one user.
func (w *Writer) user(d *migrate.Decision, sealed []byte) error {
	ordinal := driver.Value(int64(d.Ordinal))
	var blob driver.Value
	if sealed != nil {
		blob = sealed
	}
	facts, err := clearFacts(d.Facts)
	if err != nil {
		return err
	}
	err = w.rows.user.add(ordinal, d.Username, d.UPN, string(d.Target), d.MatchedBy, d.Wave, string(d.Action), string(d.Outlook), facts, blob)
	if err != nil {
		return err
	}
	for i := range d.Changes {
		if err := w.change(ordinal, int64(i), &d.Changes[i]); err != nil {
			return err
		}
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		k, err := w.kind(f)
		if err != nil {
			return err
		}
		if err := w.rows.finding.add(ordinal, int64(i), int64(k), f.Field, f.Detail, f.Place); err != nil {
			return err
		}
	}
	return nil
}

// clearFacts is the column facts: names and masked values in turn, as JSON.
func clearFacts(facts []migrate.Fact) (driver.Value, error) {
	if len(facts) == 0 {
		return nil, nil
	}
	list := make([]string, 0, 2*len(facts))
	for _, f := range facts {
		f = migrate.MaskFact(f)
		list = append(list, f.Name, f.Value)
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// parseFacts is the inverse of clearFacts.
func parseFacts(text string) ([]migrate.Fact, error) {
	if text == "" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list)%2 != 0 || len(list) > 2*MaxFacts {
		return nil, errors.New("the facts of a user are damaged")
	}
	facts := make([]migrate.Fact, 0, len(list)/2)
	for ; len(list) > 0; list = list[2:] {
		facts = append(facts, migrate.Fact{Name: list[0], Value: list[1]})
	}
	return facts, nil
}

func (w *Writer) change(ordinal driver.Value, seq int64, c *migrate.PlannedChange) error {
	before, err := clearValue(c.Method, c.Before)
	if err != nil {
		return err
	}
	after, err := clearValue(c.Method, c.After)
	if err != nil {
		return err
	}
	return w.rows.change.add(ordinal, seq, string(c.Op), string(c.Method), c.ID, before, after, c.Reason, int64(flag(c.Irreversible)))
}

// clearValue is v as it stands in a clear column: masked, as text or as the
// object that reports show, NULL for none.
func clearValue(m cloud.Method, v cloud.Value) (driver.Value, error) {
	if v.IsZero() {
		return nil, nil
	}
	v = migrate.MaskValue(m, v)
	if isText(m) {
		return v.Text, nil
	}
	var stack [256]byte
	b, err := migrate.AppendValue(stack[:0], m, v)
	if err != nil {
		return nil, err
	}
	return string(b), nil
}

// isText tells the methods whose values are a text.
func isText(m cloud.Method) bool { return m.IsPhone() || m == cloud.Email || m == cloud.DefaultMethod }

// kind returns the number of what f has in common with others.
func (w *Writer) kind(f *migrate.Finding) (int, error) {
	k := kind{f.Code, f.Severity, f.Action}
	known := w.kinds[f.Code]
	for i := range known {
		if known[i].kind == k {
			return known[i].number, nil
		}
	}
	if w.kindCount == maxKinds {
		return 0, fmt.Errorf("a plan file takes no more than %d kinds of findings", maxKinds)
	}
	w.kindCount++
	w.kinds[f.Code] = append(known, numbered{k, w.kindCount})
	return w.kindCount, nil
}

func (w *Writer) writeKinds() error {
	s, err := w.db.prepare(`INSERT INTO kinds VALUES (?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, of := range w.kinds {
		for _, k := range of {
			if err := s.exec(int64(k.number), string(k.code), string(k.severity), k.action); err != nil {
				return err
			}
		}
	}
	return nil
}
