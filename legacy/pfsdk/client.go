package pfsdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/sleep"
	"mfabridge/internal/xmlpull"
)

// Waiter waits, or returns the context's error.
type Waiter func(ctx context.Context, d time.Duration) error

// Client asks one server. It may be used concurrently.
type Client struct {
	config Config
	url    *url.URL
	http   *http.Client

	// Of each family the overload that is asked: an index into overloads.
	// It only grows.
	overload [testFamily + 1]atomic.Int32
}

// NewClient checks the configuration; it asks nothing yet. parallel is how many
// requests may be under way at once.
func NewClient(c Config, parallel int) (*Client, error) {
	u, err := c.check()
	if err != nil {
		return nil, err
	}
	if c.FilterElement == "" {
		c.FilterElement = "usernameFilter"
	}
	if !plainName(c.FilterElement) {
		return nil, hint.New("the name of the filter's element is none", "use letters only, as the WSDL of the server has it")
	}
	if c.Wait == nil {
		c.Wait = sleep.For
	}
	return &Client{config: c, url: u, http: c.httpClient(parallel)}, nil
}

func plainName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Errors that decide how a pull goes on.
var (
	// ErrUnavailable says that the server could not be reached or was busy,
	// several times: it is safe to run again.
	ErrUnavailable = errors.New("the old server does not answer")

	// ErrLocked says that another pull writes to the same place.
	ErrLocked = errors.New("another pull is at work on this export")

	errDenied  = errors.New("the server does not let this account in")
	errUnknown = errors.New("the server does not know this operation")
)

// ServerError is an answer that says no.
type ServerError struct {
	Operation string
	Code      int // 0: without a number
	Text      string
}

func (e *ServerError) Error() string { return e.Operation + ": " + e.Text }

// reply is an answer that says yes.
type reply struct {
	records  []Record
	unknown  []string // elements that are not read
	result   string
	complete bool
}

// ask sends an operation, or the newest overload of it that the server knows.
func (c *Client) ask(ctx context.Context, newest Operation, parameters []parameter) (reply, error) {
	overloads := newest.overloads()
	which := &c.overload[familyOf(newest.String())]
	if len(overloads) == 1 {
		which = new(atomic.Int32)
	}
	for {
		at := which.Load()
		if int(at) >= len(overloads) {
			return reply{}, fmt.Errorf("%s: %w", newest, errUnknown)
		}
		answer, err := c.try(ctx, overloads[at], parameters)
		if !errors.Is(err, errUnknown) {
			return answer, err
		}
		which.CompareAndSwap(at, at+1)
	}
}

// Asked returns the overload of an operation that the server was found to know.
func (c *Client) Asked(newest Operation) Operation {
	overloads := newest.overloads()
	if at := c.overload[familyOf(newest.String())].Load(); int(at) < len(overloads) {
		return overloads[at]
	}
	return noOperation
}

// try sends one operation, again where that may help. A wrong password is never
// sent twice: that would lock the account.
func (c *Client) try(ctx context.Context, o Operation, parameters []parameter) (answer reply, err error) {
	for n := range MaxTries {
		if n > 0 {
			if err := c.config.Wait(ctx, time.Second<<(2*(n-1))); err != nil {
				return reply{}, err
			}
		}
		answer, err = c.send(ctx, o, parameters)
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			break
		}
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return answer, err
}

// send is the one place from which anything leaves: an Operation, nothing else.
func (c *Client) send(ctx context.Context, o Operation, parameters []parameter) (reply, error) {
	if o.String() == "" {
		return reply{}, errors.New("this is not an operation that reads")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), strings.NewReader(o.envelope(parameters)))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header.Set("SOAPAction", `"`+SDKNamespace+"/"+o.String()+`"`)
	request.Header.Set("User-Agent", "mfabridge")
	if c.config.User != "" {
		request.SetBasicAuth(c.config.User, string(c.config.Password.Reveal()))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, c.unreached(err)
	}
	defer response.Body.Close()
	return c.received(o, response)
}

// unreached says why there is no answer.
func (c *Client) unreached(err error) error {
	if errors.Is(err, errRedirect) {
		return hint.New("the server redirects to another address, which is not followed", "give the address that it means, over https")
	}
	text := err.Error()
	if e, ok := errors.AsType[*url.Error](err); ok {
		text = e.Err.Error()
	}
	if strings.Contains(text, "certificate") || strings.Contains(text, "tls: ") {
		return hint.New("the TLS connection fails: "+text, "give the server's authority with --ca, and address it by the name in its certificate")
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, text)
}

