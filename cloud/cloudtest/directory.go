package cloudtest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
)

// Reopener is an optional interface of a Directory under test that can lose
// everything that is not durable and come back.
type Reopener interface {
	Reopen(t *testing.T) cloud.Directory
}

// Directory checks an implementation. open returns an empty directory that
// takes users and all methods, and cleans up after t.
func Directory(t *testing.T, open func(t *testing.T) cloud.Directory) {
	for name, check := range map[string]func(*testing.T, cloud.Directory){
		"capabilities stay the same":           capabilities,
		"what is written is read":              readBack,
		"the same call again changes nothing":  idempotent,
		"what is not as expected is left":      conditional,
		"a failed account stops its user only": ordered,
		"a refusal concerns one change":        independent,
		"keys find their user":                 find,
		"names are unique":                     uniqueNames,
		"serial numbers are unique":            uniqueSerials,
		"phone slots follow the rules":         phoneRules,
		"the default must be registered":       defaultRules,
		"values that break a rule":             invalid,
		"everything can be undone":             undo,
		"racing writers":                       racing,
		"limits of a call":                     callLimits,
		"written is durable":                   durable,
		"one run at a time":                    locked,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func capabilities(t *testing.T, d cloud.Directory) {
	first, err := d.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("capabilities changed:\n%s", diff)
	}
	if first.Instance == "" || first.Product == "" || first.Batch < 1 || !first.CreateUsers {
		t.Errorf("capabilities say too little: %+v", first)
	}
}

// everything is one change of each kind for a new user.
func everything() []cloud.Change {
	p := person(1)
	p.Aliases = []string{`CORP\user1`, "short1"}
	p.SID = "S-1-5-21-1-2-3-1"
	return []cloud.Change{
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.AlternateMobile, After: cloud.TextValue("+44 2079460000")},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.Office, After: cloud.TextValue("+1 4255550101x55")},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue("user@fabrikam.example")},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: Generator(1)}},
		{UPN: p.UPN, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: Generator(1001)}},
		{UPN: p.UPN, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.SMS))},
	}
}

func readBack(t *testing.T, d cloud.Directory) {
	changes := everything()
	results := write(t, d, cloud.Done, changes...)
	u := read(t, d, cloud.UserID(results[0].ID))
	for i, c := range changes {
		if got := u.Value(c.Method, "", c.After); !got.Equal(c.After) {
			t.Errorf("%s reads as %+v, want %+v", c.Method, got, c.After)
		}
		if c.Op == cloud.Add && results[i].ID == "" {
			t.Errorf("%s was added without an id", c.Method)
		}
	}
	if len(u.OATH) != 2 {
		t.Fatalf("%d generators, want 2", len(u.OATH))
	}
	caps, err := d.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range u.OATH {
		if !o.Secret.IsZero() {
			t.Error("Read returned a secret")
		}
		if caps.OATH.Fingerprints && o.Fingerprint == "" {
			t.Error("a fingerprint is missing")
		}
	}
	if got := read(t, d, "nobody"); got.ID != "" {
		t.Errorf("an unknown id reads as user %q", got.ID)
	}
}

func idempotent(t *testing.T, d cloud.Directory) {
	changes := everything()
	id := cloud.UserID(write(t, d, cloud.Done, changes...)[0].ID)
	before := read(t, d, id)
	write(t, d, cloud.Already, changes...)
	if diff := cmp.Diff(before, read(t, d, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("the second call changed the user:\n%s", diff)
	}
}

func sameOATH(a, b cloud.OATH) bool { return a.Equal(b) && a.Fingerprint == b.Fingerprint }

func conditional(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	write(t, d, cloud.Done, addText(id, cloud.Mobile, "+1 4255550100"), addOATH(id, Generator(1)))
	before := read(t, d, id)
	other, renamed, profile := Generator(1), Generator(2), person(1)
	other.Name, other.Secret = "another name", Generator(1).Secret
	profile.DisplayName = "somebody else"
	wrong := *profile
	wrong.DisplayName = "neither of both"
	for _, c := range []cloud.Change{
		addText(id, cloud.Mobile, "+1 4255550102"),
		removeText(id, cloud.Mobile, "+1 4255550103"),
		{User: id, Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550104"), After: cloud.TextValue("+1 4255550105")},
		{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("sms"), After: cloud.TextValue("oath")},
		addOATH(id, other),
		{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: renamed}, After: cloud.Value{OATH: other}},
		{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &wrong}, After: cloud.Value{Profile: profile}},
	} {
		refusedAs(t, d.Write(t.Context(), []cloud.Change{c})[0], cloud.Outdated, cloud.Stale)
	}
	if diff := cmp.Diff(before, read(t, d, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("stale changes wrote something:\n%s", diff)
	}
	write(t, d, cloud.Done, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Mobile,
		Before: cloud.TextValue("+1 4255550100"), After: cloud.TextValue("+1 4255550106")})
	write(t, d, cloud.Done, cloud.Change{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH,
		Before: cloud.Value{OATH: Generator(1)}, After: cloud.Value{OATH: other}})
	u := read(t, d, id)
	if u.Mobile != "+1 4255550106" || len(u.OATH) != 1 || u.OATH[0].Name != "another name" {
		t.Errorf("fitting changes were not made: %q, %+v", u.Mobile, u.OATH)
	}
}

