package graph_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// application is a credential whose tokens name these roles.
type application struct {
	roles []string
	err   error
	given int

	mu     sync.Mutex
	asked  []azpolicy.TokenRequestOptions
	claims error // why it gives no token for claims
}

func (a *application) GetToken(_ context.Context, o azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, o)
	switch {
	case a.err != nil:
		return azcore.AccessToken{}, a.err
	case a.claims != nil && o.Claims != "":
		return azcore.AccessToken{}, a.claims
	}
	a.given++
	b, err := json.Marshal(map[string]any{"roles": a.roles})
	return azcore.AccessToken{Token: "e30." + base64.RawURLEncoding.EncodeToString(b) + ".c2ln", ExpiresOn: time.Now().Add(time.Hour)}, err
}

func everyRole() []string {
	return []string{"UserAuthenticationMethod.ReadWrite.All", "Policy.ReadWrite.AuthenticationMethod", "User.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory", "Organization.Read.All"}
}

// loaded adds to every answer how near the limits are.
type loaded struct {
	http.RoundTripper
	load string
}

func (l loaded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && l.load != "" {
		resp.Header.Set("x-ms-throttle-limit-percentage", l.load)
	}
	return resp, err
}

// healthy is a policy in which nothing is to be said but that passes are on.
const healthy = `{"policyMigrationState":"migrationComplete","systemCredentialPreferences":{"state":"disabled"},
	"registrationEnforcement":{"authenticationMethodsRegistrationCampaign":{"state":"enabled","snoozeDurationInDays":3}},"authenticationMethodConfigurations":[
	{"id":"Sms","state":"enabled","includeTargets":[{"id":"all_users","targetType":"group","isUsableForSignIn":false}]},
	{"id":"Voice","state":"enabled","isOfficePhoneAllowed":true,"includeTargets":[{"id":"all_users","targetType":"group"}]},
	{"id":"HardwareOath","state":"enabled","includeTargets":[{"id":"` + groupID + `","targetType":"group"}],"excludeTargets":[{"id":"77777777-7777-4777-8777-777777777777","targetType":"group"}]},
	{"id":"MicrosoftAuthenticator","state":"enabled","includeTargets":[{"id":"all_users","targetType":"group"}]},
	{"id":"TemporaryAccessPass","state":"enabled","minimumLifetimeInMinutes":60,"maximumLifetimeInMinutes":480,"includeTargets":[{"id":"all_users","targetType":"group"}]},
	{"id":"Email","state":"enabled","includeTargets":[{"id":"all_users","targetType":"group"}]}]}`

