package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/migrate/ldapdir"
)

// matchFlags say who users are, besides their own keys; they shape a plan.
func matchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "match-file", Usage: "take users of the target from `FILE` (CSV: Username, UserPrincipalName or TargetId), before all other keys"},
		&cli.BoolFlag{Name: "allow-weak-match", Usage: "move users whom only an address, or an account name of an unknown domain, leads to"},
		&cli.StringFlag{Name: "phones", Value: string(migrate.PhonesExport), Usage: "number of users with KeepPhoneSynchronized: that of the export, of the directory, or the newest"},
		&cli.StringSliceFlag{Name: "ldap", Usage: "match by the directory at `URL` too (ldaps://HOST, or ldap://HOST with StartTLS); several are tried in order"},
		&cli.StringFlag{Name: "ldap-base", Usage: "`DN` below which people are"},
		&cli.StringFlag{Name: "ldap-filter", Value: ldapdir.DefaultFilter, Usage: "`FILTER` of people"},
		&cli.StringSliceFlag{Name: "directory-domain", Usage: "domain that is ours: `NAME=DOMAIN`, e.g. CORP=corp.example; NAME alone: all below --ldap-base"},
		&cli.StringSliceFlag{Name: "directory-attribute", Usage: "read `WORD=ATTRIBUTE`: account, upn, sid, mail, cloud or changed; empty: none"},
		&cli.StringSliceFlag{Name: "directory-phone", Usage: "`ATTRIBUTE` of telephone numbers, the one that counts most first (default: mobile, telephoneNumber)"},
	}
}

// ldapFlags say how the directory is asked; no decision depends on them.
func ldapFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ldap-bind", Usage: "`DN` or user principal name of the account that reads the directory"},
		&cli.StringFlag{Name: "ldap-password", Usage: "its password: `file:PATH` or env:NAME"},
		&cli.StringFlag{Name: "ldap-ca", Usage: "PEM `FILE` of the authority of the servers' certificates (default: the system's)"},
		&cli.BoolFlag{Name: "ldap-plain", Usage: "ask ldap:// on a loopback address without TLS"},
		&cli.DurationFlag{Name: "ldap-timeout", Value: 10 * time.Second, Usage: "longest wait for a connection and for an answer"},
	}
}

// matching fills in what matchFlags and ldapFlags say. close ends what it
// opened, and may be called always.
func matching(c *cli.Context, opt *migrate.Options) (close func() error, err error) {
	close = func() error { return nil }
	opt.AllowWeakMatch = c.Bool("allow-weak-match")
	opt.Phones = migrate.PhonePolicy(c.String("phones"))
	if err := opt.Validate(); err != nil {
		return close, &exit{code: exitUsage, err: err}
	}
	if opt.Phones != migrate.PhonesExport && len(c.StringSlice("ldap")) == 0 {
		return close, usage("--phones "+string(opt.Phones)+" needs a directory", "name it with --ldap, or leave --phones out")
	}
	if path := c.String("match-file"); path != "" {
		if opt.MatchFile, err = readMatchFile(path); err != nil {
			return close, err
		}
	}
	if len(c.StringSlice("ldap")) == 0 {
		for _, flag := range append(matchFlags(), ldapFlags()...) {
			if name := flag.Names()[0]; c.IsSet(name) && (strings.HasPrefix(name, "ldap-") || strings.HasPrefix(name, "directory-")) {
				return close, usage("--"+name+" needs a directory", "name it with --ldap, e.g. --ldap ldaps://dc1.corp.example")
			}
		}
		return close, nil
	}
	cfg, err := directoryConfig(c)
	if err != nil {
		return close, err
	}
	client, err := ldapClient(c)
	if err != nil {
		return close, err
	}
	people, err := ldapdir.New(client, cfg)
	if err != nil {
		return close, &exit{code: exitUsage, err: err}
	}
	opt.People = people
	return client.Close, nil
}

func readMatchFile(path string) (m *migrate.MatchFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the match file cannot be read: %w", err), "--match-file names a CSV file with Username, and UserPrincipalName or TargetId")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return migrate.ReadMatchFile(f, filepath.Base(path))
}

func ldapClient(c *cli.Context) (*ldapconn.Client, error) {
	cfg := ldapconn.Config{Servers: c.StringSlice("ldap"), Plain: c.Bool("ldap-plain"), BindDN: c.String("ldap-bind"), Timeout: c.Duration("ldap-timeout")}
	if cfg.Timeout <= 0 {
		return nil, usage("--ldap-timeout must be longer than nothing", "e.g. 10s")
	}
	var err error
	if cfg.CA, err = loadCA(c.String("ldap-ca")); err != nil {
		return nil, fmt.Errorf("--ldap-ca: %w", err)
	}
	if ref := c.String("ldap-password"); ref != "" {
		if cfg.Password, err = secret.Load(ref); err != nil {
			return nil, fmt.Errorf("--ldap-password: %w", err)
		}
	}
	client, err := ldapconn.New(cfg)
	if err != nil {
		return nil, &exit{code: exitUsage, err: err}
	}
	return client, nil
}

func directoryConfig(c *cli.Context) (ldapdir.Config, error) {
	cfg := ldapdir.Config{Base: c.String("ldap-base"), Filter: c.String("ldap-filter"), Attributes: ldapdir.ActiveDirectory(),
		Domains: map[string]ldapconn.Domain{}, Phones: c.StringSlice("directory-phone")}
	if len(cfg.Phones) == 0 {
		cfg.Phones = ldapdir.DefaultPhones()
	}
	for _, pair := range c.StringSlice("directory-domain") {
		name, domain, ok := strings.Cut(pair, "=")
		if !ok {
			domain = cfg.Base
		}
		parsed, err := ldapconn.ParseDomain(domain)
		if name == "" || err != nil {
			return cfg, usage(fmt.Sprintf("--directory-domain %q is not NAME=DOMAIN", pair), "e.g. CORP=corp.example")
		}
		cfg.Domains[name] = parsed
	}
	for _, pair := range c.StringSlice("directory-attribute") {
		word, attribute, ok := strings.Cut(pair, "=")
		if !ok {
			return cfg, usage(fmt.Sprintf("--directory-attribute %q is not WORD=ATTRIBUTE", pair), "e.g. account=uid")
		}
		if err := cfg.Attributes.Set(word, attribute); err != nil {
			return cfg, &exit{code: exitUsage, err: fmt.Errorf("--directory-attribute: %w", err)}
		}
	}
	return cfg, nil
}