func ordered(t *testing.T, d cloud.Directory) {
	first := addUser(t, d, 1)
	clash := person(2)
	clash.Aliases = []string{person(1).UPN}
	results := d.Write(t.Context(), []cloud.Change{
		{UPN: clash.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: clash}},
		{UPN: clash.UPN, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		addText(first, cloud.Mobile, "+1 4255550101"),
		{UPN: clash.UPN, Op: cloud.Add, Method: cloud.Office, After: cloud.TextValue("+1 4255550102")},
	})
	refusedAs(t, results[0], cloud.Failed, cloud.Conflict)
	refusedAs(t, results[1], cloud.Failed, cloud.Conflict)
	refusedAs(t, results[3], cloud.Failed, cloud.Conflict)
	if results[2].Outcome != cloud.Done {
		t.Errorf("another user's change: %+v", results[2])
	}
	ids, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: clash.UPN}})
	if err != nil || len(ids[0]) != 0 {
		t.Errorf("the failed user exists: %v, %v", ids, err)
	}
	write(t, d, cloud.Done, cloud.Change{UPN: clash.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: person(2)}})
}

func independent(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	results := d.Write(t.Context(), []cloud.Change{
		addText("nobody", cloud.Mobile, "+1 4255550100"),
		addText(id, cloud.Mobile, "12345"),
		addText(id, cloud.Office, "+1 4255550101"),
		{User: id, Op: cloud.Add, Method: "carrierPigeon", After: cloud.TextValue("coo")},
	})
	refusedAs(t, results[0], cloud.Failed, cloud.NotFound)
	refusedAs(t, results[1], cloud.Failed, cloud.Invalid)
	refusedAs(t, results[3], cloud.Failed, cloud.Unsupported)
	if results[2].Outcome != cloud.Done || read(t, d, id).Office == "" {
		t.Errorf("the good change: %+v", results[2])
	}
}

func find(t *testing.T, d cloud.Directory) {
	changes := everything()
	changes[0].After.Profile.Aliases = append(changes[0].After.Profile.Aliases, "ÅSA")
	id := cloud.UserID(write(t, d, cloud.Done, changes[0])[0].ID)
	other := addUser(t, d, 2)
	keys := []cloud.Key{
		{Kind: cloud.ByUPN, Value: "USER1@Contoso.Example"}, {Kind: cloud.ByName, Value: `corp\USER1`},
		{Kind: cloud.ByName, Value: "user1@contoso.example"}, {Kind: cloud.ByID, Value: string(id)},
		{Kind: cloud.BySID, Value: "s-1-5-21-1-2-3-1"}, {Kind: cloud.ByName, Value: "A\u030Asa"},
		{Kind: cloud.ByUPN, Value: `corp\user1`}, {Kind: cloud.ByName, Value: "user1"}, {Kind: cloud.BySID, Value: ""},
		{Kind: cloud.ByName, Value: "short1 "}, {Kind: cloud.ByName, Value: "asa"}, {Kind: cloud.ByID, Value: "nobody"},
		{Kind: cloud.ByUPN, Value: "user2@contoso.example"},
	}
	got, err := d.Find(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	mine := []cloud.UserID{id}
	want := [][]cloud.UserID{mine, mine, mine, mine, mine, mine, nil, nil, nil, nil, nil, nil, {other}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	if _, err := d.Find(t.Context(), []cloud.Key{{Kind: "shoeSize", Value: "42"}}); err == nil || cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("an unknown kind of key: %v", err)
	}
}

func uniqueNames(t *testing.T, d cloud.Directory) {
	write(t, d, cloud.Done, everything()[0])
	for _, edit := range []func(*cloud.Profile){
		func(p *cloud.Profile) { p.Aliases = []string{"free", `corp\USER1`} },
		func(p *cloud.Profile) { p.UPN = "SHORT1" },
		func(p *cloud.Profile) { p.SID = "S-1-5-21-1-2-3-1" },
	} {
		p := person(2)
		edit(p)
		c := cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}}
		refusedAs(t, d.Write(t.Context(), []cloud.Change{c})[0], cloud.Failed, cloud.Conflict)
	}
	p := person(3) // "free" must not have stayed taken
	p.Aliases = []string{"free"}
	c := cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}}
	id := cloud.UserID(write(t, d, cloud.Done, c)[0].ID)
	q := *p
	q.UPN, q.Aliases = "moved@contoso.example", nil
	write(t, d, cloud.Done, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: p}, After: cloud.Value{Profile: &q}})
	write(t, d, cloud.Done, c) // its names are free again
}

