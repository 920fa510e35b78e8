package graph_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

const (
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
	alternateID = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	officeID    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	seed        = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

func TestTokens(t *testing.T) {
	r := open(t, engine.Assumptions{})
	good := url.Values{"grant_type": {"client_credentials"}, "scope": {"https://graph.microsoft.com/.default"}, "client_id": {"app"}, "client_secret": {r.word}}
	for name, change := range map[string][2]string{"secret": {"client_secret", "wrong"}, "application": {"client_id", "nobody"},
		"grant": {"grant_type", "password"}, "scope": {"scope", "User.Read"}} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(change[0], change[1])
		if got := r.ask(t, form); got.status < 400 || got.text("error") == "" || got.text("access_token") != "" {
			t.Errorf("wrong %s: %d %s", name, got.status, got.raw)
		}
	}
	token := r.token
	for _, bad := range []string{"", "x", token[:len(token)-3] + "abc", token + "x", "a." + token} {
		r.token = bad
		got := r.want(t, 401, "GET", "/v1.0/organization", "")
		if got.text("error", "code") != "InvalidAuthenticationToken" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("token %q: %s", bad, got.raw)
		}
	}
	r.token = token
	r.want(t, 200, "GET", "/v1.0/organization", "")
	r.Advance(61 * time.Minute)
	r.want(t, 401, "GET", "/v1.0/organization", "")
	r.token = r.ask(t, good).text("access_token")
	r.want(t, 200, "GET", "/v1.0/organization", "")
	check(t, r.engine.RemoveApp(t.Context(), engine.Actor{Who: "test", Reason: "test"}, "app"))
	r.want(t, 401, "GET", "/v1.0/organization", "")
}

