package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// errCrash is thrown where a process is to end at once.
var errCrash = errors.New("crash")

// fuse counts steps and crashes at one of them; 0 never does.
type fuse struct{ at, steps int }

func (f *fuse) step() {
	if f.steps++; f.steps == f.at {
		panic(errCrash)
	}
}

// fakePlan is a plan in memory.
type fakePlan struct {
	decisions []migrate.Decision
	unsealed  bool
	instance  string
	accepted  []migrate.Acceptance
	waves     []migrate.Chosen
	preflight []cloud.Check
}

func (p *fakePlan) Header() migrate.Header {
	return migrate.Header{PlanID: "p", Target: migrate.Target{Given: "fake:", Instance: p.instance, Product: "fake"}, Accepted: p.accepted, Waves: p.waves, Preflight: p.preflight}
}

func (p *fakePlan) Summary() migrate.Summary {
	s := migrate.NewSummary()
	for _, d := range p.decisions {
		s.Users[d.Action]++
		if d.Wave != "" {
			if s.Waves[d.Wave] == nil {
				wave := migrate.NewSummary()
				s.Waves[d.Wave] = &wave
			}
			s.Waves[d.Wave].Users[d.Action]++
		}
		for _, c := range d.Changes {
			s.Changes[c.Op]++
			if d.Wave != "" {
				s.Waves[d.Wave].Changes[c.Op]++
			}
		}
	}
	return s
}

func (p *fakePlan) Digest() string { return "d" }
func (p *fakePlan) Sealed() bool   { return !p.unsealed }

func (p *fakePlan) Users(ctx context.Context, _ migrate.View) iter.Seq2[migrate.Decision, error] {
	return func(yield func(migrate.Decision, error) bool) {
		for _, d := range p.decisions {
			if err := ctx.Err(); err != nil {
				yield(migrate.Decision{}, err)
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (p *fakePlan) Problems(context.Context) iter.Seq2[migrate.Finding, error] {
	return func(func(migrate.Finding, error) bool) {}
}

// fakeJournal keeps what was durable in memory; a crash does not lose it.
type fakeJournal struct {
	runs    int
	entries map[int]migrate.JournalEntry
	fuse    *fuse
}

func newJournal() *fakeJournal {
	return &fakeJournal{entries: map[int]migrate.JournalEntry{}, fuse: &fuse{}}
}

func (j *fakeJournal) Begin(context.Context, migrate.Phase) (int, error) {
	j.runs++
	return j.runs, nil
}

func (j *fakeJournal) Entries(_ context.Context, first, last int) ([]migrate.JournalEntry, error) {
	var found []migrate.JournalEntry
	for _, o := range slices.Sorted(maps.Keys(j.entries)) {
		if o >= first && o <= last {
			found = append(found, j.entries[o])
		}
	}
	return found, nil
}

func (j *fakeJournal) Intend(_ context.Context, run int, entries []migrate.JournalEntry) error {
	j.fuse.step()
	for _, given := range entries {
		e := j.entries[given.Ordinal]
		e.Ordinal, e.IntentRun, e.Results = given.Ordinal, run, slices.Clone(given.Results)
		j.entries[e.Ordinal] = e
	}
	j.fuse.step()
	return nil
}

func (j *fakeJournal) Undone(ctx context.Context, run int, entries []migrate.UndoneEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.fuse.step()
	for _, e := range entries {
		delete(j.entries, e.Ordinal)
		if len(e.Stands) > 0 {
			j.entries[e.Ordinal] = migrate.JournalEntry{Ordinal: e.Ordinal, IntentRun: run, ResultRun: run, Results: slices.Clone(e.Stands)}
		}
	}
	j.fuse.step()
	return nil
}

func (j *fakeJournal) Record(ctx context.Context, run int, entries []migrate.JournalEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.fuse.step()
	for _, e := range entries {
		old, ok := j.entries[e.Ordinal]
		if e.IntentRun = old.IntentRun; !ok {
			e.IntentRun = run
		}
		e.ResultRun, e.Results = run, slices.Clone(e.Results)
		j.entries[e.Ordinal] = e
	}
	j.fuse.step()
	return nil
}

// fakeDirectory is a target in memory that keeps the promises of
// [cloud.Directory], and breaks down where it is told to.
type fakeDirectory struct {
	batch   int
	users   map[cloud.UserID]*cloud.User
	fuse    *fuse
	fail    func(cloud.Change) error // for one change
	down    func() error             // for a whole Write
	readErr func(cloud.UserID) error
	keeps   func(*cloud.User, cloud.Change) error // rules between the methods of a user
	prefers []cloud.Preference                    // values that the default method takes
	delayed bool
	locked  bool
	written []cloud.Change // what was really written, in order
	largest int            // most changes in one Write
	calls   int            // of Write
}

func newDirectory() *fakeDirectory {
	return &fakeDirectory{batch: 6, users: map[cloud.UserID]*cloud.User{}, fuse: &fuse{}}
}

func (d *fakeDirectory) Capabilities(context.Context) (cloud.Capabilities, error) {
	return cloud.Capabilities{Instance: "i-1", Product: "fake", Batch: d.batch, Delayed: d.delayed, Preferences: d.prefers}, nil
}

func (d *fakeDirectory) Lock(_ context.Context, holder string) (func() error, error) {
	if d.locked {
		return nil, &cloud.Error{Kind: cloud.Locked, Message: "held by somebody"}
	}
	d.locked = true
	return func() error { d.locked = false; return nil }, nil
}

func (d *fakeDirectory) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	hits := make([][]cloud.UserID, len(keys))
	for i, k := range keys {
		for id, u := range d.users {
			if strings.EqualFold(u.UPN, k.Value) {
				hits[i] = append(hits[i], id)
			}
		}
	}
	return hits, nil
}

func (d *fakeDirectory) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		if d.readErr != nil {
			if err := d.readErr(id); err != nil {
				return nil, err
			}
		}
		if u := d.users[id]; u != nil {
			users[i] = *u
		}
	}
	return users, nil
}

func (d *fakeDirectory) Write(_ context.Context, changes []cloud.Change) []cloud.Result {
	d.calls++
	d.largest = max(d.largest, len(changes))
	results := make([]cloud.Result, len(changes))
	if d.down != nil {
		if err := d.down(); err != nil {
			for i := range results {
				results[i] = cloud.Result{Outcome: cloud.Failed, Err: err}
			}
			return results
		}
	}
	lost := map[string]bool{} // users of whom the account failed
	for i, c := range changes {
		d.fuse.step()
		if lost[c.UPN] {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: cloud.Conflict, Message: "the user failed"}}
			continue
		}
		results[i] = d.one(c)
		if o := results[i].Outcome; c.Method == cloud.Account && (o == cloud.Failed || o == cloud.Outdated) {
			lost[c.UPN] = true
		}
	}
	d.fuse.step()
	return results
}

