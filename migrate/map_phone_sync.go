package migrate

import (
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
)

// phoneSource returns where the user's first number is taken from: the row,
// or the customer's directory where the old server took it from there and
// --phones says so. Where the directory has the row's number under any of its
// attributes the two are in step, and the row's is as good.
func (d *draft) phoneSource() (in legacy.PhoneFields, reason string) {
	own := d.u.Phone
	if !d.u.KeepPhoneSynchronized || len(d.match.Phones) == 0 {
		return own, "Phone"
	}
	have := d.parsed(own)
	var theirs legacy.PhoneFields
	var number phone.Number
	for _, text := range d.match.Phones {
		fields := legacy.PhoneFields{CountryCode: own.CountryCode, Number: text}
		r := d.parsed(fields)
		if r.OK && have.OK && r.Number.String() == have.Number.String() {
			return own, "Phone"
		}
		if r.OK && number.IsZero() {
			theirs, number = fields, r.Number
		}
	}
	if number.IsZero() {
		d.find(PhoneDiffersFromDirectory, "Phone", "the directory has no number that can be read; the old server's moves")
		return own, "Phone"
	}
	old := "none"
	if !have.Number.IsZero() {
		old = have.Number.Masked()
	}
	if why, take := d.takesDirectory(); !take {
		d.find(PhoneDiffersFromDirectory, "Phone", "the directory has "+number.Masked()+", the old server "+old+", which counts"+why)
		return own, "Phone"
	}
	d.find(PhoneFromDirectory, "Phone", "the directory has "+number.Masked()+", which moves; the old server has "+old)
	return theirs, "telephone number of the directory"
}

// takesDirectory tells whether the directory's number counts, or why not.
func (d *draft) takesDirectory() (why string, take bool) {
	switch d.opt.Phones {
	case PhonesDirectory:
		return "", true
	case PhonesNewest:
		if d.u.LastChanged.IsZero() || d.match.Changed.IsZero() {
			return ": it is not known which was changed last", false
		}
		return ": it was changed last", d.match.Changed.After(d.u.LastChanged)
	}
	return "", false
}

// parsed reads a number without findings.
func (d *draft) parsed(in legacy.PhoneFields) phone.Result {
	return d.phones.Parse(phone.Input{CountryCode: in.CountryCode, Number: in.Number, Extension: in.Extension})
}
