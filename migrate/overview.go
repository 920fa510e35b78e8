package migrate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mfabridge/legacy"
)

// outlookWords say what a group of the outlook means.
var outlookWords = map[Outlook]string{
	PasswordOnly: "pass today with the password alone",
	OutOfScope:   "are disabled and left out",
	LockedOut:    "would have nothing to verify with",
	MustAct:      "have to do something themselves",
	Works:        "go on working, nothing to do",
}

// WriteOutlook writes the first lines of every report for people: how many
// carried code secrets there are, and what awaits the users.
func WriteOutlook(w io.Writer, s Summary) {
	fmt.Fprintf(w, "devices with a usable code secret: %d of %d\n\noutlook of %d users\n", s.DevicesWithSecret, s.Devices, s.Total())
	for _, o := range Outlooks {
		fmt.Fprintf(w, "  %-14s %6d  %s\n", words(o), s.Outlook[o], outlookWords[o])
	}
	fmt.Fprintln(w)
}

// WriteCounts writes what an export holds, by mode, method and calling code,
// and how often each finding occurs.
func WriteCounts(w io.Writer, s Summary) {
	modes := map[string]int{}
	for mode, users := range s.Modes {
		if mode == legacy.ModeUnset {
			mode = "unset"
		}
		modes[string(mode)] = users
	}
	countries := map[string]int{}
	for code, numbers := range s.Countries {
		countries["+"+code] = numbers
	}
	fmt.Fprintf(w, "asked by      %s\n", byCount(modes))
	fmt.Fprintf(w, "methods       %s\n", byCount(s.Methods))
	fmt.Fprintf(w, "countries     %s\n", byCount(countries))
	fmt.Fprintf(w, "to activate   %d users have to activate an app anew\n", s.Activations)
	fmt.Fprintf(w, "findings      %s\n", counts(s.Severity))
	for _, e := range Catalogue() {
		if n := s.Findings[e.Code]; n > 0 {
			fmt.Fprintf(w, "  %-8s %-28s %6d\n", e.Severity, e.Code, n)
		}
	}
}

// byCount is "44 12, 1 5": the most frequent first.
func byCount[K ~string](m map[K]int) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var parts []string
	for _, k := range keys {
		if m[k] > 0 {
			parts = append(parts, Plain(string(k))+" "+strconv.Itoa(m[k]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
