package planfile

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
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

var errResults = hint.New("the results of a user are damaged", damagedAdvice)

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
	for _, o := range [...]cloud.Outcome{cloud.Done, cloud.Already, cloud.Outdated, cloud.Failed, migrate.Pending} {
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
	if results, ok := parseOwn(b); ok {
		return results, nil
	}
	var forms []resultForm
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&forms); err != nil || len(forms) > MaxChanges {
		return nil, errResults
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errResults // something stands behind the list
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

// parseOwn reads a list as appendResults writes it where nothing failed, in a
// tenth of the time of the JSON decoder. What it does not know is no error.
func parseOwn(b []byte) (results []migrate.ChangeResult, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte("["))
	if !ok {
		return nil, false
	}
	results = make([]migrate.ChangeResult, 0, bytes.Count(b, []byte("{")))
	for {
		var r migrate.ChangeResult
		if b, ok = parseOwnResult(b, &r); !ok || len(results) == MaxChanges {
			return nil, false
		}
		results = append(results, r)
		if string(b) == "]" {
			return results, true
		}
		if b, ok = bytes.CutPrefix(b, []byte(",")); !ok {
			return nil, false
		}
	}
}

// parseOwnResult reads one object and returns what follows it.
func parseOwnResult(b []byte, r *migrate.ChangeResult) (rest []byte, ok bool) {
	if b, ok = bytes.CutPrefix(b, []byte(`{"s":`)); !ok {
		return nil, false
	}
	digits := 0
	for ; digits < len(b) && digits < 4 && b[digits] >= '0' && b[digits] <= '9'; digits++ {
		r.Seq = 10*r.Seq + int(b[digits]-'0')
	}
	if digits == 0 || digits > 1 && b[0] == '0' || r.Seq >= MaxChanges {
		return nil, false
	}
	if b, ok = bytes.CutPrefix(b[digits:], []byte(`,"o":"`)); !ok || len(b) < 2 || b[1] != '"' {
		return nil, false
	}
	if r.Outcome, ok = outcomeOf(string(b[:1])); !ok {
		return nil, false
	}
	b = b[2:]
	if id, has := bytes.CutPrefix(b, []byte(`,"i":"`)); has {
		end := bytes.IndexByte(id, '"')
		if end < 0 || !plainASCII(id[:end]) {
			return nil, false
		}
		r.ID, b = string(id[:end]), id[end+1:]
	}
	return bytes.CutPrefix(b, []byte("}"))
}

// plainASCII tells a text that JSON writes as it is.
func plainASCII(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
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
