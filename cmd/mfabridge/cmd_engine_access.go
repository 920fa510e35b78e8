package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/access"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// accessCommands are the rules for sign-ins by native authentication.
func (p *program) accessCommands() []*cli.Command {
	list := func(name, text string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Usage: text}
	}
	return []*cli.Command{
		{Name: "access", Usage: "which sign-ins by native authentication need a second factor, or are blocked", Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the rules in their order", Flags: append(storeFlags(), formatFlag()), Action: p.listAccess},
			{Name: "set", Usage: "add a rule, or put another in the place of the one of that name", ArgsUsage: "NAME",
				Description: "A rule applies where everything that is given here holds; without any of it, to every sign-in. Of the rules that\n" +
					"apply a block decides, else a second factor is asked for if one of them says mfa. It holds for the next sign-in\n" +
					"and the next refresh. As long as no rule was ever set there is one: everybody needs a second factor.",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.StringFlag{Name: "grant", Usage: "`WHAT` it asks for: mfa or block (required)"},
					&cli.StringFlag{Name: "state", Value: access.On, Usage: "`STATE`: on, report (only recorded in the audit) or off"},
					list("user", "`USER` that it is for, by any name"), list("not-user", "`USER` that it is never for"),
					list("group", "`GROUP` that it is for (name or id), with the groups within it"), list("not-group", "`GROUP` that it is never for"),
					list("app", "`CLIENT-ID` of an application that it is for"), list("not-app", "`CLIENT-ID` that it is never for"),
					list("network", "`NETWORK` that it is for: 192.0.2.0/24"), list("not-network", "`NETWORK` that it is never for"),
					list("country", "`COUNTRY` that it is for: two letters, or unknown"), list("not-country", "`COUNTRY` that it is never for"),
					&cli.BoolFlag{Name: "new-device", Usage: "only where the user did not come from in the last 90 days"},
					&cli.IntFlag{Name: "failures", DefaultText: "any", Usage: "only after `N` failures in a row"},
					reasonFlag(),
				}), Action: p.setAccess},
			{Name: "remove", Usage: "take a rule away", ArgsUsage: "NAME", Flags: append(storeFlags(), reasonFlag()), Action: p.removeAccess},
			{Name: "networks", Usage: "replace the list of which network is in which country by a CSV file", ArgsUsage: "FILE",
				Description: "Each line is NETWORK,COUNTRY or FIRST,LAST,COUNTRY; a COUNTRY is two capital letters. Where lines overlap the\n" +
					"narrower one counts. An address that is in no line has the country unknown.",
				Flags: append(storeFlags(), reasonFlag()), Action: p.loadNetworks},
		}},
		{Name: "test", Usage: "say what the rules of access would ask of a sign-in, and why", Flags: slices.Concat(storeFlags(), []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "`USER`, by any name (required)"},
			&cli.StringFlag{Name: "app", Usage: "`CLIENT-ID` of the application (required)"},
			&cli.StringFlag{Name: "from", Usage: "`ADDRESS` that the sign-in comes from (default: none that is known)"},
			&cli.StringFlag{Name: "country", Usage: "as if the address were in that `COUNTRY`"},
			&cli.BoolFlag{Name: "known-device", Usage: "as if the user had come from there before"},
			&cli.IntFlag{Name: "failures", Value: -1, DefaultText: "what there were", Usage: "as if there had been `N` failures in a row"},
			formatFlag(),
		}), Action: p.testAccess},
	}
}

// accessForm is a rule of access in JSON, with ids of users, groups and
// applications: engine policy access set takes them as they are.
type accessForm struct {
	Type         string         `json:"type"`
	Name         string         `json:"name"`
	State        string         `json:"state"`
	Grant        string         `json:"grant"`
	Users        []cloud.UserID `json:"users"`
	NotUsers     []cloud.UserID `json:"not_users"`
	Groups       []string       `json:"groups"`
	NotGroups    []string       `json:"not_groups"`
	Apps         []string       `json:"apps"`
	NotApps      []string       `json:"not_apps"`
	Networks     []netip.Prefix `json:"networks"`
	NotNetworks  []netip.Prefix `json:"not_networks"`
	Countries    []string       `json:"countries"`
	NotCountries []string       `json:"not_countries"`
	NewDevice    bool           `json:"new_device"`
	Failures     int            `json:"failures"`
}

