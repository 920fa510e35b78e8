package graph

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// federated is a domain whose users sign in at another server.
type federated struct {
	domain, id, behavior string // behavior: federatedIdpMfaBehavior; empty: null
}

// behaviors are the values of federatedIdpMfaBehavior
// (resources/internaldomainfederation).
func behaviors() []string {
	return []string{"acceptIfMfaDoneByFederatedIdp", "enforceMfaByFederatedIdp", "rejectMfaByFederatedIdp"}
}

// parseFederated understands DOMAIN/BEHAVIOR, and DOMAIN for a behaviour that
// was never set.
func parseFederated(s string) (federated, bool) {
	domain, behavior, given := strings.Cut(s, "/")
	ok := strings.Contains(domain, ".") && !strings.ContainsAny(domain, " /@") && len(domain) <= 255 && (!given || slices.Contains(behaviors(), behavior))
	return federated{strings.ToLower(domain), stableID("federation " + domain), behavior}, ok
}

// stableID is a GUID that is the same each time the rehearsal starts.
func stableID(of string) string {
	sum := sha256.Sum256([]byte(of))
	id, _ := uuid.FromBytes(sum[:16]) // 16 bytes are one always
	return id.String()
}

func (f *Face) showFederation(d *federated) object {
	var behavior any
	if d.behavior != "" {
		behavior = d.behavior
	}
	at := "https://sts." + d.domain + "/adfs/"
	return object{"@odata.type": "#microsoft.graph.internalDomainFederation", "id": d.id, "displayName": d.domain, "issuerUri": "http://sts." + d.domain + "/adfs/services/trust",
		"passiveSignInUri": at + "ls/", "activeSignInUri": at + "services/trust/2005/usernamemixed", "signOutUri": at + "ls/", "metadataExchangeUri": at + "services/trust/mex",
		"preferredAuthenticationProtocol": "wsFed", "promptLoginBehavior": "nativeSupport", "isSignedAuthenticationRequestRequired": false,
		"signingCertificate": nil, "nextSigningCertificate": nil, "federatedIdpMfaBehavior": behavior}
}

// domains lists those of the tenant.
func (f *Face) domains(c *call) (answer, error) {
	caps, err := f.core.Capabilities(c.ctx)
	if err != nil {
		return answer{}, err
	}
	f.mu.Lock()
	servers := slices.Clone(f.policy.federated)
	names := slices.Clone(caps.Domains)
	for _, d := range servers {
		if !slices.Contains(names, d.domain) {
			names = append(names, d.domain)
		}
	}
	f.mu.Unlock()
	values := []object{}
	for i, name := range names {
		kind, root := "Managed", true
		for _, d := range servers {
			below := strings.HasSuffix(strings.ToLower(name), "."+d.domain)
			if below || strings.EqualFold(name, d.domain) { // a domain follows the one above it
				kind, root = "Federated", root && !below
			}
		}
		o := object{"id": name, "authenticationType": kind, "isDefault": i == 0, "isInitial": i == 0, "isVerified": true,
			"isAdminManaged": true, "isRoot": root, "supportedServices": []string{"Email"}}
		shown, err := c.selected(o, keys(o), "microsoft.graph.domain")
		if err != nil {
			return answer{}, err
		}
		values = append(values, shown)
	}
	return okay(object{"@odata.context": c.context("domains"), "value": values})
}

// federation is the configuration of the domain in a path.
func (f *Face) federation(c *call) (*federated, error) {
	for i, d := range f.policy.federated {
		if strings.EqualFold(d.domain, c.vars[0]) && (len(c.vars) == 1 || strings.EqualFold(d.id, c.vars[1])) {
			return &f.policy.federated[i], nil
		}
	}
	return nil, fail(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+clip(c.vars[len(c.vars)-1])+"' does not exist or one of its queried reference-property objects are not present.")
}

func (f *Face) federations(c *call) (answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.federation(c)
	if err != nil {
		return answer{}, err
	}
	return okay(object{"@odata.context": c.context("domains('" + c.vars[0] + "')/federationConfiguration"), "value": []object{f.showFederation(d)}})
}

func (f *Face) oneFederation(c *call) (answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.federation(c)
	if err != nil {
		return answer{}, err
	}
	return okay(f.showFederation(d))
}

