package device_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// file is the file of a device of RFC 6238's secret.
func file(t testing.TB, edit func(map[string]any)) secret.Bytes {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]any{"format": 1, "url": "http://127.0.0.1:1", "user_id": "u", "user": "ada@contoso.example", "device": "d", "name": "n", "key": inner,
		"oath": map[string]any{"secret": base32.StdEncoding.EncodeToString([]byte("12345678901234567890")), "algorithm": "SHA1", "digits": 8, "period": 30}}
	if edit != nil {
		edit(content)
	}
	b, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(b)
}

func parse(t testing.TB, b secret.Bytes) *device.Device {
	t.Helper()
	d, err := device.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whoever has to name an authority is told how.
func TestUnknownAuthorityIsNamed(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c, err := device.New(device.Options{URL: s.URL, CA: x509.NewCertPool()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Pass(t.Context(), "ada@contoso.example", secret.FromString("x"))
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(hint.Of(err), "--ca") {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
}

func TestCodeIsThatOfTheRFC(t *testing.T) {
	d := parse(t, file(t, nil))
	code, left, err := d.Code(time.Unix(1111111109, 0)) // RFC 6238 appendix B
	if err != nil || code != "07081804" || left != time.Second {
		t.Errorf("%s for %s more, %v", code, left, err)
	}
	again, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if code, _, err := parse(t, again).Code(time.Unix(1111111109, 0)); err != nil || code != "07081804" {
		t.Errorf("written and read: %s, %v", code, err)
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	for name, edit := range map[string]func(map[string]any){
		"a newer one":   func(m map[string]any) { m["format"] = 2 },
		"no key":        func(m map[string]any) { m["key"] = nil },
		"no user":       func(m map[string]any) { m["user_id"] = "" },
		"another field": func(m map[string]any) { m["more"] = 1 },
	} {
		if _, err := device.Parse(file(t, edit)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, edit := range map[string]func(map[string]any){
		"no codes":         func(m map[string]any) { delete(m, "oath") },
		"another period":   func(m map[string]any) { m["oath"].(map[string]any)["period"] = 0 },
		"another hash":     func(m map[string]any) { m["oath"].(map[string]any)["algorithm"] = "MD5" },
		"no secret at all": func(m map[string]any) { m["oath"].(map[string]any)["secret"] = "1" },
	} {
		if code, _, err := parse(t, file(t, edit)).Code(time.Now()); err == nil {
			t.Errorf("%s: %s", name, code)
		}
	}
}

// A clock that is wrong by minutes costs one more request; a refusal for
// another reason costs none.
func TestWrongClockIsMended(t *testing.T) {
	var asked []string
	now, removed := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := strings.Split(r.Header.Get("Authorization"), ".")[3]
		asked = append(asked, at)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		if at != fmt.Sprint(now.Unix()) || removed {
			w.WriteHeader(http.StatusUnauthorized)
			reason := "wrong_clock"
			if removed {
				reason = "not_active"
			}
			fmt.Fprintf(w, `{"error":{"code":"denied","reason":%q,"message":"no"}}`, reason)
			return
		}
		fmt.Fprint(w, `{"version":"v","pushes":[]}`)
	}))
	defer server.Close()
	d := parse(t, file(t, nil))
	c, err := device.New(device.Options{URL: server.URL, Now: func() time.Time { return now.Add(-7 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Pushes(t.Context(), d, "", 0); err != nil || len(asked) != 2 {
		t.Errorf("asked %v, %v", asked, err)
	}
	if _, err := c.Pushes(t.Context(), d, "", 0); err != nil || len(asked) != 3 {
		t.Errorf("then %v, %v", asked, err)
	}
	removed = true
	if _, err := c.Press(t.Context(), d, "c", "approve", "", secret.Bytes{}); cloud.ReasonOf(err) != cloud.NotActive || len(asked) != 4 {
		t.Errorf("a removed device: %v, %v", asked, err)
	}
}

func TestAddressesInTheClearAreRefused(t *testing.T) {
	for _, url := range []string{"http://engine.example", "ftp://127.0.0.1", "engine.example", "https://u:p@engine.example"} {
		if _, err := device.New(device.Options{URL: url}); err == nil {
			t.Errorf("%s: taken", url)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f, nil).Reveal())
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := device.Parse(secret.New(b))
		if err != nil {
			return
		}
		again, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		parse(t, again)
		_, _, _ = d.Code(time.Unix(1111111109, 0))
	})
}

// A stream is heard until its hearer has enough, the engine ends it, or it
// breaks; a test is known by its name.
func TestStreamOfEvents(t *testing.T) {
	status, text := http.StatusOK, ":\n\nevent: pushes\ndata: {}\n\nevent: test\ndata: {\"id\":\"b\"}\n\nevent: test\ndata: {\"id\":\"a\"}\n\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	c, err := device.New(device.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, heard := parse(t, file(t, nil)), ""
	hear := func(e device.Event) bool { heard += e.Name + string(e.Data); return !e.IsTest("b") }
	if err := c.Events(t.Context(), d, hear); err != nil || heard != `pushes{}test{"id":"b"}` {
		t.Errorf("%s, %v", heard, err)
	}
	if err := c.Events(t.Context(), d, func(device.Event) bool { return true }); err != nil {
		t.Errorf("the engine ends it: %v", err)
	}
	text = "data: " + strings.Repeat("x", 1<<20)
	if err := c.Events(t.Context(), d, hear); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a line without end: %v", err)
	}
	status, text = http.StatusUnauthorized, `{"error":{"code":"denied","message":"no"}}`
	if err := c.Events(t.Context(), d, hear); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a removed device: %v", err)
	}
	if (device.Event{Name: "pushes", Data: []byte(`{"id":"a"}`)}).IsTest("a") || (device.Event{Name: "test", Data: []byte(`[`)}).IsTest("") {
		t.Error("that is no test")
	}
}