// each check says what it looked at, and no where it has to.
func TestEveryCheckSaysNo(t *testing.T) {
	type ground struct {
		policy string
		roles  []string
		load   string
		ahead  time.Duration
		o      graph.Options
		kind   string
		fault  func(method, path string, n int) (int, http.Header)
	}
	edit := func(old, new string) func(*ground) {
		return func(g *ground) {
			if !strings.Contains(g.policy, old) {
				t.Fatalf("the policy has no %s", old)
			}
			g.policy = strings.Replace(g.policy, old, new, 1)
		}
	}
	without := func(role string) func(*ground) {
		return func(g *ground) {
			for i, r := range g.roles {
				if r == role {
					g.roles = append(g.roles[:i:i], g.roles[i+1:]...)
				}
			}
		}
	}
	off := func(id string) func(*ground) {
		return edit(`"id":"`+id+`","state":"enabled"`, `"id":"`+id+`","state":"disabled"`)
	}
	no := cloud.CheckWarning
	for name, c := range map[string]struct {
		check  string
		change func(*ground)
		want   cloud.CheckResult
		says   string
	}{
		"methods permission":         {"permission.methods", without("UserAuthenticationMethod.ReadWrite.All"), cloud.CheckBlocker, "missing"},
		"policy permission":          {"permission.policy", without("Policy.ReadWrite.AuthenticationMethod"), cloud.CheckBlocker, "missing"},
		"tenant permission":          {"permission.tenant", without("Organization.Read.All"), cloud.CheckBlocker, "missing"},
		"users permission":           {"permission.users", without("User.Read.All"), cloud.CheckBlocker, "missing"},
		"groups permission":          {"permission.groups", without("GroupMember.Read.All"), cloud.CheckBlocker, "missing"},
		"roles permission":           {"permission.roles", without("RoleManagement.Read.Directory"), cloud.CheckBlocker, "missing"},
		"clock":                      {"clock", func(g *ground) { g.ahead = 5 * time.Minute }, cloud.CheckBlocker, "away"},
		"policy that cannot be read": {"policy", func(g *ground) { g.fault = denyPolicy }, cloud.CheckBlocker, "403"},
		"former settings":            {"policy.state", edit("migrationComplete", "preMigration"), no, "preMigration"},
		"texts":                      {"policy.sms", off("Sms"), no, "nobody"},
		"calls":                      {"policy.voice", off("Voice"), no, "nobody"},
		"tokens":                     {"policy.hardwareOath", off("HardwareOath"), no, "nobody"},
		"app":                        {"policy.authenticator", off("MicrosoftAuthenticator"), no, "nobody"},
		"passes":                     {"policy.pass", off("TemporaryAccessPass"), no, "nobody"},
		"addresses":                  {"policy.email", off("Email"), no, "nobody"},
		"a method that is not there": {"policy.sms", edit(`"id":"Sms"`, `"id":"Other"`), no, "nobody"},
		"office phones":              {"policy.office", edit(`"isOfficePhoneAllowed":true`, `"isOfficePhoneAllowed":false`), no, "not allowed"},
		"office phones, not said":    {"policy.office", edit(`"isOfficePhoneAllowed":true,`, ``), no, "not allowed"},
		"sign-in by text":            {"policy.smsSignIn", edit(`"isUsableForSignIn":false`, `"isUsableForSignIn":true`), no, "sign in"},
		"left to Microsoft":          {"policy.systemPreferred", edit(`"state":"disabled"`, `"state":"default"`), cloud.CheckUnknown, "contradict"},
		"the system prefers":         {"policy.systemPreferred", edit(`"state":"disabled"`, `"state":"enabled"`), no, "chooses"},
		"headroom":                   {"throttling", func(g *ground) { g.load = "0.9" }, no, "90%"},
		"activation":                 {"oath.activation", func(g *ground) { g.o.Activates = true }, no, "contradicts"},
		"china":                      {"cloud.phones", func(g *ground) { g.o.Cloud = graph.Environment{Name: "china", Root: root, Word: "china"} }, cloud.CheckUnknown, "telephone"},
		"china, tokens":              {"cloud.tokens", func(g *ground) { g.o.Cloud = graph.Environment{Name: "china", Root: root, Word: "china"} }, cloud.CheckWarning, "none is read"},
		"usgov":                      {"cloud.tokens", func(g *ground) { g.o.Cloud = graph.Environment{Name: "usgov", Root: root, Word: "usgov"} }, cloud.CheckUnknown, "contradict"},
		"external tenant":            {"tenant.kind", func(g *ground) { g.kind = "CIAM" }, no, "CIAM"},
	} {
		g := &ground{policy: healthy, roles: everyRole()}
		c.change(g)
		checks := preflight(t, g.policy, g.roles, g.load, g.ahead, g.o, g.kind, g.fault)
		got, ok := find(checks, c.check)
		if !ok || got.Result != c.want || !strings.Contains(got.Detail, c.says) || got.Action == "" {
			t.Errorf("%s: %+v", name, got)
		}
		for _, other := range checks {
			if other.Result == cloud.CheckBlocker && other.Name != c.check {
				t.Errorf("%s blocks %s too: %s", name, other.Name, other.Detail)
			}
		}
	}
	for _, check := range preflight(t, healthy, everyRole(), "", 0, graph.Options{}, "", nil) {
		if check.Result != cloud.CheckPassed && check.Name != "oath.activation" && check.Name != "telephony" {
			t.Errorf("a healthy tenant: %+v", check)
		}
		want := map[string]string{"policy.hardwareOath": "groups that may use it: 1, that may not: 1", "policy.campaign": "enabled, with 3 days", "policy.pass": "everybody may use it, for 1h0m0s to 8h0m0s"}[check.Name]
		if !strings.Contains(check.Detail, want) {
			t.Errorf("%s says %q, want %q", check.Name, check.Detail, want)
		}
	}
}

