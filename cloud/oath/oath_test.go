package oath_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/oath"
	"mfabridge/internal/peer"
)

// rfcSeed is the secret of the RFCs' test vectors, repeated to n bytes.
func rfcSeed(n int) []byte { return []byte(strings.Repeat("1234567890", 7)[:n]) }

func TestRFC4226AppendixD(t *testing.T) {
	o := &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got, err := codeOf(rfcSeed(20), o, int64(step)); err != nil || got != want {
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
			if got, err := codeOf(rfcSeed(c.bytes), o, v.second/30); err != nil || got != c.want {
				t.Errorf("%s at %d: %s, %v; want %s", c.algorithm, v.second, got, err, c.want)
			}
			at := time.Unix(v.second, 0)
			if _, reason, err := checked(rfcSeed(c.bytes), o, c.want, oath.Clock{}, at); err != nil || reason != "" {
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
		if got, err := codeOf(rfcSeed(20), o, at.Unix()/60); err != nil || got != want {
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
		clock  oath.Clock
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
		"fresh, imported drift":           {typed: 42, clock: oath.Clock{Drift: 40}, proven: true, drift: 42},
		"fresh, around drift, not us":     {typed: 0, clock: oath.Clock{Drift: 40}, want: cloud.WrongCode, drift: 40},
		"seen, the next":                  {typed: 11, clock: oath.Clock{Seen: now + 10}, proven: true, drift: 11},
		"seen, the same":                  {typed: 10, clock: oath.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 10},
		"seen, the one before":            {typed: 9, clock: oath.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 9},
		"seen, two on":                    {typed: 12, clock: oath.Clock{Seen: now + 10}, want: cloud.NeedNextCode, seen: now + 12},
		"seen, but near":                  {typed: 1, clock: oath.Clock{Seen: now + 10}, proven: true, drift: 1},
		"fresh, but used before":          {typed: 0, clock: oath.Clock{Last: now}, want: cloud.UsedCode},
		"proven, now":                     {typed: 0, clock: oath.Clock{Proven: true, Last: now - 9}, proven: true},
		"proven, one ahead":               {typed: 1, clock: oath.Clock{Proven: true, Last: now - 9}, proven: true, drift: 1},
		"proven, one behind":              {typed: -1, clock: oath.Clock{Proven: true, Last: now - 9}, proven: true, drift: -1},
		"proven, two ahead":               {typed: 2, clock: oath.Clock{Proven: true, Last: now - 9}, want: cloud.WrongCode, proven: true},
		"proven, two behind":              {typed: -2, clock: oath.Clock{Proven: true, Last: now - 9}, want: cloud.WrongCode, proven: true},
		"proven, the last one":            {typed: 0, clock: oath.Clock{Proven: true, Last: now}, want: cloud.UsedCode, proven: true},
		"proven, before the last":         {typed: -1, clock: oath.Clock{Proven: true, Last: now}, want: cloud.UsedCode, proven: true},
		"proven, after the last":          {typed: 1, clock: oath.Clock{Proven: true, Last: now}, proven: true, drift: 1},
		"drifted, at its own time":        {typed: 5, clock: oath.Clock{Proven: true, Drift: 5, Last: now}, proven: true, drift: 5},
		"drifted, follows by one":         {typed: 6, clock: oath.Clock{Proven: true, Drift: 5, Last: now}, proven: true, drift: 6},
		"drifted, does not follow by two": {typed: 7, clock: oath.Clock{Proven: true, Drift: 5, Last: now}, want: cloud.WrongCode, proven: true, drift: 5},
	} {
		typed, err := codeOf(rfcSeed(20), o, now+c.typed)
		if err != nil {
			t.Fatal(err)
		}
		got, reason, err := checked(rfcSeed(20), o, typed, c.clock, time.Unix(now*30+29, 0))
		want := oath.Clock{Proven: c.proven, Drift: c.drift, Last: c.clock.Last, Seen: c.seen}
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
		if _, reason, err := checked(rfcSeed(20), o, typed, oath.Clock{}, time.Unix(now*30, 0)); err != nil || reason != cloud.WrongCode {
			t.Errorf("%q: %q, %v", typed, reason, err)
		}
	}
	if _, reason, err := checked(rfcSeed(20), o, "000000", oath.Clock{}, time.Unix(31, 0)); err != nil || reason == "" {
		t.Errorf("at the beginning of time: %q, %v", reason, err)
	}
}

// Two codes bring a clock in line that is up to a day off, and no further.
func TestResync(t *testing.T) {
	o := &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	const now = 1_000_000
	g, err := oath.New(rfcSeed(20), o)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		one, two int64 // steps from now
		last     int64
		want     bool
	}{
		"now":                  {one: 0, two: 1, want: true},
		"a day ahead":          {one: 2880, two: 2881, want: true},
		"a day behind":         {one: -2880, two: -2879, want: true},
		"further ahead":        {one: 2881, two: 2882},
		"further behind":       {one: -2881, two: -2880},
		"twice the same":       {one: 5, two: 5},
		"with one between":     {one: 5, two: 7},
		"the wrong way round":  {one: 6, two: 5},
		"of before the last":   {one: 5, two: 6, last: now + 5},
		"right after the last": {one: 5, two: 6, last: now + 4, want: true},
	} {
		one, err := g.Code(now + c.one)
		if err != nil {
			t.Fatal(err)
		}
		two, err := g.Code(now + c.two)
		if err != nil {
			t.Fatal(err)
		}
		before := oath.Clock{Last: c.last, Drift: 7}
		got, found, err := g.Resync([]byte(one), []byte(two), before, time.Unix(now*30+29, 0))
		want := before
		if c.want {
			want = oath.Clock{Proven: true, Drift: int(c.two), Last: now + c.two}
		}
		if err != nil || found != c.want || got != want {
			t.Errorf("%s: %t, %+v, %v; want %t, %+v", name, found, got, err, c.want, want)
		}
	}
}

// What makes no codes is an error before one is asked for.
func TestGeneratorsThatAreNone(t *testing.T) {
	for name, o := range map[string]*cloud.OATH{
		"an unknown algorithm": {Algorithm: "MD5", Digits: 6, Period: 30},
		"steps of no length":   {Algorithm: cloud.SHA1, Digits: 6},
	} {
		if _, err := oath.New(rfcSeed(20), o); err == nil {
			t.Errorf("%s: there is a generator", name)
		}
	}
}

func checked(key []byte, o *cloud.OATH, typed string, c oath.Clock, now time.Time) (oath.Clock, cloud.Reason, error) {
	g, err := oath.New(key, o)
	if err != nil {
		return c, "", err
	}
	return g.Check([]byte(typed), c, now)
}

func codeOf(key []byte, o *cloud.OATH, step int64) (string, error) {
	g, err := oath.New(key, o)
	if err != nil {
		return "", err
	}
	return g.Code(step)
}
