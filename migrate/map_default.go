package migrate

import (
	"slices"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// States of cloud.AuthenticatorEntry.
const (
	authenticatorActive  = "active"
	authenticatorInvited = "invited"
	authenticatorExpired = "expired"
)

// usedApp tells whether the user has the old server's mobile app.
func (d *draft) usedApp() bool {
	return len(d.u.Devices) > 0 || d.u.PhoneAppActivated || d.mode == legacy.ModePhoneApp
}

// pushActive tells whether a push device of the target works already.
func (d *draft) pushActive() bool {
	return slices.ContainsFunc(d.now.Authenticators, func(a cloud.AuthenticatorEntry) bool {
		return a.State == authenticatorActive
	})
}

// pushRule has the user activate an app, and invites where the target can. An
// invitation that is there counts; one that has expired is renewed if the plan
// asks for it.
func (d *draft) pushRule() {
	if !d.usedApp() || d.pushActive() {
		return
	}
	d.find(PushNeedsActivation, "PhoneAppActivated", "pushes of the old app do not move; the user has to activate an app")
	if !d.caps.Methods[cloud.Authenticator].Create {
		return
	}
	d.brings(cloud.Authenticator)
	invited := cloud.Change{Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: authenticatorInvited}}
	if len(d.now.Authenticators) == 0 {
		d.after.Authenticators = []cloud.AuthenticatorEntry{{State: authenticatorInvited}}
		d.change(invited, "mobile app")
		return
	}
	if i, ok := d.expired(); ok && d.opt.Reinvite && d.caps.Methods[cloud.Authenticator].Update {
		old := d.now.Authenticators[i]
		invited.Op, invited.ID, invited.Before = cloud.Update, old.ID, cloud.Value{State: old.State}
		d.after.Authenticators = slices.Clone(d.now.Authenticators)
		d.after.Authenticators[i] = cloud.AuthenticatorEntry{ID: old.ID, Name: old.Name, State: authenticatorInvited}
		d.change(invited, "invitation renewed")
	}
}

// expired finds the invitation that is over, if none is open.
func (d *draft) expired() (int, bool) {
	at := -1
	for i, a := range d.now.Authenticators {
		if a.State != authenticatorExpired {
			return 0, false
		}
		if at < 0 {
			at = i
		}
	}
	return at, at >= 0
}

// securest is the order in which a default is chosen.
var securest = []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceOffice, cloud.VoiceAlternateMobile}

// defaultRule sets how the user is asked first. It comes last: a default needs
// its method.
func (d *draft) defaultRule() {
	policy := d.opt.DefaultMethod
	if policy != DefaultAlways && d.now.Default != "" {
		return
	}
	wanted, why := d.wantedDefault()
	if wanted == "" && d.now.Default != "" {
		return // nobody knows better than the target
	}
	best := wanted
	if policy == DefaultSecure || !d.available(wanted) {
		best = d.securestAvailable()
	}
	if best == "" || best == d.now.Default {
		return
	}
	access := d.caps.DefaultMethod
	settable := d.now.Default == "" && access.Create || d.now.Default != "" && access.Update
	if !settable || !d.caps.DefaultIsUsed {
		d.find(DefaultMethodIgnored, "Mode", "the target chooses by itself how to ask the user")
	}
	if !settable {
		return
	}
	if best != wanted {
		d.find(DefaultMethodChanged, "Mode", why+"; after this plan the default is "+string(best))
	}
	d.after.Default = best
	d.change(cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod,
		Before: cloud.TextValue(string(d.now.Default)), After: cloud.TextValue(string(best))}, d.defaultReason(best, wanted))
}

func (d *draft) defaultReason(best, wanted cloud.Preference) string {
	if best == wanted {
		return "Mode " + string(d.mode)
	}
	return "most secure method that is there"
}

// wantedDefault is the preference that Mode means, and a phrase for the case
// that it does not become the default.
func (d *draft) wantedDefault() (cloud.Preference, string) {
	switch d.mode {
	case legacy.ModePhoneApp:
		if d.pushActive() {
			return cloud.Push, "the user was asked by push"
		}
		// The target switches to push when the app is activated.
		return cloud.OATHCode, "the user was asked by push, and no code generator is there"
	case legacy.ModeOathToken:
		return cloud.OATHCode, "the user was asked for a token's code"
	case legacy.ModeSMSText:
		return cloud.SMS, "the user was asked by text"
	case legacy.ModeVoiceCall:
		return voiceOf(d.voiceSlot()), "the user was called"
	default:
		return "", "the export does not say how the user was asked"
	}
}

// voiceSlot is where a call reaches the user: where Phone stands, or without a
// Phone the slot that is there.
func (d *draft) voiceSlot() cloud.Method {
	switch {
	case d.phoneSlot != "":
		return d.phoneSlot
	case d.after.Mobile == "" && d.after.Office != "":
		return cloud.Office
	default:
		return cloud.Mobile
	}
}

func voiceOf(slot cloud.Method) cloud.Preference {
	switch slot {
	case cloud.Office:
		return cloud.VoiceOffice
	case cloud.AlternateMobile:
		return cloud.VoiceAlternateMobile
	default:
		return cloud.VoiceMobile
	}
}

func (d *draft) securestAvailable() cloud.Preference {
	for _, p := range securest {
		if d.available(p) {
			return p
		}
	}
	return ""
}

// available tells whether a preference could be the user's default after the
// plan.
func (d *draft) available(p cloud.Preference) bool {
	return slices.Contains(d.caps.Preferences, p) && d.verifies(p)
}

// verifies tells whether the user could be verified in this way after the
// plan. A generator that the user has yet to activate does not count, nor one
// whose clock the target would have to learn first.
func (d *draft) verifies(p cloud.Preference) bool {
	if slices.Contains(d.now.ForbiddenWays, p) {
		return false
	}
	switch p {
	case cloud.Push:
		return d.pushActive() && d.allowed(cloud.Authenticator)
	case cloud.OATHCode:
		return slices.ContainsFunc(d.after.OATH, func(e cloud.OATHEntry) bool {
			return !e.Inactive && d.allowed(e.Method) && !slices.Contains(d.off, e.Fingerprint)
		})
	case cloud.SMS, cloud.VoiceMobile:
		return d.after.Mobile != "" && d.allowed(cloud.Mobile)
	case cloud.VoiceAlternateMobile:
		return d.after.Alternate != "" && d.allowed(cloud.AlternateMobile)
	case cloud.VoiceOffice:
		return d.after.Office != "" && d.allowed(cloud.Office)
	}
	return false
}

func (d *draft) allowed(m cloud.Method) bool { return !slices.Contains(d.now.Forbidden, m) }
