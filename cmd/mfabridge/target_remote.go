package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// maxCA is the largest file of certificates that is read, in bytes.
const maxCA = 1 << 20

// openTarget is a target that a plan is made for or applied to: an engine in
// this process or elsewhere, or Entra ID. Engines are a [cloud.Locker] too.
type openTarget interface {
	cloud.Directory
	Close() error
}

var (
	_ openTarget = (*embedded)(nil)
	_ openTarget = (*remote.Client)(nil)
	_ openTarget = tenant{}
)

// accessFlags let a command into an engine elsewhere.
func accessFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "client-id", Usage: "`NAME` of the application as which an https: target is called"},
		&cli.StringFlag{Name: "client-secret", Usage: "its secret: `file:PATH` or env:NAME"},
		&cli.StringFlag{Name: "ca", Usage: "PEM `FILE` of the authority of an https: target's certificate (default: the system's)"},
	}
}

// connect opens a target, wherever it is.
func (p *program) connect(c *cli.Context, t place, o sqlite.Options) (openTarget, error) {
	switch {
	case t.tenant != "":
		return p.tenant(c, t)
	case t.url != "":
		return p.far(c, t)
	}
	return p.promising(c.Context, t, o, c.String("engine-config"))
}

// reachFlags let a command into every target that is not in this process.
func reachFlags() []cli.Flag { return append(accessFlags(), entraFlags()...) }

// far makes a client of an engine elsewhere, with what accessFlags say.
func (p *program) far(c *cli.Context, t place) (*remote.Client, error) {
	if c.String("client-id") == "" || c.String("client-secret") == "" {
		return nil, usage("an engine over HTTP asks who calls", "give --client-id NAME and --client-secret file:PATH; mfabridge engine app add makes them")
	}
	return p.dial(t.url, c.String("client-id"), c.String("client-secret"), c.String("ca"))
}

// dial makes a client of an engine elsewhere.
func (p *program) dial(url, id, ref, ca string) (*remote.Client, error) {
	word, err := secret.Load(ref)
	if err != nil {
		return nil, fmt.Errorf("the secret of application %s: %w", id, err)
	}
	pool, err := loadCA(ca)
	if err != nil {
		return nil, err
	}
	return remote.New(remote.Options{URL: url, ClientID: id, Secret: word, CA: pool, Now: p.now})
}

// loadCA reads certificates to trust; without a path the system's are.
func loadCA(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	const advice = "name a PEM file that holds the certificate of the authority"
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxCA {
		return nil, hint.New(path+" is too large for a file of certificates", advice)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the authority's certificate cannot be read: %w", err), advice)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, hint.New(path+" holds no certificate", advice)
	}
	return pool, nil
}
