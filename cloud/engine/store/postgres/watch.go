package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/internal/sleep"
)

// watchPulse is how often a watcher looks whether its connection still lives,
// and tells its reader to look for itself.
const watchPulse = 30 * time.Second

// Watch implements [engine.Store] by LISTEN. A connection that breaks is made
// again, after growing pauses where it cannot be, and its reader told that
// something may have happened meanwhile.
func (s *Store) Watch(ctx context.Context) (<-chan struct{}, error) {
	heard := make(chan struct{}, 1)
	w := &watcher{store: s, heard: heard}
	if err := w.listen(ctx); err != nil {
		return nil, err
	}
	go w.run(ctx)
	return heard, nil
}

type watcher struct {
	store *Store
	heard chan struct{}
	pg    *pgconn.PgConn
}

// listen makes the connection.
func (w *watcher) listen(ctx context.Context) error {
	pg, err := w.store.place.dial(ctx, func(config *pgconn.Config) {
		config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
			if n.Payload != w.store.id {
				w.tell()
			}
		}
	})
	if err != nil {
		return err
	}
	if _, err := pg.Exec(ctx, "LISTEN "+w.store.keys.channel).ReadAll(); err != nil {
		_ = pg.Close(ctx)
		return failure(err)
	}
	w.pg = pg
	return nil
}

// tell never waits: one signal that nobody has taken yet is enough.
func (w *watcher) tell() {
	select {
	case w.heard <- struct{}{}:
	default:
	}
}

// run waits for notifications until ctx is done or the store is closed.
func (w *watcher) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer close(w.heard)
	defer stop()
	go func() {
		select {
		case <-w.store.queue.Closing():
			stop()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if err := w.wait(ctx); err == nil && w.store.place.lines.current(w.pg) {
			continue
		}
		w.close()
		for pause := retryPause; ctx.Err() == nil && w.listen(ctx) != nil; pause = min(2*pause, dialPatience) {
			_ = sleep.For(ctx, pause) // the loop looks at ctx itself
		}
		w.tell()
	}
	w.close()
}

// wait takes one notification, or finds out that the connection lives.
func (w *watcher) wait(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, watchPulse)
	defer cancel()
	err := w.pg.WaitForNotification(limit)
	if err == nil || !errors.Is(limit.Err(), context.DeadlineExceeded) || w.pg.IsClosed() {
		return err
	}
	probe, end := context.WithTimeout(ctx, dialPatience)
	defer end()
	w.tell()
	return w.pg.Ping(probe)
}

func (w *watcher) close() {
	if w.pg == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.pg.Close(ctx) // it may be broken
	w.pg = nil
}
