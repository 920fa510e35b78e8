// Package wire is what travels between the engine's HTTP API and its callers:
// the JSON of /directory/v1, /verify/v1, /admin/v1 and /authenticator/v1, and the
// one table from the kinds of [cloud.Error] to HTTP statuses. Server and client
// share it, so that they cannot drift apart; docs/api.md describes it for
// everybody else.
//
// Times are RFC 3339 in UTC and left out where there is none. Secrets stand in
// requests only: no function that makes an answer fills them. Unknown fields
// are refused ([Decode]), and so are fields that are named twice: a caller that
// says something the engine does not understand must hear of it.
package wire

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/strictjson"
)

// Paths of the API, below the address of the api listener.
const (
	PathToken     = "/oauth2/token"
	PathKeys      = "/oauth2/jwks"
	PathDiscovery = "/.well-known/oauth-authorization-server" // RFC 8414
	PathDirectory = "/directory/v1"
	PathVerify    = "/verify/v1"
)

// HeaderLock names the lock under which changes are written. The engine
// refuses them when that lock has gone.
const HeaderLock = "Mfabridge-Lock"

// MediaLines is the media type of answers with one JSON value a line.
const MediaLines = "application/x-ndjson"

// Names of events of /verify/v1/events.
const (
	EventOpen     = "open"     // the stream stands: verdicts from now on are in it
	EventDecision = "decision" // a verdict
	EventReset    = "reset"    // verdicts may be missing before this point
	EventReplaced = "replaced" // another stream of the same node took over
)

// MaxWait is the longest that a look at a challenge waits for its verdict.
const MaxWait = 60 * time.Second

// Error is the body of every refusal: {"error": {…}}.
type Error struct {
	Code       string       `json:"code"` // a kind, see [Code]
	Reason     cloud.Reason `json:"reason,omitempty"`
	Message    string       `json:"message"`
	Hint       string       `json:"hint,omitempty"`
	RetryAfter float64      `json:"retry_after,omitempty"` // seconds
	Lasting    bool         `json:"lasting,omitempty"`     // unavailable until somebody mends it
}

// Refusal is an answer that holds nothing but an error.
type Refusal struct {
	Error *Error `json:"error"`
}

// kinds is the table from kinds to statuses.
var kinds = [...]struct {
	kind   cloud.Kind
	status int
}{
	{cloud.Internal, http.StatusInternalServerError},
	{cloud.Invalid, http.StatusBadRequest},
	{cloud.NotFound, http.StatusNotFound},
	{cloud.Conflict, http.StatusConflict},
	{cloud.Stale, http.StatusPreconditionFailed},
	{cloud.Denied, http.StatusForbidden}, // 401 where the token is what is wrong
	{cloud.Unsupported, http.StatusNotImplemented},
	{cloud.Throttled, http.StatusTooManyRequests},
	{cloud.Unavailable, http.StatusServiceUnavailable},
	{cloud.Locked, http.StatusLocked},
}

// Status is the HTTP status of a kind.
func Status(k cloud.Kind) int {
	for _, row := range kinds {
		if row.kind == k {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// Code is the word for a kind: its name with underscores.
func Code(k cloud.Kind) string { return strings.ReplaceAll(k.String(), " ", "_") }

// Known tells whether a word stands for a kind.
func Known(code string) bool {
	for _, row := range kinds {
		if Code(row.kind) == code {
			return true
		}
	}
	return false
}

// KindOf is the kind of a refusal, by its word or, where that is unknown, by
// its status: a proxy in between has words of its own.
func KindOf(code string, status int) cloud.Kind {
	for _, row := range kinds {
		if Code(row.kind) == code {
			return row.kind
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		return cloud.Denied
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return cloud.Unavailable
	case status == http.StatusRequestEntityTooLarge:
		return cloud.Invalid
	}
	for _, row := range kinds {
		if row.status == status {
			return row.kind
		}
	}
	return cloud.Internal
}

// FromError is what a caller is told of an error. A fault of ours is not
// explained to strangers: it stands in the log.
func FromError(err error) *Error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok || e.Kind == cloud.Internal {
		return &Error{Code: Code(cloud.Internal), Message: "the engine failed; its log says why"}
	}
	return &Error{Code: Code(e.Kind), Reason: e.Reason, Message: e.Message, Hint: hint.Of(err), RetryAfter: e.RetryAfter.Seconds(), Lasting: e.Lasting}
}

// ToError turns it back.
func (e *Error) ToError(status int) error {
	if e == nil {
		return nil
	}
	err := error(&cloud.Error{Kind: KindOf(e.Code, status), Reason: e.Reason, Message: e.Message, RetryAfter: seconds(e.RetryAfter), Lasting: e.Lasting})
	if e.Hint != "" {
		err = hint.Wrap(err, e.Hint)
	}
	return err
}

// seconds is a duration that a stranger gave, within reason.
func seconds(s float64) time.Duration {
	if !(s > 0) {
		return 0
	}
	return time.Duration(min(s, 86400) * float64(time.Second))
}

// Decode reads exactly one JSON value whose fields are all known, and named once
// (package strictjson). Errors are Invalid and quote nothing of the input but
// names of fields.
func Decode(r io.Reader, into any) error {
	text, err := io.ReadAll(r)
	if err == nil {
		err = strictjson.DecodeKnown(text, into)
	}
	if err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(err error) error {
	message := "the body is not the JSON that this route takes"
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the body is too large", Err: large}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok && len(name) < 64 {
		message += ": it has an unknown field " + name
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		message += ": field " + wrong.Field + " is of another type"
	}
	if refused, ok := errors.AsType[strictjson.Refused](err); ok {
		message += ": " + refused.Error()
	}
	return &cloud.Error{Kind: cloud.Invalid, Message: message}
}
