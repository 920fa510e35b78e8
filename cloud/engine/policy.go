package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mfabridge/cloud"
)

// PolicyMethod is one line of the method policy.
type PolicyMethod string

// Lines of the policy. A mobile phone can be used by text and by voice, the
// other phones by voice alone.
const (
	PolicySMS           PolicyMethod = "sms"
	PolicyVoice         PolicyMethod = "voice"
	PolicySoftwareOATH  PolicyMethod = "softwareOath"
	PolicyHardwareOATH  PolicyMethod = "hardwareOath"
	PolicyEmail         PolicyMethod = "email"
	PolicyAuthenticator PolicyMethod = "authenticator"

	// Channels that texts may go by besides SMS; sms is the line of all texts.
	PolicyWhatsApp PolicyMethod = "whatsapp"
	PolicyRCS      PolicyMethod = "rcs"

	// PolicyTextSignIn is sign-in with a mobile number and a code in place of a
	// password, see SetNumberSignIn: off unless it is set, and for groups alone.
	PolicyTextSignIn PolicyMethod = "textSignIn"
)

// PolicyMethods are all lines, in the order of a listing.
func PolicyMethods() []PolicyMethod {
	return []PolicyMethod{PolicySMS, PolicyVoice, PolicySoftwareOATH, PolicyHardwareOATH, PolicyEmail, PolicyAuthenticator, PolicyWhatsApp, PolicyRCS, PolicyTextSignIn}
}

// maxTargets bounds the groups that one list of a policy names.
const maxTargets = 100

// MethodPolicy says who may use a method. Without Include everybody may;
// whoever is in a group of Exclude may not, whatever else they are in. Groups
// count with all groups within them.
type MethodPolicy struct {
	Enabled bool     `json:"enabled"`
	Include []string `json:"include,omitempty"` // ids of groups
	Exclude []string `json:"exclude,omitempty"`
	// SignIn is of sms alone: those who may use texts may sign in with their
	// mobile number in place of a password.
	SignIn bool `json:"sign_in,omitempty"`
}

// Policy holds every line. Where nothing was ever set, everybody may use
// everything, but for sign-in by text.
type Policy map[PolicyMethod]MethodPolicy

// names tells whether a line speaks of a group.
func (p Policy) names(group string) bool {
	for _, m := range p {
		if slices.Contains(m.Include, group) || slices.Contains(m.Exclude, group) {
			return true
		}
	}
	return false
}

// Names of Meta values. The version differs each time, also after a change
// that was rolled back: it says whether what was read before still holds.
const (
	metaPolicy        = "policy"
	metaPolicyVersion = "policy-version"
)

// compiled is the value of metaPolicy: the policy, and where each group leads
// to that is named there or within one that is.
type compiled struct {
	Methods Policy              `json:"methods"`
	Reach   map[string][]string `json:"reach,omitempty"` // group to groups of the policy that contain it, itself too
}

// Policy is the method policy, with ids of groups.
func (e *Engine) Policy(ctx context.Context) (p Policy, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		p, err = e.policyOf(r)
		return err
	})
	return p, asError(err)
}

func (e *Engine) policyOf(r Reader) (Policy, error) {
	rules, err := e.rules(r)
	if err != nil {
		return nil, err
	}
	return maps.Clone(rules.Methods), nil
}

// SetPolicy changes one line. Groups are given by id or name.
func (e *Engine) SetPolicy(ctx context.Context, by Actor, method PolicyMethod, m MethodPolicy) error {
	if err := by.check(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(PolicyMethods(), method):
		return refuse(cloud.Invalid, fmt.Sprintf("the policy has no method %q", string(method)))
	case m.SignIn && method != PolicySMS:
		return refuse(cloud.Invalid, "only sms can let people sign in")
	case method == PolicyTextSignIn && m.Enabled && e.setup.Kind != KindEngine:
		return refuse(cloud.Unsupported, "a store that rehearses Entra ID has sign-in by text in the policy of sms")
	case method == PolicyTextSignIn && m.Enabled && len(m.Include) == 0:
		return refuse(cloud.Invalid, "sign-in by text is for groups alone: name those that it is for")
	case len(m.Include) > maxTargets || len(m.Exclude) > maxTargets:
		return refuse(cloud.Invalid, fmt.Sprintf("a policy can name at most %d groups", maxTargets))
	}
	return asError(e.store.Update(ctx, func(tx Tx) (err error) {
		set := m // fn may run twice
		if set.Include, err = groupIDs(tx, m.Include); err != nil {
			return err
		}
		if set.Exclude, err = groupIDs(tx, m.Exclude); err != nil {
			return err
		}
		p, err := e.policyOf(tx)
		if err != nil {
			return err
		}
		p[method] = set
		if err := e.compile(tx, p); err != nil {
			return err
		}
		detail := fmt.Sprintf("enabled=%t include=%s exclude=%s sign-in=%t", set.Enabled, strings.Join(set.Include, ","),
			strings.Join(set.Exclude, ","), set.SignIn)
		return tx.Append(e.entry(by, "policy.set", string(method), detail, e.now()))
	}))
}

