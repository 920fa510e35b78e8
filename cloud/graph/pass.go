package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Bounds of a pass, whatever the policy says
// (api/authentication-post-temporaryaccesspassmethods).
const (
	MinPassLife = 10 * time.Minute
	MaxPassLife = 30 * 24 * time.Hour
)

// PassPolicy is what the tenant's policy says of temporary access passes.
type PassPolicy struct {
	Enabled          bool
	Least, Most      time.Duration // lifetimes that it allows
	Default          time.Duration
	include, exclude []target
}

// Pass is a temporary access pass that was just made. Word is shown this once
// and by nobody again.
type Pass struct {
	ID          string
	Word        secret.Bytes
	From, Until time.Time
}

// passMethod is a temporary access pass (v1.0).
type passMethod struct {
	ID     string    `json:"id"`
	Word   string    `json:"temporaryAccessPass"`
	Start  time.Time `json:"startDateTime"`
	Life   int       `json:"lifetimeInMinutes"`
	Once   bool      `json:"isUsableOnce"`
	Usable *bool     `json:"isUsable"`
	Why    string    `json:"methodUsabilityReason"`
}

// Passes reads what the policy says of passes.
func (d *Directory) Passes(ctx context.Context) (PassPolicy, error) {
	p, err := d.methodsPolicy(ctx)
	if err != nil {
		return PassPolicy{}, err
	}
	return p.passes(), nil
}

func (p *policy) passes() PassPolicy {
	c := p.find(passPolicy)
	if c == nil {
		return PassPolicy{}
	}
	minutes := func(n int, otherwise time.Duration) time.Duration {
		if n <= 0 {
			return otherwise
		}
		return min(time.Duration(n)*time.Minute, MaxPassLife)
	}
	somebody, _ := (&configuration{State: c.State, Include: c.Include}).allows(targetIDs(c.Include))
	return PassPolicy{Enabled: somebody, Least: minutes(c.LeastLife, time.Hour), Most: minutes(c.MostLife, 8*time.Hour), Default: minutes(c.DefaultLife, time.Hour),
		include: c.Include, exclude: c.Exclude}
}

func targetIDs(all []target) []string {
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	return ids
}

// NobodyError says that no user would get a pass: what stands in the way is not
// the one who was to.
type NobodyError struct{ Err error }

func (e *NobodyError) Error() string { return e.Err.Error() }

// Unwrap returns what stands in the way.
func (e *NobodyError) Unwrap() error { return e.Err }

// IssuePass makes a pass for one use, which begins now and takes the place of
// one that the user has. Denied: the policy does not allow the user one, or it
// is a guest, a disabled user or an administrator, whom nobody should let in
// this way unseen. Invalid: a lifetime that the policy does not allow. What would
// meet everybody is a [NobodyError].
func (d *Directory) IssuePass(ctx context.Context, id cloud.UserID, life time.Duration) (Pass, error) {
	p, err := d.Passes(ctx)
	switch {
	case err != nil:
		return Pass{}, &NobodyError{err}
	case !p.Enabled:
		return Pass{}, &NobodyError{&cloud.Error{Kind: cloud.Denied, Message: "the methods policy allows temporary access passes to nobody"}}
	case life < max(p.Least, MinPassLife) || life > p.Most:
		return Pass{}, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("the policy allows passes that live %v to %v", p.Least, p.Most)}
	}
	if err := d.mayHavePass(ctx, id, &p); err != nil {
		return Pass{}, err
	}
	made, err := d.makePass(ctx, id, life)
	if err != nil {
		return Pass{}, err
	}
	pass := Pass{ID: made.ID, Word: secret.FromString(made.Word), From: made.Start, Until: made.Start.Add(time.Duration(made.Life) * time.Minute)}
	if made.Once && made.Word != "" && made.ID != "" {
		return pass, nil
	}
	pass.Word.Wipe()
	err = &cloud.Error{Kind: cloud.Internal, Message: "Graph made another pass than was asked for; it is taken back"}
	if made.ID != "" {
		if left := d.RevokePass(context.WithoutCancel(ctx), id, made.ID); left != nil {
			err = fmt.Errorf("%w, which failed: %w", err, left)
		}
	}
	return Pass{}, err
}

