package webpushtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a message is waited for: it is spent only where none comes.
const patience = 30 * time.Second

// Service is a push service.
type Service struct {
	*httptest.Server
	CA   string             // file of the authority of its certificate
	Came chan *http.Request // with its body read into a reader again
}

// Serve begins one on the loopback that answers with a handler after it has told.
func Serve(t testing.TB, answer http.HandlerFunc) *Service {
	t.Helper()
	s := &Service{Came: make(chan *http.Request, 64), CA: filepath.Join(t.TempDir(), "ca.pem")}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.Came <- r
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	if err := os.WriteFile(s.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Created is the answer of a service that has taken a message (RFC 8030 §5).
func Created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

// Host is its host with the port, as a configuration names it.
func (s *Service) Host() string { return strings.TrimPrefix(s.URL, "https://") }

// Got waits for a request.
func (s *Service) Got(t testing.TB) *http.Request {
	t.Helper()
	select {
	case r := <-s.Came:
		return r
	case <-time.After(patience):
		t.Fatal("nothing came")
		return nil
	}
}

// Signed checks the signature of a request (RFC 8292 §2, §3) on its own: that it
// is of a key, in Base64url, for this service, and names whom to write to.
func (s *Service) Signed(r *http.Request, key, subject string) error {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "vapid ")
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	token := strings.Split(fields["t"], ".")
	if !ok || len(token) != 3 || fields["k"] != key {
		return fmt.Errorf("no signature of %s: %q", key, rest)
	}
	point, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil {
		return err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return err
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[2])
	sum := sha256.Sum256([]byte(token[0] + "." + token[1]))
	if err != nil || len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return errors.New("the signature does not hold")
	}
	text, err := base64.RawURLEncoding.DecodeString(token[1])
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := errors.Join(err, json.Unmarshal(text, &claims)); err != nil {
		return err
	}
	left := time.Until(time.Unix(claims.Exp, 0))
	if claims.Aud != s.URL || claims.Sub != subject || left <= 0 || left > 24*time.Hour {
		return fmt.Errorf("claims %s", text)
	}
	return nil
}
