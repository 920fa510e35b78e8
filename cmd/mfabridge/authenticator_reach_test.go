package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What stands between the engine and a device may hold events back, or bring the
// request to another engine than the stream: the outcome says so.
func TestAuthenticatorTestThatDoesNotArrive(t *testing.T) {
	device := func(t *testing.T, url string) string {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(map[string]any{"format": 1, "url": url, "user_id": "u", "user": "ada@contoso.example", "device": "d", "name": "n", "key": inner})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "device.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, answer, says string
		wait               string
		holds              bool
		code               int
		out                string
	}{
		{name: "a stream that nobody knows", answer: `{"streams":0,"push_service":"none"}`, says: "knows of no stream", wait: "3s", code: exitFailed, out: `{"type":"test","arrived":false,"milliseconds":null,"streams":0,"push_service":"none"}`},
		{name: "events that are held back", answer: `{"streams":1,"push_service":"none"}`, says: "without buffering", wait: "3s", code: exitFailed, out: `{"type":"test","arrived":false,"milliseconds":null,"streams":1,"push_service":"none"}`},
		{name: "a stream that is held back", holds: true, wait: "300ms", says: "opens no stream", code: exitUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/test") {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, c.answer)
					return
				}
				if !c.holds {
					_, _ = io.WriteString(w, "event: pushes\ndata: {}\n\nevent: test\ndata: {\"id\":\"of another\"}\n\n")
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // to return is to end the stream, or to answer 200
			}))
			defer server.Close()
			test := []string{"authenticator", "test", "--device", device(t, server.URL), "--wait", c.wait, "--format", "json"}
			r := mfabridge(t, test...)
			for n := 0; n < 20 && !c.holds && strings.Contains(r.err, "opens no stream"); n++ { // a busy machine opened it too late
				r = mfabridge(t, test...)
			}
			if r.code != c.code || strings.TrimSpace(r.out) != c.out || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, %s%s", r.code, r.out, r.err)
			}
		})
	}
}
