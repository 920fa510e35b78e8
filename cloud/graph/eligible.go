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
	closed string // the same of who is in a group that can have roles, owns it, or may join it
	joins  bool   // of such groups it was told
}

// names tells whether one of these ids, of a user and of the groups that the
// user is in, may take a role on.
func (e *eligibility) names(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool {
		_, found := slices.BinarySearch(e.ids, strings.ToLower(id))
		return found
	})
}

// taker is somebody who may take a role on, or join a group.
type taker struct {
	ID        string `json:"principalId"`
	Principal struct {
		Type string `json:"@odata.type"`
	} `json:"principal"`
}

// add takes people and groups in. Of one who is of no type it is not known
// whether others are in it: deleted meanwhile, or kept from us.
func (e *eligibility) add(list []taker) {
	for _, v := range list {
		id := strings.ToLower(v.ID)
		e.ids = append(e.ids, id)
		switch strings.ToLower(v.Principal.Type) {
		case "":
			e.hidden = "of some it does not say whether they are groups"
		case "#microsoft.graph.group":
			if isGUID(id) && !slices.Contains(e.groups, id) {
				e.groups = append(e.groups, id)
			}
		}
	}
}

// mayTakeRoles reads who may take a role on, anew every few minutes. That Graph
// does not tell this application is no error, but a check. That it has told
// before and does not any more is one: the check was made by then.
func (d *Directory) mayTakeRoles(ctx context.Context) (*eligibility, error) {
	return d.eligible.get(d.o.Now, func() (*eligibility, error) {
		e, before := &eligibility{}, d.eligible.value
		list, err := all[taker](ctx, d.client, v1, eligiblePath, nil)
		switch refused, ok := errors.AsType[*cloud.Error](err); {
		case err == nil:
		case ok && refused.Kind == cloud.Invalid && strings.Contains(refused.Message, " "+noPremium):
			e.none = true
		case ok && isUntold(err) && (before == nil || before.hidden != ""):
			e.hidden = refused.Message
		default:
			return nil, fmt.Errorf("who may take a role on cannot be read: %w", err)
		}
		e.add(list)
		if err := d.readRoleGroups(ctx, e, before != nil && before.joins); err != nil {
			return nil, err
		}
		slices.Sort(e.ids)
		return e, nil
	})
}

// isUntold tells whether an error says that this application is not told.
func isUntold(err error) bool {
	return slices.Contains([]cloud.Kind{cloud.Denied, cloud.Invalid, cloud.NotFound, cloud.Unsupported}, cloud.KindOf(err)) && unasked(err) == nil
}

// checkEligible tells whether administrators of the hour are known.
func (d *Directory) checkEligible(ctx context.Context) cloud.Check {
	e, err := d.mayTakeRoles(ctx)
	switch {
	case err != nil:
		return cloud.Check{Name: cloud.CheckEligible, Result: cloud.CheckUnknown, Detail: err.Error(), Action: "Ask again."}
	case e.hidden != "" || e.closed != "":
		return e.unknown()
	case e.none:
		return passed(cloud.CheckEligible, "the tenant has no licence for roles that are taken on for a while, so nobody can")
	}
	return passed(cloud.CheckEligible, fmt.Sprintf("who may take a role on for a while counts as an administrator; people and groups: %d", len(slices.Compact(slices.Clone(e.ids)))))
}

// unknown is the check where some administrators of the hour are not known.
func (e *eligibility) unknown() cloud.Check {
	var kept, needed []string
	if e.hidden != "" {
		kept = append(kept, "who may take an administrative role on for a while ("+e.hidden+")")
		needed = append(needed, "RoleManagement.Read.Directory or RoleEligibilitySchedule.Read.Directory")
	}
	if e.closed != "" {
		kept = append(kept, "who is in a group that can have roles, owns it or may join it ("+e.closed+")")
		needed = append(needed, "GroupMember.Read.All and PrivilegedEligibilitySchedule.Read.AzureADGroup")
	}
	return cloud.Check{Name: cloud.CheckEligible, Result: cloud.CheckUnknown,
		Detail: "Graph does not tell " + strings.Join(kept, ", nor ") + ": they count as ordinary users",
		Action: "Grant the application " + strings.Join(needed, ", and ") + ", or leave those people out by --scope."}
}
