package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
)

// maxSkew is how far the clocks may be apart: codes of tokens are computed for
// the server's, but tokens of the application are judged by both.
const maxSkew = 2 * time.Minute

// permissions are the application permissions that a plan and an apply need,
// each with what it is for; several words: one of them is enough.
var permissions = []struct {
	name string
	any  []string
	use  string
}{
	{"permission.methods", []string{"UserAuthenticationMethod.ReadWrite.All"}, "writing methods of users"},
	{permissionPolicy, []string{"Policy.ReadWrite.AuthenticationMethod"}, "the inventory of hardware tokens, and reading the methods policy"},
	{"permission.tenant", []string{"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "asking the tenant who it is"},
	{"permission.users", []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "finding users"},
	{"permission.groups", []string{"GroupMember.Read.All", "Group.Read.All", "GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "groups of waves and of the policy"},
	{"permission.roles", rolePermissions, "knowing administrators"},
}

const permissionPolicy = "permission.policy"

// readPolicy is what is enough where there is no inventory of tokens to write.
var readPolicy = []string{"Policy.Read.AuthenticationMethod", "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod"}

// rolePermissions let an application see who has which role.
var rolePermissions = []string{"RoleManagement.Read.Directory", "Directory.Read.All", "RoleManagement.ReadWrite.Directory", "Directory.ReadWrite.All"}

// seesRoles refuses to read anybody where the token says that the application
// may not see who has which role: what Graph leaves out would look as if nobody
// were an administrator. A token that tells nothing is left to Graph.
func (d *Directory) seesRoles(ctx context.Context) error {
	if d.o.Credential == nil {
		return nil
	}
	d.roles.Lock()
	defer d.roles.Unlock()
	if time.Now().Before(d.rolesSeen) { // by the clock that the library goes by
		return nil
	}
	token, err := d.accessToken(ctx)
	if err != nil {
		return nil // the requests say so
	}
	roles, ok := rolesOf(token.Token)
	if ok && !slices.ContainsFunc(rolePermissions, func(name string) bool { return slices.Contains(roles, name) }) {
		return &cloud.Error{Kind: cloud.Denied, Message: "the application may not see who is an administrator: it needs RoleManagement.Read.Directory"}
	}
	d.rolesSeen = token.ExpiresOn
	return nil
}

// accessToken is what the requests have, too: they can answer a challenge for
// claims (continuous access evaluation), and for such an application the
// library keeps another token, which lives for up to a day, than for any other.
func (d *Directory) accessToken(ctx context.Context) (azcore.AccessToken, error) {
	return d.o.Credential.GetToken(ctx, azpolicy.TokenRequestOptions{Scopes: []string{d.o.Cloud.Root + "/.default"}, EnableCAE: true})
}

// Preflight implements [cloud.Preflighter].
func (d *Directory) Preflight(ctx context.Context) ([]cloud.Check, error) {
	p, err := d.methodsPolicy(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	checks := append(d.checkTenant(), d.checkClock())
	checks = append(checks, d.checkPermissions(ctx)...)
	if err != nil {
		checks = append(checks, cloud.Check{Name: "policy", Result: cloud.CheckBlocker, Detail: err.Error(),
			Action: "Grant the application Policy.ReadWrite.AuthenticationMethod and consent to it."})
		return checks, nil
	}
	checks = append(append(checks, p.checks()...), p.checkHidden()...)
	checks = append(checks, d.checkEligible(ctx), d.checkActivation(), d.checkLoad(), cloud.Check{Name: "telephony", Result: cloud.CheckWarning,
		Detail: "Microsoft ends its own texts and calls", Action: "Plan for another method, or for a provider of your own."})
	return checks, nil
}

func passed(name, detail string) cloud.Check {
	return cloud.Check{Name: name, Result: cloud.CheckPassed, Detail: detail}
}

// checkTenant tells which tenant this is, and what its kind and its cloud are
// not known to take.
func (d *Directory) checkTenant() []cloud.Check {
	checks := []cloud.Check{passed("tenant", fmt.Sprintf("%s, id %s, in the cloud %s", d.tenant.DisplayName, d.tenant.ID, d.o.Cloud.Name))}
	if kind := d.tenant.TenantType; kind != "" && !strings.EqualFold(kind, "AAD") {
		checks = append(checks, cloud.Check{Name: "tenant.kind", Result: cloud.CheckWarning, Detail: "this is a tenant of kind " + plain(kind) + ", for which the interface of methods is not documented",
			Action: "Ask with --canary UPN of a test user first."})
	}
	switch d.o.Cloud.Word {
	case "china":
		checks = append(checks, cloud.Check{Name: "cloud.phones", Result: cloud.CheckUnknown, Detail: "the pages contradict each other whether this cloud has an interface for telephone methods",
			Action: "Ask with --canary UPN of a test user."},
			cloud.Check{Name: "cloud.tokens", Result: cloud.CheckWarning, Detail: "as far as is published this cloud has no interface for hardware tokens: none is read or written",
				Action: "Let people register by themselves."})
	case "usgov":
		if d.o.Tokenless {
			break
		}
		checks = append(checks, cloud.Check{Name: "cloud.tokens", Result: cloud.CheckUnknown, Detail: "the pages contradict each other whether hardware tokens can be made in this cloud",
			Action: "Ask with --canary UPN of a test user; if users cannot be read at all, say --no-oath-tokens."})
	}
	return checks
}

func (d *Directory) checkClock() cloud.Check {
	d.client.mu.Lock()
	ahead := d.client.ahead
	d.client.mu.Unlock()
	if ahead.Abs() > maxSkew {
		return cloud.Check{Name: "clock", Result: cloud.CheckBlocker, Detail: fmt.Sprintf("this clock is %v away from that of Graph", ahead.Abs().Round(time.Second)),
			Action: "Set the clock of this machine, e.g. by NTP."}
	}
	return passed("clock", "this clock and that of Graph agree")
}

// checkPermissions looks into the application's token, where they stand as
// roles. A token that cannot be read says nothing.
func (d *Directory) checkPermissions(ctx context.Context) []cloud.Check {
	unknown := []cloud.Check{{Name: "permission", Result: cloud.CheckUnknown, Detail: "the token does not tell what it permits",
		Action: "Compare the application's permissions with docs/entra.md."}}
	if d.o.Credential == nil {
		return unknown
	}
	token, err := d.accessToken(ctx)
	if err != nil {
		return []cloud.Check{{Name: "permission", Result: cloud.CheckBlocker, Detail: "no token could be had for the tenant",
			Action: "Check tenant, client id, and secret or certificate."}}
	}
	roles, ok := rolesOf(token.Token)
	if !ok {
		return unknown
	}
	var checks []cloud.Check
	for _, p := range permissions {
		if p.name == permissionPolicy && d.o.Tokenless {
			p.any, p.use = readPolicy, "reading the methods policy"
		}
		if slices.ContainsFunc(p.any, func(name string) bool { return slices.Contains(roles, name) }) {
			checks = append(checks, passed(p.name, "granted: "+p.use))
			continue
		}
		checks = append(checks, cloud.Check{Name: p.name, Result: cloud.CheckBlocker, Detail: "missing: " + p.use,
			Action: "Grant the application " + strings.Join(p.any, " or ") + " and have an administrator consent."})
	}
	return checks
}

// rolesOf reads the roles of a JSON web token, whose signature is Graph's to
// check (RFC 7519).
func rolesOf(token string) ([]string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil || claims.Roles == nil {
		return nil, false
	}
	return claims.Roles, true
}

// checks say what the policy means for a migration.
func (p *policy) checks() []cloud.Check {
	var checks []cloud.Check
	switch {
	case p.State == "" || strings.EqualFold(p.State, "migrationComplete"):
		checks = append(checks, passed("policy.state", "the methods policy alone decides"))
	default:
		checks = append(checks, cloud.Check{Name: "policy.state", Result: cloud.CheckWarning,
			Detail: "policyMigrationState is " + plain(p.State) + ": former settings of the tenant still allow methods besides the policy",
			Action: "Finish the move to the methods policy before, or after, but not during this migration."})
	}
	for _, m := range []struct{ id, name string }{{smsPolicy, "policy.sms"}, {voicePolicy, "policy.voice"}, {hardwarePolicy, "policy.hardwareOath"},
		{appPolicy, "policy.authenticator"}, {passPolicy, "policy.pass"}, {emailPolicy, "policy.email"}} {
		check := p.find(m.id).check(m.name)
		if passes := p.passes(); m.id == passPolicy && passes.Enabled {
			check.Detail += fmt.Sprintf(", for %v to %v", passes.Least, passes.Most)
		}
		checks = append(checks, check)
	}
	if voice := p.find(voicePolicy); voice != nil && (voice.OfficeAllowed == nil || !*voice.OfficeAllowed) {
		checks = append(checks, cloud.Check{Name: "policy.office", Result: cloud.CheckWarning, Detail: "office phones are not allowed for calls",
			Action: "Allow office phones in the policy for voice calls, or expect METHOD_NOT_ALLOWED for them."})
	}
	if sms := p.find(smsPolicy); sms != nil && slices.ContainsFunc(sms.Include, func(t target) bool { return t.UsableForID }) {
		checks = append(checks, cloud.Check{Name: "policy.smsSignIn", Result: cloud.CheckWarning,
			Detail: "the policy lets some users sign in by a text alone: a mobile phone that is written opens that way",
			Action: "Take isUsableForSignIn away from the policy for texts before the plan."})
	}
	switch strings.ToLower(p.System.State) {
	case "enabled":
		checks = append(checks, cloud.Check{Name: "policy.systemPreferred", Result: cloud.CheckWarning,
			Detail: "the system chooses how a user is asked; a default method counts for the NPS extension and AD FS only",
			Action: "Nothing, if that is wanted."})
	case "default":
		checks = append(checks, cloud.Check{Name: "policy.systemPreferred", Result: cloud.CheckUnknown,
			Detail: "whether the system chooses how a user is asked is left to Microsoft, whose pages contradict each other on what that means",
			Action: "Enable or disable it in the policy, if default methods matter."})
	}
	campaign := p.Registration.Campaign
	checks = append(checks, passed("policy.campaign", fmt.Sprintf("the registration campaign is %s, with %s to snooze", orNotSaid(campaign.State), days(campaign.Snooze))))
	return checks
}

// check says whether a method can be used, and by whom.
func (c *configuration) check(name string) cloud.Check {
	if c == nil || !strings.EqualFold(c.State, "enabled") {
		return cloud.Check{Name: name, Result: cloud.CheckWarning, Detail: "the policy allows it to nobody",
			Action: "Enable it in the methods policy for those who are to use it."}
	}
	for _, t := range c.Include {
		if t.ID == everybody && len(c.Exclude) == 0 {
			return passed(name, "everybody may use it")
		}
	}
	return passed(name, fmt.Sprintf("groups that may use it: %d, that may not: %d", len(c.Include), len(c.Exclude)))
}

func orNotSaid(s string) string {
	if s = plain(s); s == "" {
		return "not said"
	}
	return s
}

func (d *Directory) checkActivation() cloud.Check {
	if d.o.Activates {
		return cloud.Check{Name: "oath.activation", Result: cloud.CheckWarning, Detail: "it is stated that an application may activate hardware tokens of users; the reference contradicts itself",
			Action: "Ask with --canary UPN of a test user first."}
	}
	return cloud.Check{Name: "oath.activation", Result: cloud.CheckUnknown, Detail: "it is assumed that an application cannot activate hardware tokens of users; they have to do it themselves",
		Action: "Ask with --canary UPN of a test user; if it works, say --oath-activation."}
}

func (d *Directory) checkLoad() cloud.Check {
	d.client.mu.Lock()
	load := d.client.load
	d.client.mu.Unlock()
	if load >= 0.8 {
		return cloud.Check{Name: "throttling", Result: cloud.CheckWarning, Detail: fmt.Sprintf("the tenant is at %.0f%% of its limit already", load*100),
			Action: "Find out which application asks so much, or apply at another hour."}
	}
	return passed("throttling", "Graph does not say that its limits are near")
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}
