package native

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// refusal is an error of the protocol: what a client decides by is error and
// suberror; codes and words are for people.
type refusal struct {
	err    string
	sub    cloud.Reason
	code   int
	words  string
	status int // 0: 400
}

// The table of errors.
var (
	badRequest   = refusal{err: "invalid_request", code: 90014, words: "A parameter is missing, doubled or cannot be used here"}
	badToken     = refusal{err: "invalid_request", code: 55200, words: "The continuation token is not one for this request, or was used"}
	expired      = refusal{err: "expired_token", code: 552003, words: "The continuation token has expired"}
	noClient     = refusal{err: "unauthorized_client", code: 700016, words: "There is no such application"}
	disabled     = refusal{err: "invalid_client", sub: "nativeauthapi_disabled", code: 500222, words: "Native authentication is not enabled for the application"}
	badOrigin    = refusal{err: "invalid_request", code: 9002326, words: "The origin is not one of the application's", status: http.StatusForbidden}
	noRedirect   = refusal{err: "unsupported_challenge_type", code: 901007, words: "The challenge types must be known and hold redirect"}
	badGrant     = refusal{err: "unsupported_grant_type", code: 70003, words: "The grant type is not one of this request"}
	badScope     = refusal{err: "invalid_scope", code: 70011, words: "The scope is not one of the application's"}
	noUser       = refusal{err: "user_not_found", code: 50034, words: "There is no such user"}
	userExists   = refusal{err: "user_already_exists", code: 1003037, words: "There is a user of that name"}
	notEnabled   = refusal{err: "invalid_request", code: 550023, words: "The application does not offer that"}
	badUsername  = refusal{err: "invalid_request", code: 90100, words: "The user name is not an address of mail"}
	badTarget    = refusal{err: "invalid_request", code: 901001, words: "That number or address cannot be registered"}
	noMethod     = refusal{err: "invalid_request", code: 901002, words: "The user has no such method"}
	wrongCode    = refusal{err: "invalid_grant", sub: "invalid_oob_value", code: 50181, words: "The code is wrong, over or was used"}
	needSecond   = refusal{err: "invalid_grant", sub: "mfa_required", code: 50076, words: "A second factor is needed"}
	needEnrol    = refusal{err: "invalid_grant", sub: "registration_required", code: 50079, words: "A second factor has to be registered"}
	blocked      = refusal{err: "invalid_grant", code: 53003, words: "The sign-in is blocked"}
	overRefresh  = refusal{err: "invalid_grant", code: 700082, words: "The refresh token is not worth anything any more: sign in again"}
	needPassword = refusal{err: "credential_required", code: 55103, words: "A password is needed"}
	needMore     = refusal{err: "attributes_required", code: 55106, words: "Attributes are missing"}
	tooMany      = refusal{err: "temporarily_unavailable", code: 50196, words: "There are too many requests: wait", status: http.StatusTooManyRequests}
	away         = refusal{err: "temporarily_unavailable", code: 90033, words: "The service cannot answer now: try again", status: http.StatusServiceUnavailable}
	broken       = refusal{err: "server_error", code: 90000, words: "The service failed", status: http.StatusInternalServerError}

	wrongPassword = refusal{err: "invalid_grant", code: 50126, words: "The name or the password is wrong, or too many were tried"}
)

