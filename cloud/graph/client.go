package graph

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Versions of the interface.
const (
	v1   = "/v1.0"
	beta = "/beta"
)

const (
	maxBody   = 16 << 20 // bytes of one answer
	maxTries  = 6        // of what may be sent again
	firstWait = time.Second
	longest   = 5 * time.Minute // one wait; a longer Retry-After ends the call
)

// client sends requests, with leave of the limiters, and reads answers.
type client struct {
	o        Options
	pipeline runtime.Pipeline
	units    limiter // resource units
	writes   limiter

	mu    sync.Mutex
	ahead time.Duration // the server's clock against ours
	load  float64       // the last x-ms-throttle-limit-percentage; 0: none was said
}

func newClient(o Options) *client {
	transport := o.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 8
		transport = t
	}
	// Retries are ours: the pipeline's would send a change twice whose answer
	// was lost.
	options := &azpolicy.ClientOptions{Transport: &http.Client{Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, Retry: azpolicy.RetryOptions{MaxRetries: -1}}
	var perCall []azpolicy.Policy
	if o.Credential != nil {
		perCall = append(perCall, runtime.NewBearerTokenPolicy(o.Credential, []string{o.Cloud.Root + "/.default"},
			&azpolicy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: strings.HasPrefix(o.Cloud.Root, "http://")}))
	}
	return &client{o: o, pipeline: runtime.NewPipeline("mfabridge", "", runtime.PipelineOptions{PerRetry: perCall}, options),
		units: newLimiter(o, unitsASecond, unitsASecond), writes: newLimiter(o, o.Writes, max(int(o.Writes*writesBurst), 1))}
}

// answer is one reply.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// tokenEnds is how long the library may take a token for good that the server
// does not: it counts a token's life from when the answer came.
const tokenEnds = 2 * time.Second

// do sends one request, of which nothing was done if its token had just ended:
// then it is sent once more, with another token. An error means that nothing is
// known of what became of it.
func (c *client) do(ctx context.Context, method, url string, header http.Header, body []byte) (answer, error) {
	a, err := c.once(ctx, method, url, header, body)
	if err != nil || a.status != http.StatusUnauthorized || c.o.Credential == nil || c.o.Sleep(ctx, tokenEnds) != nil {
		return a, err
	}
	return c.once(ctx, method, url, header, body)
}

