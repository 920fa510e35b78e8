package graph

import (
	"encoding/json"
	"net/http"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// kindOfMethod is one type of method: its segment and its type.
type kindOfMethod struct {
	segment, name string
	beta          bool
	all           func(f *Face, s *state) []object
}

func kindsOfMethods() []kindOfMethod {
	return []kindOfMethod{
		{"passwordMethods", "passwordAuthenticationMethod", false, func(_ *Face, _ *state) []object {
			return []object{{"id": idPassword, "password": nil, "createdDateTime": nil}}
		}},
		{"phoneMethods", "phoneAuthenticationMethod", false, func(f *Face, s *state) []object { return f.phoneList(&s.User) }},
		{"emailMethods", "emailAuthenticationMethod", false, func(_ *Face, s *state) []object {
			if s.Email == "" {
				return nil
			}
			return []object{showEmail(&s.User)}
		}},
		{"microsoftAuthenticatorMethods", "microsoftAuthenticatorAuthenticationMethod", false, apps},
		{"softwareOathMethods", "softwareOathAuthenticationMethod", false, softTokens},
		{"hardwareOathMethods", "hardwareOathAuthenticationMethod", true, func(_ *Face, s *state) []object { return hardTokens(s) }},
		{"temporaryAccessPassMethods", "temporaryAccessPassAuthenticationMethod", false, nobody},
		{"fido2Methods", "fido2AuthenticationMethod", false, nobody},
		{"windowsHelloForBusinessMethods", "windowsHelloForBusinessAuthenticationMethod", false, nobody},
		{"platformCredentialMethods", "platformCredentialAuthenticationMethod", false, nobody},
	}
}

func nobody(*Face, *state) []object { return nil }

// apps are the authenticators that were activated: nobody is invited to one
// over Graph.
func apps(_ *Face, s *state) (all []object) {
	for _, a := range s.Authenticators {
		if a.State == "active" {
			all = append(all, object{"id": a.ID, "displayName": a.Name, "deviceTag": "SoftwareTokenActivated", "phoneAppVersion": nil, "createdDateTime": nil})
		}
	}
	return all
}

func softTokens(_ *Face, s *state) (all []object) {
	for _, o := range s.OATH {
		if o.Method == cloud.SoftwareOATH {
			all = append(all, object{"id": o.ID, "secretKey": nil})
		}
	}
	return all
}

func hardTokens(s *state) (all []object) {
	for _, h := range s.hardware {
		device := showDevice(&h, "")
		delete(device, "assignedTo")
		all = append(all, object{"id": h.ID, "createdDateTime": nil, "device": device})
	}
	return all
}

// methods are all methods of a user, each with its type.
func (f *Face) methods(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	return f.listed(c, "methods", f.everyMethod(c, &s))
}

func (f *Face) everyMethod(c *call, s *state) []object {
	all := []object{}
	for _, kind := range kindsOfMethods() {
		if kind.beta && c.version != "beta" {
			continue
		}
		for _, o := range kind.all(f, s) {
			o["@odata.type"] = "#microsoft.graph." + kind.name
			all = append(all, o)
		}
	}
	return all
}

func (f *Face) method(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	return one(f.everyMethod(c, &s), c.vars[1])
}

func one(all []object, id string) (answer, error) {
	for _, o := range all {
		if strings.EqualFold(o["id"].(string), id) {
			return okay(o)
		}
	}
	return answer{}, absent()
}

// kind is the type of method that a call's segment names.
func (c *call) kind() kindOfMethod {
	for _, kind := range kindsOfMethods() {
		if strings.EqualFold(kind.segment, c.segments[3]) {
			return kind
		}
	}
	return kindOfMethod{all: nobody}
}

func (f *Face) ofType(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	kind := c.kind()
	all := kind.all(f, &s)
	if all == nil {
		all = []object{}
	}
	return f.listed(c, kind.segment, all)
}

func (f *Face) ofTypeOne(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	return one(c.kind().all(f, &s), c.vars[1])
}

// removeOfType takes an app or a software token away.
func (f *Face) removeOfType(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	change := cloud.Change{User: p.ID, Op: cloud.Remove, ID: c.vars[1], Method: cloud.Authenticator}
	if strings.EqualFold(c.segments[3], "softwareOathMethods") {
		change.Method = cloud.SoftwareOATH
	}
	if change.Before = p.Value(change.Method, c.vars[1], cloud.Value{}); change.Before.IsZero() {
		return answer{}, absent()
	}
	if err := f.change(c, change); err != nil {
		return answer{}, err
	}
	return done()
}

// Words of the preferred method (resources/signinpreferences).
func isPreference(s string) bool {
	switch cloud.Preference(s) {
	case cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice:
		return true
	}
	return false
}

func (f *Face) preferences(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	enabled := f.systemPreferred()
	o := object{"@odata.context": c.context("users('" + c.vars[0] + "')/authentication/signInPreferences"),
		"isSystemPreferredAuthenticationMethodEnabled": enabled, "userPreferredMethodForSecondaryAuthentication": none(string(s.Default))}
	if enabled {
		o["systemPreferredAuthenticationMethod"] = nil
	}
	return okay(o)
}

func (f *Face) setPreferences(c *call) (answer, error) {
	var in struct {
		System    *bool           `json:"isSystemPreferredAuthenticationMethodEnabled"`
		Preferred json.RawMessage `json:"userPreferredMethodForSecondaryAuthentication"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	var word *string
	if len(in.Preferred) > 0 && json.Unmarshal(in.Preferred, &word) != nil {
		return answer{}, bad("userPreferredMethodForSecondaryAuthentication must be a text.")
	}
	switch {
	case in.System != nil:
		return answer{}, bad("The rehearsal does not set isSystemPreferredAuthenticationMethodEnabled.")
	case len(in.Preferred) == 0:
		return done()
	case word == nil:
		if !f.core.Assumed().UnsetDefault {
			return answer{}, bad("userPreferredMethodForSecondaryAuthentication cannot be unset.")
		}
		word = new(string)
	case !isPreference(*word):
		return answer{}, bad("'%s' is not a preferred method.", clip(*word))
	}
	err = f.change(c, cloud.Change{User: p.ID, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue(string(p.Default)), After: cloud.TextValue(*word)})
	if err != nil && (cloud.KindOf(err) != cloud.Invalid || !f.assume.Unregistered) {
		return answer{}, err
	}
	return done()
}

func (f *Face) requirements(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	return okay(object{"@odata.context": c.context("users('" + c.vars[0] + "')/authentication/requirements"), "perUserMfaState": f.requirement(p.ID)})
}

func (f *Face) setRequirements(c *call) (answer, error) {
	var in struct {
		State string `json:"perUserMfaState"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if in.State != "disabled" && in.State != "enabled" && in.State != "enforced" {
		return answer{}, bad("perUserMfaState must be disabled, enabled or enforced.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policy.required[p.ID] = in.State
	return done()
}

// registrations is the report of who has registered what. It comes late at
// Microsoft; here it does not.
func (f *Face) registrations(c *call) (answer, error) {
	return f.list(c, "reports/authenticationMethods/userRegistrationDetails", func(after string, limit int) ([]entry, error) {
		some, err := f.core.PersonsAfter(c.ctx, cloud.UserID(after), limit)
		var entries []entry
		for i := range some {
			e := entry{key: string(some[i].ID)}
			if some[i].Enabled {
				e.shown = showRegistration(&some[i])
			}
			entries = append(entries, e)
		}
		return entries, err
	}, func(o object) bool { return o != nil })
}

func showRegistration(p *engine.Person) object {
	registered := []string{}
	for word, has := range map[string]bool{"mobilePhone": p.Mobile != "", "alternateMobilePhone": p.Alternate != "", "officePhone": p.Office != "", "email": p.Email != ""} {
		if has {
			registered = append(registered, word)
		}
	}
	for _, o := range p.OATH {
		word := "softwareOneTimePasscode"
		if o.Method == cloud.HardwareOATH {
			word = "hardwareOneTimePasscode"
		}
		registered = append(registered, word)
	}
	mfa := p.Mobile+p.Alternate+p.Office != "" || len(p.OATH) > 0
	kind := "member"
	if p.Guest {
		kind = "guest"
	}
	preferred := string(p.Default)
	if preferred == "" {
		preferred = "none"
	}
	return object{"id": string(p.ID), "userPrincipalName": p.UPN, "userDisplayName": p.DisplayName, "userType": kind, "isAdmin": p.Privileged,
		"isMfaCapable": mfa, "isMfaRegistered": mfa, "isPasswordlessCapable": false, "methodsRegistered": registered,
		"userPreferredMethodForSecondaryAuthentication": preferred}
}

// created is the answer to something new.
func created(o object) (answer, error) { return answer{status: http.StatusCreated, body: o}, nil }
