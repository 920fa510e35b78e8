package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
)

// trouble is an error in Graph's words.
type trouble struct {
	status  int
	code    string
	message string
	header  http.Header
	bare    bool // not in OData's form
}

func (t *trouble) Error() string { return fmt.Sprintf("%d %s: %s", t.status, t.code, t.message) }

func fail(status int, code, message string) *trouble {
	return &trouble{status: status, code: code, message: message}
}

func bad(format string, args ...any) *trouble {
	return fail(http.StatusBadRequest, "badRequest", fmt.Sprintf(format, args...))
}

// missing is a user, group or other entry of the directory that is not there.
func missing(id string) *trouble {
	return fail(http.StatusNotFound, "Request_ResourceNotFound",
		fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", clip(id)))
}

// absent is a method that is not there.
func absent() *trouble {
	return fail(http.StatusNotFound, "resourceNotFound", "The requested resource was not found.")
}

func forbidden() *trouble {
	return fail(http.StatusForbidden, "accessDenied", "Request Authorization failed")
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// asTrouble puts an error of the engine into Graph's words.
func asTrouble(err error) *trouble {
	if t, ok := errors.AsType[*trouble](err); ok {
		return t
	}
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok {
		e = &cloud.Error{Kind: cloud.Internal}
	}
	switch e.Kind {
	case cloud.Invalid, cloud.Unsupported:
		return bad("%s.", e.Message)
	case cloud.NotFound:
		return absent()
	case cloud.Conflict, cloud.Stale:
		return fail(http.StatusConflict, "conflict", e.Message+".")
	case cloud.Denied:
		return forbidden()
	case cloud.Throttled:
		return fail(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	case cloud.Unavailable, cloud.Locked:
		return fail(http.StatusServiceUnavailable, "serviceNotAvailable", "The service is not available.")
	}
	return fail(http.StatusInternalServerError, "generalException", "An unexpected error occurred.")
}

// answer is the error as an answer to a call.
func (t *trouble) answer(c *call, now time.Time) answer {
	a := answer{status: t.status, header: http.Header{}}
	for name, values := range t.header {
		a.header[name] = values
	}
	if t.bare {
		a.body = object{"Message": "No HTTP resource was found that matches the request URI.",
			"MessageDetail": "No route data was found for this request."}
		return a
	}
	a.body = object{"error": object{"code": t.code, "message": t.message, "innerError": object{
		"date": now.UTC().Format("2006-01-02T15:04:05"), "request-id": c.id, "client-request-id": c.clientID}}}
	if t.status == http.StatusUnauthorized {
		a.header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
			strings.TrimSuffix(c.base, "/")))
	}
	return a
}
