package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// Times of a stream.
const (
	beat       = 15 * time.Second // a comment, so that nobody in between thinks that it is over
	writeLimit = 30 * time.Second // for one write
	maxStream  = time.Hour        // then the caller comes again, with a token that is looked at anew
)

// maxNode bounds the name that a node gives itself, in bytes.
const maxNode = 64

// events streams the verdicts on the caller's challenges (server-sent events),
// one stream for each node that the caller names. The caller's token is looked
// at when the stream begins, at every beat, and before anything is told.
func (f *Face) events(w http.ResponseWriter, r *http.Request) error {
	app := serve.CallerOf(r.Context()).App
	query, err := serve.Parameters(r, "node")
	node := query.Get("node")
	if err == nil && len(node) > maxNode {
		err = &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("the name of a node has at most %d bytes", maxNode)}
	}
	if err != nil {
		return err
	}
	s, after, err := f.feeds.open(app, node, r.Header.Get("Last-Event-ID"), time.Now())
	if err != nil {
		return err
	}
	defer func() { f.feeds.close(app, node, s, time.Now()) }()
	w.Header().Set("Content-Type", "text/event-stream")
	out := &sender{w: w}
	out.event(wire.EventOpen, after, nil)
	ticker, end := time.NewTicker(beat), time.NewTimer(maxStream)
	defer ticker.Stop()
	defer end.Stop()
	for out.flush() {
		select {
		case <-s.wake:
			if serve.Again(r.Context()) != nil {
				return nil
			}
			f.send(out, app, node, s)
		case <-s.replaced:
			out.event(wire.EventReplaced, "", nil)
			out.flush()
			return nil
		case <-ticker.C:
			if serve.Again(r.Context()) != nil {
				return nil // the caller hears why when it comes back
			}
			out.text.WriteString(":\n\n")
		case <-end.C:
			return nil
		case <-r.Context().Done():
			return nil
		case <-f.feeds.ctx.Done():
			return nil
		}
	}
	return nil
}

// send writes what is new for a stream.
func (f *Face) send(out *sender, app, node string, s *stream) {
	missed, first, news := f.feeds.take(app, node, s)
	if missed {
		out.event(wire.EventReset, f.feeds.id(first-1), nil)
	}
	for i := range news {
		out.event(wire.EventDecision, f.feeds.id(first+uint64(i)), wire.FromDecision(&news[i].Decision))
	}
}

// sender writes events together.
type sender struct {
	w    http.ResponseWriter
	text bytes.Buffer
}

// event adds one event (HTML standard §9.2.6); data is JSON on one line.
func (s *sender) event(name, id string, data any) {
	fmt.Fprintf(&s.text, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&s.text, "id: %s\n", id)
	}
	text := []byte("{}")
	if data != nil {
		text, _ = json.Marshal(data) // our own struct of texts
	}
	fmt.Fprintf(&s.text, "data: %s\n\n", text)
}

// flush sends what was added; false: nobody listens any more.
func (s *sender) flush() bool {
	if s.text.Len() == 0 {
		return true
	}
	defer s.text.Reset()
	return serve.Send(s.w, s.text.Bytes(), writeLimit)
}
