package cloudtest

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
)

// Existing checks the promises of a Directory that makes no users: it finds
// them, and takes telephone numbers, an address, hardware tokens and the
// default method. open returns a directory with three ordinary users, persons 1
// to 3 (of the user principal names user1@contoso.example and so on, and Sids
// S-1-5-21-1-2-3-1 and so on), without a method.
func Existing(t *testing.T, open func(t *testing.T) (cloud.Directory, [3]cloud.UserID)) {
	for name, check := range map[string]func(*testing.T, cloud.Directory, [3]cloud.UserID){
		"what is written is read":            existingReadBack,
		"what is not as expected is left":    existingConditional,
		"a refusal concerns one change":      existingIndependent,
		"keys find their user":               existingFind,
		"a token is one user's":              existingSerials,
		"phone slots follow the rules":       existingPhones,
		"racing writers":                     existingRace,
		"a name stands for the user's id":    existingByName,
		"nobody has nothing, and gets none":  existingNobody,
		"values that the target must refuse": existingInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			d, ids := open(t)
			check(t, d, ids)
		})
	}
}

// token is a hardware token that somebody made.
func token(n int) *cloud.OATH {
	o := Generator(n)
	o.Manufacturer, o.Model = "Example", "C200"
	return o
}

func addToken(id cloud.UserID, n int) cloud.Change {
	return cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: token(n)}}
}

// allOf is one change of each kind for a user.
func allOf(id cloud.UserID, n int) []cloud.Change {
	return []cloud.Change{addText(id, cloud.Mobile, "+1 4255550100"), addText(id, cloud.AlternateMobile, "+44 2079460000"), addText(id, cloud.Office, "+1 4255550101x55"),
		addText(id, cloud.Email, "user@fabrikam.example"), addToken(id, n),
		{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.SMS))}}
}

