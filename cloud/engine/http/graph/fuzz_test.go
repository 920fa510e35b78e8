package graph_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
)

// sane looks at any answer: a status that Graph has, and a body that is JSON.
func sane(t *testing.T, r *tenant, method, target, body string, header ...string) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return // no request can have this target
	}
	q := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", strings.NewReader(body))
	q.Method, q.URL, q.RequestURI = method, u, target
	q.Header.Set("Authorization", "Bearer "+r.token)
	q.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.face.ServeHTTP(w, q)
	if w.Code < 200 || w.Code > 599 || w.Code == http.StatusInternalServerError {
		t.Fatalf("%s %q %q: %d %s", method, target, body, w.Code, w.Body)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %q: no JSON: %s", method, target, w.Body)
	}
}

func FuzzFilter(f *testing.F) {
	r := open(f, engine.Assumptions{}, "limits=none")
	for _, s := range []string{"userPrincipalName eq 'ann@contoso.example'", "id in ('a','b')", "startswith(displayName,'B') and not (userType ne 'Guest')", "((((", "a eq ''''", "accountEnabled eq true or accountEnabled eq false"} {
		f.Add(s, "id,displayName", "5", true)
	}
	f.Fuzz(func(t *testing.T, filter, fields, top string, count bool) {
		q := url.Values{"$filter": {filter}, "$select": {fields}, "$top": {top}}
		if count {
			q.Set("$count", "true")
		}
		sane(t, r, "GET", "/v1.0/users?"+q.Encode(), "", "ConsistencyLevel", "eventual")
		sane(t, r, "GET", "/v1.0/groups?"+q.Encode(), "")
		sane(t, r, "GET", "/v1.0/users/"+r.ann+"/authentication/phoneMethods?"+q.Encode(), "")
	})
}

func FuzzPath(f *testing.F) {
	r := open(f, engine.Assumptions{}, "limits=none", "leak=yes")
	for _, s := range []string{"/v1.0/users/x/authentication/phoneMethods/y", "/beta/users('ann%40contoso.example')", "/v1.0/users(id='x')/memberOf", "/v1.0/$batch", "//", "/common/discovery/instance",
		"/v1.0/users?$top=1&$skiptoken=x", "/beta/directory/authenticationMethodDevices/hardwareOathDevices/x", "/v1.0/users/%00", "/v1.0/users('')", "/v1.0/groups/x/transitiveMembers/microsoft.graph.user"} {
		f.Add("GET", s)
	}
	f.Fuzz(func(t *testing.T, method, target string) { sane(t, r, method, target, "") })
}

func FuzzBody(f *testing.F) {
	r := open(f, engine.Assumptions{}, "limits=none", "pass=any")
	paths := []string{"/v1.0/users/" + r.ann + "/authentication/phoneMethods", "/v1.0/users/" + r.ann + "/authentication/emailMethods", "/v1.0/users/" + r.ann + "/authentication/temporaryAccessPassMethods",
		"/beta/users/" + r.ann + "/authentication/hardwareOathMethods", "/beta/directory/authenticationMethodDevices/hardwareOathDevices", "/beta/users/" + r.ann + "/authentication/signInPreferences",
		"/v1.0/policies/authenticationMethodsPolicy", "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/sms", "/v1.0/users/" + r.ann + "/checkMemberGroups", "/v1.0/$batch", "/beta/$batch"}
	for i := range paths {
		f.Add(uint8(i), "POST", `{"phoneNumber":"+1 4255550100","phoneType":"mobile"}`, false)
		f.Add(uint8(i), "PATCH", `{"@context":"#$delta","value":[{"@contentId":"1","serialNumber":"1","timeIntervalInSeconds":"30"}]}`, true)
		f.Add(uint8(i), "POST", `{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["1"]},{"id":"2","method":"POST","url":"/$batch","headers":{"Content-Type":"x"},"body":{}}]}`, false)
	}
	f.Fuzz(func(t *testing.T, at uint8, method, body string, packed bool) {
		var header []string
		if packed {
			header = []string{"Content-Encoding", "gzip"}
			if at%2 == 0 {
				body = pack(t, body)
			}
		}
		sane(t, r, method, paths[int(at)%len(paths)], body, header...)
	})
}

func FuzzToken(f *testing.F) {
	r := open(f, engine.Assumptions{})
	f.Add("grant_type=client_credentials&scope=x/.default&client_id=app&client_secret=x", r.token)
	f.Add("client_assertion=a.b.c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&grant_type=client_credentials&scope=/.default&client_id=app", "e30.e30.e30")
	f.Fuzz(func(t *testing.T, form, token string) {
		good := r.token
		sane(t, r, "POST", "/contoso.example/oauth2/v2.0/token", form, "Content-Type", "application/x-www-form-urlencoded")
		q := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/v1.0/organization", nil)
		q.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		r.face.ServeHTTP(w, q)
		if w.Code == http.StatusOK && token != good {
			t.Fatalf("token %q is taken", token)
		}
	})
}
