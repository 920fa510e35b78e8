// Package rcs hands messages to RCS for Business (Google's RCS Business
// Messaging API, version 1), as an agent with a service account.
//
// [Driver] is a [mfabridge/cloud/engine/channel/carrier.Driver]. A telephone
// without RCS is carrier.ErrUnreachable, so that the next channel is asked. The
// service ignores a message whose id it had before, so that one may be sent
// again when no answer came; and it can call a message back that was not
// delivered. Receipts come to a webhook that the service signs.
//
// What was never seen with the genuine service: all of it. The tests play it
// from the published reference (phones.agentMessages, phones.getCapabilities,
// the guides on webhooks and on events).
package rcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// Base is where the service is.
const Base = "https://rcsbusinessmessaging.googleapis.com"

// Config is one agent.
type Config struct {
	Base    string       // default [Base]
	Agent   string       // its id
	Account Account      // who calls
	Token   secret.Bytes // clientToken of the webhook; empty: no receipts

	// Ask makes each message wait for the capabilities of the telephone first;
	// otherwise the answer to the message says whether it has RCS.
	Ask bool

	// Traffic is messageTrafficType; default AUTHENTICATION.
	Traffic string

	// Client makes the requests; it decides which addresses may be called.
	Client *http.Client

	// Why says what an error of Client means, without the address in it, which holds
	// a number. Default: that nobody knows.
	Why func(ctx context.Context, err error) error

	Now func() time.Time
}

// Driver hands messages to one agent's telephones.
type Driver struct {
	conf   Config
	client *http.Client
	tokens *tokens
}

var (
	_ carrier.Hook     = (*Driver)(nil)
	_ carrier.Repeater = (*Driver)(nil)
	_ carrier.Revoker  = (*Driver)(nil)
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// New checks the configuration. It calls nobody.
func New(conf Config) (*Driver, error) {
	if conf.Base == "" {
		conf.Base = Base
	}
	if conf.Traffic == "" {
		conf.Traffic = "AUTHENTICATION"
	}
	if conf.Why == nil {
		conf.Why = func(context.Context, error) error {
			return carrier.Mark(carrier.ErrUnknown, "the service did not answer")
		}
	}
	at, err := url.Parse(conf.Base)
	switch {
	case err != nil || at.Scheme != "https" || at.Host == "" || at.RawQuery != "" || at.User != nil:
		return nil, errors.New("the address of the service is not https://HOST")
	case conf.Agent == "" || len(conf.Agent) > 128:
		return nil, errors.New("agent has 1 to 128 characters")
	}
	client := *conf.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d := &Driver{conf: conf, client: &client}
	if d.tokens, err = newTokens(conf.Account, &client, conf.Why, conf.Now); err != nil {
		return nil, err
	}
	return d, nil
}

// message is an AgentMessage, as far as it is used.
type message struct {
	Content struct {
		Text string `json:"text"`
	} `json:"contentMessage"`
	Traffic string `json:"messageTrafficType"`
	Life    string `json:"ttl,omitempty"` // a duration: "300s"
}

// Send implements [carrier.Driver].
func (d *Driver) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	id, err := messageID(n)
	if err != nil {
		return carrier.Taken{}, err
	}
	if d.conf.Ask {
		if err := d.ask(ctx, n.Number); err != nil {
			return carrier.Taken{}, err
		}
	}
	m := message{Traffic: d.conf.Traffic}
	m.Content.Text = n.Text
	if n.Life > 0 {
		m.Life = fmt.Sprintf("%ds", int(n.Life/time.Second))
	}
	body, err := json.Marshal(m)
	if err != nil {
		return carrier.Taken{}, errors.New("the message cannot be written as JSON")
	}
	if err := d.call(ctx, http.MethodPost, "/v1/phones/"+url.PathEscape(n.Number)+"/agentMessages", url.Values{"messageId": {id}}, body); err != nil {
		return carrier.Taken{}, err
	}
	if d.conf.Token.IsZero() {
		return carrier.Taken{}, nil // no receipts
	}
	return carrier.Taken{ID: id}, nil
}

// ask tells whether a telephone has RCS.
func (d *Driver) ask(ctx context.Context, number string) error {
	err := d.call(ctx, http.MethodGet, "/v1/phones/"+url.PathEscape(number)+"/capabilities", url.Values{"requestId": {newID()}}, nil)
	if errors.Is(err, carrier.ErrUnknown) { // nothing was sent
		return carrier.Mark(carrier.ErrUnwell, "the service did not say whether the telephone has RCS")
	}
	return err
}

// Repeats implements [carrier.Repeater].
func (*Driver) Repeats() bool { return true }

// ErrDelivered is why a message cannot be called back.
var ErrDelivered = errors.New("the message was delivered already")

// Revoke implements [carrier.Revoker].
func (d *Driver) Revoke(ctx context.Context, n carrier.Note, taken carrier.Taken) error {
	id := taken.ID
	if id == "" { // by whoever has not kept it
		var err error
		if id, err = messageID(n); err != nil {
			return err
		}
	}
	err := d.call(ctx, http.MethodDelete, "/v1/phones/"+url.PathEscape(n.Number)+"/agentMessages/"+url.PathEscape(id), nil, nil)
	if errors.Is(err, carrier.ErrUnreachable) {
		return ErrDelivered
	}
	return err
}

// call makes one request, with a fresh token where the last one has gone.
func (d *Driver) call(ctx context.Context, method, path string, query url.Values, body []byte) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("agentId", d.conf.Agent)
	for again := false; ; again = true {
		token, err := d.tokens.get(ctx)
		if err != nil {
			return err
		}
		status, err := d.once(ctx, method, d.conf.Base+path+"?"+query.Encode(), body, token)
		if err == nil && status == http.StatusUnauthorized && !again {
			d.tokens.drop(token)
			continue
		}
		if err != nil {
			return err
		}
		return judge(status)
	}
}

func (d *Driver) once(ctx context.Context, method, address string, body []byte, token secret.Bytes) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address of the service cannot be used")
	}
	r.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	r.Header.Set("User-Agent", "mfabridge")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return 0, d.conf.Why(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // for the connection's next use
	return answer.StatusCode, nil
}

// judge is what a status means.
func judge(status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return carrier.ErrUnreachable
	case status >= 300 && status < 400:
		return carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("the service answered %d: redirects are not followed", status))
	case status >= 500:
		return carrier.Mark(carrier.ErrUnknown, fmt.Sprintf("the service answered %d", status))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("the service answered %d: the service account may not speak for the agent", status))
	case status == http.StatusTooManyRequests:
		return carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("the service answered %d", status))
	}
	return fmt.Errorf("the service answered %d", status)
}

// Close implements [carrier.Driver].
func (d *Driver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

// messageID is the public id as the UUID that the service asks for.
func messageID(n carrier.Note) (string, error) {
	p := strings.ToLower(n.Public)
	if len(p) != 32 || strings.Trim(p, "0123456789abcdef") != "" {
		return "", errors.New("the message has no id that the service takes")
	}
	return p[:8] + "-" + p[8:12] + "-" + p[12:16] + "-" + p[16:20] + "-" + p[20:], nil
}
