package nativeauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// service is the second factor, as a session.Service.
type service Verifier

// going is a login that waits for a code.
type going struct {
	token  secret.Bytes // the newest continuation token
	method cloud.Preference
}

// channels are the words for ways of sending codes.
var channels = map[string]cloud.Preference{"sms": cloud.SMS, "email": cloud.EmailCode}

func refused(reason cloud.Reason, method cloud.Preference) (session.Turn, error) {
	return session.Turn{State: cloud.Refused, Reason: reason, Method: method}, nil
}

// Begin implements [session.Service].
func (s *service) Begin(ctx context.Context, a session.Ask) (session.Turn, error) {
	v := (*Verifier)(s)
	p, found := v.take(a.UPN)
	switch {
	case !found:
		return refused(cloud.NotAllowed, a.Method) // whose first factor nobody has proven here
	case p.reason != "":
		return refused(p.reason, a.Method)
	case a.WithCode:
		return refused(cloud.WrongCode, a.Method) // none was sent yet
	}
	r, err := v.post(ctx, introspect, url.Values{"continuation_token": {string(p.token.Reveal())}})
	if err != nil {
		return session.Turn{}, err
	}
	if r.status != http.StatusOK || r.Type == redirect {
		return s.over(r, a.Method)
	}
	for _, m := range r.Methods {
		method, known := channels[m.Channel]
		if m.Type != "oob" || !known || a.Method != "" && a.Method != method {
			continue
		}
		return s.send(ctx, m.ID, method, r)
	}
	return refused(cloud.NoMethod, a.Method)
}

// send has a code sent.
func (s *service) send(ctx context.Context, id string, method cloud.Preference, r *reply) (session.Turn, error) {
	r, err := (*Verifier)(s).post(ctx, challenge, url.Values{"continuation_token": {r.Continuation}, "challenge_type": {challengeTypes}, "id": {id}})
	if err != nil {
		return session.Turn{}, err
	}
	if r.status != http.StatusOK || r.Type != "oob" || r.Continuation == "" {
		return s.over(r, method)
	}
	return session.Turn{State: cloud.Pending, Method: method, Prompt: "Enter the code sent to " + target(r.Target), Handle: &going{r.next(), method}, Life: codeLife}, nil
}

// target is the masked address as it may be shown, in one plain line.
func target(label string) string {
	plain := strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r > '~' })
	if label == "" || len(label) > 80 || plain {
		return "you"
	}
	return label
}

// Code implements [session.Service].
func (s *service) Code(ctx context.Context, handle any, code secret.Bytes) (session.Turn, error) {
	g := handle.(*going)
	r, err := (*Verifier)(s).post(ctx, token, url.Values{"continuation_token": {string(g.token.Reveal())}, "grant_type": {"mfa_oob"}, "oob": {string(code.Reveal())}, "scope": {scope}})
	if err != nil {
		return session.Turn{}, err
	}
	switch {
	case r.status == http.StatusOK && r.Access != "":
		return session.Turn{State: cloud.Approved, Method: g.method}, nil
	case r.Error == "invalid_grant" && r.Suberror == "invalid_oob_value":
		if r.Continuation != "" {
			g.token = r.next()
		}
		return session.Turn{State: cloud.Pending, Reason: cloud.WrongCode, Method: g.method, Handle: g}, nil
	}
	return s.over(r, g.method)
}

// over ends a login that goes no further.
func (s *service) over(r *reply, method cloud.Preference) (session.Turn, error) {
	if r.Error == "expired_token" {
		return session.Turn{State: cloud.Expired, Reason: cloud.TimedOut, Method: method}, nil
	}
	if err := r.misconfigured(); err != nil {
		return session.Turn{}, err
	}
	switch r.Suberror {
	case "provider_blocked_by_admin", "provider_blocked_by_rep":
		return refused(cloud.Undeliverable, method)
	}
	return refused(cloud.NotAllowed, method) // a browser is wanted, or fraud is suspected
}

// Look implements [session.Service]; nothing is answered elsewhere.
func (s *service) Look(_ context.Context, handle any) (session.Turn, error) {
	return session.Turn{State: cloud.Pending, Handle: handle}, nil
}
