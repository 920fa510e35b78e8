package graph

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route is one row: what is answered, to whom, and what it costs.
type route struct {
	method string
	path   string // segments; * takes any one
	beta   bool   // not in v1.0
	any    []string
	units  int // resource units (throttling-limits); 0: 1
	answer func(*Face, *call) (answer, error)
}

// Who may do what, by the permissions sections of the pages.
var (
	readMethods  = []string{permMethodsRead, permMethods}
	writeMethods = []string{permMethods}
	readPolicy   = []string{permPolicyRead, permPolicy}
	writePolicy  = []string{permPolicy}
	readUsers    = []string{permUsers, permDirectory}
	readGroups   = []string{permGroups, permGroupsRead, permDirectory}
	readMembers  = []string{permUsers, permGroups, permDirectory}
	readRoles    = []string{permRoles, permDirectory}
	readEligible = []string{permRoles, permEligible}
	readJoiners  = []string{permJoiners}
	readDomains  = []string{permDomains, permDomainsWrite, permDirectory}
	readRollout  = []string{permDirectory, permDirectoryAll}
	writeRollout = []string{permDirectoryAll}
	readTenant   = []string{permOrganization, permDirectory, permDirectoryAll}
)

// routes are all rows.
func routes() []route {
	get, post, patch, remove := http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const m = "users/*/authentication/"
	const inventory = "directory/authenticationMethodDevices/hardwareOathDevices"
	return []route{
		{get, "organization", false, readTenant, 0, (*Face).organization},
		{get, "organization/*", false, readTenant, 0, (*Face).organization},
		{get, "users", false, readUsers, 2, (*Face).users},
		{get, "users/$count", false, readUsers, 0, (*Face).countUsers},
		{get, "users/*", false, readUsers, 1, (*Face).user},
		{post, "users/*/checkMemberGroups", false, readMembers, 4, (*Face).checkMemberGroups},
		{post, "users/*/getMemberGroups", false, readMembers, 2, (*Face).memberGroups},
		{get, "users/*/memberOf", false, readMembers, 2, (*Face).memberOf},
		{get, "users/*/memberOf/*", false, readMembers, 2, (*Face).memberOf},
		{get, "users/*/transitiveMemberOf", false, readMembers, 2, (*Face).memberOf},
		{get, "users/*/transitiveMemberOf/*", false, readMembers, 2, (*Face).memberOf},

		{get, m + "methods", false, readMethods, 0, (*Face).methods},
		{get, m + "methods/*", false, readMethods, 0, (*Face).method},
		{get, m + "phoneMethods", false, readMethods, 0, (*Face).phones},
		{post, m + "phoneMethods", false, writeMethods, 0, (*Face).addPhone},
		{get, m + "phoneMethods/*", false, readMethods, 0, (*Face).phone},
		{patch, m + "phoneMethods/*", false, writeMethods, 0, (*Face).changePhone},
		{remove, m + "phoneMethods/*", false, writeMethods, 0, (*Face).removePhone},
		{get, m + "emailMethods", false, readMethods, 0, (*Face).emails},
		{post, m + "emailMethods", false, writeMethods, 0, (*Face).addEmail},
		{get, m + "emailMethods/*", false, readMethods, 0, (*Face).email},
		{patch, m + "emailMethods/*", false, writeMethods, 0, (*Face).changeEmail},
		{remove, m + "emailMethods/*", false, writeMethods, 0, (*Face).removeEmail},
		{get, m + "microsoftAuthenticatorMethods", false, readMethods, 0, (*Face).ofType},
		{get, m + "microsoftAuthenticatorMethods/*", false, readMethods, 0, (*Face).ofTypeOne},
		{remove, m + "microsoftAuthenticatorMethods/*", false, writeMethods, 0, (*Face).removeOfType},
		{get, m + "softwareOathMethods", false, readMethods, 0, (*Face).ofType},
		{get, m + "softwareOathMethods/*", false, readMethods, 0, (*Face).ofTypeOne},
		{remove, m + "softwareOathMethods/*", false, writeMethods, 0, (*Face).removeOfType},
		{get, m + "passwordMethods", false, readMethods, 0, (*Face).ofType},
		{get, m + "passwordMethods/*", false, readMethods, 0, (*Face).ofTypeOne},
		{get, m + "temporaryAccessPassMethods", false, readMethods, 0, (*Face).passes},
		{post, m + "temporaryAccessPassMethods", false, writeMethods, 0, (*Face).addPass},
		{get, m + "temporaryAccessPassMethods/*", false, readMethods, 0, (*Face).pass},
		{remove, m + "temporaryAccessPassMethods/*", false, writeMethods, 0, (*Face).removePass},
		{get, m + "fido2Methods", false, readMethods, 0, (*Face).ofType},
		{get, m + "windowsHelloForBusinessMethods", false, readMethods, 0, (*Face).ofType},
		{get, m + "platformCredentialMethods", false, readMethods, 0, (*Face).ofType},
		{get, m + "hardwareOathMethods", true, readMethods, 0, (*Face).ofType},
		{post, m + "hardwareOathMethods", true, writeMethods, 0, (*Face).assignToken},
		{get, m + "hardwareOathMethods/*", true, readMethods, 0, (*Face).ofTypeOne},
		{remove, m + "hardwareOathMethods/*", true, writeMethods, 0, (*Face).unassignToken},
		{post, m + "hardwareOathMethods/assignAndActivate", true, writeMethods, 0, (*Face).assignAndActivate},
		{post, m + "hardwareOathMethods/assignAndActivateBySerialNumber", true, writeMethods, 0, (*Face).assignAndActivate},
		{post, m + "hardwareOathMethods/*/activate", true, writeMethods, 0, (*Face).activateToken},
		{post, m + "hardwareOathMethods/*/deactivate", true, writeMethods, 0, (*Face).deactivateToken},
		{get, m + "signInPreferences", true, readMethods, 0, (*Face).preferences},
		{patch, m + "signInPreferences", true, writeMethods, 0, (*Face).setPreferences},
		{get, m + "requirements", true, readPolicy, 0, (*Face).requirements},
		{patch, m + "requirements", true, writePolicy, 0, (*Face).setRequirements},

		{get, inventory, true, readPolicy, 0, (*Face).devices},
		{post, inventory, true, writePolicy, 0, (*Face).addDevice},
		{patch, inventory, true, writePolicy, 0, (*Face).addDevices},
		{get, inventory + "/*", true, readPolicy, 0, (*Face).device},
		{patch, inventory + "/*", true, writePolicy, 0, (*Face).editDevice},
		{remove, inventory + "/*", true, writePolicy, 0, (*Face).removeDevice},

		{get, "policies/authenticationMethodsPolicy", false, readPolicy, 0, (*Face).methodsPolicy},
		{patch, "policies/authenticationMethodsPolicy", false, writePolicy, 0, (*Face).setMethodsPolicy},
		{get, "policies/authenticationMethodsPolicy/authenticationMethodConfigurations", false, readPolicy, 0, (*Face).configurations},
		{get, "policies/authenticationMethodsPolicy/authenticationMethodConfigurations/*", false, readPolicy, 0, (*Face).configuration},
		{patch, "policies/authenticationMethodsPolicy/authenticationMethodConfigurations/*", false, writePolicy, 0, (*Face).setConfiguration},

		{get, "domains", false, readDomains, 0, (*Face).domains},
		{get, "domains/*/federationConfiguration", false, readDomains, 0, (*Face).federations},
		{get, "domains/*/federationConfiguration/*", false, readDomains, 0, (*Face).oneFederation},
		{patch, "domains/*/federationConfiguration/*", false, []string{permDomainsWrite}, 0, (*Face).setFederation},
		{get, "policies/featureRolloutPolicies", false, readRollout, 0, (*Face).rollouts},
		{patch, "policies/featureRolloutPolicies/*", false, writeRollout, 0, (*Face).setRollout},
		{get, "policies/featureRolloutPolicies/*/appliesTo", false, readRollout, 0, (*Face).rolloutGroups},
		{post, "policies/featureRolloutPolicies/*/appliesTo/$ref", false, writeRollout, 0, (*Face).stage},
		{remove, "policies/featureRolloutPolicies/*/appliesTo/*/$ref", false, writeRollout, 0, (*Face).unstage},

		{get, "groups", false, readGroups, 0, (*Face).groups},
		{get, "groups/*", false, readGroups, 0, (*Face).group},
		{get, "groups/*/members", false, readGroups, 3, (*Face).members},
		{get, "groups/*/members/*", false, readGroups, 3, (*Face).members},
		{get, "groups/*/owners", false, readGroups, 0, (*Face).owners},
		{get, "groups/*/transitiveMembers", false, readGroups, 5, (*Face).members},
		{get, "groups/*/transitiveMembers/*", false, readGroups, 5, (*Face).members},
		{get, "directoryRoles", false, readRoles, 0, (*Face).directoryRoles},
		{get, "roleManagement/directory/transitiveRoleAssignments", true, readRoles, 0, (*Face).roleAssignments},
		{get, "roleManagement/directory/roleEligibilityScheduleInstances", false, readEligible, 0, (*Face).eligible},
		{get, "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances", false, readJoiners, 0, (*Face).joiners},
		{get, "directory/deletedItems/*", false, readUsers, 0, (*Face).deleted},

		{get, "reports/authenticationMethods/userRegistrationDetails", false, []string{permAudit}, 0, (*Face).registrations},
		{post, "$batch", false, nil, 0, (*Face).batch},
	}
}

