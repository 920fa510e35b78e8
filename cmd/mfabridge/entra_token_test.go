package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Why there is no token is one sentence that quotes nothing but words of a
// known form, and tells an authority that is away from one that says no.
func TestWhyThereIsNoToken(t *testing.T) {
	const noise = `{"error":"%s","error_description":"AADSTS%s: \u001b[2Jred. Trace ID: x","correlation_id":"c"}`
	for name, c := range map[string]struct {
		status     int
		body       string
		kind       cloud.Kind
		says, hint string
	}{
		"wrong secret":     {401, fmt.Sprintf(noise, "invalid_client", "7000215"), cloud.Internal, "the authority answers 401 invalid_client, AADSTS7000215", "its value"},
		"unknown tenant":   {400, fmt.Sprintf(noise, "invalid_request", "90002"), cloud.Internal, "the authority answers 400 invalid_request, AADSTS90002", "tenant's name"},
		"clock is off":     {401, fmt.Sprintf(noise, "invalid_client", "700024"), cloud.Internal, "the authority answers 401 invalid_client, AADSTS700024", "clock"},
		"kept out":         {400, fmt.Sprintf(noise, "access_denied", "53003"), cloud.Internal, "the authority answers 400 access_denied, AADSTS53003", "Conditional Access"},
		"disabled":         {401, fmt.Sprintf(noise, "unauthorized_client", "7000112"), cloud.Internal, "the authority answers 401 unauthorized_client, AADSTS7000112", "enable it"},
		"another number":   {400, fmt.Sprintf(noise, "invalid_grant", "50059"), cloud.Internal, "the authority answers 400 invalid_grant, AADSTS50059", "check tenant"},
		"a page":           {403, "<html>\x1b[31mproxy says no</html>", cloud.Internal, "the authority answers 403", "check tenant"},
		"long words":       {400, fmt.Sprintf(noise, strings.Repeat("a", 4000), strings.Repeat("9", 4000)), cloud.Internal, "the authority answers 400", "check tenant"},
		"down":             {503, "no", cloud.Unavailable, "the authority answers 503 to the request for an access token", ""},
		"throttled":        {429, "no", cloud.Throttled, "the authority answers 429 to the request for an access token", ""},
		"gone":             {0, "", cloud.Unavailable, "the authority that gives access tokens cannot be reached: ", ""},
		"of another house": {-1, "", cloud.Internal, "the authority that gives access tokens cannot be trusted: ", "--ca"},
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if at := "https://" + r.Host; strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
				fmt.Fprintf(w, `{"token_endpoint":"%s/t/oauth2/v2.0/token","authorization_endpoint":"%s/t/oauth2/v2.0/authorize","issuer":"%s/t/v2.0"}`, at, at, at)
				return
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		client := server.Client()
		switch c.status {
		case 0:
			server.Close()
		case -1:
			client = &http.Client{Transport: &http.Transport{}}
		}
		inner, err := azidentity.NewClientSecretCredential("t", "app", "a synthetic secret", &azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true,
			ClientOptions: azcore.ClientOptions{Transport: client, Retry: policy.RetryOptions{MaxRetries: -1}, Cloud: azcloud.Configuration{ActiveDirectoryAuthorityHost: server.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = plainCredential{inner}.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
		server.Close()
		if err == nil {
			t.Errorf("%s: a token", name)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, c.says) || strings.ContainsAny(text, "\n\x1b") || len(text) > 300 || c.status > 0 && text != c.says {
			t.Errorf("%s: %q", name, text)
		}
		if kind := cloud.KindOf(err); kind != c.kind || !strings.Contains(hint.Of(err), c.hint) || (hint.Of(err) == "") != (c.hint == "") {
			t.Errorf("%s: %v, hint %q", name, kind, hint.Of(err))
		}
	}
}

// A token endpoint that sends callers elsewhere is not followed with what proves
// the application, and one that is silent is given up.
func TestAuthorityThatSendsElsewhere(t *testing.T) {
	elsewhere := 0
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := "https://" + r.Host; strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
			fmt.Fprintf(w, `{"token_endpoint":"%s/t/oauth2/v2.0/token","authorization_endpoint":"%s/t/oauth2/v2.0/authorize","issuer":"%s/t/v2.0"}`, at, at, at)
			return
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	client := authorityClient(server.Client().Transport)
	if client.Timeout <= 0 || client.Timeout > 5*time.Minute {
		t.Errorf("an authority that is silent is waited for %v", client.Timeout)
	}
	inner, err := azidentity.NewClientSecretCredential("t", "app", "a synthetic secret", &azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true,
		ClientOptions: azcore.ClientOptions{Transport: client, Retry: policy.RetryOptions{MaxRetries: -1}, Cloud: azcloud.Configuration{ActiveDirectoryAuthorityHost: server.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = plainCredential{inner}.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	if err == nil || elsewhere > 0 || !strings.HasPrefix(err.Error(), "the authority answers 307") {
		t.Errorf("%v, asked elsewhere %d times", err, elsewhere)
	}
}
