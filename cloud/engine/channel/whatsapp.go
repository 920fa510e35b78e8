package channel

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
	"mfabridge/internal/strictjson"
)

// WhatsApp is a number of WhatsApp Business on Meta's Cloud API. The code goes
// out in a template of the category authentication with a button that copies it.
type WhatsApp struct {
	URL      string `yaml:"url"`      // with the API's version; default https://graph.facebook.com/v23.0
	Number   string `yaml:"number"`   // phone number id
	Token    string `yaml:"token"`    // file:PATH or env:NAME
	Template string `yaml:"template"` // its name
	Language string `yaml:"language"` // of the template; default en_US

	// Languages are other translations of the template, by the language of
	// channels.text: {de: de}.
	Languages map[string]string `yaml:"languages"`

	AppSecret   string `yaml:"app_secret"`   // file:PATH or env:NAME: signs what the webhook is told; without it there are no receipts
	VerifyToken string `yaml:"verify_token"` // file:PATH or env:NAME: asked for once, when the webhook is set up

	// Unreachable are codes of errors that mean that the number has no WhatsApp;
	// default 131026.
	Unreachable []int `yaml:"unreachable"`

	Timeout      string `yaml:"timeout"` // 500ms to 8s; default 3s
	CA           string `yaml:"ca"`
	AtOnce       int    `yaml:"at_once"` // 1 to 1024; default 64
	AllowPrivate bool   `yaml:"allow_private"`
}

const (
	whatsAppURL     = "https://graph.facebook.com/v23.0"
	whatsAppTimeout = "3s"
	maxCode         = 15 // characters that a template of this category takes
	maxReceiptID    = 256
	maxStatuses     = 1000 // of one call
)

func (w *WhatsApp) check(k *checking, at string) {
	if w.URL == "" {
		w.URL = whatsAppURL
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()) || !w.AllowPrivate) {
		k.Refuse("leave it out, or write https://HOST/VERSION", "%s.url must begin with https:// and hold no user and no query", at)
	}
	if strings.Trim(w.Number, "0123456789") != "" || w.Number == "" {
		k.Refuse("write the phone number id of the console", "%s.number is no id", at)
	}
	if !isTemplateName(w.Template) {
		k.Refuse("write the template's name: small letters, digits and _", "%s.template is no name", at)
	}
	if w.Language == "" {
		w.Language = "en_US"
	}
	for _, language := range append([]string{w.Language}, slices.Collect(maps.Values(w.Languages))...) {
		if !isName(strings.ReplaceAll(language, "_", "-")) {
			k.Refuse("write for example en_US", "%s: a language of the template is none", at)
		}
	}
	for _, secret := range []struct {
		key   string
		ref   *string
		needs bool
	}{{"token", &w.Token, true}, {"app_secret", &w.AppSecret, false}, {"verify_token", &w.VerifyToken, false}} {
		if *secret.ref == "" && !secret.needs {
			continue
		}
		if !isRef(*secret.ref) {
			k.Refuse("write file:PATH or env:NAME", "%s.%s does not say where the secret is", at, secret.key)
		}
		*secret.ref = k.Ref(*secret.ref)
	}
	if len(w.Unreachable) == 0 {
		w.Unreachable = []int{131026}
	}
	if w.Timeout == "" {
		w.Timeout = whatsAppTimeout
	}
	k.atOnce(at, &w.AtOnce, 64, 1024)
	k.timeout(at, w.Timeout)
	w.CA = k.Path(w.CA)
}

func isTemplateName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 512
}

// Messenger is a [WhatsApp] at work: a driver that is called by its provider.
type Messenger struct {
	w                    *WhatsApp
	token, secret, greet secret.Bytes
	timeout              time.Duration
	client               *http.Client
}

var _ carrier.Hook = (*Messenger)(nil)

// NewMessenger reads the secrets of a configuration that was checked.
func NewMessenger(w *WhatsApp) (m *Messenger, err error) {
	m = &Messenger{w: w}
	if m.timeout, err = timeoutOf(w.Timeout); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		ref  string
		into *secret.Bytes
	}{{w.Token, &m.token}, {w.AppSecret, &m.secret}, {w.VerifyToken, &m.greet}} {
		if s.ref == "" {
			continue
		}
		if *s.into, err = secret.Load(s.ref); err != nil {
			return nil, err
		}
	}
	m.client, err = newClient(w.CA, w.AllowPrivate, m.timeout, max(1, w.AtOnce))
	return m, err
}

// JSON of a request, in the shape of the reference of authentication templates.
type (
	waMessage struct {
		Product  string     `json:"messaging_product"`
		Kind     string     `json:"recipient_type"`
		To       string     `json:"to"`
		Type     string     `json:"type"`
		Template waTemplate `json:"template"`
	}
	waTemplate struct {
		Name     string `json:"name"`
		Language struct {
			Code string `json:"code"`
		} `json:"language"`
		Components []waComponent `json:"components"`
	}
	waComponent struct {
		Type       string        `json:"type"`
		SubType    string        `json:"sub_type,omitempty"`
		Index      string        `json:"index,omitempty"`
		Parameters []waParameter `json:"parameters"`
	}
	waParameter struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
)

