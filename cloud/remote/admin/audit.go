package admin

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/http/wire"
)

// AuditBetween is [engine.Engine.AuditBetween].
func (c Client) AuditBetween(ctx context.Context, since, until time.Time) iter.Seq2[audit.Entry, error] {
	wanted := url.Values{}
	for name, t := range map[string]time.Time{"since": since, "until": until} {
		if !t.IsZero() {
			wanted.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	all := lines(c, ctx, "/audit?"+wanted.Encode(), func(l *wire.AuditLine) (bool, error) { return l.End, l.Error.ToError(0) })
	return func(yield func(audit.Entry, error) bool) {
		for line, err := range all {
			var e audit.Entry
			if err == nil {
				if e, err = audit.ParseEntry(line.Entry); err != nil {
					err = &cloud.Error{Kind: cloud.Unavailable, Message: "an entry of the engine's audit cannot be read", Err: err}
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// AuditKey is the public key that verifies the engine's audit.
func (c Client) AuditKey(ctx context.Context) (ed25519.PublicKey, error) {
	var answer wire.AuditKeyAnswer
	if err := c.Get(ctx, wire.PathAdmin+"/audit/key", &answer); err != nil {
		return nil, err
	}
	parsed, _ := x509.ParsePKIXPublicKey(answer.SPKI)
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, &cloud.Error{Kind: cloud.Unavailable, Message: "the engine's answer is no key of an audit"}
	}
	return public, nil
}

// Checkpoints is [engine.Engine.Checkpoints].
func (c Client) Checkpoints(ctx context.Context) (all []audit.Checkpoint, err error) {
	var answer wire.CheckpointsAnswer
	if err := c.Get(ctx, wire.PathAdmin+"/audit/checkpoints", &answer); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer.Checkpoints, &all); err != nil {
		return nil, &cloud.Error{Kind: cloud.Unavailable, Message: "the engine's checkpoints cannot be read"}
	}
	return all, nil
}

// ImportUsers is [engine.Engine.ImportUsers].
func (c Client) ImportUsers(ctx context.Context, a engine.Actor, users []engine.Newcomer) []engine.ImportResult {
	body := wire.ImportRequest{By: by(a)}
	for _, n := range users {
		w := wire.NewNewcomer(&n.Profile)
		w.Sam, w.Guest, w.Roles, w.Groups = n.Sam, n.Guest, n.Roles, n.Groups
		body.Users = append(body.Users, w)
	}
	results := make([]engine.ImportResult, len(users))
	var answer wire.ImportAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/import", body, &answer)
	if err == nil && len(answer.Results) != len(users) {
		err = &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("the engine answered for %d of %d users", len(answer.Results), len(users))}
	}
	for i := range results {
		if err != nil {
			results[i].Err = err
			continue
		}
		r := &answer.Results[i]
		results[i] = engine.ImportResult{ID: cloud.UserID(r.ID), Outcome: engine.Imported(r.Outcome), Err: r.Error.ToError(0)}
	}
	return results
}
