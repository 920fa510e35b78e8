package migrate

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mfabridge/cloud"
)

// parseQuick reads the forms that stand with nearly every user as
// [AppendValue] writes them, without escapes. What it does not know is left to
// encoding/json.
func parseQuick(m cloud.Method, b []byte) (v cloud.Value, ok bool) {
	if len(b) == 0 || !utf8.Valid(b) {
		return v, false
	}
	q := quick{rest: string(b), ok: true}
	switch {
	case m.IsOATH():
		o := &cloud.OATH{}
		o.Name = q.text(`{"name":`)
		o.Serial = q.text(`,"serial":`)
		o.Algorithm = cloud.Algorithm(q.text(`,"algorithm":`))
		o.Digits = q.number(`,"digits":`)
		o.Period = q.number(`,"period":`)
		v.OATH = o
	case m == cloud.Account:
		p := &cloud.Profile{}
		p.UPN = q.text(`{"upn":`)
		p.DisplayName = q.text(`,"display_name":`)
		p.Aliases = q.texts(`,"aliases":[`)
		p.SID = q.text(`,"sid":`)
		p.Enabled = q.bool(`,"enabled":`)
		v.Profile = p
	case m == cloud.Authenticator:
		v.State = q.text(`{"state":`)
	default:
		return v, false
	}
	q.skip("}")
	return v, q.ok && q.rest == ""
}

// quick takes parts off a text in a fixed form; ok turns false when the text
// is in another form.
type quick struct {
	rest string
	ok   bool
}

func (q *quick) skip(word string) {
	rest, found := strings.CutPrefix(q.rest, word)
	q.rest, q.ok = rest, q.ok && found
}

// text reads a string without escapes behind a word.
func (q *quick) text(word string) string {
	q.skip(word)
	q.skip(`"`)
	end := strings.IndexByte(q.rest, '"')
	if !q.ok || end < 0 {
		q.ok = false
		return ""
	}
	s := q.rest[:end]
	for i := range len(s) {
		if s[i] == '\\' || s[i] < ' ' {
			q.ok = false
			return ""
		}
	}
	q.rest = q.rest[end+1:]
	return s
}

func (q *quick) texts(word string) []string {
	q.skip(word)
	var list []string
	for sep := ""; q.ok && !strings.HasPrefix(q.rest, "]"); sep = "," {
		list = append(list, q.text(sep))
	}
	q.skip("]")
	return list
}

func (q *quick) number(word string) int {
	q.skip(word)
	end := 0
	for end < len(q.rest) && (q.rest[end] == '-' || q.rest[end] >= '0' && q.rest[end] <= '9') {
		end++
	}
	n, err := strconv.Atoi(q.rest[:end])
	q.ok = q.ok && err == nil && strconv.Itoa(n) == q.rest[:end]
	q.rest = q.rest[end:]
	return n
}

func (q *quick) bool(word string) bool {
	q.skip(word)
	if rest, ok := strings.CutPrefix(q.rest, "true"); ok {
		q.rest = rest
		return true
	}
	q.skip("false")
	return false
}
