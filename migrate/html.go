package migrate

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"iter"
	"time"
)

//go:embed html/inspection.html
var inspectionPage string

//go:embed html/report.css
var reportCSS string

//go:embed html/report.js
var reportJS string

// HTMLOptions say what an HTML report says of itself.
type HTMLOptions struct {
	Made    time.Time
	Version string // of this program
}

// InspectionHTML writes an inspection as one page that needs nothing else: no
// network, no other file. Its content security policy allows its own style and
// script, by their hashes, and nothing besides. Whatever comes from the export
// is text in it, never markup. The script only filters the list of findings;
// without it, and on paper, the page shows all that findings keeps.
func InspectionHTML(w io.Writer, o Overview, findings *Listing, h HTMLOptions) error {
	page, err := template.New("inspection").Parse(inspectionPage)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	view := newInspectionView(o, findings, h)
	if err := page.Execute(out, view); err != nil {
		return err
	}
	if view.failed != nil {
		return view.failed
	}
	return out.Flush()
}

// policy allows exactly one style and one script.
func policy(css, js string) string {
	return "default-src 'none'; style-src '" + digest(css) + "'; script-src '" + digest(js) + "'; base-uri 'none'; form-action 'none'"
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// inspectionView is what the template sees.
type inspectionView struct {
	Policy  string
	CSS     template.CSS
	JS      template.JS
	Made    string
	Version string

	Export      string
	Users       int
	Devices     int
	WithSecret  int
	Charts      []barChart
	Activations *stackChart
	Facts       []factView
	Clients     []clientView
	MoreClients int
	Note        string
	Closing     string

	findings *Listing
	failed   error
}

type factView struct{ Name, Value string }

type clientView struct{ Name, Address, Settings, Logins string }

func newInspectionView(o Overview, findings *Listing, h HTMLOptions) *inspectionView {
	s := o.Summary
	v := &inspectionView{
		Policy: policy(reportCSS, reportJS), CSS: template.CSS(reportCSS), JS: template.JS(reportJS),
		Made: h.Made.UTC().Format("2006-01-02 15:04 UTC"), Version: Plain(h.Version),
		Export: exportName(o), Users: s.Total(), Devices: s.Devices, WithSecret: s.DevicesWithSecret,
		Charts: []barChart{outlookChart(s),
			newBarChart("Asked by, users", modesOf(s)),
			newBarChart("Methods after the move", s.Methods),
			newBarChart("Telephone numbers by country", countriesOf(s))},
		Activations: newStackChart(s.Activated),
		Note:        listingNote(s, findings),
		Closing:     "docs/findings.md explains every finding; docs/reports.md this report.",
		findings:    findings,
	}
	for _, f := range o.facts() {
		v.Facts = append(v.Facts, factView{f.name, f.value})
	}
	all := o.Clients()
	for _, c := range all[:min(len(all), maxClients)] {
		v.Clients = append(v.Clients, clientView{clip(c.Name), clip(cmp.Or(c.Address, "-")), c.settings(), c.logins()})
	}
	v.MoreClients = max(len(all)-maxClients, 0)
	return v
}

func exportName(o Overview) string {
	return clip(cmp.Or(o.Export.Source, "an export")) + dated(", made ", o.Export.Created)
}

// listingNote says how many of the findings the page lists.
func listingNote(s Summary, l *Listing) string {
	total := 0
	for _, n := range s.Findings {
		total += n
	}
	kept := int(l.sorter.Len())
	note := fmt.Sprintf("All %d findings are listed", total)
	if kept < total {
		note = fmt.Sprintf("%d of %d findings are listed, of each code the first %d; --format json has them all", kept, total, l.most)
	}
	if n := accepted(s); n > 0 {
		note += fmt.Sprintf("; %d are accepted", n)
	}
	return note + "."
}

// groupEvent is one step of the list: the end of a group, the beginning of
// one, a row, in this order.
type groupEvent struct {
	Ends   bool
	Rest   int // findings of the group that ends that are not listed
	Begins *groupHead
	Row    *groupRow
}

type groupHead struct {
	Code     Code
	Severity Severity
	Count    int
	Meaning  string
	Action   string
}

type groupRow struct{ Place, Who, Detail, Accepted string }

// Groups yields the list of findings; an error ends it and is kept.
func (v *inspectionView) Groups() iter.Seq[groupEvent] {
	return func(yield func(groupEvent) bool) {
		meanings := newFindings()
		var code Code
		listed := 0
		for f, err := range v.findings.Findings() {
			if err != nil {
				v.failed = err
				return
			}
			var e groupEvent
			if f.Code != code {
				e.Ends, e.Rest = code != "", v.findings.Count(code)-listed
				e.Begins = &groupHead{f.Code, f.Severity, v.findings.Count(f.Code), meanings[f.Code].Meaning, f.Action}
				code, listed = f.Code, 0
			}
			listed++
			e.Row = &groupRow{Place: f.Place, Who: cmp.Or(f.Username, f.Field), Detail: f.Detail}
			if a := f.Accepted; a != nil {
				e.Row.Accepted = "accepted by " + Plain(a.Approver) + ": " + Plain(a.Reason)
			}
			if !yield(e) {
				return
			}
		}
		if code != "" {
			yield(groupEvent{Ends: true, Rest: v.findings.Count(code) - listed})
		}
	}
}