// one makes one change, if the target holds its Before.
func (d *fakeDirectory) one(c cloud.Change) cloud.Result {
	if d.fail != nil {
		if err := d.fail(c); err != nil {
			return cloud.Result{Outcome: cloud.Failed, Err: err}
		}
	}
	u := d.user(c)
	want := c.After
	if want.IsZero() {
		want = c.Before
	}
	switch now := u.Value(c.Method, c.ID, want); {
	case now.Equal(c.After):
		return cloud.Result{Outcome: cloud.Already, ID: d.idOf(u, c)}
	case !now.Equal(c.Before):
		return cloud.Result{Outcome: cloud.Outdated, Err: &cloud.Error{Kind: cloud.Stale, Message: "holds another value"}}
	case u.ID == "" && c.Method != cloud.Account:
		return cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: cloud.NotFound, Message: "no such user"}}
	}
	if d.keeps != nil {
		if err := d.keeps(u, c); err != nil {
			return cloud.Result{Outcome: cloud.Failed, Err: err}
		}
	}
	d.store(u, c)
	d.written = append(d.written, c)
	return cloud.Result{Outcome: cloud.Done, ID: d.idOf(u, c)}
}

func (d *fakeDirectory) idOf(u *cloud.User, c cloud.Change) string {
	switch {
	case c.Method.IsOATH() && c.After.OATH != nil:
		return "o-" + c.After.OATH.Serial
	case c.Method == cloud.Authenticator:
		return "a-" + u.UPN
	}
	return string(u.ID)
}

func (d *fakeDirectory) user(c cloud.Change) *cloud.User {
	for id, u := range d.users {
		if id == c.User || c.User == "" && strings.EqualFold(u.UPN, c.UPN) {
			return u
		}
	}
	return &cloud.User{}
}

