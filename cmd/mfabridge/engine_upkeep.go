package main

import (
	"context"
	"log/slog"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/store/queue"
	"mfabridge/internal/hint"
)

// checkpointEvery is how often a running engine signs its audit, and clears away
// what has ended.
const checkpointEvery = 10 * time.Minute

// measure adds what the program knows to the engine's metrics.
func (s *engineServer) measure() {
	m := s.faces.Meter()
	for name, cert := range s.doors.certs {
		m.GaugeOf("mfabridge_engine_certificate_end_seconds", "When a listener's certificate ends, in seconds since the epoch.", "listener", string(name),
			func() float64 { return float64(cert.Until().Unix()) })
	}
	counted, ok := any(s.store).(interface{ Stats() queue.Stats })
	if !ok {
		return
	}
	m.Total("mfabridge_store_commits_total", "Transactions that became durable.", func() float64 { return float64(counted.Stats().Commits) })
	m.Total("mfabridge_store_updates_total", "Updates in these transactions.", func() float64 { return float64(counted.Stats().Updates) })
	m.Total("mfabridge_store_abandoned_total", "Transactions that did not become durable.", func() float64 { return float64(counted.Stats().Abandoned) })
	m.Gauge("mfabridge_store_queue", "Updates that wait.", func() float64 { return float64(counted.Stats().Queue) })
}

// pruneEvery is how often a running engine removes what is too old.
const pruneEvery = 24 * time.Hour

// keepAudit signs the audit now and then, until ctx ends, and removes what is
// older than it is to be kept; 0: nothing. What is not as it was written is told in the log
// each time, and stays. The rest is upkeep.
func (s *engineServer) keepAudit(ctx context.Context, keep time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	pruned := time.Time{}
	for {
		if _, err := s.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			log.Error("the audit was not signed", "err", err)
		}
		upkeep(ctx, s.Engine, log)
		if now := s.p.now(); keep > 0 && now.Sub(pruned) >= pruneEvery {
			pruned = now
			s.pruneAudit(ctx, keep, log)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// keepTidy does the upkeep of a store now and then, until ctx ends: for
// a program that signs no audit, and may be the only one on the store.
func keepTidy(ctx context.Context, e *engine.Engine, log *slog.Logger) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	for {
		upkeep(ctx, e, log)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// upkeep clears what has ended out of a store, and looks at the key file: who
// lost it, or let others read it, is to hear that before the next start does.
func upkeep(ctx context.Context, e *engine.Engine, log *slog.Logger) {
	if err := e.Tidy(ctx); err != nil && ctx.Err() == nil {
		log.Error("what is old was not removed", "err", err)
	}
	if err := e.KeyFile(ctx); err != nil && ctx.Err() == nil {
		log.Error("the key file could not be used by a program that starts now", "err", err, "hint", hint.Of(err))
	}
}

func (s *engineServer) pruneAudit(ctx context.Context, keep time.Duration, log *slog.Logger) {
	by := engine.Actor{Who: "engine serve", Reason: "audit.keep: " + keep.String()}
	n, err := s.PruneAudit(ctx, by, s.p.now().Add(-keep))
	switch {
	case err != nil && ctx.Err() == nil:
		log.Error("nothing was removed from the audit", "err", err)
	case n > 0:
		log.Info("entries of the audit were too old and were removed", "entries", n)
	}
}

// openOps starts the listener for health apart from the others: while they
// drain, it says so.
func (s *engineServer) openOps(log *slog.Logger) {
	if conn := s.doors.conns[serve.Ops]; conn != nil {
		s.ops = &serve.Group{Connections: s.group.Connections, Log: log}
		s.ops.Start(conn, s.faces.Handler(serve.Ops), s.doors.tls[serve.Ops])
	}
}

// lookPatience bounds how long a look at the store takes.
const lookPatience = 5 * time.Second

// look comes back once the engine has asked its store for something, whatever
// came of it: a store that is away is no reason to start the engine anew.
func (s *engineServer) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	_ = s.Opens(ctx)
}