// setFederation changes who does multifactor authentication; nothing else of
// a federation can be rehearsed.
func (f *Face) setFederation(c *call) (answer, error) {
	var in struct {
		Behavior *string `json:"federatedIdpMfaBehavior"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Behavior == nil || !slices.Contains(behaviors(), *in.Behavior) {
		return answer{}, bad("Invalid value specified for property 'federatedIdpMfaBehavior' of resource 'InternalDomainFederation'.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.federation(c)
	if err != nil {
		return answer{}, err
	}
	d.behavior = *in.Behavior
	return okay(f.showFederation(d))
}

// rolloutID is the policy of staged rollout that a tenant with a federated
// domain has.
func rolloutID() string { return stableID("featureRolloutPolicy multiFactorAuthentication") }

// maxRolloutGroups is how many groups a feature takes.
const maxRolloutGroups = 10

func (f *Face) rollouts(c *call) (answer, error) {
	// The feature stands behind the sentinel of its enumeration.
	feature := "unknownFutureValue"
	if slices.ContainsFunc(c.header.Values("Prefer"), func(s string) bool { return strings.Contains(s, "include-unknown-enum-members") }) {
		feature = "multiFactorAuthentication"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	values := []object{}
	if len(f.policy.federated) > 0 {
		values = append(values, object{"id": rolloutID(), "displayName": "Staged rollout of multifactor authentication", "description": nil, "feature": feature,
			"isEnabled": !f.policy.unstaged, "isAppliedToOrganization": false})
	}
	return okay(object{"@odata.context": c.context("policies/featureRolloutPolicies"), "value": values})
}

// setRollout switches staged rollout on or off; nothing else of it can be
// rehearsed.
func (f *Face) setRollout(c *call) (answer, error) {
	var in struct {
		Enabled *bool `json:"isEnabled"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Enabled == nil || !strings.EqualFold(c.vars[0], rolloutID()) {
		return answer{}, bad("The rehearsal changes isEnabled of its one policy, and nothing else.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policy.unstaged = !*in.Enabled
	return done()
}

func (f *Face) rolloutGroups(c *call) (answer, error) {
	if !strings.EqualFold(c.vars[0], rolloutID()) {
		return answer{}, fail(http.StatusNotFound, "Request_ResourceNotFound", "The policy was not found.")
	}
	f.mu.Lock()
	staged := slices.Clone(f.policy.staged)
	f.mu.Unlock()
	values := []object{}
	for _, id := range staged {
		g, err := f.core.FindGroup(c.ctx, id)
		if err != nil {
			continue // a group that was deleted
		}
		o := showGroup(&g)
		o["@odata.type"] = "#microsoft.graph.group"
		values = append(values, o)
	}
	return okay(object{"@odata.context": c.context("directoryObjects"), "value": values})
}

// stage adds a group to the policy.
func (f *Face) stage(c *call) (answer, error) {
	var in struct {
		ID string `json:"@odata.id"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	id := in.ID[strings.LastIndexByte(in.ID, '/')+1:]
	g, err := f.core.FindGroup(c.ctx, id)
	if err != nil || g.ID != id || !strings.EqualFold(c.vars[0], rolloutID()) {
		return answer{}, fail(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+clip(id)+"' does not exist.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case slices.Contains(f.policy.staged, g.ID):
		return answer{}, bad("One or more added object references already exist for the following modified properties: 'appliesTo'.")
	case len(f.policy.staged) >= maxRolloutGroups:
		return answer{}, bad("A feature applies to ten groups at most.")
	}
	f.policy.staged = append(f.policy.staged, g.ID)
	return answer{status: http.StatusCreated, body: object{"@odata.context": c.context("directoryObjects"), "id": g.ID}}, nil
}

// unstage takes a group away.
func (f *Face) unstage(c *call) (answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.Index(f.policy.staged, strings.ToLower(c.vars[len(c.vars)-1]))
	if at < 0 || !strings.EqualFold(c.vars[0], rolloutID()) {
		return answer{}, fail(http.StatusNotFound, "Request_ResourceNotFound", "The group is not one of the policy's.")
	}
	f.policy.staged = slices.Delete(f.policy.staged, at, at+1)
	return done()
}
