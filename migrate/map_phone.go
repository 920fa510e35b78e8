package migrate

import (
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
)

// phoneRules place Phone and BackupPhone in the target's three slots:
//
//	Phone        no extension    mobile
//	             extension       office; Mode smsText: mobile, extension dropped
//	BackupPhone  no extension    alternateMobile, or mobile where there is none
//	             extension       office, unless Phone took it
func (d *draft) phoneRules() {
	first := len(d.Changes)
	in, reason := d.phoneSource()
	if n, ok := d.readPhone("Phone", in, d.mode == legacy.ModeSMSText); ok {
		slot := cloud.Mobile
		if n.Extension != "" {
			slot = cloud.Office
		}
		d.phoneSlot = d.putPhone(slot, n, "Phone", reason)
	}
	moved := len(d.Changes) > first
	if n, ok := d.readPhone("BackupPhone", d.u.BackupPhone, false); ok {
		d.placeBackup(n)
	}
	if d.claiming {
		d.holdPhones()
		return
	}
	changes := d.Changes[first:]
	slices.SortStableFunc(changes, func(a, b PlannedChange) int { return slotOrder(a.Method) - slotOrder(b.Method) })
	if moved && d.u.KeepPhoneSynchronized { // BackupPhone was never kept in step
		d.find(PhoneSyncEnds, "KeepPhoneSynchronized", "the old server took the number from the directory")
	}
}

// holdPhones claims the numbers that stay with the user: who moves one of them
// is to hear who has it.
func (d *draft) holdPhones() {
	for _, n := range [...][2]string{{d.now.Mobile, d.after.Mobile}, {d.now.Alternate, d.after.Alternate}, {d.now.Office, d.after.Office}} {
		if n[0] != "" && n[0] == n[1] {
			d.claim(SharedPhone, digitsOf(n[0]), claimHeld)
		}
	}
}

func (d *draft) placeBackup(n phone.Number) {
	slot, reason := cloud.AlternateMobile, "BackupPhone"
	promoted := false
	switch {
	case n.Extension != "":
		slot = cloud.Office
	case d.after.Mobile == "":
		slot, reason, promoted = cloud.Mobile, "BackupPhone promoted", true
	}
	if slot == d.phoneSlot && d.slotOf(n.String()) == "" {
		d.find(BackupPhoneSkipped, "BackupPhone", n.Masked()+" would be "+string(slot)+", where Phone stands")
		return
	}
	if d.putPhone(slot, n, "BackupPhone", reason) == slot && promoted {
		d.find(BackupPromoted, "BackupPhone", n.Masked()+" becomes the mobile phone")
	}
}

// slotOrder puts the mobile phone first: an alternate one needs it.
func slotOrder(m cloud.Method) int {
	switch m {
	case cloud.Mobile:
		return 0
	case cloud.AlternateMobile:
		return 1
	default:
		return 2
	}
}

// readPhone makes a number of the export's columns, and findings of what is
// odd about it. bare drops the extension, whatever it is.
func (d *draft) readPhone(field string, in legacy.PhoneFields, bare bool) (phone.Number, bool) {
	if in.IsZero() {
		return phone.Number{}, false
	}
	r := d.phones.Parse(phone.Input{CountryCode: in.CountryCode, Number: in.Number, Extension: in.Extension})
	n := r.Number
	extended := n.Extension != "" || !r.OK && !n.IsZero()
	switch {
	case bare && extended:
		n.Extension = ""
		d.find(PhoneExtensionDropped, field, n.Masked()+" moves without its extension, since the user gets codes by text")
	case r.Notes.Has(phone.DialScript):
		d.find(ExtensionDialScript, field, "the number is left out: its extension has pauses or keys to press in it (one of , * #)")
		return phone.Number{}, false
	case !r.OK:
		d.find(PhoneInvalid, field, r.Problem)
		return phone.Number{}, false
	case r.Notes.Has(phone.ExtensionPauseDropped):
		d.find(ExtensionPauseDropped, field, n.Masked()+" moves without the pauses before its extension")
	}
	if problem := tooLong(n); problem != "" {
		d.find(PhoneInvalid, field, problem)
		return phone.Number{}, false
	}
	if d.claiming {
		return n, true
	}
	if r.Notes.Has(phone.CountryConflict) {
		d.find(PhoneCountryConflict, field, n.Masked()+" keeps its own calling code; CountryCode says otherwise")
	}
	if r.Notes.Has(phone.CountryAssumed) {
		d.find(PhoneCountryAssumed, field, n.Masked()+" got its calling code from --default-country")
	}
	if r.Notes.Has(phone.Unverified) {
		d.find(PhoneUnverified, field, n.Masked()+" is possible, but assigned to nobody by its country's numbering plan"+d.codeTwice(n))
	}
	return n, true
}

