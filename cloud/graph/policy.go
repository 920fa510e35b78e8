package graph

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// policy is the tenant's methods policy (beta), as far as it decides about
// users.
type policy struct {
	State          string          `json:"policyMigrationState"`
	Configurations []configuration `json:"authenticationMethodConfigurations"`
	System         struct {
		State string `json:"state"`
	} `json:"systemCredentialPreferences"`
	Registration struct {
		Campaign struct {
			State  string   `json:"state"`
			Snooze int      `json:"snoozeDurationInDays"`
			For    []target `json:"includeTargets"`
		} `json:"authenticationMethodsRegistrationCampaign"`
	} `json:"registrationEnforcement"`

	hidden []string // ids of groups of which this application is not told who is in them
}

// configuration is one method's part of the policy.
type configuration struct {
	ID            string   `json:"id"` // Sms, Voice, HardwareOath, …
	State         string   `json:"state"`
	Include       []target `json:"includeTargets"`
	Exclude       []target `json:"excludeTargets"`
	OfficeAllowed *bool    `json:"isOfficePhoneAllowed"`
	DefaultLife   int      `json:"defaultLifetimeInMinutes"` // of passes
	LeastLife     int      `json:"minimumLifetimeInMinutes"`
	MostLife      int      `json:"maximumLifetimeInMinutes"`
	Once          bool     `json:"isUsableOnce"`
}

// target is a group that a configuration is for, or everybody.
type target struct {
	ID          string `json:"id"`
	Type        string `json:"targetType"`
	UsableForID bool   `json:"isUsableForSignIn"`
}

// isGroup tells a target whose members have to be asked for. One for a single
// user is compared with the user's own id.
func (t target) isGroup() bool {
	return t.ID != everybody && isGUID(t.ID) && !strings.EqualFold(t.Type, "user")
}

// everybody is the id of the target that means all users.
const everybody = "all_users"

// Ids of configurations.
const (
	smsPolicy       = "Sms"
	voicePolicy     = "Voice"
	hardwarePolicy  = "HardwareOath"
	softwarePolicy  = "SoftwareOath"
	appPolicy       = "MicrosoftAuthenticator"
	emailPolicy     = "Email"
	passPolicy      = "TemporaryAccessPass"
	maxPolicyGroups = 20 // groups in one checkMemberGroups
)

// methodsPolicy reads the policy, anew every few minutes.
func (d *Directory) methodsPolicy(ctx context.Context) (*policy, error) {
	return d.policy.get(d.o.Now, func() (*policy, error) {
		var p policy
		if err := d.client.get(ctx, beta, "/policies/authenticationMethodsPolicy", &p); err != nil {
			return nil, fmt.Errorf("the methods policy cannot be read: %w", err)
		}
		if p.Configurations == nil {
			return nil, &cloud.Error{Kind: cloud.Internal, Message: "the methods policy cannot be read: it names no method"}
		}
		if err := d.markHidden(ctx, &p); err != nil {
			return nil, err
		}
		return &p, nil
	})
}

// find returns a method's configuration; nil: the tenant has none.
func (p *policy) find(id string) *configuration {
	for i := range p.Configurations {
		if strings.EqualFold(p.Configurations[i].ID, id) {
			return &p.Configurations[i]
		}
	}
	return nil
}

// groups are all that the policy speaks of besides everybody.
func (p *policy) groups() []string {
	var ids []string
	for _, c := range p.Configurations {
		for _, t := range slices.Concat(c.Include, c.Exclude) {
			if t.isGroup() && !slices.Contains(ids, t.ID) {
				ids = append(ids, t.ID)
			}
		}
	}
	return ids
}

// allows tells whether a user of one of these ids, of groups and their own, may
// use the method, and whether a telephone of theirs is a way to sign in.
func (c *configuration) allows(ids []string) (allowed, signIn bool) {
	if c == nil || !strings.EqualFold(c.State, "enabled") {
		return false, false
	}
	in := func(t target) bool {
		return t.ID == everybody || slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(id, t.ID) })
	}
	if slices.ContainsFunc(c.Exclude, in) {
		return false, false
	}
	for _, t := range c.Include {
		if in(t) {
			allowed, signIn = true, signIn || t.UsableForID
		}
	}
	return allowed, signIn
}

// judge fills in what the policy forbids a user. While a tenant still honours
// its former settings (preMigration, migrationInProgress) those may allow more:
// then nothing counts as forbidden.
func (p *policy) judge(u *cloud.User, ids []string) {
	sms, signIn := p.find(smsPolicy).allows(ids)
	u.SMSSignIn = u.SMSSignIn || signIn || p.mayOpenSignIn()
	if p.State != "" && !strings.EqualFold(p.State, "migrationComplete") {
		return
	}
	voice := p.find(voicePolicy)
	call, _ := voice.allows(ids)
	forbid := func(allowed bool, methods ...cloud.Method) {
		if !allowed {
			u.Forbidden = append(u.Forbidden, methods...)
		}
	}
	forbid(sms || call, cloud.Mobile)
	switch {
	case sms && !call:
		u.ForbiddenWays = []cloud.Preference{cloud.VoiceMobile}
	case call && !sms:
		u.ForbiddenWays = []cloud.Preference{cloud.SMS}
	}
	forbid(call, cloud.AlternateMobile)
	forbid(call && voice.OfficeAllowed != nil && *voice.OfficeAllowed, cloud.Office)
	for id, method := range map[string]cloud.Method{hardwarePolicy: cloud.HardwareOATH, softwarePolicy: cloud.SoftwareOATH, appPolicy: cloud.Authenticator, emailPolicy: cloud.Email} {
		allowed, _ := p.find(id).allows(ids)
		forbid(allowed, method)
	}
	slices.Sort(u.Forbidden)
}

// mayOpenSignIn tells whether texts are a way to sign in for a group of which
// nobody knows who is in it: it may be anybody.
func (p *policy) mayOpenSignIn() bool {
	sms := p.find(smsPolicy)
	return sms != nil && strings.EqualFold(sms.State, "enabled") &&
		slices.ContainsFunc(sms.Include, func(t target) bool { return t.UsableForID && slices.Contains(p.hidden, t.ID) })
}

// memberItem asks which of the policy's groups a user is in.
func memberItem(id cloud.UserID, groups []string) *item {
	return &item{method: http.MethodPost, path: userPath(id) + "/checkMemberGroups", units: 4, body: map[string][]string{"groupIds": groups}}
}
