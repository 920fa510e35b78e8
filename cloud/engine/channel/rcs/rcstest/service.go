// Package rcstest plays the service of RCS for Business for tests, from the
// published reference: tokens for assertions that it can verify, messages by
// id, calling back.
package rcstest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/internal/secret"
)

// Agent is the agent that the service knows.
const Agent = "contoso_agent"

// Service plays the published API: tokens for assertions that it can verify,
// messages by id, calling back.
type Service struct {
	*httptest.Server
	sync.Mutex
	key *rsa.PrivateKey

	Tokens   int
	Garbled  bool              // tokens are answered with a page
	Messages map[string]string // id to body
	Revoked  []string
	Asked    int
	Status   int    // of messages, where not 200
	Without  string // how numbers begin that have no RCS; empty: all have it
	Refuse   int    // how many requests are answered 401
}

// New starts one on the loopback.
func New(t testing.TB) *Service {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{key: key, Messages: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /v1/phones/{number}/agentMessages", s.guard(s.send))
	mux.HandleFunc("GET /v1/phones/{number}/capabilities", s.guard(s.capabilities))
	mux.HandleFunc("DELETE /v1/phones/{number}/agentMessages/{id}", s.guard(s.revoke))
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *Service) token(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	signed, err := jwt.ParseSigned(r.FormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	var claims jwt.Claims
	var more struct {
		Scope string `json:"scope"`
	}
	if err != nil || signed.Claims(&s.key.PublicKey, &claims, &more) != nil || claims.Issuer != "sender@contoso.example" || !claims.Audience.Contains(s.URL+"/token") ||
		claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Hour || !strings.HasSuffix(more.Scope, "/auth/rcsbusinessmessaging") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	s.Tokens++
	if s.Garbled {
		fmt.Fprint(w, "<html>maintenance</html>")
		return
	}
	fmt.Fprintf(w, `{"access_token":"t%d","expires_in":3600,"token_type":"Bearer"}`, s.Tokens)
}

func (s *Service) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Lock()
		defer s.Unlock()
		if s.Refuse > 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", s.Tokens) || r.FormValue("agentId") != Agent {
			s.Refuse--
			http.Error(w, `{"error":{"status":"UNAUTHENTICATED"}}`, http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func (s *Service) send(w http.ResponseWriter, r *http.Request) {
	if s.Status != 0 {
		http.Error(w, `{"error":{"message":"+14255550142"}}`, s.Status)
		return
	}
	if s.Without != "" && strings.HasPrefix(r.PathValue("number"), s.Without) {
		http.Error(w, `{"error":{"status":"NOT_FOUND"}}`, http.StatusNotFound)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if id := r.FormValue("messageId"); s.Messages[id] == "" {
		s.Messages[id] = string(body)
	}
	fmt.Fprint(w, "{}")
}

func (s *Service) capabilities(w http.ResponseWriter, r *http.Request) {
	s.Asked++
	if s.Status != 0 || s.Without != "" && strings.HasPrefix(r.PathValue("number"), s.Without) {
		http.Error(w, "{}", max(s.Status, http.StatusNotFound))
		return
	}
	fmt.Fprint(w, `{"features":["RICHCARD_STANDALONE"]}`)
}

func (s *Service) revoke(w http.ResponseWriter, r *http.Request) {
	if s.Messages[r.PathValue("id")] == "" {
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	s.Revoked = append(s.Revoked, r.PathValue("id"))
	fmt.Fprint(w, "{}")
}

// File is the key file of the service account.
func (s *Service) File(t testing.TB) secret.Bytes {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "sender@contoso.example", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": s.URL + "/token"})
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(b)
}
