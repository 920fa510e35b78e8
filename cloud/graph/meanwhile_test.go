package graph_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// Graph throttles a change, and while the run waits an administrator changes
// the same number: what the plan expected is no longer there, and the
// administrator's number stays, however long Graph asks to wait.
func TestSomebodyComesInWhileGraphAsksToWait(t *testing.T) {
	for _, asked := range []string{"60", "200"} {
		x := newTenant(t)
		ada := x.people[adaID]
		ada.phones["mobile"] = "+1 4255550101"
		throttled := 0
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if method != "PATCH" || throttled > 0 {
				return 0, nil
			}
			throttled++
			ada.phones["mobile"] = "+1 4255550177"
			return 429, http.Header{"Retry-After": {asked}}
		}
		d := x.open()
		changes := []cloud.Change{change(adaID, cloud.Update, cloud.Mobile, "+1 4255550101", "+1 4255550102")}
		r := d.Write(t.Context(), changes)[0]
		e, _ := r.Err.(*cloud.Error)
		if e == nil || e.Kind != cloud.Throttled || e.RetryAfter.String() != (map[string]string{"60": "1m0s", "200": "3m20s"})[asked] {
			t.Errorf("%s s: %+v", asked, r)
		}
		if got := outcomes(d.Write(t.Context(), changes)); got != "stale stale" || ada.phones["mobile"] != "+1 4255550177" {
			t.Errorf("%s s: %s, the user has %s", asked, got, ada.phones["mobile"])
		}
	}
}

// The same between two changes of one user: the first takes long, and the
// second is compared with what the user has then.
func TestSomebodyComesInBetweenTwoChanges(t *testing.T) {
	x := newTenant(t)
	ada := x.people[adaID]
	ada.preferred = "oath"
	now := time.Now()
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
			now = now.Add(5 * time.Minute) // the answer takes its time
			ada.preferred = "push"
		}
		return 0, nil
	}
	d := x.open(func(o *graph.Options) { o.Now = func() time.Time { return now } })
	got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(adaID, cloud.Set, cloud.DefaultMethod, "oath", "sms")}))
	if got != "done, stale stale" || ada.preferred != "push" {
		t.Errorf("%s, the user is asked by %s", got, ada.preferred)
	}
}

// Who cannot be looked at again before the second change, or is not there any
// more, gets no second change.
func TestNobodyCanLookBetweenTwoChanges(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(x *tenant)
		status    int // of looking again
		want      string
	}{
		"refused":        {nil, 403, "done, failed denied"},
		"the user alone": {nil, 409, "done, failed conflict"},
		"deleted":        {func(x *tenant) { delete(x.people, adaID) }, 0, "done, failed not found"},
		"as before":      {nil, 0, "done, done"},
	} {
		x := newTenant(t)
		ada, now, slow := x.people[adaID], time.Now(), false
		x.fault = func(method, path string, _ int) (int, http.Header) {
			switch {
			case slow && c.status != 0 && (c.status == 403 || strings.Contains(path, adaID)) && (method == "GET" || strings.Contains(path, "checkMember")):
				return c.status, nil
			case method == "PATCH" && strings.Contains(path, "signInPreferences"):
				now, slow = now.Add(5*time.Minute), true // the answer takes its time
			}
			return 0, nil
		}
		d := x.open(func(o *graph.Options) {
			o.Now = func() time.Time { return now }
			o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
				resp, err := x.RoundTrip(r)
				if slow && c.meanwhile != nil {
					c.meanwhile(x)
				}
				return resp, err
			})
		})
		got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Set, cloud.DefaultMethod, "", "sms"), change(adaID, cloud.Add, cloud.Email, "", "ada@home.example")}))
		if got != c.want || (ada.email != "") != (name == "as before") {
			t.Errorf("%s: %s, the user has %q", name, got, ada.email)
		}
	}
}

// Of several items of a batch that say when to come back the longest counts.
func TestTheLongestWaitCounts(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, n int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "Methods") && n == 1 {
			return 429, http.Header{"Retry-After": {map[bool]string{true: "25", false: "3"}[strings.Contains(path, adaID)]}}
		}
		return 0, nil
	}
	if got := outcomes(x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550103")})); got != "done, done" {
		t.Error(got)
	}
	for _, w := range x.waits {
		if w != 25*time.Second && w != 0 {
			t.Errorf("waited %v", w)
		}
	}
}

