package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/casefold"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
)

// maxAnswers is how many events `shim why` shows: the latest.
const maxAnswers = 50

func (p *program) shimWhy(c *cli.Context) error {
	names, err := args(c, "REQUEST|USER")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	data, err := config.Data(c.String("config")) // what else is wrong with it is no answer to this question
	if err != nil {
		return &misconfigured{err}
	}
	events, err := why(eventFolder(data), names[0])
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return hint.New(fmt.Sprintf("no event of %s is known", names[0]),
			"give the user, or the request, challenge, station, address or client as a log line has it; each node has its own events, the oldest are gone, and packets that were dropped may have no line each")
	}
	for _, e := range events {
		if asJSON {
			fmt.Fprintf(p.out, "%s\n", migrate.Plain(string(e.raw)))
			continue
		}
		e.tell(p.out)
	}
	return nil
}

// event is one line of the shim's log.
type event struct {
	raw    []byte
	fields map[string]any
}

func (e event) text(key string) string {
	if s, ok := e.fields[key].(string); ok {
		return s
	}
	return ""
}

// why finds the latest events that name a user, request, challenge, station,
// address or client, and what followed of the logins of such a user: a later leg
// has the name that was typed, and not whose the first factor was.
func why(folder, name string) ([]event, error) {
	var found []event
	theirs := make(map[string]bool) // challenges
	for line, err := range journal.Lines(folder) {
		if err != nil {
			return nil, err
		}
		e := event{fields: make(map[string]any)}
		if json.Unmarshal(line, &e.fields) != nil {
			continue // a line that is no event is nobody's
		}
		challenge := e.text("challenge")
		if !e.names(name) && !theirs[challenge] {
			continue
		}
		if challenge != "" && e.isOf(name) {
			theirs[challenge] = true
		}
		e.raw = slices.Clone(line)
		if found = append(found, e); len(found) > maxAnswers {
			found = found[1:]
		}
	}
	return found, nil
}

// isOf tells whether a login is a person's, by a name that was typed or that the
// first factor gave; what stands before the @ or behind the backslash is one too.
func (e event) isOf(name string) bool {
	for _, key := range []string{"user", "person"} {
		s := e.text(key)
		if s == "" {
			continue
		}
		account, _, _ := strings.Cut(s[strings.LastIndex(s, `\`)+1:], "@")
		if casefold.Equal(s, name) || casefold.Equal(account, name) {
			return true
		}
	}
	return false
}

func (e event) names(name string) bool {
	if e.isOf(name) {
		return true
	}
	for _, key := range []string{"certificate", "request", "challenge", "station", "from", "client"} {
		s := e.text(key)
		switch {
		case s == "":
		case strings.EqualFold(s, name), key == "challenge" && len(s) >= 16 && strings.HasPrefix(name, s),
			key == "from" && isFrom(s, name):
			return true
		}
	}
	return false
}

// isFrom tells whether an address with a port is of an address without.
func isFrom(from, address string) bool {
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return false
	}
	f, err := netip.ParseAddrPort(from)
	return err == nil && f.Addr().Unmap() == a.Unmap()
}

// tell writes an event for people: what happened, why, and the numbers.
func (e event) tell(w io.Writer) {
	what := e.text("msg")
	if outcome := e.text("outcome"); outcome != "" {
		what = outcome
	}
	fmt.Fprintf(w, "%s  %s", e.text("time"), what)
	for _, key := range []string{"user", "person", "client", "from", "certificate", "station", "method", "by", "request", "challenge"} {
		if s := e.text(key); s != "" {
			fmt.Fprintf(w, "  %s=%s", key, migrate.Plain(s))
		}
	}
	if ms, ok := e.fields["ms"].(float64); ok {
		fmt.Fprintf(w, "  %.1fms", ms)
	}
	if again, _ := e.fields["repeated"].(bool); again {
		what := "recorded verdict"
		if e.text("outcome") == "challenge" {
			what = "same challenge"
		}
		fmt.Fprintf(w, "  (the %s, once more)", what)
	}
	fmt.Fprintln(w)
	for _, key := range []string{"by", "reason"} {
		if word := e.text(key); word != "" {
			fmt.Fprintf(w, "    %s: %s\n", word, shim.Explain(word))
		}
	}
	if said := e.text("err"); said != "" {
		fmt.Fprintf(w, "    cause: %s\n", migrate.Plain(said))
	}
}
