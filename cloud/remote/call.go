package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/hint"
	"mfabridge/internal/sleep"
)

// Limits of a call.
const (
	maxAnswer  = 64 << 20 // bytes
	maxRefusal = 64 << 10
	attempts   = 4
	firstPause = 100 * time.Millisecond
	longest    = 2 * time.Second // pause between two attempts
)

// token is what lets us in, until shortly before it ends.
type token struct {
	value string
	until time.Time
}

// request is one call.
type request struct {
	method, path string            // path below the address of the engine
	body         any               // nil: none
	repeatable   bool              // may be sent again though its answer was lost
	header       map[string]string // besides
}

// call sends a request and decodes the answer into a value, nil: there is none.
func (c *Client) call(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer finish(answer.Body)
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(into); err != nil {
		return unavailable("the engine's answer was cut off or is not JSON", err)
	}
	return nil
}

// Get asks a route of the engine that only answers, and decodes the answer.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, repeatable: true}, into)
}

// Post sends a change to a route of the engine and decodes the answer; into may
// be nil. It is not repeated where its answer was lost.
func (c *Client) Post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, request{method: http.MethodPost, path: path, body: body}, into)
}

// Lines yields the lines of a long answer, and the error that cut it off. Its
// last line is the caller's to know.
func (c *Client) Lines(ctx context.Context, path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		answer, err := c.send(ctx, request{method: http.MethodGet, path: path, repeatable: true})
		if err != nil {
			yield(nil, err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if !yield(lines.Bytes(), nil) {
				return
			}
		}
		yield(nil, unavailable("the answer was cut off", lines.Err()))
	}
}

// send sends a request until it is answered, as far as it may. The answer is
// one of success; its body is the caller's to close.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var text []byte
	if r.body != nil {
		var err error
		if text, err = json.Marshal(r.body); err != nil {
			return nil, &cloud.Error{Kind: cloud.Internal, Message: "the request cannot be written", Err: err}
		}
	}
	renewed := false
	for n := 1; ; n++ {
		token, err := c.bearer(ctx)
		if err == nil {
			var answer *http.Response
			if answer, err = c.once(ctx, r, text, token); err == nil {
				return answer, nil
			}
		}
		if errors.Is(err, errToken) && !renewed { // refused before anything was done
			renewed = true
			c.forget(token)
			continue
		}
		pause, again := retry(err, n, r.repeatable)
		if !again || ctx.Err() != nil {
			return nil, plain(err)
		}
		if sleep.For(ctx, pause) != nil {
			return nil, plain(err)
		}
	}
}

// finish reads what is left of a body, so that the connection serves again.
func finish(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 4<<10))
	_ = body.Close()
}

// errToken is in the chain of an answer that our token is not taken.
var errToken = errors.New("the engine does not take the token")

// lost is a request of which nobody knows what became.
type lost struct{ err error }

func (l *lost) Error() string { return l.err.Error() }
func (l *lost) Unwrap() error { return l.err }

// plain takes the marks off that only send looks at.
func plain(err error) error {
	if l, ok := errors.AsType[*lost](err); ok {
		return l.err
	}
	return err
}

// retry says whether a failed attempt may be made again, and when.
func retry(err error, n int, repeatable bool) (time.Duration, bool) {
	_, unknown := errors.AsType[*lost](err)
	e, ok := errors.AsType[*cloud.Error](err)
	if n >= attempts || !ok || e.Kind != cloud.Unavailable || e.Lasting || unknown && !repeatable {
		return 0, false
	}
	pause := firstPause << (n - 1)
	pause += rand.N(pause)
	pause = max(pause, e.RetryAfter)
	return min(pause, longest), true
}

// once makes one attempt.
func (c *Client) once(ctx context.Context, r request, text []byte, token string) (*http.Response, error) {
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the request cannot be made"}
	}
	if text != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	q.Header.Set("Authorization", "Bearer "+token)
	for name, value := range r.header {
		q.Header.Set(name, value)
	}
	answer, err := c.http.Do(q)
	if err != nil {
		return nil, transport(err)
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return answer, nil
	}
	defer finish(answer.Body)
	return nil, refused(answer)
}