func accessFormOf(r *access.Rule) accessForm {
	return accessForm{"access_rule", r.Name, r.State, r.Grant, orEmpty(r.Users), orEmpty(r.NotUsers), orEmpty(r.Groups), orEmpty(r.NotGroups),
		orEmpty(r.Apps), orEmpty(r.NotApps), orEmpty(r.Networks), orEmpty(r.NotNetworks), orEmpty(r.Countries), orEmpty(r.NotCountries), r.NewDevice, r.Failures}
}

func (p *program) listAccess(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "RULE", "STATE", "GRANT", "FOR")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		rules, err := e.AccessRules(c.Context)
		if err != nil {
			return err
		}
		names, err := accessNames(c, e)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if err := l.add(accessFormOf(&r), r.Name, r.State, r.Grant, ruleFor(&r, names)); err != nil {
				return err
			}
		}
		return l.end()
	})
}

// accessNames are what groups and applications are called, by id.
func accessNames(c *cli.Context, e *embedded) (map[string]string, error) {
	names := map[string]string{}
	for g, err := range e.Groups(c.Context) {
		if err != nil {
			return nil, err
		}
		names[g.ID] = g.Name
	}
	apps, err := e.NativeApps(c.Context)
	for _, a := range apps {
		names[a.ID] = a.Name
	}
	return names, err
}

// ruleFor says to which sign-ins a rule applies.
func ruleFor(r *access.Rule, names map[string]string) string {
	var parts []string
	add := func(what string, list []string) {
		if len(list) == 0 {
			return
		}
		shown := make([]string, len(list))
		for i, s := range list {
			if shown[i] = s; names[s] != "" {
				shown[i] = names[s]
			}
		}
		parts = append(parts, what+" "+migrate.Plain(strings.Join(shown, ", ")))
	}
	texts := func(prefixes []netip.Prefix) (out []string) {
		for _, n := range prefixes {
			out = append(out, n.String())
		}
		return out
	}
	ids := func(users []cloud.UserID) (out []string) {
		for _, u := range users {
			out = append(out, string(u))
		}
		return out
	}
	add("user", ids(r.Users))
	add("group", r.Groups)
	add("application", r.Apps)
	add("network", texts(r.Networks))
	add("country", r.Countries)
	if r.NewDevice {
		parts = append(parts, "new device")
	}
	if r.Failures > 0 {
		parts = append(parts, strconv.Itoa(r.Failures)+" failures")
	}
	add("not user", ids(r.NotUsers))
	add("not group", r.NotGroups)
	add("not application", r.NotApps)
	add("not network", texts(r.NotNetworks))
	add("not country", r.NotCountries)
	if len(parts) == 0 {
		return "every sign-in"
	}
	return strings.Join(parts, "; ")
}

func (p *program) setAccess(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	r := access.Rule{Name: name, State: c.String("state"), Grant: c.String("grant"), Groups: c.StringSlice("group"), NotGroups: c.StringSlice("not-group"),
		Apps: c.StringSlice("app"), NotApps: c.StringSlice("not-app"), Countries: c.StringSlice("country"), NotCountries: c.StringSlice("not-country"),
		NewDevice: c.Bool("new-device"), Failures: c.Int("failures")}
	if r.Grant == "" {
		return usage("--grant is missing", "--grant mfa asks for a second factor, --grant block lets nobody in")
	}
	if r.Networks, err = prefixes("network", c.StringSlice("network")); err != nil {
		return err
	}
	if r.NotNetworks, err = prefixes("not-network", c.StringSlice("not-network")); err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		for flag, to := range map[string]*[]cloud.UserID{"user": &r.Users, "not-user": &r.NotUsers} {
			for _, given := range c.StringSlice(flag) {
				u, err := findUser(c, e, given)
				if err != nil {
					return err
				}
				*to = append(*to, u.ID)
			}
		}
		if err := e.SetAccessRule(c.Context, by, r); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %s, %s\n", migrate.Plain(name), r.Grant, r.State)
		return nil
	})
}

func prefixes(flag string, given []string) (all []netip.Prefix, err error) {
	for _, s := range given {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usage(fmt.Sprintf("--%s cannot be %q", flag, migrate.Plain(s)), "write a network such as 192.0.2.0/24 or 2001:db8::/32")
		}
		all = append(all, n)
	}
	return all, nil
}

func (p *program) removeAccess(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		if err := e.RemoveAccessRule(c.Context, by, name); err != nil {
			return hint.Wrap(err, "mfabridge engine policy access list shows which there are")
		}
		fmt.Fprintf(p.out, "removed %s\n", migrate.Plain(name))
		rules, err := e.AccessRules(c.Context)
		if err == nil && !slices.ContainsFunc(rules, func(r access.Rule) bool { return r.State == access.On && r.Grant == access.GrantMFA }) {
			fmt.Fprintln(p.err, "mfabridge: no rule asks for a second factor any more")
		}
		return err
	})
}

