package graph

import (
	"context"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// state is what can be seen of one user's methods.
type state struct {
	engine.Person
	hardware []engine.Hardware
}

// earlier is how a user was before something was written.
type earlier struct {
	at time.Time
	state
}

// maxLate bounds the states that are kept of one user.
const maxLate = 200

// keyOf is how a segment names a user: by id or by user principal name.
func keyOf(segment string) cloud.Key {
	if strings.Contains(segment, "@") {
		return cloud.Key{Kind: cloud.ByUPN, Value: segment}
	}
	return cloud.Key{Kind: cloud.ByID, Value: segment}
}

// person is the user that a segment names, as they are.
func (f *Face) person(ctx context.Context, segment string) (engine.Person, error) {
	p, err := f.core.PersonBy(ctx, keyOf(segment))
	if err != nil && cloud.KindOf(err) == cloud.NotFound {
		return p, missing(segment)
	}
	return p, err
}

// current is a user with methods as they are.
func (f *Face) current(ctx context.Context, segment string) (state, error) {
	p, err := f.person(ctx, segment)
	if err != nil {
		return state{}, err
	}
	hardware, err := f.core.HardwareOf(ctx, p.ID)
	return state{p, hardware}, err
}

// seen is a user with methods as a reader sees them now: with late=…, without
// what was written a moment ago.
func (f *Face) seen(c *call) (state, error) {
	now, err := f.current(c.ctx, c.vars[0])
	if err != nil || f.assume.Late == 0 {
		return now, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.late[now.ID]
	for len(rest) > 0 && !f.now().Before(rest[0].at.Add(f.assume.Late)) {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		delete(f.late, now.ID)
		return now, nil
	}
	f.late[now.ID] = rest
	return rest[0].state, nil
}

// remember keeps what is about to be changed.
func (f *Face) remember(c *call) {
	if f.assume.Late == 0 || len(c.segments) < 3 || !strings.EqualFold(c.segments[0], "users") || !strings.EqualFold(c.segments[2], "authentication") {
		return
	}
	before, err := f.current(c.ctx, c.vars[0])
	if err != nil {
		return // what follows says so
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.late[before.ID]) < maxLate {
		f.late[before.ID] = append(f.late[before.ID], earlier{f.now(), before})
	}
}

// earlierDevice is how a device of the inventory was before something was
// written; nil: it was not there.
type earlierDevice struct {
	at     time.Time
	serial string // folded
	before *engine.Hardware
}

// maxLateDevices bounds the states that are kept of the inventory.
const maxLateDevices = 2000

// rememberDevice keeps a device that is about to be changed, found by its id or
// by its serial number.
func (f *Face) rememberDevice(ctx context.Context, id, serial string) {
	if f.assume.Late == 0 {
		return
	}
	e := earlierDevice{at: f.now(), serial: engine.Fold(serial)}
	h, err := f.core.Hardware(ctx, id, serial)
	switch {
	case err == nil:
		e.before, e.serial = &h, engine.Fold(h.Serial)
	case cloud.KindOf(err) != cloud.NotFound || serial == "":
		return // what follows says so
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.stocked) < maxLateDevices {
		f.stocked = append(f.stocked, e)
	}
}

// seenDevice is a device of the inventory as a reader sees it now.
func (f *Face) seenDevice(ctx context.Context, id, serial string) (engine.Hardware, error) {
	now, err := f.core.Hardware(ctx, id, serial)
	if f.assume.Late == 0 || err != nil && cloud.KindOf(err) != cloud.NotFound {
		return now, err
	}
	if err == nil {
		serial = now.Serial
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.stocked) > 0 && !f.now().Before(f.stocked[0].at.Add(f.assume.Late)) {
		f.stocked = f.stocked[1:]
	}
	for _, e := range f.stocked {
		switch {
		case e.before != nil && (e.before.ID == id || e.serial == engine.Fold(serial)):
			return *e.before, nil
		case e.before == nil && serial != "" && e.serial == engine.Fold(serial):
			return engine.Hardware{}, absent()
		}
	}
	return now, err
}
