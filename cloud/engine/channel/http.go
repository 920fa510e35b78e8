package channel

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
	"mfabridge/internal/secret"
)

// Limits of an answer.
const (
	maxAnswer  = 64 << 10 // bytes that are read of a body
	maxHeaders = 16 << 10
)

// values are what stands in for marks.
func values(n carrier.Note, callback string, vars map[string]secret.Bytes) Values {
	v := Values{markNumber: n.Number, markDigits: strings.TrimPrefix(n.Number, "+"), markExtension: n.Extension, markText: n.Text, markCode: n.Code,
		markApplication: n.Application, markID: n.Public, markCallback: callback}
	for name, value := range vars {
		v[name] = string(value.Reveal())
	}
	return v
}

// Caller is a provider that is called over HTTPS. Nothing of its answers, of
// messages and of secrets is in an error.
type Caller struct {
	h       *HTTP
	address Template
	user    Template
	body    *body
	vars    map[string]secret.Bytes
	headers map[string]secret.Bytes
	word    secret.Bytes // of basic or bearer
	timeout time.Duration
	client  *http.Client
	key     secret.Bytes // of receipts
	hook    string       // where the provider tells what became of messages; empty: nowhere
}

// NewCaller reads the secrets of a configuration that was checked.
func NewCaller(h *HTTP, hook string) (c *Caller, err error) {
	c = &Caller{h: h, hook: hook}
	if c.address, err = newAddress(h); err != nil {
		return nil, err
	}
	if c.body, err = newBody(h); err != nil {
		return nil, err
	}
	if c.timeout, err = timeoutOf(h.Timeout); err != nil {
		return nil, err
	}
	if c.vars, err = load("vars", h.Vars); err != nil {
		return nil, err
	}
	if c.headers, err = load("headers", h.Headers); err != nil {
		return nil, err
	}
	ref := h.Bearer
	if h.Basic != nil {
		ref = h.Basic.Password
		if c.user, err = ParseTemplate(h.Basic.User, slices.Collect(maps.Keys(h.Vars))...); err != nil {
			return nil, err
		}
	}
	if ref != "" {
		if c.word, err = secret.Load(ref); err != nil {
			return nil, err
		}
	}
	if h.Receipts != nil {
		if c.key, err = secret.Load(h.Receipts.Key); err != nil {
			return nil, err
		}
	}
	if c.client, err = newClient(h.CA, h.AllowPrivate, c.timeout, max(1, h.AtOnce)); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads values, those that are references from where they say.
func load(at string, from map[string]string) (map[string]secret.Bytes, error) {
	all := make(map[string]secret.Bytes, len(from))
	for name, value := range from {
		all[name] = secret.FromString(value)
		if !isRef(value) {
			continue
		}
		word, err := secret.Load(value)
		if err == nil && strings.ContainsFunc(string(word.Reveal()), isControl) {
			err = errors.New("it has more than one line")
		}
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", at, name, err)
		}
		all[name] = word
	}
	return all, nil
}

// authorities reads a PEM file; none: the system's, which is nil.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := regular.Read(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("ca: %w", err), "name a PEM file with the authority's certificate")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, hint.New("ca: the file holds no certificate", "name a PEM file with the authority's certificate")
	}
	return pool, nil
}

// errPrivate is why an address is not called.
var errPrivate = carrier.Mark(carrier.ErrUnwell, "its host is in a private network or on this machine, and allow_private is not set")

// mayDial looks at the address that is really called, after the name was
// looked up.
func mayDial(private bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !private && !isPublic(a.Addr()) {
			return errPrivate
		}
		return nil
	}
}

// closed are networks that are not public though netip calls them global: "this"
// network, carriers' NAT (RFC 6598), protocol assignments, benchmarks,
// reserved ones, and what carries an IPv4 address inside (RFC 4291 section
// 2.5.5.1, RFC 6052, 3056, 4380).
var closed = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10")}

func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(closed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Send implements [carrier.Driver]. The error never holds the message, the
// number, a secret or what the provider said.
func (c *Caller) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	return c.send(ctx, n, "")
}

// send is Send with a script, of calls.
func (c *Caller) send(ctx context.Context, n carrier.Note, script string) (carrier.Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	v := values(n, c.callback(n), c.vars)
	v[markScript] = script
	content, media, err := c.body.fill(v)
	if err != nil {
		return carrier.Taken{}, err
	}
	r, err := http.NewRequestWithContext(ctx, c.h.Method, c.address.Fill(v, inAddress), bytes.NewReader(content))
	if err != nil {
		return carrier.Taken{}, errors.New("the address of the provider cannot be used")
	}
	r.GetBody = nil // a connection that breaks is no reason to send twice
	r.Header.Set("Content-Type", media)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "mfabridge")
	for name, value := range c.headers {
		r.Header.Set(name, string(value.Reveal()))
	}
	switch {
	case c.h.Basic != nil:
		r.SetBasicAuth(c.user.Fill(v, nil), string(c.word.Reveal()))
	case c.h.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+string(c.word.Reveal()))
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return carrier.Taken{}, why(ctx, err)
	}
	defer answer.Body.Close()
	return c.judge(ctx, answer)
}

// inAddress is a value for the path of an address and for its query, where +
// stands for a blank.
func inAddress(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// judge holds an answer against the rule of success.
func (c *Caller) judge(ctx context.Context, answer *http.Response) (taken carrier.Taken, err error) {
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	code, rule := answer.StatusCode, c.h.Success
	switch {
	case code < 200 || code > 299:
		return taken, refusedBy(code)
	case len(rule.Status) > 0 && !slices.Contains(rule.Status, code):
		return taken, fmt.Errorf("the provider answered %d", code)
	case rule.Field == "" && c.h.ID == "":
		return taken, nil // the status says it all
	case rule.Field == "" && (err != nil || len(content) > maxAnswer):
		return taken, nil
	case err != nil || ctx.Err() != nil:
		return taken, why(ctx, errors.Join(err, ctx.Err()))
	case len(content) > maxAnswer:
		return taken, fmt.Errorf("the provider answered %d with more than %d bytes", code, maxAnswer)
	}
	if rule.Field != "" {
		value, found := lookUp(content, rule.Field)
		if !found {
			return taken, fmt.Errorf("the provider answered %d without the field that says whether it has taken the message", code)
		}
		if !slices.Contains(rule.Is, value) {
			return taken, fmt.Errorf("the provider answered %d, but its field %s says that it has not taken the message", code, rule.Field)
		}
	}
	if c.h.ID != "" && c.h.Receipts != nil {
		if id, found := lookUp(content, c.h.ID); found && len(id) <= maxReceiptID {
			taken.ID = id
		}
	}
	return taken, nil
}

// lookUp finds a value by the names and numbers on the way to it.
func lookUp(content []byte, field string) (string, bool) {
	var node any
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if d.Decode(&node) != nil {
		return "", false
	}
	for step := range strings.SplitSeq(field, ".") {
		switch n := node.(type) {
		case map[string]any:
			value, there := n[step]
			if !there {
				return "", false
			}
			node = value
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n) {
				return "", false
			}
			node = n[i]
		default:
			return "", false
		}
	}
	switch n := node.(type) {
	case nil:
		return "null", true
	case string:
		return n, true
	case bool:
		return strconv.FormatBool(n), true
	case json.Number:
		return n.String(), true
	}
	return "", false
}

// Close gives connections back.
func (c *Caller) Close() error {
	c.client.CloseIdleConnections()
	return nil
}