func (p *program) loadNetworks(c *cli.Context) error {
	path, by, err := named(c, "FILE")
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return hint.Wrap(fmt.Errorf("the list cannot be read: %w", err), "give a CSV file")
	}
	defer f.Close()
	list, err := readNetworks(f)
	if err != nil {
		return hint.Wrap(fmt.Errorf("%s: %w", path, err), "a line is NETWORK,COUNTRY or FIRST,LAST,COUNTRY")
	}
	if len(list) == 0 { // a download that failed; rules would meet the country unknown only
		return hint.New("the list names no network", "give the whole file: it replaces the list that there is")
	}
	return p.withEngine(c, func(e *embedded) error {
		ranges, err := e.SetNetworks(c.Context, by, list)
		if err == nil {
			fmt.Fprintf(p.out, "%s in %s\n", migrate.Number(len(list), "network", "networks"), migrate.Number(ranges, "range", "ranges"))
		}
		return err
	})
}

func (p *program) testAccess(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	if c.String("user") == "" || c.String("app") == "" {
		return usage("--user and --app are needed", "e.g. --user ada@contoso.example --app CLIENT-ID --from 192.0.2.10")
	}
	l, err := p.list(c)
	if err != nil {
		return err
	}
	var client engine.NativeClient
	if from := c.String("from"); from != "" {
		a, err := netip.ParseAddr(from)
		if err != nil {
			return usage(fmt.Sprintf("--from cannot be %q", migrate.Plain(from)), "write an address such as 192.0.2.10")
		}
		client.Address = a
	}
	return ofUser(c, p.withEngine, c.String("user"), func(e *embedded, u cloud.User) error {
		app, err := e.NativeApp(c.Context, c.String("app"))
		if err != nil {
			return nativeHint(err)
		}
		signs, v, err := e.TestAccess(c.Context, u.ID, app.ID, client, func(s *access.Signs) {
			if country := c.String("country"); country != "" {
				s.Country = country
			}
			if c.Bool("known-device") {
				s.NewDevice = false
			}
			if n := c.Int("failures"); n >= 0 {
				s.Failures = n
			}
		})
		if err != nil {
			return err
		}
		return explainAccess(l, &u, &app, signs, v)
	})
}

// signInForm is a sign-in that was tried, in JSON, and matchForm a rule that
// was held against it.
type signInForm struct {
	Type      string  `json:"type"`
	UPN       string  `json:"upn"`
	App       string  `json:"app"`
	Address   *string `json:"address"`
	Country   string  `json:"country"`
	NewDevice bool    `json:"new_device"`
	Failures  int     `json:"failures"`
	Verdict   string  `json:"verdict"` // block, mfa, or none: one factor is enough
}

type matchForm struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Grant   string `json:"grant"`
	Applies bool   `json:"applies"`
	Report  bool   `json:"report"` // it is only recorded
	Why     string `json:"why"`
}

// explainAccess says what came out, and of each rule why it applies or does not.
func explainAccess(l *listing, u *cloud.User, app *engine.NativeApp, s access.Signs, v access.Verdict) error {
	form := signInForm{Type: "sign_in", UPN: u.UPN, App: app.ID, Country: s.Country, NewDevice: s.NewDevice, Failures: s.Failures, Verdict: cmp.Or(v.Grant, "none")}
	verdict := map[string]string{access.GrantBlock: "the sign-in is blocked", access.GrantMFA: "a second factor is asked for", "": "one factor is enough"}[v.Grant]
	address, device := "no known address", "known device"
	if s.Address.IsValid() {
		address = s.Address.String()
		form.Address = &address
	}
	if s.NewDevice {
		device = "new device"
	}
	sentence := fmt.Sprintf("%s at %s from %s (country %s, %s, %d failures): %s", u.UPN, app.Name, address, s.Country, device, s.Failures, verdict)
	if err := l.add(form, sentence); err != nil {
		return err
	}
	if !l.asJSON {
		l.row([]string{"RULE", "GRANT", "APPLIES", "WHY"})
	}
	for _, m := range v.Applied {
		applies := "no"
		switch {
		case m.Applies && m.Report:
			applies = "reported"
		case m.Applies:
			applies = "yes"
		}
		if err := l.add(matchForm{"rule", m.Rule, m.Grant, m.Applies, m.Report, m.Why}, m.Rule, m.Grant, applies, m.Why); err != nil {
			return err
		}
	}
	return l.end()
}