// words are the refusals whose reasons clients tell apart.
var words = map[cloud.Reason]refusal{
	engine.RefusedTooShort:   {err: "invalid_grant", sub: engine.RefusedTooShort, code: 399246, words: "The password is too short"},
	engine.RefusedTooLong:    {err: "invalid_grant", sub: engine.RefusedTooLong, code: 399246, words: "The password is too long"},
	engine.RefusedTooWeak:    {err: "invalid_grant", sub: engine.RefusedTooWeak, code: 399246, words: "The password is too weak"},
	engine.RefusedBanned:     {err: "invalid_grant", sub: engine.RefusedBanned, code: 399246, words: "The password is easy to guess"},
	engine.RefusedRecent:     {err: "invalid_grant", sub: engine.RefusedRecent, code: 399246, words: "The password is the one that there is"},
	engine.RefusedPassword:   needPassword,
	engine.RefusedMissing:    needMore,
	engine.RefusedAttributes: {err: "invalid_grant", sub: engine.RefusedAttributes, code: 55108, words: "Attributes are not as they must be"},
	engine.RefusedExists:     userExists,
	engine.RefusedRegion:     {err: "access_denied", sub: engine.RefusedRegion, code: 550080, words: "No codes are sent to that region"},
	engine.RefusedReputation: {err: "access_denied", sub: engine.RefusedReputation, code: 550081, words: "No codes are sent to that number now"},
	engine.RefusedTarget:     badTarget,
}

// Error implements error.
func (r refusal) Error() string { return r.err + "/" + string(r.sub) + ": " + r.words }

// refused is a refusal with what goes with it.
type refused struct {
	refusal
	token      string   // to go on with
	attributes []string // required or invalid ones, by the error
	wait       time.Duration
}

func (r *refused) Error() string { return r.refusal.Error() }

// told is what a client hears of an error. no is what Denied is told as.
func told(err error, no refusal) *refused {
	if r, ok := errors.AsType[*refused](err); ok {
		return r
	}
	if r, ok := errors.AsType[refusal](err); ok {
		return &refused{refusal: r}
	}
	if r, known := words[cloud.ReasonOf(err)]; known {
		about, _ := errors.AsType[engine.Attributes](err)
		return &refused{refusal: r, attributes: about}
	}
	e, _ := errors.AsType[*cloud.Error](err)
	switch cloud.KindOf(err) {
	case cloud.Denied:
		if no.err == "" {
			no = blocked
		}
		return &refused{refusal: no}
	case cloud.Stale:
		return &refused{refusal: badToken}
	case cloud.NotFound:
		return &refused{refusal: noUser}
	case cloud.Unsupported:
		return &refused{refusal: notEnabled}
	case cloud.Invalid:
		return &refused{refusal: badRequest}
	case cloud.Throttled:
		return &refused{refusal: tooMany, wait: max(e.RetryAfter, time.Second)}
	case cloud.Unavailable:
		return &refused{refusal: away, wait: time.Second}
	}
	return &refused{refusal: broken}
}

// shownError is an error as it is sent.
type shownError struct {
	Error         string           `json:"error"`
	Description   string           `json:"error_description"`
	Codes         []int            `json:"error_codes"`
	Timestamp     string           `json:"timestamp"`
	TraceID       string           `json:"trace_id"`
	CorrelationID string           `json:"correlation_id"`
	Suberror      string           `json:"suberror,omitempty"`
	Token         string           `json:"continuation_token,omitempty"`
	Required      []shownAttribute `json:"required_attributes,omitempty"`
	Invalid       []shownAttribute `json:"invalid_attributes,omitempty"`
}

// shownAttribute is an attribute in an error.
type shownAttribute struct {
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Required bool   `json:"required,omitempty"`
}

func (r *refused) shown(trace, correlation string, now time.Time) shownError {
	at := now.UTC().Format("2006-01-02 15:04:05Z")
	e := shownError{Error: r.err, Suberror: string(r.sub), Codes: []int{r.code}, Timestamp: at, TraceID: trace, CorrelationID: correlation, Token: r.token,
		Description: fmt.Sprintf("AADSTS%d: %s. Trace ID: %s Correlation ID: %s Timestamp: %s", r.code, r.words, trace, correlation, at)}
	for _, name := range r.attributes {
		if r.err == needMore.err {
			e.Required = append(e.Required, shownAttribute{Name: name, Type: "string", Required: true})
		} else {
			e.Invalid = append(e.Invalid, shownAttribute{Name: name})
		}
	}
	return e
}
