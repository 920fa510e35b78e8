package engine_test

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/internal/secret"
)

// A code that was used stays used when its generator is removed and registered
// again, also with another period, and when it is given another secret and back.
func TestUsedCodesDoNotComeBack(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	add := cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}}
	remove := cloud.Change{User: id, Op: cloud.Remove, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: cloudtest.Generator(1)}}
	h.write(t, add)
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	h.write(t, remove, add)
	h.login(t, id, cloudtest.Generator(1), cloud.Refused, cloud.UsedCode)
	other := cloudtest.Generator(2)
	other.Serial = cloudtest.Generator(1).Serial
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: cloudtest.Generator(1)}, After: cloud.Value{OATH: other}},
		cloud.Change{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: other}, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	h.login(t, id, cloudtest.Generator(1), cloud.Refused, cloud.UsedCode)
	h.Advance(30 * time.Second)
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	h.write(t, remove)
	slow := cloudtest.Generator(1)
	slow.Period = 60
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: slow}})
	if c := h.try(t, id, slow); c.State == cloud.Approved {
		t.Error("a step of another length holds a used one, and was accepted")
	}
}

// A code that was used is used with another generator too that has the secret,
// also with one that came later. Those of another period have other codes.
func TestTwinsKeepWhatWasUsed(t *testing.T) {
	for _, period := range []int{30, 60} {
		h := build(t)
		id := h.coded(t, 1)
		code := func(code secret.Bytes) cloud.Challenge {
			return h.ask(t, id, func(r *cloud.Request) { r.Tries, r.Code = 1, code })
		}
		ahead := h.shows(1, 1)
		if c := code(ahead); c.State != cloud.Approved {
			t.Fatalf("a clock that is ahead: %+v", c)
		}
		twin := cloudtest.Generator(1)
		twin.Serial, twin.Period = "SYN-TWIN", period
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: twin}})
		for _, used := range []secret.Bytes{ahead, h.shows(1, 0), ahead} {
			if c := code(used); c.State == cloud.Approved {
				t.Errorf("a period of %d: a code that was used, or is older: %+v", period, c)
			}
		}
		if period == 30 {
			continue
		}
		h.Advance(time.Minute)
		if c := code(h.shows(1, 0)); c.State != cloud.Approved {
			t.Errorf("the app: %+v", c)
		}
		if c := code(cloudtest.Code(cloudtest.Seed(1), twin, h.Now())); c.State != cloud.Approved {
			t.Errorf("the token of another period was shut by the app: %+v", c)
		}
	}
}

// A renamed generator keeps its secret and what is known of its clock.
func TestRenameKeepsTheSecret(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	before := h.read(t, id).OATH[0].OATH
	after := before
	after.Name = "renamed"
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: &before}, After: cloud.Value{OATH: &after}})
	if got := h.read(t, id).OATH[0]; got.Name != "renamed" || got.Fingerprint != before.Fingerprint {
		t.Errorf("after the renaming: %+v", got)
	}
	h.login(t, id, cloudtest.Generator(1), cloud.Refused, cloud.UsedCode)
	h.Advance(30 * time.Second)
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	longer, shown := after, cloudtest.Generator(1)
	longer.Period, shown.Period = 60, 60
	h.write(t, cloud.Change{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH, Before: cloud.Value{OATH: &after}, After: cloud.Value{OATH: &longer}})
	h.login(t, id, shown, cloud.Refused, cloud.UsedCode) // this minute holds the used half
	h.Advance(time.Minute)
	h.login(t, id, shown, cloud.Approved, "")
}

// An update that gives a generator the serial number of the user's other one
// is refused, and leaves both as they are.
func TestUpdateFindsTheGeneratorAsItWas(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	for n := range 2 {
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}})
	}
	before, after := cloudtest.Generator(1), cloudtest.Generator(1)
	after.Serial, after.Name, after.Secret = cloudtest.Generator(0).Serial, "renamed", secret.Bytes{}
	r := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Update, Method: cloud.SoftwareOATH,
		Before: cloud.Value{OATH: before}, After: cloud.Value{OATH: after}}})[0]
	if r.Outcome != cloud.Failed || cloud.KindOf(r.Err) != cloud.Conflict {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
	for _, o := range h.read(t, id).OATH {
		if o.Name == "renamed" {
			t.Errorf("the generator %s was renamed", o.Serial)
		}
	}
}
