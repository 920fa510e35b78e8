package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// MFABehavior says who does multifactor authentication for the users of a
// federated domain (resources/internaldomainfederation:
// federatedIdpMfaBehavior).
type MFABehavior string

const (
	MFAUnset   MFABehavior = ""                              // counts as MFAAccept, unless SupportsMfa of old says otherwise
	MFAAccept  MFABehavior = "acceptIfMfaDoneByFederatedIdp" // what the federated server did counts
	MFAEnforce MFABehavior = "enforceMfaByFederatedIdp"      // users are sent there for it
	MFAReject  MFABehavior = "rejectMfaByFederatedIdp"       // Entra ID does it always
)

// Domain is one of a tenant's domains.
type Domain struct {
	Name       string
	Federated  bool
	Federation string      // id of its own configuration; empty: it has none
	Behavior   MFABehavior // of a federated domain
	Like       string      // the domain above it whose configuration counts; empty: its own does
	Unknown    string      // why nobody can tell which one counts; empty: it is known
}

// Rollout is a policy of staged rollout.
type Rollout struct {
	ID      string
	Name    string
	Feature string // "multiFactorAuthentication", "passwordHashSync", …
	Enabled bool
	All     bool // of the whole organisation
	Groups  []RolloutGroup
}

// RolloutGroup is a group that a policy applies to.
type RolloutGroup struct{ ID, Name string }

// MFAFeature is the feature that hands multifactor authentication over from
// the old server, group by group.
const MFAFeature = "multiFactorAuthentication"

// MaxRolloutGroups is how many groups one feature takes (concepts of staged
// rollout).
const MaxRolloutGroups = 10

// maxPages bounds a list.
const maxPages = 100

// Domains reads the tenant's domains in the order of their names, and how the
// federated ones are configured. Denied: the application lacks
// Domain.Read.All.
func (d *Directory) Domains(ctx context.Context) ([]Domain, error) {
	list, err := all[struct {
		ID   string `json:"id"`
		Type string `json:"authenticationType"`
	}](ctx, d.client, v1, "/domains?$select=id,authenticationType", nil)
	if err != nil {
		return nil, fmt.Errorf("the domains cannot be read: %w", err)
	}
	var domains []Domain
	for _, v := range list {
		domain := Domain{Name: v.ID, Federated: strings.EqualFold(v.Type, "Federated")}
		if domain.Federated {
			if err := d.federation(ctx, &domain); err != nil {
				return nil, err
			}
		}
		domains = append(domains, domain)
	}
	slices.SortFunc(domains, func(a, b Domain) int { return cmp.Compare(a.Name, b.Name) })
	inherit(domains)
	return domains, nil
}

// federation reads a domain's own configuration. What Graph answers for one that
// has none is not published: an empty list, or that there is no such thing.
func (d *Directory) federation(ctx context.Context, domain *Domain) error {
	configurations, err := all[struct {
		ID       string `json:"id"`
		Behavior string `json:"federatedIdpMfaBehavior"`
	}](ctx, d.client, v1, "/domains/"+url.PathEscape(domain.Name)+"/federationConfiguration", nil)
	switch refused, ok := errors.AsType[*cloud.Error](err); {
	case err == nil && len(configurations) > 0:
		domain.Federation, domain.Behavior = configurations[0].ID, MFABehavior(configurations[0].Behavior)
	case err == nil:
		domain.Unknown = "Graph shows no configuration of it"
	case ok && slices.Contains([]cloud.Kind{cloud.Invalid, cloud.NotFound, cloud.Unsupported}, refused.Kind):
		domain.Unknown = refused.Message
	default:
		return fmt.Errorf("the federation of %s cannot be read: %w", domain.Name, err)
	}
	return nil
}

// inherit gives a domain without a configuration of its own that of the next
// domain above it that has one: who signs in there is sent to the same server
// (domains-verify-custom-subdomain). So it is, too, where both are told alike.
func inherit(domains []Domain) {
	read := slices.Clone(domains)
	for i := range domains {
		child := &domains[i]
		if above := configured(child.Name, read); child.Federated && above != nil && (child.Federation == "" || child.Federation == above.Federation) {
			child.Like, child.Federation, child.Behavior, child.Unknown = above.Name, "", above.Behavior, ""
		}
	}
}

// configured is the next domain above one that has a configuration; nil: none has.
func configured(child string, domains []Domain) *Domain {
	var next *Domain
	for i := range domains {
		d := &domains[i]
		below := strings.HasSuffix(strings.ToLower(child), "."+strings.ToLower(d.Name))
		if below && d.Federation != "" && (next == nil || len(d.Name) > len(next.Name)) {
			next = d
		}
	}
	return next
}

// Rollouts reads the policies of staged rollout. Denied: the application may
// not; whether an application may at all is published in two ways
// (docs/cutover.md).
func (d *Directory) Rollouts(ctx context.Context) ([]Rollout, error) {
	// Features behind the sentinel of the enumeration are shown only to who asks.
	unknown := http.Header{"Prefer": {"include-unknown-enum-members"}}
	list, err := all[struct {
		ID      string `json:"id"`
		Name    string `json:"displayName"`
		Feature string `json:"feature"`
		Enabled bool   `json:"isEnabled"`
		All     bool   `json:"isAppliedToOrganization"`
	}](ctx, d.client, v1, "/policies/featureRolloutPolicies", unknown)
	if err != nil {
		return nil, fmt.Errorf("staged rollout cannot be read: %w", err)
	}
	var rollouts []Rollout
	for _, v := range list {
		groups, err := all[struct {
			ID   string `json:"id"`
			Name string `json:"displayName"`
		}](ctx, d.client, v1, "/policies/featureRolloutPolicies/"+url.PathEscape(v.ID)+"/appliesTo", nil)
		if err != nil {
			return nil, fmt.Errorf("the groups of staged rollout cannot be read: %w", err)
		}
		rollout := Rollout{ID: v.ID, Name: v.Name, Feature: v.Feature, Enabled: v.Enabled, All: v.All}
		for _, g := range groups {
			rollout.Groups = append(rollout.Groups, RolloutGroup{g.ID, g.Name})
		}
		rollouts = append(rollouts, rollout)
	}
	return rollouts, nil
}

// all reads a list page by page.
func all[T any](ctx context.Context, c *client, version, path string, header http.Header) ([]T, error) {
	var values []T
	for range maxPages {
		var p page[T]
		if err := c.getWith(ctx, version, path, header, &p); err != nil {
			return nil, err
		}
		values = append(values, p.Value...)
		if p.Next == "" {
			return values, nil
		}
		path = p.Next
	}
	return nil, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the list has more than %d pages", maxPages)}
}

// Instance is the id of the tenant, as [cloud.Capabilities] have it.
func (d *Directory) Instance() string { return d.tenant.ID }

// URL is where a path of v1.0 is, for people who change something by hand.
func (d *Directory) URL(path string) string { return d.o.Cloud.Root + v1 + path }
