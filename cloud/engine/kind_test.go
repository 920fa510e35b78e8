package engine_test

import (
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

// rehearsal is a store that rehearses Entra ID, with users as an import makes
// them.
func rehearsal(t testing.TB, a engine.Assumptions) *house {
	t.Helper()
	return buildAs(t, engine.Setup{Kind: engine.KindEntra, Assumed: a})
}

func hardware(n int) *cloud.OATH {
	o := cloudtest.Generator(n)
	o.Manufacturer, o.Model = "mfabridge", "token"
	return o
}

func TestRehearsalSaysWhatGraphTakes(t *testing.T) {
	c, err := rehearsal(t, engine.Assumptions{}).Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.CreateUsers || c.Aliases || c.Disable || c.Block || c.Delayed || c.OATH.Activates || c.OATH.Fingerprints || c.DefaultIsUsed ||
		c.Batch != 20 || c.Cloud != "global" || !c.RetiresTelephony || c.Pace.PerSecond == 0 {
		t.Errorf("capabilities: %+v", c)
	}
	if c.Methods[cloud.SoftwareOATH].Create || c.Methods[cloud.Authenticator].Create || !c.Methods[cloud.HardwareOATH].Create ||
		c.Methods[cloud.HardwareOATH].Update || !c.Methods[cloud.SoftwareOATH].Delete {
		t.Errorf("access: %+v", c.Methods)
	}
	c, err = rehearsal(t, engine.Assumptions{Activates: true, Delayed: true, UnsetDefault: true, Cloud: "usgov"}).Capabilities(t.Context())
	if err != nil || !c.OATH.Activates || !c.Delayed || !c.DefaultMethod.Delete || c.Cloud != "usgov" {
		t.Errorf("what is assumed does not show: %+v, %v", c, err)
	}
}

// The cloud in China has no interface for hardware tokens, so none are taken.
func TestRehearsalOfACloudWithoutTokens(t *testing.T) {
	h := rehearsal(t, engine.Assumptions{Cloud: "china"})
	c, err := h.Capabilities(t.Context())
	if _, has := c.Methods[cloud.HardwareOATH]; err != nil || has || c.Cloud != "china" {
		t.Errorf("capabilities: %+v, %v", c.Methods, err)
	}
	add := cloud.Change{User: h.user(t, 1), Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(1)}}
	if r := h.Write(t.Context(), []cloud.Change{add})[0]; r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Unsupported {
		t.Errorf("a token is taken: %+v", r)
	}
	if _, err := h.AddHardware(t.Context(), "test", engine.Hardware{Serial: "S1", Manufacturer: "Acme", Model: "T1", Algorithm: cloud.SHA1, Period: 30}, hardware(1).Secret); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("the inventory takes a token: %v", err)
	}
}

// Each line of the capabilities that says no is a no.
func TestRehearsalRefusesWhatGraphDoes(t *testing.T) {
	h := rehearsal(t, engine.Assumptions{})
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(1)}},
		cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("sms")})
	before := h.read(t, id)
	profile, disabled, other := before.Profile, before.Profile, cloud.Profile{UPN: "new@contoso.example", Enabled: true}
	disabled.Enabled = false
	edited := func(f func(*cloud.OATH)) cloud.Value { o := hardware(7); f(o); return cloud.Value{OATH: o} }
	renamed := before.OATH[0].OATH
	renamed.Name = "another name"
	software := cloudtest.Generator(9)
	for name, c := range map[string]struct {
		change cloud.Change
		kind   cloud.Kind
	}{
		"a new user":          {cloud.Change{UPN: other.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &other}}, cloud.Unsupported},
		"the end of a user":   {cloud.Change{User: id, Op: cloud.Remove, Method: cloud.Account, Before: cloud.Value{Profile: &profile}}, cloud.Unsupported},
		"a disabled user":     {cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &profile}, After: cloud.Value{Profile: &disabled}}, cloud.Unsupported},
		"a block":             {cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: h.Now().Add(time.Hour)}}, cloud.Unsupported},
		"software OATH":       {cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: software}}, cloud.Unsupported},
		"an app":              {cloud.Change{User: id, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}, cloud.Unsupported},
		"a device's new name": {cloud.Change{User: id, Op: cloud.Update, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: &before.OATH[0].OATH}, After: cloud.Value{OATH: &renamed}}, cloud.Unsupported},
		"no default":          {cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("sms")}, cloud.Unsupported},
		"SHA512":              {cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: edited(func(o *cloud.OATH) { o.Algorithm = cloud.SHA512 })}, cloud.Invalid},
		"8 digits":            {cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: edited(func(o *cloud.OATH) { o.Digits = 8 })}, cloud.Invalid},
		"no manufacturer":     {cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: edited(func(o *cloud.OATH) { o.Manufacturer = "" })}, cloud.Invalid},
		"a strange default":   {cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("sms"), After: cloud.TextValue("shout")}, cloud.Invalid},
	} {
		r := h.Write(t.Context(), []cloud.Change{c.change})[0]
		if r.Outcome != cloud.Failed || r.Err == nil || cloud.KindOf(r.Err) != c.kind {
			t.Errorf("%s: %s, %v; want %s", name, r.Outcome, r.Err, c.kind)
		}
	}
	if after := h.read(t, id); after.Default != before.Default || len(after.OATH) != 1 || !after.Enabled || after.OATH[0].Name != before.OATH[0].Name {
		t.Errorf("something refused was written: %+v", after)
	}
	if ids := make([]cloud.UserID, 21); true {
		if _, err := h.Read(t.Context(), ids); err == nil || cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("21 users at once: %v", err)
		}
	}
}

// Entra ID hides secrets: a device is known by its serial number alone.
func TestRehearsalHidesSecrets(t *testing.T) {
	h := rehearsal(t, engine.Assumptions{})
	id := h.user(t, 1)
	add := cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(1)}}
	h.write(t, add)
	if u := h.read(t, id); len(u.OATH) != 1 || u.OATH[0].Fingerprint != "" {
		t.Errorf("read: %+v", u.OATH)
	}
	other := hardware(2)
	other.Serial, other.Name = hardware(1).Serial, hardware(1).Name
	add.After.OATH = other
	if r := h.Write(t.Context(), []cloud.Change{add})[0]; r.Outcome != cloud.Already {
		t.Errorf("another secret of one serial number: %s, %v", r.Outcome, r.Err)
	}
	h.write(t, cloud.Change{User: id, Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: other}})
}

// A device that an application cannot activate does not verify.
func TestRehearsalActivates(t *testing.T) {
	for _, activates := range []bool{false, true} {
		h := rehearsal(t, engine.Assumptions{Activates: activates})
		id := h.user(t, 1)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hardware(1)}})
		want, reason := cloud.Refused, cloud.NoMethod
		if activates {
			want, reason = cloud.Approved, ""
		}
		h.login(t, id, hardware(1), want, reason)
	}
}

func TestAssumptions(t *testing.T) {
	given := []string{"oath-activation=yes", "delayed=yes", "unset-default=yes", "cloud=china"}
	a, err := engine.ParseAssumptions(given)
	if err != nil || !slices.Equal(a.Words(), given) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"", "delayed", "delayed=maybe", "cloud=mars", "weather=fine", "oath-activation=YES"} {
		if a, err := engine.ParseAssumptions([]string{bad}); err == nil || cloud.KindOf(err) != cloud.Invalid || a != (engine.Assumptions{}) {
			t.Errorf("%q: %+v, %v", bad, a, err)
		}
	}
}