func uniqueSerials(t *testing.T, d cloud.Directory) {
	a, b := addUser(t, d, 1), addUser(t, d, 2)
	write(t, d, cloud.Done, addOATH(a, Generator(1)))
	clash := Generator(2)
	clash.Serial = Generator(1).Serial
	for _, id := range []cloud.UserID{a, b} {
		refusedAs(t, d.Write(t.Context(), []cloud.Change{addOATH(id, clash)})[0], cloud.Failed, cloud.Conflict)
	}
	if u := read(t, d, b); len(u.OATH) != 0 {
		t.Error("the refused generator is there")
	}
}

func phoneRules(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	one := func(c cloud.Change) cloud.Result { return d.Write(t.Context(), []cloud.Change{c})[0] }
	refusedAs(t, one(addText(id, cloud.AlternateMobile, "+1 4255550100")), cloud.Failed, cloud.Invalid)
	write(t, d, cloud.Done, addText(id, cloud.Mobile, "+1 4255550100"), addText(id, cloud.AlternateMobile, "+1 4255550101"))
	refusedAs(t, one(removeText(id, cloud.Mobile, "+1 4255550100")), cloud.Failed, cloud.Invalid)
	write(t, d, cloud.Done, removeText(id, cloud.AlternateMobile, "+1 4255550101"), removeText(id, cloud.Mobile, "+1 4255550100"))
	write(t, d, cloud.Already, removeText(id, cloud.Mobile, "+1 4255550100"))
}

func defaultRules(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	set := func(before, after cloud.Preference) cloud.Change {
		return cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue(string(before)), After: cloud.TextValue(string(after))}
	}
	one := func(c cloud.Change) cloud.Result { return d.Write(t.Context(), []cloud.Change{c})[0] }
	for _, p := range []cloud.Preference{cloud.SMS, cloud.OATHCode, cloud.VoiceOffice, "shout"} {
		refusedAs(t, one(set("", p)), cloud.Failed, cloud.Invalid)
	}
	write(t, d, cloud.Done, addText(id, cloud.Mobile, "+1 4255550100"), addOATH(id, Generator(1)), set("", cloud.SMS))
	refusedAs(t, one(removeText(id, cloud.Mobile, "+1 4255550100")), cloud.Failed, cloud.Invalid)
	remove := cloud.Change{User: id, Op: cloud.Remove, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: Generator(1)}}
	write(t, d, cloud.Done, set(cloud.SMS, cloud.OATHCode))
	refusedAs(t, one(remove), cloud.Failed, cloud.Invalid)
	write(t, d, cloud.Done, set(cloud.OATHCode, ""), remove, removeText(id, cloud.Mobile, "+1 4255550100"))
}

