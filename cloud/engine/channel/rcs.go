package channel

import (
	"context"
	"net/url"
	"strings"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/rcs"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// RCS is an agent of RCS for Business.
type RCS struct {
	URL     string `yaml:"url"`     // default https://rcsbusinessmessaging.googleapis.com
	Agent   string `yaml:"agent"`   // its id
	Account string `yaml:"account"` // file:PATH or env:NAME: the key file (JSON) of a service account

	// Token is file:PATH or env:NAME: the clientToken of the webhook, which signs
	// receipts; without it there are none.
	Token string `yaml:"token"`

	// Ask has each message wait for the telephone's capabilities first; otherwise the
	// answer to the message says whether it has RCS.
	Ask bool `yaml:"ask"`

	Traffic string `yaml:"traffic"` // messageTrafficType; default AUTHENTICATION

	Timeout      string `yaml:"timeout"` // 500ms to 8s; default 3s
	CA           string `yaml:"ca"`
	AtOnce       int    `yaml:"at_once"` // 1 to 1024; default 64
	AllowPrivate bool   `yaml:"allow_private"`
}

const rcsTimeout = "3s"

func (r *RCS) check(k *checking, at string) {
	if r.URL == "" {
		r.URL = rcs.Base
	}
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		k.Refuse("leave it out, or write https://HOST", "%s.url must begin with https:// and hold no user and no query", at)
	}
	if r.Agent == "" || len(r.Agent) > 128 || strings.ContainsFunc(r.Agent, isControl) {
		k.Refuse("write the agent's id, as the console shows it", "%s.agent is no id", at)
	}
	if !isRef(r.Account) {
		k.Refuse("write file:PATH of the service account's key file", "%s.account does not say where the secret is", at)
	}
	if r.Token != "" && !isRef(r.Token) {
		k.Refuse("write file:PATH or env:NAME", "%s.token does not say where the secret is", at)
	}
	r.Account, r.Token = k.Ref(r.Account), k.Ref(r.Token)
	if strings.Trim(r.Traffic, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		k.Refuse("leave it out, or write AUTHENTICATION", "%s.traffic is no type of traffic", at)
	}
	if r.Timeout == "" {
		r.Timeout = rcsTimeout
	}
	k.atOnce(at, &r.AtOnce, 64, 1024)
	k.timeout(at, r.Timeout)
	r.CA = k.Path(r.CA)
}

// agent is an [RCS] at work.
type agent struct {
	*rcs.Driver
	timeout time.Duration
}

// newAgent reads the secrets of a configuration that was checked.
func newAgent(r *RCS, now func() time.Time) (a *agent, err error) {
	conf := rcs.Config{Base: strings.TrimRight(r.URL, "/"), Agent: r.Agent, Ask: r.Ask, Traffic: r.Traffic, Why: why, Now: now}
	a = new(agent)
	if a.timeout, err = timeoutOf(r.Timeout); err != nil {
		return nil, err
	}
	file, err := secret.Load(r.Account)
	if err != nil {
		return nil, err
	}
	if conf.Account, err = rcs.ParseAccount(file); err != nil {
		return nil, hint.Wrap(err, "name the key file (JSON) that the console made for the service account")
	}
	if r.Token != "" {
		if conf.Token, err = secret.Load(r.Token); err != nil {
			return nil, err
		}
	}
	if conf.Client, err = newClient(r.CA, r.AllowPrivate, a.timeout, max(1, r.AtOnce)); err != nil {
		return nil, err
	}
	a.Driver, err = rcs.New(conf)
	return a, err
}

// Send implements [carrier.Driver].
func (a *agent) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return a.Driver.Send(ctx, n)
}

// Revoke implements [carrier.Revoker].
func (a *agent) Revoke(ctx context.Context, n carrier.Note, taken carrier.Taken) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return a.Driver.Revoke(ctx, n, taken)
}
