package migrate

import (
	"cmp"
	"context"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// finder looks the users of an export up in a target, in batches that the
// target takes.
type finder struct {
	reader
	caps cloud.Capabilities
	opt  Options

	// nobody is asked, and everybody can be created, even under a name that is
	// no user principal name: the target of an inspection.
	imaginary bool

	scope *scope // nil: everybody
}

func (f *finder) batch() int { return max(f.caps.Batch, 1) }

// matches finds the target's user of each row.
func (f *finder) matches(ctx context.Context, users []legacy.User) ([]Match, error) {
	matches := make([]Match, len(users))
	if f.imaginary {
		for i := range users {
			matches[i] = Match{Create: true, UPN: cmp.Or(users[i].UPN, users[i].Username)}
		}
		return matches, nil
	}
	ids, err := f.byRowKeys(ctx, users, matches)
	if err != nil {
		return nil, err
	}
	if err := f.read(ctx, users, ids, matches); err != nil {
		return nil, err
	}
	return matches, f.names(ctx, users, matches)
}

// byRowKeys returns the ids that the rows' keys lead to, and puts into matches
// how, or why not.
func (f *finder) byRowKeys(ctx context.Context, users []legacy.User, matches []Match) ([]cloud.UserID, error) {
	perUser, own := f.ownKeys(users, matches)
	people, err := f.people(ctx, users, own)
	if err != nil {
		return nil, err
	}
	var keys []cloud.Key
	for i := range perUser {
		if people != nil {
			perUser[i] = append(perUser[i], people[i].rowKeys()...)
		}
		for _, k := range perUser[i] {
			keys = append(keys, k.key)
		}
	}
	hits, err := f.find(ctx, keys)
	if err != nil {
		return nil, err
	}
	ids := make([]cloud.UserID, len(users))
	for i := range users {
		n := len(perUser[i])
		if f.scope != nil && (matches[i].Outside || !f.scope.byHits(hits[:n])) {
			matches[i], hits = Match{Outside: true}, hits[n:]
			continue
		}
		var k evidence
		if people != nil {
			k = people[i]
		}
		ids[i], matches[i] = f.decide(&users[i], perUser[i], hits[:n], k)
		hits = hits[n:]
	}
	return ids, nil
}

// ownKeys returns the keys that rows have by themselves or by the match file,
// and which rows count by their own. Rows outside the scope have none.
func (f *finder) ownKeys(users []legacy.User, matches []Match) (perUser [][]rowKey, own []bool) {
	perUser, own = make([][]rowKey, len(users)), make([]bool, len(users))
	for i := range users {
		u := &users[i]
		given, ok := f.opt.MatchFile.of(u.Username)
		switch {
		case f.scope != nil && !f.scope.byName(u):
			matches[i].Outside = true
		case !u.Enabled && !f.opt.IncludeDisabled: // skipped, whoever it is
		case ok:
			perUser[i] = []rowKey{given}
		default:
			perUser[i], own[i] = rowKeys(u), true
		}
	}
	return perUser, own
}

// decide says which user a row's keys mean, or what else becomes of the row.
func (f *finder) decide(u *legacy.User, keys []rowKey, hits [][]cloud.UserID, k evidence) (id cloud.UserID, m Match) {
	if k.problem != "" {
		return "", Match{Problem: k.problem, Detail: k.detail}
	}
	id, m = resolve(keys, hits)
	switch byFile := len(keys) > 0 && keys[0].by == MatchedByFile; {
	case m.Problem != "":
		return "", m
	case m.Weak && !f.opt.AllowWeakMatch:
		return "", weakly(m.By)
	case id == "" && byFile:
		m = f.createAs(keys[0])
	case id == "":
		m = create(u, k, &f.opt, &f.caps)
	}
	if m.Problem == "" {
		m.add(u, keys, k, &f.caps)
	}
	return id, m
}

// createAs decides whether a user is created whom the match file names.
func (f *finder) createAs(k rowKey) Match {
	switch {
	case k.key.Kind != cloud.ByUPN || !f.opt.CreateUsers || !f.caps.CreateUsers:
	case !form.IsName(k.key.Value):
		return Match{Detail: "no user of the target matches, and the name in the match file is none that one could be created with"}
	default:
		return Match{Create: true, UPN: k.key.Value}
	}
	return Match{Detail: "the match file names a user whom the target does not have"}
}

// add notes what the directory says, and claims what the row's own columns do
// not show.
func (m *Match) add(u *legacy.User, keys []rowKey, k evidence, caps *cloud.Capabilities) {
	byFile := len(keys) > 0 && keys[0].by == MatchedByFile
	if !byFile && k.person == nil {
		return
	}
	for _, key := range keys {
		m.Claims = append(m.Claims, key.claim())
	}
	if sid := sidOf(u); byFile && sid != "" {
		m.Claims = append(m.Claims, rowKey{key: cloud.Key{Kind: cloud.BySID, Value: sid}}.claim())
	}
	if k.person == nil {
		return
	}
	m.Claims = append(m.Claims, "person:"+k.person.ID)
	m.Known, m.SID = k.person.Name, k.person.SID
	if p := k.person; caps.Aliases && !k.weak && p.Domain != "" && p.Account != "" {
		m.Logins = []string{p.Domain + `\` + p.Account, p.Account}
	}
	if u.KeepPhoneSynchronized {
		m.Phones, m.Changed = k.person.Phones, k.person.Changed
	}
}

// find is the target's Find for any number of keys.
func (f *finder) find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	hits := make([][]cloud.UserID, 0, len(keys))
	for len(keys) > 0 {
		part := keys[:min(len(keys), f.batch())]
		var found [][]cloud.UserID
		err := f.reader.retry.do(ctx, func() (err error) {
			found, err = f.reader.dir.Find(ctx, part)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("users cannot be looked up in the target: %w", err)
		}
		if len(found) != len(part) {
			return nil, fmt.Errorf("the target answered %d of %d questions for users", len(found), len(part))
		}
		hits = append(hits, found...)
		keys = keys[len(part):]
	}
	return hits, nil
}

// read fills in the users that were found. Of one who cannot be read nothing is
// planned; the others are.
func (f *finder) read(ctx context.Context, users []legacy.User, ids []cloud.UserID, matches []Match) error {
	var wanted []cloud.UserID
	var rows []int
	for i, id := range ids {
		if id != "" {
			wanted, rows = append(wanted, id), append(rows, i)
		}
	}
	for len(wanted) > 0 {
		part := wanted[:min(len(wanted), f.batch())]
		refused := make([]error, len(part))
		found, err := f.reader.some(ctx, part, refused) // what is about all of them ends the plan
		if err != nil {
			return fmt.Errorf("users cannot be read from the target: %w", err)
		}
		for j, user := range found {
			i := rows[j]
			switch {
			case refused[j] != nil:
				_, why := describe(refused[j])
				matches[i].Problem, matches[i].Detail = UserUnreadable, "the target does not tell what the user has: "+why
				continue
			case user.ID != "" && user.ID != part[j]:
				return fmt.Errorf("the target returned another user than was asked for")
			}
			matches[i] = matches[i].settle(&users[i], user)
		}
		wanted, rows = wanted[len(part):], rows[len(part):]
	}
	return nil
}

// names asks who has the login names that the plan is to give to a user.
func (f *finder) names(ctx context.Context, users []legacy.User, matches []Match) error {
	if !f.caps.Aliases {
		return nil
	}
	type question struct {
		row  int
		name string
	}
	var asked []question
	var keys []cloud.Key
	for i := range matches {
		m := &matches[i]
		names := m.newNames(&users[i])
		if m.Create {
			names = append(names, m.UPN)
		}
		for _, name := range names {
			asked = append(asked, question{i, name})
			keys = append(keys, cloud.Key{Kind: cloud.ByName, Value: name})
		}
	}
	hits, err := f.find(ctx, keys)
	if err != nil {
		return err
	}
	for j, q := range asked {
		m := &matches[q.row]
		switch {
		case len(hits[j]) == 0, m.User != nil && len(hits[j]) == 1 && hits[j][0] == m.User.ID:
		case m.Create && alike(q.name, m.UPN):
			*m = Match{Problem: UserMatchConflict, Detail: "the name that the user would be created with is a login name of another user of the target"}
		default:
			m.Taken = append(m.Taken, fold(q.name))
		}
	}
	return nil
}