func (c *client) once(ctx context.Context, method, url string, header http.Header, body []byte) (answer, error) {
	request, err := runtime.NewRequest(ctx, method, url)
	if err != nil {
		return answer{}, err
	}
	runtime.SkipBodyDownload(request) // it is read here, within a limit; torn, it is no matter of the token
	id := uuid.NewString()
	raw := request.Raw()
	for name, values := range header {
		raw.Header[name] = values
	}
	raw.Header.Set("client-request-id", id)
	raw.Header.Set("Accept", "application/json")
	if body != nil {
		if err := request.SetBody(nopCloser{bytes.NewReader(body)}, "application/json"); err != nil {
			return answer{}, err
		}
	}
	start := c.o.Now()
	response, err := c.pipeline.Do(request)
	if err != nil {
		c.o.Log.DebugContext(ctx, "graph", "method", method, "url", url, "client-request-id", id, "err", err)
		return answer{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(b) > maxBody {
		err = fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	c.o.Log.DebugContext(ctx, "graph", "method", method, "url", url, "client-request-id", id, "request-id", response.Header.Get("request-id"),
		"status", response.StatusCode, "ms", c.o.Now().Sub(start).Milliseconds())
	c.observe(response.Header)
	return answer{response.StatusCode, response.Header, b}, err
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// observe learns the server's clock and how near its limits we are.
func (c *client) observe(h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		c.ahead = at.Sub(c.o.Now())
	}
	if load, err := strconv.ParseFloat(h.Get("x-ms-throttle-limit-percentage"), 64); err == nil {
		c.load = load
	}
}

// serverTime is what the server's clock shows, to the second.
func (c *client) serverTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Now().Add(c.ahead)
}

// get reads one thing, again and again where Graph asks for it.
func (c *client) get(ctx context.Context, version, path string, into any) error {
	return c.getWith(ctx, version, path, nil, into)
}

// getWith is get with more headers.
func (c *client) getWith(ctx context.Context, version, path string, header http.Header, into any) error {
	url := path
	if !strings.HasPrefix(path, "http") {
		url = c.o.Cloud.Root + version + path
	} else if !strings.HasPrefix(path, c.o.Cloud.Root+"/") {
		return &cloud.Error{Kind: cloud.Internal, Message: "Graph refers to a next page on another host"}
	}
	var last error
	for try := range maxTries {
		if err := c.units.take(ctx, 2); err != nil {
			return err
		}
		a, err := c.do(ctx, http.MethodGet, url, header, nil)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && unasked(err) != nil:
			return unasked(err)
		case err != nil:
			last = &cloud.Error{Kind: cloud.Unavailable, Message: "Graph cannot be reached", Err: err}
		case a.status == http.StatusOK:
			if err := json.Unmarshal(a.body, into); err != nil {
				return &cloud.Error{Kind: cloud.Internal, Message: "an answer of Graph cannot be read", Err: err}
			}
			return nil
		case again(a.status):
			last = a.failed()
		default:
			return a.failed()
		}
		if try == maxTries-1 {
			break
		}
		if err := c.wait(ctx, try, a.header, err); err != nil {
			return errors.Join(last, err)
		}
	}
	return last
}

// unasked is why a request was not sent, and another would not be: the
// application was given no token, or whoever answers in Graph's place cannot be
// trusted. nil: it is not known. An authority that is away just now is another
// matter: azcore marks that alike, so that the credential has to say so by a
// cloud.Error.
func unasked(err error) *cloud.Error {
	if e, ok := errors.AsType[*cloud.Error](err); ok && (e.Kind == cloud.Unavailable || e.Kind == cloud.Throttled) {
		return nil
	}
	if _, ok := errors.AsType[interface {
		error
		NonRetriable()
	}](err); ok {
		return &cloud.Error{Kind: cloud.Denied, Message: "no token could be had for the tenant", Err: err}
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &cloud.Error{Kind: cloud.Denied, Message: "whoever answers as Graph cannot be trusted",
			Err: hint.Wrap(untrusted, "a proxy that breaks TLS open needs --ca FILE with its authority")}
	}
	return nil
}

// again tells whether a status says that reading might work later.
func again(status int) bool { return status == http.StatusTooManyRequests || passes(status) }

// passes tells a status of which nobody knows what became of the request, and
// that another try may not meet.
func passes(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusLocked || status >= http.StatusInternalServerError
}

// backoff is a pause as the answer asks for, else longer each time, with jitter.
func backoff(try int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	pause := firstWait << try
	return pause + time.Duration(rand.Int64N(int64(pause/2)+1))
}

// wait pauses before another try. That nobody answers is told: it may go on for
// a minute.
func (c *client) wait(ctx context.Context, try int, h http.Header, unreached error) error {
	pause := backoff(try, retryAfter(h, c.serverTime()))
	if unreached != nil {
		c.o.Log.WarnContext(ctx, "Graph or the authority before it cannot be reached; it is tried again", "try", try+1, "of", maxTries, "pause", pause.Round(time.Millisecond).String(), "err", unreached)
	}
	if pause > longest {
		return &cloud.Error{Kind: cloud.Throttled, Message: fmt.Sprintf("Graph asks to wait for %v", pause.Round(time.Second))}
	}
	return c.o.Sleep(ctx, pause)
}

// retryAfter reads Retry-After: seconds, or a date by the server's clock, which
// now is if the answer has none; zero: not known. 0: not said.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	if at, err := http.ParseTime(text); err == nil && !now.IsZero() && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
