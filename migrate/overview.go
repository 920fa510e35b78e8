package migrate

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mfabridge/legacy"
)

// Overview is what an inspection says besides its findings.
type Overview struct {
	Summary  Summary
	Export   legacy.Summary
	Settings legacy.Settings
}

// Clients are the RADIUS clients that the settings or the report of attempts
// name.
func (o Overview) Clients() []Client {
	return clients(o.Settings.RadiusClients, o.Export.Activity.Applications)
}

// outlookWords say what a group of the outlook means.
var outlookWords = map[Outlook]string{
	PasswordOnly: "pass today with the password alone",
	OutOfScope:   "are disabled and left out",
	LockedOut:    "cannot log in unless somebody acts",
	MustAct:      "have to do something themselves",
	Works:        "go on working, nothing to do",
}

// WriteOutlook writes the first lines of every report for people: how many
// carried code secrets there are, and what awaits the users.
func WriteOutlook(w io.Writer, s Summary) {
	fmt.Fprintf(w, "devices with a usable code secret: %d of %d\n\noutlook of %s\n", s.DevicesWithSecret, s.Devices, Number(s.Total(), "user", "users"))
	for _, o := range Outlooks {
		fmt.Fprintf(w, "  %-14s %6d  %s\n", words(o), s.Outlook[o], outlookWords[o])
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(w, "rows out of scope, of which this plan says nothing: %d\n", s.LeftOut)
	}
	fmt.Fprintln(w)
}

// UnreadText says that the outlook is not about all rows of the export; empty
// where it is.
func UnreadText(s Summary) string {
	if s.Unread == 0 {
		return ""
	}
	return Number(s.Unread, "row of users stands", "rows of users stand") + " in no group: what cannot be read, or has a Username that another row has, is left out"
}

// WriteText writes the overview for people.
func (o Overview) WriteText(w io.Writer) {
	WriteOutlook(w, o.Summary)
	for _, f := range o.facts() {
		fmt.Fprintf(w, "%-13s %s\n", f.name, f.value)
	}
	o.writeActivations(w)
	o.writeClients(w)
}

// fact is one line of the overview.
type fact struct{ name, value string }

// facts are what an export holds, a line each.
func (o Overview) facts() []fact {
	s, e := o.Summary, o.Export
	var out []fact
	if e.Source != "" || !e.Created.IsZero() {
		out = append(out, fact{"export", clip(cmp.Or(e.Source, "of an unnamed source")) + dated(", made ", e.Created)})
	}
	out = append(out,
		fact{"rows", rowsText(e)},
		fact{"tokens", fmt.Sprintf("%d, %d with a usable secret", e.Tokens, e.TokensWithSecret)},
		fact{"asked by", byCount(modesOf(s))},
		fact{"methods", byCount(s.Methods)},
		fact{"countries", byCount(countriesOf(s))},
		fact{"to activate", Number(s.Activations, "user has", "users have") + " to activate an app anew"})
	if a := e.Activity; a.Attempts > 0 {
		out = append(out, fact{"activity", fmt.Sprintf("%s%s%s; %s with one, %d without; %s of %s",
			Number(a.Attempts, "attempt", "attempts"), dated(" from ", a.First), dated(" to ", a.Last), Number(a.Users, "user", "users"), e.Users-a.Users,
			Number(a.UnknownAttempts, "attempt", "attempts"), Number(a.UnknownUsers, "unknown name", "unknown names"))})
		if others := othersOf(a); len(others) > 0 {
			out = append(out, fact{"other logins", byCount(others)})
		}
	}
	if o.Settings.Present {
		out = append(out, fact{"settings", strings.Join([]string{Number(len(o.Settings.RadiusClients), "RADIUS client", "RADIUS clients"),
			Number(len(o.Settings.LDAPClients), "LDAP client", "LDAP clients"), Number(len(o.Settings.Caching), "caching rule", "caching rules"),
			Number(len(o.Settings.TrustedIPs), "trusted range", "trusted ranges")}, ", ")})
	}
	findings := counts(s.Severity)
	if n := accepted(s); n > 0 {
		findings += fmt.Sprintf("; %d of them accepted", n)
	}
	return append(out, fact{"findings", findings})
}

