package board

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// view is what the page's template sees.
type view struct {
	Policy  string
	CSS     template.CSS
	JS      template.JS
	Meta    template.JS // for the script
	Made    string
	Version string
	Reveal  bool

	Title       string
	Wave        string
	Users       int
	Head        []fact
	Digest      string
	Sealed      bool
	Verdict     string
	Open        int // decisions that somebody has to take
	Groups      []groupView
	Decisions   []decision
	Accepted    []acceptance
	More        string // acceptances that are not listed
	Methods     []methodRow
	Modes       []bar
	Changes     string
	Severities  []severityView
	Problems    []problem
	ProblemNote string
	Dates       []bar
	NoDates     string
	FirstDate   string // the first deadline
	Waves       []waveRow
	Estimate    string
	Options     []rule
	Inputs      []fact
	Takes       []fact
	Checks      []check
	Silent      []string
	Glossary    []term
	Listed      int
	ListNote    string
	Named       []namedGroup
	HasWaves    bool
	Actions     []option
	Waved       []option
}

type fact struct{ Name, Value string }

// rule is an option of the plan.
type rule struct{ Says, Name, Value string }

type option struct {
	Value int
	Name  string
}

// bar is a labelled length.
type bar struct {
	Name, Class, Count string
	Width              string // of 100
}

func newView(p migrate.PlanReader, t *tally, o Options) *view {
	h, s := p.Header(), p.Summary()
	css := style(p.Digest())
	v := &view{
		Policy: policy(css), CSS: template.CSS(css), JS: template.JS(pageJS), Meta: meta(t),
		Made: o.Made.UTC().Format("2 January 2006, 15:04 UTC"), Version: text(o.Version), Reveal: o.Reveal,
		Title: title(t, o), Wave: text(o.Wave), Users: t.users,
		Digest: p.Digest(), Sealed: p.Sealed(), Silent: silent(), Glossary: glossary(), HasWaves: t.hasWaves(),
	}
	v.head(h, s)
	v.schedule(p, t)
	v.outlook(t, s)
	v.decide(h, s.Accepted, t)
	v.moves(t, s)
	v.findings(t)
	v.rules(h)
	v.checks(h)
	v.list(t, o)
	return v
}

func title(t *tally, o Options) string {
	if o.Wave != "" {
		return "Migration plan, wave " + text(o.Wave) + ": " + some(t.users, "user")
	}
	return "Migration plan for " + some(t.users, "user")
}

func (v *view) head(h migrate.Header, s migrate.Summary) {
	state := ""
	if !h.Target.Existed {
		state = ", to be created"
	}
	v.Head = []fact{
		{"Target", text(h.Target.Product) + state + " (" + text(h.Target.Given) + ")"},
		{"Plan made", h.Created.UTC().Format("2 January 2006, 15:04 UTC") + ", with mfabridge " + text(h.ToolVersion)},
		{"Plan number", text(h.PlanID)},
		{"Whom it is about", scopeWords(h.Scope, s.LeftOut)},
	}
}

// scopeWords say whose rows the plan is about.
func scopeWords(scope migrate.Chosen, leftOut int) string {
	if leftOut == 0 {
		return "all users of the export"
	}
	return text(scope.Given) + "; " + some(leftOut, "user") + " of the export outside of it"
}