func groupIDs(r Reader, groups []string) ([]string, error) {
	var ids []string
	for _, name := range groups {
		g, err := findGroup(r, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// recompile is for when groups were put into others or taken out.
func (e *Engine) recompile(tx Tx) error {
	p, err := e.policyOf(tx)
	if err != nil {
		return err
	}
	return e.compile(tx, p)
}

// compile stores a policy together with the nesting of its groups, so that a
// login and a reading of many users need no more than a user's own groups.
func (e *Engine) compile(tx Tx, p Policy) error {
	c := compiled{Methods: p, Reach: map[string][]string{}}
	for _, method := range PolicyMethods() {
		for _, target := range slices.Concat(p[method].Include, p[method].Exclude) {
			if slices.Contains(c.Reach[target], target) {
				continue
			}
			within, err := nested(tx, target)
			if err != nil {
				return err
			}
			for _, id := range within {
				c.Reach[id] = append(c.Reach[id], target)
			}
		}
	}
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("the policy cannot be written: %w", err)
	}
	version, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("no version can be made: %w", err)
	}
	if err := tx.SetMeta(metaPolicy, value); err != nil {
		return err
	}
	return tx.SetMeta(metaPolicyVersion, []byte(version.String()))
}

// rules is a compiled policy as it was read.
type rules struct {
	compiled
	version  string
	everyone Allowed // what somebody may use who is in none of the groups
}

// rules returns the policy that holds in r: what was read before if its
// version still stands there.
func (e *Engine) rules(r Reader) (*rules, error) {
	version, err := r.Meta(metaPolicyVersion)
	if err != nil {
		return nil, err
	}
	if known := e.policy.Load(); known != nil && known.version == string(version) {
		return known, nil
	}
	if string(version) == versionReplaced {
		return nil, replaced()
	}
	read := &rules{version: string(version)}
	if len(version) > 0 {
		value, err := r.Meta(metaPolicy)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(value, &read.compiled); err != nil {
			return nil, refuse(cloud.Internal, "the method policy cannot be read")
		}
	}
	if read.Methods == nil {
		read.Methods = Policy{}
	}
	for _, method := range PolicyMethods() {
		if _, ok := read.Methods[method]; !ok {
			read.Methods[method] = MethodPolicy{Enabled: method != PolicyTextSignIn}
		}
	}
	read.everyone = read.Methods.For(nil)
	e.policy.Store(read)
	return read, nil
}

// Allowed is what the policy lets one user use.
type Allowed struct {
	SMS, Voice, SoftwareOATH, HardwareOATH, Email, Authenticator bool

	WhatsApp, RCS bool // where SMS is: texts may go this way

	SignIn bool // see MethodPolicy.SignIn

	TextSignIn bool // see PolicyTextSignIn
}

// For is what the policy lets a user use who is in these groups, of those
// that it names.
func (p Policy) For(groups []string) Allowed {
	may := func(method PolicyMethod) bool {
		m, ok := p[method]
		in := func(list []string) bool {
			return slices.ContainsFunc(list, func(g string) bool { return slices.Contains(groups, g) })
		}
		return ok && m.Enabled && (len(m.Include) == 0 || in(m.Include)) && !in(m.Exclude)
	}
	return Allowed{SMS: may(PolicySMS), Voice: may(PolicyVoice), SoftwareOATH: may(PolicySoftwareOATH), HardwareOATH: may(PolicyHardwareOATH),
		WhatsApp: may(PolicyWhatsApp), RCS: may(PolicyRCS), Email: may(PolicyEmail), Authenticator: may(PolicyAuthenticator), TextSignIn: may(PolicyTextSignIn),
		SignIn: may(PolicySMS) && p[PolicySMS].SignIn}
}

// forUser is what the policy lets a user use. Only where it names groups at
// all does it look for those of the user.
func (p *rules) forUser(r Reader, user cloud.UserID) (Allowed, error) {
	if len(p.Reach) == 0 {
		return p.everyone, nil
	}
	direct, err := groupsWith(r, string(user))
	if err != nil {
		return Allowed{}, err
	}
	var named []string
	for _, id := range direct {
		named = append(named, p.Reach[id]...)
	}
	return p.Methods.For(named), nil
}

// allowed is what the policy of this moment lets a user use.
func (e *Engine) allowed(r Reader, user cloud.UserID) (Allowed, error) {
	p, err := e.rules(r)
	if err != nil {
		return Allowed{}, err
	}
	return p.forUser(r, user)
}

// Forbidden are the methods that are not allowed. A mobile is one only where
// neither text nor voice may be used.
func (a Allowed) Forbidden() []cloud.Method {
	var no []cloud.Method
	for _, m := range []struct {
		method cloud.Method
		may    bool
	}{{cloud.Mobile, a.SMS || a.Voice}, {cloud.AlternateMobile, a.Voice}, {cloud.Office, a.Voice}, {cloud.Email, a.Email},
		{cloud.SoftwareOATH, a.SoftwareOATH}, {cloud.HardwareOATH, a.HardwareOATH}, {cloud.Authenticator, a.Authenticator}} {
		if !m.may {
			no = append(no, m.method)
		}
	}
	return no
}

// ForbiddenWays are the ways to reach a mobile phone that are not allowed
// where one of them is.
func (a Allowed) ForbiddenWays() []cloud.Preference {
	switch {
	case a.SMS && !a.Voice:
		return []cloud.Preference{cloud.VoiceMobile}
	case a.Voice && !a.SMS:
		return []cloud.Preference{cloud.SMS}
	}
	return nil
}

// tokens are those generators that may be used.
func (a Allowed) tokens(all []Token) []Token {
	if a.SoftwareOATH && a.HardwareOATH {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(t Token) bool {
		return !(t.Method == cloud.SoftwareOATH && a.SoftwareOATH || t.Method == cloud.HardwareOATH && a.HardwareOATH)
	})
}
