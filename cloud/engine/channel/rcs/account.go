package rcs

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// scope is what a token is asked for.
const scope = "https://www.googleapis.com/auth/rcsbusinessmessaging"

// Account is a service account that may speak for the agent.
type Account struct {
	Email    string
	KeyID    string
	TokenURI string // where tokens are asked for
	key      *rsa.PrivateKey
}

// maxAccount bounds the file of an account.
const maxAccount = 16 << 10

// ParseAccount reads the key file of a service account (JSON with
// client_email, private_key_id, private_key as PKCS #8 in PEM, and token_uri).
// An error quotes nothing of it.
func ParseAccount(file secret.Bytes) (Account, error) {
	var f struct {
		Type     string `json:"type"`
		Email    string `json:"client_email"`
		KeyID    string `json:"private_key_id"`
		Key      string `json:"private_key"`
		TokenURI string `json:"token_uri"`
	}
	if file.Len() > maxAccount || json.Unmarshal(file.Reveal(), &f) != nil {
		return Account{}, errors.New("the key file of the service account is not the JSON that the console hands out")
	}
	if f.Type != "service_account" || f.Email == "" {
		return Account{}, errors.New("the key file is not one of a service account")
	}
	block, _ := pem.Decode([]byte(f.Key))
	if block == nil || block.Type != "PRIVATE KEY" {
		return Account{}, errors.New("the key file of the service account holds no private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, is := parsed.(*rsa.PrivateKey)
	if err != nil || !is || key.N.BitLen() < 2048 {
		return Account{}, errors.New("the private key of the service account is not RSA of 2048 bits or more")
	}
	at, err := url.Parse(f.TokenURI)
	if err != nil || at.Scheme != "https" || at.Host == "" {
		return Account{}, errors.New("token_uri of the service account is not https://…")
	}
	return Account{Email: f.Email, KeyID: f.KeyID, TokenURI: f.TokenURI, key: key}, nil
}

// tokens keeps one access token and asks for the next.
type tokens struct {
	account Account
	signer  jose.Signer
	client  *http.Client
	why     func(ctx context.Context, err error) error
	now     func() time.Time

	mu      sync.Mutex // one asks, the others wait for it
	current secret.Bytes
	until   time.Time
}

// Times of tokens.
const (
	assertionLife = 5 * time.Minute
	early         = time.Minute // a token is renewed before it ends
	maxTokenLife  = time.Hour
)

func newTokens(a Account, client *http.Client, why func(context.Context, error) error, now func() time.Time) (*tokens, error) {
	if a.key == nil {
		return nil, errors.New("there is no service account")
	}
	key := jose.JSONWebKey{Key: a.key, KeyID: a.KeyID}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errors.New("the key of the service account cannot sign")
	}
	return &tokens{account: a, signer: signer, client: client, why: why, now: now}, nil
}

// get is a token that is good for a while.
func (t *tokens) get(ctx context.Context) (secret.Bytes, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.current.IsZero() && t.now().Before(t.until) {
		return t.current, nil
	}
	token, life, err := t.fetch(ctx)
	if err != nil {
		return secret.Bytes{}, err
	}
	t.current, t.until = token, t.now().Add(min(life, maxTokenLife)-early)
	return token, nil
}

// drop forgets a token that was refused.
func (t *tokens) drop(token secret.Bytes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.Equal(token) {
		t.current = secret.Bytes{}
	}
}

// fetch asks for a token with a signed assertion (RFC 7523).
func (t *tokens) fetch(ctx context.Context) (secret.Bytes, time.Duration, error) {
	now := t.now()
	assertion, err := jwt.Signed(t.signer).Claims(jwt.Claims{Issuer: t.account.Email, Audience: jwt.Audience{t.account.TokenURI},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife))}).Claims(map[string]any{"scope": scope}).Serialize()
	if err != nil {
		return secret.Bytes{}, 0, errors.New("the key of the service account cannot sign")
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.account.TokenURI, strings.NewReader(form.Encode()))
	if err != nil {
		return secret.Bytes{}, 0, errors.New("token_uri of the service account cannot be used")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := t.client.Do(r)
	if err != nil {
		return secret.Bytes{}, 0, carrier.Mark(carrier.ErrUnwell, "no access token: "+t.why(ctx, err).Error()) // no message was sent
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode != http.StatusOK {
		return secret.Bytes{}, 0, carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("no access token: the service answered %d", answer.StatusCode))
	}
	var given struct {
		Token string `json:"access_token"`
		Life  int    `json:"expires_in"`
	}
	if json.Unmarshal(body, &given) != nil || given.Token == "" || strings.ContainsAny(given.Token, " \r\n") {
		return secret.Bytes{}, 0, carrier.Mark(carrier.ErrUnwell, "no access token: the service answered something else")
	}
	return secret.FromString(given.Token), time.Duration(given.Life) * time.Second, nil
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
