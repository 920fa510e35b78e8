package graph_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// answered has a tenant answer the requests of a batch whose path has a part
// with a body of its own.
func answered(x *tenant, part string, body any) func(*graph.Options) {
	return func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, asked []byte) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "$batch") {
				return nil, nil
			}
			return retold(x, r, asked, func(path string) any {
				if strings.Contains(path, part) {
					return body
				}
				return nil
			})
		})
	}
}

// Whoever is known to have a role by one list is an administrator, whatever the
// other says; and whoever has one on a page that was not read counts as one.
func TestEitherListMakesAnAdministrator(t *testing.T) {
	const helpdesk, global = "729827e3-9c14-49f7-bb1b-9608f156bbb8", "62e90394-69f5-4237-9190-012177145e10"
	const memberships, assignments = "transitiveMemberOf", "transitiveRoleAssignments"
	more := map[string]any{"value": []any{}, "@odata.nextLink": root + "/v1.0/later"}
	for name, c := range map[string]struct {
		list               string
		body               any
		privileged, global bool
	}{
		"none":                       {memberships, list(), false, false},
		"a membership":               {memberships, list(map[string]string{"id": "r", "roleTemplateId": helpdesk}), true, false},
		"the highest, as membership": {memberships, list(map[string]string{"id": "r", "roleTemplateId": global}), true, true},
		"an assignment":              {assignments, list(map[string]string{"roleDefinitionId": helpdesk}), true, false},
		"the highest, as assignment": {assignments, list(map[string]string{"roleDefinitionId": global}), true, true},
		"memberships that go on":     {memberships, more, true, false},
		"assignments that go on":     {assignments, more, true, false},
	} {
		x := newTenant(t)
		users, err := x.open(answered(x, c.list, c.body)).Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].Privileged != c.privileged || users[0].GlobalAdmin != c.global {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
	}
}

// Numbers that are shown in part are compared with nothing, in whatever form.
func TestMaskedForms(t *testing.T) {
	for number, masked := range map[string]bool{"+X XXXXXXXX34": true, "+1 4255550XX1": true, "+X 4255550101": true, "+1 42555501**": true, "+1 4255550101": false, "+1 4255550101x33": false} {
		x := newTenant(t)
		x.people[adaID].phones["mobile"] = number
		users, err := x.open().Read(t.Context(), []cloud.UserID{adaID, bobID})
		if masked && cloud.KindOf(err) != cloud.Denied || !masked && (err != nil || users[0].Mobile != number) {
			t.Errorf("%s: %+v, %v", number, users, err)
		}
	}
}

// A user of another organisation is told by how the account was made, and by its
// name where that is not said.
func TestUsersOfAnotherOrganisation(t *testing.T) {
	for name, c := range map[string]struct {
		creation, upn string
		want          bool
	}{
		"one's own":          {"", "ada@contoso.example", false},
		"made by a sync":     {"LocalAccount", "ada@contoso.example", false},
		"invited":            {"invitation", "ada@contoso.example", true},
		"by the name":        {"", "ada_fabrikam.example#EXT#@contoso.example", true},
		"by the name, small": {"", "ada_fabrikam.example#ext#@contoso.example", true},
	} {
		x := newTenant(t)
		x.people[adaID].creation, x.people[adaID].upn = c.creation, c.upn
		users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].External != c.want || users[0].Guest {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
	}
}

// Who signs in by a text loses that with the number: by the number's own word,
// of the mobile telephone alone, or by the policy of one of several groups.
func TestWhoSignsInByTexts(t *testing.T) {
	usable := `{"id":"` + groupID + `","targetType":"group","isUsableForSignIn":true}`
	plain := `{"id":"all_users","targetType":"group"}`
	for name, c := range map[string]struct {
		ready   bool
		slot    string
		targets string
		want    bool
	}{
		"not at all":                 {false, "mobile", plain, false},
		"the number says so":         {true, "mobile", plain, true},
		"another number says so":     {true, "office", plain, false},
		"the policy of the first":    {false, "mobile", usable + "," + plain, true},
		"the policy of the second":   {false, "mobile", plain + "," + usable, true},
		"the policy of nobody's":     {false, "mobile", plain + "," + strings.Replace(usable, groupID, bobID, 1), false},
		"the number, not the policy": {true, "mobile", strings.Replace(plain, "all_users", bobID, 1), true},
	} {
		x := newTenant(t)
		x.people[adaID].texts, x.people[adaID].phones[c.slot] = c.ready, "+1 4255550101"
		x.policy = strings.Replace(x.policy, `"includeTargets":[`+plain+`]`, `"includeTargets":[`+c.targets+`]`, 1)
		users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].SMSSignIn != c.want {
			t.Errorf("%s: %v, %v", name, users[0].SMSSignIn, err)
		}
	}
}

