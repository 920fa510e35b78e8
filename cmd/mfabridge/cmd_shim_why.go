package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
)

// Events take at most this much of the data folder.
const (
	eventFile  = 16 << 20
	eventFiles = 16
)

// maxAnswers is how many events `shim why` shows: the latest.
const maxAnswers = 50

func eventFolder(conf *config.Config) string { return filepath.Join(conf.Data, "events") }

// gathering is how long a line of the shim's log may wait for others. A crash
// loses what it held; the audit is not in it.
const gathering = 5 * time.Millisecond

// shimLog is where a shim tells what it does: to standard error, and to the
// files that `shim why` reads. What it returns first writes what waits, and
// closes the files.
func (p *program) shimLog(conf *config.Config) (func() error, *slog.Logger, error) {
	events, err := journal.Open(journal.Options{Folder: eventFolder(conf), MaxFile: eventFile, Keep: eventFiles, Now: p.now})
	if err != nil {
		return nil, nil, err
	}
	kept := journal.Gather(events, gathering)
	if isTerminal(p.err) {
		end := func() error { return errors.Join(kept.Close(), events.Close()) }
		return end, slog.New(slog.NewMultiHandler(p.logger().Handler(), slog.NewJSONHandler(kept, nil))), nil
	}
	shown := journal.Gather(p.err, gathering)
	end := func() error {
		_ = shown.Close() // who does not listen misses it; the files have it
		return errors.Join(kept.Close(), events.Close())
	}
	return end, slog.New(slog.NewJSONHandler(twice{kept, shown}, nil)), nil
}

// twice gives lines to two who take all that they get.
type twice [2]*journal.Gatherer

func (t twice) Write(lines []byte) (int, error) {
	_, _ = t[0].Write(lines)
	return t[1].Write(lines)
}

func (p *program) shimWhy(c *cli.Context) error {
	names, err := args(c, "REQUEST|USER")
	if err != nil {
		return err
	}
	format := c.String("format")
	if format != "text" && format != "json" {
		return usage(fmt.Sprintf("--format %s is not known", format), "write text or json")
	}
	conf, err := p.shimConfig(c.String("config"))
	if err != nil {
		return err
	}
	events, err := why(eventFolder(conf), names[0])
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return hint.New(fmt.Sprintf("no event of %s is known", names[0]),
			"give the user as typed, or the request, challenge, station or address as a log line has it; the oldest events are gone, and packets that were dropped may have no line each")
	}
	for _, e := range events {
		if format == "json" {
			fmt.Fprintf(p.out, "%s\n", e.raw)
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

// why finds the latest events that name a user, request, challenge, station or
// address.
func why(folder, name string) ([]event, error) {
	var found []event
	for line, err := range journal.Lines(folder) {
		if err != nil {
			return nil, err
		}
		e := event{fields: make(map[string]any)}
		if json.Unmarshal(line, &e.fields) != nil || !e.names(name) {
			continue // a line that is no event is nobody's
		}
		e.raw = slices.Clone(line)
		if found = append(found, e); len(found) > maxAnswers {
			found = found[1:]
		}
	}
	return found, nil
}

func (e event) names(name string) bool {
	for _, key := range []string{"user", "request", "challenge", "station", "from", "client"} {
		s := e.text(key)
		switch {
		case s == "":
		case strings.EqualFold(s, name), key == "challenge" && len(s) >= 16 && strings.HasPrefix(name, s),
			key == "from" && strings.HasPrefix(s, name+":"):
			return true
		}
	}
	return false
}

// tell writes an event for people: what happened, why, and the numbers.
func (e event) tell(w io.Writer) {
	what := e.text("msg")
	if outcome := e.text("outcome"); outcome != "" {
		what = outcome
	}
	fmt.Fprintf(w, "%s  %s", e.text("time"), what)
	for _, key := range []string{"user", "client", "from", "station", "method", "by", "request", "challenge"} {
		if s := e.text(key); s != "" {
			fmt.Fprintf(w, "  %s=%s", key, s)
		}
	}
	if ms, ok := e.fields["ms"].(float64); ok {
		fmt.Fprintf(w, "  %.1fms", ms)
	}
	fmt.Fprintln(w)
	for _, key := range []string{"by", "reason"} {
		if word := e.text(key); word != "" {
			fmt.Fprintf(w, "    %s: %s\n", word, shim.Explain(word))
		}
	}
	if cause := e.text("cause"); cause != "" {
		fmt.Fprintf(w, "    cause: %s\n", cause)
	}
}
