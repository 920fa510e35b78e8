package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
)

type targetForm struct {
	Given    string   `json:"given"`
	Instance string   `json:"instance"`
	Product  string   `json:"product"`
	Existed  bool     `json:"existed"`
	Kind     string   `json:"kind"`
	Assumed  []string `json:"assumed"`
}

func formOf(t Target) targetForm {
	return targetForm{t.Given, t.Instance, t.Product, t.Existed, t.Kind, append([]string{}, t.Assumed...)}
}

type inputForm struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// planForm says what a plan was made from.
type planForm struct {
	ID            string            `json:"id"`
	Created       time.Time         `json:"created"`
	ToolVersion   string            `json:"tool_version"`
	Target        targetForm        `json:"target"`
	Inputs        []inputForm       `json:"inputs"`
	Options       map[string]string `json:"options"`
	PhoneMetadata string            `json:"phone_metadata"`
	Preflight     []checkForm       `json:"preflight"` // null: the target was not asked
	Scope         scopeForm         `json:"scope"`
}

type scopeForm struct {
	Given   string `json:"given"`
	SHA256  string `json:"sha256,omitempty"`
	LeftOut int    `json:"left_out"` // rows of the export
}

func planFormOf(p PlanReader) planForm {
	h := p.Header()
	form := planForm{ID: h.PlanID, Created: h.Created.UTC(), ToolVersion: h.ToolVersion, Target: formOf(h.Target), Inputs: []inputForm{},
		Options: texts(h.Options), PhoneMetadata: h.PhoneMetadata,
		Scope: scopeForm{given(h.Scope), h.Scope.SHA256, p.Summary().LeftOut}}
	for _, in := range h.Inputs {
		form.Inputs = append(form.Inputs, inputForm(in))
	}
	if h.Preflight != nil {
		form.Preflight = checkForms(h.Preflight)
	}
	return form
}

// texts is m, never nil.
func texts(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// given is how the scope was named; plans without one are about everybody.
func given(c Chosen) string {
	if c.Given == "" {
		return "all"
	}
	return c.Given
}

// estimateForm is how long apply will be at it; seconds are null where the
// target's pace is not known.
type estimateForm struct {
	Seconds  *int `json:"seconds"`
	Requests int  `json:"requests"`
}

type waveForm struct {
	Name     string           `json:"name"`
	Given    string           `json:"given"`
	SHA256   string           `json:"sha256,omitempty"`
	Outlook  map[Outlook]int  `json:"outlook"`
	Users    map[Action]int   `json:"users"`
	Changes  map[cloud.Op]int `json:"changes"`
	Estimate estimateForm     `json:"estimate"`
}

// waveForms are the waves of a plan in the order of its options.
func waveForms(p PlanReader) []waveForm {
	sum := p.Summary()
	forms := []waveForm{}
	for _, w := range wavesOf(p) {
		s := sum.Waves[w.Name]
		if s == nil {
			s = &Summary{}
		}
		forms = append(forms, waveForm{w.Name, w.Given, w.SHA256, counted(s.Outlook), counted(s.Users), counted(s.Changes),
			s.Estimate.form()})
	}
	return forms
}

func (e Estimate) form() estimateForm { return estimateForm{e.Seconds, e.Requests} }

// basis writes what the plan was made from.
func (t *text) basis(p PlanReader) {
	h, s := p.Header(), p.Summary()
	row := func(name, format string, args ...any) {
		t.printf("  %-7s %s\n", name, Plain(fmt.Sprintf(format, args...)))
	}
	state := ""
	if !h.Target.Existed {
		state = ", to be created"
	}
	if h.Target.Kind != "" && h.Target.Kind != "engine" {
		state += " as " + strings.Join(append([]string{h.Target.Kind}, h.Target.Assumed...), ", ")
	}
	row("target", "%s (%s, instance %s%s)", h.Target.Given, h.Target.Product, h.Target.Instance, state)
	row("made", "%s by mfabridge %s", h.Created.UTC().Format("2006-01-02 15:04:05 UTC"), h.ToolVersion)
	for _, in := range h.Inputs {
		row("read", "%s sha256 %s", in.Name, in.SHA256)
	}
	row("scope", "%s, %s left out", chosen(h.Scope), Number(s.LeftOut, "row", "rows"))
	for _, w := range wavesOf(p) {
		in := s.Waves[w.Name]
		if in == nil {
			in = &Summary{}
		}
		row("wave", "%s is %s: %s, %d with changes; %s", w.Name, chosen(w), Number(in.Total(), "user", "users"), in.Users[Create]+in.Users[Modify], in.Estimate)
	}
	row("rules", "%s", optionsText(h.Options))
	row("phones", "by metadata %s", h.PhoneMetadata)
	row("takes", "%s", takes(h.Capabilities))
	if h.Preflight == nil {
		row("before", "the target was not asked whether it is ready")
	}
	for _, c := range h.Preflight {
		row("before", "%s", CheckText(c))
	}
	row("apply", "%s", s.Estimate)
}

func chosen(c Chosen) string {
	if c.SHA256 == "" {
		return given(c)
	}
	return c.Given + " (sha256 " + c.SHA256 + ")"
}

// optionsText is the rules that were in force, those that say something.
func optionsText(options map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if options["ldap"] == "" && strings.HasPrefix(name, "ldap-") {
			continue // no directory was asked
		}
		switch v := options[name]; v {
		case "", "false":
		case "true":
			parts = append(parts, "--"+name)
		default:
			parts = append(parts, "--"+name+" "+v)
		}
	}
	if len(parts) == 0 {
		return "none given"
	}
	return strings.Join(parts, ", ")
}

// takes is what the target can create, from its capabilities.
func takes(caps cloud.Capabilities) string {
	var words []string
	if caps.CreateUsers {
		words = append(words, "new users")
	}
	for _, m := range slices.Sorted(maps.Keys(caps.Methods)) {
		if caps.Methods[m].Create {
			words = append(words, string(m))
		}
	}
	if caps.DefaultMethod.Update || caps.DefaultMethod.Create {
		words = append(words, "a default method")
	}
	if caps.Block {
		words = append(words, "blocks")
	}
	if caps.OATH.Limit > 0 {
		words = append(words, fmt.Sprintf("%d code generators a user", caps.OATH.Limit))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
