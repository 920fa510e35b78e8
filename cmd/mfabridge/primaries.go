package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/shim"
	"mfabridge/shim/accounting"
	"mfabridge/shim/config"
	"mfabridge/shim/primary"
	"mfabridge/shim/upstream"
)

// primaries are the first-factor checks that a shim's configuration names.
type primaries struct {
	byName      map[string]shim.Primary
	homes       map[string]*upstream.Client
	directories map[string]*ldapconn.Client
	accounts    map[string]*upstream.Client // relays of accounting
	settings    map[string]*config.Primary
}

func newPrimaries() *primaries {
	return &primaries{byName: make(map[string]shim.Primary), homes: make(map[string]*upstream.Client), directories: make(map[string]*ldapconn.Client), accounts: make(map[string]*upstream.Client), settings: make(map[string]*config.Primary)}
}

func (p *program) primaries(conf *config.Config) (*primaries, error) {
	made := newPrimaries()
	for name, c := range conf.Primaries {
		var err error
		switch c.Type {
		case config.TypeRADIUS:
			err = made.ask(name, c, p)
		case config.TypeLDAP:
			err = made.bind(name, c, conf.Usernames, p)
		default:
			err = fmt.Errorf("type %q cannot be used", c.Type)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("primaries.%s: %w", name, err), made.close())
		}
	}
	return made, nil
}

// ask makes a primary of RADIUS servers.
func (m *primaries) ask(name string, c *config.Primary, p *program) error {
	o := upstream.Options{Log: p.logger().With("primary", name), Now: p.now}
	for _, s := range c.Servers {
		o.Homes = append(o.Homes, upstream.Home{Address: s.Address, Secret: s.SharedSecret,
			Observe: s.MessageAuthenticator == config.Observe, NoStatus: s.StatusCheck == config.NoStatusCheck, TLS: s.TLS.Client()})
	}
	client, err := upstream.New(o)
	if err != nil {
		return err
	}
	m.settings[name] = c
	m.homes[name], m.byName[name] = client, primary.RADIUS{Client: client, NamesTunnelUser: c.NamesTunnelUser}
	var takers []upstream.Home
	for _, s := range c.Servers {
		if s.Accounting != "" {
			takers = append(takers, upstream.Home{Address: s.Accounting, Secret: s.SharedSecret,
				NoStatus: s.StatusCheck == config.NoStatusCheck, TLS: s.TLS.Client()})
		}
	}
	if len(takers) > 0 {
		o.Homes = takers
		m.accounts[name], err = upstream.New(o)
	}
	return err
}

// bind makes a primary of an LDAP directory.
func (m *primaries) bind(name string, c *config.Primary, names config.Usernames, p *program) error {
	client, err := ldapconn.New(c.LDAP())
	if err != nil {
		return err
	}
	m.directories[name], m.settings[name] = client, c
	var groups func(context.Context, string) ([]string, error)
	if c.WantGroups {
		in := ldapconn.Groups{Base: cmp.Or(c.GroupBase, c.BaseDN), Class: c.GroupClass, Member: c.MemberAttribute}
		groups = func(ctx context.Context, dn string) ([]string, error) { return in.Of(ctx, client, dn) }
	}
	m.byName[name], err = primary.NewLDAP(primary.LDAPOptions{GroupsOf: groups, Directory: client, Base: c.BaseDN, Filter: c.Filter,
		Account: c.AccountAttribute, UPN: c.UPNAttribute, SID: c.SIDAttribute, Domains: names.Parsed,
		MaxFailures: c.Failures, Window: c.Window, Now: p.now})
	return err
}

// relays are those who take accounting.
func (m *primaries) relays() map[string]accounting.Relay {
	out := make(map[string]accounting.Relay, len(m.accounts))
	for name, client := range m.accounts {
		out[name] = client
	}
	return out
}

func (m *primaries) close() error {
	for _, client := range m.homes {
		client.Close()
	}
	for _, client := range m.accounts {
		client.Close()
	}
	var errs []error
	for _, client := range m.directories {
		errs = append(errs, client.Close())
	}
	return errors.Join(errs...)
}