// received reads an answer, whatever its status.
func (c *Client) received(o Operation, response *http.Response) (reply, error) {
	kind, parameters, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	isXML := kind == "text/xml" || kind == "application/soap+xml" || kind == "application/xml"
	switch s := response.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return reply{}, hint.Wrap(fmt.Errorf("%w (HTTP %d)", errDenied, s),
			"check user and password or certificate; the account must be in the group PhoneFactor Admins. Nothing is tried twice, so that the account is not locked")
	case s == http.StatusNotFound:
		return reply{}, hint.New("there is no Web Service SDK at this address (HTTP 404)", "the path is /MultiFactorAuthWebServiceSdk/PfWsSdk.asmx, before 6.0 /PhoneFactorWebServiceSdk/PfWsSdk.asmx")
	case s == http.StatusTooManyRequests, s == http.StatusBadGateway, s == http.StatusServiceUnavailable, s == http.StatusGatewayTimeout:
		return reply{}, fmt.Errorf("%w: HTTP %d", ErrUnavailable, s)
	case s != http.StatusOK && (s != http.StatusInternalServerError || !isXML):
		return reply{}, fmt.Errorf("the server answers with HTTP %d", s)
	case !isXML:
		return reply{}, hint.New("the server answers with something that is not XML", "is this the address of PfWsSdk.asmx, or that of a page?")
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return reply{}, fmt.Errorf("the server answers in the encoding %s, of which only UTF-8 is read", printable(charset))
	}
	limit := int64(MaxAnswer)
	if familyOf(o.String()) == findFamily {
		limit = MaxListAnswer
	}
	return understand(o, response.Body, limit)
}

// understand reads the body of an answer to o.
func understand(o Operation, body io.Reader, limit int64) (reply, error) {
	found := &collected{}
	r := &reader{
		x:  xmlpull.NewReader(body, xmlpull.Options{MaxToken: MaxToken, MaxBytes: limit}),
		to: found, pending: map[string][]request{}, named: map[string]bool{},
		o: Options{Username: anyone},
	}
	if err := r.all(); err != nil {
		if e, ok := errors.AsType[*xmlpull.Error](err); ok {
			return reply{}, fmt.Errorf("%w: %s, %v", errAnswer, o, e)
		}
		if found.full {
			return reply{}, err
		}
		return reply{}, fmt.Errorf("%w: the answer to %s breaks off", ErrUnavailable, o)
	}
	last := r.last
	switch {
	case last.fault && notRecognized(last.refused):
		return reply{}, errUnknown
	case last.fault:
		return reply{}, &ServerError{Operation: o.String(), Text: last.refused}
	case r.operations != 1 || last.operation != o.String():
		return reply{}, fmt.Errorf("%w: it is not one to %s", errAnswer, o)
	case r.unnamed > 0:
		return reply{}, fmt.Errorf("%w: it lists a user without a name", errAnswer)
	case last.code != 0 || last.refused != "":
		return reply{}, &ServerError{Operation: o.String(), Code: last.code, Text: last.refusal()}
	}
	return reply{records: found.records, unknown: found.unknown, result: last.result, complete: isTrue(last.complete)}, nil
}

// anyone stands for the user that an answer is about; the caller knows who.
const anyone = "\x00"

// notRecognized tells how ASP.NET says that there is no such operation.
func notRecognized(fault string) bool {
	return strings.Contains(fault, "SOAPAction") || strings.Contains(fault, "did not recognize")
}

// collected keeps the records of one answer.
type collected struct {
	records []Record
	unknown []string
	full    bool
}

// maxRows is how many users one list may hold.
const maxRows = 1_000_000

func (c *collected) Record(r Record) error {
	if c.full = len(c.records) == maxRows; c.full {
		return fmt.Errorf("the server lists more than %d users at once", maxRows)
	}
	if r.Username == anyone {
		r.Username = ""
	}
	if r.Kind == Row {
		r.Fields = nil // the settings say it again
	}
	c.records = append(c.records, r)
	return nil
}

func (c *collected) Problem(p Problem) error {
	if p.Field != "" {
		c.unknown = append(c.unknown, p.Operation+p.Field)
	}
	return nil
}
