package migrate_test

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
)

// number reads one number. For texts its extension does not matter.
func (o *oracle) number(v *verdict, in legacy.PhoneFields, text bool) (n numbers.Number, ok bool) {
	if in.Number == "" && in.Extension == "" {
		return n, false
	}
	r := o.phones.Parse(numbers.Input{CountryCode: in.CountryCode, Number: in.Number, Extension: in.Extension})
	n = r.Number
	if text && !n.IsZero() && (n.Extension != "" || !r.OK) {
		n.Extension = ""
		v.say("PHONE_EXTENSION_DROPPED")
	} else if r.Notes.Has(numbers.DialScript) {
		v.say("EXTENSION_DIAL_SCRIPT")
		return n, false
	} else if !r.OK {
		v.say("PHONE_INVALID")
		return n, false
	} else if r.Notes.Has(numbers.ExtensionPauseDropped) {
		v.say("EXTENSION_PAUSE_DROPPED")
	}
	for note, code := range map[numbers.Notes]string{numbers.CountryConflict: "PHONE_COUNTRY_CONFLICT", numbers.CountryAssumed: "PHONE_COUNTRY_ASSUMED", numbers.Unverified: "PHONE_UNVERIFIED"} {
		if r.Notes.Has(note) {
			v.say(code)
		}
	}
	return n, true
}

func equalNumbers(a, b string) bool { return a != "" && dialled(a) == dialled(b) }

func dialled(number string) string {
	return strings.Join(regexp.MustCompile(`[+0-9x]`).FindAllString(number, -1), "")
}

func slotOf(u *cloud.User, slot string) *string {
	return map[string]*string{"mobile": &u.Mobile, "alternateMobile": &u.Alternate, "office": &u.Office}[slot]
}

var phoneSlots = []string{"mobile", "alternateMobile", "office"}

func (o *oracle) allPhones(i int, v *verdict, company bool) []string {
	bySlot := map[string]string{}
	if n, ok := o.number(v, v.row.Phone, v.mode == "smsText"); ok {
		slot := "mobile"
		if n.Extension != "" {
			slot = "office"
		}
		v.stands = o.write(i, v, n, slot, bySlot, company)
	}
	first := len(bySlot) > 0
	if n, ok := o.number(v, v.row.BackupPhone, false); ok {
		slot, promoted := "alternateMobile", false
		if n.Extension != "" {
			slot = "office"
		} else if v.user.Mobile == "" {
			slot, promoted = "mobile", true
		}
		there := slices.ContainsFunc(phoneSlots, func(s string) bool { return equalNumbers(*slotOf(&v.user, s), n.String()) })
		if slot == v.stands && !there {
			v.say("BACKUP_PHONE_SKIPPED")
		} else if o.write(i, v, n, slot, bySlot, company) == slot && promoted {
			v.say("BACKUP_PROMOTED")
		}
	}
	var changes []string
	for _, slot := range phoneSlots {
		if c, ok := bySlot[slot]; ok {
			changes = append(changes, c)
		}
	}
	if first && v.row.KeepPhoneSynchronized {
		v.say("PHONE_SYNC_ENDS")
	}
	return changes
}

// write puts a number into a slot, or finds it elsewhere, and says where it is.
func (o *oracle) write(i int, v *verdict, n numbers.Number, slot string, bySlot map[string]string, company bool) string {
	number, have := n.String(), *slotOf(&v.user, slot)
	can := o.caps.Methods[cloud.Method(slot)]
	if equalNumbers(have, number) {
		v.has(cloud.Method(slot))
		return slot
	}
	for _, s := range phoneSlots {
		if equalNumbers(*slotOf(&v.user, s), number) {
			v.has(cloud.Method(s))
			v.say("PHONE_DUPLICATE")
			return s
		}
	}
	if have != "" && o.opt.Existing != "replace" {
		v.has(cloud.Method(slot))
		v.say("METHOD_DIFFERS_IN_CLOUD")
		return slot
	}
	op, allowed := "add", can.Create
	if have != "" {
		op, allowed = "update", can.Update
	}
	if !allowed {
		v.say("METHOD_UNSUPPORTED")
		if have == "" {
			return ""
		}
		v.has(cloud.Method(slot))
		return slot
	}
	v.has(cloud.Method(slot))
	if slot == "mobile" && v.was.SMSSignIn {
		v.say("SMS_SIGNIN_ENABLED")
	}
	bySlot[slot] = change(op, slot, have, number)
	*slotOf(&v.user, slot) = number
	v.writes = append(v.writes, number)
	if company && others(o.numbers[dialled(number)], i) {
		v.say("PHONE_SHARED")
	}
	return slot
}

func (v *verdict) has(m cloud.Method) {
	v.holds = true
	v.moved = append(v.moved, m)
}

func (o *oracle) email(v *verdict) []string {
	address := v.row.Email
	if address == "" {
		return nil
	}
	policy := string(o.opt.Email)
	if policy == "" {
		policy = "off"
		if o.caps.EmailVerifies {
			policy = "external"
		}
	}
	a, err := mail.ParseAddress(address)
	good := err == nil && a.Address == address && strings.Contains(strings.SplitN(address, "@", 2)[1], ".")
	inside := false
	for _, d := range o.caps.Domains {
		domain := strings.ToLower(address[strings.LastIndex(address, "@")+1:])
		inside = inside || domain == d || strings.HasSuffix(domain, "."+d)
	}
	can := o.caps.Methods[cloud.Email]
	switch {
	case policy == "off":
		v.say("EMAIL_SKIPPED")
	case !good:
		v.say("EMAIL_INVALID")
	case policy == "external" && (inside || len(o.caps.Domains) == 0):
		v.say("EMAIL_SKIPPED")
	case strings.EqualFold(v.was.Email, address):
		v.has(cloud.Email)
	case v.was.Email != "" && o.opt.Existing != "replace":
		v.has(cloud.Email)
		v.say("METHOD_DIFFERS_IN_CLOUD")
	case v.was.Email == "" && !can.Create || v.was.Email != "" && !can.Update:
		v.say("METHOD_UNSUPPORTED")
	default:
		v.has(cloud.Email)
		op := "add"
		if v.was.Email != "" {
			op = "update"
		}
		v.user.Email = address
		return []string{change(op, "email", v.was.Email, address)}
	}
	return nil
}