// check asks every primary and says what came of it; one that cannot be used
// is an error.
func (m *primaries) check(ctx context.Context, w io.Writer) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(m.homes)) {
		problems = append(problems, m.checkHomes(ctx, w, name))
	}
	for _, name := range slices.Sorted(maps.Keys(m.directories)) {
		problems = append(problems, m.checkDirectory(ctx, w, name))
	}
	return errors.Join(problems...)
}

// checkHomes asks each server of a primary of type radius by Status-Server, where
// it answers that.
func (m *primaries) checkHomes(ctx context.Context, w io.Writer, name string) error {
	answers := m.homes[name].Check(ctx)
	there := 0
	for _, s := range m.settings[name].Servers {
		err, asked := answers[s.Address]
		state := "answers Status-Server"
		switch {
		case !asked:
			state = "is not asked (status_check: none): a login shows whether it answers, mfabridge shim test"
		case err != nil:
			state = fmt.Sprintf("does not answer Status-Server (%v)", err)
		}
		if err == nil {
			there++
		}
		fmt.Fprintf(w, "primary %s: %s %s\n", name, s.Address, state)
	}
	if there > 0 {
		return nil
	}
	return hint.New(fmt.Sprintf("no server of primary %s answers", name),
		"check address, port and shared secret, over TLS ca, cert, key and name, that this host is a client there, and that Status-Server is answered (status_server in FreeRADIUS); for one that answers none, as NPS, write status_check: none")
}

// checkDirectory asks each server of a directory for itself, so that the one
// which others stand in for is missed before it is needed, and then for people.
func (m *primaries) checkDirectory(ctx context.Context, w io.Writer, name string) error {
	c := m.settings[name]
	var failed []error
	for _, url := range c.URLs {
		if err := lookAt(ctx, c, url); err != nil {
			failed = append(failed, err)
			fmt.Fprintf(w, "primary %s: %s cannot be asked (%v)\n", name, url, err)
			continue
		}
		fmt.Fprintf(w, "primary %s: %s answers, and its base is there\n", name, url)
	}
	if len(failed) == len(c.URLs) {
		return hint.Wrap(fmt.Errorf("no server of primary %s can be asked: %w", name, failed[0]), cmp.Or(hint.Of(failed[0]), directoryAdvice(failed[0])))
	}
	people, ok := m.byName[name].(*primary.LDAP)
	if !ok {
		return nil
	}
	some, err := people.Peopled(ctx)
	switch {
	case err != nil:
		return hint.Wrap(fmt.Errorf("primary %s: nobody can be looked up: %w", name, err), cmp.Or(hint.Of(err), directoryAdvice(err)))
	case !some:
		return hint.New(fmt.Sprintf("primary %s: nobody below %s can be seen whom the filter meets", name, c.BaseDN),
			"check base_dn, and what bind_dn may read; where the directory is not Active Directory, say filter, account_attribute, upn_attribute and sid_attribute (docs/shim.md has an example)")
	}
	return nil
}

// lookAt reads the base of a directory at one of its servers.
func lookAt(ctx context.Context, c *config.Primary, url string) (err error) {
	settings := c.LDAP()
	settings.Servers = []string{url}
	client, err := ldapconn.New(settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	_, err = client.Search(ctx, ldapconn.Query{Base: c.BaseDN, BaseOnly: true, Filter: "(objectClass=*)", Attributes: []string{"1.1"}})
	return err
}

// directoryAdvice is what to look at where a directory cannot be asked.
func directoryAdvice(err error) string {
	switch ldapconn.KindOf(err) {
	case ldapconn.Unavailable:
		return "check urls, and that this host may reach these ports"
	case ldapconn.Untrusted:
		return "check ca, and that the server's certificate has the name that urls has"
	case ldapconn.Denied:
		return "check bind_dn and bind_password, and what bind_dn may read; Active Directory lets nobody search without them"
	case ldapconn.Missing, ldapconn.Elsewhere:
		return "check base_dn: letter by letter, dc=corp,dc=example for corp.example"
	}
	return "check urls, ca, bind_dn, bind_password and base_dn"
}
