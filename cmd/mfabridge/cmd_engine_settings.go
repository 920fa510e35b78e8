package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func (p *program) settingsCommand() *cli.Command {
	words := make([]string, 0, len(engine.Selectable()))
	for _, method := range engine.Selectable() {
		words = append(words, string(method))
	}
	return &cli.Command{
		Name: "settings", Usage: "show what people may do with authenticators, and change it",
		Description: "Without an option that changes something it lists the settings. --from EXPORT takes them from the settings.json of the\n" +
			"old server's export, as far as it says something; options beside it win. What was changed stands in the audit.",
		Flags: slices.Concat(adminFlags(), []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "take them from the old server's `EXPORT`"},
			&cli.StringFlag{Name: "account", Usage: "`NAME` that authenticators show the account as"},
			&cli.StringFlag{Name: "self-enrolment", Usage: "`YES|NO`: who proves who they are needs no invitation"},
			&cli.StringFlag{Name: "self-activation", Usage: "`YES|NO`: people activate with their password and a second factor; no: with what the helpdesk gives only"},
			&cli.StringFlag{Name: "may-select", Usage: "`METHODS` that people may make their default, by comma: " + strings.Join(words, ",") + ", or none"},
			&cli.IntFlag{Name: "device-limit", DefaultText: "as it is", Usage: "authenticators that one user may have, `N` of 1 to 5"},
			&cli.StringFlag{Name: "pin", Usage: "`YES|NO`: everybody approves with a PIN"},
			&cli.IntFlag{Name: "pin-length", DefaultText: "as it is", Usage: "least length of a PIN, `N` of 4 to 16 digits"},
			&cli.StringFlag{Name: "weak-pins", Usage: "`YES|NO`: PINs such as 1234 are taken"},
			&cli.StringFlag{Name: "language", Usage: "`LANGUAGE` of the mail of an invitation: " + strings.Join(engine.Languages(), " or ")},
			&cli.StringFlag{Name: "reason", Usage: "why, for the audit (required for a change)"},
			formatFlag(),
		}), Action: p.engineSettings}
}

// settingsOptions are those that change something.
func settingsOptions() []string {
	return []string{"from", "account", "self-enrolment", "self-activation", "may-select", "device-limit", "pin", "pin-length", "weak-pins", "language"}
}

func (p *program) engineSettings(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "SETTING", "VALUE", "MEANING")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(settingsOptions(), c.IsSet) {
		return p.administer(c, func(e administrator) error {
			s, err := e.Settings(c.Context)
			if err != nil {
				return err
			}
			return printSettings(l, s)
		})
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	edits, err := p.settingsEdits(c)
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		now, err := e.ChangeSettings(c.Context, by, func(s *engine.Settings) {
			for _, edit := range edits {
				edit(s)
			}
		})
		if err != nil {
			return err
		}
		return printSettings(l, now)
	})
}

// settingsEdits are what the options ask for, in order.
func (p *program) settingsEdits(c *cli.Context) (edits []func(*engine.Settings), err error) {
	if from := c.String("from"); from != "" {
		edit, err := p.oldSettings(c, from)
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit)
	}
	for name, at := range map[string]func(*engine.Settings) *bool{
		"self-enrolment":  func(s *engine.Settings) *bool { return &s.Enrol },
		"self-activation": func(s *engine.Settings) *bool { return &s.Activate },
		"pin":             func(s *engine.Settings) *bool { return &s.PIN },
		"weak-pins":       func(s *engine.Settings) *bool { return &s.WeakPINs },
	} {
		if !c.IsSet(name) {
			continue
		}
		said, known := map[string]bool{"yes": true, "no": false}[c.String(name)]
		if !known {
			return nil, usage(fmt.Sprintf("--%s cannot be %q", name, c.String(name)), "use yes or no")
		}
		edits = append(edits, func(s *engine.Settings) { *at(s) = said })
	}
	if c.IsSet("account") {
		edits = append(edits, func(s *engine.Settings) { s.Account = c.String("account") })
	}
	if c.IsSet("language") {
		edits = append(edits, func(s *engine.Settings) { s.Language = c.String("language") })
	}
	if c.IsSet("may-select") {
		methods := []cloud.Preference{}
		for word := range strings.SplitSeq(c.String("may-select"), ",") {
			if word != "none" {
				methods = append(methods, cloud.Preference(word))
			}
		}
		edits = append(edits, func(s *engine.Settings) { s.Select = methods })
	}
	for name, at := range map[string]func(*engine.Settings) *int{
		"device-limit": func(s *engine.Settings) *int { return &s.Devices },
		"pin-length":   func(s *engine.Settings) *int { return &s.Length },
	} {
		if c.IsSet(name) {
			edits = append(edits, func(s *engine.Settings) { *at(s) = c.Int(name) })
		}
	}
	return edits, nil
}

