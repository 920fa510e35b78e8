package graph

import (
	"context"
	"slices"
	"sync"
	"time"
)

// keeps is how long what is asked of the tenant as a whole is taken for true: a
// run may take hours, and an administrator may change it meanwhile.
const keeps = 10 * time.Minute

// kept is something of the tenant that is read now and then.
type kept[T any] struct {
	mu    sync.Mutex
	value T
	until time.Time // zero: not read yet
}

// get returns what is kept, and reads it where that is too old. Others wait
// meanwhile. A clock that was put back has it read again.
func (k *kept[T]) get(now func() time.Time, read func() (T, error)) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at := now(); !k.until.IsZero() && at.Before(k.until) && at.After(k.until.Add(-2*keeps)) {
		return k.value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	k.value, k.until = value, now().Add(keeps)
	return value, nil
}

// ground is what of the tenant counts for all users.
type ground struct {
	policy   *policy
	eligible *eligibility
	groups   []string // whose members have to be known
}

func (d *Directory) ground(ctx context.Context) (*ground, error) {
	p, err := d.methodsPolicy(ctx)
	if err != nil {
		return nil, err
	}
	e, err := d.mayTakeRoles(ctx)
	if err != nil {
		return nil, err
	}
	g := &ground{policy: p, eligible: e, groups: p.groups()}
	for _, id := range e.groups {
		if !slices.Contains(g.groups, id) {
			g.groups = append(g.groups, id)
		}
	}
	return g, nil
}
