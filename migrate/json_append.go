package migrate

import (
	"strconv"
	"unicode/utf8"

	"mfabridge/cloud"
)

// What is written for every user of a plan is put together by hand: encoding
// it by reflection takes as long as everything else. A test compares the two.

const hexDigits = "0123456789abcdef"

// appendJSON appends s as a JSON string. What a terminal would obey instead of
// showing it is escaped; see [Plain].
func appendJSON[T ~string](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			b = appendEscape(b, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		if harmful(r) {
			b = appendHex(append(b, s[from:i]...), r)
			from = i + size
		}
		i += size
	}
	return append(append(b, s[from:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return appendHex(b, rune(c))
	}
}

// appendHex appends r as \u escapes.
func appendHex(b []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return appendHex(appendHex(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}

// field appends ,"name":"value".
func field[T ~string](b []byte, name string, value T) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendJSON(b, value)
}

// AppendValue appends v in the form that reports give to values of m; see
// [ValueJSON].
func AppendValue(b []byte, m cloud.Method, v cloud.Value) ([]byte, error) {
	switch {
	case v.IsZero():
		return append(b, "null"...), nil
	case v.OATH != nil:
		o := v.OATH
		b = appendJSON(append(b, `{"name":`...), o.Name)
		b = field(b, "serial", o.Serial)
		b = field(b, "algorithm", o.Algorithm)
		b = strconv.AppendInt(append(b, `,"digits":`...), int64(o.Digits), 10)
		b = strconv.AppendInt(append(b, `,"period":`...), int64(o.Period), 10)
		return append(b, '}'), nil
	case v.Profile != nil:
		p := v.Profile
		b = appendJSON(append(b, `{"upn":`...), p.UPN)
		b = field(b, "display_name", p.DisplayName)
		b = append(b, `,"aliases":[`...)
		for i, alias := range p.Aliases {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, alias)
		}
		b = field(append(b, ']'), "sid", p.SID)
		b = strconv.AppendBool(append(b, `,"enabled":`...), p.Enabled)
		return append(b, '}'), nil
	case m == cloud.Blocked:
		text, err := v.Until.UTC().MarshalJSON()
		return append(append(append(b, `{"until":`...), text...), '}'), err // digits only
	case m == cloud.Authenticator:
		return append(appendJSON(append(b, `{"state":`...), v.State), '}'), nil
	default:
		return appendJSON(b, v.Text), nil
	}
}

// decision writes what a plan says about a user.
func (r *Report) decision(d *Decision) error {
	b := appendJSON(append(r.buf[:0], `{"type":"user","username":`...), d.Username)
	b = field(b, "upn", d.UPN)
	b = field(b, "target_id", d.Target)
	b = field(b, "matched_by", d.MatchedBy)
	b = field(b, "wave", d.Wave)
	b = field(b, "action", d.Action)
	b = append(b, `,"changes":[`...)
	for i := range d.Changes {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = r.change(b, &d.Changes[i]); err != nil {
			return err
		}
	}
	b = append(b, `],"findings":[`...)
	for i := range d.Findings {
		f := &d.Findings[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(b, `{"code":`...), f.Code)
		b = field(b, "severity", f.Severity)
		b = field(b, "field", f.Field)
		b = field(b, "detail", f.Detail)
		b = append(field(b, "action", f.Action), '}')
	}
	r.buf = append(b, "]}"...)
	r.buf = append(r.buf, '\n')
	_, err := r.w.Write(r.buf)
	return err
}

func (r *Report) change(b []byte, c *PlannedChange) ([]byte, error) {
	before, after := c.Before, c.After
	if !r.reveal {
		before, after = MaskValue(c.Method, before), MaskValue(c.Method, after)
	}
	b = appendJSON(append(b, `{"op":`...), c.Op)
	b = field(b, "method", c.Method)
	b = field(b, "id", c.ID)
	b, err := AppendValue(append(b, `,"before":`...), c.Method, before)
	if err != nil {
		return b, err
	}
	if b, err = AppendValue(append(b, `,"after":`...), c.Method, after); err != nil {
		return b, err
	}
	b = field(b, "reason", c.Reason)
	if c.Irreversible {
		b = append(b, `,"irreversible":true`...)
	}
	return append(b, '}'), nil
}
