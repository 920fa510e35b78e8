package engine_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

// rfcSeed is the secret of the RFCs' test vectors, repeated to n bytes.
func rfcSeed(n int) []byte { return []byte(strings.Repeat("1234567890", 7)[:n]) }

func TestRFC4226AppendixD(t *testing.T) {
	o := &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got, err := engine.StepCode(rfcSeed(20), o, int64(step)); err != nil || got != want {
			t.Errorf("count %d: %s, %v; want %s", step, got, err, want)
		}
	}
}

func TestRFC6238AppendixB(t *testing.T) {
	for _, v := range []struct {
		second               int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		for _, c := range []struct {
			algorithm cloud.Algorithm
			bytes     int
			want      string
		}{{cloud.SHA1, 20, v.sha1}, {cloud.SHA256, 32, v.sha256}, {cloud.SHA512, 64, v.sha512}} {
			o := &cloud.OATH{Algorithm: c.algorithm, Digits: 8, Period: 30}
			if got, err := engine.StepCode(rfcSeed(c.bytes), o, v.second/30); err != nil || got != c.want {
				t.Errorf("%s at %d: %s, %v; want %s", c.algorithm, v.second, got, err, c.want)
			}
			at := time.Unix(v.second, 0)
			if _, reason, err := engine.CheckCode(rfcSeed(c.bytes), o, c.want, engine.Clock{}, at); err != nil || reason != "" {
				t.Errorf("%s at %d is refused: %q, %v", c.algorithm, v.second, reason, err)
			}
		}
	}
}

// The codes agree with those of an independent program.
func TestOathtool(t *testing.T) {
	path := peer.Path(t, "oathtool", "oathtool")
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for flag, algorithm := range map[string]cloud.Algorithm{"--totp=sha1": cloud.SHA1, "--totp=sha256": cloud.SHA256, "--totp=sha512": cloud.SHA512} {
		out, err := exec.Command(path, flag, "--digits=8", "--time-step-size=60s", "--now=2026-11-02 09:00:00 UTC", "3132333435363738393031323334353637383930").Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(string(out))
		o := &cloud.OATH{Algorithm: algorithm, Digits: 8, Period: 60}
		if got := string(cloudtest.Code(rfcSeed(20), o, at).Reveal()); got != want {
			t.Errorf("the suite's %s code is %s, oathtool's %s", algorithm, got, want)
		}
		if got, err := engine.StepCode(rfcSeed(20), o, at.Unix()/60); err != nil || got != want {
			t.Errorf("%s: %s, %v; oathtool says %s", algorithm, got, err, want)
		}
	}
}

// The whole rule of windows, drift and single use. Steps are relative to now.
func TestCheckCode(t *testing.T) {
	o := &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	const now = 1_000_000
	for name, c := range map[string]struct {
		typed  int64 // step of the code
		clock  engine.Clock
		want   cloud.Reason
		drift  int
		seen   int64
		proven bool
	}{
		"fresh, now":                      {typed: 0, proven: true},
		"fresh, two ahead":                {typed: 2, proven: true, drift: 2},
		"fresh, two behind":               {typed: -2, proven: true, drift: -2},
		"fresh, three ahead":              {typed: 3, want: cloud.NeedNextCode, seen: now + 3},
		"fresh, twenty behind":            {typed: -20, want: cloud.NeedNextCode, seen: now - 20},
		"fresh, twenty-one ahead":         {typed: 21, want: cloud.WrongCode},
		"fresh, twenty-one behind":        {typed: -21, want: cloud.WrongCode},
		"fresh, imported drift":           {typed: 42, clock: engine.Clock{Drift: 40}, proven: true, drift: 42},
		"fresh, around drift, not us":     {typed: 0, clock: engine.Clock{Drift: 40}, want: cloud.WrongCode, drift: 40},
		"seen, the next":                  {typed: 11, clock: engine.Clock{Seen: now + 10}, proven: true, drift: 11},
		"seen, the same":                  {typed: 10, clock: engine.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 10},
		"seen, the one before":            {typed: 9, clock: engine.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 9},
		"seen, two on":                    {typed: 12, clock: engine.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 12},
		"seen, but near":                  {typed: 1, clock: engine.Clock{Seen: now + 10}, proven: true, drift: 1},
		"fresh, but used before":          {typed: 0, clock: engine.Clock{Last: now}, want: cloud.UsedCode},
		"proven, now":                     {typed: 0, clock: engine.Clock{Proven: true, Last: now - 9}, proven: true},
		"proven, one ahead":               {typed: 1, clock: engine.Clock{Proven: true, Last: now - 9}, proven: true, drift: 1},
		"proven, one behind":              {typed: -1, clock: engine.Clock{Proven: true, Last: now - 9}, proven: true, drift: -1},
		"proven, two ahead":               {typed: 2, clock: engine.Clock{Proven: true, Last: now - 9}, want: cloud.WrongCode, proven: true},
		"proven, two behind":              {typed: -2, clock: engine.Clock{Proven: true, Last: now - 9}, want: cloud.WrongCode, proven: true},
		"proven, the last one":            {typed: 0, clock: engine.Clock{Proven: true, Last: now}, want: cloud.UsedCode, proven: true},
		"proven, before the last":         {typed: -1, clock: engine.Clock{Proven: true, Last: now}, want: cloud.UsedCode, proven: true},
		"proven, after the last":          {typed: 1, clock: engine.Clock{Proven: true, Last: now}, proven: true, drift: 1},
		"drifted, at its own time":        {typed: 5, clock: engine.Clock{Proven: true, Drift: 5, Last: now}, proven: true, drift: 5},
		"drifted, follows by one":         {typed: 6, clock: engine.Clock{Proven: true, Drift: 5, Last: now}, proven: true, drift: 6},
		"drifted, does not follow by two": {typed: 7, clock: engine.Clock{Proven: true, Drift: 5, Last: now}, want: cloud.WrongCode, proven: true, drift: 5},
	} {
		typed, err := engine.StepCode(rfcSeed(20), o, now+c.typed)
		if err != nil {
			t.Fatal(err)
		}
		got, reason, err := engine.CheckCode(rfcSeed(20), o, typed, c.clock, time.Unix(now*30+29, 0))
		want := engine.Clock{Proven: c.proven, Drift: c.drift, Last: c.clock.Last, Seen: c.seen}
		if c.want == "" {
			want.Last = now + c.typed
		} else if c.seen == 0 {
			want.Seen = c.clock.Seen
		}
		if err != nil || reason != c.want || got != want {
			t.Errorf("%s: %q, %+v, %v; want %q, %+v", name, reason, got, err, c.want, want)
		}
	}
	for _, typed := range []string{"", "12345", "1234567", "abcdef", "12345\x00", "１２３４５６", "-12345"} {
		if _, reason, err := engine.CheckCode(rfcSeed(20), o, typed, engine.Clock{}, time.Unix(now*30, 0)); err != nil || reason != cloud.WrongCode {
			t.Errorf("%q: %q, %v", typed, reason, err)
		}
	}
	if _, reason, err := engine.CheckCode(rfcSeed(20), o, "000000", engine.Clock{}, time.Unix(31, 0)); err != nil || reason == "" {
		t.Errorf("at the beginning of time: %q, %v", reason, err)
	}
}

func TestUnknownAlgorithmIsAnError(t *testing.T) {
	o := &cloud.OATH{Algorithm: "MD5", Digits: 6, Period: 30}
	if _, _, err := engine.CheckCode(rfcSeed(20), o, "000000", engine.Clock{}, time.Unix(0, 0)); err == nil {
		t.Error("an unknown algorithm made codes")
	}
}

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
