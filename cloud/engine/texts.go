package engine

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
)

// Texts limit how many messages are sent, which is what fraud with numbers
// that earn by the message lives on. Codes of apps and tokens, and pushes, are
// exempt; a code that was sent can be answered whatever is reached meanwhile.
// One user gets at most a twentieth of what the whole engine sends.
type Texts struct {
	TenantHour, TenantDay int // 0: 1500, 5000
	NumberHour, NumberDay int // 0: 20, 30
	Unproven              int // an hour, for one user and calling station while no first factor is proven; 0: 5

	Alarm int // percent of a budget of all or of a country at which the log says so, once; 0: 80

	// Countries are texts in a day to numbers that begin so ("+44"); 0 closes a
	// country. The longest prefix counts. Others is the same for each country
	// that is not listed; nil: no limit of its own.
	Countries map[string]int
	Others    *int
}

// country is the limit of a number's country, if it has one, and what it is
// counted by.
func (t Texts) country(number string) (limit int, prefix string, limited bool) {
	number = dialled(number)
	for n := min(len(number), maxPrefix); n >= 2; n-- {
		prefix = number[:n]
		if limit, limited = t.Countries[prefix]; limited {
			return limit, prefix, true
		}
	}
	if t.Others != nil && len(number) > 1 {
		return *t.Others, number[:1+form.CallingCode(number[1:])], true
	}
	return 0, "", false
}

// dialled is a number as networks take it. However its country code was told from
// the rest, it is the same telephone, and counts as that.
func dialled(number string) string { return strings.ReplaceAll(number, " ", "") }

// maxPrefix is the longest prefix of numbers that may have a limit, in bytes.
const maxPrefix = 8

// userShare is how many users it takes at least to use up what is sent.
const userShare = 20

func (t Texts) filled() Texts {
	for _, v := range []struct {
		n   *int
		def int
	}{{&t.TenantHour, 1500}, {&t.TenantDay, 5000}, {&t.NumberHour, 20}, {&t.NumberDay, 30}, {&t.Unproven, 5}, {&t.Alarm, 80}} {
		if *v.n <= 0 {
			*v.n = v.def
		}
	}
	return t
}

// What users are told where nothing is sent: the first where they or the
// organisation have had too many, the second where the number or the place has.
const (
	sayLimit   = "You have reached the limit on text codes. Try again later."
	sayTrouble = "We are having trouble verifying your account. Try again later."
)

// wayTexts is the Way of counts of messages.
const wayTexts = "texts"

// quota is one count of messages and its limit in a fixed window of time.
type quota struct {
	counter tries.Counter
	limit   int
	say     string
	budget  string // its name for operators; empty: it is one user's or number's
	sent    int    // as read
}

// quotas are all that a text to a number counts in.
func (e *Engine) quotas(user cloud.UserID, number, place string, proven bool, now time.Time) []quota {
	return e.telephony(e.textLimit, telephony{say: sayLimit, user: user, number: number, place: place, proven: proven}, now)
}

// unproven makes counts of one user, number or address those of what is asked for
// without a proven first factor, with limits of their own: whoever knows no more
// than a name, from however many places, uses nothing up for who has proven to be
// the user.
func unproven(of []quota) {
	for i := range of {
		of[i].counter.Place += " ?"
	}
}

// telephony is a text or a call that is to be counted.
type telephony struct {
	kind   string // "" or "call"
	say    string
	user   cloud.UserID
	number string
	place  string
	proven bool
}

