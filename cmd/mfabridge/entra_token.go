package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// plainCredential tells in one sentence why there is no access token. The
// library's errors hold the authority's whole answer; and they do not say
// whether the application was refused, or the authority was away just now.
type plainCredential struct{ azcore.TokenCredential }

// GetToken implements [azcore.TokenCredential].
func (c plainCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.TokenCredential.GetToken(ctx, o)
	if err == nil || ctx.Err() != nil {
		return token, err
	}
	return token, tokenFault(err)
}

// refusedToken is an answer that another try will not better. Its method is how
// azcore marks those.
type refusedToken struct{ error }

func (refusedToken) NonRetriable()   {}
func (e refusedToken) Unwrap() error { return e.error }

// Words of an answer of the authority that can be told: its error, and the
// number that Microsoft's pages and support know it by.
var (
	authorityError  = regexp.MustCompile(`"error":\s*"([a-z_]{1,40})"`)
	authorityNumber = regexp.MustCompile(`\bAADSTS[0-9]{4,9}\b`)
)

// numberAdvice is what to do about the numbers that a first day meets.
func numberAdvice(number string) string {
	switch number {
	case "AADSTS90002", "AADSTS900023":
		return "check the tenant's name or id, and --cloud"
	case "AADSTS700016":
		return "check --client-id, and that the application is registered in this tenant"
	case "AADSTS7000215":
		return "check the secret: its value, not its id"
	case "AADSTS7000222":
		return "the secret has expired: make another one, or use a certificate"
	case "AADSTS700027":
		return "check that the certificate that was uploaded is the one given, and that it has not expired"
	case "AADSTS700024":
		return "set the clock of this machine, e.g. by NTP: what is signed with the certificate is good for minutes"
	case "AADSTS7000112":
		return "the application is disabled in this tenant: have an administrator enable it"
	case "AADSTS7000229":
		return "the application is registered, and not yet in this tenant: have an administrator consent to its permissions"
	case "AADSTS53003":
		return "Conditional Access keeps the application out: allow it from this network, or run where it is allowed"
	}
	return "check tenant, client id, and secret or certificate"
}

// tokenFault is the library's error in our words.
func tokenFault(err error) error {
	failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if ok && failed.RawResponse != nil {
		return authorityAnswer(failed.RawResponse.StatusCode, err.Error())
	}
	cause := errors.New(strings.Join(strings.Fields(strings.Split(err.Error(), "To troubleshoot")[0]), " "))
	if at, ok := errors.AsType[*url.Error](err); ok {
		cause = at.Err
	}
	if strings.Contains(cause.Error(), "certificate") {
		return refusedToken{hint.Wrap(fmt.Errorf("the authority that gives access tokens cannot be trusted: %w", cause),
			"a proxy that breaks TLS open needs --ca FILE with its authority")}
	}
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the authority that gives access tokens cannot be reached", Err: cause}
}

func authorityAnswer(status int, text string) error {
	said := fmt.Sprintf("the authority answers %d", status)
	if found := authorityError.FindStringSubmatch(text); found != nil {
		said += " " + found[1]
	}
	number := authorityNumber.FindString(text)
	if number != "" {
		said += ", " + number
	}
	switch {
	case status == http.StatusTooManyRequests:
		return &cloud.Error{Kind: cloud.Throttled, Message: said + " to the request for an access token"}
	case status >= http.StatusInternalServerError:
		return &cloud.Error{Kind: cloud.Unavailable, Message: said + " to the request for an access token"}
	}
	return refusedToken{hint.New(said, numberAdvice(number))}
}