func TestUsers(t *testing.T) {
	r := open(t, engine.Assumptions{})
	got := r.want(t, 200, "GET", "/v1.0/organization", "")
	if got.text("value", 0, "id") != r.instance || got.text("value", 0, "tenantType") != "AAD" {
		t.Errorf("organization: %s", got.raw)
	}
	for _, path := range []string{"/v1.0/users/ann%40contoso.example", "/v1.0/users/" + r.ann, "/beta/users('ann%40contoso.example')",
		"/v1.0/users(%27" + r.ann + "%27)?$select=userPrincipalName"} {
		if got := r.want(t, 200, "GET", path, ""); got.text("id") != r.ann || got.text("userPrincipalName") != "ann@contoso.example" {
			t.Errorf("%s: %s", path, got.raw)
		}
	}
	if got := r.want(t, 404, "GET", "/v1.0/users/nobody@contoso.example", ""); got.text("error", "code") != "Request_ResourceNotFound" {
		t.Errorf("nobody: %s", got.raw)
	}
	filter := func(expression string, header ...string) string {
		path := "/v1.0/users?$select=id,onPremisesSecurityIdentifier,onPremisesSamAccountName&$filter=" + url.QueryEscape(expression)
		if len(header) > 0 {
			path += "&$count=true"
		}
		got := r.call(t, "GET", path, "", header...)
		if got.status != 200 {
			return got.text("error", "code")
		}
		var ids []string
		for i := range got.len("value") {
			ids = append(ids, map[string]string{r.ann: "ann", r.bob: "bob", r.guest: "guest"}[got.text("value", i, "id")])
		}
		return strings.Join(ids, " ")
	}
	for expression, want := range map[string]string{
		"userPrincipalName eq 'ANN@contoso.example'":                              "ann",
		"userPrincipalName in ('bob@contoso.example', 'ann@contoso.example','x')": "bob ann",
		"onPremisesSecurityIdentifier eq 'S-1-5-21-1-2-3-1001'":                   "ann",
		"startswith(displayName,'bob o''h') and accountEnabled eq true":           "bob",
		"(userType eq 'Guest' or id eq '" + r.ann + "')":                          "ann guest",
		"onPremisesSamAccountName eq 'ann'":                                       "Request_UnsupportedQuery",
		"userType ne 'Guest'":                                                     "Request_UnsupportedQuery",
		"not startswith(displayName,'A')":                                         "Request_UnsupportedQuery",
		"department eq 'IT'":                                                      "Request_UnsupportedQuery",
		"displayName eq 'open":                                                    "BadRequest",
		"displayName":                                                             "BadRequest",
	} {
		if got := filter(expression); got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	for expression, want := range map[string]string{"onPremisesSamAccountName eq 'ann'": "ann", "userType ne 'Guest'": "ann bob", "not startswith(displayName,'A')": "bob guest"} {
		if got := filter(expression, "ConsistencyLevel", "eventual"); got != want {
			t.Errorf("%s, advanced: %q, want %q", expression, got, want)
		}
	}
	if got := r.want(t, 400, "GET", "/v1.0/users/$count", ""); !strings.Contains(got.text("error", "message"), "$count is not currently supported") {
		t.Errorf("$count: %s", got.raw)
	}
	if got := r.want(t, 200, "GET", "/v1.0/users/$count", "", "ConsistencyLevel", "eventual"); got.raw != "3" {
		t.Errorf("$count: %q", got.raw)
	}
	r.want(t, 400, "GET", "/v1.0/users?$select=nonsense", "")
	r.want(t, 400, "GET", "/v1.0/users?$top=1000", "")
	r.want(t, 400, "GET", "/v1.0/me", "")
	r.want(t, 405, "DELETE", "/v1.0/users/"+r.ann, "")
	r.want(t, 404, "GET", "/v1.0/nonsense", "")
	r.want(t, 400, "GET", "/v2.0/users", "")
}

func TestPaging(t *testing.T) {
	r := open(t, engine.Assumptions{})
	var ids []string
	next := r.url + "/v1.0/users?$top=1&$select=id"
	for pages := 0; next != ""; pages++ {
		if pages > 5 {
			t.Fatal("the pages have no end")
		}
		got := r.want(t, 200, "GET", next, "")
		for i := range got.len("value") {
			ids = append(ids, got.text("value", i, "id"))
		}
		next = got.text("@odata.nextLink")
		if next != "" && !strings.HasPrefix(next, r.url+"/v1.0/users?") {
			t.Errorf("the link leads to %s", next)
		}
		if next != "" {
			r.want(t, 400, "GET", strings.Replace(next, "/users?", "/groups?", 1), "")
			r.want(t, 400, "GET", next+"x", "")
		}
	}
	if strings.Join(ids, " ") != r.ann+" "+r.bob+" "+r.guest {
		t.Errorf("pages: %v", ids)
	}
}

// Pages go on behind a user, and behind a group.
func TestMembersByPages(t *testing.T) {
	r := open(t, engine.Assumptions{})
	by := engine.Actor{Who: "test", Reason: "test"}
	outer, err := r.engine.AddGroup(t.Context(), by, "outer")
	check(t, err)
	check(t, r.engine.AddUserToGroup(t.Context(), by, outer, cloud.UserID(r.ann)))
	var inner []string
	for _, name := range []string{"one", "two", "three"} {
		id, err := r.engine.AddGroup(t.Context(), by, name)
		check(t, err)
		check(t, r.engine.AddGroupToGroup(t.Context(), by, outer, id))
		inner = append(inner, id)
	}
	slices.Sort(inner)
	for top, want := range map[string]int{"1": 4, "2": 2, "3": 2, "4": 1} {
		var seen []string
		pages := 0
		for next := r.url + "/v1.0/groups/" + outer + "/members?$top=" + top; next != ""; pages++ {
			got := r.want(t, 200, "GET", next, "")
			for i := range got.len("value") {
				seen = append(seen, got.text("value", i, "id"))
			}
			next = got.text("@odata.nextLink")
		}
		if strings.Join(seen, " ") != r.ann+" "+strings.Join(inner, " ") || pages < want || pages > want+1 {
			t.Errorf("%s at a time: %v on %d pages", top, seen, pages)
		}
	}
}

func TestGroups(t *testing.T) {
	r := open(t, engine.Assumptions{})
	group := func(name string) string {
		return r.want(t, 200, "GET", "/v1.0/groups?$filter=displayName%20eq%20'"+name+"'&$select=id", "").text("value", 0, "id")
	}
	pilot, all := group("pilot"), group("all")
	by := engine.Actor{Who: "test", Reason: "test"}
	outer, err := r.engine.AddGroup(t.Context(), by, "outer")
	check(t, err)
	check(t, r.engine.AddGroupToGroup(t.Context(), by, outer, pilot))
	if got := r.want(t, 200, "GET", "/v1.0/groups/"+outer+"/members", ""); got.len("value") != 1 || got.text("value", 0, "@odata.type") != "#microsoft.graph.group" {
		t.Errorf("direct members: %s", got.raw)
	}
	got := r.want(t, 200, "GET", "/v1.0/groups/"+outer+"/transitiveMembers/microsoft.graph.user?$count=true&$select=id&$top=999", "", "ConsistencyLevel", "eventual")
	if got.len("value") != 1 || got.text("value", 0, "id") != r.ann {
		t.Errorf("transitive users: %s", got.raw)
	}
	var seen []string
	for next := r.url + "/v1.0/groups/" + outer + "/transitiveMembers?$top=1"; next != ""; {
		got := r.want(t, 200, "GET", next, "")
		seen = append(seen, got.text("value", 0, "id"))
		next = got.text("@odata.nextLink")
	}
	if strings.Join(seen, " ") != r.ann+" "+pilot {
		t.Errorf("transitive members by pages: %v", seen)
	}
	got = r.want(t, 200, "POST", "/v1.0/users/"+r.ann+"/checkMemberGroups", `{"groupIds":["`+outer+`","`+all+`","00000000-0000-0000-0000-000000000000"]}`)
	if got.len("value") != 2 {
		t.Errorf("checkMemberGroups: %s", got.raw)
	}
	r.want(t, 400, "POST", "/v1.0/users/"+r.ann+"/checkMemberGroups", `{"groupIds":[]}`)
	got = r.want(t, 200, "GET", "/v1.0/users/"+r.bob+"/transitiveMemberOf/microsoft.graph.directoryRole?$count=true", "", "ConsistencyLevel", "eventual")
	if got.len("value") != 1 || got.text("value", 0, "roleTemplateId") != "62e90394-69f5-4237-9190-012177145e10" {
		t.Errorf("roles: %s", got.raw)
	}
	r.want(t, 404, "GET", "/v1.0/groups/"+r.ann, "")
	r.want(t, 404, "GET", "/v1.0/groups/outer/members", "") // a name is no id
	for _, path := range []string{"/v1.0/groups/" + outer + "/transitiveMembers/microsoft.graph.user?$select=id", "/v1.0/users/" + r.bob + "/transitiveMemberOf/microsoft.graph.directoryRole"} {
		r.want(t, 400, "GET", path, "") // a cast is an advanced query
		r.want(t, 400, "GET", path, "", "ConsistencyLevel", "eventual")
	}
}

// The roles of somebody, by the page of unifiedRoleAssignment: the header, $count
// and the filter are required.
func TestRoleAssignments(t *testing.T) {
	r := open(t, engine.Assumptions{})
	of := func(id string) string {
		return "/beta/roleManagement/directory/transitiveRoleAssignments?$count=true&$filter=principalId%20eq%20'" + id + "'"
	}
	got := r.want(t, 200, "GET", of(r.bob), "", "ConsistencyLevel", "eventual")
	if got.len("value") != 1 || got.text("value", 0, "roleDefinitionId") != "62e90394-69f5-4237-9190-012177145e10" {
		t.Errorf("roles: %s", got.raw)
	}
	for _, id := range []string{r.ann, "00000000-0000-0000-0000-000000000000"} {
		if got := r.want(t, 200, "GET", of(id), "", "ConsistencyLevel", "eventual"); got.len("value") != 0 {
			t.Errorf("%s: %s", id, got.raw)
		}
	}
	r.want(t, 404, "GET", of(r.bob), "")
	r.want(t, 404, "GET", strings.Replace(of(r.bob), "beta", "v1.0", 1), "", "ConsistencyLevel", "eventual")
	r.want(t, 400, "GET", "/beta/roleManagement/directory/transitiveRoleAssignments?$count=true", "", "ConsistencyLevel", "eventual")
}

// The published examples of phones, with the rules between the slots.
func TestPhones(t *testing.T) {
	r := open(t, engine.Assumptions{})
	at := "/v1.0/users/ann%40contoso.example/authentication/phoneMethods"
	if got := r.want(t, 200, "GET", at, ""); got.len("value") != 0 || !strings.Contains(got.raw, `"value":[]`) {
		t.Errorf("nothing yet: %s", got.raw)
	}
	r.want(t, 400, "POST", at, `{"phoneNumber":"+1 4255550100","phoneType":"alternateMobile"}`)
	got := r.want(t, 201, "POST", at, `{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","phoneNumber":"+1 4255550100","phoneType":"mobile"}`)
	if got.text("id") != mobileID || got.text("phoneNumber") != "+1 4255550100" || got.text("smsSignInState") != "notAllowedByPolicy" {
		t.Errorf("created: %s", got.raw)
	}
	r.want(t, 400, "POST", at, `{"phoneNumber":"+1 4255550101","phoneType":"mobile"}`)
	r.want(t, 201, "POST", at, `{"phoneNumber":"+44 20 7946 0000","phoneType":"alternateMobile"}`)
	r.want(t, 201, "POST", at, pack(t, `{"phoneNumber":"+1 4255550102x123","phoneType":"office"}`), "Content-Encoding", "gzip")
	for _, bad := range []string{`{"phoneNumber":"4255550101","phoneType":"mobile"}`, `{"phoneNumber":"+1 425555CALL","phoneType":"office"}`, `{"phoneType":"mobile"}`,
		`{"phoneNumber":"+1 4255550101","phoneType":"fax"}`, `{"phoneNumber":"+1 4255550101","phoneType":"mobile","smsSignInState":"ready"}`, `[]`, `{`, `{} {}`, `null`,
		`{"phoneNumber":"+1 4255550101","phoneType":"mobile","PhoneNumber":"+1 4255550103"}`} {
		r.want(t, 400, "POST", "/v1.0/users/"+r.bob+"/authentication/phoneMethods", bad)
	}
	got = r.want(t, 200, "GET", at, "")
	if got.len("value") != 3 || got.text("value", 1, "phoneNumber") != "+44 2079460000" || got.text("value", 2, "id") != officeID {
		t.Errorf("list: %s", got.raw)
	}
	if got := r.want(t, 200, "GET", at+"?$filter=phoneType%20eq%20'mobile'", ""); got.len("value") != 1 {
		t.Errorf("filtered: %s", got.raw)
	}
	r.want(t, 400, "GET", at+"?$count=true", "")
	r.want(t, 204, "PATCH", at+"/"+officeID, `{"phoneNumber":"+1 4255550103","phoneType":"office"}`)
	r.want(t, 400, "PATCH", at+"/"+officeID, `{"phoneNumber":"+1 4255550103","phoneType":"mobile"}`)
	if got := r.want(t, 200, "GET", at+"/"+officeID, ""); got.text("phoneNumber") != "+1 4255550103" {
		t.Errorf("changed: %s", got.raw)
	}
	r.want(t, 400, "DELETE", at+"/"+mobileID, "")
	r.want(t, 204, "PATCH", "/beta/users/"+r.ann+"/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"voiceOffice"}`)
	if got := r.want(t, 200, "GET", "/beta/users/"+r.ann+"/authentication/signInPreferences", ""); got.text("userPreferredMethodForSecondaryAuthentication") != "voiceOffice" {
		t.Errorf("preferred: %s", got.raw)
	}
	r.want(t, 404, "GET", "/v1.0/users/"+r.ann+"/authentication/signInPreferences", "")
	r.want(t, 400, "PATCH", "/beta/users/"+r.ann+"/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"oath"}`)
	r.want(t, 400, "PATCH", "/beta/users/"+r.ann+"/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":null}`)
	if got := r.want(t, 400, "DELETE", at+"/"+officeID, ""); got.text("error", "code") != "badRequest" {
		t.Errorf("the default is gone: %s", got.raw)
	}
	r.want(t, 204, "DELETE", at+"/"+alternateID, "")
	r.want(t, 404, "DELETE", at+"/"+alternateID, "")
	r.want(t, 404, "GET", at+"/nonsense", "")
	r.want(t, 415, "POST", at, `{"phoneNumber":"+1 4255550102","phoneType":"office"}`, "Content-Encoding", "br")
	r.want(t, 400, "POST", at, `{"phoneNumber":"+1 4255550102","phoneType":"office"}`, "Content-Encoding", "gzip")
	r.want(t, 415, "POST", at, `{"phoneNumber":"+1 4255550102","phoneType":"office"}`, "Content-Type", "text/plain")
	if got := r.want(t, 200, "GET", "/v1.0/users/"+r.ann+"/authentication/methods", ""); got.len("value") != 3 || got.text("value", 1, "@odata.type") != "#microsoft.graph.phoneAuthenticationMethod" {
		t.Errorf("methods: %s", got.raw)
	}
	if got := r.want(t, 200, "GET", "/v1.0/reports/authenticationMethods/userRegistrationDetails", ""); got.len("value") != 3 {
		t.Errorf("report: %s", got.raw)
	}
}

func TestEmailAndWhatNobodyCreates(t *testing.T) {
	r := open(t, engine.Assumptions{})
	at := "/v1.0/users/" + r.ann + "/authentication/"
	if got := r.want(t, 201, "POST", at+"emailMethods", `{"emailAddress":"ann@fabrikam.example"}`); got.text("id") != "3ddfcfc8-9383-446f-83cc-3ab9be4be18f" {
		t.Errorf("email: %s", got.raw)
	}
	r.want(t, 400, "POST", at+"emailMethods", `{"emailAddress":"other@fabrikam.example"}`)
	r.want(t, 400, "PATCH", at+"emailMethods/3ddfcfc8-9383-446f-83cc-3ab9be4be18f", `{"emailAddress":"no address"}`)
	r.want(t, 204, "PATCH", at+"emailMethods/3ddfcfc8-9383-446f-83cc-3ab9be4be18f", `{"emailAddress":"other@fabrikam.example"}`)
	r.want(t, 204, "DELETE", at+"emailMethods/3ddfcfc8-9383-446f-83cc-3ab9be4be18f", "")
	for _, segment := range []string{"microsoftAuthenticatorMethods", "softwareOathMethods"} {
		r.want(t, 200, "GET", at+segment, "")
		r.want(t, 405, "POST", at+segment, `{"displayName":"phone"}`)
		r.want(t, 404, "DELETE", at+segment+"/nonsense", "")
	}
	r.want(t, 404, "DELETE", "/v1.0/users/nobody@contoso.example/authentication/phoneMethods/"+mobileID, "")
}

// code is what a token with the seed shows.
func code(t testing.TB, at time.Time) string {
	t.Helper()
	s, err := totp.GenerateCodeCustom(seed, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	check(t, err)
	return s
}

const device = `{"serialNumber":"GALT11420108","manufacturer":"Thales","model":"OTP 110 Token","secretKey":"` + seed + `","timeIntervalInSeconds":30,"hashFunction":"hmacsha1"}`

func TestHardwareTokens(t *testing.T) {
	r := open(t, engine.Assumptions{Activates: true})
	inventory, at := "/beta/directory/authenticationMethodDevices/hardwareOathDevices", "/beta/users/"+r.ann+"/authentication/hardwareOathMethods"
	made := r.want(t, 201, "POST", inventory, device)
	id := made.text("id")
	if made.text("status") != "available" || made.at("secretKey") != nil || strings.Contains(made.raw, seed) {
		t.Errorf("device: %s", made.raw)
	}
	r.want(t, 400, "POST", inventory, device)
	for _, bad := range []string{strings.Replace(device, seed, "not base32!", 1), strings.Replace(device, ":30", ":45", 1), strings.Replace(device, "Thales", "", 1),
		strings.Replace(device, "hmacsha1", "hmacsha512", 1), strings.Replace(device, "secretKey", "other", 1)} {
		r.want(t, 400, "POST", inventory, strings.Replace(bad, "GALT11420108", "OTHER", 1))
	}
	r.want(t, 201, "PATCH", inventory, `{"@context":"#$delta","value":[`+strings.Replace(strings.Replace(device, "GALT11420108", "SECOND", 1), ":30", `:"30"`, 1)+`]}`)
	if got := r.want(t, 200, "GET", inventory+"?$filter=serialNumber%20eq%20'GALT11420108'", ""); got.text("value", 0, "id") != id {
		t.Errorf("by serial number: %s", got.raw)
	}
	if got := r.want(t, 200, "GET", inventory, ""); got.len("value") != 2 {
		t.Errorf("inventory: %s", got.raw)
	}
	if got := r.want(t, 201, "POST", at, `{"device":{"id":"`+id+`"}}`); got.text("id") != id || got.text("@odata.type") != "#microsoft.graph.hardwareOathAuthenticationMethod" {
		t.Errorf("assigned: %s", got.raw)
	}
	r.want(t, 400, "POST", at, `{"device":{"id":"`+id+`"}}`)
	r.want(t, 400, "DELETE", inventory+"/"+id, "")
	r.want(t, 400, "PATCH", "/beta/users/"+r.ann+"/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"oath"}`)
	r.want(t, 400, "POST", at+"/"+id+"/activate", `{"verificationCode":"000000","displayName":"desk"}`)
	if got := r.want(t, 200, "GET", inventory+"/"+id, ""); got.text("status") != "failedActivation" || got.text("assignedTo", "id") != r.ann {
		t.Errorf("after a wrong code: %s", got.raw)
	}
	r.want(t, 204, "POST", at+"/"+id+"/activate", `{"verificationCode":"`+code(t, r.Now())+`","displayName":"desk"}`)
	got := r.want(t, 200, "GET", at, "")
	if got.len("value") != 1 || got.text("value", 0, "device", "status") != "activated" || got.text("value", 0, "device", "displayName") != "desk" {
		t.Errorf("activated: %s", got.raw)
	}
	r.want(t, 204, "PATCH", "/beta/users/"+r.ann+"/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"oath"}`)
	// The default goes with the last method; the device is available again.
	r.want(t, 409, "POST", at+"/"+id+"/activate", `{"verificationCode":"`+code(t, r.Now())+`"}`)
	r.want(t, 204, "DELETE", at+"/"+id, "")
	r.want(t, 404, "DELETE", at+"/"+id, "")
	if got := r.want(t, 200, "GET", inventory+"/"+id, ""); got.text("status") != "available" || got.at("assignedTo") != nil {
		t.Errorf("unassigned: %s", got.raw)
	}
	r.want(t, 204, "PATCH", inventory+"/"+id, `{"displayName":"spare"}`)
	r.want(t, 400, "PATCH", inventory+"/"+id, `{"secretKey":"AAAA"}`)
	r.want(t, 204, "DELETE", inventory+"/"+id, "")
	r.want(t, 404, "GET", inventory+"/"+id, "")
	r.want(t, 201, "POST", inventory, device) // its serial number is free again
	r.want(t, 204, "POST", at+"/assignAndActivateBySerialNumber", `{"serialNumber":"GALT11420108","verificationCode":"`+code(t, r.Now().Add(30*time.Second))+`","displayName":"desk"}`)
	r.want(t, 400, "POST", "/beta/users/"+r.guest+"/authentication/hardwareOathMethods", `{"device":{"id":"`+r.want(t, 200, "GET", inventory+"?$filter=serialNumber%20eq%20'SECOND'", "").text("value", 0, "id")+`"}}`)
}

// A user has five devices at most, and an application may be kept from
// activating.
func TestHardwareLimits(t *testing.T) {
	r := open(t, engine.Assumptions{})
	inventory, at := "/beta/directory/authenticationMethodDevices/hardwareOathDevices", "/beta/users/"+r.ann+"/authentication/hardwareOathMethods"
	for i, status := range []int{201, 201, 201, 201, 201, 400} {
		id := r.want(t, 201, "POST", inventory, strings.Replace(device, "GALT11420108", "T"+string(rune('1'+i)), 1)).text("id")
		r.want(t, status, "POST", at, `{"device":{"id":"`+id+`"}}`)
		if i == 0 {
			if got := r.want(t, 403, "POST", at+"/"+id+"/activate", `{"verificationCode":"`+code(t, r.Now())+`"}`); got.text("error", "code") != "accessDenied" {
				t.Errorf("activation: %s", got.raw)
			}
		}
	}
	r.want(t, 404, "GET", "/v1.0/users/"+r.ann+"/authentication/hardwareOathMethods", "")
}

func TestBatch(t *testing.T) {
	r := open(t, engine.Assumptions{})
	at := "/users/" + r.ann + "/authentication/phoneMethods"
	post := func(id, kind, number, depends string) string {
		return `{"id":"` + id + `","method":"POST","url":"` + at + `","headers":{"Content-Type":"application/json"},"body":{"phoneNumber":"` + number + `","phoneType":"` + kind + `"}` + depends + `}`
	}
	got := r.want(t, 200, "POST", "/v1.0/$batch", `{"requests":[`+post("2", "alternateMobile", "+1 4255550101", `,"dependsOn":["1"]`)+","+post("1", "mobile", "+1 4255550100", "")+
		`,{"id":"3","method":"GET","url":"users/nobody"},{"id":"4","method":"GET","url":"/users/nobody","dependsOn":["3"]},{"id":"5","method":"GET","url":"/beta"}]}`)
	status := map[string]float64{}
	for i := range got.len("responses") {
		status[got.text("responses", i, "id")], _ = got.at("responses", i, "status").(float64)
	}
	for id, want := range map[string]float64{"1": 201, "2": 201, "3": 404, "4": 424, "5": 404} {
		if status[id] != want {
			t.Errorf("item %s: %v, want %v in %s", id, status[id], want, got.raw)
		}
	}
	for _, bad := range []string{`{"requests":[]}`, `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"1","method":"GET","url":"/users"}]}`,
		`{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["9"]}]}`, `{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["1"]}]}`,
		`{"requests":[{"id":"1","method":"POST","url":"/users","body":{}}]}`, `{"requests":[` + strings.Repeat(`{"id":"1","method":"GET","url":"/users"},`, 20) + `{"id":"2","method":"GET","url":"/users"}]}`} {
		r.want(t, 400, "POST", "/v1.0/$batch", bad)
	}
}

func TestEnvelope(t *testing.T) {
	r := open(t, engine.Assumptions{})
	id := "7d1b5b0e-7f5c-4b8f-9a7e-0123456789ab"
	got := r.want(t, 404, "GET", "/v1.0/users/nobody@contoso.example", "", "client-request-id", id)
	if got.text("error", "innerError", "client-request-id") != id || got.header.Get("client-request-id") != id || got.header.Get("request-id") == "" ||
		got.text("error", "innerError", "request-id") != got.header.Get("request-id") || got.header.Get("x-ms-resource-unit") != "1" || got.header.Get("Date") == "" {
		t.Errorf("envelope: %v %s", got.header, got.raw)
	}
	if got := r.want(t, 200, "GET", "/v1.0/users", ""); got.header.Get("x-ms-resource-unit") != "2" {
		t.Errorf("a listing costs %s", got.header.Get("x-ms-resource-unit"))
	}
}

// The published example of a pass, the policy's bounds, and one pass at a time.
func TestPasses(t *testing.T) {
	r := open(t, engine.Assumptions{}, "pass=once")
	at := "/v1.0/users/" + r.ann + "/authentication/temporaryAccessPassMethods"
	first := r.want(t, 201, "POST", at, `{"lifetimeInMinutes":60,"isUsableOnce":true}`)
	word := first.text("temporaryAccessPass")
	if len(word) < 8 || first.at("lifetimeInMinutes") != 60.0 || first.at("isUsable") != true || first.text("methodUsabilityReason") != "EnabledByPolicy" {
		t.Errorf("created: %d characters, %v", len(word), first.at("isUsable"))
	}
	for _, bad := range []string{`{"isUsableOnce":false}`, `{"lifetimeInMinutes":59}`, `{"lifetimeInMinutes":481}`, `{"lifetimeInMinutes":"60"}`, `{"startDateTime":"2026-10-01T00:00:00Z"}`, `[]`} {
		r.want(t, 400, "POST", at, bad)
	}
	second := r.want(t, 201, "POST", at, "")
	got := r.want(t, 200, "GET", at, "")
	if got.len("value") != 1 || got.text("value", 0, "id") != second.text("id") || got.at("value", 0, "temporaryAccessPass") != nil || strings.Contains(got.raw, word) {
		t.Errorf("listed: %d", got.len("value"))
	}
	r.want(t, 200, "GET", at+"/"+second.text("id"), "")
	r.want(t, 404, "DELETE", at+"/"+first.text("id"), "")
	r.want(t, 204, "DELETE", at+"/"+second.text("id"), "")
	r.want(t, 404, "GET", at+"/"+second.text("id"), "")
	r.want(t, 400, "POST", "/v1.0/users/"+r.guest+"/authentication/temporaryAccessPassMethods", "")
	closed := open(t, engine.Assumptions{})
	closed.want(t, 400, "POST", "/v1.0/users/"+closed.ann+"/authentication/temporaryAccessPassMethods", "")
}

// Graph takes no property that the type of a body does not have, and tells names
// apart by case; annotations are no properties.
func TestBodiesAreOfTheirType(t *testing.T) {
	r := open(t, engine.Assumptions{})
	user := "/users/" + r.ann + "/authentication/"
	const devices = "/beta/directory/authenticationMethodDevices/hardwareOathDevices"
	device := `"serialNumber":"T-1","manufacturer":"Acme","model":"T1","secretKey":"` + seed + `","timeIntervalInSeconds":30`
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1.0" + user + "phoneMethods", `{"PhoneNumber":"+1 4255550101","phoneType":"mobile"}`},
		{"POST", "/v1.0" + user + "phoneMethods", `{"phoneNumber":"+1 4255550101","phoneType":"mobile","number":"+1 4255550101"}`},
		{"POST", "/v1.0" + user + "emailMethods", `{"emailAddress":"ann@home.example","address":"x"}`},
		{"PATCH", "/beta" + user + "signInPreferences", `{"preferredMethod":"sms"}`},
		{"PATCH", "/beta" + user + "signInPreferences", `{"isSystemPreferredAuthenticationMethodEnabled":false}`},
		{"PATCH", "/beta" + user + "requirements", `{"perUserMFAState":"enabled"}`},
		{"POST", devices, `{` + device + `,"interval":30}`},
		{"PATCH", devices, `{"@context":"#$delta","value":[{"@contentId":"1",` + device + `,"algorithm":"x"}]}`},
		{"POST", "/beta" + user + "hardwareOathMethods", `{"device":{"id":"1","serial":"T-1"}}`},
		{"POST", "/v1.0" + user + "temporaryAccessPassMethods", `{"lifetime":60}`},
		{"POST", "/v1.0/users/" + r.ann + "/checkMemberGroups", `{"groups":["x"]}`},
	} {
		if got := r.want(t, 400, c.method, c.path, c.body); !strings.Contains(got.text("error", "message"), "does not") {
			t.Errorf("%s %s: %s", c.path, c.body, got.raw)
		}
	}
	r.want(t, 201, "POST", "/v1.0"+user+"phoneMethods", `{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","phoneNumber":"+1 4255550101","phoneType":"mobile"}`)
	r.want(t, 201, "PATCH", devices, `{"@context":"#$delta","value":[{"@contentId":"1",`+device+`}]}`)
}

// A question about memberships is no write, and costs what the page says.
func TestCostOfMemberships(t *testing.T) {
	r := open(t, engine.Assumptions{})
	for path, want := range map[string]string{"checkMemberGroups": "4", "getMemberGroups": "2"} {
		body := map[string]string{"checkMemberGroups": `{"groupIds":["11111111-1111-4111-8111-111111111111"]}`, "getMemberGroups": `{"securityEnabledOnly":false}`}[path]
		if got := r.want(t, 200, "POST", "/v1.0/users/"+r.ann+"/"+path, body).header.Get("x-ms-resource-unit"); got != want {
			t.Errorf("%s costs %s, want %s", path, got, want)
		}
	}
	if got := r.want(t, 200, "GET", "/v1.0/users/"+r.ann+"/transitiveMemberOf", "").header.Get("x-ms-resource-unit"); got != "2" {
		t.Errorf("transitiveMemberOf costs %s", got)
	}
}

// With late=…, the inventory is behind what was written as methods of users are.
func TestInventoryIsSeenLate(t *testing.T) {
	r := open(t, engine.Assumptions{}, "late=5s")
	const devices = "/beta/directory/authenticationMethodDevices/hardwareOathDevices"
	listed := func(want string) {
		t.Helper()
		got := r.want(t, 200, "GET", devices+"?$filter=serialNumber%20eq%20'T-1'", "")
		if status := got.text("value", 0, "status"); status != want {
			t.Errorf("listed as %q, want %q", status, want)
		}
	}
	id := r.want(t, 201, "POST", devices, `{"serialNumber":"T-1","manufacturer":"Acme","model":"T1","secretKey":"`+seed+`","timeIntervalInSeconds":30}`).text("id")
	listed("")
	r.want(t, 404, "GET", devices+"/"+id, "")
	r.Advance(5 * time.Second)
	listed("available")
	r.want(t, 201, "POST", "/beta/users/"+r.ann+"/authentication/hardwareOathMethods", `{"device":{"id":"`+id+`"}}`)
	listed("available")
	r.Advance(5 * time.Second)
	listed("assigned")
	r.want(t, 204, "DELETE", "/beta/users/"+r.ann+"/authentication/hardwareOathMethods/"+id, "")
	r.want(t, 204, "DELETE", devices+"/"+id, "")
	listed("assigned")
	if got := r.want(t, 200, "GET", devices+"/"+id, "").text("status"); got != "assigned" {
		t.Errorf("by its id: %q", got)
	}
	r.Advance(5 * time.Second)
	listed("")
}
