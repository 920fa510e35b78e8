package graph_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/graph"
)

const (
	adminsID = "88888888-8888-4888-8888-888888888888"
	joining  = "/identityGovernance/privilegedAccess/group/"
)

// joiner may join a group for a while.
func joiner(id, kind string) map[string]any {
	return map[string]any{"principalId": id, "accessId": "member", "principal": map[string]string{"@odata.type": "#microsoft.graph." + kind}}
}

// Who may join a group that can have roles is an administrator: by himself, and by
// a group. Where Graph does not tell, that is said.
func TestWhoMayJoinAGroupWithRoles(t *testing.T) {
	for name, c := range map[string]struct {
		joins map[string][]map[string]any
		at    string // what is answered fault
		fault int
		want  bool
		check cloud.CheckResult
		says  string
	}{
		"no such group":      {nil, "", 0, false, cloud.CheckPassed, "people and groups: 0"},
		"nobody":             {map[string][]map[string]any{adminsID: nil}, "", 0, false, cloud.CheckPassed, "people and groups: 0"},
		"himself":            {map[string][]map[string]any{bobID: nil, adminsID: {joiner(strings.ToUpper(adaID), "user")}}, "", 0, true, cloud.CheckPassed, "people and groups: 1"},
		"his group":          {map[string][]map[string]any{adminsID: {joiner(groupID, "group")}}, "", 0, true, cloud.CheckPassed, "people and groups: 1"},
		"others":             {map[string][]map[string]any{adminsID: {joiner(bobID, "user")}}, "", 0, false, cloud.CheckPassed, "people and groups: 1"},
		"not told":           {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, joining, 403, false, cloud.CheckUnknown, "who may join a group that can have roles (Graph answers 403"},
		"not told of groups": {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, "/groups?", 403, false, cloud.CheckUnknown, "who may join a group that can have roles (Graph answers 403"},
		"no such thing":      {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, joining, 404, false, cloud.CheckUnknown, "404"},
		"nor who has roles":  {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, "roleEligibility", 403, true, cloud.CheckUnknown, "for a while (Graph answers 403"},
	} {
		x := newTenant(t)
		x.joins = c.joins
		x.fault = func(_, path string, _ int) (int, http.Header) {
			if c.at != "" && strings.Contains(path, c.at) {
				return c.fault, nil
			}
			return 0, nil
		}
		d := x.open()
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].Privileged != c.want || users[0].GlobalAdmin {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
		checks, err := d.Preflight(t.Context())
		got, _ := find(checks, cloud.CheckEligible)
		if err != nil || got.Result != c.check || !strings.Contains(got.Detail, c.says) || (got.Action == "") != (c.check == cloud.CheckPassed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if needed := c.fault != 0 && c.at != "roleEligibility"; strings.Contains(got.Action, "PrivilegedEligibilitySchedule.Read.AzureADGroup") != needed || strings.Contains(got.Action, "RoleManagement") == (needed || c.fault == 0) {
			t.Errorf("%s: it advises %q", name, got.Action)
		}
	}
}

// An answer that does not come is not taken for nobody, nor is one that came before
// and is refused now.
func TestWhoMayJoinIsNotForgotten(t *testing.T) {
	x := newTenant(t)
	x.joins = map[string][]map[string]any{adminsID: {joiner(bobID, "user")}}
	now, status := time.Now(), 0
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.Contains(path, joining) {
			return status, nil
		}
		return 0, nil
	}
	d := x.open(func(o *graph.Options) { o.Now = func() time.Time { return now } })
	read := func() error { _, err := d.Read(t.Context(), []cloud.UserID{adaID}); return err }
	check(t, read())
	for _, refused := range []struct {
		status int
		kind   cloud.Kind
	}{{403, cloud.Denied}, {404, cloud.NotFound}} {
		now, status = now.Add(11*time.Minute), refused.status
		if err := read(); cloud.KindOf(err) != refused.kind {
			t.Errorf("%d: %v", status, err)
		}
	}
	status = 0
	check(t, read())
}

// The same over the rehearsal, which asks for a permission for it.
func TestRehearsalOfWhoMayJoin(t *testing.T) {
	by := engine.Actor{Who: "test", Reason: "test"}
	for _, without := range []bool{false, true} {
		assume := []string{"limits=none", "page=1", "may-join=admins/user2@contoso.example", "may-join=admins/helpers"}
		if without {
			assume = append(assume, "without=PrivilegedEligibilitySchedule.Read.AzureADGroup")
		}
		r := rehearse(t, engine.Assumptions{}, time.Now, assume...)
		ids := r.people(t, 3)
		for _, name := range []string{"admins", "helpers", "others"} {
			_, err := r.engine.AddGroup(t.Context(), by, name)
			check(t, err)
		}
		check(t, r.engine.AddUserToGroup(t.Context(), by, "helpers", ids[2]))
		check(t, r.engine.AddUserToGroup(t.Context(), by, "others", ids[0]))
		d := r.open(t)
		users, err := d.Read(t.Context(), ids)
		check(t, err)
		if got := []bool{users[0].Privileged, users[1].Privileged, users[2].Privileged}; !slices.Equal(got, []bool{false, !without, !without}) {
			t.Errorf("without the permission %t: administrators %v", without, got)
		}
		checks, err := d.Preflight(t.Context())
		check(t, err)
		if got, _ := find(checks, cloud.CheckEligible); (got.Result == cloud.CheckPassed) == without || strings.Contains(got.Action, "PrivilegedEligibilitySchedule.Read.AzureADGroup") != without {
			t.Errorf("without the permission %t: %+v", without, got)
		}
	}
}
