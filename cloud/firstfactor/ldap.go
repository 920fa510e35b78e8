package firstfactor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
)

// Defaults of a primary of type ldap.
const (
	bindFailures = "3/15m"
	ldapTimeout  = "3s"
)

// directory checks a primary of type ldap.
func (k check) directory(p *Primary, at string) {
	if len(p.Servers) > 0 || p.NamesTunnelUser {
		k.Refuse("write urls: [\"ldaps://dc1.corp.example\"]", "%s: servers say nothing with type ldap", at)
	}
	if p.BaseDN == "" {
		k.Refuse("write base_dn: dc=corp,dc=example", "%s has no base_dn", at)
	}
	if _, err := ldapconn.FoldName(p.BaseDN); p.BaseDN != "" && err != nil {
		k.Refuse("write corp.example as dc=corp,dc=example", "%s: base_dn: %q is no distinguished name", at, p.BaseDN)
	}
	if (p.BindDN == "") != (p.BindPassword == "") {
		k.Refuse("set both, or neither for an anonymous search", "%s: bind_dn and bind_password belong together", at)
	} else if p.BindPassword != "" {
		p.Password = k.password(p.BindPassword, at)
	}
	p.Authorities, p.Certificate = k.Trusted(&p.CA, at)
	for _, attribute := range []string{p.AccountAttribute, p.UPNAttribute, p.SIDAttribute, p.MemberAttribute} {
		if err := ldapconn.CheckAttribute(attribute); attribute != "" && err != nil {
			k.Add(fmt.Errorf("%s: %w", at, err))
		}
	}
	if err := ldapconn.CheckFilter(p.Filter); p.Filter != "" && err != nil {
		k.Add(fmt.Errorf("%s: filter: %w", at, err))
	}
	k.bounds(p, at)
	if p.BindPassword != "" && p.Password.IsZero() {
		return // it has been said; what follows from it would hide it
	}
	if client, err := ldapconn.New(p.LDAP()); err != nil {
		k.Add(fmt.Errorf("%s: %w", at, err))
	} else if err := client.Close(); err != nil {
		k.Add(err)
	}
}

// bounds parses what limits the use of a directory.
func (k check) bounds(p *Primary, at string) {
	count, window, _ := strings.Cut(cmp.Or(p.MaxBindFailures, bindFailures), "/")
	n, err := strconv.Atoi(count)
	d, bad := time.ParseDuration(window)
	if err != nil || bad != nil || n < 1 || n > 100 || d < time.Minute || d > 24*time.Hour {
		k.Refuse("write COUNT/DURATION, e.g. 3/15m, below the directory's own lockout", "%s: max_bind_failures: %q is not understood", at, p.MaxBindFailures)
	}
	p.Failures, p.Window = n, d
	p.Patience, err = time.ParseDuration(cmp.Or(p.Timeout, ldapTimeout))
	if err != nil || p.Patience < 100*time.Millisecond || p.Patience > time.Minute {
		k.Refuse("write e.g. 3s, below the time that clients wait", "%s: timeout: %q is not understood", at, p.Timeout)
	}
}

// password loads the password of a bind.
func (k check) password(ref, at string) secret.Bytes {
	at += ": bind_password"
	key := k.Secret(ref, at, "write the password on one line of that file, readable by you alone")
	k.Spaces(key, at)
	return key
}

// LDAP says how the directory of a primary of type ldap is asked.
func (p *Primary) LDAP() ldapconn.Config {
	return ldapconn.Config{Servers: p.URLs, CA: p.Authorities, BindDN: p.BindDN, Password: p.Password, Timeout: p.Patience}
}

// usernames understands the domains.
func (k check) usernames(u *Usernames) {
	u.Parsed = make(map[string]ldapconn.Domain, len(u.Domains))
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(u.Domains)) {
		domain, err := ldapconn.ParseDomain(u.Domains[name])
		switch {
		case name == "" || strings.ContainsAny(name, `\@/`):
			k.Refuse("write the name before the backslash, e.g. CORP: corp.example", "usernames.domains: %q is no name of a domain", name)
		case err != nil:
			k.Refuse("write e.g. CORP: corp.example", "usernames.domains.%s: %q is no domain", name, u.Domains[name])
		case seen[strings.ToLower(name)]:
			k.Refuse("remove one of them", "usernames.domains: %s stands there twice", name)
		}
		seen[strings.ToLower(name)] = true
		u.Parsed[name] = domain
	}
}
