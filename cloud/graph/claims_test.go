package graph_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// wantedClaims are what a challenge asks for, as a tenant with continuous access
// evaluation sends them (claims-challenge).
const wantedClaims = `{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}`

// challenge is the refusal of a token that was revoked, or whose holder has
// moved to another network.
func challenge(x *tenant, claims string) (*http.Response, error) {
	header := http.Header{"Www-Authenticate": {`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="` + claims + `"`}}
	return reply(401, header, map[string]any{"error": map[string]string{"code": "InvalidAuthenticationToken"}}, x.date())
}

// A challenge for claims gets a token that has them, in the middle of a run, and
// the change is made once. Where the authority gives none for them, or Graph
// takes none, the run ends and says why.
func TestChallengeForClaims(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(wantedClaims))
	for name, c := range map[string]struct {
		times  int // challenges
		claims string
		gives  error
		want   string
		says   string
		sent   int // batches that write
	}{
		"once":            {1, encoded, nil, "done", "", 2},
		"for ever":        {99, encoded, nil, "failed denied", "Graph answers 401 InvalidAuthenticationToken", 4},
		"none for them":   {1, encoded, refusedByAuthority{}, "failed denied", "AADSTS53003", 1},
		"no claims":       {1, "%%%", nil, "failed denied", "invalid claims", 1},
		"nothing in them": {1, "", nil, "done", "", 2},
	} {
		x := newTenant(t)
		a := &application{roles: everyRole(), claims: c.gives}
		challenged, sent := 0, 0
		d := x.open(func(o *graph.Options) {
			o.Credential = a
			o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
				if !strings.Contains(string(body), `"phoneNumber":"+1 4255550101"`) {
					return nil, nil
				}
				if sent++; challenged < c.times {
					challenged++
					return challenge(x, c.claims)
				}
				return nil, nil
			})
		})
		r := d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})
		if got := outcomes(r); got != c.want || sent != c.sent || c.says != "" && !strings.Contains(r[0].Err.Error(), c.says) {
			t.Errorf("%s: %+v, sent %d times", name, r, sent)
		}
		if made := x.people[adaID].phones["mobile"] != ""; made != (c.want == "done") {
			t.Errorf("%s: the user has %v", name, x.people[adaID].phones)
		}
		told := false
		for _, o := range a.asked {
			told = told || o.Claims == wantedClaims
			if !o.EnableCAE { // it would be another token than that of the requests
				t.Errorf("%s: a token is asked for that can answer no challenge", name)
			}
		}
		if told != (c.claims == encoded) {
			t.Errorf("%s: asked for %+v", name, a.asked)
		}
	}
}

// refusedByAuthority is how the command's credential tells that an authority
// said no.
type refusedByAuthority struct{}

func (refusedByAuthority) Error() string {
	return "the authority answers 400 access_denied, AADSTS53003"
}
func (refusedByAuthority) NonRetriable() {}