// tooLong says what of a number is longer than targets take, though its country
// may have longer ones. Empty: nothing.
func tooLong(n phone.Number) string {
	switch {
	case len(n.CallingCode)+len(n.National) > form.MaxDigits:
		return fmt.Sprintf("the number has more than the %d digits that E.164 allows", form.MaxDigits)
	case len(n.Extension) > form.MaxExtension:
		return fmt.Sprintf("the extension has more than %d digits", form.MaxExtension)
	}
	return ""
}

// codeTwice says of a number that nobody has whether somebody would without
// what may be its calling code once more, as where CountryCode and Phone both
// begin with it.
func (d *draft) codeTwice(n phone.Number) string {
	rest, ok := strings.CutPrefix(n.National, n.CallingCode)
	if !ok {
		return ""
	}
	r := d.phones.Parse(phone.Input{CountryCode: n.CallingCode, Number: rest})
	if !r.OK || r.Notes.Has(phone.Unverified) {
		return ""
	}
	return "; its calling code may stand in it twice: without the second " + n.CallingCode + " it would be assigned"
}

// putPhone writes a number to a slot unless the user has it already, and
// returns the slot where it stands in the end; empty: nowhere.
func (d *draft) putPhone(slot cloud.Method, n phone.Number, field, reason string) cloud.Method {
	have := d.slot(slot)
	number := n.String()
	change := cloud.Change{Op: cloud.Add, Method: slot, Before: cloud.TextValue(*have), After: cloud.TextValue(number)}
	access := d.caps.Methods[slot]
	switch elsewhere := d.slotOf(number); {
	case samePhone(*have, number):
		d.brings(slot)
		return slot
	case elsewhere != "":
		d.brings(elsewhere)
		d.find(PhoneDuplicate, field, n.Masked()+" stands as "+string(elsewhere)+" already")
		return elsewhere
	case *have != "" && d.opt.Existing != ExistingReplace:
		d.brings(slot)
		d.find(MethodDiffersInCloud, field, "the target has "+MaskPhone(*have)+" as "+string(slot)+", the old server "+n.Masked())
		return slot
	case *have != "":
		change.Op = cloud.Update
		access.Create = access.Update
	}
	if !access.Create {
		d.find(MethodUnsupported, field, n.Masked()+" cannot be written as "+string(slot))
		if *have == "" {
			return ""
		}
		d.brings(slot)
		return slot
	}
	d.brings(slot)
	d.change(change, reason)
	if slot == cloud.Mobile && d.now.SMSSignIn {
		d.signInFinding(field, n)
	}
	*have = number
	if !d.comparing() {
		return slot
	}
	digits := digitsOf(number)
	d.claim(SharedPhone, digits, claimMoves)
	if c, ok := d.conflict(SharedPhone, digits); ok {
		d.find(PhoneShared, field, n.Masked()+" is also the number of "+others(c))
	}
	return slot
}

// slot is where the user's number of a slot stands in d.after.
func (d *draft) slot(m cloud.Method) *string {
	switch m {
	case cloud.Mobile:
		return &d.after.Mobile
	case cloud.AlternateMobile:
		return &d.after.Alternate
	default:
		return &d.after.Office
	}
}

// slotOf returns the slot that holds number, or "".
func (d *draft) slotOf(number string) cloud.Method {
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office} {
		if samePhone(*d.slot(m), number) {
			return m
		}
	}
	return ""
}

// samePhone compares numbers whatever stands between their digits: a target
// may hold what people typed.
func samePhone(a, b string) bool {
	if a == b || a == "" {
		return a == b
	}
	i, j := 0, 0
	for {
		i, j = dialled(a, i), dialled(b, j)
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if a[i] != b[j] {
			return false
		}
		i, j = i+1, j+1
	}
}

// dialled is where, from at on, the next character stands that a telephone
// number is compared by; the length of number if there is none.
func dialled(number string, at int) int {
	for at < len(number) && (number[at] < '0' || number[at] > '9') && number[at] != '+' && number[at] != 'x' {
		at++
	}
	return at
}

// digitsOf is the part of a number that it is compared by.
func digitsOf(number string) string {
	var stack [32]byte
	digits := stack[:0]
	for i := dialled(number, 0); i < len(number); i = dialled(number, i+1) {
		digits = append(digits, number[i])
	}
	return string(digits)
}
