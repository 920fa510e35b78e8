package engine_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/internal/secret"
)

// shows is the code that generator n shows some steps from now.
func (h *house) shows(n, steps int) secret.Bytes {
	return cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), h.Now().Add(time.Duration(steps)*30*time.Second))
}

func TestResync(t *testing.T) {
	for _, off := range []int{0, 40, -40, 2870, -2870} {
		h := build(t)
		id := h.coded(t, 1)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(2)}})
		drift, err := h.Resync(t.Context(), operator, id, "", h.shows(2, off), h.shows(2, off+1))
		if err != nil || drift != off+1 {
			t.Fatalf("%d steps off: drift %d, %v", off, drift, err)
		}
		if c := h.ask(t, id, func(r *cloud.Request) { r.Code, r.Tries = h.shows(2, off+1), 1 }); c.Reason != cloud.UsedCode {
			t.Errorf("%d steps off, the second code again: %+v", off, c)
		}
		h.Advance(30 * time.Second)
		if c := h.ask(t, id, func(r *cloud.Request) { r.Code = h.shows(2, off+1) }); c.State != cloud.Approved {
			t.Errorf("%d steps off, the next code: %+v", off, c)
		}
		if c := h.ask(t, id, func(r *cloud.Request) { r.Code = h.shows(1, 0) }); c.State != cloud.Approved {
			t.Errorf("the other generator: %+v", c)
		}
		if got := strings.Join(h.actions(t), "\n"); !strings.Contains(got, "user.resync by operator: test") {
			t.Errorf("audit:\n%s", got)
		}
	}
}

func TestResyncSaysNo(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	for name, codes := range map[string][2]secret.Bytes{
		"twice the same":        {h.shows(1, 5), h.shows(1, 5)},
		"not one after another": {h.shows(1, 5), h.shows(1, 7)},
		"the wrong way round":   {h.shows(1, 6), h.shows(1, 5)},
		"of somebody else":      {h.shows(2, 0), h.shows(2, 1)},
		"nothing":               {{}, {}},
		"too far off":           {h.shows(1, 2882), h.shows(1, 2883)},
	} {
		if _, err := h.Resync(t.Context(), operator, id, "", codes[0], codes[1]); cloud.KindOf(err) != cloud.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Resync(t.Context(), operator, id, "SYN-OTHER", h.shows(1, 0), h.shows(1, 1)); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("another serial number: %v", err)
	}
	if _, err := h.Resync(t.Context(), operator, "nobody", "", h.shows(1, 0), h.shows(1, 1)); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("nobody: %v", err)
	}
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	if _, err := h.Resync(t.Context(), operator, id, "", h.shows(1, -1), h.shows(1, 0)); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("codes that were used: %v", err)
	}
}
