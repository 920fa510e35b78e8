package migrate

import (
	"slices"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// outlook closes a decision: what verifies the user after the plan, which
// group of the outlook that is, and what is done.
func (d *draft) outlook() {
	if d.Action != Skip {
		d.Action = Keep
		switch {
		case d.match.Create:
			d.Action = Create
		case len(d.Changes) > 0:
			d.Action = Modify
		}
	}
	known := d.match.User != nil || d.match.Create
	if known && !d.has(UserMatchShared) && (d.Action != Skip || !d.has(UserDisabled)) {
		d.factorFindings()
	}
	d.Outlook = d.group(known)
}

// group is the first of Outlooks that applies.
func (d *draft) group(known bool) Outlook {
	switch {
	case d.has(PasswordOnlyToday):
		return PasswordOnly
	case d.Action == Skip && d.has(UserDisabled):
		return OutOfScope
	case !known, d.has(UserMatchShared), d.has(NoFactorAfterApply):
		return LockedOut
	case d.mode == legacy.ModePhoneApp && d.has(PushNeedsActivation),
		d.has(TelephonyNoProvider), d.has(TelephonyRetirement):
		return MustAct
	default:
		return Works
	}
}

// factorFindings says whether anything verifies the user, and whether that
// can be delivered. A pending invitation and an address do not count.
func (d *draft) factorFindings() {
	var phones []cloud.Preference
	for _, p := range securest {
		if !d.available(p) {
			continue
		}
		if p == cloud.Push || p == cloud.OATHCode {
			return
		}
		phones = append(phones, p)
	}
	switch {
	case len(phones) == 0:
		d.find(NoFactorAfterApply, "Username", "no method of this user verifies anything after this plan")
	case d.caps.RetiresTelephony:
		d.find(TelephonyRetirement, "Phone", "only texts and calls verify the user")
	case !slices.ContainsFunc(phones, func(p cloud.Preference) bool { return slices.Contains(d.caps.Telephony, p) }):
		d.find(TelephonyNoProvider, "Phone", "only texts and calls verify the user, and nothing delivers them")
	}
}
