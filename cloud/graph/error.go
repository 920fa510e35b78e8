package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"mfabridge/cloud"
)

// kinds is the one table from statuses of Graph to the kinds of the contract. Of
// those that [passes] or that say nothing (below 400) it is Unavailable, of any other
// one Internal.
var kinds = map[int]cloud.Kind{
	http.StatusBadRequest:           cloud.Invalid,
	http.StatusUnauthorized:         cloud.Denied,
	http.StatusForbidden:            cloud.Denied,
	http.StatusNotFound:             cloud.NotFound,
	http.StatusMethodNotAllowed:     cloud.Unsupported,
	http.StatusConflict:             cloud.Conflict,
	http.StatusPreconditionFailed:   cloud.Stale,
	http.StatusTooManyRequests:      cloud.Throttled,
	http.StatusUnprocessableEntity:  cloud.Invalid,
	http.StatusUnsupportedMediaType: cloud.Internal,
}

// failed is the answer as an error. Graph's message is left out where it may
// quote what was sent: only its code and status are told.
func (a answer) failed() *cloud.Error {
	kind, ok := kinds[a.status]
	if !ok && (a.status < http.StatusBadRequest || passes(a.status)) {
		kind = cloud.Unavailable
	}
	var f failure
	code := ""
	if json.Unmarshal(a.body, &f) == nil {
		code = f.Error.Code
	}
	e := &cloud.Error{Kind: kind, Message: fmt.Sprintf("Graph answers %d", a.status)}
	if a.status < http.StatusBadRequest {
		e.Message += ", which does not say what was asked"
	}
	if code = plain(code); code != "" {
		e.Message += " " + code
	}
	if a.header != nil {
		if kind == cloud.Throttled {
			e.RetryAfter = retryAfter(a.header, time.Time{})
		}
		if id := plain(a.header.Get("request-id")); id != "" {
			e.Message += " (request-id " + id + ")"
		}
	}
	return e
}

// plain is a word of Graph that may stand in a message: letters, digits, - _ .
func plain(s string) string {
	if len(s) > 64 {
		return ""
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return ""
		}
	}
	return s
}
