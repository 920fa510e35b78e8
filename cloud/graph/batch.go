package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"mfabridge/cloud"
)

// item is one request inside a $batch, and its answer once it has one.
type item struct {
	method string
	path   string // relative, with its query
	body   any    // nil: none
	units  int    // resource units; 0: one
	index  bool   // asks the index store (ConsistencyLevel: eventual), as casts and $count have to

	answered bool
	answer   answer
	whole    bool  // the answer is that to the batch
	err      error // nothing is known of what became of it
}

// ok tells whether the item was answered with a success that the reference has.
// Any other one, as 202, is no word that something was done.
func (i *item) ok() bool {
	switch i.answer.status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return i.answered && !i.whole
	}
	return false
}

// missing tells whether there is nothing at the item's path.
func (i *item) missing() bool {
	return i.answered && !i.whole && i.answer.status == http.StatusNotFound
}

// failed is why the item did not succeed, or nil.
func (i *item) failed() error {
	switch {
	case i.ok():
		return nil
	case i.err != nil:
		return i.err
	case !i.answered:
		return &cloud.Error{Kind: cloud.Unavailable, Message: "Graph left a request of a batch unanswered"}
	}
	e := i.answer.failed()
	if i.whole && e.Kind == cloud.NotFound {
		e.Kind = cloud.Unavailable // it is the batch that is not there
	}
	return e
}

// into decodes the answer of an item that succeeded.
func (i *item) into(v any) error {
	if err := i.failed(); err != nil {
		return err
	}
	if err := json.Unmarshal(i.answer.body, v); err != nil {
		return &cloud.Error{Kind: cloud.Internal, Message: "an answer of Graph cannot be read", Err: err}
	}
	return nil
}

// batchesAtOnce is how many batches of a reading are on their way together.
const batchesAtOnce = 8

// wanted are items of one version that change nothing.
type wanted struct {
	version string
	items   []*item
}

// reads sends items that change nothing, in batches, until each has an answer
// that is not about the moment. Only ctx's error ends it early.
func (c *client) reads(ctx context.Context, version string, items []*item) error {
	return c.readAll(ctx, wanted{version, items})
}

// readAll is reads for several versions, a few batches at a time.
func (c *client) readAll(ctx context.Context, all ...wanted) error {
	var parts []wanted
	for _, w := range all {
		for part := range slices.Chunk(w.items, batchLimit) {
			parts = append(parts, wanted{w.version, part})
		}
	}
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	places := make(chan struct{}, batchesAtOnce)
	for i, part := range parts {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			errs[i] = c.settle(ctx, part.version, part.items, sending{patience: maxTries * longest,
				goesOn: func(i *item) bool { return !i.answered || again(i.answer.status) }})
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// shortly is how long a change may wait for Graph after its user was looked at:
// somebody else may come in between. Who has to wait longer looks again.
const shortly = 30 * time.Second

// changes sends items that change something, in batches. An item that Graph has
// not taken (429) is sent again as long as that is shortly; every other outcome
// is left to the caller, above all that nothing is known.
func (c *client) changes(ctx context.Context, version string, items []*item) error {
	return c.changesWithin(ctx, version, items, shortly)
}

// changesWithin is changes with another patience.
func (c *client) changesWithin(ctx context.Context, version string, items []*item, patience time.Duration) error {
	for part := range slices.Chunk(items, batchLimit) {
		err := c.settle(ctx, version, part, sending{writes: true, patience: patience,
			goesOn: func(i *item) bool { return i.answered && i.answer.status == http.StatusTooManyRequests }})
		if err != nil {
			return err
		}
	}
	return nil
}

// sending is how the items of a batch are sent.
type sending struct {
	goesOn   func(*item) bool // is sent again
	writes   bool             // each time needs leave of the limiter of writes
	patience time.Duration    // the most that is waited in all
}

// settle sends a batch, and again what of it goes on.
func (c *client) settle(ctx context.Context, version string, items []*item, s sending) error {
	waited := time.Duration(0)
	for try := 0; ; try++ {
		if s.writes {
			if err := c.writes.take(ctx, len(items)); err != nil {
				return err
			}
		}
		h := c.send(ctx, version, items)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var rest []*item
		asked := retryAfter(h, c.serverTime())
		for _, i := range items {
			if s.goesOn(i) {
				rest = append(rest, i)
				asked = max(asked, retryAfter(i.answer.header, c.serverTime()))
			}
		}
		if items = rest; len(items) == 0 || try == maxTries-1 || unasked(items[0].err) != nil {
			return nil
		}
		pause := backoff(try, asked)
		if waited += pause; pause > longest || waited > s.patience {
			return nil // the items say throttled
		}
		if err := c.o.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

type batchRequest struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

type batchAnswer struct {
	Responses []struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"responses"`
}

// send makes one $batch of the items and fills in their answers. If the batch
// as a whole was refused each item has that answer; if nothing is known of it
// each has the error. It returns the batch's own headers.
func (c *client) send(ctx context.Context, version string, items []*item) http.Header {
	requests := make([]batchRequest, len(items))
	units := 0
	for n, i := range items {
		requests[n] = batchRequest{ID: strconv.Itoa(n + 1), Method: i.method, URL: i.path, Body: i.body}
		switch {
		case i.body != nil:
			requests[n].Headers = map[string]string{"Content-Type": "application/json"}
		case i.index:
			requests[n].Headers = map[string]string{"ConsistencyLevel": "eventual"}
		}
		units += max(i.units, 1)
		i.answered, i.answer, i.whole, i.err = false, answer{}, false, nil
	}
	fail := func(err error) {
		for _, i := range items {
			i.err = err
		}
	}
	body, err := json.Marshal(map[string]any{"requests": requests})
	if err != nil {
		fail(&cloud.Error{Kind: cloud.Internal, Message: "a batch cannot be written", Err: err})
		return nil
	}
	defer clear(body) // it may hold the secret of a token
	if err := c.units.take(ctx, units); err != nil {
		fail(err)
		return nil
	}
	a, err := c.do(ctx, http.MethodPost, c.o.Cloud.Root+version+"/$batch", nil, body)
	switch {
	case err != nil && unasked(err) != nil:
		fail(unasked(err))
	case err != nil:
		fail(&cloud.Error{Kind: cloud.Unavailable, Message: "Graph cannot be reached, or its answer was lost", Err: err})
	case a.status != http.StatusOK:
		for _, i := range items {
			i.answered, i.whole, i.answer = true, true, answer{status: a.status, header: a.header, body: a.body}
		}
	default:
		if err := take(items, a.body); err != nil {
			fail(err)
		}
	}
	return a.header
}

// take gives the items their answers, which come in any order.
func take(items []*item, body []byte) error {
	var got batchAnswer
	if err := json.Unmarshal(body, &got); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the answer to a batch cannot be read", Err: err}
	}
	var errs []error
	for _, r := range got.Responses {
		n, err := strconv.Atoi(r.ID)
		if err != nil || n < 1 || n > len(items) || items[n-1].answered {
			errs = append(errs, fmt.Errorf("an answer that was not asked for"))
			continue
		}
		header := http.Header{}
		for name, value := range r.Headers {
			header.Set(name, value)
		}
		items[n-1].answered = true
		items[n-1].answer = answer{status: r.Status, header: header, body: r.Body}
	}
	if len(errs) > 0 {
		for _, i := range items {
			i.answered = false // which of them are right nobody can tell
		}
		return &cloud.Error{Kind: cloud.Internal, Message: "the answer to a batch does not fit it", Err: errors.Join(errs...)}
	}
	return nil
}
