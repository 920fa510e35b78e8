package graph_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
)

// counted fails a test that asks for ever.
func counted(t *testing.T, x *tenant, most int, f func(r *http.Request, body []byte) (*http.Response, error)) func(*graph.Options) {
	n := 0
	return func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if n++; n > most {
				t.Fatal("it asks for ever")
			}
			return f(r, body)
		})
	}
}

// Pages that lead to themselves, or on and on without an entry, come to an end.
func TestPagesThatNeverEnd(t *testing.T) {
	for name, next := range map[string]func(n int) string{
		"the same page": func(int) string { return root + "/v1.0/groups/x/transitiveMembers?$skiptoken=a" },
		"empty pages":   func(n int) string { return fmt.Sprintf("%s/v1.0/groups/x/transitiveMembers?$skiptoken=%d", root, n) },
		"another host":  func(int) string { return "https://graph.microsoft.com.evil.example/v1.0/groups" },
		"no host":       func(int) string { return "httpx" },
	} {
		x := newTenant(t)
		n := 0
		d := x.open(counted(t, x, 1000, func(r *http.Request, _ []byte) (*http.Response, error) {
			if !strings.Contains(r.URL.Path, "transitiveMembers") {
				return nil, nil
			}
			n++
			return reply(200, nil, map[string]any{"value": []any{}, "@odata.nextLink": next(n)}, x.date())
		}))
		var last error
		for _, err := range d.Members(t.Context(), groupID) {
			last = err
		}
		if last == nil {
			t.Errorf("%s: the members are told to be all", name)
		}
	}
}

// A lookup that goes on and on is given up.
func TestLookUpThatNeverEnds(t *testing.T) {
	x := newTenant(t)
	d := x.open(counted(t, x, 1000, func(r *http.Request, body []byte) (*http.Response, error) {
		page := map[string]any{"value": []any{map[string]string{"id": adaID, "userPrincipalName": "ada@contoso.example"}}, "@odata.nextLink": root + "/v1.0/users?$skiptoken=a"}
		if r.Method == http.MethodGet {
			return reply(200, nil, page, x.date())
		}
		if strings.Contains(string(body), "/users?") {
			return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": 200, "body": page}}}, x.date())
		}
		return nil, nil
	}))
	if found, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}}); err == nil {
		t.Errorf("found %v", found)
	}
}

// What is told of another user than was asked for is nobody's.
func TestAnswersAboutAnotherUser(t *testing.T) {
	x := newTenant(t)
	wrong := adaID
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			resp, err := x.RoundTrip(r)
			if err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "$batch") {
				return resp, err
			}
			var all map[string]any
			if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
				return nil, err
			}
			b, _ := json.Marshal(all)
			var changed map[string]any
			_ = json.Unmarshal([]byte(strings.ReplaceAll(string(b), `"id":"`+bobID, `"id":"`+wrong)), &changed)
			return reply(200, nil, changed, x.date())
		})
	})
	if users, err := d.Read(t.Context(), []cloud.UserID{bobID}); err == nil {
		t.Errorf("read %+v", users)
	}
	if got := outcomes(d.Write(t.Context(), []cloud.Change{change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})); got != "failed internal" {
		t.Errorf("written: %s", got)
	}
	wrong = ""
	if found, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "bob@contoso.example"}}); err != nil || len(found[0]) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// fickle is a credential whose tokens end at once.
type fickle struct{ fault func() error }

func (f *fickle) GetToken(context.Context, azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	if f.fault != nil {
		if err := f.fault(); err != nil {
			return azcore.AccessToken{}, err
		}
	}
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now()}, nil
}

// An authority that is away for a while costs nobody anything.
func TestAuthorityIsAwayForAWhile(t *testing.T) {
	x := newTenant(t)
	who := &fickle{}
	asked := 0
	d := x.open(func(o *graph.Options) { o.Credential = who })
	who.fault = func() error {
		if asked++; asked > 4 && asked < 8 {
			return &cloud.Error{Kind: cloud.Unavailable, Message: "the authority cannot be reached"}
		}
		return nil
	}
	if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone || asked < 9 {
		t.Errorf("got %s after %d tokens", got, asked)
	}
	who.fault = func() error { return &cloud.Error{Kind: cloud.Unavailable, Message: "the authority cannot be reached"} }
	if got := outcomes(d.Write(t.Context(), someChanges()[:1])); got != "failed unavailable" {
		t.Errorf("away for good: %s", got)
	}
}

// A proxy that breaks TLS open with an authority that nobody here knows is not
// asked again and again: what to do about it is said at once, and nothing was
// sent.
func TestCertificateThatIsNotTrusted(t *testing.T) {
	x := newTenant(t)
	trusted, asked := true, 0
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(*http.Request, []byte) (*http.Response, error) {
			if trusted {
				return nil, nil
			}
			asked++
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		})
	})
	trusted = false
	_, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}})
	if cloud.KindOf(err) != cloud.Denied || !strings.Contains(hint.Of(err), "--ca") || asked != 1 {
		t.Errorf("found after %d: %v, %q", asked, err, hint.Of(err))
	}
	asked = 0
	_, err = d.Domains(t.Context())
	if cloud.KindOf(err) != cloud.Denied || !strings.Contains(hint.Of(err), "--ca") || asked != 1 {
		t.Errorf("listed after %d: %v, %q", asked, err, hint.Of(err))
	}
	r := d.Write(t.Context(), someChanges())[0]
	if r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Denied || slices.ContainsFunc(x.waits, func(d time.Duration) bool { return d > 0 }) {
		t.Errorf("written: %+v, waits %v", r, x.waits)
	}
}