// oldSettings are those of the old server that still mean something here.
func (p *program) oldSettings(c *cli.Context, path string) (func(*engine.Settings), error) {
	export, err := legacy.Open(c.Context, path, legacy.Options{})
	if err != nil {
		return nil, err
	}
	old := export.Settings()
	if err := export.Close(); err != nil {
		return nil, err
	}
	if !old.Present {
		return nil, hint.New("the export has no settings.json", "give the settings by options: mfabridge engine settings --help lists them")
	}
	said := migrate.PortalSettings(old)
	for _, line := range said.Notes {
		fmt.Fprintln(p.err, line)
	}
	return func(s *engine.Settings) {
		if said.Account != "" {
			s.Account = said.Account
		}
		if said.Portal {
			s.Enrol, s.Activate, s.Select = said.Enrol, said.Activate, said.Select
			if said.Devices > 0 {
				s.Devices = said.Devices
			}
		}
		if said.PINLength > 0 {
			s.Length = said.PINLength
		}
	}, nil
}

// settingsForm are the settings in JSON, by the names of the options.
type settingsForm struct {
	Type           string             `json:"type"`
	Account        string             `json:"account"`
	SelfEnrolment  bool               `json:"self_enrolment"`
	SelfActivation bool               `json:"self_activation"`
	MaySelect      []cloud.Preference `json:"may_select"`
	DeviceLimit    int                `json:"device_limit"`
	PIN            bool               `json:"pin"`
	PINLength      int                `json:"pin_length"`
	WeakPINs       bool               `json:"weak_pins"`
	Language       string             `json:"language"`
}

func printSettings(l *listing, s engine.Settings) error {
	form := settingsForm{"settings", s.AccountName(), s.Enrol, s.Activate, orEmpty(s.Select), s.Devices, s.PIN, s.Length, s.WeakPINs, s.LanguageName()}
	if l.asJSON {
		return l.add(form)
	}
	methods := make([]string, len(s.Select))
	for i, method := range s.Select {
		methods[i] = string(method)
	}
	for _, row := range [][]string{
		{"account", form.Account, "what authenticators show the account as"},
		{"self-enrolment", yesNo(form.SelfEnrolment), "who proves who they are needs no invitation"},
		{"self-activation", yesNo(form.SelfActivation), "people activate without the helpdesk"},
		{"may-select", cmp.Or(strings.Join(methods, ","), "none"), "what people may make their default method"},
		{"device-limit", strconv.Itoa(form.DeviceLimit), "authenticators of one user"},
		{"pin", yesNo(form.PIN), "everybody approves with a PIN"},
		{"pin-length", strconv.Itoa(form.PINLength), "digits of a PIN, at least"},
		{"weak-pins", yesNo(form.WeakPINs), "PINs such as 1234 are taken"},
		{"language", form.Language, "of the mail of an invitation"},
	} {
		l.row(row)
	}
	return l.end()
}
