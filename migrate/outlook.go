package migrate

import (
	"slices"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
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
	if known && !d.has(UserMatchShared) && !d.outOfScope {
		d.factorFindings()
	}
	d.Outlook = d.group(known)
}

// group is the first of Outlooks that applies.
func (d *draft) group(known bool) Outlook {
	switch {
	case d.has(PasswordOnlyToday):
		return PasswordOnly
	case d.outOfScope:
		return OutOfScope
	case !known, d.has(UserMatchShared), d.has(NoFactorAfterApply), d.has(CloudUserDisabling):
		return LockedOut
	case d.has(CloudUserDisabled) && d.u.Enabled: // whom the old server lets in, and the target does not
		return LockedOut
	case d.mode == legacy.ModePhoneApp && d.has(PushNeedsActivation), d.telephonyEnds:
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
		if !d.verifies(p) {
			continue
		}
		if p == cloud.Push || p == cloud.OATHCode {
			d.signInEnds()
			return
		}
		phones = append(phones, p)
	}
	switch {
	case len(phones) == 0:
		d.find(NoFactorAfterApply, "Username", "no method of this user verifies anything after this plan")
	case d.caps.RetiresTelephony:
		d.retirementFinding(phones)
	case !slices.ContainsFunc(phones, func(p cloud.Preference) bool { return slices.Contains(d.caps.Telephony, p) }):
		d.telephonyEnds = true
		d.find(TelephonyNoProvider, "Phone", "only texts and calls verify the user, and nothing delivers them")
	}
}

// retirementFinding says when the target ends its own texts and calls. Whoever
// has brought a provider for one of the user's ways to be asked need not care,
// unless the user signs in by text alone, which ends with or without one.
func (d *draft) retirementFinding(phones []cloud.Preference) {
	end := d.ends.of(d.caps.Cloud, &d.now)
	signIn := d.now.SMSSignIn && d.after.Mobile != ""
	provided := slices.ContainsFunc(phones, d.opt.Provider.delivers)
	detail := "only texts and calls verify the user, and the target's own end " + end.when()
	switch {
	case provided && signIn:
		detail += "; the provider delivers them from then on, but not the sign-in by text alone that policy allows the user"
	case provided:
		detail += "; the provider delivers them from then on"
	case signIn:
		detail += ", and with them the sign-in by text alone that policy allows the user"
	}
	d.find(TelephonyRetirement, "Phone", detail)
	if provided && !signIn {
		d.Findings[len(d.Findings)-1].Severity = SeverityInfo
		return
	}
	d.telephonyEnds, d.deadline = true, end.key()
}

// signInEnds says when the target ends a first factor that a user has there
// beside stronger second ones.
func (d *draft) signInEnds() {
	if d.caps.RetiresTelephony && d.now.SMSSignIn && d.after.Mobile != "" && !d.has(SMSSignInEnabled) {
		d.find(SMSSignInEnds, "Phone", "sign-in by text alone ends "+d.ends.of(d.caps.Cloud, &d.now).when())
	}
}

// signInFinding says that a mobile phone would let its holder sign in without
// a password.
func (d *draft) signInFinding(field string, n phone.Number) {
	detail := "policy lets a mobile phone of the user sign in without a password: " + n.Masked() + " would"
	if d.caps.RetiresTelephony {
		detail += "; sign-in by text ends " + d.ends.of(d.caps.Cloud, &d.now).when()
	}
	d.find(SMSSignInEnabled, field, detail)
}
