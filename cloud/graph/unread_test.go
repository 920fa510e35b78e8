package graph_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/graph"
)

// refuse answers a part of one user, or of everybody where id is empty.
func refuse(id, part string, status int) func(method, path string, n int) (int, http.Header) {
	return func(method, path string, _ int) (int, http.Header) {
		if strings.HasPrefix(path, "/users/"+id) && strings.HasSuffix(path, part) {
			return status, nil
		}
		return 0, nil
	}
}

// One user whom Graph does not tell, or at whom it fails, is nobody else's
// trouble: not in a batch, and not where the user is the first of a run.
func TestOneUserWhoCannotBeRead(t *testing.T) {
	for status, kind := range map[int]cloud.Kind{403: cloud.Denied, 404: cloud.Unavailable, 500: cloud.Unavailable, 503: cloud.Unavailable, 400: cloud.Invalid, 418: cloud.Internal} {
		for _, ids := range [][]cloud.UserID{{adaID, bobID}, {bobID}} {
			x := newTenant(t)
			x.people[adaID].phones["mobile"] = "+1 4255550101"
			x.fault = refuse(bobID, "/authentication/phoneMethods", status)
			users, err := x.open().Read(t.Context(), ids)
			refused, other := cloud.Unread(err)
			if other != nil || len(refused) != 1 || refused[bobID] == nil || refused[bobID].Kind != kind || cloud.KindOf(err) != kind {
				t.Errorf("%d, %d users: %v", status, len(ids), err)
				continue
			}
			if len(users) != len(ids) || users[len(ids)-1].ID != "" || len(ids) == 2 && users[0].Mobile != "+1 4255550101" {
				t.Errorf("%d: %+v", status, users)
			}
		}
		x := newTenant(t)
		x.fault = refuse(bobID, "/authentication/phoneMethods", status)
		got := outcomes(x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"),
			change(bobID, cloud.Add, cloud.Office, "", "+1 4255550102"), change(bobID, cloud.Add, cloud.Email, "", "bob@home.example")}))
		if no := "failed " + kind.String(); got != "done, "+no+", "+no {
			t.Errorf("%d: %s", status, got)
		}
	}
}

// What is refused to everybody is no matter of users, and neither is a token
// that is refused, or a limit.
func TestWhatConcernsEverybody(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(method, path string, n int) (int, http.Header)
		kind  cloud.Kind
	}{
		"no permission":      {refuse("", "/authentication/phoneMethods", 403), cloud.Denied},
		"out of order":       {refuse("", "/authentication/phoneMethods", 503), cloud.Unavailable},
		"token of one":       {refuse(bobID, "/authentication/phoneMethods", 401), cloud.Denied},
		"limit":              {refuse(bobID, "/authentication/phoneMethods", 429), cloud.Throttled},
		"no such interface":  {refuse("", "/authentication/phoneMethods", 404), cloud.Unavailable},
		"roles are not told": {refuseRoles, cloud.Denied},
	} {
		x := newTenant(t)
		x.fault = c.fault
		_, err := x.open().Read(t.Context(), []cloud.UserID{adaID, bobID})
		if refused, _ := cloud.Unread(err); err == nil || refused != nil || cloud.KindOf(err) != c.kind {
			t.Errorf("%s: %v, of single users %v", name, err, refused)
		}
	}
}

func refuseRoles(_, path string, _ int) (int, http.Header) {
	if strings.Contains(path, "transitiveRoleAssignments") {
		return 403, nil
	}
	return 0, nil
}

// Somebody whom Graph told of before proves that it tells: all of a later batch
// may be people whom it does not tell of.
func TestABatchOfWhichNobodyCanBeRead(t *testing.T) {
	x := newTenant(t)
	d := x.open()
	if _, err := d.Read(t.Context(), []cloud.UserID{adaID}); err != nil {
		t.Fatal(err)
	}
	x.fault = refuse(bobID, "/authentication/phoneMethods", 403)
	if refused, _ := cloud.Unread(second(d.Read(t.Context(), []cloud.UserID{bobID}))); refused[bobID] == nil {
		t.Error("it ends the run")
	}
	x.fault = refuse("", "/authentication/phoneMethods", 403) // the permission is taken away in the middle
	if refused, err := cloud.Unread(second(d.Read(t.Context(), []cloud.UserID{bobID}))); refused != nil || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("%v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// A service that fails at more and more users is out of order, whoever it still
// tells of.
func TestServiceThatFailsAtMany(t *testing.T) {
	x := newTenant(t)
	var ids []cloud.UserID
	for n := range 22 {
		id := fmt.Sprintf("33333333-3333-4333-8333-%012d", n)
		x.people[id] = &person{id: id, upn: fmt.Sprintf("user%d@contoso.example", n), phones: map[string]string{}}
		ids = append(ids, cloud.UserID(id))
	}
	x.fault = refuse("33333333", "/authentication/phoneMethods", 500)
	d := x.open()
	if refused, err := cloud.Unread(second(d.Read(t.Context(), append(ids[:18:18], adaID)))); err != nil || len(refused) != 18 {
		t.Errorf("18: %v, %v", refused, err)
	}
	if refused, err := cloud.Unread(second(d.Read(t.Context(), append(ids[:18:18], adaID)))); err != nil || len(refused) != 18 {
		t.Errorf("the same 18: %v, %v", refused, err)
	}
	if refused, err := cloud.Unread(second(d.Read(t.Context(), ids[18:]))); refused != nil || cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), "more than 20 users") {
		t.Errorf("22: %v, %v", refused, err)
	}
}

