package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// eligiblePath lists who may take a role on for a while by Privileged Identity
// Management (api/rbacapplication-list-roleeligibilityscheduleinstances). The
// lists of roles that people have leave them out.
const eligiblePath = "/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal"

// noPremium is the code of a tenant without the licence for it, where nobody can
// be made eligible.
const noPremium = "AadPremiumLicenseRequired"

// eligibility is who may take a role on, as far as it is told.
type eligibility struct {
	ids    []string // of people and groups, in lower case
	groups []string
	none   bool   // the tenant has no such thing
	hidden string // why it is not known, or not all of it; empty: it is
}

// names tells whether one of these ids, of a user and of the groups that the
// user is in, may take a role on.
func (e *eligibility) names(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool {
		_, found := slices.BinarySearch(e.ids, strings.ToLower(id))
		return found
	})
}

// mayTakeRoles reads who may take a role on, anew every few minutes. That Graph
// does not tell this application is no error, but a check. That it has told
// before and does not any more is one: the check was made by then.
func (d *Directory) mayTakeRoles(ctx context.Context) (*eligibility, error) {
	return d.eligible.get(d.o.Now, func() (*eligibility, error) {
		list, err := all[struct {
			ID        string `json:"principalId"`
			Principal struct {
				Type string `json:"@odata.type"`
			} `json:"principal"`
		}](ctx, d.client, v1, eligiblePath, nil)
		var e eligibility
		told := d.eligible.value != nil && d.eligible.value.hidden == ""
		switch refused, ok := errors.AsType[*cloud.Error](err); {
		case err == nil:
		case ok && refused.Kind == cloud.Invalid && strings.Contains(refused.Message, " "+noPremium):
			e.none = true
		case ok && slices.Contains([]cloud.Kind{cloud.Denied, cloud.Invalid, cloud.NotFound, cloud.Unsupported}, refused.Kind) && !isCredential(err) && !told:
			e.hidden = refused.Message
		default:
			return nil, fmt.Errorf("who may take a role on cannot be read: %w", err)
		}
		for _, v := range list {
			id := strings.ToLower(v.ID)
			e.ids = append(e.ids, id)
			switch strings.ToLower(v.Principal.Type) {
			case "": // deleted meanwhile, or kept from us
				e.hidden = "of some it does not say whether they are groups"
			case "#microsoft.graph.group":
				if isGUID(id) && !slices.Contains(e.groups, id) {
					e.groups = append(e.groups, id)
				}
			}
		}
		slices.Sort(e.ids)
		return &e, nil
	})
}

// checkEligible tells whether administrators of the hour are known.
func (d *Directory) checkEligible(ctx context.Context) cloud.Check {
	e, err := d.mayTakeRoles(ctx)
	switch {
	case err != nil:
		return cloud.Check{Name: cloud.CheckEligible, Result: cloud.CheckUnknown, Detail: err.Error(), Action: "Ask again."}
	case e.hidden != "":
		return cloud.Check{Name: cloud.CheckEligible, Result: cloud.CheckUnknown,
			Detail: "Graph does not tell who may take an administrative role on for a while (" + e.hidden + "): they count as ordinary users",
			Action: "Grant the application RoleManagement.Read.Directory or RoleEligibilitySchedule.Read.Directory, or leave those people out by --scope."}
	case e.none:
		return passed(cloud.CheckEligible, "the tenant has no licence for roles that are taken on for a while, so nobody can")
	}
	return passed(cloud.CheckEligible, fmt.Sprintf("who may take a role on for a while counts as an administrator; people and groups: %d", len(slices.Compact(slices.Clone(e.ids)))))
}
