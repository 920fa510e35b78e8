package webpush_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine"
)

// browser is the other end of a subscription: it decrypts as RFC 8291 says,
// without a line of what encrypts.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key: key, auth: make([]byte, 16)}
	rand.Read(b.auth)
	return b
}

func (b *browser) subscription(endpoint string) *engine.Subscription {
	return &engine.Subscription{Endpoint: endpoint, P256DH: b64.EncodeToString(b.key.PublicKey().Bytes()), Auth: b64.EncodeToString(b.auth)}
}

// open decrypts a body of one record (RFC 8188 §2, RFC 8291 §3.4).
func (b *browser) open(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no header")
	}
	salt, public, sealed := body[:16], body[21:86], body[86:]
	if size := binary.BigEndian.Uint32(body[16:20]); int(size) < len(sealed) {
		return nil, errors.New("more than a record")
	}
	theirs, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	derive := func(from, salt []byte, info string, n int) []byte {
		out, err := hkdf.Key(sha256.New, from, salt, info, n)
		if err != nil {
			panic(err)
		}
		return out
	}
	ikm := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(public), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		return nil, err
	}
	text, padding, ok := strings.Cut(string(plain), "\x02")
	if !ok || strings.Trim(padding, "\x00") != "" {
		return nil, errors.New("no end of the record")
	}
	return []byte(text), nil
}

// service is a push service.
type service struct {
	*httptest.Server
	ca   string
	came chan *http.Request // with its body read into a reader again
}

// serve begins one that answers with a handler after it has told.
func serve(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{came: make(chan *http.Request, 64), ca: filepath.Join(t.TempDir(), "ca.pem")}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.came <- r
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

func (s *service) host() string { return strings.TrimPrefix(s.URL, "https://") }

// got waits for a request.
func (s *service) got(t testing.TB) *http.Request {
	t.Helper()
	select {
	case r := <-s.came:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		return nil
	}
}

// isSigned checks the signature of RFC 8292 on its own.
func isSigned(t *testing.T, header, key, audience string) {
	t.Helper()
	rest, ok := strings.CutPrefix(header, "vapid ")
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	token := strings.Split(fields["t"], ".")
	if !ok || len(token) != 3 || fields["k"] != key {
		t.Fatalf("%q", header)
	}
	point, err := b64.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := b64.DecodeString(token[2])
	sum := sha256.Sum256([]byte(token[0] + "." + token[1]))
	if err != nil || len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the signature does not hold")
	}
	text, err := b64.DecodeString(token[1])
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := errors.Join(err, json.Unmarshal(text, &claims)); err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(claims.Exp, 0))
	if claims.Aud != audience || claims.Sub != "mailto:it@contoso.example" || left <= 0 || left > 24*time.Hour {
		t.Errorf("claims %s", text)
	}
}
