package cloudtest

import (
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
)

// Limited checks that an implementation keeps to its own Capabilities: what
// they deny is refused and changes nothing, what they grant is done and read.
// open returns a directory and a user in it who has no methods. It runs on
// every kind of target, also on those that create no users.
func Limited(t *testing.T, open func(t *testing.T) (cloud.Directory, cloud.UserID)) {
	for name, check := range map[string]func(*testing.T, cloud.Directory, cloud.UserID, cloud.Capabilities){
		"what is denied is refused":   denied,
		"what is granted is done":     granted,
		"generators beyond the limit": oathLimit,
		"calls beyond the limit":      batchLimit,
		"groups":                      groups,
	} {
		t.Run(name, func(t *testing.T) {
			d, id := open(t)
			caps, err := d.Capabilities(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			check(t, d, id, caps)
		})
	}
}

// sample is a value of each method that can be added.
func sample(m cloud.Method, n int) cloud.Value {
	switch m {
	case cloud.Mobile, cloud.AlternateMobile, cloud.Office:
		return cloud.TextValue("+1 4255550100")
	case cloud.Email:
		return cloud.TextValue("user@fabrikam.example")
	case cloud.Authenticator:
		return cloud.Value{State: "invited"}
	default:
		o := Generator(n)
		o.Manufacturer, o.Model = "mfabridge", "token"
		return cloud.Value{OATH: o}
	}
}

// methods are all that can be added, in an order in which they can.
func methods() []cloud.Method {
	return []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.SoftwareOATH, cloud.HardwareOATH, cloud.Authenticator}
}

func denied(t *testing.T, d cloud.Directory, id cloud.UserID, caps cloud.Capabilities) {
	before := read(t, d, id)
	refuse := func(name string, c cloud.Change, kind cloud.Kind) {
		t.Helper()
		r := d.Write(t.Context(), []cloud.Change{c})[0]
		if r.Outcome != cloud.Failed || r.Err == nil || cloud.KindOf(r.Err) != kind {
			t.Errorf("%s: %s, %v; want %s", name, r.Outcome, r.Err, kind)
		}
	}
	for i, m := range methods() {
		if !caps.Methods[m].Create {
			refuse("an added "+string(m), cloud.Change{User: id, Op: cloud.Add, Method: m, After: sample(m, i)}, cloud.Unsupported)
		}
	}
	if !caps.CreateUsers {
		p := person(9)
		refuse("a new user", cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}}, cloud.Unsupported)
	}
	if !caps.Block {
		refuse("a block", cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: time.Unix(4e9, 0)}}, cloud.Unsupported)
	}
	if !caps.Disable {
		p := before.Profile
		p.Enabled = !p.Enabled
		refuse("another state", cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &before.Profile},
			After: cloud.Value{Profile: &p}}, cloud.Unsupported)
	}
	refuse("an unknown default", cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("shout")}, cloud.Invalid)
	if caps.Methods[cloud.HardwareOATH].Create {
		for name, v := range strangeOATH(caps.OATH) {
			refuse(name, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: v}, cloud.Invalid)
		}
	}
	after := read(t, d, id)
	if len(after.OATH)+len(after.Authenticators) > 0 || after.Mobile+after.Office+after.Email != "" || !after.Profile.Equal(before.Profile) {
		t.Errorf("something refused was written: %+v", after)
	}
}

// strangeOATH are generators beyond what a target takes.
func strangeOATH(can cloud.OATHCapabilities) map[string]cloud.Value {
	strange := map[string]cloud.Value{}
	add := func(name string, fits bool, edit func(*cloud.OATH)) {
		if !fits {
			v := sample(cloud.HardwareOATH, 1)
			edit(v.OATH)
			strange[name] = v
		}
	}
	for _, a := range []cloud.Algorithm{cloud.SHA1, cloud.SHA256, cloud.SHA512, "MD5"} {
		add("algorithm "+string(a), slices.Contains(can.Algorithms, a), func(o *cloud.OATH) { o.Algorithm = a })
	}
	add("8 digits", slices.Contains(can.Digits, 8), func(o *cloud.OATH) { o.Digits = 8 })
	add("7 digits", slices.Contains(can.Digits, 7), func(o *cloud.OATH) { o.Digits = 7 })
	add("45 seconds", slices.Contains(can.Periods, 45), func(o *cloud.OATH) { o.Period = 45 })
	return strange
}