// telephony are all that it counts in.
func (e *Engine) telephony(t Texts, m telephony, now time.Time) []quota {
	mark := map[string]string{"call": "c"}[m.kind]
	hour, day := mark+"h"+strconv.FormatInt(now.Unix()/3600, 10), mark+"d"+strconv.FormatInt(now.Unix()/86400, 10)
	to := "#" + hex.EncodeToString(e.sentMAC("texts", dialled(m.number), nil)[:16])
	count := func(user, window string) tries.Counter {
		return tries.Counter{User: user, Way: wayTexts, Place: window}
	}
	name := func(what string) string { return strings.TrimSpace(m.kind + " " + what) }
	all := []quota{
		{counter: count(string(m.user), hour), limit: max(1, t.TenantHour/userShare), say: m.say},
		{counter: count(string(m.user), day), limit: max(1, t.TenantDay/userShare), say: m.say},
		{counter: count(to, hour), limit: t.NumberHour, say: sayTrouble},
		{counter: count(to, day), limit: t.NumberDay, say: sayTrouble},
		{counter: count("", hour), limit: t.TenantHour, say: m.say, budget: name("all in an hour")},
		{counter: count("", day), limit: t.TenantDay, say: m.say, budget: name("all in a day")},
	}
	if limit, prefix, limited := t.country(m.number); limited {
		all = append(all, quota{counter: count("="+prefix, day), limit: limit, say: sayTrouble, budget: name(prefix + " in a day")})
	}
	if !m.proven {
		all = append(all, quota{counter: count(string(m.user), hour+" "+m.place), limit: t.Unproven, say: sayTrouble})
		unproven(all[:4])
	}
	return all
}

// Limits of mails: they cost nothing, but fill somebody's mailbox.
const (
	mailsTenantHour, mailsTenantDay   = 20_000, 100_000
	mailsAddressHour, mailsAddressDay = 20, 50
	mailsUserHour, mailsUserDay       = 20, 50
)

// sayMails is said where too many mails were sent.
const sayMails = "You have reached the limit on codes by email. Try again later."

// mailbox is whose mailbox an address is, as far as that can be told: what stands
// behind a + is most often a label of the same one.
func mailbox(address string) string {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if name, _, labelled := strings.Cut(local, "+"); labelled && name != "" {
		local = name
	}
	return local + "@" + domain
}

// mailQuotas are all that a mail to an address counts in.
func (e *Engine) mailQuotas(user cloud.UserID, address, place string, proven bool, now time.Time) []quota {
	hour, day := "mh"+strconv.FormatInt(now.Unix()/3600, 10), "md"+strconv.FormatInt(now.Unix()/86400, 10)
	to := "#" + hex.EncodeToString(e.sentMAC("mails", mailbox(address), nil)[:16])
	var all []quota
	add := func(user, window string, limit int, budget string) {
		all = append(all, quota{counter: tries.Counter{User: user, Way: wayTexts, Place: window}, limit: limit, say: sayMails, budget: budget})
	}
	add(string(user), hour, mailsUserHour, "")
	add(string(user), day, mailsUserDay, "")
	add(to, hour, mailsAddressHour, "")
	add(to, day, mailsAddressDay, "")
	if !proven {
		unproven(all)
		add(string(user), hour+" "+place, e.textLimit.Unproven, "")
	}
	add("", hour, mailsTenantHour, "all mails in an hour")
	add("", day, mailsTenantDay, "all mails in a day")
	return all
}

// quotasFor are those of a challenge.
func (b *beginning) quotasFor(way cloud.Preference, to string) []quota {
	if way == cloud.EmailCode {
		return b.e.mailQuotas(b.user.ID, to, b.c.Place, b.c.Proven, b.now)
	}
	return b.e.quotas(b.user.ID, to, b.c.Place, b.c.Proven, b.now)
}

// mayText counts one more message, or says what the user is told instead.
func (e *Engine) mayText(tx Tx, all []quota, now time.Time) (say string, err error) {
	for i := range all {
		f, err := tx.Failures(all[i].counter)
		if err != nil {
			return "", err
		}
		if all[i].sent = f.Count; f.Count >= all[i].limit {
			if q := all[i]; q.budget != "" {
				e.log.Warn("budget of texts is met; none is sent until the next hour or day", "budget", q.budget, "limit", q.limit)
			}
			return all[i].say, nil
		}
	}
	for _, q := range all {
		if at := (q.limit*e.textLimit.Alarm + 99) / 100; q.budget != "" && q.limit > 0 && q.sent+1 == at {
			e.log.Warn("budget of texts is nearly met", "budget", q.budget, "limit", q.limit, "used", q.sent+1)
		}
		if err := tx.PutFailures(q.counter, tries.Failures{Count: q.sent + 1, Last: now}); err != nil {
			return "", err
		}
	}
	return "", nil
}
