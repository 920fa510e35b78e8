package board

import "strings"

// Mail domains stand behind most names of a plan, and there are few. In the
// users' texts a letter for private use takes the place of one; no text has
// such letters of its own, since [text] writes them as escapes.
const (
	firstDomain = 0xe000
	maxDomains  = 64
)

// domains numbers the mail domains of a plan, "@" included.
type domains struct {
	names  []string
	number map[string]int
}

// add notes the domain of a name, if it has one and there is room.
func (d *domains) add(name string) {
	if len(d.names) == maxDomains {
		return
	}
	at := strings.LastIndexByte(name, '@')
	if at < 0 || domainEnd(name[at:]) != len(name)-at || len(name)-at < 4 {
		return
	}
	if _, known := d.number[name[at:]]; !known {
		if d.number == nil {
			d.number = map[string]int{}
		}
		d.number[name[at:]] = len(d.names)
		d.names = append(d.names, name[at:])
	}
}

// domainEnd is where the domain that s begins with, "@" first, ends.
func domainEnd(s string) int {
	for i := 1; i < len(s); i++ {
		c := s[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '-' && c != '.' {
				return i
			}
		}
	}
	return len(s)
}

// short writes s with a letter for each known domain.
func (d *domains) short(s string) string {
	at := strings.IndexByte(s, '@')
	if at < 0 || len(d.names) == 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		end := at + domainEnd(s[at:])
		b.WriteString(s[:at])
		if n, known := d.number[s[at:end]]; known {
			b.WriteRune(rune(firstDomain + n))
		} else {
			b.WriteString(s[at:end])
		}
		s = s[end:]
		at = strings.IndexByte(s, '@')
	}
	b.WriteString(s)
	return b.String()
}