// transport is an attempt that got no answer.
func transport(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err // without the address, which the caller names
	}
	failed := unavailable("the engine cannot be reached", err)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return failed // it never got there
	}
	return &lost{failed}
}

// refused is an answer that is none.
func refused(answer *http.Response) error {
	var body wire.Refusal
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if json.Unmarshal(text, &body) != nil || body.Error == nil || !wire.Known(body.Error.Code) {
		return foreign(answer.StatusCode) // of somebody whose errors look like ours
	}
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && body.Error.RetryAfter == 0 {
		body.Error.RetryAfter = float64(s)
	}
	err := body.Error.ToError(answer.StatusCode)
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", err, errToken)
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return &lost{err} // something in between speaks
	}
	return err
}

// foreign is an answer in other words than the engine's. Something else speaks,
// and what it says decides nothing about what was asked.
func foreign(status int) error {
	err := unavailable(fmt.Sprintf("the engine answered with status %d, and not in its own words", status), nil)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		err = hint.Wrap(err, "a proxy or firewall in front of the engine keeps this machine out: have it let requests to the engine's address through")
	}
	if status == http.StatusUnauthorized { // it may look at tokens, and ours have ended
		return fmt.Errorf("%w: %w", err, errToken)
	}
	return &lost{err}
}

// bearer is a token that holds. One caller asks for it, the others wait for
// that, each as long as its own time lasts.
func (c *Client) bearer(ctx context.Context) (string, error) {
	if value := c.valid(); value != "" {
		return value, nil
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return "", unavailable("the engine gave no token in time", ctx.Err())
	}
	if value := c.valid(); value != "" {
		return value, nil
	}
	return c.ask(ctx)
}

// valid is the token at hand, empty if there is none.
func (c *Client) valid() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.value != "" && c.now().Before(c.token.until) {
		return c.token.value
	}
	return ""
}

// ask gets a token. What the engine says of anything but the application is no
// answer to what is asked with the token: it is Unavailable.
func (c *Client) ask(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+wire.PathToken, strings.NewReader(form.Encode()))
	if err != nil {
		return "", &cloud.Error{Kind: cloud.Invalid, Message: "the request cannot be made"}
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(string(c.word.Reveal())))
	answer, err := c.http.Do(q)
	if err != nil {
		return "", plain(transport(err)) // asking twice for a token does no harm
	}
	defer finish(answer.Body)
	if answer.StatusCode == http.StatusUnauthorized && refusesClient(answer.Body) {
		return "", hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the engine does not let the application " + c.id + " in"},
			"check its name, its secret and its end: mfabridge engine app list")
	}
	if answer.StatusCode != http.StatusOK {
		return "", unavailable(fmt.Sprintf("the engine gave no token and answered with status %d", answer.StatusCode), plain(foreign(answer.StatusCode)))
	}
	var granted struct {
		Token   string  `json:"access_token"`
		Seconds float64 `json:"expires_in"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxRefusal)).Decode(&granted); err != nil || granted.Token == "" {
		return "", unavailable("the engine's token cannot be read", err)
	}
	life := time.Duration(granted.Seconds * float64(time.Second))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token{value: granted.Token, until: c.now().Add(life - life/5)}
	return granted.Token, nil
}

// refusesClient tells whether a refusal is the engine's, about the application
// (RFC 6749 section 5.2), and not that of a proxy which wants to know who asks.
func refusesClient(body io.Reader) bool {
	var no struct {
		Error string `json:"error"`
	}
	return json.NewDecoder(io.LimitReader(body, maxRefusal)).Decode(&no) == nil && no.Error == "invalid_client"
}

// forget drops a token that the engine does not take, unless another caller has
// got a new one meanwhile.
func (c *Client) forget(value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.value == value {
		c.token = token{}
	}
}

func unavailable(message string, cause error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: message, Err: cause}
}
