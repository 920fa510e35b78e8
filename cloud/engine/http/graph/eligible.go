package graph

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"

	"mfabridge/cloud"
)

// eligible lists who may take a role on for a while, each by one role
// (api/rbacapplication-list-roleeligibilityscheduleinstances).
func (f *Face) eligible(c *call) (answer, error) {
	expand, err := f.governed(c)
	if err != nil {
		return answer{}, err
	}
	all := []object{}
	for _, name := range f.assume.Eligible {
		id, kind, err := f.principal(c, name)
		if err != nil {
			return answer{}, err
		}
		sum := sha256.Sum256([]byte("eligible " + id))
		o := object{"id": asUUID(sum[:]), "principalId": id, "roleDefinitionId": globalAdministrator, "directoryScopeId": "/", "appScopeId": nil,
			"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": nil, "memberType": "Direct", "roleEligibilityScheduleId": asUUID(sum[16:])}
		if expand {
			o["principal"] = object{"@odata.type": "#" + kind, "id": id}
		}
		all = append(all, o)
	}
	return f.list(c, "roleManagement/directory/roleEligibilityScheduleInstances", slicePages(all), nil)
}

// governed tells whether principals are to be expanded, or why the tenant does not
// govern who has roles for a while.
func (f *Face) governed(c *call) (expand bool, err error) {
	given := c.query.Get("expand")
	switch {
	case f.assume.NoPremium:
		return false, fail(http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
	case given != "" && given != "principal":
		return false, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "The rehearsal expands principal only.")
	}
	return given != "", nil
}

// joiners lists who may join a group for a while, of one group or one principal
// (api/privilegedaccessgroup-list-eligibilityscheduleinstances).
func (f *Face) joiners(c *call) (answer, error) {
	expand, err := f.governed(c)
	if err != nil {
		return answer{}, err
	}
	if !c.query.Has("filter") {
		return answer{}, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "$filter has to name a groupId or a principalId.")
	}
	asked, err := c.asked(map[string]string{"groupid": "eq", "principalid": "eq"}, false)
	if err != nil {
		return answer{}, err
	}
	all := []object{}
	for _, given := range f.assume.MayJoin {
		name, who, _ := strings.Cut(given, "/")
		g, err := f.core.FindGroup(c.ctx, name)
		if err != nil {
			return answer{}, err
		}
		id, kind, err := f.principal(c, who)
		if err != nil {
			return answer{}, err
		}
		sum := sha256.Sum256([]byte("joins " + g.ID + id))
		o := object{"id": asUUID(sum[:]), "groupId": g.ID, "principalId": id, "accessId": "member", "memberType": "direct",
			"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": nil, "eligibilityScheduleId": asUUID(sum[16:])}
		if expand {
			o["principal"] = object{"@odata.type": "#" + kind, "id": id}
		}
		all = append(all, o)
	}
	return f.list(c, "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances", slicePages(all), func(o object) bool { return asked.holds(folded(o)) })
}

// owners lists who owns a group (api/group-list-owners).
func (f *Face) owners(c *call) (answer, error) {
	g, err := f.findGroup(c)
	if err != nil {
		return answer{}, err
	}
	all := []object{}
	for _, given := range f.assume.Owners {
		name, who, _ := strings.Cut(given, "/")
		if name != g.ID && !strings.EqualFold(name, g.Name) {
			continue
		}
		id, kind, err := f.principal(c, who)
		if err != nil {
			return answer{}, err
		}
		all = append(all, object{"@odata.type": "#" + kind, "id": id})
	}
	return f.list(c, "directoryObjects", slicePages(all), nil)
}

// principal is the id and the type of a user or a group.
func (f *Face) principal(c *call, name string) (id, kind string, err error) {
	p, err := f.core.PersonBy(c.ctx, cloud.Key{Kind: cloud.ByUPN, Value: name})
	if err == nil || cloud.KindOf(err) != cloud.NotFound {
		return string(p.ID), typeUser, err
	}
	g, err := f.core.FindGroup(c.ctx, name)
	return g.ID, typeGroup, err
}

// parseUnreadable understands UPN/STATUS, and UPN for 403. Status 0: neither.
func parseUnreadable(s string) (upn string, status int) {
	upn, word, given := strings.Cut(s, "/")
	status = http.StatusForbidden
	if given {
		n, err := strconv.Atoi(word)
		if status = n; err != nil || n < http.StatusBadRequest || n > 599 {
			status = 0
		}
	}
	if !strings.Contains(upn, "@") {
		status = 0
	}
	return upn, status
}

// unreadable is the answer about methods of users of whom none are told.
func (f *Face) unreadable(c *call) error {
	if len(f.assume.Unreadable) == 0 || len(c.segments) < 3 || c.segments[0] != "users" || c.segments[2] != "authentication" {
		return nil
	}
	p, err := f.person(c.ctx, c.segments[1])
	if err != nil {
		return err
	}
	for _, given := range f.assume.Unreadable {
		if upn, status := parseUnreadable(given); strings.EqualFold(upn, p.UPN) {
			return fail(status, "accessDenied", "Request Authorization failed")
		}
	}
	return nil
}

// deleted tells whether a user can be restored. Nobody can: a store forgets whom
// it deletes.
func (f *Face) deleted(c *call) (answer, error) { return answer{}, missing(c.vars[0]) }
