package planfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// The sealed values of a user, in this order: a version byte, the number of
// changes, before and after of each, the number of facts, the value of each.
// Numbers are varints as in encoding/binary, texts have their length before
// them. A Value begins with a byte that says which parts follow.
const sealedVersion = 1

const (
	hasText = 1 << iota
	hasOATH
	hasProfile
	hasUntil
	hasState
	allParts = 1<<iota - 1
)

var errSealed = errors.New("the sealed values are not in their form")

// encodeValues appends the sealed form of d's values to b.
func encodeValues(b []byte, d *migrate.Decision) []byte {
	b = append(b, sealedVersion)
	b = binary.AppendUvarint(b, uint64(len(d.Changes)))
	for i := range d.Changes {
		b = appendValue(b, d.Changes[i].Before)
		b = appendValue(b, d.Changes[i].After)
	}
	b = binary.AppendUvarint(b, uint64(len(d.Facts)))
	for i := range d.Facts {
		b = appendText(b, d.Facts[i].Value)
	}
	return b
}

func appendText[T ~string](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v cloud.Value) []byte {
	at := len(b)
	b = append(b, 0)
	if v.Text != "" {
		b[at] |= hasText
		b = appendText(b, v.Text)
	}
	if o := v.OATH; o != nil {
		b[at] |= hasOATH
		for _, s := range []string{o.Name, o.Serial, o.Manufacturer, o.Model, string(o.Algorithm)} {
			b = appendText(b, s)
		}
		b = binary.AppendVarint(b, int64(o.Digits))
		b = binary.AppendVarint(b, int64(o.Period))
		b = binary.AppendVarint(b, int64(o.Drift))
		b = binary.AppendUvarint(b, uint64(o.Secret.Len()))
		b = append(b, o.Secret.Reveal()...)
		b = appendText(b, o.Fingerprint)
	}
	if p := v.Profile; p != nil {
		b[at] |= hasProfile
		b = appendText(b, p.UPN)
		b = appendText(b, p.DisplayName)
		b = binary.AppendUvarint(b, uint64(len(p.Aliases)))
		for _, a := range p.Aliases {
			b = appendText(b, a)
		}
		b = appendText(b, p.SID)
		b = append(b, flag(p.Enabled))
	}
	if !v.Until.IsZero() {
		b[at] |= hasUntil
		b = binary.AppendVarint(b, v.Until.Unix())
		b = binary.AppendUvarint(b, uint64(v.Until.Nanosecond()))
	}
	if v.State != "" {
		b[at] |= hasState
		b = appendText(b, v.State)
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decodeValues fills the values of d, whose changes and facts are there
// already, from their sealed form. On an error d is half filled and must not
// be used.
func decodeValues(b []byte, d *migrate.Decision) error {
	r := reader{b: b}
	if r.byte() != sealedVersion || r.count(MaxChanges) != len(d.Changes) {
		return errSealed
	}
	for i := range d.Changes {
		d.Changes[i].Before = r.value()
		d.Changes[i].After = r.value()
	}
	if r.count(MaxFacts) != len(d.Facts) {
		return errSealed
	}
	for i := range d.Facts {
		d.Facts[i].Value = r.text()
	}
	if r.failed || len(r.b) > 0 {
		return errSealed
	}
	return nil
}

// reader takes the parts of a sealed form off b. After a failure it yields
// zero values.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.b = true, nil }

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) byte() byte {
	if t := r.take(1); t != nil {
		return t[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) count(limit int) int {
	n := r.uvarint()
	if n > uint64(limit) {
		r.fail()
		return -1
	}
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.count(MaxText))) }

func (r *reader) value() (v cloud.Value) {
	parts := r.byte()
	if parts&^allParts != 0 {
		r.fail()
	}
	if parts&hasText != 0 {
		v.Text = r.text()
	}
	if parts&hasOATH != 0 {
		v.OATH = r.oath()
	}
	if parts&hasProfile != 0 {
		v.Profile = r.profile()
	}
	if parts&hasUntil != 0 {
		seconds, nanos := r.varint(), r.uvarint()
		if nanos >= uint64(time.Second) {
			r.fail()
		}
		v.Until = time.Unix(seconds, int64(nanos)).UTC()
	}
	if parts&hasState != 0 {
		v.State = r.text()
	}
	return v
}

func (r *reader) oath() *cloud.OATH {
	o := &cloud.OATH{
		Name: r.text(), Serial: r.text(), Manufacturer: r.text(), Model: r.text(),
		Algorithm: cloud.Algorithm(r.text()),
		Digits:    int(r.varint()), Period: int(r.varint()), Drift: int(r.varint()),
	}
	o.Secret = secret.New(bytes.Clone(r.take(r.count(MaxText))))
	o.Fingerprint = r.text()
	return o
}

func (r *reader) profile() *cloud.Profile {
	p := &cloud.Profile{UPN: r.text(), DisplayName: r.text()}
	for range r.count(MaxText) {
		if r.failed {
			break
		}
		p.Aliases = append(p.Aliases, r.text())
	}
	p.SID = r.text()
	switch r.byte() {
	case 0:
	case 1:
		p.Enabled = true
	default:
		r.fail()
	}
	return p
}
