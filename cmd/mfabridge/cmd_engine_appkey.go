package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) appKeyCommand() *cli.Command {
	return &cli.Command{
		Name: "key", Usage: "register a public key with which an application signs instead of showing its secret", ArgsUsage: "NAME",
		Description: "The application then asks for tokens with a signed assertion (RFC 7523, RS256 or PS256) whose kid is the one printed.",
		Flags: slices.Concat(adminFlags(), []cli.Flag{
			&cli.StringFlag{Name: "public-key", Usage: "PEM `FILE` with an RSA public key or a certificate (required)"},
			&cli.StringFlag{Name: "kid", Usage: "`ID` of the key (default: made from the key)"},
			reasonFlag(),
		}), Action: p.addAppKey,
	}
}

func (p *program) addAppKey(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	if c.String("public-key") == "" {
		return usage("--public-key is missing", "name a PEM file with an RSA public key or a certificate")
	}
	key, until, err := readPublicKey(c.String("public-key"))
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		kid, err := e.AddAppKey(c.Context, by, name, key, c.String("kid"), until)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "registered a key of %s, its kid is %s\n", migrate.Plain(name), kid)
		return nil
	})
}

// readPublicKey reads an RSA key, and the end of the certificate that it is in.
func readPublicKey(path string) (*rsa.PublicKey, time.Time, error) {
	refuse := func() (*rsa.PublicKey, time.Time, error) {
		return nil, time.Time{}, hint.New(path+" holds no RSA public key", "name a PEM file that begins with PUBLIC KEY or CERTIFICATE; the private key stays with the application")
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxCA {
		return refuse()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, hint.Wrap(fmt.Errorf("the public key cannot be read: %w", err), "name a PEM file that is there")
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return refuse()
	}
	var public any
	var until time.Time
	switch block.Type {
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return refuse()
		}
		public, until = cert.PublicKey, cert.NotAfter
	case "PUBLIC KEY":
		if public, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return refuse()
		}
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return refuse()
	}
	return key, until, nil
}
