package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"mfabridge/shim/config"
	"mfabridge/shim/observe"
)

// saveEvery is how often a running shim writes its counts of Message-
// Authenticator.
const saveEvery = time.Minute

// observed is where a shim keeps its counts of Message-Authenticator.
func observed(conf *config.Config) (*observe.Book, error) {
	return observe.Open(filepath.Join(conf.Data, "observe.json"))
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
func (p *program) adviseObserved(w io.Writer, conf *config.Config) error {
	book, err := observed(conf)
	if err != nil {
		return err
	}
	now := p.now()
	for _, c := range conf.RADIUS.Clients {
		if c.MessageAuthenticator == config.Observe {
			fmt.Fprintf(w, "client %s is observed: %s\n", c.Name, book.Of(c.Name, now).Report(c.Name).Advice(now))
		}
	}
	return nil
}