// rowsText says what became of every row of users, and how many rows of other
// tables cannot be read.
func rowsText(e legacy.Summary) string {
	text := fmt.Sprintf("%d of users: %d read, %d skipped, %d of %s", e.Rows, e.Users, e.SkippedOwn, e.DuplicateRows(),
		Number(e.Duplicates, "duplicate name", "duplicate names"))
	if other := e.SkippedRows - e.SkippedOwn; other > 0 {
		text += fmt.Sprintf("; %d of other tables skipped", other)
	}
	return text
}

func dated(before string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return before + t.UTC().Format(time.DateOnly)
}

func accepted(s Summary) int {
	n := 0
	for _, occurrences := range s.Accepted {
		n += occurrences
	}
	return n
}

func modesOf(s Summary) map[string]int {
	modes := map[string]int{}
	for mode, users := range s.Modes {
		if mode == legacy.ModeUnset {
			mode = "unset"
		}
		modes[string(mode)] += users
	}
	return modes
}

func countriesOf(s Summary) map[string]int {
	countries := map[string]int{}
	for code, numbers := range s.Countries {
		countries["+"+code] = numbers
	}
	return countries
}

// othersOf counts attempts by type where that is not RADIUS.
func othersOf(a legacy.ActivitySummary) map[string]int {
	out := map[string]int{}
	for _, app := range a.Applications {
		if fold(app.Type) != radiusType {
			out[cmp.Or(fold(app.Type), "of no type")] += int(app.Attempts)
		}
	}
	if a.OtherAttempts > 0 {
		out["of further applications"] = int(a.OtherAttempts)
	}
	return out
}

// writeActivations writes a table of mobile apps by platform and age.
func (o Overview) writeActivations(w io.Writer) {
	if len(o.Summary.Activated) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-17s", "app activations")
	for _, age := range Ages {
		fmt.Fprintf(w, "  %s", age)
	}
	fmt.Fprintln(w)
	for _, platform := range Platforms {
		ages := o.Summary.Activated[platform]
		if len(ages) == 0 {
			continue
		}
		fmt.Fprintf(w, "  %-15s", platform)
		for _, age := range Ages {
			fmt.Fprintf(w, "  %*d", len(age), ages[age])
		}
		fmt.Fprintln(w)
	}
}

// maxClients is how many RADIUS clients a report for people lists.
const maxClients = 500

func (o Overview) writeClients(w io.Writer) {
	all := o.Clients()
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "RADIUS client\taddress\tsettings\tlogins")
	for _, c := range all[:min(len(all), maxClients)] {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", clip(c.Name), clip(cmp.Or(c.Address, "-")), c.settings(), c.logins())
	}
	if more := len(all) - maxClients; more > 0 {
		fmt.Fprintf(t, "  and %d more\n", more)
	}
}

// settings says what the settings know of a client.
func (c Client) settings() string {
	switch {
	case !c.InSettings:
		return "not there"
	case c.Secret:
		return "with its secret"
	default:
		return "without its secret"
	}
}

// logins says what the report of attempts knows of a client.
func (c Client) logins() string {
	if !c.InActivity {
		return "none known"
	}
	s := fmt.Sprintf("%d by %s%s", c.Attempts, Number(c.Users, "user", "users"), dated(", last ", c.Last))
	if c.Shared {
		s += ", with others of its application"
	}
	return s
}

// ranked are the keys of m, the most frequent first, without those of 0.
func ranked[K ~string](m map[K]int) []K {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return cmp.Or(m[b]-m[a], strings.Compare(string(a), string(b)))
	})
	return slices.DeleteFunc(keys, func(k K) bool { return m[k] == 0 })
}

// maxCounts is how many words a line of counts has at most.
const maxCounts = 30

// byCount is "44 12, 1 5": the most frequent first.
func byCount[K ~string](m map[K]int) string {
	var parts []string
	keys := ranked(m)
	for _, k := range keys[:min(len(keys), maxCounts)] {
		parts = append(parts, clip(string(k))+" "+strconv.Itoa(m[k]))
	}
	if more := len(keys) - maxCounts; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
