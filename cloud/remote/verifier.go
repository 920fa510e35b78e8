package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// exact is a name as JSON can say it. JSON would replace what is not UTF-8,
// and the replaced name might be somebody's: a name that nobody can have stands
// for it.
func exact(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return "\x00" + strings.ToValidUTF8(name, "?")
}

// Begin implements [cloud.Verifier].
func (c *Client) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	if !utf8.ValidString(r.Key) {
		return cloud.Challenge{}, &cloud.Error{Kind: cloud.Invalid, Message: "an idempotency key must be UTF-8"}
	}
	if r.Subject.Value == "" {
		return cloud.Challenge{}, &cloud.Error{Kind: cloud.NotFound, Message: "there is no such user"}
	}
	r.Subject.Value = exact(r.Subject.Value)
	var answer wire.Challenge
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathVerify + "/challenges", body: wire.FromRequest(&r), repeatable: r.Key != ""}, &answer)
	if err != nil {
		return cloud.Challenge{}, err
	}
	return answer.Challenge(), nil
}

// Answer implements [cloud.Verifier].
func (c *Client) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	switch {
	case a.Challenge == "", a.Challenge == ".", a.Challenge == "..":
		return cloud.Decision{}, &cloud.Error{Kind: cloud.NotFound, Message: "there is no such challenge"}
	case !utf8.ValidString(a.Key):
		return cloud.Decision{}, &cloud.Error{Kind: cloud.Invalid, Message: "an idempotency key must be UTF-8"}
	}
	body := wire.AnswerRequest{Code: string(a.Code.Reveal()), Key: a.Key}
	path := wire.PathVerify + "/challenges/" + url.PathEscape(string(a.Challenge)) + "/answer"
	var answer wire.Decision
	if err := c.call(ctx, request{method: http.MethodPost, path: path, body: body, repeatable: a.Key != ""}, &answer); err != nil {
		return cloud.Decision{}, err
	}
	return answer.Decision(), nil
}

// Look implements [cloud.Verifier].
func (c *Client) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	var answer wire.LookAnswer
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathVerify + "/look", body: wire.LookRequest{IDs: ids}, repeatable: true}, &answer)
	if err != nil {
		return nil, err
	}
	if len(answer.Challenges) != len(ids) {
		return nil, wrongCount("challenges", len(ids), len(answer.Challenges))
	}
	ds := make([]cloud.Decision, len(ids))
	for i := range answer.Challenges {
		ds[i] = answer.Challenges[i].Decision()
	}
	return ds, nil
}

// CheckPassword implements [cloud.Passwords]. A failed check counts at the
// engine, so it is not repeated.
func (c *Client) CheckPassword(ctx context.Context, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	subject.Value = exact(subject.Value)
	if subject.Kind == "" {
		subject.Kind = cloud.ByName
	}
	var answer wire.PasswordAnswer
	body := wire.FromPassword(subject, password, client)
	if err := c.call(ctx, request{method: http.MethodPost, path: wire.PathVerify + "/passwords", body: body}, &answer); err != nil {
		return cloud.Proof{}, err
	}
	return answer.Proof(), nil
}

// MatchCode implements [cloud.CodeMatcher]. A code that does not match counts
// at the engine, so the call is not repeated.
func (c *Client) MatchCode(ctx context.Context, subject cloud.Key, code secret.Bytes, client cloud.Client) (bool, error) {
	if !utf8.Valid(code.Reveal()) || subject.Value == "" {
		return false, nil
	}
	subject.Value = exact(subject.Value)
	var answer wire.MatchAnswer
	body := wire.FromMatch(subject, code, client)
	if err := c.call(ctx, request{method: http.MethodPost, path: wire.PathVerify + "/match", body: body}, &answer); err != nil {
		return false, err
	}
	return answer.Matches, nil
}

// Note implements [cloud.Noticeboard].
func (c *Client) Note(ctx context.Context, key string, life time.Duration) error {
	if life <= 0 {
		return &cloud.Error{Kind: cloud.Invalid, Message: "a notice must stay up for a while"}
	}
	_, err := c.notice(ctx, wire.NoticeRequest{Key: key, Life: life.Seconds()})
	return err
}

// Noted implements [cloud.Noticeboard].
func (c *Client) Noted(ctx context.Context, key string) (bool, error) {
	answer, err := c.notice(ctx, wire.NoticeRequest{Key: key})
	return answer.Up, err
}

// Claim implements [cloud.Noticeboard]. Where the answer is lost the claim may
// stand without anybody who knows; it ends by itself.
func (c *Client) Claim(ctx context.Context, key string, life time.Duration) (bool, error) {
	if life <= 0 {
		return false, &cloud.Error{Kind: cloud.Invalid, Message: "a notice must stay up for a while"}
	}
	answer, err := c.notice(ctx, wire.NoticeRequest{Key: key, Life: life.Seconds(), Claim: true})
	return answer.Mine && err == nil, err
}

// Withdraw implements [cloud.Noticeboard].
func (c *Client) Withdraw(ctx context.Context, key string) error {
	_, err := c.notice(ctx, wire.NoticeRequest{Key: key, Down: true})
	return err
}

// notice asks the board. A claim is not sent again: the second would meet the
// first.
func (c *Client) notice(ctx context.Context, body wire.NoticeRequest) (answer wire.NoticeAnswer, err error) {
	if !utf8.ValidString(body.Key) {
		return answer, &cloud.Error{Kind: cloud.Invalid, Message: "a notice must be UTF-8"}
	}
	err = c.call(ctx, request{method: http.MethodPost, path: wire.PathVerify + "/notices", body: body, repeatable: !body.Claim}, &answer)
	return answer, err
}
