package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/urfave/cli/v2"

	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// entraFlags are what an entra: target needs besides accessFlags.
func entraFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "client-certificate", Usage: "certificate and key of the application at an entra: target, instead of a secret: `file:PATH` or env:NAME (PEM, or PKCS#12 without a password)"},
		&cli.StringFlag{Name: "cloud", Value: "global", Usage: "`NAME` of the cloud of an entra: target: global, usgov, usdod or china"},
		&cli.BoolFlag{Name: "no-oath-tokens", Usage: "the cloud of an entra: target has no interface for hardware tokens, on which Microsoft's pages contradict each other for usgov and usdod: none is read or written"},
		&cli.StringFlag{Name: "graph-url", Usage: "`URL` that answers in Graph's place for an entra: target, to rehearse"},
		&cli.StringFlag{Name: "authority-url", Usage: "`URL` that gives tokens in the place of the cloud's own authority, to rehearse (https)"},
	}
}

// activationFlag states what the reference contradicts itself about. A plan
// keeps it for apply.
func activationFlag() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "oath-activation",
		Usage: "an application may activate hardware tokens of users of the entra: target (try one token of your own first)"}}
}

// tenant is Entra ID as a target. Nothing has to be closed.
type tenant struct{ *graph.Directory }

func (tenant) Close() error { return nil }

// environment is the cloud that a command line means.
func environment(c *cli.Context) (graph.Environment, error) {
	name := c.String("cloud")
	for _, e := range graph.Environments() {
		if e.Name != name {
			continue
		}
		if given := c.String("graph-url"); given != "" {
			e.Root = strings.TrimSuffix(given, "/")
		}
		if given := c.String("authority-url"); given != "" {
			e.Login = strings.TrimSuffix(given, "/")
			if u, err := url.Parse(e.Login); err != nil || u.Scheme != "https" || u.Host == "" || e.Login != "https://"+u.Host {
				return e, usage(fmt.Sprintf("--authority-url cannot be %q", given), "use https://HOST or https://HOST:PORT alone: the tenant is added")
			}
		}
		return e, nil
	}
	return graph.Environment{}, usage(fmt.Sprintf("--cloud cannot be %q", name), "use global, usgov, usdod or china")
}

// tenant opens Entra ID as the application that the flags name.
func (p *program) tenant(c *cli.Context, t place) (openTarget, error) {
	where, err := environment(c)
	if err != nil {
		return nil, err
	}
	pool, err := loadCA(c.String("ca"))
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	credential, err := entraCredential(c, t.tenant, where, transport)
	if err != nil {
		return nil, err
	}
	writes, err := writesOf(c)
	if err != nil {
		return nil, err
	}
	d, err := graph.Open(c.Context, graph.Options{Writes: writes,
		Tenant: t.tenant, Cloud: where, Credential: plainCredential{credential}, Activates: t.activates, Tokenless: t.tokenless || c.Bool("no-oath-tokens"),
		Transport: transport, Log: p.logger(), Now: p.now, Sleep: p.sleep})
	if err != nil {
		return nil, err
	}
	return tenant{d}, nil
}

// maxWrites is what is published for an application in a tenant, a second.
const maxWrites = 20

// writesOf is how many changes a second the driver may make; 0: its default,
// the half of what is published. An operator who names a rate may have all.
func writesOf(c *cli.Context) (float64, error) {
	given := c.String("rate")
	if given == "" {
		return 0, nil
	}
	rate, err := parseRate(given)
	return min(rate, maxWrites), err
}

// keepsRate tells whether the target itself keeps to the rate that was asked
// for, and counts every request: then the run does not count changes besides.
func keepsRate(target openTarget) bool {
	_, ok := target.(tenant)
	return ok
}

// tokenWait is how long an authority may take for one answer.
const tokenWait = time.Minute

// tokenPause is before the second of four tries for a token; the library doubles
// it. They are over within seconds, so that the driver can tell and go on.
const tokenPause = 200 * time.Millisecond

// authorityClient asks for access tokens. An authority that never answers, or
// that sends what proves the application elsewhere, is none.
func authorityClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, Timeout: tokenWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// entraCredential is what the application proves itself by.
func entraCredential(c *cli.Context, id string, where graph.Environment, transport http.RoundTripper) (azcore.TokenCredential, error) {
	app, word, certificate := c.String("client-id"), c.String("client-secret"), c.String("client-certificate")
	if word != "" && certificate != "" {
		return nil, usage("the application cannot prove itself by a secret and by a certificate", "leave out one of --client-secret and --client-certificate; each may stand in a variable, MFABRIDGE_CLIENT_SECRET or MFABRIDGE_CLIENT_CERTIFICATE")
	}
	if app == "" || word+certificate == "" {
		return nil, usage("Entra ID asks which application calls", "give --client-id ID, and --client-certificate file:PATH or --client-secret file:PATH; see docs/entra.md")
	}
	options := azcore.ClientOptions{Transport: authorityClient(transport), Retry: azpolicy.RetryOptions{RetryDelay: tokenPause},
		Cloud: azcloud.Configuration{ActiveDirectoryAuthorityHost: where.Login}}
	own := c.String("authority-url") != ""
	if word != "" {
		key, err := secret.Load(word)
		if err != nil {
			return nil, fmt.Errorf("the secret of application %s: %w", app, err)
		}
		return azidentity.NewClientSecretCredential(id, app, string(key.Reveal()),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: own})
	}
	data, err := secret.Load(certificate)
	if err != nil {
		return nil, fmt.Errorf("the certificate of application %s: %w", app, err)
	}
	certificates, key, err := azidentity.ParseCertificates(data.Reveal(), nil)
	if err != nil {
		return nil, hint.New("the certificate of application "+app+" cannot be used", "the file holds the certificate and its private key, as PEM, or as PKCS#12 of the old kind without a password; openssl pkcs12 -in FILE -nodes makes PEM of any other")
	}
	return azidentity.NewClientCertificateCredential(id, app, certificates, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: own})
}
