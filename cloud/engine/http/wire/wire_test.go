package wire_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// fill gives every field of a value something, so that a field that does not
// travel is seen. Types with hidden fields get a value of their own.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 11, 22, 0, 0, *n, 500, time.UTC)
		return
	case *secret.Bytes:
		*x = secret.FromString("secret")
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.1")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text" + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

// travel writes a value and reads it back as another process would.
func travel[W any](t *testing.T, w W) W {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back W
	if err := wire.Decode(strings.NewReader(string(text)), &back); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return back
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	equal := cmp.Options{cmp.Comparer(func(a, b secret.Bytes) bool { return a.Equal(b) }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b cloud.OATH) bool { return a.Secret.Equal(b.Secret) && bare(a) == bare(b) }), cmp.Comparer(func(a, b cloud.Profile) bool { return reflect.DeepEqual(a, b) })}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("%s did not arrive as it was:\n%s", what, diff)
	}
}

// bare is all of a generator but its secret, as text.
func bare(o cloud.OATH) string {
	o.Secret = secret.Bytes{}
	text, _ := json.Marshal(o)
	return string(text)
}

func TestEverythingArrives(t *testing.T) {
	change := filled[cloud.Change]()
	w := travel(t, wire.FromChange(&change))
	same(t, "a change", change, w.Change())

	user := filled[cloud.User]()
	for i := range user.OATH {
		user.OATH[i].Secret = secret.Bytes{} // never returned
	}
	u := travel(t, wire.FromUser(&user))
	same(t, "a user", user, u.User())

	caps := filled[cloud.Capabilities]()
	c := travel(t, wire.FromCapabilities(&caps))
	same(t, "capabilities", caps, c.Capabilities())

	request := filled[cloud.Request]()
	r := travel(t, wire.FromRequest(&request))
	back, err := r.Request()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a request", request, back)

	challenge := filled[cloud.Challenge]()
	ch := travel(t, wire.FromChallenge(&challenge))
	same(t, "a challenge", challenge, ch.Challenge())

	decision := filled[cloud.Decision]()
	d := travel(t, wire.FromDecision(&decision))
	same(t, "a decision", decision, d.Decision())

	proof := filled[cloud.Proof]()
	p := travel(t, wire.FromProof(proof))
	same(t, "a proof", proof, p.Proof())

	for _, password := range []string{"correct horse", "not\xffUTF-8"} {
		sent := wire.FromPassword(cloud.Key{Kind: cloud.ByName, Value: "ada"}, secret.FromString(password), cloud.Client{App: "vpn"})
		sent = travel(t, sent)
		_, got, _, err := sent.Parts()
		if err != nil || string(got.Reveal()) != password {
			t.Errorf("a password arrived as another: %v", err)
		}
	}
}

// An answer never holds a secret, even where the core returned one.
func TestAnswersHoldNoSecret(t *testing.T) {
	user := filled[cloud.User]()
	text, err := json.Marshal(wire.FromUser(&user))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"secret", "c2VjcmV0"} {
		if strings.Contains(string(text), form) {
			t.Errorf("the answer holds a secret: %s", text)
		}
	}
}

func TestErrorsTravel(t *testing.T) {
	codes := map[string]bool{}
	for k := cloud.Internal; k <= cloud.Locked; k++ {
		code, status := wire.Code(k), wire.Status(k)
		if codes[code] || strings.Contains(code, " ") || status < 400 {
			t.Errorf("kind %v is %q, %d", k, code, status)
		}
		codes[code] = true
		if wire.KindOf(code, 0) != k || wire.KindOf("", status) != k {
			t.Errorf("%q and %d are %v and %v", code, status, wire.KindOf(code, 0), wire.KindOf("", status))
		}
	}
	err := hint.Wrap(&cloud.Error{Kind: cloud.Throttled, Reason: cloud.MailedBefore, Message: "slowly", RetryAfter: 1500 * time.Millisecond, Lasting: true, Err: errors.New("cause /srv/x")}, "wait")
	back := wire.FromError(err).ToError(0)
	e, ok := errors.AsType[*cloud.Error](back)
	if !ok || e.Kind != cloud.Throttled || e.Reason != cloud.MailedBefore || e.Message != "slowly" || e.RetryAfter != 1500*time.Millisecond || !e.Lasting || hint.Of(back) != "wait" || e.Err != nil {
		t.Errorf("came back as %+v", back)
	}
	if w := wire.FromError(errors.New("open /srv/cloud.db: permission denied")); strings.Contains(w.Message, "srv") || w.Code != "internal" {
		t.Errorf("a fault is explained to strangers: %+v", w)
	}
	if e := (&wire.Error{Code: "throttled", RetryAfter: 1e300}).ToError(0); e.(*cloud.Error).RetryAfter > 24*time.Hour {
		t.Error("a wait beyond reason")
	}
}

func FuzzDecode(f *testing.F) {
	change := filled[cloud.Change]()
	text, err := json.Marshal(wire.WriteRequest{Changes: []wire.Change{wire.FromChange(&change)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"changes":[{"before":{"oath":null}}]}`)
	f.Add(`{"user":"a","client":{"address":"::1%eth0"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var write wire.WriteRequest
		if err := wire.Decode(strings.NewReader(text), &write); err == nil {
			for i := range write.Changes {
				_ = write.Changes[i].Change()
			}
		} else if cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("refused as %v", err)
		}
		var begin wire.BeginRequest
		if err := wire.Decode(strings.NewReader(text), &begin); err == nil {
			if _, err := begin.Request(); err != nil && cloud.KindOf(err) != cloud.Invalid {
				t.Errorf("refused as %v", err)
			}
		}
	})
}
