package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/shim/config"
)

// askPatience is how long a reload asks what is new, and then again what it
// stands in for.
const askPatience = 10 * time.Second

// taking is what became of a shim's configurations. All methods may be called
// concurrently.
type taking struct {
	since   atomic.Int64 // in Unix seconds
	refused atomic.Bool
}

func newTaking(now time.Time) *taking {
	t := new(taking)
	t.note(now, nil)
	return t
}

// note says that a configuration has been taken, or why it has not.
func (t *taking) note(now time.Time, err error) {
	if t.refused.Store(err != nil); err == nil {
		t.since.Store(now.Unix())
	}
}

// state is since when the configuration counts that does, and whether a later
// one was refused.
func (t *taking) state() (since time.Time, refused bool) {
	return time.Unix(t.since.Load(), 0), t.refused.Load()
}

// askNew asks the primaries that a configuration makes new or changes, as shim
// check asks them, and looks at the dates of new certificates. The error is why
// it is not to be taken.
func (w *swapper) askNew(ctx context.Context, next *config.Config, first *primaries) error {
	fresh := first.without(w.parts.primaries)
	loses := func(ctx context.Context, name string) string { return w.loses(ctx, next, name) }
	return errors.Join(fresh.takeable(ctx, w.parts.log, loses), w.p.newCertificates(w.parts.config, next))
}

// takeable asks primaries that a reload brings, all at once. The error is why
// they are not to be taken.
//
// What somebody refuses is not taken: a bind, a certificate, a secret, a base
// that is not there, a filter that meets nobody. Where nobody answers it depends
// on loses, which says who would lose by it what can be had just now; empty:
// nobody. An outage is no reason to leave the rest of a configuration as it was.
func (m *primaries) takeable(ctx context.Context, log *slog.Logger, loses func(ctx context.Context, name string) string) error {
	names := slices.Sorted(maps.Keys(m.byName))
	problems, all := make([]error, len(names)), new(sync.WaitGroup)
	for i, name := range names {
		all.Go(func() { problems[i] = m.refuses(ctx, name, log, loses) })
	}
	all.Wait()
	if ctx.Err() != nil { // nobody was asked to the end
		return fmt.Errorf("what is new was not asked: %w", ctx.Err())
	}
	return errors.Join(problems...)
}

// refuses asks one primary. The error is why it is not to be taken.
func (m *primaries) refuses(ctx context.Context, name string, log *slog.Logger, loses func(ctx context.Context, name string) string) error {
	limit, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	err := m.look(limit, name, func(good bool, line string) {
		if !good {
			log.Warn("asked in vain before a reload", "err", line)
		}
	})
	if err == nil || saysNo(err) {
		return err
	}
	if lost := loses(ctx, name); lost != "" {
		return hint.Wrap(fmt.Errorf("%w, and %s", err, lost), cmp.Or(hint.Of(err), "mend it")+"; or leave it as it was for now")
	}
	if ctx.Err() == nil {
		log.Warn("a primary cannot be asked just now; the configuration is taken all the same", "primary", name, "err", err.Error(), "hint", hint.Of(err))
	}
	return nil
}

// loses says which client's first factor is to be a primary from now on, and is
// had from somebody now who can be asked; empty: none.
func (w *swapper) loses(ctx context.Context, next *config.Config, name string) string {
	limit, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	there := make(map[string]bool)
	for _, c := range next.RADIUS.Clients {
		before, err := clientOf(w.parts.config, c.Name)
		if c.Primary != name || err != nil {
			continue
		}
		answers, asked := there[before.Primary]
		if !asked {
			p := w.parts.primaries.byName[before.Primary] // none of who has it from the client, or from the engine
			answers = p == nil || p.Ready(limit) == nil
			there[before.Primary] = answers
		}
		if answers {
			return fmt.Sprintf("client %s has its first factor from %s now, which can be asked", c.Name, before.Primary)
		}
	}
	return ""
}
