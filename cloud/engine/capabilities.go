package engine

import (
	"fmt"
	"slices"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// Most changes in one Write, and keys in one Find or Read.
const (
	batch      = 1000
	batchEntra = 20 // of one JSON batch of Graph
)

// maxOATH is how many generators and apps one user may have.
const maxOATH = 5

// maxSecretEntra is what 128 characters of Base32 hold, in bytes.
const maxSecretEntra = 80

// maxDriftEntra is the minute or two that Entra ID allows at a sign-in, in
// steps; it is told of no drift.
const maxDriftEntra = 2

// capabilities are what the store takes by its kind and settings; the engine
// enforces them as they stand here.
func (e *Engine) capabilities() cloud.Capabilities {
	c := cloud.Capabilities{Instance: e.setup.Instance, Domains: slices.Clone(e.setup.Domains), Methods: map[cloud.Method]cloud.Access{}}
	if e.setup.Kind == KindEntra {
		entraCapabilities(&c, e.setup.Assumed)
		return c
	}
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	c.Product, c.Batch = "mfabridge engine", batch
	c.CreateUsers, c.Aliases, c.Disable, c.Block = true, true, true, true
	for _, m := range cloud.Methods() {
		c.Methods[m] = all
	}
	c.DefaultMethod, c.DefaultIsUsed, c.EmailVerifies = all, true, true
	c.Preferences = []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice}
	c.OATH = cloud.OATHCapabilities{Limit: maxOATH, Algorithms: []cloud.Algorithm{cloud.SHA1, cloud.SHA256, cloud.SHA512},
		Digits: []int{6, 8}, Periods: []int{30, 60}, Fingerprints: true, Activates: true, MinSecret: form.MinSecret, MaxSecret: form.MaxSecret, MaxDrift: form.MaxDrift}
	for preference, sender := range e.senders {
		if sender.Delivers() {
			c.Telephony = append(c.Telephony, preference)
		}
	}
	slices.Sort(c.Telephony)
	return c
}

// entraCapabilities are what an application can do to Entra ID through
// Microsoft Graph (v1.0 and, for hardware OATH and the default method, beta):
// nobody can create push registrations and software OATH there, accounts come
// from elsewhere, and secrets are never shown again.
func entraCapabilities(c *cloud.Capabilities, a Assumptions) {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	c.Product, c.Batch, c.Delayed = "mfabridge engine, rehearsing Microsoft Entra ID", batchEntra, a.Delayed
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email} {
		c.Methods[m] = all
	}
	c.Methods[cloud.SoftwareOATH] = cloud.Access{Read: true, Delete: true}
	c.Methods[cloud.Authenticator] = cloud.Access{Read: true, Delete: true}
	c.Methods[cloud.HardwareOATH] = cloud.Access{Create: true, Read: true, Delete: true} // a device can be edited while nobody has it
	c.DefaultMethod = cloud.Access{Create: true, Read: true, Update: true, Delete: a.UnsetDefault}
	c.Preferences = []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice}
	c.OATH = cloud.OATHCapabilities{Limit: maxOATH, Algorithms: []cloud.Algorithm{cloud.SHA1, cloud.SHA256},
		Digits: []int{6}, Periods: []int{30, 60}, Activates: a.Activates, MinSecret: form.MinSecret, MaxSecret: maxSecretEntra, MaxDrift: maxDriftEntra}
	c.Telephony = []cloud.Preference{cloud.SMS, cloud.VoiceAlternateMobile, cloud.VoiceMobile, cloud.VoiceOffice}
	c.RetiresTelephony, c.Cloud = true, a.Cloud
	switch c.Cloud {
	case "":
		c.Cloud = "global"
	case "china": // has no interface for hardware OATH
		delete(c.Methods, cloud.HardwareOATH)
	}
	// Graph takes 3,000 writes in 150 seconds from one application in one
	// tenant; half of that leaves room for others. The unit is one write. A read
	// of a user is some seven requests of 8,000 resource units in 10 seconds.
	// Hardware OATH is created, assigned and activated; removed, it is
	// unassigned and deleted.
	c.Pace = cloud.Pace{PerSecond: 10, Read: 0.1, Change: map[cloud.Method]float64{cloud.HardwareOATH: 3}}
}

// admit says no to what the capabilities do not hold.
func admit(caps *cloud.Capabilities, c *cloud.Change) error {
	no := func(what string) error {
		return refuse(cloud.Unsupported, fmt.Sprintf("%s %s", caps.Product, what))
	}
	switch c.Method {
	case cloud.Account:
		return admitAccount(caps, c, no)
	case cloud.Blocked:
		if !caps.Block {
			return no("keeps no blocks")
		}
		return nil
	case cloud.DefaultMethod:
		if p := cloud.Preference(c.After.Text); p != "" && !slices.Contains(caps.Preferences, p) {
			return refuse(cloud.Invalid, "the default method is none that can be set here")
		}
		return admitAccess(caps.DefaultMethod, c, no)
	}
	access, known := caps.Methods[c.Method]
	if !known {
		return no(fmt.Sprintf("keeps no method %q", string(c.Method)))
	}
	if err := admitAccess(access, c, no); err != nil || !c.Method.IsOATH() || c.After.OATH == nil {
		return err
	}
	return admitOATH(&caps.OATH, c.After.OATH)
}

func admitAccount(caps *cloud.Capabilities, c *cloud.Change, no func(string) error) error {
	if c.Op != cloud.Update {
		if !caps.CreateUsers {
			return no("neither creates nor removes users")
		}
		return nil
	}
	if c.Before.Profile == nil || c.After.Profile == nil {
		return nil // refused by its shape
	}
	if !caps.Aliases {
		return no("takes users as they are")
	}
	if !caps.Disable && c.Before.Profile.Enabled != c.After.Profile.Enabled {
		return no("does not disable users")
	}
	return nil
}

// admitAccess compares what is done with what can be done. To set is to
// create where there was none, and to delete where there will be none.
func admitAccess(a cloud.Access, c *cloud.Change, no func(string) error) error {
	create, remove := c.Op == cloud.Add, c.Op == cloud.Remove
	if c.Op == cloud.Set {
		create, remove = c.Before.IsZero(), c.After.IsZero()
	}
	switch {
	case remove && !a.Delete:
		return no(fmt.Sprintf("cannot remove %s", c.Method))
	case create && !remove && !a.Create:
		return no(fmt.Sprintf("cannot create %s", c.Method))
	case !create && !remove && !a.Update:
		return no(fmt.Sprintf("cannot change %s", c.Method))
	}
	return nil
}

// admitOATH holds a generator against the limits of the target.
func admitOATH(can *cloud.OATHCapabilities, o *cloud.OATH) error {
	switch {
	case !slices.Contains(can.Algorithms, o.Algorithm):
		return refuse(cloud.Invalid, fmt.Sprintf("the algorithm of the OATH method must be one of %v", can.Algorithms))
	case !slices.Contains(can.Digits, o.Digits):
		return refuse(cloud.Invalid, fmt.Sprintf("the codes of the OATH method must have one of %v digits", can.Digits))
	case !slices.Contains(can.Periods, o.Period):
		return refuse(cloud.Invalid, fmt.Sprintf("the period of the OATH method must be one of %v seconds", can.Periods))
	case !o.Secret.IsZero() && (o.Secret.Len() < can.MinSecret || o.Secret.Len() > can.MaxSecret):
		return refuse(cloud.Invalid, fmt.Sprintf("the secret of the OATH method must have %d to %d bytes", can.MinSecret, can.MaxSecret))
	}
	return nil
}
