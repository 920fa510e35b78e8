package migrate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"mfabridge/cloud"
)

// Report writes JSON lines, each an object with a "type": the output of show,
// apply and check for programs. Nothing in them can steer a terminal. A
// Report buffers; call Flush at the end.
type Report struct {
	w      *bufio.Writer
	reveal bool
	buf    []byte // reused
}

// NewReport returns a Report on w. Values are masked unless reveal.
func NewReport(w io.Writer, reveal bool) *Report {
	return &Report{w: bufio.NewWriterSize(w, 64<<10), reveal: reveal}
}

// Flush hands everything written so far to the writer below.
func (r *Report) Flush() error { return r.w.Flush() }

// line writes one object.
func (r *Report) line(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return r.write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// write writes a line, with what a terminal would obey escaped. Such
// characters stand only inside of strings, where \u escapes mean the same.
func (r *Report) write(line []byte) error {
	var err error
	if ascii(line) {
		_, err = r.w.Write(line)
	} else {
		_, err = r.w.WriteString(Plain(string(line)))
	}
	if err != nil {
		return err
	}
	return r.w.WriteByte('\n')
}

// ascii tells whether all of b are characters that show.
func ascii(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// value is v in the form of reports, masked unless revealed.
func (r *Report) value(m cloud.Method, v cloud.Value) (json.RawMessage, error) {
	if !r.reveal {
		v = MaskValue(m, v)
	}
	return ValueJSON(m, v)
}

// values are the forms of two values of one method.
func (r *Report) values(m cloud.Method, a, b cloud.Value) (json.RawMessage, json.RawMessage, error) {
	first, err := r.value(m, a)
	if err != nil {
		return nil, nil, err
	}
	second, err := r.value(m, b)
	return first, second, err
}

type differenceForm struct {
	Method   cloud.Method    `json:"method"`
	Expected json.RawMessage `json:"expected"`
	Found    json.RawMessage `json:"found"`
}

// Checked writes what check found of a user.
func (r *Report) Checked(u UserCheck) error {
	form := struct {
		Type        string           `json:"type"`
		Username    string           `json:"username"`
		UPN         string           `json:"upn"`
		Symbol      Symbol           `json:"symbol"`
		Differences []differenceForm `json:"differences"`
		Error       string           `json:"error,omitempty"`
	}{"user", u.Username, u.UPN, u.Symbol, []differenceForm{}, ""}
	for _, d := range u.Differences {
		expected, found, err := r.values(d.Method, d.Expected, d.Found)
		if err != nil {
			return err
		}
		form.Differences = append(form.Differences, differenceForm{d.Method, expected, found})
	}
	if u.Err != nil {
		_, form.Error = describe(u.Err)
	}
	return r.line(form)
}

// CheckSummary writes what a whole check came to.
func (r *Report) CheckSummary(c CheckResult) error {
	return r.line(struct {
		Type    string         `json:"type"`
		Checked int            `json:"checked"`
		Symbols map[Symbol]int `json:"symbols"`
	}{"summary", c.Total(), counted(c.Users)})
}

// Changed writes a change that a run of apply has settled.
func (r *Report) Changed(e ChangeEvent) error {
	form := struct {
		Type     string        `json:"type"`
		Username string        `json:"username"`
		Method   cloud.Method  `json:"method"`
		Op       cloud.Op      `json:"op"`
		Result   cloud.Outcome `json:"result"`
		Error    *string       `json:"error"`
	}{"change", e.Username, e.Change.Method, e.Change.Op, e.Result.Outcome, nil}
	if e.Result.Message != "" {
		form.Error = &e.Result.Message
	}
	return r.line(form)
}

// ApplySummary writes what a whole run of apply came to.
func (r *Report) ApplySummary(a ApplyResult, digest string) error {
	return r.line(struct {
		Type    string                `json:"type"`
		Digest  string                `json:"digest"`
		Run     int                   `json:"run"`
		Users   map[string]int        `json:"users"`
		Changes map[cloud.Outcome]int `json:"changes"`
	}{"summary", digest, a.Run, map[string]int{"total": a.Total, "done": a.Done, "failed": a.Failed,
		"stale": a.Stale, "left": a.Left(), "written": a.Written}, counted(a.Changes)})
}

// counted is m, never nil: a report has {} there, not null.
func counted[K comparable](m map[K]int) map[K]int {
	if m == nil {
		return map[K]int{}
	}
	return m
}

// words is an identifier of a plan as people read it: "must_act" is "must act".
func words[T ~string](s T) string { return strings.ReplaceAll(string(s), "_", " ") }
