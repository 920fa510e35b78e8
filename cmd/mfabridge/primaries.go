package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/shim"
	"mfabridge/shim/accounting"
	"mfabridge/shim/primary"
	"mfabridge/shim/upstream"
)

// primaries are the first-factor checks that a shim's configuration names.
type primaries struct {
	byName      map[string]shim.Primary
	homes       map[string]*upstream.Client
	directories map[string]*ldapconn.Client
	accounts    map[string]*upstream.Client // relays of accounting
	settings    map[string]*firstfactor.Primary
}

func newPrimaries() *primaries {
	return &primaries{byName: make(map[string]shim.Primary), homes: make(map[string]*upstream.Client), directories: make(map[string]*ldapconn.Client), accounts: make(map[string]*upstream.Client), settings: make(map[string]*firstfactor.Primary)}
}

func (p *program) primaries(conf firstfactor.Config) (*primaries, error) {
	made := newPrimaries()
	for name, c := range conf.Primaries {
		var err error
		switch c.Type {
		case firstfactor.TypeRADIUS:
			err = made.ask(name, c, p)
		case firstfactor.TypeLDAP:
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

// homeAt is a server of a configuration at one of its addresses.
func homeAt(address string, s firstfactor.Server) upstream.Home {
	return upstream.Home{Address: address, Secret: s.SharedSecret, TLS: s.TLS.Client(),
		Observe: s.MessageAuthenticator == firstfactor.Observe, NoStatus: s.StatusCheck == firstfactor.NoStatusCheck}
}

// ask makes a primary of RADIUS servers.
func (m *primaries) ask(name string, c *firstfactor.Primary, p *program) error {
	o := upstream.Options{Log: p.logger().With("primary", name), Now: p.now}
	for _, s := range c.Servers {
		o.Homes = append(o.Homes, homeAt(s.Address, s))
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
			takers = append(takers, homeAt(s.Accounting, s))
		}
	}
	if len(takers) > 0 {
		o.Homes = takers
		m.accounts[name], err = upstream.New(o)
	}
	return err
}

// bind makes a primary of an LDAP directory.
func (m *primaries) bind(name string, c *firstfactor.Primary, names *firstfactor.Usernames, p *program) error {
	settings, log := c.LDAP(), p.logger().With("primary", name)
	settings.Accounts, settings.Now = &p.binds, p.now
	settings.Refused = func(err error, until time.Time) {
		log.Error("the directory refuses the account that searches; it is tried again after growing pauses, so that it is not locked, and until then nobody's password can be checked there",
			"account", c.BindDN, "err", err.Error(), "next", stamp(until), "hint", "put the right bind_password into its file, or mend the account, and reload (SIGHUP), which tries at once")
	}
	client, err := ldapconn.New(settings)
	if err != nil {
		return err
	}
	m.directories[name], m.settings[name] = client, c
	var groups func(context.Context, string) ([]string, error)
	if c.WantGroups {
		groups = func(ctx context.Context, dn string) ([]string, error) { return groupsOf(c).Of(ctx, client, dn) }
	}
	m.byName[name], err = primary.NewLDAP(primary.LDAPOptions{GroupsOf: groups, Directory: client, Base: c.BaseDN, Filter: c.Filter,
		Account: c.AccountAttribute, UPN: c.UPNAttribute, SID: c.SIDAttribute, Domains: names.Parsed,
		MaxFailures: c.Failures, Window: c.Window, Now: p.now})
	return err
}

// groupsOf says how groups stand in a directory.
func groupsOf(c *firstfactor.Primary) ldapconn.Groups {
	return ldapconn.Groups{Base: cmp.Or(c.GroupBase, c.BaseDN), Class: c.GroupClass, Member: c.MemberAttribute}
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
// is an error. Whose they are stands in front; empty: the shim's own.
func (m *primaries) check(ctx context.Context, w io.Writer, whose string) error {
	var problems []error
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(m.homes)), slices.Sorted(maps.Keys(m.directories))) {
		err := m.look(ctx, name, func(_ bool, line string) { fmt.Fprintln(w, whose+line) })
		if err != nil && whose != "" {
			err = fmt.Errorf("%s%w", whose, err)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// look asks one primary as its logins would, says what came of each server, and
// whether that is good. The error is why it cannot be used.
func (m *primaries) look(ctx context.Context, name string, say func(good bool, line string)) error {
	if m.homes[name] != nil {
		return m.askHomes(ctx, name, say)
	}
	return m.askDirectory(ctx, name, say)
}

// unusable says that no server of a primary can be used. Its causes have been
// told, each for itself.
type unusable struct {
	text   string
	causes error
}

func (u *unusable) Error() string { return u.text }
func (u *unusable) Unwrap() error { return u.causes }

// errNobody is that of a directory in which nobody is found.
var errNobody = errors.New("nobody can be found")

// saysNo tells whether a primary is there, or somebody in its place, and is
// not to be used as it is configured; else it may just be away.
func saysNo(err error) bool {
	switch ldapconn.KindOf(err) {
	case ldapconn.Untrusted, ldapconn.Denied, ldapconn.Missing, ldapconn.Elsewhere:
		return true
	}
	return upstream.Refused(err) || errors.Is(err, errNobody)
}

// askHomes asks each server of a primary of type radius by Status-Server, where
// it answers that.
func (m *primaries) askHomes(ctx context.Context, name string, say func(bool, string)) error {
	answers := m.homes[name].Check(ctx)
	there := 0
	var causes []error
	for _, s := range m.settings[name].Servers {
		err, asked := answers[s.Address]
		state := "answers Status-Server"
		switch {
		case !asked:
			state = "is not asked (status_check: none): a login shows whether it answers, mfabridge shim test"
		case err != nil:
			state = fmt.Sprintf("does not answer Status-Server (%v)", err)
			causes = append(causes, err)
		}
		if err == nil {
			there++
		}
		say(err == nil, fmt.Sprintf("primary %s: %s %s", name, s.Address, state))
	}
	m.askAccounts(ctx, name, say)
	if there > 0 {
		return nil
	}
	return hint.Wrap(&unusable{fmt.Sprintf("no server of primary %s answers", name), errors.Join(causes...)},
		"check address, port and shared secret, over TLS ca, cert, key and name, that this host is a client there, and that Status-Server is answered (status_server in FreeRADIUS); for one that answers none, as NPS, write status_check: none")
}

// askAccounts asks those who take accounting. That one does not answer is no error:
// not everybody answers Status-Server there.
func (m *primaries) askAccounts(ctx context.Context, name string, say func(bool, string)) {
	relay := m.accounts[name]
	if relay == nil {
		return
	}
	answers := relay.Check(ctx)
	for _, address := range slices.Sorted(maps.Keys(answers)) {
		state := "answers Status-Server"
		if err := answers[address]; err != nil {
			state = fmt.Sprintf("does not answer Status-Server (%v)", err)
		}
		say(answers[address] == nil, fmt.Sprintf("primary %s: %s (accounting) %s", name, address, state))
	}
}

// askDirectory asks each server of a directory for itself, so that the one
// which others stand in for is missed before it is needed, and then for people.
func (m *primaries) askDirectory(ctx context.Context, name string, say func(bool, string)) error {
	c := m.settings[name]
	failed := lookAtEach(ctx, c)
	for i, url := range c.URLs {
		line := "answers, and its base is there"
		if failed[i] != nil {
			line = fmt.Sprintf("cannot be asked (%v)", failed[i])
		}
		say(failed[i] == nil, fmt.Sprintf("primary %s: %s %s", name, url, line))
	}
	if !slices.Contains(failed, nil) {
		why := failed[max(0, slices.IndexFunc(failed, saysNo))] // what mending it needs says more than that others are away
		return hint.Default(fmt.Errorf("no server of primary %s can be asked: %w", name, why), directoryAdvice(why))
	}
	people, ok := m.byName[name].(*primary.LDAP)
	if !ok {
		return nil
	}
	some, err := people.Peopled(ctx)
	switch {
	case err != nil:
		return hint.Default(fmt.Errorf("primary %s: nobody can be looked up: %w", name, err), directoryAdvice(err))
	case !some:
		return hint.Wrap(&unusable{fmt.Sprintf("primary %s: nobody below %s can be seen whom the filter meets", name, c.BaseDN), errNobody},
			"check base_dn, and what bind_dn may read; where the directory is not Active Directory, say filter, account_attribute, upn_attribute and sid_attribute (docs/shim.md has an example)")
	case c.WantGroups:
		if _, err := groupsOf(c).Of(ctx, m.directories[name], c.BaseDN); err != nil {
			return hint.Wrap(fmt.Errorf("primary %s: groups cannot be looked up, and without them nobody's login is judged: %w", name, err), "check group_base, and what bind_dn may read there")
		}
	}
	return nil
}

// errSpared is that of a server which is not asked, since another one has refused
// the bind: each would count a wrong password, until the account that searches
// is locked for the shim that runs as well.
var errSpared = errors.New("it is not asked, since the bind was refused elsewhere, and each server would count that")

// lookAtEach looks at all servers of a directory: one after the other until one
// has taken the bind, then at the rest at once.
func lookAtEach(ctx context.Context, c *firstfactor.Primary) []error {
	failed := make([]error, len(c.URLs))
	for i, url := range c.URLs {
		failed[i] = lookAt(ctx, c, url)
		switch {
		case failed[i] == nil:
			var rest sync.WaitGroup
			for k := i + 1; k < len(c.URLs); k++ {
				rest.Go(func() { failed[k] = lookAt(ctx, c, c.URLs[k]) })
			}
			rest.Wait()
			return failed
		case ldapconn.KindOf(failed[i]) == ldapconn.Denied:
			for k := i + 1; k < len(c.URLs); k++ {
				failed[k] = errSpared
			}
			return failed
		}
	}
	return failed
}

// lookAt reads the base of a directory at one of its servers.
func lookAt(ctx context.Context, c *firstfactor.Primary, url string) (err error) {
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
