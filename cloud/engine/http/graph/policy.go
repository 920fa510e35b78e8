package graph

import (
	"net/http"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// settings are what Graph shows of policy beside what the store keeps. They
// live as long as the process.
type settings struct {
	migration, preferred, campaign string
	office                         bool
	required                       map[cloud.UserID]string // perUserMfaState
	federated                      []federated
	staged                         []string // ids of groups whose multifactor authentication is Entra ID's already
	unstaged                       bool     // staged rollout is switched off
}

func newSettings(a Assumptions) settings {
	s := settings{migration: a.Migration, preferred: a.Preferred, campaign: a.Campaign, office: a.OfficePhones == "yes", required: map[cloud.UserID]string{}}
	for _, given := range a.Federated {
		if d, ok := parseFederated(given); ok {
			s.federated = append(s.federated, d)
		}
	}
	return s
}

func (f *Face) systemPreferred() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.policy.preferred == "enabled"
}

func (f *Face) requirement(user cloud.UserID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.policy.required[user]; s != "" {
		return s
	}
	return "disabled"
}

// configured is one line of the methods policy.
type configured struct {
	id   string // in the path
	name string // type without its suffix
	beta bool
	line engine.PolicyMethod // empty: always disabled here
}

func lines() []configured {
	return []configured{
		{"Fido2", "fido2", false, ""},
		{"MicrosoftAuthenticator", "microsoftAuthenticator", false, engine.PolicyAuthenticator},
		{"Sms", "sms", false, engine.PolicySMS},
		{"TemporaryAccessPass", "temporaryAccessPass", false, ""},
		{"HardwareOath", "hardwareOath", true, engine.PolicyHardwareOATH},
		{"SoftwareOath", "softwareOath", false, engine.PolicySoftwareOATH},
		{"Voice", "voice", false, engine.PolicyVoice},
		{"Email", "email", false, engine.PolicyEmail},
		{"X509Certificate", "x509Certificate", false, ""},
	}
}

func (l *configured) kind() string {
	return "#microsoft.graph." + l.name + "AuthenticationMethodConfiguration"
}

// showLine is a line as Graph shows it.
func (f *Face) showLine(l *configured, m engine.MethodPolicy) object {
	state := "disabled"
	if l.line != "" && m.Enabled {
		state = "enabled"
	}
	include, exclude := []object{}, []object{}
	target := func(id string) object {
		o := object{"targetType": "group", "id": id, "isRegistrationRequired": false}
		switch l.name {
		case "sms":
			o["isUsableForSignIn"] = m.SignIn
		case "microsoftAuthenticator":
			o["authenticationMode"] = "any"
		}
		return o
	}
	for _, id := range m.Include {
		include = append(include, target(id))
	}
	passes := l.name == "temporaryAccessPass" && f.assume.Pass != "no"
	if passes {
		state = "enabled"
	}
	if len(include) == 0 && (l.line != "" || passes) {
		include = append(include, target("all_users"))
	}
	for _, id := range m.Exclude {
		exclude = append(exclude, object{"targetType": "group", "id": id})
	}
	o := object{"@odata.type": l.kind(), "id": l.id, "state": state, "includeTargets": include, "excludeTargets": exclude}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch l.name {
	case "voice":
		o["isOfficePhoneAllowed"] = f.policy.office
	case "microsoftAuthenticator":
		o["isSoftwareOathEnabled"] = false
		o["featureSettings"] = object{}
	case "email":
		o["allowExternalIdToUseEmailOtp"] = "default"
	case "temporaryAccessPass":
		o["defaultLength"], o["defaultLifetimeInMinutes"], o["isUsableOnce"] = 8, passDefault, f.assume.Pass == "once"
		o["minimumLifetimeInMinutes"], o["maximumLifetimeInMinutes"] = passLeast, passMost
	}
	return o
}

func (f *Face) showLines(c *call) ([]object, error) {
	p, err := f.core.Policy(c.ctx)
	if err != nil {
		return nil, err
	}
	all := []object{}
	for _, l := range lines() {
		if !l.beta || c.version == "beta" {
			all = append(all, f.showLine(&l, p[l.line]))
		}
	}
	return all, nil
}

