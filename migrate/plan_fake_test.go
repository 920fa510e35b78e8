package migrate_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// export is a Source in memory. later, if set, is what the second reading yields.
type export struct {
	users    []legacy.User
	later    []legacy.User
	problems []legacy.Problem
	readings int
}

func (e *export) Users(context.Context) iter.Seq2[legacy.User, error] {
	e.readings++
	users := e.users
	if e.readings > 1 && e.later != nil {
		users = e.later
	}
	return func(yield func(legacy.User, error) bool) {
		for i, u := range users {
			u.Ordinal = i * 2 // rows that were skipped count
			if !yield(u, nil) {
				return
			}
		}
	}
}

func (e *export) Problems() iter.Seq2[legacy.Problem, error] {
	return func(yield func(legacy.Problem, error) bool) {
		for _, p := range e.problems {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// directory is a DirectoryReader in memory. It refuses batches that are too
// long, and key kinds that the capabilities do not promise.
type directory struct {
	caps  cloud.Capabilities
	users []*cloud.User
	err   error

	unread map[cloud.UserID]*cloud.Error // who cannot be read by himself
	down   func() error                  // of a whole Read; may be nil
}

func (d *directory) Capabilities(context.Context) (cloud.Capabilities, error) { return d.caps, nil }

func (d *directory) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	if len(keys) > d.caps.Batch {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "too many keys"}
	}
	found := make([][]cloud.UserID, len(keys))
	for i, k := range keys {
		for _, u := range d.users {
			if d.leads(k, u) {
				found[i] = append(found[i], u.ID)
			}
		}
	}
	return found, d.err
}

func (d *directory) leads(k cloud.Key, u *cloud.User) bool {
	switch k.Kind {
	case cloud.ByID:
		return k.Value == string(u.ID)
	case cloud.ByUPN:
		return strings.EqualFold(k.Value, u.UPN)
	case cloud.BySID:
		return strings.EqualFold(k.Value, u.SID)
	case cloud.ByName:
		return strings.EqualFold(k.Value, u.UPN) || slices.ContainsFunc(u.Aliases, func(a string) bool { return strings.EqualFold(a, k.Value) })
	}
	panic("unexpected key kind " + k.Kind)
}

func (d *directory) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	if len(ids) > d.caps.Batch {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "too many users"}
	}
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		for _, u := range d.users {
			if u.ID == id && d.unread[id] == nil {
				users[i] = *u
			}
		}
	}
	if d.down != nil {
		if err := d.down(); err != nil {
			return nil, err
		}
	}
	return users, unreadOf(d.unread, ids)
}

// unreadOf is the error about those of some users who cannot be read.
func unreadOf(unread map[cloud.UserID]*cloud.Error, ids []cloud.UserID) error {
	here := map[cloud.UserID]*cloud.Error{}
	for _, id := range ids {
		if e := unread[id]; e != nil {
			here[id] = e
		}
	}
	if len(here) == 0 {
		return nil
	}
	return &cloud.UnreadError{Users: here}
}

// sheet is a Sink that keeps everything.
type sheet struct {
	decisions []migrate.Decision
	problems  []migrate.Finding
}

func (s *sheet) Add(d migrate.Decision) error {
	s.decisions = append(s.decisions, d)
	return nil
}

func (s *sheet) Problem(f migrate.Finding) error {
	s.problems = append(s.problems, f)
	return nil
}

func (s *sheet) codes(username string) []migrate.Code {
	codes := []migrate.Code{}
	for _, d := range s.decisions {
		if d.Username == username {
			for _, f := range d.Findings {
				codes = append(codes, f.Code)
			}
		}
	}
	return codes
}

func (s *sheet) of(username string) migrate.Decision {
	for _, d := range s.decisions {
		if d.Username == username {
			return d
		}
	}
	return migrate.Decision{}
}

func plan(t *testing.T, users []legacy.User, inCloud ...*cloud.User) (*sheet, migrate.Summary) {
	t.Helper()
	var out sheet
	opt := migrate.Options{CreateUsers: true, Now: now, ExportTime: exported, TempDir: t.TempDir()}
	sum, err := migrate.Plan(t.Context(), &export{users: users}, &directory{caps: engine(), users: inCloud}, opt, &out)
	if err != nil {
		t.Fatal(err)
	}
	return &out, sum
}

func row(username string, n int) legacy.User {
	return legacy.User{Username: username, UPN: username, Enabled: true, Mode: legacy.ModeSMSText, Phone: phone(fmt.Sprintf("20794600%02d", n))}
}

func person(id, upn, sid string, aliases ...string) *cloud.User {
	return &cloud.User{ID: cloud.UserID(id), Profile: cloud.Profile{UPN: upn, SID: sid, Aliases: aliases, Enabled: true}}
}
