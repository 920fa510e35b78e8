package device

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
)

// maxLine bounds a line of a stream, in bytes, and streamSilence is how long one
// may be silent: the engine says every 25 seconds that it stands.
const (
	maxLine       = maxAnswer
	streamSilence = 45 * time.Second
)

// Event is what a stream tells: pushes, gone or test, and its JSON.
type Event struct {
	Name string
	Data []byte
}

// Events hears what waits for a device and what goes, as it happens, until the
// engine ends the stream, ctx is done, or heard returns false: then the error is
// nil. Unavailable: nothing was heard for 45 seconds, or the stream broke.
func (c *Client) Events(ctx context.Context, d *Device, heard func(Event) bool) error {
	return c.signed(ctx, func(now time.Time) error { return c.stream(ctx, d, now, heard) })
}

func (c *Client) stream(ctx context.Context, d *Device, now time.Time, heard func(Event) bool) error {
	lasts, stop := context.WithCancel(ctx)
	defer stop()
	silence := time.AfterFunc(streamSilence, stop)
	defer silence.Stop()
	r, err := c.deviceRequest(lasts, call{device: d, now: now, method: http.MethodGet, path: "/events"})
	if err != nil {
		return err
	}
	w, err := c.http.Do(r)
	if err != nil {
		return broken(ctx, err)
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
		c.learn(w.Header.Get("Date"))
		return refusal(w.StatusCode, text)
	}
	lines := bufio.NewScanner(w.Body)
	lines.Buffer(nil, maxLine)
	var e Event
	for lines.Scan() {
		silence.Reset(streamSilence)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.Name = value
		case "data":
			if e.Data = []byte(value); !heard(e) {
				return nil
			}
			e = Event{}
		}
	}
	return broken(ctx, lines.Err())
}

// broken is why a stream has ended; nil: somebody wanted that.
func broken(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		err = nil // it was silent for too long: nobody interrupted it
	}
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the engine does not answer", Err: err}
}

// Test has the engine send a test event to the streams that a device holds open,
// and to its push service where it has one; id names it, see [IsTest].
// Throttled: it was tested too often.
func (c *Client) Test(ctx context.Context, d *Device, id string) (got wire.TestAnswer, err error) {
	err = c.ask(ctx, d, http.MethodPost, "/test", wire.TestRequest{ID: id}, &got)
	return got, err
}

// IsTest tells whether an event is the test of a name.
func (e Event) IsTest(id string) bool {
	var told wire.Tested
	return e.Name == "test" && json.Unmarshal(e.Data, &told) == nil && told.ID == id
}
