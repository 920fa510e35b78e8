package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"mfabridge/shim/config"
	"mfabridge/shim/observe"
)

// saveEvery is how often a running shim writes its counts of Message-
// Authenticator.
const saveEvery = time.Minute

// observedFile is where a shim keeps its counts of Message-Authenticator.
func observedFile(conf *config.Config) string { return filepath.Join(conf.Data, "observe.json") }

// observed is the book of counts of a shim that runs. It is statistics: what
// cannot be read keeps no shim from answering.
func observed(conf *config.Config, log *slog.Logger) *observe.Book {
	book, lost := observe.Recover(observedFile(conf))
	if lost != nil {
		log.Warn("counts of Message-Authenticator begin anew", "err", lost.Error(),
			"hint", fmt.Sprintf("leave message_authenticator: observe as it is for %d days more; nothing else needs the file", int(observe.Period.Hours())/24))
	}
	return book
}

// keepObserved saves the counts until ctx ends, and then once more. What
// cannot be saved is said once a fault.
func (p *program) keepObserved(ctx context.Context, book *observe.Book) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	var told string
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		if err := book.Save(); err != nil && err.Error() != told {
			told = err.Error()
			fmt.Fprintf(p.err, "mfabridge: warning: %s\n", told)
		}
	}
}

// adviseObserved says of each client that is only observed when that can end.
func (p *program) adviseObserved(w io.Writer, conf *config.Config) {
	book, err := observe.Open(observedFile(conf))
	if err != nil {
		fmt.Fprintf(p.err, "mfabridge: warning: %s\n", err)
	}
	now := p.now()
	for _, c := range conf.RADIUS.Clients {
		switch {
		case c.MessageAuthenticator != config.Observe:
		case err != nil:
			fmt.Fprintf(w, "client %s is observed: its counts cannot be read, so do not require yet; a shim that cannot read them either begins anew as it starts\n", c.Name)
		default:
			fmt.Fprintf(w, "client %s is observed: %s\n", c.Name, book.Of(c.Name, now).Report(c.Name).Advice(now))
		}
	}
}