// find is the row of a call. 404: no row has the path; 405: one has, for
// another method.
func (f *Face) find(c *call) (*route, error) {
	other := false
	best := (*route)(nil)
	for _, r := range f.rows {
		vars, ok := match(r.path, c.segments)
		if !ok || r.beta && c.version != "beta" || f.tokenless && strings.Contains(r.path, "hardwareOath") {
			continue
		}
		if r.method != c.method {
			other = true
			continue
		}
		if best == nil || len(vars) < len(c.vars) { // the fewest wildcards
			best, c.vars = &r, vars
		}
	}
	switch {
	case best != nil:
		return best, nil
	case len(c.segments) > 0 && strings.EqualFold(c.segments[0], "me"):
		return nil, fail(http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	case other:
		return nil, fail(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
	t := fail(http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment.")
	if slices.ContainsFunc(c.segments, func(s string) bool { return strings.EqualFold(s, "$count") }) {
		t = fail(http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
	}
	t.bare = f.assume.Leak && len(c.segments) > 2 && strings.EqualFold(c.segments[2], "authentication")
	return nil, t
}

// match compares segments; keys are what stands for a *.
func match(pattern string, segments []string) (vars []string, ok bool) {
	n := 0
	for want := range strings.SplitSeq(pattern, "/") {
		if n == len(segments) {
			return nil, false
		}
		switch {
		case want == "*" && segments[n] != "":
			vars = append(vars, segments[n])
		case !strings.EqualFold(want, segments[n]):
			return nil, false
		}
		n++
	}
	return vars, n == len(segments)
}

// answer answers a call, alone or of a batch.
func (f *Face) answer(c *call) answer {
	a, err := f.dispatch(c)
	if err != nil {
		t := asTrouble(err)
		if t.status >= http.StatusInternalServerError {
			f.log.Error("rehearsal of Graph failed", "request", c.id, "status", t.status, "err", err)
		}
		a = t.answer(c, f.now())
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return a
}

func (f *Face) dispatch(c *call) (answer, error) {
	r, err := f.find(c)
	if err != nil {
		return answer{}, err
	}
	if r.path == "$batch" {
		return r.answer(f, c)
	}
	if len(r.any) > 0 && !c.may(r.any) {
		if strings.Contains(r.path, "/authentication/") {
			return answer{}, forbidden()
		}
		return answer{}, fail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	if err := errors.Join(f.fault(), f.unreadable(c)); err != nil {
		return answer{}, err
	}
	header, err := f.spend(c, r)
	if err != nil {
		return answer{}, err
	}
	if c.method != http.MethodGet {
		f.remember(c)
	}
	a, err := r.answer(f, c)
	if err != nil {
		t := asTrouble(err)
		t.header = withHeader(t.header, header)
		return answer{}, t
	}
	a.header = withHeader(a.header, header)
	if c.method != http.MethodGet && !r.asks() && f.loses() {
		a.lost = true
	}
	return a, nil
}

// withHeader is a header with more of it; both may be nil.
func withHeader(h, more http.Header) http.Header {
	if h == nil {
		h = http.Header{}
	}
	maps.Copy(h, more)
	return h
}

// okay is an answer with a body.
func okay(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

// done is an answer without one.
func done() (answer, error) { return answer{status: http.StatusNoContent}, nil }

// context is what @odata.context says.
func (c *call) context(of string) string { return c.base + "/" + c.version + "/$metadata#" + of }