// A user who cannot be read any more while a change waits is not known, and the
// others are.
func TestOneUserWhoCannotBeLookedAt(t *testing.T) {
	x := newTenant(t)
	written := false
	x.fault = func(method, path string, n int) (int, http.Header) {
		switch {
		case method == "POST" && strings.HasSuffix(path, "/phoneMethods"):
			written = true
			return 409, nil
		case written && strings.HasPrefix(path, "/users/"+bobID) && strings.HasSuffix(path, "/emailMethods"):
			return 403, nil
		}
		return 0, nil
	}
	got := outcomes(x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550102")}))
	if got != "failed conflict, failed unavailable" {
		t.Error(got)
	}
}

// The rehearsal hides one user, and the others go their way.
func TestRehearsalOfAnUnreadableUser(t *testing.T) {
	for _, word := range []string{"", "/500"} {
		r := rehearse(t, engine.Assumptions{}, time.Now, "limits=none", "unreadable=user2@contoso.example"+word)
		ids := r.people(t, 3)
		users, err := r.open(t).Read(t.Context(), ids)
		if refused, other := cloud.Unread(err); other != nil || len(refused) != 1 || refused[ids[1]] == nil || users[0].ID != ids[0] || users[2].ID != ids[2] {
			t.Errorf("%q: %v, %v", word, refused, other)
		}
	}
}

// A key that Graph finds wrong is nobody's, and keeps nobody from being found.
func TestAKeyThatGraphFindsWrong(t *testing.T) {
	x := newTenant(t)
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.HasPrefix(path, "/users?") && strings.Contains(path, "wrong") {
			return 400, nil
		}
		return 0, nil
	}
	keys := []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, {Kind: cloud.ByUPN, Value: "wrong @contoso.example"}, {Kind: cloud.ByUPN, Value: "bob@contoso.example"},
		{Kind: cloud.ByID, Value: "wrong"}, {Kind: cloud.ByID, Value: bobID}, {Kind: cloud.ByUPN, Value: "ADA@contoso.example"}}
	found, err := x.open().Find(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(found); got != fmt.Sprintf("[[%s] [] [%s] [] [%s] [%s]]", adaID, bobID, bobID, adaID) {
		t.Error(got)
	}
	if n := x.calls["GET /users?%24filter=id+in"]; n > 0 {
		t.Error("what is no id was asked for")
	}
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.HasPrefix(path, "/users?") {
			return 403, nil
		}
		return 0, nil
	}
	if _, err := x.open().Find(t.Context(), keys); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("without leave: %v", err)
	}
}

// That Graph takes no such question at all is no matter of the keys: else nobody
// would be anybody, and a plan would say so of each.
func TestAQuestionThatGraphDoesNotTake(t *testing.T) {
	sid := func(n int) cloud.Key { return cloud.Key{Kind: cloud.BySID, Value: fmt.Sprintf("S-1-5-21-1-2-3-%d", n)} }
	for name, fault := range map[string]func(method, path string) bool{
		"by this property": func(_, path string) bool { return strings.Contains(path, "filter=onPremisesSecurityIdentifier") },
		"a batch":          func(_, path string) bool { return path == "/$batch" },
	} {
		for _, keys := range [][]cloud.Key{{sid(1101)}, {sid(1101), sid(1102), {Kind: cloud.ByUPN, Value: "ada@contoso.example"}}} {
			x := newTenant(t)
			d := x.open()
			x.fault = func(method, path string, _ int) (int, http.Header) {
				if fault(method, path) {
					return 400, nil
				}
				return 0, nil
			}
			if found, err := d.Find(t.Context(), keys); cloud.KindOf(err) != cloud.Invalid {
				t.Errorf("%s, %d keys: %v, %v", name, len(keys), found, err)
			}
		}
	}
}