func (f *Face) methodsPolicy(c *call) (answer, error) {
	all, err := f.showLines(c)
	if err != nil {
		return answer{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	everybody := object{"targetType": "group", "id": "all_users", "targetedAuthenticationMethod": "microsoftAuthenticator"}
	o := object{"@odata.context": c.context("authenticationMethodsPolicy"), "id": "authenticationMethodsPolicy", "displayName": "Authentication Methods Policy",
		"description": "The tenant-wide policy that controls which authentication methods are allowed in the tenant", "lastModifiedDateTime": nil,
		"policyVersion": "1.5", "policyMigrationState": f.policy.migration, "reconfirmationInDays": nil,
		"registrationEnforcement": object{"authenticationMethodsRegistrationCampaign": object{"snoozeDurationInDays": 1, "state": f.policy.campaign,
			"excludeTargets": []object{}, "includeTargets": []object{everybody}}},
		"authenticationMethodConfigurations": all}
	if c.version == "beta" {
		o["systemCredentialPreferences"] = object{"state": f.policy.preferred, "excludeTargets": []object{},
			"includeTargets": []object{{"targetType": "group", "id": "all_users"}}}
		o["reportSuspiciousActivitySettings"] = object{"state": "default", "voiceReportingCode": 0, "includeTarget": object{"targetType": "group", "id": "all_users"}}
	}
	return okay(o)
}

// setMethodsPolicy changes what is not a line: the state of the migration, the
// campaign, the system's preference.
func (f *Face) setMethodsPolicy(c *call) (answer, error) {
	var in struct {
		Migration   *string `json:"policyMigrationState"`
		Enforcement *struct {
			Campaign *struct {
				State *string `json:"state"`
			} `json:"authenticationMethodsRegistrationCampaign"`
		} `json:"registrationEnforcement"`
		Preferred *struct {
			State *string `json:"state"`
		} `json:"systemCredentialPreferences"`
	}
	if err := c.decodePart(&in); err != nil {
		return answer{}, err
	}
	onOff := []string{"default", "enabled", "disabled"}
	f.mu.Lock()
	next := f.policy
	f.mu.Unlock()
	set := func(field *string, value *string, allowed []string) bool {
		if value == nil {
			return true
		}
		*field = *value
		return slices.Contains(allowed, *value)
	}
	ok := set(&next.migration, in.Migration, []string{"preMigration", "migrationInProgress", "migrationComplete"})
	if in.Enforcement != nil && in.Enforcement.Campaign != nil {
		ok = set(&next.campaign, in.Enforcement.Campaign.State, onOff) && ok
	}
	if in.Preferred != nil {
		ok = c.version == "beta" && set(&next.preferred, in.Preferred.State, onOff) && ok
	}
	if !ok {
		return answer{}, bad("A value of the policy is not one that can be set.")
	}
	f.mu.Lock()
	f.policy.migration, f.policy.campaign, f.policy.preferred = next.migration, next.campaign, next.preferred
	f.mu.Unlock()
	return f.methodsPolicy(c)
}

func (f *Face) configurations(c *call) (answer, error) {
	all, err := f.showLines(c)
	if err != nil {
		return answer{}, err
	}
	return okay(object{"@odata.context": c.context("policies/authenticationMethodsPolicy/authenticationMethodConfigurations"), "value": all})
}

// findLine is the line of a path.
func (c *call) findLine() (*configured, error) {
	for _, l := range lines() {
		if strings.EqualFold(l.id, c.vars[0]) && (!l.beta || c.version == "beta") {
			return &l, nil
		}
	}
	return nil, fail(http.StatusNotFound, "resourceNotFound", "The configuration was not found.")
}

func (f *Face) configuration(c *call) (answer, error) {
	l, err := c.findLine()
	if err != nil {
		return answer{}, err
	}
	p, err := f.core.Policy(c.ctx)
	if err != nil {
		return answer{}, err
	}
	return okay(f.showLine(l, p[l.line]))
}

// target is a group, or everybody.
type target struct {
	Type   string `json:"targetType"`
	ID     string `json:"id"`
	SignIn *bool  `json:"isUsableForSignIn"`
}

// lineBody is what a line is changed with.
type lineBody struct {
	Type    string    `json:"@odata.type"`
	State   *string   `json:"state"`
	Include *[]target `json:"includeTargets"`
	Exclude *[]target `json:"excludeTargets"`
	Office  *bool     `json:"isOfficePhoneAllowed"`
}

func (f *Face) setConfiguration(c *call) (answer, error) {
	l, err := c.findLine()
	if err != nil {
		return answer{}, err
	}
	var in lineBody
	if err := c.decodePart(&in); err != nil {
		return answer{}, err
	}
	switch {
	case in.Type == "":
		return answer{}, bad("@odata.type is required.")
	case in.Type != l.kind():
		return answer{}, bad("@odata.type is not that of this configuration.")
	case l.line == "":
		return answer{}, bad("The rehearsal does not change this configuration.")
	}
	p, err := f.core.Policy(c.ctx)
	if err != nil {
		return answer{}, err
	}
	m := p[l.line]
	if err := in.apply(l, &m); err != nil {
		return answer{}, err
	}
	if err := f.core.SetPolicy(c.ctx, engine.Actor{Who: c.app, Reason: "over the rehearsal of Graph"}, l.line, m); err != nil {
		if cloud.KindOf(err) == cloud.NotFound {
			err = bad("A target is not a group of this tenant.")
		}
		return answer{}, err
	}
	if in.Office != nil && l.name == "voice" {
		f.mu.Lock()
		f.policy.office = *in.Office
		f.mu.Unlock()
	}
	return done()
}

// apply puts what is given into a line.
func (in *lineBody) apply(l *configured, m *engine.MethodPolicy) error {
	if in.State != nil {
		if *in.State != "enabled" && *in.State != "disabled" {
			return bad("state must be enabled or disabled.")
		}
		m.Enabled = *in.State == "enabled"
	}
	if in.Include != nil {
		m.Include, m.SignIn = nil, false
		for _, t := range *in.Include {
			if t.Type != "group" {
				return bad("A target must be a group.")
			}
			m.SignIn = m.SignIn || l.name == "sms" && t.SignIn != nil && *t.SignIn
			if t.ID == "all_users" {
				m.Include = nil
				break
			}
			m.Include = append(m.Include, t.ID)
		}
		if len(*in.Include) == 0 {
			return bad("includeTargets must name a group or all_users.")
		}
	}
	if in.Exclude != nil {
		m.Exclude = nil
		for _, t := range *in.Exclude {
			m.Exclude = append(m.Exclude, t.ID)
		}
	}
	return nil
}
