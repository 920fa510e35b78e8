package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	rehearsal "mfabridge/cloud/engine/http/graph"
	"mfabridge/cloud/graph"
)

// rehearsed is a store of kind entra that answers in Graph's place.
type rehearsed struct {
	engine    *engine.Engine
	face      http.Handler
	url       string
	word      string
	now       func() time.Time
	transport http.RoundTripper // nil: over the network
}

// rehearse serves a store without users; assume are switches.
func rehearse(t testing.TB, made engine.Assumptions, now func() time.Time, assume ...string) *rehearsed {
	t.Helper()
	r := newRehearsal(t, made, now, assume...)
	server := httptest.NewServer(r.face)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// newRehearsal is one that does not listen.
func newRehearsal(t testing.TB, made engine.Assumptions, now func() time.Time, assume ...string) *rehearsed {
	t.Helper()
	ctx, by := t.Context(), engine.Actor{Who: "test", Reason: "test"}
	path := enginetest.Create(t, engine.Setup{Kind: engine.KindEntra, Assumed: made, Domains: []string{"contoso.example"}, Now: now()})
	r := &rehearsed{now: now}
	r.engine, _ = enginetest.Open(t, path, engine.Config{Now: now})
	word, err := r.engine.AddApp(ctx, by, "app", engine.RoleMigrate, now().Add(24*time.Hour))
	check(t, err)
	r.word = string(word.Reveal())
	switches, err := rehearsal.ParseAssumptions(assume)
	check(t, err)
	r.face, err = rehearsal.New(rehearsal.Options{Core: r.engine, Assume: switches, Now: now})
	check(t, err)
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// GetToken asks the rehearsal's own authority, which is plain HTTP here.
func (r *rehearsed) GetToken(_ context.Context, _ azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	client := http.Client{Transport: r.transport}
	resp, err := client.PostForm(r.url+"/contoso.example/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
		"scope": {"https://graph.microsoft.com/.default"}, "client_id": {"app"}, "client_secret": {r.word}})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	token, err := tokenIn(resp)
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, err
}

// open is the driver over it.
func (r *rehearsed) open(t testing.TB, change ...func(*graph.Options)) *graph.Directory {
	t.Helper()
	o := graph.Options{Tenant: "contoso.example", Cloud: graph.Environment{Name: "rehearsal", Root: r.url, Word: "global"}, Credential: r, Writes: 1e6, Transport: r.transport,
		Now: r.now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for _, f := range change {
		f(&o)
	}
	d, err := graph.Open(t.Context(), o)
	check(t, err)
	return d
}

// people are users 1 to n.
func (r *rehearsed) people(t testing.TB, n int) []cloud.UserID {
	t.Helper()
	var ids []cloud.UserID
	for len(ids) < n {
		var some []engine.Newcomer
		for i := len(ids) + 1; i <= min(n, len(ids)+500); i++ {
			name := "user" + itoa(i)
			some = append(some, engine.Newcomer{Profile: cloud.Profile{UPN: name + "@contoso.example", DisplayName: name, SID: "S-1-5-21-1-2-3-" + itoa(i), Enabled: true}})
		}
		for _, made := range r.engine.ImportUsers(t.Context(), engine.Actor{Who: "test", Reason: "test"}, some) {
			check(t, made.Err)
			ids = append(ids, made.ID)
		}
	}
	return ids
}

// The suites that every Directory passes, over the driver and the rehearsal.
func TestSuitesOverTheRehearsal(t *testing.T) {
	for assume, activates := range map[string]bool{"limits=none": false, "lost=3,second=409,phone-taken=always,leak=yes,limits=none": true} {
		open := func(t *testing.T) (cloud.Directory, [3]cloud.UserID) {
			r := rehearse(t, engine.Assumptions{Activates: activates}, time.Now, strings.Split(assume, ",")...)
			d := r.open(t, func(o *graph.Options) { o.Activates = activates })
			return d, [3]cloud.UserID(r.people(t, 3))
		}
		t.Run(assume, func(t *testing.T) {
			cloudtest.Existing(t, open)
			cloudtest.Limited(t, func(t *testing.T) (cloud.Directory, cloud.UserID) {
				d, ids := open(t)
				return d, ids[0]
			})
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func tokenIn(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	var said struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		return "", err
	}
	if said.Token == "" {
		return "", errors.New(said.Error)
	}
	return said.Token, nil
}