// Who was deleted can be restored for a while; where Graph does not say, that is
// an error.
func TestRestorable(t *testing.T) {
	x := newTenant(t)
	const gone, restored = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
	x.deleted = []string{bobID}
	d := x.open(func(o *graph.Options) {
		o.Sleep = func(_ context.Context, pause time.Duration) error {
			if pause > 0 { // in neither place before
				x.people[restored] = &person{id: restored, upn: "late@contoso.example"}
			}
			return nil
		}
	})
	can, err := d.Restorable(t.Context(), []cloud.UserID{gone, bobID, restored})
	if want := []bool{false, true, true}; err != nil || !slices.Equal(can, want) {
		t.Errorf("%v, %v, want %v", can, err, want)
	}
	x.fault = func(_, path string, _ int) (int, http.Header) {
		if strings.Contains(path, "deletedItems") {
			return 403, nil
		}
		return 0, nil
	}
	if _, err := d.Restorable(t.Context(), []cloud.UserID{bobID}); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("not told: %v", err)
	}
}

// The error of a Read that tells of some is an error to who does not know it.
func TestUnreadError(t *testing.T) {
	one := &cloud.Error{Kind: cloud.Denied, Message: "no"}
	err := error(&cloud.UnreadError{Users: map[cloud.UserID]*cloud.Error{"b": {Kind: cloud.Invalid, Message: "wrong"}, "a": one}})
	if cloud.KindOf(err) != cloud.Denied || err.Error() != "no, and 1 more" || !errors.Is(err, one) {
		t.Errorf("%v", err)
	}
	if refused, err := cloud.Unread(context.Canceled); refused != nil || err != context.Canceled {
		t.Errorf("%v, %v", refused, err)
	}
}

var _ cloud.Restorer = (*graph.Directory)(nil)

// The rehearsal of a cloud without tokens has no interface for them: who does
// not know that reads nobody, and is not told that it is the users.
func TestRehearsalOfACloudWithoutTokens(t *testing.T) {
	r := rehearse(t, engine.Assumptions{Cloud: "china"}, time.Now, "limits=none")
	ids := r.people(t, 2)
	if refused, err := cloud.Unread(second(r.open(t).Read(t.Context(), ids))); refused != nil || err == nil {
		t.Errorf("%v, %v", refused, err)
	}
	d := r.open(t, func(o *graph.Options) { o.Cloud.Word = "china" })
	add := addToken(token("CT-1"))
	add.User = ids[0]
	if got := outcomes(d.Write(t.Context(), []cloud.Change{change(ids[0], cloud.Add, cloud.Mobile, "", "+1 4255550101"), add})); got != "done, failed unsupported" {
		t.Error(got)
	}
}

// A change that the service fails at each time, of a user who can be read, is
// that user's: the others need not wait. Where it fails at many it is the service.
func TestOneUserWhomTheServiceFailsAt(t *testing.T) {
	alone := func(r cloud.Result) bool {
		e, ok := r.Err.(*cloud.Error)
		return ok && e.Kind == cloud.Unavailable && e.Alone
	}
	for name, c := range map[string]cloud.Change{"number": change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), "token": addToken(token("CT-1"))} {
		x := newTenant(t)
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if method == "POST" && (strings.HasSuffix(path, adaID+"/authentication/phoneMethods") || strings.HasSuffix(path, "/hardwareOathMethods")) {
				return 500, nil
			}
			return 0, nil
		}
		results := x.open().Write(t.Context(), []cloud.Change{c, change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550102")})
		if got := outcomes(results); got != "failed unavailable, done" || !alone(results[0]) {
			t.Errorf("%s: %s, %+v", name, got, results[0])
		}
	}
	x := newTenant(t)
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
			return 503, nil
		}
		return 0, nil
	}
	d, left := x.open(), 0
	for n := range 24 {
		id := fmt.Sprintf("33333333-3333-4333-8333-%012d", n)
		x.people[id] = &person{id: id, upn: id, phones: map[string]string{}}
		if r := d.Write(t.Context(), []cloud.Change{change(cloud.UserID(id), cloud.Add, cloud.Mobile, "", "+1 4255550101")})[0]; !alone(r) {
			left++
		}
	}
	if left != 4 {
		t.Errorf("%d of 24 are told to be the service's fault", left)
	}
	// Nobody knows what became of a change that was lost each time.
	x = newTenant(t)
	d = x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
			if writes(body) {
				return nil, errors.New("connection reset by peer")
			}
			return nil, nil
		})
	})
	if r := d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101")})[0]; alone(r) || cloud.KindOf(r.Err) != cloud.Unavailable {
		t.Errorf("lost: %+v", r)
	}
}
