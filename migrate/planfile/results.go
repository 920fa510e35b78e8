package planfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Results of a user stand in the journal as a JSON list of objects with the
// members s (seq), o (outcome: d done, a already, s stale, f failed, p pending: about to be put back), i (the
// target's id), k (kind of the error) and m (its message); what is empty is
// left out.
type resultForm struct {
	Seq     int    `json:"s"`
	Outcome string `json:"o"`
	ID      string `json:"i"`
	Kind    string `json:"k"`
	Message string `json:"m"`
}

// maxKind is a bound on the kinds of cloud.Error.
const maxKind = 32

var errResults = errors.New("the results of a user are damaged")

func outcomeLetter(o cloud.Outcome) string {
	switch o {
	case cloud.Done:
		return "d"
	case cloud.Already:
		return "a"
	case cloud.Outdated:
		return "s"
	case migrate.Pending:
		return "p"
	}
	return "f"
}

func outcomeOf(letter string) (cloud.Outcome, bool) {
	for _, o := range []cloud.Outcome{cloud.Done, cloud.Already, cloud.Outdated, cloud.Failed, migrate.Pending} {
		if outcomeLetter(o) == letter {
			return o, true
		}
	}
	return "", false
}

// appendResults writes the list by hand: it is made for every user of a plan,
// and most of it is digits.
func appendResults(b []byte, results []migrate.ChangeResult) []byte {
	b = append(b, '[')
	for i, r := range results {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"s":`...)
		b = strconv.AppendInt(b, int64(r.Seq), 10)
		b = append(b, `,"o":"`...)
		b = append(b, outcomeLetter(r.Outcome)...)
		b = append(b, '"')
		if r.ID != "" {
			b = appendMember(b, "i", r.ID)
		}
		if r.Outcome == cloud.Failed || r.Outcome == cloud.Outdated {
			b = appendMember(b, "k", r.Kind.String())
			b = appendMember(b, "m", r.Message)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendMember(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	text, _ := json.Marshal(value) // of a string it cannot fail
	return append(b, text...)
}

// parseResults reads the list strictly.
func parseResults(b []byte) ([]migrate.ChangeResult, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var forms []resultForm
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&forms); err != nil || dec.More() || len(forms) > MaxChanges {
		return nil, errResults
	}
	results := make([]migrate.ChangeResult, len(forms))
	for i, f := range forms {
		outcome, ok := outcomeOf(f.Outcome)
		if !ok || f.Seq < 0 || f.Seq >= MaxChanges {
			return nil, errResults
		}
		results[i] = migrate.ChangeResult{Seq: f.Seq, Outcome: outcome, ID: f.ID, Message: f.Message}
		if f.Kind == "" {
			continue
		}
		if results[i].Kind, ok = kindOf(f.Kind); !ok {
			return nil, errResults
		}
	}
	return results, nil
}

// kindOf is the inverse of cloud.Kind.String.
func kindOf(name string) (cloud.Kind, bool) {
	for k := range cloud.Kind(maxKind) {
		if s := k.String(); s == name && s != "unknown" {
			return k, true
		}
	}
	return 0, false
}
