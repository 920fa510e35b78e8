package engine

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
)

// Texts limit how many messages are sent, which is what fraud with numbers
// that earn by the message lives on. Codes of apps and tokens, and pushes, are
// exempt; a code that was sent can be answered whatever is reached meanwhile.
// One user gets at most a twentieth of what the whole engine sends.
type Texts struct {
	TenantHour, TenantDay int // 0: 1500, 5000
	NumberHour, NumberDay int // 0: 20, 30
	Unproven              int // an hour, for one user and calling station while no first factor is proven; 0: 5

	// Countries are texts in a day to numbers that begin so ("+44"); 0 closes a
	// country. The longest prefix counts. Others is the same for each country
	// that is not listed; nil: no limit of its own.
	Countries map[string]int
	Others    *int
}

// country is the limit of a number's country, if it has one, and what it is
// counted by.
func (t Texts) country(number string) (limit int, prefix string, limited bool) {
	code, rest, _ := strings.Cut(number, " ")
	for n := len(code) + min(len(rest), maxPrefix-min(maxPrefix, len(code))); n >= 2; n-- {
		prefix = (code + rest)[:n]
		if limit, limited = t.Countries[prefix]; limited {
			return limit, prefix, true
		}
	}
	if t.Others != nil {
		return *t.Others, code, true
	}
	return 0, "", false
}

// maxPrefix is the longest prefix of numbers that may have a limit, in bytes.
const maxPrefix = 8

// userShare is how many users it takes at least to use up what is sent.
const userShare = 20

func (t Texts) filled() Texts {
	for _, v := range []struct {
		n   *int
		def int
	}{{&t.TenantHour, 1500}, {&t.TenantDay, 5000}, {&t.NumberHour, 20}, {&t.NumberDay, 30}, {&t.Unproven, 5}} {
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
	counter Counter
	limit   int
	say     string
	budget  string // its name for operators; empty: it is one user's or number's
	sent    int    // as read
}

// quotas are all that a message to a number counts in.
func (e *Engine) quotas(user cloud.UserID, number, place string, proven bool, now time.Time) []quota {
	t := e.limits.Texts
	hour, day := "h"+strconv.FormatInt(now.Unix()/3600, 10), "d"+strconv.FormatInt(now.Unix()/86400, 10)
	to := "#" + hex.EncodeToString(e.sentMAC("texts", number, nil)[:16])
	count := func(user, window string) Counter { return Counter{User: user, Way: wayTexts, Place: window} }
	all := []quota{
		{counter: count(string(user), hour), limit: max(1, t.TenantHour/userShare), say: sayLimit},
		{counter: count(string(user), day), limit: max(1, t.TenantDay/userShare), say: sayLimit},
		{counter: count(to, hour), limit: t.NumberHour, say: sayTrouble},
		{counter: count(to, day), limit: t.NumberDay, say: sayTrouble},
		{counter: count("", hour), limit: t.TenantHour, say: sayLimit, budget: "all in an hour"},
		{counter: count("", day), limit: t.TenantDay, say: sayLimit, budget: "all in a day"},
	}
	if limit, prefix, limited := t.country(number); limited {
		all = append(all, quota{counter: count("="+prefix, day), limit: limit, say: sayTrouble, budget: prefix + " in a day"})
	}
	if !proven {
		all = append(all, quota{counter: count(string(user), hour+" "+place), limit: t.Unproven, say: sayTrouble})
	}
	return all
}

// mayText counts one more message, or says what the user is told instead.
func (b *beginning) mayText() (say string, err error) {
	all := b.e.quotas(b.user.ID, b.user.Mobile, b.c.Place, b.c.Proven, b.now)
	for i := range all {
		f, err := b.tx.Failures(all[i].counter)
		if err != nil {
			return "", err
		}
		if all[i].sent = f.Count; f.Count >= all[i].limit {
			if q := all[i]; q.budget != "" {
				b.e.log.Warn("budget of texts is met; none is sent until the next hour or day", "budget", q.budget, "limit", q.limit)
			}
			return all[i].say, nil
		}
	}
	for _, q := range all {
		if err := b.tx.PutFailures(q.counter, Failures{Count: q.sent + 1, Last: b.now}); err != nil {
			return "", err
		}
	}
	return "", nil
}
