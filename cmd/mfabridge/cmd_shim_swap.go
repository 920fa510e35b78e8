package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"strings"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/hint"
	"mfabridge/shim/config"
)

// primaryRest is how long a primary that the configuration no longer names
// goes on, for logins that began before.
const primaryRest = 2 * time.Minute

// swapper gives a running shim a new configuration on SIGHUP.
type swapper struct {
	p     *program
	path  string
	parts *shimParts
	ports *ports
}

// attend swaps on every SIGHUP until ctx ends.
func (w *swapper) attend(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			w.ports.manager.reloading()
			w.p.binds.TryAgain()
			now := status("configuration swapped", "")
			err := w.swap(ctx)
			if ctx.Err() != nil {
				return // the shim ends, and asks nobody any more
			}
			w.parts.taken.note(w.p.now(), err)
			if err != nil {
				now = status("a new configuration is refused; the one before it goes on", "the journal says why")
				for _, one := range problems(err) {
					w.parts.log.Error("configuration is refused; the one before it goes on", "err", one.Error(), "hint", hint.Of(one))
				}
			}
			w.ports.manager.tell("READY=1", now)
		}
	}
}

// swap reads the configuration, checks it whole, asks what is new in it, and
// puts it in the place of the one before it, or leaves everything as it was.
func (w *swapper) swap(ctx context.Context) error {
	next, warnings, err := config.Load(w.path)
	for _, line := range warnings {
		w.parts.log.Warn("configuration", "warning", line)
	}
	if err != nil {
		return err
	}
	boundRadSec(next, w.parts.log)
	before := w.parts.config
	if fixed := config.NeedsRestart(before, next); len(fixed) > 0 {
		return hint.New(strings.Join(fixed, ", ")+" cannot be changed while the shim runs", "restart it for that: it answers what it has read, and clients ask again")
	}
	if err := distinct(socketsOf(next, engineInside(w.parts.engine))); err != nil {
		return err
	}
	first, gone, err := w.p.renewPrimaries(w.parts.primaries, before.FirstFactors(), next.FirstFactors())
	if err != nil {
		return err
	}
	made, err := w.prepare(ctx, next, first)
	if err != nil {
		return errors.Join(err, first.without(w.parts.primaries).close())
	}
	take, err := w.ports.server.Prepare(next, first.byName)
	if err != nil {
		return errors.Join(err, first.without(w.parts.primaries).close(), closeAll(made))
	}
	diff := config.Diff(before, next)
	if inside, ok := w.parts.engine.(*servedEngine); ok {
		if err := w.p.reload(ctx, inside.engineServer); err != nil {
			return errors.Join(inEngine(err), first.without(w.parts.primaries).close(), closeAll(made))
		}
	}
	take()
	if err := w.ports.take(next, made); err != nil {
		w.parts.log.Warn("a port that is no longer named cannot be closed", "err", err)
	}
	w.parts.desk.Swap(first.relays())
	w.parts.config, w.parts.primaries = next, first
	gone.closeLater(w.parts.log)
	for _, line := range diff {
		w.parts.log.Info("configuration changed", "change", line)
	}
	w.parts.log.Info("configuration swapped", slog.Int("changes", len(diff)))
	return nil
}

// prepare asks what is new of a configuration, and opens its ports.
func (w *swapper) prepare(ctx context.Context, next *config.Config, first *primaries) (made []*port, err error) {
	if err := w.askNew(ctx, next, first); err != nil {
		return nil, err
	}
	if err := next.MakeKeys(); err != nil {
		return nil, err
	}
	return w.ports.openNew(next)
}

// renewPrimaries are the primaries of a new configuration: those that mean the
// same go on with what they remember, the others are made. Gone are those that
// nobody names any more.
func (p *program) renewPrimaries(before *primaries, old, next firstfactor.Config) (made, gone *primaries, err error) {
	fresh := next
	fresh.Primaries = maps.Clone(next.Primaries)
	kept := newPrimaries()
	for name := range next.Primaries {
		if firstfactor.Same(old, next, name) {
			delete(fresh.Primaries, name)
			kept.take(name, before)
		}
	}
	if made, err = p.primaries(fresh); err != nil {
		return nil, nil, err
	}
	for name := range kept.byName {
		made.take(name, kept)
	}
	return made, before.without(made), nil
}

// closeLater closes primaries that nobody names any more once logins that began
// with them have ended. A process that ends before needs nothing of it.
func (m *primaries) closeLater(log *slog.Logger) {
	time.AfterFunc(primaryRest, func() {
		if err := m.close(); err != nil {
			log.Warn("a primary that is no longer named cannot be closed", "err", err)
		}
	})
}

// take adds one of another set.
func (m *primaries) take(name string, from *primaries) {
	m.byName[name], m.settings[name] = from.byName[name], from.settings[name]
	if c, ok := from.homes[name]; ok {
		m.homes[name] = c
	}
	if c, ok := from.accounts[name]; ok {
		m.accounts[name] = c
	}
	if c, ok := from.directories[name]; ok {
		m.directories[name] = c
	}
}

// without is the set of those that other has not got.
func (m *primaries) without(other *primaries) *primaries {
	rest := newPrimaries()
	for name := range m.byName {
		if m.homes[name] != other.homes[name] || m.directories[name] != other.directories[name] {
			rest.take(name, m)
		}
	}
	return rest
}