func invalid(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	edit := func(f func(*cloud.OATH)) cloud.Change {
		o := Generator(1)
		f(o)
		return addOATH(id, o)
	}
	for name, c := range map[string]cloud.Change{
		"phone without country":     addText(id, cloud.Mobile, "4255550100"),
		"phone with two spaces":     addText(id, cloud.Mobile, "+1 425 5550100"),
		"extension on a mobile":     addText(id, cloud.Mobile, "+1 4255550100x5"),
		"empty extension":           addText(id, cloud.Office, "+1 4255550100x"),
		"address without domain":    addText(id, cloud.Email, "user@"),
		"address with a line break": addText(id, cloud.Email, "user@contoso.example\r\nBcc: x"),
		"seven digits":              edit(func(o *cloud.OATH) { o.Digits = 7 }),
		"a period of 45 seconds":    edit(func(o *cloud.OATH) { o.Period = 45 }),
		"an unknown algorithm":      edit(func(o *cloud.OATH) { o.Algorithm = "MD5" }),
		"a generator without seed": edit(func(o *cloud.OATH) {
			o.Secret = Generator(1).Secret
			*o = cloud.OATH{Serial: "x", Algorithm: cloud.SHA1, Digits: 6, Period: 30}
		}),
		"add with a before":       {User: id, Op: cloud.Add, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550100"), After: cloud.TextValue("+1 4255550101")},
		"set of a phone":          {User: id, Op: cloud.Set, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550101")},
		"a change without a user": {Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550101")},
	} {
		r := d.Write(t.Context(), []cloud.Change{c})[0]
		if r.Outcome != cloud.Failed || r.Err == nil || cloud.KindOf(r.Err) != cloud.Invalid {
			t.Errorf("%s: %s, %v", name, r.Outcome, r.Err)
		} else if strings.Contains(r.Err.Error(), "4255550100") {
			t.Errorf("%s: the error shows the number", name)
		}
	}
	if u := read(t, d, id); u.Mobile+u.Office+u.Email != "" || len(u.OATH) > 0 {
		t.Errorf("something invalid was written: %+v", u)
	}
}

func undo(t *testing.T, d cloud.Directory) {
	changes := everything()
	results := write(t, d, cloud.Done, changes...)
	id := cloud.UserID(results[0].ID)
	refusedAs(t, d.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Remove, Method: cloud.Account, Before: changes[0].After}})[0],
		cloud.Failed, cloud.Conflict)
	var back []cloud.Change
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		op := cloud.Remove
		if c.Op == cloud.Set {
			op = cloud.Set
		}
		back = append(back, cloud.Change{User: id, Op: op, Method: c.Method, ID: results[i].ID, Before: c.After})
	}
	back[len(back)-1].ID = ""
	write(t, d, cloud.Done, back...)
	if u := read(t, d, id); u.ID != "" {
		t.Errorf("the user is still there: %+v", u)
	}
	write(t, d, cloud.Already, back...)
	again := write(t, d, cloud.Done, changes...)
	if again[0].ID == string(id) {
		t.Error("the id was given to another user")
	}
}

func racing(t *testing.T, d cloud.Directory) {
	id := addUser(t, d, 1)
	var wg sync.WaitGroup
	outcomes := make([]cloud.Outcome, 20)
	for i := range outcomes {
		wg.Go(func() {
			number := "+1 425555010" + string(rune('0'+i%2))
			outcomes[i] = d.Write(context.WithoutCancel(t.Context()), []cloud.Change{addText(id, cloud.Mobile, number)})[0].Outcome
		})
	}
	wg.Wait()
	count := map[cloud.Outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	if count[cloud.Done] != 1 || count[cloud.Already] != 9 || count[cloud.Outdated] != 10 {
		t.Errorf("20 writers of two numbers: %v", count)
	}
}

func callLimits(t *testing.T, d cloud.Directory) {
	caps, err := d.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := addUser(t, d, 1)
	changes := make([]cloud.Change, caps.Batch+1)
	for i := range changes {
		changes[i] = addText(id, cloud.Mobile, "+1 4255550100")
	}
	for _, r := range d.Write(t.Context(), changes) {
		refusedAs(t, r, cloud.Failed, cloud.Invalid)
	}
	if read(t, d, id).Mobile != "" {
		t.Error("a call that is too large wrote something")
	}
	if _, err := d.Find(t.Context(), make([]cloud.Key, caps.Batch+1)); err == nil || cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("too many keys: %v", err)
	}
	if _, err := d.Read(t.Context(), make([]cloud.UserID, caps.Batch+1)); err == nil || cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("too many ids: %v", err)
	}
	if r := d.Write(t.Context(), nil); len(r) != 0 {
		t.Errorf("no changes: %d results", len(r))
	}
}

func durable(t *testing.T, d cloud.Directory) {
	r, ok := d.(Reopener)
	if !ok {
		t.Log("this directory cannot be reopened: durability is not checked")
		return
	}
	changes := everything()
	id := cloud.UserID(write(t, d, cloud.Done, changes...)[0].ID)
	before := read(t, d, id)
	again := r.Reopen(t)
	if diff := cmp.Diff(before, read(t, again, id), cmp.Comparer(sameOATH)); diff != "" {
		t.Errorf("after reopening:\n%s", diff)
	}
	write(t, again, cloud.Already, changes...)
}

func locked(t *testing.T, d cloud.Directory) {
	l, ok := d.(cloud.Locker)
	if !ok {
		t.Log("this directory has no lock")
		return
	}
	unlock, err := l.Lock(t.Context(), "the first run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lock(t.Context(), "the second run"); err == nil || cloud.KindOf(err) != cloud.Locked || !strings.Contains(err.Error(), "the first run") {
		t.Errorf("a second lock: %v", err)
	}
	addUser(t, d, 1) // the lock does not hinder writing
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = l.Lock(t.Context(), "the third run")
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}
