package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/webpush"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/http/pages"
)

// pushTimeout is how long a push service may take to take a message.
const pushTimeout = 5 * time.Second

// waker sends to push services; nil: nothing is.
type waker struct {
	*webpush.Sender
	log  *slog.Logger
	stop context.CancelFunc
	runs sync.WaitGroup
}

// openPush makes what sends to push services, where the configuration says so,
// and says what the public pages need of it.
func (p *program) openPush(s *engineServer, log *slog.Logger) (pages.Options, error) {
	o := pages.Options{PublicURL: s.conf.PublicURL}
	if s.conf.Push == nil {
		return o, nil
	}
	var err error
	if s.waker, err = newWaker(s.conf.Push, s.embedded, p.now, log); err != nil {
		return o, err
	}
	o.PushKey, o.MayPush, o.Wake = s.waker.Key(), s.waker.MayPush, s.waker.Try
	return o, nil
}

func newWaker(conf *config.Push, core webpush.Core, now func() time.Time, log *slog.Logger) (*waker, error) {
	client, err := channel.Outward(pushTimeout, conf.AllowPrivate, conf.CA)
	if err != nil {
		return nil, err
	}
	sender, err := webpush.New(webpush.Options{Core: core, Client: client, Hosts: conf.Hosts, Subject: conf.Subject, Now: now, Log: log})
	return &waker{Sender: sender, log: log}, err
}

// start sends until close.
func (w *waker) start(ctx context.Context) {
	if w == nil {
		return
	}
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.runs.Go(func() {
		if err := w.Run(ctx); err != nil {
			w.log.ErrorContext(ctx, "nothing is sent to push services", "err", err)
		}
	})
}

func (w *waker) close() {
	if w != nil && w.stop != nil {
		w.stop()
		w.runs.Wait()
	}
}
