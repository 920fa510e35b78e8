package migrate

import (
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"mfabridge/legacy"
)

// findings makes findings by the catalogue, so that a code has one severity
// and one suggested action wherever it is found.
type findings map[Code]Entry

func newFindings() findings {
	byCode := make(findings)
	for _, e := range Catalogue() {
		byCode[e.Code] = e
	}
	return byCode
}

// of makes a finding. A code outside the catalogue is a fault of ours that the
// tests find; it still counts as an error then.
func (f findings) of(code Code, field, detail string) Finding {
	e, ok := f[code]
	if !ok {
		e.Severity = SeverityError
	}
	return Finding{Code: code, Severity: e.Severity, Field: field, Detail: Plain(detail), Action: e.Action}
}

// problem makes the finding of a problem of the export. Its detail names the
// user and the column, since not every report has room for both beside the
// place. A code that the catalogue does not have becomes EXPORT_PROBLEM and
// stands in the detail.
func (f findings) problem(p legacy.Problem) Finding {
	code, detail := Code(p.Code), p.Detail
	if p.Field != "" && p.Code != legacy.UserDuplicate && !strings.HasPrefix(detail, p.Field) {
		detail = p.Field + ": " + detail
	}
	if _, ok := f[code]; !ok {
		code, detail = ExportProblem, string(p.Code)+": "+detail
	}
	if p.Username != "" {
		detail = fmt.Sprintf("%s: %s", p.Username, detail)
	}
	finding := f.of(code, Plain(p.Field), detail)
	finding.Place = p.Place.String()
	return finding
}

// others names the other users of a conflict: "ada, ben and 3 more".
func others(c Conflict) string {
	names := strings.Join(c.Others, ", ")
	switch {
	case c.More == 0:
		return names
	case names == "":
		return fmt.Sprintf("%d more", c.More)
	default:
		return fmt.Sprintf("%s and %d more", names, c.More)
	}
}

// spelt says where names that look alike differ: "é" is one code point or two,
// and whoever corrects one of the rows has to know which it is. Empty: none of
// the others looks like name, or the letters' case is all.
func spelt(name string, others []string) string {
	for _, other := range others {
		if !strings.Contains(name, `\`) {
			other = other[strings.LastIndexByte(other, '\\')+1:] // of DOMAIN\name
		}
		if local, _, isAddress := strings.Cut(other, "@"); isAddress && !strings.Contains(name, "@") {
			other = local
		}
		a, b := []rune(name), []rune(other)
		if other == name || norm.NFC.String(other) != norm.NFC.String(name) {
			continue
		}
		for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
			a, b = a[1:], b[1:]
		}
		for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
			a, b = a[:len(a)-1], b[:len(b)-1]
		}
		if max(len(a), len(b)) <= maxSpelt {
			return fmt.Sprintf(" (%s here, %s there)", codePoints(a), codePoints(b))
		}
	}
	return ""
}

// maxSpelt is how many code points are worth spelling out.
const maxSpelt = 4

func codePoints(text []rune) string {
	if len(text) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i, r := range text {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%U", r)
	}
	return b.String()
}
