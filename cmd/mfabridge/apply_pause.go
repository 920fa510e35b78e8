package main

import (
	"context"
	"os"
	"os/signal"

	"mfabridge/migrate"
)

// pauses makes apply wait behind its batch on the signal USR1 and go on on
// USR2, where there are such signals. Two and not one that toggles: a script
// that sends one twice does no harm.
func (p *program) pauses(opt *migrate.ApplyOptions) (stop func()) {
	wait, goOn := pauseSignals()
	if wait == nil {
		return func() {}
	}
	given := make(chan os.Signal, 8)
	signal.Notify(given, wait, goOn)
	opt.Hold = holding(given, wait, opt.Notify)
	return func() { signal.Stop(given) }
}

// holding waits as long as the last signal said so.
func holding(given <-chan os.Signal, wait os.Signal, notify func(migrate.Event)) func(context.Context) error {
	return func(ctx context.Context) error {
		paused := false
		for {
			var s os.Signal
			if paused {
				select {
				case s = <-given:
				case <-ctx.Done():
					return ctx.Err()
				}
			} else {
				select {
				case s = <-given:
				default:
					return nil
				}
			}
			if paused != (s == wait) {
				paused = !paused
				notify(migrate.PauseEvent{Paused: paused, Reason: "signal"})
			}
		}
	}
}
