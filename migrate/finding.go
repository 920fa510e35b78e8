package migrate

import (
	"fmt"
	"strings"

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