// A token that was put into the inventory for a user who cannot have it does
// not stay there, and where it does the error says so.
func TestTokenOfNobodyIsWithdrawn(t *testing.T) {
	for _, stays := range []bool{false, true} {
		x := newTenant(t)
		refuse := func(r *http.Request, body []byte) (*http.Response, error) {
			no := map[string]any{"error": map[string]string{"code": "accessDenied"}}
			if text := string(body); strings.Contains(text, `"device":{"id"`) || stays && strings.Contains(text, `"method":"DELETE"`) {
				return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": 403, "body": no}}}, x.date())
			}
			return nil, nil
		}
		d := x.open(func(o *graph.Options) { o.Transport, o.Now = mutate(x, refuse), time.Now })
		r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]
		if r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Denied || (len(x.devices) == 1) != stays {
			t.Errorf("stays %v: %+v, %d devices", stays, r, len(x.devices))
		}
		if said := strings.Contains(fmt.Sprint(r.Err), "it stays in the inventory"); said != stays {
			t.Errorf("stays %v: %v", stays, r.Err)
		}
	}
	// One that was there before is somebody's.
	x := newTenant(t)
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": "available"}}
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if strings.Contains(string(body), `"device":{"id"`) {
				return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": 403}}}, x.date())
			}
			return nil, nil
		})
	})
	if r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]; r.Outcome != cloud.Failed || len(x.devices) != 1 {
		t.Errorf("%+v, %d devices", r, len(x.devices))
	}
}

// A number that is stored in spite of a 409 is not told to have failed because
// nobody could look: what failed was not written, and nobody would take it back.
func TestWhatCannotBeLookedAtIsNotKnown(t *testing.T) {
	x := newTenant(t)
	blind, stored := false, false
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if writes(body) && !stored {
				stored, blind = true, true
				if _, err := x.RoundTrip(r); err != nil {
					t.Fatal(err)
				}
				no := map[string]any{"error": map[string]string{"code": "phoneNumberNotUnique"}}
				return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": 409, "body": no}}}, x.date())
			}
			if blind {
				return reply(403, nil, map[string]any{"error": map[string]string{"code": "accessDenied"}}, x.date())
			}
			return nil, nil
		})
	})
	changes := []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")}
	if got := outcomes(d.Write(t.Context(), changes)); got != "failed unavailable" {
		t.Errorf("nobody could look: %s", got)
	}
	blind = false
	if got := outcomes(d.Write(t.Context(), changes)); got != "already" {
		t.Errorf("given again: %s", got)
	}
}

// The same of a token: one whose activation cannot be looked at stays the
// user's, and is gone on with.
func TestTokenThatCannotBeLookedAt(t *testing.T) {
	x := newTenant(t)
	x.devices = []map[string]any{{"id": "device-1", "serialNumber": "CT-1", "status": "assigned", "assignedTo": map[string]string{"id": adaID}}}
	x.people[adaID].tokens = []string{"device-1"}
	x.accept = func(string) bool { return false }
	n := 0
	d := x.open(func(o *graph.Options) {
		o.Activates = true
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if strings.Contains(r.URL.RawQuery, "serialNumber") {
				if n++; n > 1 {
					return reply(403, nil, nil, x.date())
				}
			}
			return nil, nil
		})
	})
	r := d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})[0]
	if r.Outcome != cloud.Failed || len(x.people[adaID].tokens) != 1 {
		t.Errorf("%+v, tokens %v", r, x.people[adaID].tokens)
	}
}

// A token that ends between the library's clock and the server's costs a pause.
func TestTokenThatHasJustEnded(t *testing.T) {
	x := newTenant(t)
	refused := 0
	d := x.open(func(o *graph.Options) {
		o.Credential = &fickle{}
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if writes(body) && refused == 0 {
				refused++
				return reply(401, nil, map[string]any{"error": map[string]string{"code": "InvalidAuthenticationToken"}}, x.date())
			}
			return nil, nil
		})
	})
	if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone || refused != 1 {
		t.Errorf("got %s", got)
	}
}

// Without the permission to see roles nobody is taken for no administrator, and
// nothing is written; the permission may be a higher one, and is looked for in
// each token anew.
func TestWhoIsAnAdministratorHasToBeSeen(t *testing.T) {
	all := []string{"UserAuthenticationMethod.ReadWrite.All", "Policy.ReadWrite.AuthenticationMethod", "User.Read.All", "GroupMember.Read.All"}
	for permission, kind := range map[string]string{"": "failed denied", "RoleManagement.Read.Directory": "done", "Directory.ReadWrite.All": "done", "RoleManagement.Read.Exchange": "failed denied"} {
		x := newTenant(t)
		d := x.open(func(o *graph.Options) { o.Credential = &application{roles: append(all[:4:4], permission)} })
		if got := outcomes(d.Write(t.Context(), someChanges()[:1])); got != kind {
			t.Errorf("%q: %s", permission, got)
		}
	}
}