// A user whom one copy of the directory knows and another does not yet, or not
// any more, is nobody else's trouble.
func TestUserWhoIsThereInPart(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, n int) (int, http.Header) {
		if strings.Contains(path, bobID+"/authentication/emailMethods") && n < 3 {
			return 404, nil
		}
		return 0, nil
	}
	d := x.open()
	users, err := d.Read(t.Context(), []cloud.UserID{adaID, bobID})
	if err != nil || users[0].ID != adaID || users[1].ID != bobID {
		t.Errorf("%+v, %v", users, err)
	}
	x.calls = map[string]int{}
	x.fault = func(method, path string, n int) (int, http.Header) {
		if strings.Contains(path, bobID+"/authentication/emailMethods") {
			delete(x.people, bobID)
			return 404, nil
		}
		return 0, nil
	}
	users, err = d.Read(t.Context(), []cloud.UserID{adaID, bobID})
	if err != nil || users[0].ID != adaID || users[1].ID != "" {
		t.Errorf("deleted in between: %+v, %v", users, err)
	}
	x = newTenant(t)
	x.fault = func(method, path string, n int) (int, http.Header) {
		if strings.Contains(path, bobID+"/authentication/emailMethods") {
			return 404, nil
		}
		return 0, nil
	}
	if _, err := x.open().Read(t.Context(), []cloud.UserID{bobID}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("for good: %v", err)
	}
}

// Who has a role of a part of the tenant only, or one that the tenant made
// itself, is an administrator too: the list of memberships leaves those out.
func TestRolesOfAPartOfTheTenant(t *testing.T) {
	x := newTenant(t)
	x.people[adaID].assigned = []string{"729827e3-9c14-49f7-bb1b-9608f156bbb8"}
	users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
	if err != nil || !users[0].Privileged || users[0].GlobalAdmin {
		t.Errorf("%+v, %v", users, err)
	}
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.Contains(path, "transitiveRoleAssignments") {
			return 404, nil
		}
		return 0, nil
	}
	if _, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("not told: %v", err)
	}
}

// A default method that is none of those published is a choice all the same.
func TestADefaultThatNobodyKnows(t *testing.T) {
	x := newTenant(t)
	for word, want := range map[string]cloud.Preference{"unknownFutureValue": "unknownFutureValue", "none": "", "": "", "sms": cloud.SMS} {
		x.people[adaID].preferred = word
		users, err := x.open().Read(t.Context(), []cloud.UserID{adaID})
		if err != nil || users[0].Default != want {
			t.Errorf("%q: %q, %v", word, users[0].Default, err)
		}
	}
}

// A cloud that has no interface for tokens says so by a status that no other
// request of the user has; whoever states it reads and writes the rest.
func TestCloudWithoutTokens(t *testing.T) {
	x := newTenant(t)
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.Contains(path, "hardwareOath") {
			return 400, nil
		}
		return 0, nil
	}
	if _, err := x.open().Read(t.Context(), []cloud.UserID{adaID}); err == nil {
		t.Error("a user is read without the tokens, and nobody said that there are none")
	}
	d := x.open(func(o *graph.Options) { o.Tokenless = true })
	caps, err := d.Capabilities(t.Context())
	if _, has := caps.Methods[cloud.HardwareOATH]; err != nil || has {
		t.Errorf("%+v, %v", caps.Methods, err)
	}
	if got := outcomes(d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), addToken(token("CT-1"))})); got != "done, failed unsupported" {
		t.Error(got)
	}
}

// The answer to the creation of a token is lost, and the inventory shows it late:
// there is one token all the same, whether or not Graph minds two of a number.
func TestTokenIsSeenLate(t *testing.T) {
	x := newTenant(t)
	now := time.Now()
	var made time.Time
	var waits time.Duration
	x.fault = func(method, path string, _ int) (int, http.Header) { return 0, nil }
	d := x.open(func(o *graph.Options) {
		o.Now = func() time.Time { return now.Add(waits) }
		o.Sleep = sleepsOn(&waits)
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			switch text := string(body); {
			case strings.Contains(text, `"secretKey"`) && made.IsZero():
				made = now.Add(waits)
				if _, err := x.RoundTrip(r); err != nil {
					t.Fatal(err)
				}
				return nil, http.ErrServerClosed
			case strings.Contains(r.URL.RawQuery, "serialNumber") && !made.IsZero() && now.Add(waits).Before(made.Add(15*time.Second)):
				return reply(200, nil, list(), x.date())
			}
			return nil, nil
		})
	})
	if got := outcomes(d.Write(t.Context(), []cloud.Change{addToken(token("CT-1"))})); got != "done" || len(x.devices) != 1 {
		t.Errorf("%s, %d tokens", got, len(x.devices))
	}
}

