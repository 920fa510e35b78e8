package rcs

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
	"mfabridge/internal/strictjson"
)

// delivery is what the service posts: an event, or, once, the question whether
// we are who was configured.
type delivery struct {
	Message struct {
		Data string `json:"data"` // base64 of an event
	} `json:"message"`
	ClientToken string `json:"clientToken"`
	Secret      string `json:"secret"`
}

// event is a UserEvent or a server event, as far as it is used.
type event struct {
	Type    string    `json:"eventType"`
	Message string    `json:"messageId"`
	Agent   string    `json:"agentId"`
	Sent    time.Time `json:"sendTime"`
}

// maxEcho bounds what is said back when the webhook is set up.
const maxEcho = 256

// Call implements [carrier.Hook]: the signature is that of the decoded event,
// by the token of the webhook (X-Goog-Signature, HMAC-SHA-512 in base64).
func (d *Driver) Call(_ context.Context, c carrier.Call) (carrier.Reply, error) {
	var got delivery
	if d.conf.Token.IsZero() || c.Method != http.MethodPost || strictjson.Decode(c.Body, &got) != nil {
		return carrier.Reply{}, carrier.ErrForged
	}
	if got.Message.Data == "" {
		return d.greet(got)
	}
	raw, err := base64.StdEncoding.DecodeString(got.Message.Data)
	if err != nil || !d.signed(raw, c.Header("X-Goog-Signature")) {
		return carrier.Reply{}, carrier.ErrForged
	}
	var e event
	if strictjson.Decode(raw, &e) != nil || e.Agent != "" && e.Agent != d.conf.Agent {
		return carrier.Reply{}, carrier.ErrForged
	}
	status := statusOf(e.Type)
	if status == "" || e.Message == "" {
		return carrier.Reply{}, nil // somebody types, or writes to us
	}
	// By our own id, so that it is known also where the answer to the message got
	// lost.
	return carrier.Reply{Receipts: []carrier.Receipt{{ID: strings.ReplaceAll(e.Message, "-", ""), ByNote: true, Status: status, At: e.Sent}}}, nil
}

// greet says the secret back to who knows the token.
func (d *Driver) greet(got delivery) (carrier.Reply, error) {
	plain := strings.Trim(strings.ToLower(got.Secret), "0123456789abcdefghijklmnopqrstuvwxyz-_") == ""
	if !d.conf.Token.Equal(secret.FromString(got.ClientToken)) || got.Secret == "" || len(got.Secret) > maxEcho || !plain {
		return carrier.Reply{}, carrier.ErrForged
	}
	return carrier.Reply{Body: []byte(got.Secret)}, nil
}

func (d *Driver) signed(raw []byte, header string) bool {
	given, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	mac := hmac.New(sha512.New, d.conf.Token.Reveal())
	mac.Write(raw)
	return hmac.Equal(given, mac.Sum(nil))
}

func statusOf(event string) carrier.Status {
	switch event {
	case "DELIVERED":
		return carrier.Delivered
	case "READ":
		return carrier.Read
	case "TTL_EXPIRATION_REVOKED":
		return carrier.Failed
	}
	return ""
}
