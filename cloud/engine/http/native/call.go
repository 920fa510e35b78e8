package native

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/secret"
	"mfabridge/internal/strictjson"
)

// call is one request that was read and found to be one.
type call struct {
	*Face
	ctx    context.Context
	w      http.ResponseWriter
	form   url.Values
	app    engine.NativeApp
	flow   engine.Flow // zero where the request takes no continuation token
	client engine.NativeClient
	step   *step
}

// answer answers a POST of the protocol.
func (f *Face) answer(w http.ResponseWriter, r *http.Request, path string) error {
	trace, correlation := uuid.NewString(), r.Header.Get("client-request-id")
	if _, err := uuid.Parse(correlation); err != nil || len(correlation) != 36 {
		correlation = uuid.NewString()
	}
	w.Header().Set("x-ms-request-id", trace)
	w.Header().Set("client-request-id", correlation)
	w.Header().Add("Vary", "Origin")
	// What was sent or used is recorded also if nobody waits for the answer.
	c := &call{Face: f, ctx: context.WithoutCancel(r.Context()), w: w, client: from(r)}
	err := c.read(r, path)
	if err == nil {
		err = c.step.do(c)
	}
	if err == nil {
		return nil
	}
	no := refusal{}
	if c.step != nil {
		no = c.step.no
	}
	said := told(err, no)
	if said.err == broken.err {
		f.log.ErrorContext(r.Context(), "native authentication failed", "path", path, "trace", trace, "err", err)
	} else {
		f.log.InfoContext(r.Context(), "native authentication refused", "path", path, "trace", trace, "app", c.app.ID, "answer", said.err, "suberror", said.sub, "from", c.client.Address)
	}
	if said.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((said.wait+time.Second-1)/time.Second)))
	}
	status := said.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	return serve.Answer(w, status, said.shown(trace, correlation, f.now()))
}

// read reads the request: who calls, what, and from which step.
func (c *call) read(r *http.Request, path string) error {
	if !c.meter.Take(c.client.Address) {
		readable(c.w, "*") // whose page asks is not looked up; without this it would see no answer, and no time to wait
		return &refused{refusal: tooMany, wait: time.Second}
	}
	var err error
	if c.form, err = readForm(r); err != nil {
		return err
	}
	if c.app, err = c.core.NativeApp(c.ctx, c.form.Get("client_id")); err != nil {
		if cloud.KindOf(err) == cloud.NotFound {
			return noClient
		}
		return err
	}
	if err := allow(c.w, r, &c.app); err != nil {
		return err
	}
	if c.app.Disabled {
		return disabled
	}
	found, grants := c.find(path, c.form.Get("grant_type"))
	switch {
	case found == nil && grants && c.form.Get("grant_type") != "":
		return badGrant
	case found == nil:
		return badRequest
	}
	c.step = found
	if err := c.check(); err != nil {
		return err
	}
	if len(found.from) == 0 {
		return nil
	}
	return c.open()
}

// open opens the continuation token: of this application, and at a step from
// which this request may come.
func (c *call) open() (err error) {
	c.flow, err = c.core.OpenFlow(c.form.Get("continuation_token"))
	switch {
	case err != nil && cloud.KindOf(err) == cloud.NotFound:
		return badToken
	case err != nil && cloud.KindOf(err) == cloud.Stale && c.app.Began(&c.flow):
		return expired
	case err != nil, !c.app.Began(&c.flow), !slices.Contains(c.step.from, c.flow.Step):
		return badToken
	case c.form.Get("username") != "" && engine.Fold(c.form.Get("username")) != engine.Fold(c.flow.Name):
		return badToken
	}
	return nil
}

// check looks at parameters: each once, of this request, and not too long.
func (c *call) check() error {
	for name := range sizes {
		may, must := c.step.takes(name)
		switch given := c.form[name]; {
		case len(given) > 0 && !may, len(given) == 0 && must:
			return badRequest
		case len(given) > 0 && (len(given[0]) > sizes[name] || must && given[0] == ""):
			return badRequest
		}
	}
	return nil
}

// readForm reads a form in which no parameter is twice.
func readForm(r *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, badRequest
	}
	for name := range r.URL.Query() {
		if _, ours := sizes[name]; ours {
			return nil, badRequest // addresses end in logs
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return nil, badRequest
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest
	}
	for _, values := range form {
		if len(values) != 1 {
			return nil, badRequest
		}
	}
	return form, nil
}

// from is who asks, as far as limits and rules know.
func from(r *http.Request) engine.NativeClient {
	return engine.NativeClient{Agent: r.UserAgent(), Address: serve.AddressOf(r.Context()).Unmap()}
}

// secret takes a parameter that nobody is to see.
func (c *call) secret(name string) secret.Bytes { return secret.FromString(c.form.Get(name)) }

// offer is what the client says that it can do.
func (c *call) offer() (o engine.Offer, err error) {
	redirect := false
	for _, word := range strings.Fields(c.form.Get("challenge_type")) {
		switch word {
		case "password":
			o.Password = true
		case "oob":
			o.Code = true
		case "redirect":
			redirect = true
		default:
			return o, noRedirect
		}
	}
	if !redirect {
		return o, noRedirect
	}
	for _, word := range strings.Fields(c.form.Get("capabilities")) {
		switch word {
		case "mfa_required":
			o.Second = true
		case "registration_required":
			o.Enrol = true
		default:
			return o, badRequest
		}
	}
	return o, nil
}

// again looks at challenge types that are given once more.
func (c *call) again() error {
	if c.form.Get("challenge_type") == "" {
		return nil
	}
	o, err := c.offer()
	if err == nil && (c.flow.Offer.Password && !o.Password || c.flow.Offer.Code && !o.Code) {
		err = badRequest
	}
	return err
}

// attributes reads the JSON of attributes.
func (c *call) attributes() (map[string]string, error) {
	text := c.form.Get("attributes")
	if text == "" {
		return nil, nil
	}
	var given map[string]string
	if err := strictjson.Decode([]byte(text), &given); err != nil {
		return nil, badRequest
	}
	return given, nil
}

// goOn answers with the next continuation token in a body.
func (c *call) goOn(f engine.Flow, body map[string]any) error {
	token, err := c.core.SealFlow(f)
	if err != nil {
		return err
	}
	if body == nil {
		body = map[string]any{}
	}
	body["continuation_token"] = token
	return serve.Answer(c.w, http.StatusOK, body)
}

// stops answers with an error from which the flow goes on.
func (c *call) stops(f engine.Flow, r refused) error {
	token, err := c.core.SealFlow(f)
	if err != nil {
		return err
	}
	r.token = token
	return &r
}

// redirects says that only a browser can go on.
func (c *call) redirects(why string) error {
	return serve.Answer(c.w, http.StatusOK, map[string]any{"challenge_type": "redirect", "redirect_reason": why})
}

// asks answers how somebody is asked for a factor.
func (c *call) asks(f engine.Flow, a engine.Asked, extra map[string]any) error {
	switch {
	case a.Redirect != "":
		return c.redirects(a.Redirect)
	case a.Password:
		return c.goOn(f, map[string]any{"challenge_type": "password"})
	}
	body := map[string]any{"challenge_type": "oob", "binding_method": "prompt", "challenge_channel": a.Channel, "challenge_target_label": a.Label,
		"code_length": a.Digits, "interval": engine.ResendAfter}
	for k, v := range extra {
		body[k] = v
	}
	return c.goOn(f, body)
}

// missing tells whether an error is one from which the flow goes on.
func missing(err error) bool {
	why := cloud.ReasonOf(err)
	return why == engine.RefusedPassword || why == engine.RefusedMissing
}
