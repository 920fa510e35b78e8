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
		"not told":           {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, joining, 403, false, cloud.CheckUnknown, "who is in a group that can have roles, owns it or may join it (Graph answers 403"},
		"not told of groups": {map[string][]map[string]any{adminsID: {joiner(adaID, "user")}}, "/groups?", 403, false, cloud.CheckUnknown, "who is in a group that can have roles, owns it or may join it (Graph answers 403"},
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

// Who is in a group that can have roles, or owns it, is an administrator whichever
// roles it has just now, also in a tenant without the licence for more.
func TestWhoIsInAGroupWithRoles(t *testing.T) {
	for name, c := range map[string]struct {
		inside map[string][]string
		at     string // what is answered fault
		fault  int
		want   bool
		check  cloud.CheckResult
	}{
		"a member":                  {map[string][]string{adminsID + "/members": {bobID, strings.ToUpper(adaID)}}, "", 0, true, cloud.CheckPassed},
		"an owner":                  {map[string][]string{adminsID + "/owners": {adaID}}, "", 0, true, cloud.CheckPassed},
		"others":                    {map[string][]string{adminsID + "/owners": {bobID}, adminsID + "/members": {bobID}}, "", 0, false, cloud.CheckPassed},
		"of another group":          {map[string][]string{groupID + "/owners": {adaID}}, "", 0, false, cloud.CheckPassed},
		"an owner, no licence":      {map[string][]string{adminsID + "/owners": {adaID}}, "roleEligibility", 400, true, cloud.CheckPassed},
		"not told of owners":        {map[string][]string{adminsID + "/owners": {adaID}}, "/owners", 403, false, cloud.CheckUnknown},
		"a group that is not there": {map[string][]string{adminsID + "/owners": {adaID}}, "/members", 404, true, cloud.CheckUnknown},
	} {
		x := newTenant(t)
		x.joins, x.inside = map[string][]map[string]any{adminsID: nil}, c.inside
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(r *http.Request, _ []byte) (*http.Response, error) {
				if c.fault == 400 && strings.Contains(r.URL.Path, c.at) {
					return reply(400, nil, map[string]any{"error": map[string]string{"code": "AadPremiumLicenseRequired"}}, x.date())
				}
				return nil, nil
			})
		})
		x.fault = func(_, path string, _ int) (int, http.Header) {
			if c.at != "" && strings.Contains(path, c.at) {
				return c.fault, nil
			}
			return 0, nil
		}
		users, err := d.Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].Privileged != c.want {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
		if checks, err := d.Preflight(t.Context()); err != nil {
			t.Error(err)
		} else if got, _ := find(checks, cloud.CheckEligible); got.Result != c.check {
			t.Errorf("%s: %+v", name, got)
		}
		if asked := x.calls["GET "+joining+"eligibilityScheduleInstances?$expand=principal&$filter=groupId%20eq%20%27"+adminsID+"%27"]; asked != 0 && c.fault == 400 {
			t.Errorf("%s: it is asked what no licence allows", name)
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

// The same over the rehearsal, which asks for a permission to see who may join.
func TestRehearsalOfWhoMayJoin(t *testing.T) {
	by := engine.Actor{Who: "test", Reason: "test"}
	for _, without := range []bool{false, true} {
		assume := []string{"limits=none", "page=1", "may-join=admins/user2@contoso.example", "may-join=admins/helpers", "owner=keys/user4@contoso.example"}
		if without {
			assume = append(assume, "without=PrivilegedEligibilitySchedule.Read.AzureADGroup")
		}
		r := rehearse(t, engine.Assumptions{}, time.Now, assume...)
		ids := r.people(t, 5)
		for _, name := range []string{"admins", "helpers", "others", "keys"} {
			_, err := r.engine.AddGroup(t.Context(), by, name)
			check(t, err)
		}
		check(t, r.engine.AddUserToGroup(t.Context(), by, "helpers", ids[2]))
		check(t, r.engine.AddUserToGroup(t.Context(), by, "others", ids[0]))
		check(t, r.engine.AddUserToGroup(t.Context(), by, "keys", ids[4]))
		d := r.open(t)
		users, err := d.Read(t.Context(), ids)
		check(t, err)
		if got := []bool{users[0].Privileged, users[1].Privileged, users[2].Privileged, users[3].Privileged, users[4].Privileged}; !slices.Equal(got, []bool{false, !without, !without, true, true}) {
			t.Errorf("without the permission %t: administrators %v", without, got)
		}
		checks, err := d.Preflight(t.Context())
		check(t, err)
		if got, _ := find(checks, cloud.CheckEligible); (got.Result == cloud.CheckPassed) == without || strings.Contains(got.Action, "PrivilegedEligibilitySchedule.Read.AzureADGroup") != without {
			t.Errorf("without the permission %t: %+v", without, got)
		}
	}
}
