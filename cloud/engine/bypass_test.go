package engine_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

func (h *house) ask(t *testing.T, id cloud.UserID, edit func(*cloud.Request)) cloud.Challenge {
	t.Helper()
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Client: cloud.Client{App: "vpn", Station: "station"}}
	if edit != nil {
		edit(&r)
	}
	c, err := h.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// coded is a user with a generator.
func (h *house) coded(t *testing.T, n int) cloud.UserID {
	t.Helper()
	id := h.user(t, n)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}})
	return id
}

func (h *house) bypass(t *testing.T, id cloud.UserID, app string) {
	t.Helper()
	if err := h.AllowBypass(t.Context(), operator, id, app, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func TestBypassLetsOneLoginPass(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.bypass(t, id, "")
	h.Reopen(t)
	first := h.ask(t, id, func(r *cloud.Request) { r.Key = "login" })
	if first.State != cloud.Approved || !first.Bypassed || first.Prompt != "" {
		t.Fatalf("the login it is for: %+v", first)
	}
	if last := h.lastEntry(t); last.Action != "verify.approved" || !strings.Contains(last.Detail, " bypassed ") {
		t.Errorf("the audit says %+v", last)
	}
	if again := h.ask(t, id, func(r *cloud.Request) { r.Key = "login" }); again.ID != first.ID || again.State != cloud.Approved || !again.Bypassed {
		t.Errorf("the same login again: %+v", again)
	}
	if c := h.ask(t, id, nil); c.State != cloud.Pending || c.Bypassed {
		t.Errorf("the next login: %+v", c)
	}
	if got := strings.Join(h.actions(t), "\n"); !strings.Contains(got, "user.bypass by operator: test") {
		t.Errorf("audit:\n%s", got)
	}
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if c := h.ask(t, id, func(r *cloud.Request) { r.Key = "login" }); c.State != cloud.Refused || c.Bypassed {
		t.Errorf("the same login of a blocked user: %+v", c)
	}
}

// Where nothing but a code comes, a bypass would leave nothing that proves
// anything; nor does it open for who may not verify, elsewhere, or later.
func TestBypassSaysNo(t *testing.T) {
	for name, c := range map[string]struct {
		app    string
		before func(*testing.T, *house, cloud.UserID) error
		edit   func(*cloud.Request)
		want   cloud.Reason // empty: asked for a code
	}{
		"a wrong code": {edit: func(r *cloud.Request) {
			r.Code = cloudtest.Code(cloudtest.Seed(9), cloudtest.Generator(9), time.Unix(0, 0))
		}, want: cloud.WrongCode},
		"another application": {app: "citrix"},
		"too late":            {before: func(_ *testing.T, h *house, _ cloud.UserID) error { h.Advance(time.Hour); return nil }},
		"taken back":          {before: func(t *testing.T, h *house, id cloud.UserID) error { return h.EndBypass(t.Context(), operator, id) }},
		"blocked": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			return h.Block(t.Context(), operator, id, h.Now().Add(time.Hour))
		}, want: cloud.UserBlocked},
		"blocked by a change": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: h.Now().Add(time.Hour)}})
			return nil
		}, want: cloud.UserBlocked},
		"disabled": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			return h.SetEnabled(t.Context(), operator, id, false)
		}, want: cloud.UserDisabled},
		"blocked and let back": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
				return err
			}
			return h.Unblock(t.Context(), operator, id)
		}},
		"blocked and let back by changes": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			until := cloud.Value{Until: h.Now().Add(time.Hour)}
			h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: until})
			h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, Before: until})
			return nil
		}},
		"disabled and let back by changes": {before: func(t *testing.T, h *house, id cloud.UserID) error {
			users, err := h.Read(t.Context(), []cloud.UserID{id})
			if err != nil {
				return err
			}
			on := users[0].Profile
			off := on
			off.Enabled = false
			h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &on}, After: cloud.Value{Profile: &off}})
			h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account, Before: cloud.Value{Profile: &off}, After: cloud.Value{Profile: &on}})
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			id := h.coded(t, 1)
			h.bypass(t, id, c.app)
			if c.before != nil {
				if err := c.before(t, h, id); err != nil {
					t.Fatal(err)
				}
			}
			got := h.ask(t, id, c.edit)
			if got.Bypassed || got.State == cloud.Approved || got.Reason != c.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBypassIsRefused(t *testing.T) {
	h := build(t)
	id, off := h.coded(t, 1), h.user(t, 2)
	if err := h.SetEnabled(t.Context(), operator, off, false); err != nil {
		t.Fatal(err)
	}
	hour := h.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		by    engine.Actor
		id    cloud.UserID
		app   string
		until time.Time
		kind  cloud.Kind
	}{
		"no reason":   {engine.Actor{Who: "operator"}, id, "", hour, cloud.Invalid},
		"too long":    {operator, id, "", h.Now().Add(4*time.Hour + time.Second), cloud.Invalid},
		"over":        {operator, id, "", h.Now(), cloud.Invalid},
		"nobody":      {operator, "nobody", "", hour, cloud.NotFound},
		"disabled":    {operator, off, "", hour, cloud.Conflict},
		"an odd name": {operator, id, "a\nb", hour, cloud.Invalid},
	} {
		if err := h.AllowBypass(t.Context(), c.by, c.id, c.app, c.until); cloud.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.EndBypass(t.Context(), operator, id); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("none to end: %v", err)
	}
	if x, err := h.Exceptions(t.Context(), id); err != nil || x.Bypass != nil {
		t.Errorf("%+v, %v", x, err)
	}
	h.bypass(t, id, "VPN")
	if x, err := h.Exceptions(t.Context(), id); err != nil || x.Bypass == nil || x.Bypass.By != "operator" {
		t.Errorf("%+v, %v", x, err)
	}
	if c := h.ask(t, id, nil); !c.Bypassed {
		t.Errorf("another spelling of the application: %+v", c)
	}
	if err := h.AllowBypass(t.Context(), operator, id, "", h.Now().Add(4*time.Hour)); err != nil {
		t.Errorf("the longest: %v", err)
	}
	h.Advance(4 * time.Hour)
	if err := h.EndBypass(t.Context(), operator, id); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("one that is over: %v", err)
	}
	if x, err := h.Exceptions(t.Context(), id); err != nil || x.Bypass != nil {
		t.Errorf("one that is over: %+v, %v", x, err)
	}
	if _, err := h.Exceptions(t.Context(), "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}
