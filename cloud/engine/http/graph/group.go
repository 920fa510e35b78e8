package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

const typeGroup = "microsoft.graph.group"

func itoa(n int) string { return strconv.Itoa(n) }

func showGroup(g *engine.Group) object {
	return object{"id": g.ID, "displayName": g.Name, "description": nil, "mail": nil, "mailEnabled": false, "mailNickname": g.Name,
		"securityEnabled": true, "groupTypes": []string{}, "createdDateTime": g.Created.UTC().Format("2006-01-02T15:04:05Z"), "onPremisesSyncEnabled": nil,
		"isAssignableToRole": nil, "visibility": nil}
}

// showGroup is a group as this tenant has it.
func (f *Face) showGroup(g *engine.Group) object {
	o := showGroup(g)
	for _, given := range slices.Concat(f.assume.MayJoin, f.assume.Owners) {
		if name, _, _ := strings.Cut(given, "/"); name == g.ID || strings.EqualFold(name, g.Name) {
			o["isAssignableToRole"] = true
		}
	}
	return o
}

func (f *Face) groups(c *call) (answer, error) {
	can := map[string]string{"id": "eq in", "displayname": "eq ge le in startswith|ne endswith", "securityenabled": "eq in", "mailenabled": "eq in", "isassignabletorole": "eq"}
	t, err := c.filter(can)
	if err != nil {
		return answer{}, err
	}
	empty := showGroup(&engine.Group{})
	if _, err := c.selected(empty, keys(empty), typeGroup); err != nil {
		return answer{}, err
	}
	more := func(after string, limit int) ([]entry, error) {
		some, err := f.core.GroupsAfter(c.ctx, after, limit)
		entries := make([]entry, len(some))
		for i := range some {
			entries[i] = entry{some[i].ID, f.showGroup(&some[i])}
		}
		return entries, err
	}
	a, err := f.list(c, "groups", more, func(o object) bool { return t == nil || t.holds(folded(o)) })
	if err != nil {
		return answer{}, err
	}
	values := a.body.(object)["value"].([]object)
	for i, o := range values {
		if values[i], err = c.selected(o, keys(o), typeGroup); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// findGroup is the group of an id; names are not ids.
func (f *Face) findGroup(c *call) (engine.Group, error) {
	g, err := f.core.FindGroup(c.ctx, c.vars[0])
	if err == nil && g.ID != c.vars[0] || err != nil && cloud.KindOf(err) == cloud.NotFound {
		return g, missing(c.vars[0])
	}
	return g, err
}

func (f *Face) group(c *call) (answer, error) {
	g, err := f.findGroup(c)
	if err != nil {
		return answer{}, err
	}
	shown := f.showGroup(&g)
	o, err := c.selected(shown, keys(shown), typeGroup)
	if err != nil {
		return answer{}, err
	}
	o["@odata.context"] = c.context("groups/$entity")
	return okay(o)
}

// memberOf lists the groups and roles that a user has.
func (f *Face) memberOf(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	all := []object{}
	cast := ""
	if len(c.vars) > 1 {
		cast = c.vars[1]
	}
	if cast == "" || isCast(cast, typeGroup) {
		groups, err := f.core.GroupsOf(c.ctx, p.ID, strings.EqualFold(c.segments[2], "memberOf"))
		if err != nil {
			return answer{}, err
		}
		for i := range groups {
			o := showGroup(&groups[i])
			o["@odata.type"] = "#" + typeGroup
			all = append(all, o)
		}
	}
	if cast == "" || isCast(cast, typeRole) {
		for _, role := range p.Roles {
			o := showRole(role)
			o["@odata.type"] = "#" + typeRole
			all = append(all, o)
		}
	}
	if cast != "" && !isCast(cast, typeGroup) && !isCast(cast, typeRole) {
		return answer{}, fail(http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment.")
	}
	if cast != "" {
		if err := c.castable(); err != nil {
			return answer{}, err
		}
	}
	return f.list(c, "directoryObjects", slicePages(all), nil)
}

// castable refuses a cast without the parameters of an advanced query
// (api/group-list-transitivemembers, api/user-list-transitivememberof).
func (c *call) castable() error {
	if c.advanced() {
		return nil
	}
	return fail(http.StatusBadRequest, "Request_UnsupportedQuery", "An OData cast needs the header 'ConsistencyLevel: eventual' and $count=true.")
}

// roleAssignments lists the roles of one principal, whatever their scope
// (api/rbacapplication-list-transitiveroleassignments, beta). Without the
// header it is not found.
func (f *Face) roleAssignments(c *call) (answer, error) {
	if !c.advanced() {
		return answer{}, fail(http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment.")
	}
	t, err := c.filter(map[string]string{"principalid": "eq"})
	if err != nil {
		return answer{}, err
	}
	_, values := t.only()
	if len(values) != 1 {
		return answer{}, fail(http.StatusBadRequest, "Request_BadRequest", "A filter by principalId is required.")
	}
	p, err := f.core.PersonBy(c.ctx, cloud.Key{Kind: cloud.ByID, Value: values[0]})
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		return answer{}, err
	}
	all := []object{}
	for _, given := range p.Roles {
		template := showRole(given)["roleTemplateId"].(string)
		sum := sha256.Sum256([]byte("assignment " + string(p.ID) + template))
		all = append(all, object{"id": asUUID(sum[:]), "principalId": string(p.ID), "directoryScopeId": "/", "roleDefinitionId": template})
	}
	return f.list(c, "roleManagement/directory/transitiveRoleAssignments", slicePages(all), nil)
}

// slicePages yields a list that is there as a whole; keys are places in it.
func slicePages(all []object) func(after string, limit int) ([]entry, error) {
	return func(after string, limit int) ([]entry, error) {
		from := 0
		if after != "" {
			n, err := strconv.Atoi(after)
			if err != nil || n < 0 || n > len(all) {
				return nil, bad("The page is not there.")
			}
			from = n
		}
		var entries []entry
		for i := from; i < len(all) && len(entries) < limit; i++ {
			entries = append(entries, entry{itoa(i + 1), all[i]})
		}
		return entries, nil
	}
}

const typeRole = "microsoft.graph.directoryRole"

// globalAdministrator is the template of the role above all others.
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// showRole is a role as it was given: the id of a template, or a name.
func showRole(role string) object {
	name, template := role, ""
	if _, err := uuid.Parse(role); err == nil {
		template = strings.ToLower(role)
		if template == globalAdministrator {
			name = "Global Administrator"
		}
	} else if f := engine.Fold(role); f == "global administrator" || f == "company administrator" {
		template = globalAdministrator
	} else {
		sum := sha256.Sum256([]byte(f))
		template = asUUID(sum[:])
	}
	sum := sha256.Sum256([]byte("role " + template))
	return object{"id": asUUID(sum[:]), "displayName": name, "description": nil, "roleTemplateId": template, "deletedDateTime": nil}
}

// asUUID writes a digest as an id.
func asUUID(sum []byte) string {
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

func (f *Face) directoryRoles(*call) (answer, error) {
	o := showRole(globalAdministrator)
	return okay(object{"value": []object{o}})
}

// checkMemberGroups tells of which of some groups a user is a member.
func (f *Face) checkMemberGroups(c *call) (answer, error) {
	var in struct {
		Groups []string `json:"groupIds"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if len(in.Groups) == 0 || len(in.Groups) > 20 {
		return answer{}, fail(http.StatusBadRequest, "Request_BadRequest", "groupIds must hold 1 to 20 ids.")
	}
	ids, err := f.groupIDs(c)
	if err != nil {
		return answer{}, err
	}
	value := []string{}
	for _, id := range in.Groups {
		if slices.Contains(ids, id) && !slices.Contains(value, id) {
			value = append(value, id)
		}
	}
	return okay(object{"@odata.context": c.context("Collection(Edm.String)"), "value": value})
}

func (f *Face) groupIDs(c *call) (ids []string, err error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return nil, err
	}
	groups, err := f.core.GroupsOf(c.ctx, p.ID, false)
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	return ids, err
}

func (f *Face) memberGroups(c *call) (answer, error) {
	var in struct {
		Security bool `json:"securityEnabledOnly"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	ids, err := f.groupIDs(c)
	if ids == nil {
		ids = []string{}
	}
	return answer{status: http.StatusOK, body: object{"@odata.context": c.context("Collection(Edm.String)"), "value": ids}}, err
}
