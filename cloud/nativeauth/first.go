package nativeauth

import (
	"context"
	"net/http"
	"net/url"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// CheckPassword implements [cloud.Passwords]: the first factor. Groups are not
// told.
func (v *Verifier) CheckPassword(ctx context.Context, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	no := cloud.Proof{Reason: cloud.WrongPassword}
	id, upn, err := v.o.Who(ctx, subject)
	if err != nil && cloud.KindOf(err) == cloud.NotFound {
		return no, nil
	}
	if err != nil {
		return cloud.Proof{}, err
	}
	if password.IsZero() {
		return no, nil
	}
	done, ok := v.brake.Try(id, client, false) // the tenant counts by user
	if !ok {
		return cloud.Proof{Reason: cloud.TooManyTries}, nil
	}
	outcome := session.Unknown
	defer func() { done(outcome) }()
	proof, err := v.prove(ctx, id, upn, password)
	switch {
	case err == nil && proof.OK:
		outcome = session.Passed
	case err == nil:
		outcome = session.Failed
	}
	return proof, err
}

// prove asks the tenant.
func (v *Verifier) prove(ctx context.Context, id cloud.UserID, upn string, password secret.Bytes) (cloud.Proof, error) {
	r, err := v.post(ctx, initiate, url.Values{"username": {upn}, "challenge_type": {challengeTypes}, "capabilities": {capabilities}})
	if err != nil {
		return cloud.Proof{}, err
	}
	if r.status != http.StatusOK || r.Type == redirect {
		return v.unproven(r)
	}
	r, err = v.post(ctx, challenge, url.Values{"continuation_token": {r.Continuation}, "challenge_type": {challengeTypes}})
	if err != nil {
		return cloud.Proof{}, err
	}
	if r.status != http.StatusOK || r.Type != "password" {
		return v.unproven(r)
	}
	r, err = v.post(ctx, token, url.Values{"continuation_token": {r.Continuation}, "grant_type": {"password"}, "password": {string(password.Reveal())}, "scope": {scope}})
	if err != nil {
		return cloud.Proof{}, err
	}
	return v.proven(id, upn, r)
}

// proven is what the answer to a password means.
func (v *Verifier) proven(id cloud.UserID, upn string, r *reply) (cloud.Proof, error) {
	var p proof
	switch {
	case r.status == http.StatusOK && r.Access != "":
		p.reason = cloud.NotAllowed // no second factor was asked for, so that none can be verified
	case r.Error == "invalid_grant" && r.Suberror == "mfa_required" && r.Continuation != "":
		p.token = r.next()
	case r.Error == "invalid_grant" && r.Suberror == "registration_required":
		p.reason = cloud.NoMethod
	case r.status == http.StatusOK:
		p.reason = cloud.NotAllowed // a browser is wanted
	default:
		return v.unproven(r)
	}
	if err := v.keep(upn, p); err != nil {
		return cloud.Proof{}, err
	}
	return cloud.Proof{OK: true, User: id, UPN: upn}, nil
}

// unproven is a first factor that was not proven. An unknown user and a wrong
// password are told alike.
func (v *Verifier) unproven(r *reply) (cloud.Proof, error) {
	if err := r.misconfigured(); err != nil {
		return cloud.Proof{}, err
	}
	return cloud.Proof{Reason: cloud.WrongPassword}, nil
}
