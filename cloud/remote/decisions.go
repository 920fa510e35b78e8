package remote

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/sleep"
)

// Times of a stream.
const (
	quiet   = 45 * time.Second // without a sign of life, three beats, the connection is dead
	giveUp  = 30 * time.Second // of trying to connect again
	connect = 10 * time.Second // from the request to the event open
)

// Decisions implements [cloud.Verifier]. The stream stands when the call
// returns. It is connected again when the connection breaks, and goes on where
// it was; if the engine cannot do that, it ends with an error.
func (c *Client) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	s := &stream{c: c, ctx: ctx, node: rand.Text()}
	err := s.connect()
	return func(yield func(cloud.Decision, error) bool) {
		defer s.close()
		if err == nil {
			err = s.run(yield)
		}
		if err != nil && ctx.Err() == nil {
			yield(cloud.Decision{}, err)
		}
	}
}

// stream is one reader of decisions over one connection after the other.
type stream struct {
	c      *Client
	ctx    context.Context
	node   string // what the engine knows this stream by, whatever connection it has
	last   string // id of the last event
	cancel context.CancelFunc
	body   io.Closer
	lines  *bufio.Scanner
	watch  *time.Timer // cuts a connection that is dead
}

// event is one server-sent event.
type event struct{ name, id, data string }

var errEnded = errors.New("the stream of decisions broke")

// connect opens the stream and waits for its first event.
func (s *stream) connect() error {
	ctx, cancel := context.WithCancel(s.ctx)
	s.cancel = cancel
	s.watch = time.AfterFunc(connect, cancel)
	header := map[string]string{"Accept": "text/event-stream"}
	if s.last != "" {
		header["Last-Event-ID"] = s.last
	}
	answer, err := s.c.send(ctx, request{method: http.MethodGet, path: wire.PathVerify + "/events?node=" + s.node, repeatable: true, header: header})
	if err != nil {
		s.close()
		return err
	}
	s.body = answer.Body
	s.lines = bufio.NewScanner(answer.Body)
	s.lines.Buffer(nil, maxLine)
	e, err := s.next()
	if err == nil && e.name != wire.EventOpen {
		err = unavailable("the engine's stream of decisions begins with something else", nil)
	}
	if err != nil {
		s.close()
	}
	return err
}

func (s *stream) close() {
	if s.watch != nil {
		s.watch.Stop()
	}
	if s.cancel != nil {
		s.cancel()
	}
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// next reads one event.
func (s *stream) next() (event, error) {
	var e event
	for s.lines.Scan() {
		s.watch.Reset(quiet)
		line := s.lines.Text()
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && e.name != "":
			if e.id != "" {
				s.last = e.id
			}
			return e, nil
		case field == "event":
			e.name = value
		case field == "id":
			e.id = value
		case field == "data":
			e.data = value
		}
	}
	return e, unavailable(errEnded.Error(), s.lines.Err())
}

// run yields decisions until nobody wants them or the stream cannot go on.
func (s *stream) run(yield func(cloud.Decision, error) bool) error {
	for {
		e, err := s.next()
		if err != nil {
			if s.ctx.Err() != nil {
				return nil
			}
			if err := s.again(); err != nil {
				return err
			}
			continue
		}
		switch e.name {
		case wire.EventDecision:
			var w wire.Decision
			if err := json.Unmarshal([]byte(e.data), &w); err != nil {
				return unavailable("a decision cannot be read", nil)
			}
			if !yield(w.Decision(), nil) {
				return nil
			}
		case wire.EventReset:
			return unavailable("decisions may have been missed", nil)
		case wire.EventReplaced:
			return &cloud.Error{Kind: cloud.Conflict, Message: "another reader listens under the name of this one"}
		}
	}
}

// again connects once more, for a while.
func (s *stream) again() error {
	s.close()
	end := s.c.now().Add(giveUp)
	for pause := firstPause; ; pause = min(2*pause, longest) {
		err := s.connect()
		if err == nil || cloud.KindOf(err) != cloud.Unavailable || s.c.now().After(end) {
			return err
		}
		if sleep.For(s.ctx, pause) != nil {
			return err
		}
	}
}
