package graph_test

import (
	"testing"

	"mfabridge/cloud/engine"
)

// Who may join a group is told of one group or one principal, and only to who may
// know it; nothing else is answered as if there were nobody.
func TestWhoMayJoinAGroup(t *testing.T) {
	const at = "/v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
	r := open(t, engine.Assumptions{}, "may-join=admins/ann@contoso.example", "may-join=admins/pilot", "owner=admins/ann@contoso.example")
	by := engine.Actor{Who: "test", Reason: "test"}
	admins, err := r.engine.AddGroup(t.Context(), by, "admins")
	check(t, err)
	pilot := r.want(t, 200, "GET", "/v1.0/groups?$filter=displayName%20eq%20'pilot'&$select=id", "").text("value", 0, "id")
	for path, want := range map[string]int{
		at + "?$filter=groupId%20eq%20'" + admins + "'":                      2,
		at + "?$filter=groupId%20eq%20'" + pilot + "'":                       0,
		at + "?$filter=principalId%20eq%20'" + r.ann + "'&$expand=principal": 1,
		"/v1.0/groups?$filter=isAssignableToRole%20eq%20true":                1,
		"/v1.0/groups/" + admins + "/owners":                                 1,
		"/v1.0/groups/" + pilot + "/owners":                                  0,
	} {
		if got := r.want(t, 200, "GET", path, ""); got.len("value") != want {
			t.Errorf("%s: %s", path, got.raw)
		}
	}
	r.want(t, 404, "GET", "/v1.0/groups/"+r.ann+"/owners", "")
	for _, path := range []string{at, at + "?$filter=accessId%20eq%20'member'", at + "?$filter=groupId%20eq%20'" + admins + "'&$expand=group"} {
		r.want(t, 400, "GET", path, "")
	}
	other := open(t, engine.Assumptions{}, "without=PrivilegedEligibilitySchedule.Read.AzureADGroup")
	other.want(t, 403, "GET", at+"?$filter=groupId%20eq%20'"+admins+"'", "")
	none := open(t, engine.Assumptions{}, "premium=no")
	none.want(t, 400, "GET", at+"?$filter=groupId%20eq%20'"+admins+"'", "")
}