func denyPolicy(_, path string, _ int) (int, http.Header) {
	if strings.HasPrefix(path, "/policies/") {
		return 403, nil
	}
	return 0, nil
}

func preflight(t *testing.T, policy string, roles []string, load string, ahead time.Duration, o graph.Options, kind string, fault func(method, path string, n int) (int, http.Header)) []cloud.Check {
	t.Helper()
	x := newTenant(t)
	x.policy, x.fault = policy, fault
	if kind != "" {
		x.kind = kind
	}
	x.date = func() time.Time { return time.Now().Add(ahead) }
	d := x.open(func(given *graph.Options) {
		given.Transport, given.Activates = loaded{x, load}, o.Activates
		given.Credential = &application{roles: roles}
		if o.Cloud.Root != "" {
			given.Cloud = o.Cloud
		}
	})
	checks, err := d.Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

func find(checks []cloud.Check, name string) (cloud.Check, bool) {
	for _, c := range checks {
		if c.Name == name {
			return c, true
		}
	}
	return cloud.Check{}, false
}

func TestTokensThatTellNothing(t *testing.T) {
	x := newTenant(t)
	d := x.open()
	checks, err := d.Preflight(t.Context())
	if got, _ := find(checks, "permission"); err != nil || got.Result != cloud.CheckUnknown {
		t.Errorf("without a credential: %+v, %v", got, err)
	}
}

func TestTenantOfCustomersIsRefused(t *testing.T) {
	x := newTenant(t)
	x.kind = "AAD B2C"
	_, err := graph.Open(t.Context(), graph.Options{Tenant: "contoso.example", Cloud: graph.Global(), Transport: x})
	if err == nil || cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("opened: %v", err)
	}
}

// A permission that holds another one is enough, and where no token is written
// reading the policy is.
func TestPermissionsThatHoldOthers(t *testing.T) {
	few := []string{"UserAuthenticationMethod.ReadWrite.All", "Directory.ReadWrite.All"}
	for name, c := range map[string]struct {
		roles     []string
		tokenless bool
		missing   string
	}{
		"all of the directory": {append(few[:2:2], "Policy.ReadWrite.AuthenticationMethod"), false, ""},
		"groups apart":         {append(everyRole()[:3:3], "Group.ReadWrite.All", "RoleManagement.Read.Directory", "Organization.Read.All"), false, ""},
		"only read":            {append(few[:2:2], "Policy.Read.All"), false, "permission.policy"},
		"only read, no tokens": {append(few[:2:2], "Policy.Read.AuthenticationMethod"), true, ""},
		"nothing of policies":  {few, true, "permission.policy"},
		"of numbers alone":     {append(everyRole()[1:], "UserAuthMethod-Phone.ReadWrite.All"), false, "permission.methods"},
	} {
		x := newTenant(t)
		checks, err := x.open(func(o *graph.Options) { o.Credential, o.Tokenless = &application{roles: c.roles}, c.tokenless }).Preflight(t.Context())
		var missing []string
		for _, k := range checks {
			if strings.HasPrefix(k.Name, "permission") && k.Result != cloud.CheckPassed {
				missing = append(missing, k.Name)
			}
		}
		if got := strings.Join(missing, " "); err != nil || got != c.missing {
			t.Errorf("%s: lacks %q, %v", name, got, err)
		}
	}
}
