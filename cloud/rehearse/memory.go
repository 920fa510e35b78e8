package rehearse

import (
	"context"
	"slices"
	"time"

	"mfabridge/cloud"
)

// memory is what users were before Writes that nobody may see yet.
type memory struct {
	users map[cloud.UserID]old
	queue []cloud.UserID // by the time at which they may be seen
}

type old struct {
	user  cloud.User // with an empty ID: it was not there
	until time.Time
}

// of returns the user as it was, while that is all that may be seen.
func (m *memory) of(now time.Time, id cloud.UserID) (cloud.User, bool) {
	o, ok := m.users[id]
	if !ok || !now.Before(o.until) {
		return cloud.User{}, false
	}
	return o.user, true
}

// without leaves out users that were not there.
func (m *memory) without(now time.Time, ids []cloud.UserID) []cloud.UserID {
	return slices.DeleteFunc(ids, func(id cloud.UserID) bool {
		u, hidden := m.of(now, id)
		return hidden && u.ID == ""
	})
}

// remembered reads the users that are about to be written to.
func (t *target) remembered(ctx context.Context, changes []cloud.Change) []cloud.User {
	var ids []cloud.UserID
	for _, c := range changes {
		if c.User != "" && !slices.Contains(ids[max(0, len(ids)-1):], c.User) {
			ids = append(ids, c.User)
		}
	}
	users, err := t.inner.Read(ctx, ids)
	if err != nil {
		return nil // then the Write is seen at once, which is allowed as well
	}
	return users
}

// hide keeps a Write from being seen for a while. A user that is hidden
// already stays what it was, until the first Write to it may be seen.
func (m *memory) hide(now time.Time, d time.Duration, before []cloud.User, changes []cloud.Change, results []cloud.Result, places []int) {
	for len(m.queue) > 0 && !now.Before(m.users[m.queue[0]].until) {
		delete(m.users, m.queue[0])
		m.queue = m.queue[1:]
	}
	if m.users == nil {
		m.users = map[cloud.UserID]old{}
	}
	keep := func(id cloud.UserID, u cloud.User) {
		if _, hidden := m.users[id]; !hidden && id != "" {
			m.users[id] = old{user: u, until: now.Add(d)}
			m.queue = append(m.queue, id)
		}
	}
	for _, u := range before {
		keep(u.ID, u)
	}
	for i, c := range changes {
		if r := results[places[i]]; c.Method == cloud.Account && c.Op == cloud.Add && r.Outcome == cloud.Done {
			keep(cloud.UserID(r.ID), cloud.User{})
		}
	}
}