func (m *Messenger) body(n carrier.Note) ([]byte, error) {
	if n.Code == "" || len(n.Code) > maxCode {
		return nil, errors.New("only a code of at most 15 characters can be sent")
	}
	language := m.w.Language
	if other, there := m.w.Languages[n.Language]; there {
		language = other
	}
	code := []waParameter{{Type: "text", Text: n.Code}}
	msg := waMessage{Product: "whatsapp", Kind: "individual", To: strings.TrimPrefix(n.Number, "+"), Type: "template",
		Template: waTemplate{Name: m.w.Template, Components: []waComponent{{Type: "body", Parameters: code},
			{Type: "button", SubType: "url", Index: "0", Parameters: code}}}}
	msg.Template.Language.Code = language
	return json.Marshal(msg)
}

// Send implements [carrier.Driver].
func (m *Messenger) Send(ctx context.Context, n carrier.Note) (taken carrier.Taken, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	content, err := m.body(n)
	if err != nil {
		return taken, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(m.w.URL, "/")+"/"+m.w.Number+"/messages", bytes.NewReader(content))
	if err != nil {
		return taken, errors.New("the address of the provider cannot be used")
	}
	r.GetBody = nil
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "mfabridge")
	r.Header.Set("Authorization", "Bearer "+string(m.token.Reveal()))
	answer, err := m.client.Do(r)
	if err != nil {
		return taken, why(ctx, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		if code, found := lookUp(said, "error.code"); found && m.off(code) {
			return taken, carrier.ErrUnreachable
		}
		return taken, refusedBy(answer.StatusCode)
	}
	id, found := lookUp(said, "messages.0.id")
	if err != nil || !found || id == "" || len(id) > maxReceiptID {
		return taken, carrier.Mark(carrier.ErrUnknown, "the provider took the message and did not say its id")
	}
	if !m.secret.IsZero() {
		taken.ID = id
	}
	return taken, nil
}

// off tells whether the code of an error means that a number has no WhatsApp.
func (m *Messenger) off(code string) bool {
	n, err := strconv.Atoi(code)
	return err == nil && slices.Contains(m.w.Unreachable, n)
}

// waEvent is what the webhook is told, as far as it is read.
type waEvent struct {
	Entry []struct {
		Changes []struct {
			Value struct {
				Metadata struct {
					Number string `json:"phone_number_id"`
				} `json:"metadata"`
				Statuses []struct {
					ID     string `json:"id"`
					Status string `json:"status"`
					At     string `json:"timestamp"`
					Errors []struct {
						Code int `json:"code"`
					} `json:"errors"`
				} `json:"statuses"`
			} `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

// Call implements [carrier.Hook]: the question of the set-up, and receipts, which
// are signed over the body as it came.
func (m *Messenger) Call(_ context.Context, c carrier.Call) (carrier.Reply, error) {
	if c.Method == http.MethodGet {
		return m.meet(c)
	}
	given, hex256 := strings.CutPrefix(c.Header("X-Hub-Signature-256"), "sha256=")
	if m.secret.IsZero() || !hex256 || !signedBy(m.secret, c.Body, given) {
		return carrier.Reply{}, carrier.ErrForged
	}
	var e waEvent
	if strictjson.Decode(c.Body, &e) != nil {
		return carrier.Reply{}, nil // signed, and nothing that we know
	}
	var reply carrier.Reply
	for _, entry := range e.Entry {
		for _, change := range entry.Changes {
			if number := change.Value.Metadata.Number; number != "" && number != m.w.Number {
				continue // of another number of the same application
			}
			for _, s := range change.Value.Statuses {
				if len(reply.Receipts) >= maxStatuses || s.ID == "" || len(s.ID) > maxReceiptID {
					continue
				}
				r := carrier.Receipt{ID: s.ID, Status: waStatus(s.Status)}
				if seconds, err := strconv.ParseInt(s.At, 10, 64); err == nil {
					r.At = time.Unix(seconds, 0)
				}
				for _, e := range s.Errors {
					if r.Status == carrier.Failed && m.off(strconv.Itoa(e.Code)) {
						r.Status = carrier.Unreachable
					}
				}
				if r.Status != "" {
					reply.Receipts = append(reply.Receipts, r)
				}
			}
		}
	}
	return reply, nil
}

func waStatus(s string) carrier.Status {
	switch s {
	case "sent":
		return carrier.Sent
	case "delivered":
		return carrier.Delivered
	case "read":
		return carrier.Read
	case "failed":
		return carrier.Failed
	}
	return ""
}

// meet answers the question whether we are who was configured.
func (m *Messenger) meet(c carrier.Call) (carrier.Reply, error) {
	challenge := c.Query.Get("hub.challenge")
	if c.Query.Get("hub.mode") != "subscribe" || m.greet.IsZero() || !m.greet.Equal(secret.FromString(c.Query.Get("hub.verify_token"))) ||
		!isName(challenge) {
		return carrier.Reply{}, carrier.ErrForged
	}
	return carrier.Reply{Body: []byte(challenge)}, nil
}

// signedBy tells whether given is the HMAC-SHA-256 of text, in hexadecimal.
func signedBy(key secret.Bytes, text []byte, given string) bool {
	sum, err := hex.DecodeString(given)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key.Reveal())
	mac.Write(text)
	return hmac.Equal(sum, mac.Sum(nil))
}

// Close implements [carrier.Driver].
func (m *Messenger) Close() error {
	m.client.CloseIdleConnections()
	return nil
}
