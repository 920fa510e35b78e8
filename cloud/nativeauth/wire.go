package nativeauth

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Endpoints and words of the interface (native authentication API reference).
const (
	initiate   = "/oauth2/v2.0/initiate"
	challenge  = "/oauth2/v2.0/challenge"
	introspect = "/oauth2/v2.0/introspect"
	token      = "/oauth2/v2.0/token"

	challengeTypes = "password oob redirect"
	capabilities   = "mfa_required"
	scope          = "openid"

	redirect = "redirect"
)

// reply is an answer, of either kind.
type reply struct {
	status int

	Continuation string `json:"continuation_token"`
	Type         string `json:"challenge_type"`
	Channel      string `json:"challenge_channel"`
	Target       string `json:"challenge_target_label"`
	Access       string `json:"access_token"`
	Methods      []struct {
		ID      string `json:"id"`
		Type    string `json:"challenge_type"`
		Channel string `json:"challenge_channel"`
	} `json:"methods"`

	Error    string `json:"error"`
	Suberror string `json:"suberror"`
}

func (r *reply) next() secret.Bytes { return secret.FromString(r.Continuation) }

// post sends one form. Every answer with an error of the interface is a reply;
// an error here means that nothing is known.
func (v *Verifier) post(ctx context.Context, path string, form url.Values) (*reply, error) {
	form.Set("client_id", v.o.ClientID)
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, v.o.Base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &cloud.Error{Kind: cloud.Internal, Message: "the tenant's address cannot be used"}
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Accept", "application/json")
	answer, err := v.client.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &cloud.Error{Kind: cloud.Unavailable, Message: "the tenant does not answer"}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	r := &reply{status: answer.StatusCode}
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		return nil, &cloud.Error{Kind: cloud.Throttled, Message: "the tenant asks to come back later"}
	case answer.StatusCode >= 500 || err != nil || len(body) > maxAnswer || json.Unmarshal(body, r) != nil:
		return nil, &cloud.Error{Kind: cloud.Unavailable, Message: "the tenant has reached no verdict"}
	case answer.StatusCode != http.StatusOK && r.Error == "":
		return nil, &cloud.Error{Kind: cloud.Unavailable, Message: "the tenant answered something else"}
	}
	return r, nil
}

// misconfigured tells whether an error is about the application, not about a
// person.
func (r *reply) misconfigured() error {
	switch r.Error {
	case "invalid_client", "unauthorized_client", "unsupported_challenge_type", "unsupported_grant_type", "invalid_scope", "invalid_request":
		return &cloud.Error{Kind: cloud.Denied, Message: "the tenant does not take the application's requests (" + word(r.Error) + ")"}
	}
	return nil
}

// word is a word of the interface, and nothing that somebody else wrote.
func word(s string) string {
	if len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "another error"
	}
	return s
}
