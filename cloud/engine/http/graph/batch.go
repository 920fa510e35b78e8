package graph

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// item is one request of a batch (concepts/json-batching).
type item struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch answers requests that came together, those that others depend on first.
func (f *Face) batch(c *call) (answer, error) {
	var in struct {
		Requests []item `json:"requests"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if err := checkBatch(in.Requests); err != nil {
		return answer{}, err
	}
	status := map[string]int{}
	var responses []object
	lost := false
	for len(status) < len(in.Requests) {
		moved := false
		for i := range in.Requests {
			r := &in.Requests[i]
			ready, failed := r.waits(status)
			if _, answered := status[r.ID]; answered || !ready {
				continue
			}
			var a answer
			switch {
			case failed:
				a = fail(http.StatusFailedDependency, "FailedDependency", "A request that this one depends on has failed.").answer(c, f.now())
			case f.oneIn(f.assume.Partial, f.dice.items):
				t := f.throttled(c, "Write", "WriteLimitExceeded", 1)
				a = t.answer(c, f.now())
			default:
				a = f.one(c, r)
			}
			status[r.ID], moved, lost = a.status, true, lost || a.lost
			responses = append(responses, r.response(a))
		}
		if !moved {
			return answer{}, bad("The requests of the batch depend on each other in a circle.")
		}
	}
	return answer{status: http.StatusOK, body: object{"responses": responses}, lost: lost}, nil
}

func checkBatch(items []item) error {
	if len(items) == 0 || len(items) > maxBatch {
		return bad("A batch has 1 to %d requests.", maxBatch)
	}
	known := map[string]bool{}
	for _, r := range items {
		switch {
		case r.ID == "" || len(r.ID) > 100 || known[r.ID]:
			return bad("Request Id must be unique in the batch, and there.")
		case r.Method == "" || r.URL == "":
			return bad("A request of a batch needs a method and a url.")
		case len(r.Body) > 0 && string(r.Body) != "null" && r.header().Get("Content-Type") == "":
			return bad("A request of a batch with a body needs a Content-Type header.")
		}
		known[r.ID] = true
	}
	for _, r := range items {
		for _, other := range r.DependsOn {
			if !known[other] {
				return bad("A request of the batch depends on one that is not there.")
			}
		}
	}
	return nil
}

// waits tells whether everything was answered that a request depends on, and
// whether some of it failed.
func (r *item) waits(status map[string]int) (ready, failed bool) {
	for _, other := range r.DependsOn {
		code, answered := status[other]
		if !answered {
			return false, false
		}
		failed = failed || code >= http.StatusBadRequest
	}
	return true, failed
}

func (r *item) header() http.Header {
	h := http.Header{}
	for name, value := range r.Headers {
		h.Set(name, value)
	}
	return h
}

// one answers one request of a batch, in the version of the batch.
func (f *Face) one(c *call, r *item) answer {
	own := &call{ctx: c.ctx, method: strings.ToUpper(r.Method), header: r.header(), base: c.base, id: uuid.NewString(),
		clientID: c.clientID, app: c.app, granted: c.granted, body: r.Body}
	if string(own.body) == "null" {
		own.body = nil
	}
	path, query, _ := strings.Cut(r.URL, "?")
	own.path = "/" + c.version + "/" + strings.Trim(path, "/")
	segments, err := split(own.path)
	if err == nil {
		err = own.parse(segments, query)
	}
	if err == nil && len(own.segments) > 0 && strings.EqualFold(own.segments[0], "$batch") {
		err = bad("A batch cannot be within a batch.")
	}
	if err != nil {
		return asTrouble(err).answer(own, f.now())
	}
	a := f.answer(own)
	a.header.Set("request-id", own.id)
	return a
}

func (r *item) response(a answer) object {
	o := object{"id": r.ID, "status": a.status}
	headers := object{}
	for name := range a.header {
		headers[name] = a.header.Get(name)
	}
	if a.body != nil {
		headers["Content-Type"] = "application/json"
		o["body"] = a.body
	}
	o["headers"] = headers
	return o
}
