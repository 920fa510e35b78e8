package pskc_test

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
	"mfabridge/legacy/pskc/pskctest"
)

// samples are keys that use every field, and as few as can be.
func samples() []pskc.Key {
	return []pskc.Key{
		{ID: "t1", Issuer: "Contoso & <Co>", UserID: `CN="Ada", O=Contoso`, Serial: "800001", Manufacturer: "Contoso (synthetic)",
			Model: "Größe\u00a0é", Secret: secret.FromString(seed), Algorithm: "SHA256", Digits: 6, Interval: 60, Drift: -2,
			Start: time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC), Expiry: time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)},
		{ID: "h1", Serial: "800002", Secret: secret.FromString(seed[:16]), HOTP: true, Algorithm: "SHA1", Digits: 8, Counter: 300},
		{ID: "800003", Serial: "800003", Secret: secret.FromString(strings.Repeat(seed, 3)), Algorithm: "SHA512", Interval: 30},
		{ID: "m", Secret: secret.FromString("x"), Algorithm: "SHA1"},
	}
}

func write(t testing.TB, keys []pskc.Key, p pskctest.Protection) string {
	t.Helper()
	var out bytes.Buffer
	if err := pskctest.Write(&out, slices.Values(keys), p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// protections are the ways to write a file, each with the way to read it.
func protections(t testing.TB) map[string]struct {
	p pskctest.Protection
	o pskc.Options
} {
	phrase := secret.FromString("correct horse battery staple")
	all := map[string]struct {
		p pskctest.Protection
		o pskc.Options
	}{
		"plain":  {pskctest.Protection{Plain: true}, pskc.Options{}},
		"phrase": {pskctest.Protection{Passphrase: phrase, Iterations: 1000}, pskc.Options{Passphrase: phrase}},
	}
	for name, key := range map[string]string{"key128": figure6Key, "key192": figure6Key + figure6Key[:16], "key256": figure6Key + figure6Key} {
		all[name] = struct {
			p pskctest.Protection
			o pskc.Options
		}{pskctest.Protection{Key: unhex(t, key), KeyName: "shared"}, pskc.Options{Key: unhex(t, key)}}
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	for name, c := range protections(t) {
		t.Run(name, func(t *testing.T) {
			document := write(t, samples(), c.p)
			var want []flat
			for _, k := range samples() {
				revealed := string(k.Secret.Reveal())
				k.Secret = secret.Bytes{}
				k.Encrypted = name != "plain"
				want = append(want, flat{k, revealed})
				if name != "plain" && strings.Contains(document, "MTIzNDU2") {
					t.Error("a secret stands in the file")
				}
			}
			got := mustRead(t, document, c.o)
			for i := range got {
				got[i].Line = 0
			}
			compare(t, got, want)
		})
	}
}

// No two files are alike, even of one key and one pass phrase.
func TestFilesShareNothing(t *testing.T) {
	key := pskctest.Protection{Key: unhex(t, figure6Key)}
	seen := map[string]bool{}
	for range 3 {
		for _, line := range strings.Split(write(t, samples()[:1], key), "\n") {
			if strings.Contains(line, "CipherValue") {
				if seen[line] {
					t.Errorf("twice: %s", line)
				}
				seen[line] = true
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d values, want a MAC key and a secret three times", len(seen))
	}
}

func TestWriteRefuses(t *testing.T) {
	phrase, key := secret.FromString("x"), unhex(t, figure6Key)
	good := samples()[0]
	plain := pskctest.Protection{Plain: true}
	with := func(change func(*pskc.Key)) []pskc.Key {
		k := good
		change(&k)
		return []pskc.Key{k}
	}
	for name, c := range map[string]struct {
		keys []pskc.Key
		p    pskctest.Protection
		want string
	}{
		"no protection by forgetting it": {[]pskc.Key{good}, pskctest.Protection{}, "exactly one of them"},
		"two protections":                {[]pskc.Key{good}, pskctest.Protection{Key: key, Passphrase: phrase}, "exactly one of them"},
		"protected and in the clear":     {[]pskc.Key{good}, pskctest.Protection{Key: key, Plain: true}, "exactly one of them"},
		"key of another length":          {[]pskc.Key{good}, pskctest.Protection{Key: phrase}, "16, 24 or 32 bytes"},
		"too many iterations":            {[]pskc.Key{good}, pskctest.Protection{Passphrase: phrase, Iterations: pskc.MaxIterations + 1}, "from 1 to 5000000"},
		"negative iterations":            {[]pskc.Key{good}, pskctest.Protection{Passphrase: phrase, Iterations: -1}, "from 1 to 5000000"},
		"no keys":                        {nil, plain, "at least one key"},
		"a key with a problem":           {with(func(k *pskc.Key) { k.Problem = "its algorithm is strange" }), plain, "its algorithm is strange"},
		"a key without secret":           {with(func(k *pskc.Key) { k.Secret = secret.Bytes{} }), plain, "no secret"},
		"a key without name":             {with(func(k *pskc.Key) { k.ID, k.Serial = "", "" }), plain, "neither an identifier"},
		"an unknown hash":                {with(func(k *pskc.Key) { k.Algorithm = "MD5" }), plain, "hash"},
		"a control character":            {with(func(k *pskc.Key) { k.Serial = "1\x00" }), plain, "control characters"},
		"a line end":                     {with(func(k *pskc.Key) { k.ID = "1\n2" }), plain, "control characters"},
		"broken UTF-8":                   {with(func(k *pskc.Key) { k.Model = "\xff" }), plain, "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			err := pskctest.Write(&bytes.Buffer{}, slices.Values(c.keys), c.p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWriteReportsTheWriter(t *testing.T) {
	for _, room := range []int{0, 5000} { // at the end, and before it
		many := slices.Repeat(samples()[:1], 1+room/100)
		if err := pskctest.Write(&full{room}, slices.Values(many), pskctest.Protection{Plain: true}); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
}

var errFull = errors.New("disk full")

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"rfc6030-figure2.xml", "rfc6030-figure5.xml", "rfc6030-figure6.xml", "rfc6030-figure7.xml",
		"totp.xml", "draft-devices.xml", "draft-values.xml"} {
		f.Add(load(f, name))
	}
	key, manyDigits := unhex(f, figure6Key), regexp.MustCompile(`IterationCount>\s*[+\d]*\d{5}`)
	f.Fuzz(func(t *testing.T, document string) {
		if manyDigits.MatchString(document) {
			return // PBKDF2 would take all the time
		}
		var usable []pskc.Key
		for k, err := range pskc.Read(strings.NewReader(document), pskc.Options{Key: key, Passphrase: secret.FromString(figure7Phrase)}) {
			if err != nil {
				if !k.Secret.IsZero() {
					t.Fatal("a key with an error")
				}
				return
			}
			if (k.Problem == "") == k.Secret.IsZero() {
				t.Fatalf("a key has a secret and a problem, or neither: %+v", k)
			}
			if k.Problem == "" && (k.ID != "" || k.Serial != "") {
				usable = append(usable, k)
			}
		}
		if len(usable) == 0 {
			return
		}
		var out bytes.Buffer
		if err := pskctest.Write(&out, slices.Values(usable), pskctest.Protection{Plain: true}); err != nil {
			return // XML can hold line ends and the like, which Write refuses
		}
		again := mustRead(t, out.String(), pskc.Options{})
		for i, k := range usable {
			g := again[i]
			if g.Revealed != string(k.Secret.Reveal()) || g.HOTP != k.HOTP || g.Digits != k.Digits || g.Algorithm != k.Algorithm ||
				g.Serial != k.Serial || g.Problem != "" {
				t.Fatalf("written and read again, %+v is %+v", k, g)
			}
		}
	})
}