func (v *view) rules(h migrate.Header) {
	for _, name := range sortedKeys(h.Options) {
		idle := h.Options["ldap"] == "" && strings.HasPrefix(name, "ldap-") // no directory was asked
		if value := h.Options[name]; value != "" && !idle {
			v.Options = append(v.Options, rule{optionWords(name), "--" + text(name), optionValue(name, value)})
		}
	}
	if h.Scope.SHA256 != "" {
		v.Inputs = append(v.Inputs, fact{"scope", text(h.Scope.SHA256)})
	}
	if h.PhoneMetadata != "" {
		v.Options = append(v.Options, rule{"Telephone numbering plans", "", "version " + text(h.PhoneMetadata)})
	}
	for _, in := range h.Inputs {
		v.Inputs = append(v.Inputs, fact{text(in.Name), text(in.SHA256)})
	}
	c := h.Capabilities
	v.Takes = []fact{{"Instance", text(c.Instance)}, {"Creates accounts", yes(c.CreateUsers)}, {"Keeps old login names", yes(c.Aliases)},
		{"Keeps accounts disabled", yes(c.Disable)}, {"Keeps blocks", yes(c.Block)}}
	var takes []string
	for _, m := range cloud.Methods() {
		if c.Methods[m].Create {
			takes = append(takes, methodName(m))
		}
	}
	v.Takes = append(v.Takes, fact{"Takes these methods", orNone(takes)})
	var sends []string
	for _, p := range c.Telephony {
		sends = append(sends, preferenceName(string(p)))
	}
	if h.Target.Kind == "entra" {
		v.Takes = append(v.Takes, fact{"Rehearsal", "takes what Microsoft Entra ID can be given, and nothing else"})
	}
	for _, a := range h.Target.Assumed {
		v.Takes = append(v.Takes, fact{"Assumed", text(a)})
	}
	v.Takes = append(v.Takes, fact{"Delivers to telephones", orNone(sends)})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orNone(names []string) string { return cmp.Or(strings.Join(names, ", "), "none") }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// width is n of most, in percent of a bar's place; what is there can be seen.
func width(n, most int) string {
	w := 100 * float64(n) / float64(max(most, 1))
	if n > 0 {
		w = max(w, 0.4)
	}
	return strconv.FormatFloat(w, 'f', 2, 64)
}

// metaForm is what the page's script knows besides the users.
type metaForm struct {
	Outlooks [][2]string `json:"outlooks"` // word, name
	Actions  []string    `json:"actions"`
	Waves    []string    `json:"waves"`
	Codes    [][4]string `json:"codes"` // code, severity, meaning, action
	First    int         `json:"first"` // letter of the first code
	Domains  []string    `json:"domains"`
}

func meta(t *tally) template.JS {
	m := metaForm{First: firstLetter, Domains: t.domains.names}
	for _, g := range groups() {
		m.Outlooks = append(m.Outlooks, [2]string{string(g.Outlook), g.Name})
	}
	m.Outlooks = append(m.Outlooks, [2]string{"other", "Other"})
	for _, a := range actions {
		m.Actions = append(m.Actions, actionName(a))
	}
	m.Actions = append(m.Actions, "Other")
	if t.hasWaves() {
		for _, w := range t.waves {
			m.Waves = append(m.Waves, waveName(w.name))
		}
	}
	for _, e := range codesOf(t) {
		m.Codes = append(m.Codes, [4]string{text(string(e.Code)), string(e.Severity), e.Meaning, e.Action})
	}
	b, err := json.Marshal(m)
	if err != nil { // strings and numbers only
		panic(fmt.Sprintf("board: %v", err))
	}
	return template.JS(b)
}

func waveName(name string) string { return cmp.Or(text(name), "in no wave") }

// hasWaves tells whether the plan sorts its users into waves.
func (t *tally) hasWaves() bool {
	return len(t.waves) > 1 || len(t.waves) == 1 && t.waves[0].name != ""
}

type methodRow struct {
	Name, Word           string
	Before, After        string
	BeforeBar, AfterBar  string
	Added, Kept, Removed string
}

// moves says what methods there are before and after the plan.
func (v *view) moves(t *tally, s migrate.Summary) {
	most := 0
	for _, m := range cloud.Methods() {
		before, after := beforeAfter(t, s, m)
		most = max(most, before, after)
	}
	for _, m := range cloud.Methods() {
		before, after := beforeAfter(t, s, m)
		row := methodRow{Name: methodName(m), Word: string(m), Before: num(before), After: num(after),
			BeforeBar: width(before, most), AfterBar: width(after, most)}
		if d := t.moves[m]; d != nil {
			row.Added, row.Kept, row.Removed = num(d.added), num(d.changed), num(d.removed)
		} else {
			row.Added, row.Kept, row.Removed = "0", "0", "0"
		}
		v.Methods = append(v.Methods, row)
	}
	modes := sortedKeys(s.Modes)
	slices.SortStableFunc(modes, func(a, b legacy.Mode) int { return s.Modes[b] - s.Modes[a] })
	most = 0
	for _, m := range modes {
		most = max(most, s.Modes[m])
	}
	for _, m := range modes {
		v.Modes = append(v.Modes, bar{Name: modeName(m), Count: num(s.Modes[m]), Width: width(s.Modes[m], most)})
	}
	v.Changes = changesSentence(t)
}

// beforeAfter are a method's users after the plan, as the plan counted them,
// and before, which is the same without its changes.
func beforeAfter(t *tally, s migrate.Summary, m cloud.Method) (before, after int) {
	after = s.Methods[m]
	before = after
	if d := t.moves[m]; d != nil {
		before += d.removed - d.added
	}
	return max(before, 0), after
}

func changesSentence(t *tally) string {
	if t.total() == 0 {
		return "The plan makes no changes."
	}
	created := t.actions[migrate.Create]
	s := fmt.Sprintf("The plan makes %s, %s of them new accounts.", some(t.total(), "change"), num(created))
	if t.lost+t.staying() == 0 {
		return s + " Undo can take all of them back."
	}
	if n := t.staying(); n > 0 {
		s += " " + some(n, "change") + " cannot be taken back by undo: " + stayingWords(t) + "."
	}
	if t.lost > 0 {
		s += " " + some(t.lost, "change") + " would take from a user what nobody could give back; apply leaves that out unless it is told otherwise."
	}
	return s
}

// stayingWords names the changes that undo cannot take back: "Mobile phone (12)".
func stayingWords(t *tally) string {
	var parts []string
	for _, m := range sortedKeys(t.irreversible) {
		parts = append(parts, methodName(m)+" ("+num(t.irreversible[m])+")")
	}
	return strings.Join(parts, ", ")
}