// A token that was made for a user and that Graph does not let be activated
// leaves nothing behind: what failed was not written, and nobody would undo it.
func TestTokenThatCannotBeActivatedIsGivenBack(t *testing.T) {
	x := newTenant(t)
	d := x.open(func(o *graph.Options) {
		o.Activates = true
		o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
			if strings.Contains(string(body), "verificationCode") {
				return reply(200, nil, map[string]any{"responses": []any{map[string]any{"id": "1", "status": 403}}}, x.date())
			}
			return nil, nil
		})
	})
	if got := outcomes(d.Write(t.Context(), []cloud.Change{addToken(token("MFB-ABCDEFGHIJKLMNOP"))})); got != "failed denied" || len(x.devices) != 0 || len(x.people[adaID].tokens) != 0 {
		t.Errorf("%s, %d tokens in the inventory, %v", got, len(x.devices), x.people[adaID].tokens)
	}
}

// sleepsOn counts what is slept.
func sleepsOn(total *time.Duration) func(context.Context, time.Duration) error {
	return func(_ context.Context, d time.Duration) error {
		*total += d
		return nil
	}
}

// A run that ended in the middle leaves a token that no user shows. Whoever takes
// the change back finds it by its number, and nobody else's.
func TestTokenThatWasLeftHalfMadeIsRemoved(t *testing.T) {
	const own = "MFB-ABCDEFGHIJKLMNOP"
	for name, c := range map[string]struct {
		serial, status, of string
		outcome            string
		stays              int
	}{
		"in the inventory":           {own, "available", "", "done", 0},
		"assigned":                   {own, "assigned", adaID, "done", 0},
		"not even begun":             {"", "", "", "already", 0},
		"of a maker, assigned":       {"CT-1", "assigned", adaID, "done", 1},
		"of a maker, in the stock":   {"CT-1", "available", "", "already", 1},
		"assigned to somebody else":  {own, "assigned", bobID, "already", 1},
		"activated by somebody else": {own, "activated", bobID, "already", 1},
	} {
		x := newTenant(t)
		o := token(own)
		if c.serial != "" {
			o.Serial = c.serial
			x.devices = []map[string]any{{"id": "device-1", "serialNumber": c.serial, "status": c.status}}
		}
		if c.of != "" {
			x.devices[0]["assignedTo"] = map[string]string{"id": c.of}
			x.people[c.of].tokens = []string{"device-1"}
		}
		d := x.open(func(o *graph.Options) { o.Activates = true })
		r := d.Write(t.Context(), []cloud.Change{{User: adaID, Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: o}}})
		if got := outcomes(r); got != c.outcome || len(x.devices) != c.stays || len(x.people[adaID].tokens) != 0 {
			t.Errorf("%s: %s, %v, the user has %v", name, got, x.devices, x.people[adaID].tokens)
		}
	}
}

// The cloud in China has no tokens, whatever is stated, and a canary leaves them
// out; a test user's telephone is tried all the same.
func TestCanaryInACloudWithoutTokens(t *testing.T) {
	x := newTenant(t)
	d := x.open(func(o *graph.Options) { o.Cloud.Word = "china" })
	checks, err := d.Canary(t.Context(), "ada@contoso.example")
	var words []string
	for _, c := range checks {
		words = append(words, c.Name+" "+string(c.Result))
	}
	if got := strings.Join(words, ", "); err != nil || got != "canary.user passed, canary.phone passed" || len(x.devices) != 0 {
		t.Errorf("%s, %v", got, err)
	}
}

// A default method counts where the system does not choose, which has to be said.
func TestWhetherADefaultIsUsed(t *testing.T) {
	for state, used := range map[string]bool{"disabled": true, "enabled": false, "default": false, "": false} {
		x := newTenant(t)
		x.policy = `{"systemCredentialPreferences":{"state":"` + state + `"},` + x.policy[1:]
		if caps, err := x.open().Capabilities(t.Context()); err != nil || caps.DefaultIsUsed != used {
			t.Errorf("%q: %v, %v", state, caps.DefaultIsUsed, err)
		}
	}
}