// mayHavePass looks at the user and at the groups that the policy names.
func (d *Directory) mayHavePass(ctx context.Context, id cloud.UserID, p *PassPolicy) error {
	users, err := d.Read(ctx, []cloud.UserID{id})
	if _, everybodys := cloud.Unread(err); everybodys != nil {
		return &NobodyError{everybodys}
	} else if err != nil {
		return err
	}
	u := users[0]
	switch {
	case u.ID == "":
		return &cloud.Error{Kind: cloud.NotFound, Message: "there is no such user"}
	case u.Privileged:
		return &cloud.Error{Kind: cloud.Denied, Message: "an administrator gets no pass from here"}
	case u.Guest || u.External:
		return &cloud.Error{Kind: cloud.Denied, Message: "a guest cannot have a pass"}
	case !u.Enabled:
		return &cloud.Error{Kind: cloud.Denied, Message: "the user is disabled"}
	}
	var groups []string
	member := []string{string(u.ID)}
	for _, t := range slices.Concat(p.include, p.exclude) {
		if t.isGroup() && !slices.Contains(groups, t.ID) {
			groups = append(groups, t.ID)
		}
	}
	for part := range slices.Chunk(groups, maxPolicyGroups) {
		i := memberItem(id, part)
		if err := d.client.reads(ctx, v1, []*item{i}); err != nil {
			return err
		}
		in, err := whole[string](ctx, d.client, i)
		if err != nil {
			return err
		}
		member = append(member, in...)
	}
	c := configuration{State: "enabled", Include: p.include, Exclude: p.exclude}
	if allowed, _ := c.allows(member); !allowed {
		return &cloud.Error{Kind: cloud.Denied, Message: "the methods policy does not allow the user a temporary access pass"}
	}
	return nil
}

// makePass asks again where Graph failed or its answer was lost: the next pass
// takes the place of one that nobody has seen.
func (d *Directory) makePass(ctx context.Context, id cloud.UserID, life time.Duration) (made passMethod, err error) {
	for try := 0; ; try++ {
		i := &item{method: http.MethodPost, path: userPath(id) + "/authentication/temporaryAccessPassMethods",
			body: map[string]any{"lifetimeInMinutes": int(life / time.Minute), "isUsableOnce": true}}
		if err := d.client.changesWithin(ctx, v1, []*item{i}, maxTries*longest); err != nil {
			return made, err
		}
		if i.ok() {
			err = json.Unmarshal(i.answer.body, &made)
			clear(i.answer.body)
			if err != nil {
				err = &cloud.Error{Kind: cloud.Internal, Message: "an answer of Graph cannot be read"}
			}
			return made, err
		}
		if err = i.failed(); i.answered && i.answer.status == http.StatusUnauthorized || unasked(i.err) != nil {
			err = &NobodyError{err}
		}
		if !i.repeatable() || try == len(visible)-1 {
			return made, err
		}
		if err := d.o.Sleep(ctx, max(visible[try], retryAfter(i.answer.header, d.client.serverTime()))); err != nil {
			return made, err
		}
	}
}

// RevokePass takes a pass away. One that is not there is no error.
func (d *Directory) RevokePass(ctx context.Context, id cloud.UserID, pass string) error {
	i := &item{method: http.MethodDelete, path: userPath(id) + "/authentication/temporaryAccessPassMethods/" + url.PathEscape(pass)}
	for try := range visible {
		if err := d.client.changesWithin(ctx, v1, []*item{i}, maxTries*longest); err != nil {
			return err
		}
		if i.missing() {
			return nil
		}
		if !i.repeatable() || d.o.Sleep(ctx, visible[try]) != nil {
			break
		}
	}
	return i.failed()
}
