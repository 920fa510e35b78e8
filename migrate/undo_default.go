package migrate

import (
	"cmp"
	"slices"

	"mfabridge/cloud"
)

// isNamed tells whether a preference is a way to use a method.
func isNamed(m cloud.Method, p cloud.Preference) bool {
	switch p {
	case cloud.SMS, cloud.VoiceMobile:
		return m == cloud.Mobile
	case cloud.VoiceAlternateMobile:
		return m == cloud.AlternateMobile
	case cloud.VoiceOffice:
		return m == cloud.Office
	case cloud.OATHCode:
		return m.IsOATH()
	case cloud.Push:
		return m == cloud.Authenticator
	}
	return false
}

// takes tells whether c takes away what a preference names: of generators the
// last one.
func (t *undoTask) takes(c *PlannedChange, u *cloud.User, p cloud.Preference) bool {
	if !c.After.IsZero() || !isNamed(c.Method, p) || p == cloud.Push {
		return false
	}
	return p != cloud.OATHCode || !slices.ContainsFunc(u.OATH, func(e cloud.OATHEntry) bool {
		return e.ID != c.ID && !t.goes(e.Method, e.ID)
	})
}

// remains tells whether a user has what a preference names, apart from what this
// run takes away, and whether the target lets the user verify in that way.
func (t *undoTask) remains(u *cloud.User, p cloud.Preference) (there, allowed bool) {
	note := func(m cloud.Method, has bool) {
		if has && isNamed(m, p) {
			there = true
			allowed = allowed || !slices.Contains(u.Forbidden, m) && !slices.Contains(u.ForbiddenWays, p)
		}
	}
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office} {
		note(m, !u.Value(m, "", cloud.Value{}).IsZero() && !t.goes(m, ""))
	}
	for _, e := range u.OATH {
		note(e.Method, !e.Inactive && !t.goes(e.Method, e.ID))
	}
	for _, e := range u.Authenticators {
		note(cloud.Authenticator, e.State == authenticatorActive && !t.goes(cloud.Authenticator, e.ID))
	}
	return there, allowed
}

// stepAside has a default that cannot be put back name what the user keeps, the
// most secure way of those that the target takes: a method that the default names
// does not go while there are others, and would stay for good.
func (t *undoTask) stepAside(u *cloud.User, takes []cloud.Preference) {
	at := slices.IndexFunc(t.d.Changes, func(c PlannedChange) bool { return c.Method == cloud.DefaultMethod && c.Irreversible })
	if at < 0 || u.Default == "" { // none stands in the way: apply may have ended before it wrote one
		return
	}
	c := &t.d.Changes[at]
	named := func(other PlannedChange) bool { return t.takes(&other, u, cloud.Preference(c.Before.Text)) }
	if !slices.ContainsFunc(t.d.Changes, named) {
		return
	}
	var best cloud.Preference
	for _, p := range securest {
		there, allowed := t.remains(u, p)
		if !there || !slices.Contains(takes, p) {
			continue
		}
		if allowed {
			best = p
			break
		}
		best = cmp.Or(best, p) // as little use as before, but it lets the others go
	}
	if best != "" {
		c.After, c.Irreversible = cloud.TextValue(string(best)), false
	}
}

// last puts what the default names behind the other methods if the default
// itself stays: targets refuse to lose it before them.
func (t *undoTask) last(u *cloud.User) {
	if t.goes(cloud.DefaultMethod, "") {
		return
	}
	rank := func(i int) int {
		switch m := t.d.Changes[i].Method; {
		case m == cloud.Account:
			return 2
		case isNamed(m, u.Default):
			return 1
		}
		return 0
	}
	order := make([]int, len(t.seqs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	old := *t
	d := *t.d
	d.Changes, t.d = nil, &d
	t.results, t.seqs, t.sure = nil, nil, nil
	for to, from := range order {
		r := old.results[from]
		r.Seq = to
		d.Changes = append(d.Changes, old.d.Changes[from])
		t.results, t.seqs, t.sure = append(t.results, r), append(t.seqs, old.seqs[from]), append(t.sure, old.sure[from])
	}
}