// What the policy forbids: texts and calls apart, the office telephone by itself,
// and whatever a group that the user is in is left out of.
func TestWhatThePolicyForbids(t *testing.T) {
	all := []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office}
	off := func(x *tenant, id string) {
		x.policy = strings.Replace(x.policy, `"id":"`+id+`","state":"enabled"`, `"id":"`+id+`","state":"disabled"`, 1)
	}
	for name, c := range map[string]struct {
		change func(*tenant)
		want   []cloud.Method // of the telephones
		ways   []cloud.Preference
	}{
		"nothing": {func(*tenant) {}, nil, nil},
		"calls":   {func(x *tenant) { off(x, "Voice") }, []cloud.Method{cloud.AlternateMobile, cloud.Office}, []cloud.Preference{cloud.VoiceMobile}},
		"texts":   {func(x *tenant) { off(x, "Sms") }, nil, []cloud.Preference{cloud.SMS}},
		"both":    {func(x *tenant) { off(x, "Sms"); off(x, "Voice") }, all, nil},
		"offices": {func(x *tenant) {
			x.policy = strings.Replace(x.policy, `"isOfficePhoneAllowed":true`, `"isOfficePhoneAllowed":false`, 1)
		}, []cloud.Method{cloud.Office}, nil},
		"not said": {func(x *tenant) { x.policy = strings.Replace(x.policy, `"isOfficePhoneAllowed":true,`, "", 1) }, []cloud.Method{cloud.Office}, nil},
		"calls to a group": {func(x *tenant) {
			x.policy = strings.Replace(x.policy, `"isOfficePhoneAllowed":true,`, `"isOfficePhoneAllowed":true,"excludeTargets":[{"id":"`+groupID+`","targetType":"group"}],`, 1)
		}, []cloud.Method{cloud.AlternateMobile, cloud.Office}, []cloud.Preference{cloud.VoiceMobile}},
		"calls to another": {func(x *tenant) {
			x.policy = strings.Replace(x.policy, `"isOfficePhoneAllowed":true,`, `"isOfficePhoneAllowed":true,"excludeTargets":[{"id":"88888888-8888-4888-8888-888888888888","targetType":"group"}],`, 1)
		}, nil, nil},
		"no state means that it decides": {func(x *tenant) {
			x.policy = strings.Replace(x.policy, `"policyMigrationState":"migrationComplete",`, "", 1)
			off(x, "Voice")
		}, []cloud.Method{cloud.AlternateMobile, cloud.Office}, []cloud.Preference{cloud.VoiceMobile}},
	} {
		x := newTenant(t)
		c.change(x)
		users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
		check(t, err)
		got := slices.DeleteFunc(users[0].Forbidden, func(m cloud.Method) bool { return !m.IsPhone() })
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) || !slices.Equal(users[0].ForbiddenWays, c.ways) {
			t.Errorf("%s: forbidden %v and %v, want %v and %v", name, got, users[0].ForbiddenWays, c.want, c.ways)
		}
	}
}

// Nobody is asked for whose id is none, and everybody whose id is one.
func TestIDs(t *testing.T) {
	for id, asked := range map[string]bool{
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8d":  true,
		"0A9FBCDE-0F9A-40B1-8C2D-3E4F5A6B7C8D":  true,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8":   false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8d0": false,
		"0a9fbcde00f9a-40b1-8c2d-3e4f5a6b7c8d":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f-a6b7c8d":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8g":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8G":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8/":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8:":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8`":  false,
		"0a9fbcde-0f9a-40b1-8c2d-3e4f5a6b7c8@":  false,
	} {
		x := newTenant(t)
		users, err := x.open().Read(t.Context(), []cloud.UserID{cloud.UserID(id)})
		if err != nil || users[0].ID != "" || (x.calls["GET /users/"+id+"/authentication/phoneMethods"] > 0) != asked {
			t.Errorf("%s: %d batches, %v", id, x.batches, err)
		}
	}
}

// What nobody can be called is not asked for, and keeps nobody else from being
// found.
func TestNamesThatNobodyHas(t *testing.T) {
	x := newTenant(t)
	keys := []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, {Kind: cloud.ByUPN, Value: strings.Repeat("a", 257)}, {Kind: cloud.ByUPN, Value: "a\nb"}, {Kind: cloud.ByID, Value: "ada"}}
	var asked string
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
			asked += string(body)
			return nil, nil
		})
	})
	found, err := d.Find(t.Context(), keys)
	if err != nil || len(found[0]) != 1 || len(found[1])+len(found[2])+len(found[3]) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	if strings.Contains(asked, "aaa") || strings.Contains(asked, "%0A") || strings.Contains(asked, "filter=id") {
		t.Errorf("asked %s", asked)
	}
	if _, err := d.Find(t.Context(), make([]cloud.Key, 21)); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("21 names at once: %v", err)
	}
}