func (d *fakeDirectory) store(u *cloud.User, c cloud.Change) {
	switch v := c.After; c.Method {
	case cloud.Account:
		if v.Profile == nil {
			delete(d.users, u.ID)
			return
		}
		if u.ID == "" {
			u.ID = cloud.UserID("new-" + v.Profile.UPN)
			d.users[u.ID] = u
		}
		u.Profile = *v.Profile
	case cloud.Mobile:
		u.Mobile = v.Text
	case cloud.AlternateMobile:
		u.Alternate = v.Text
	case cloud.Office:
		u.Office = v.Text
	case cloud.Email:
		u.Email = v.Text
	case cloud.DefaultMethod:
		u.Default = cloud.Preference(v.Text)
	case cloud.Blocked:
		u.BlockedUntil = v.Until
	case cloud.Authenticator:
		u.Authenticators = slices.DeleteFunc(u.Authenticators, func(e cloud.AuthenticatorEntry) bool { return e.ID == c.ID })
		if v.State != "" {
			u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: "a-" + u.UPN, State: v.State})
		}
	case cloud.SoftwareOATH, cloud.HardwareOATH:
		u.OATH = slices.DeleteFunc(slices.Clone(u.OATH), func(e cloud.OATHEntry) bool {
			return e.ID == c.ID || c.ID == "" && c.Before.OATH != nil && e.Same(*c.Before.OATH)
		})
		if v.OATH != nil {
			u.OATH = append(u.OATH, cloud.OATHEntry{ID: "o-" + v.OATH.Serial, Method: c.Method, OATH: *v.OATH})
		}
	default:
		panic("the fake has no " + c.Method)
	}
}

// state is the whole target as text, to be compared.
func (d *fakeDirectory) state() []string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(d.users)) {
		u := d.users[id]
		line := fmt.Sprintf("%s %+v %s %s %s %s %s %v %v", id, u.Profile, u.Mobile, u.Alternate, u.Default, u.Office, u.Email, u.BlockedUntil, u.Authenticators)
		for _, o := range u.OATH {
			line += " " + o.Serial
		}
		lines = append(lines, line)
	}
	return lines
}

// sleeper remembers how long it was asked to sleep, and does not.
type sleeper struct {
	slept []time.Duration
	stop  func() // called instead of sleeping, may be nil
}

func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	s.slept = append(s.slept, d)
	if s.stop != nil {
		s.stop()
	}
	return ctx.Err()
}

// sampleUsers are n users of whom every third is to be created, with two to
// four changes each; one is skipped and one has nothing to do.
func sampleUsers(d *fakeDirectory, n int) *fakePlan {
	p := &fakePlan{instance: "i-1"}
	for i := range n {
		name := fmt.Sprintf("user%02d", i)
		upn := name + "@contoso.example"
		dec := migrate.Decision{Ordinal: 2 * i, Username: name, UPN: upn, Action: migrate.Modify, Outlook: migrate.Works}
		if i%3 == 0 {
			dec.Action, dec.MatchedBy = migrate.Create, migrate.MatchedCreated
			dec.Changes = append(dec.Changes, planned(&dec, cloud.Add, cloud.Account, cloud.Value{}, cloud.Value{Profile: &cloud.Profile{UPN: upn, Enabled: true}}))
		} else {
			dec.Target, dec.MatchedBy = cloud.UserID("id-"+name), "upn"
			u := &cloud.User{ID: dec.Target, Profile: cloud.Profile{UPN: upn, Enabled: true}}
			d.users[u.ID] = u
			dec.Facts = migrate.FactsOf(u)
		}
		dec.Changes = append(dec.Changes,
			planned(&dec, cloud.Add, cloud.Mobile, cloud.Value{}, cloud.TextValue(fmt.Sprintf("+1 42555501%02d", i))),
			planned(&dec, cloud.Set, cloud.DefaultMethod, cloud.Value{}, cloud.TextValue("oath")))
		if i%2 == 0 {
			dec.Changes = append(dec.Changes, planned(&dec, cloud.Add, cloud.SoftwareOATH, cloud.Value{},
				cloud.Value{OATH: &cloud.OATH{Serial: "MFB-" + name, Algorithm: cloud.SHA1, Digits: 6, Period: 30}}))
		}
		p.decisions = append(p.decisions, dec)
	}
	return p
}

func planned(d *migrate.Decision, op cloud.Op, m cloud.Method, before, after cloud.Value) migrate.PlannedChange {
	return migrate.PlannedChange{Change: cloud.Change{User: d.Target, UPN: d.UPN, Op: op, Method: m, Before: before, After: after}, Reason: "sample"}
}