// existingReadBack writes everything, twice, takes it back, twice, and writes
// it again.
func existingReadBack(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	id, before := ids[0], read(t, d, ids[0])
	changes := allOf(id, 1)
	results := write(t, d, cloud.Done, changes...)
	after := read(t, d, id)
	for i, c := range changes {
		got := after.Value(c.Method, "", c.After)
		if c.Method == cloud.HardwareOATH { // its secret cannot be compared
			if got.OATH == nil || got.OATH.Serial != c.After.OATH.Serial || got.OATH.Manufacturer != "Example" || !got.OATH.Secret.IsZero() {
				t.Errorf("the token reads as %+v", got.OATH)
			}
		} else if !got.Equal(c.After) {
			t.Errorf("%s reads as %+v, want %+v", c.Method, got, c.After)
		}
		if c.Op == cloud.Add && results[i].ID == "" {
			t.Errorf("%s was added without an id", c.Method)
		}
	}
	write(t, d, cloud.Already, changes...)
	if diff := cmp.Diff(after, read(t, d, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("the second call changed the user:\n%s", diff)
	}
	var back []cloud.Change
	for i := len(changes) - 2; i >= 0; i-- { // the default goes with its method
		back = append(back, cloud.Change{User: id, Op: cloud.Remove, Method: changes[i].Method, ID: results[i].ID, Before: changes[i].After})
	}
	for i, c := range back { // the method of the default goes last
		if c.Method == cloud.Mobile {
			back = append(append(back[:i:i], back[i+1:]...), c)
		}
	}
	write(t, d, cloud.Done, back...)
	if diff := cmp.Diff(before, read(t, d, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("something stays:\n%s", diff)
	}
	write(t, d, cloud.Already, back...)
	write(t, d, cloud.Done, changes...)
	if other := read(t, d, ids[1]); other.Mobile != "" || len(other.OATH) > 0 {
		t.Errorf("another user got something: %+v", other)
	}
}

func existingConditional(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	id := ids[0]
	write(t, d, cloud.Done, addText(id, cloud.Mobile, "+1 4255550100"), addText(id, cloud.Email, "one@fabrikam.example"))
	before := read(t, d, id)
	for _, c := range []cloud.Change{
		addText(id, cloud.Mobile, "+1 4255550102"),
		addText(id, cloud.Email, "two@fabrikam.example"),
		removeText(id, cloud.Mobile, "+1 4255550103"),
		{User: id, Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550104"), After: cloud.TextValue("+1 4255550105")},
		{User: id, Op: cloud.Update, Method: cloud.Office, Before: cloud.TextValue("+1 4255550104"), After: cloud.TextValue("+1 4255550105")},
		{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("oath"), After: cloud.TextValue("sms")},
	} {
		refusedAs(t, d.Write(t.Context(), []cloud.Change{c})[0], cloud.Outdated, cloud.Stale)
	}
	if diff := cmp.Diff(before, read(t, d, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("stale changes wrote something:\n%s", diff)
	}
	write(t, d, cloud.Done, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550100"), After: cloud.TextValue("+1 4255550106")},
		cloud.Change{User: id, Op: cloud.Update, Method: cloud.Email, Before: cloud.TextValue("one@fabrikam.example"), After: cloud.TextValue("two@fabrikam.example")})
	if u := read(t, d, id); u.Mobile != "+1 4255550106" || u.Email != "two@fabrikam.example" {
		t.Errorf("fitting changes were not made: %q, %q", u.Mobile, u.Email)
	}
}

func existingIndependent(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	results := d.Write(t.Context(), []cloud.Change{
		addText("00000000-0000-4000-8000-000000000000", cloud.Mobile, "+1 4255550100"),
		addText(ids[0], cloud.Mobile, "12345"),
		addText(ids[0], cloud.Office, "+1 4255550101"),
		{User: ids[0], Op: cloud.Add, Method: "carrierPigeon", After: cloud.TextValue("coo")},
		addText(ids[1], cloud.Mobile, "+1 4255550102"),
	})
	refusedAs(t, results[0], cloud.Failed, cloud.NotFound)
	refusedAs(t, results[1], cloud.Failed, cloud.Invalid)
	refusedAs(t, results[3], cloud.Failed, cloud.Unsupported)
	if results[2].Outcome != cloud.Done || results[4].Outcome != cloud.Done || read(t, d, ids[0]).Office == "" || read(t, d, ids[1]).Mobile == "" {
		t.Errorf("the good changes: %+v, %+v", results[2], results[4])
	}
}

func existingFind(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	keys := []cloud.Key{{Kind: cloud.ByUPN, Value: "USER1@Contoso.Example"}, {Kind: cloud.ByID, Value: string(ids[1])}, {Kind: cloud.BySID, Value: "s-1-5-21-1-2-3-3"},
		{Kind: cloud.ByName, Value: "user1@contoso.example"}, {Kind: cloud.BySID, Value: ""}, {Kind: cloud.ByUPN, Value: "user1"}, {Kind: cloud.ByUPN, Value: "o'neil@contoso.example"},
		{Kind: cloud.ByUPN, Value: "x') or (userPrincipalName ne '"}, {Kind: cloud.ByID, Value: "nobody"}}
	got, err := d.Find(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]cloud.UserID{{ids[0]}, {ids[1]}, {ids[2]}, {ids[0]}, nil, nil, nil, nil, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	if _, err := d.Find(t.Context(), []cloud.Key{{Kind: "shoeSize", Value: "42"}}); err == nil || cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("an unknown kind of key: %v", err)
	}
}

func existingSerials(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	write(t, d, cloud.Done, addToken(ids[0], 1))
	clash := addToken(ids[1], 2)
	clash.After.OATH.Serial = token(1).Serial
	refusedAs(t, d.Write(t.Context(), []cloud.Change{clash})[0], cloud.Failed, cloud.Conflict)
	if u := read(t, d, ids[1]); len(u.OATH) != 0 {
		t.Error("the refused token is there")
	}
	if u := read(t, d, ids[0]); len(u.OATH) != 1 {
		t.Error("the first user lost the token")
	}
}

func existingPhones(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	id := ids[0]
	if r := d.Write(t.Context(), []cloud.Change{addText(id, cloud.AlternateMobile, "+1 4255550100")})[0]; r.Outcome != cloud.Failed {
		t.Errorf("an alternate without a mobile: %+v", r)
	}
	write(t, d, cloud.Done, addText(id, cloud.Mobile, "+1 4255550100"), addText(id, cloud.AlternateMobile, "+1 4255550101"))
	if r := d.Write(t.Context(), []cloud.Change{removeText(id, cloud.Mobile, "+1 4255550100")})[0]; r.Outcome != cloud.Failed {
		t.Errorf("the mobile under an alternate: %+v", r)
	}
	write(t, d, cloud.Done, removeText(id, cloud.AlternateMobile, "+1 4255550101"), removeText(id, cloud.Mobile, "+1 4255550100"))
}

// existingRace has a target that compares right before it writes: two numbers
// may both count as done, but what stands is one of them, whole.
func existingRace(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	var wg sync.WaitGroup
	outcomes := make([]cloud.Result, 10)
	for i := range outcomes {
		wg.Go(func() {
			outcomes[i] = d.Write(context.WithoutCancel(t.Context()), []cloud.Change{addText(ids[0], cloud.Mobile, "+1 425555010"+string(rune('0'+i%2)))})[0]
		})
	}
	wg.Wait()
	stands := read(t, d, ids[0]).Mobile
	if stands != "+1 4255550100" && stands != "+1 4255550101" {
		t.Fatalf("%q stands", stands)
	}
	for i, r := range outcomes {
		mine := stands == "+1 425555010"+string(rune('0'+i%2))
		if ok := r.Outcome == cloud.Done || r.Outcome == cloud.Already; ok != mine {
			t.Errorf("writer %d of the number that stands (%v): %s, %v", i, mine, r.Outcome, r.Err)
		}
	}
}

func existingByName(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	c := addText("", cloud.Mobile, "+1 4255550100")
	c.UPN = "User2@contoso.example"
	write(t, d, cloud.Done, c)
	if read(t, d, ids[1]).Mobile == "" || read(t, d, ids[0]).Mobile != "" {
		t.Error("the change came to another user")
	}
}

func existingNobody(t *testing.T, d cloud.Directory, _ [3]cloud.UserID) {
	for _, id := range []cloud.UserID{"00000000-0000-4000-8000-000000000000", "nobody", "../users", "x?$select=id"} {
		if u := read(t, d, id); u.ID != "" {
			t.Errorf("%q reads as user %q", id, u.ID)
		}
		write(t, d, cloud.Already, removeText(id, cloud.Mobile, "+1 4255550100"))
		refusedAs(t, d.Write(t.Context(), []cloud.Change{addText(id, cloud.Mobile, "+1 4255550100")})[0], cloud.Failed, cloud.NotFound)
	}
	c := addText("", cloud.Mobile, "+1 4255550100")
	c.UPN = "nobody@contoso.example"
	refusedAs(t, d.Write(t.Context(), []cloud.Change{c})[0], cloud.Failed, cloud.NotFound)
}

func existingInvalid(t *testing.T, d cloud.Directory, ids [3]cloud.UserID) {
	id := ids[0]
	for name, c := range map[string]cloud.Change{
		"letters":              addText(id, cloud.Mobile, "+1 425CALLNOW"),
		"no country":           addText(id, cloud.Mobile, "4255550100"),
		"no address":           addText(id, cloud.Email, "nobody"),
		"default without it":   {User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("sms")},
		"a default of its own": {User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("pigeon")},
	} {
		if r := d.Write(t.Context(), []cloud.Change{c})[0]; r.Outcome != cloud.Failed || r.Err == nil || cloud.KindOf(r.Err) != cloud.Invalid {
			t.Errorf("%s: %s, %v", name, r.Outcome, r.Err)
		}
	}
	if u := read(t, d, id); u.Mobile+u.Email+string(u.Default) != "" {
		t.Errorf("something invalid was written: %+v", u)
	}
}