func granted(t *testing.T, d cloud.Directory, id cloud.UserID, caps cloud.Capabilities) {
	var back []cloud.Change
	for i, m := range methods() {
		if !caps.Methods[m].Create {
			continue
		}
		c := cloud.Change{User: id, Op: cloud.Add, Method: m, After: sample(m, i)}
		write(t, d, cloud.Done, c)
		write(t, d, cloud.Already, c)
		u := read(t, d, id)
		if got := u.Value(m, "", c.After); !got.Equal(c.After) {
			t.Errorf("%s reads as %+v", m, got)
		}
		if caps.Methods[m].Delete {
			back = append(back, cloud.Change{User: id, Op: cloud.Remove, Method: m, Before: c.After})
		}
	}
	for _, o := range read(t, d, id).OATH {
		if (o.Fingerprint != "") != caps.OATH.Fingerprints || !o.Secret.IsZero() {
			t.Errorf("a generator reads as %+v", o)
		}
	}
	for _, a := range read(t, d, id).Authenticators {
		if a.ID == "" || a.State != "invited" || a.Until.IsZero() {
			t.Errorf("an invitation reads as %+v", a)
		}
	}
	slices.Reverse(back)
	write(t, d, cloud.Done, back...)
	write(t, d, cloud.Already, back...)
}

func oathLimit(t *testing.T, d cloud.Directory, id cloud.UserID, caps cloud.Capabilities) {
	if caps.OATH.Limit == 0 || !caps.Methods[cloud.HardwareOATH].Create {
		t.Log("this directory has no limit")
		return
	}
	for n := range caps.OATH.Limit {
		write(t, d, cloud.Done, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: sample(cloud.HardwareOATH, n+1)})
	}
	c := cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: sample(cloud.HardwareOATH, caps.OATH.Limit+1)}
	refusedAs(t, d.Write(t.Context(), []cloud.Change{c})[0], cloud.Failed, cloud.Invalid)
	if n := len(read(t, d, id).OATH); n != caps.OATH.Limit {
		t.Errorf("%d generators, the limit is %d", n, caps.OATH.Limit)
	}
}

func batchLimit(t *testing.T, d cloud.Directory, id cloud.UserID, caps cloud.Capabilities) {
	changes := slices.Repeat([]cloud.Change{addText(id, cloud.Mobile, "+1 4255550100")}, caps.Batch+1)
	for _, r := range d.Write(t.Context(), changes) {
		refusedAs(t, r, cloud.Failed, cloud.Invalid)
	}
	if _, err := d.Read(t.Context(), make([]cloud.UserID, caps.Batch+1)); err == nil || cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("too many ids: %v", err)
	}
	if _, err := d.Read(t.Context(), make([]cloud.UserID, caps.Batch)); err != nil {
		t.Errorf("as many ids as are allowed: %v", err)
	}
}

// groups checks that a group that is not there is not an empty one.
func groups(t *testing.T, d cloud.Directory, _ cloud.UserID, _ cloud.Capabilities) {
	g, ok := d.(cloud.GroupReader)
	if !ok {
		t.Log("this directory knows no groups")
		return
	}
	yielded := 0
	for id, err := range g.Members(t.Context(), "there is no such group") {
		yielded++
		if id != "" || err == nil || cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("an unknown group: %q, %v", id, err)
		}
	}
	if yielded != 1 {
		t.Errorf("an unknown group was answered %d times", yielded)
	}
}
