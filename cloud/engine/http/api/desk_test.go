package api_test

import (
	"fmt"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// A helpdesk sees where somebody is reached, but of administrators no more than
// tells one number from another. Who may change them sees it.
func TestDeskSeesNoNumberOfAnAdministrator(t *testing.T) {
	h := build(t)
	by := engine.Actor{Who: "operator", Reason: "test"}
	hidden := []string{"4255550142", "4255550143", "4255550144", "elsewhere@"}
	for _, c := range []struct {
		upn   string
		roles []string
	}{{"boss@contoso.example", []string{"Helpdesk Administrator"}}, {"clerk@contoso.example", nil}} {
		made := h.engine.ImportUsers(t.Context(), by, []engine.Newcomer{{Profile: cloud.Profile{UPN: c.upn, Enabled: true}, Roles: c.roles}})[0]
		if made.Err != nil {
			t.Fatal(made.Err)
		}
		add := func(m cloud.Method, text string) cloud.Change {
			return cloud.Change{User: made.ID, Op: cloud.Add, Method: m, After: cloud.TextValue(text)}
		}
		for _, r := range h.engine.Write(t.Context(), []cloud.Change{add(cloud.Mobile, "+1 4255550142"), add(cloud.AlternateMobile, "+1 4255550143"),
			add(cloud.Office, "+1 4255550144"), add(cloud.Email, "elsewhere@fabrikam.example")}) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		for path, body := range map[string]string{"/admin/v1/users/show": fmt.Sprintf(`{"name":%q}`, c.upn), "/directory/v1/read": fmt.Sprintf(`{"ids":[%q]}`, made.ID)} {
			for _, role := range []engine.Role{engine.RoleHelpdesk, engine.RoleAuditor, engine.RoleAdmin} {
				w := h.as(role, "POST", path, body)
				if w.Code != 200 || !strings.Contains(w.Body.String(), "mobile") {
					t.Fatalf("%s: %d %s", path, w.Code, w.Body)
				}
				masks := role == engine.RoleHelpdesk && c.roles != nil
				for _, text := range hidden {
					if strings.Contains(w.Body.String(), text) == masks {
						t.Errorf("%s as %s about %s: %s", path, role, c.upn, w.Body)
					}
				}
			}
		}
	}
}
