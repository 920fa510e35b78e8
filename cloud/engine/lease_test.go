package engine_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
)

// node opens the store of a house once more, as another node does.
func (h *house) node(t *testing.T) *engine.Engine {
	t.Helper()
	e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Node: "other"})
	return e
}

// A lease is known to every node: any of them renews it, takes changes under
// it, and gives no second one; it ends by itself, for all of them at once.
func TestLeaseOverNodes(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	one, two := h.As("mover"), h.node(t).As("mover")
	word, err := one.Lease(t.Context(), "the first run", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		h.Advance(50 * time.Second)
		if err := two.Renew(t.Context(), word, time.Minute); err != nil {
			t.Fatalf("renewed by another node: %v", err)
		}
	}
	phone := func(number string) []cloud.Change {
		return []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.Value{Text: number}}}
	}
	if r := two.WriteUnder(t.Context(), word, phone("+1 4255550100")); r[0].Outcome != cloud.Done {
		t.Errorf("written at another node: %+v", r)
	}
	if all := h.entriesOf(t, "directory.write"); len(all) != 1 || all[0].Actor != "mover" {
		t.Errorf("the audit: %+v", all)
	}
	locked := func(what string, err error) {
		t.Helper()
		if cloud.KindOf(err) != cloud.Locked || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = two.Lease(t.Context(), "the second run", time.Minute)
	locked("a second lease", err)
	_, err = h.Lock(t.Context(), "a run on the store")
	locked("a lock beside a lease", err)
	for name, c := range map[string]*engine.Caller{"another application": h.As("other")} {
		if err := c.Renew(t.Context(), word, time.Minute); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("renewed by %s: %v", name, err)
		}
		if err := c.Return(t.Context(), word); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("returned by %s: %v", name, err)
		}
		locked("written by "+name, c.WriteUnder(t.Context(), word, phone("+1 4255550101"))[0].Err)
	}
	locked("written under a made-up word", one.WriteUnder(t.Context(), "x", phone("+1 4255550101"))[0].Err)

	h.Advance(time.Minute)
	if err := one.Renew(t.Context(), word, time.Minute); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("renewed too late: %v", err)
	}
	locked("written too late", two.WriteUnder(t.Context(), word, phone("+1 4255550101"))[0].Err)
	unlock, err := h.Lock(t.Context(), "a run on the store")
	if err != nil {
		t.Fatalf("a lock after the lease has ended: %v", err)
	}
	_, err = two.Lease(t.Context(), "the second run", time.Minute)
	locked("a lease beside a lock", err)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if word, err = two.Lease(t.Context(), "the second run", time.Minute); err != nil {
		t.Fatalf("after the lock has ended: %v", err)
	}
	if err := one.Return(t.Context(), word); err != nil {
		t.Errorf("returned by another node: %v", err)
	}
	if word, err = one.Lease(t.Context(), "the third run", time.Minute); err != nil {
		t.Fatalf("after the lease was returned: %v", err)
	}
	for _, life := range []time.Duration{0, -time.Second, 25 * time.Hour} {
		if err := one.Renew(t.Context(), word, life); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("renewed for %v: %v", life, err)
		}
	}
	for _, holder := range []string{"", strings.Repeat("x", 257)} {
		if _, err := one.Lease(t.Context(), holder, time.Minute); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("held by %d bytes: %v", len(holder), err)
		}
	}
	if u := h.read(t, id); u.Mobile != "+1 4255550100" {
		t.Errorf("the mobile is %q", u.Mobile)
	}
	for _, life := range []time.Duration{0, -time.Second, 25 * time.Hour} {
		if _, err := one.Lease(t.Context(), "x", life); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("for %v: %v", life, err)
		}
	}
}

// A clock that was set back does not keep a store locked for as long. One that
// runs a little behind that of another node does not end the other's lease.
func TestLeaseOfALaterClock(t *testing.T) {
	for back, free := range map[time.Duration]bool{24 * time.Hour: true, time.Hour: true, 5 * time.Minute: true, 30 * time.Second: false, 0: false} {
		h := build(t)
		mover := h.As("mover")
		word, err := mover.Lease(t.Context(), "of tomorrow", 2*time.Minute)
		if err == nil {
			err = mover.Renew(t.Context(), word, time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Advance(-back)
		unlock, err := h.Lock(t.Context(), "of today")
		switch {
		case !free && cloud.KindOf(err) != cloud.Locked:
			t.Errorf("%v back: %v", back, err)
		case free && err != nil:
			t.Errorf("%v back: %v", back, err)
		case free:
			if err := unlock(); err != nil {
				t.Error(err)
			}
		}
	}
}
