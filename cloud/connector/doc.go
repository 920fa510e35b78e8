// Package connector asks the cloud service behind Microsoft's NPS extension for
// second factors: StrongAuthenticationService, "Connector".
//
// # A private interface
//
// Microsoft publishes no contract for it and supports no caller but its own
// extension and its AD FS adapter. What is written here was read off public
// programs that call it; element names, their order and the words of results
// may change any day, and nothing here was ever tried against the genuine
// service. Whoever uses it has to say so in the configuration
// ([Options.Unsupported]); without that [New] refuses. The supported way is a
// server with the extension, asked by RADIUS (package shim/nps).
//
// # What it does
//
// BeginTwoWayAuthentication starts a session for a user principal name, by the
// user's default method or a named one; EndTwoWayAuthentication takes a code,
// or tells where a push or call stands. Sessions are asynchronous, so that no
// call waits for a person. [Service] is a session.Service; package session makes
// a Verifier of it.
package connector

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
)

// Places of the public cloud.
const (
	Base     = "https://strongauthenticationservice.auth.microsoft.com" + path + "/"
	Audience = "https://adnotifications.windowsazure.com" + path
	path     = "/StrongAuthenticationService.svc/Connector"
)

// Places are base and audience in one of Microsoft's clouds, as the extension's
// own settings name their hosts: "global", "usgov" or "china".
func Places(name string) (base, audience string, known bool) {
	tld, known := map[string]string{"global": "com", "usgov": "us", "china": "cn"}[name]
	return "https://strongauthenticationservice.auth.microsoft." + tld + path + "/", "https://adnotifications.windowsazure." + tld + path, known
}

// Defaults that nothing public settles.
const (
	DefaultPoll = 5 * time.Second // the AD FS adapter's
	DefaultLife = 3 * time.Minute // sessions are refused after "more than three minutes"
	DefaultLCID = "en-us"
)

// maxAnswer bounds an answer.
const maxAnswer = 256 << 10

// Options are how the service is called.
type Options struct {
	// Unsupported says that whoever configured this knows what the package
	// comment says.
	Unsupported bool

	Base       string // default [Base]; ends with a slash
	Audience   string // default [Audience]
	Credential azcore.TokenCredential
	Client     *http.Client

	CallerName string // default "radius"
	LCID       string // default [DefaultLCID]
	Poll, Life time.Duration

	// NumberMatching leaves a push with number matching to the service; without
	// it OverrideNumberMatchingWithOTP asks for a code instead where the login
	// cannot show a number.
	NumberMatching bool
}

// Service asks the connector. It implements session.Service.
type Service struct {
	o      Options
	client *http.Client
}

// New checks the options.
func New(o Options) (*Service, error) {
	if !o.Unsupported {
		return nil, errors.New("the connector is a private interface of Microsoft, and was not asked for as such")
	}
	if o.Base == "" {
		o.Base = Base
	}
	if o.Audience == "" {
		o.Audience = Audience
	}
	if o.CallerName == "" {
		o.CallerName = "radius"
	}
	if o.LCID == "" {
		o.LCID = DefaultLCID
	}
	if o.Poll == 0 {
		o.Poll = DefaultPoll
	}
	if o.Life == 0 {
		o.Life = DefaultLife
	}
	at, err := url.Parse(o.Base)
	if err != nil || at.Scheme != "https" || at.Host == "" {
		return nil, errors.New("the connector's address is not https://…")
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Service{o: o, client: &client}, nil
}

// Check asks for a token and calls nobody else: it tells whether the
// application may call, as far as the authority says.
func (s *Service) Check(ctx context.Context) error {
	_, err := s.token(ctx)
	return err
}

func (s *Service) token(ctx context.Context) (string, error) {
	token, err := s.o.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{s.o.Audience + "/.default"}})
	if err == nil {
		return token.Token, nil
	}
	// The library's error holds the authority's answer, many lines of it.
	if _, refused := errors.AsType[interface {
		error
		NonRetriable()
	}](err); refused && ctx.Err() == nil {
		return "", &cloud.Error{Kind: cloud.Denied, Message: "the tenant gives the application no access token for the connector"}
	}
	return "", &cloud.Error{Kind: cloud.Unavailable, Message: "no access token for the connector could be had"}
}

// End is where a session is gone on with: the address that the service gave
// for it, if it is one of the service's own.
func (s *Service) end(affinity string) string {
	own, _ := url.Parse(s.o.Base) // New has parsed it
	at, err := url.Parse(affinity)
	if affinity == "" || err != nil || at.Scheme != own.Scheme || at.Host != own.Host {
		return s.o.Base + endOperation
	}
	return at.String()
}
