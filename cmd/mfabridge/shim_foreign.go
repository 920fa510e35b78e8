package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mfabridge/cloud"
	"mfabridge/cloud/connector"
	"mfabridge/cloud/nativeauth"
	"mfabridge/cloud/session"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
	"mfabridge/shim/nps"
	"mfabridge/shim/upstream"
)

// foreignEngine is somebody else's service that is asked for second factors.
// It keeps no passwords for us, and tells no codes apart.
type foreignEngine struct {
	*session.Verifier
	end func()
}

var _ shimEngine = (*foreignEngine)(nil)

// CheckPassword implements cloud.Passwords. No configuration comes here.
func (*foreignEngine) CheckPassword(context.Context, cloud.Key, secret.Bytes, cloud.Client) (cloud.Proof, error) {
	return cloud.Proof{}, &cloud.Error{Kind: cloud.Unsupported, Message: "this engine keeps no passwords"}
}

// Close implements shimEngine.
func (e *foreignEngine) Close() error {
	err := e.Verifier.Close()
	e.end()
	return err
}

// npsEngine asks NPS servers.
func (p *program) npsEngine(conf *config.NPS) (*foreignEngine, error) {
	client, err := p.npsClient(conf)
	if err != nil {
		return nil, err
	}
	service := nps.New(nps.Options{Client: client, Password: conf.Word, NASIdentifier: conf.NASIdentifier, Settle: conf.Wait, Now: p.now})
	v := session.New(session.Options{Service: service, Who: session.ByName, Loud: true, Now: p.now, Log: p.logger().With("engine", "radius")})
	return &foreignEngine{v, client.Close}, nil
}

// npsClient gives a server the whole life of a login to answer: the next one
// would ask the same person again.
func (p *program) npsClient(conf *config.NPS) (*upstream.Client, error) {
	o := upstream.Options{Log: p.logger().With("engine", "radius"), Now: p.now, Patience: nps.Life, First: npsCopy, Vigil: npsVigil}
	for _, s := range conf.Servers {
		o.Homes = append(o.Homes, homeAt(s.Address, s))
	}
	return upstream.New(o)
}

// npsCopy is when a request is sent again for the first time; the server drops
// copies of what it is working on.
const npsCopy = 5 * time.Second

// npsVigil is how long a login waits before its server is asked whether it lives,
// where it answers Status-Server.
const npsVigil = 5 * time.Second

// connectorEngine asks the private service.
func (p *program) connectorEngine(conf *config.Entra) (*foreignEngine, error) {
	service, end, err := p.connector(conf)
	if err != nil {
		return nil, err
	}
	log := p.logger().With("engine", "entra")
	log.Warn("second factors are asked for by a private interface of Microsoft, which may change or close any day", "tenant", conf.Tenant)
	return &foreignEngine{session.New(session.Options{Service: service, Who: session.ByName, Now: p.now, Log: log}), end}, nil
}

func (p *program) connector(conf *config.Entra) (*connector.Service, func(), error) {
	client, end := foreignClient(conf.Authorities)
	credential, err := connectorCredential(conf, client)
	if err != nil {
		return nil, nil, err
	}
	base, audience, _ := connector.Places(conf.Cloud) // the configuration was checked
	if conf.URL != "" {
		base = conf.URL
	}
	service, err := connector.New(connector.Options{Unsupported: conf.PrivateInterface != "", Base: base, Audience: audience, Credential: credential, Client: client, Poll: conf.Pause})
	return service, end, err
}

// foreignPatience bounds one question to a service.
const foreignPatience = 15 * time.Second

func connectorCredential(conf *config.Entra, client *http.Client) (azcore.TokenCredential, error) {
	hosts := map[string]string{"global": "https://login.microsoftonline.com", "usgov": "https://login.microsoftonline.us", "china": "https://login.chinacloudapi.cn"}
	authority, own := hosts[conf.Cloud], conf.Authority != ""
	if own {
		authority = conf.Authority
	}
	options := azcore.ClientOptions{Transport: client, Cloud: azcloud.Configuration{ActiveDirectoryAuthorityHost: authority}}
	if conf.ClientSecret != "" {
		return azidentity.NewClientSecretCredential(conf.Tenant, conf.ClientID, string(conf.Word.Reveal()),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: own})
	}
	certificates, key, err := azidentity.ParseCertificates(conf.Word.Reveal(), nil)
	if err != nil {
		return nil, hint.New("engine.entra: the certificate cannot be used", "the file holds the certificate and its private key, as PEM or as PKCS#12 without a password")
	}
	return azidentity.NewClientCertificateCredential(conf.Tenant, conf.ClientID, certificates, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: own})
}

// externalID is External ID, which checks passwords too.
type externalID struct {
	*nativeauth.Verifier
	end func()
}

var _ shimEngine = (*externalID)(nil)

// Close implements shimEngine.
func (e *externalID) Close() error {
	err := e.Verifier.Close()
	e.end()
	return err
}

func (p *program) externalEngine(conf *config.External) (*externalID, error) {
	client, end := foreignClient(conf.Authorities)
	v, err := nativeauth.New(nativeauth.Options{Base: conf.URL, ClientID: conf.ClientID, Client: client, Now: p.now, Log: p.logger().With("engine", "native")})
	if err != nil {
		return nil, fmt.Errorf("engine.native: %w", err)
	}
	return &externalID{v, end}, nil
}

// foreignClient calls services of others.
func foreignClient(roots *x509.CertPool) (*http.Client, func()) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &http.Client{Transport: transport, Timeout: foreignPatience}, transport.CloseIdleConnections
}

// checkExternal asks for nobody: what is refused tells whether the application
// is known.
func (p *program) checkExternal(ctx context.Context, conf *config.External) (string, error) {
	e, err := p.externalEngine(conf)
	if err != nil {
		return "", err
	}
	nobody := cloud.Key{Kind: cloud.ByUPN, Value: "nobody@mfabridge.invalid"}
	_, err = e.CheckPassword(ctx, nobody, secret.FromString("nobody"), cloud.Client{App: "shim check"})
	if err = errors.Join(err, e.Close()); err != nil {
		return "", hint.Wrap(fmt.Errorf("engine.native: %w", err), "check url, ca and client_id, and that the application allows native authentication")
	}
	return "External ID takes the application's requests", nil
}

// checkForeign tries what can be tried without asking a person.
func (p *program) checkForeign(ctx context.Context, conf *config.Engine) (string, error) {
	if conf.Native != nil {
		return p.checkExternal(ctx, conf.Native)
	}
	if conf.Entra != nil {
		service, end, err := p.connector(conf.Entra)
		if err != nil {
			return "", err
		}
		defer end()
		if err := service.Check(ctx); err != nil {
			return "", hint.Wrap(fmt.Errorf("engine.entra: %w", err), "check tenant, client_id and its secret or certificate")
		}
		return "the tenant gives a token for the connector; whether it answers is known only when somebody is asked", nil
	}
	client, err := p.npsClient(conf.RADIUS)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	answered, asked := 0, client.Check(ctx)
	for _, err := range asked {
		if err == nil {
			answered++
		}
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "", ctx.Err()
	}
	switch {
	case len(asked) == 0:
		return "the servers of engine.radius are not asked (status_check: none): a login shows whether they answer, mfabridge shim test", nil
	case answered == 0:
		return "", hint.New("no server of engine.radius answers", "check address, port and shared secret; for one that answers no Status-Server, as NPS, write status_check: none")
	}
	return fmt.Sprintf("%d of %d servers of engine.radius answer", answered, len(conf.RADIUS.Servers)), nil
}
