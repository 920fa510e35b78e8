package migrate

import (
	"cmp"
	"fmt"
	"iter"
	"time"

	"mfabridge/legacy"
)

// settingsFile is where settings stand in an export.
const settingsFile = "settings.json"

// settings yields what of the old server's settings no target takes, each with
// the name that an acceptance knows it by.
func (f findings) settings(s legacy.Settings) iter.Seq2[Finding, string] {
	return func(yield func(Finding, string) bool) {
		tell := func(code Code, field, name, detail string) bool {
			finding := f.of(code, field, detail)
			finding.Place = settingsFile
			return yield(finding, name)
		}
		for i, c := range s.LDAPClients {
			name := cmp.Or(c.Name, c.ApplicationName, c.IPAddress, fmt.Sprintf("client %d", i+1))
			if !tell(LDAPClientNotServed, "ldapClients", name, name+" asked the old server by LDAP") {
				return
			}
		}
		for i, c := range s.Caching {
			name := cmp.Or(c.Application, c.AuthenticationType, fmt.Sprintf("rule %d", i+1))
			detail := fmt.Sprintf("%s: no second factor for %s after a success, by %s", name, time.Duration(c.Seconds)*time.Second, cmp.Or(c.Type, "a rule"))
			if c.AuthenticationType != "" {
				detail += ", authentication type " + c.AuthenticationType
			}
			if !tell(CacheRuleNotMoved, "caching", name, detail) {
				return
			}
		}
		for _, r := range s.TrustedIPs {
			name := r.From.String()
			if r.To != r.From {
				name += "-" + r.To.String()
			}
			if !tell(TrustedIPNotMoved, "trustedIps", name, "no second factor was asked for from "+name) {
				return
			}
		}
		if p := PortalSettings(s); p.Portal || p.Account != "" {
			tell(PortalApart, "userPortal", "userPortal", p.String())
		}
	}
}
