package nativeauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/nativeauth"
	"mfabridge/cloud/session/sessiontest"
	"mfabridge/internal/secret"
)

const (
	client   = "11111111-2222-3333-4444-555555555555"
	password = "Blue-Heron-42" // synthetic, everybody's
)

// tenant plays the published interface in front of an engine. Whatever the
// engine asks for is a code here.
type tenant struct {
	*httptest.Server
	h *sessiontest.House

	mu     sync.Mutex
	n      int
	flows  map[string]flow // by continuation token, once each
	says   func(path string) (status int, body string)
	policy string // suberror behind a right password; "" none is wanted
}

type flow struct {
	step, upn string
	challenge cloud.ChallengeID
}

func newTenant(t *testing.T) *tenant {
	s := &tenant{h: sessiontest.Open(t), flows: map[string]flow{}, policy: "mfa_required"}
	mux := http.NewServeMux()
	for path, step := range map[string]func(r *http.Request, f flow) (int, map[string]any){
		"initiate": s.initiate, "challenge": s.challenge, "introspect": s.introspect, "token": s.token,
	} {
		mux.HandleFunc("POST /contoso/oauth2/v2.0/"+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if s.says != nil {
				if status, body := s.says(path); status != 0 {
					w.WriteHeader(status)
					fmt.Fprint(w, body)
					return
				}
			}
			if r.FormValue("client_id") != client {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":"unauthorized_client"}`)
				return
			}
			s.mu.Lock()
			f := s.flows[r.FormValue("continuation_token")]
			delete(s.flows, r.FormValue("continuation_token"))
			s.mu.Unlock()
			status, body := step(r, f)
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

// next is a fresh continuation token.
func (s *tenant) next(f flow) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	token := fmt.Sprintf("continuation-%d", s.n)
	s.flows[token] = f
	return token
}

func failed(words ...string) (int, map[string]any) {
	body := map[string]any{"error": words[0], "error_description": "AADSTS: synthetic"}
	if len(words) > 1 {
		body["suberror"] = words[1]
	}
	if len(words) > 2 {
		body["continuation_token"] = words[2]
	}
	return http.StatusBadRequest, body
}

func (s *tenant) initiate(r *http.Request, _ flow) (int, map[string]any) {
	if !strings.Contains(r.FormValue("challenge_type"), "redirect") || r.FormValue("capabilities") != "mfa_required" {
		return failed("invalid_request")
	}
	return http.StatusOK, map[string]any{"continuation_token": s.next(flow{step: "challenge", upn: r.FormValue("username")})}
}

func (s *tenant) challenge(r *http.Request, f flow) (int, map[string]any) {
	switch {
	case f.step == "challenge":
		return http.StatusOK, map[string]any{"challenge_type": "password", "continuation_token": s.next(flow{step: "password", upn: f.upn})}
	case f.step == "second" && r.FormValue("id") == "the-only-one":
		c, err := s.h.Begin(context.WithoutCancel(r.Context()), cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: f.upn}, Tries: 50})
		if err != nil || c.State != cloud.Pending {
			return failed("access_denied", "provider_blocked_by_admin")
		}
		s.h.Begun(c.ID)
		return http.StatusOK, map[string]any{"challenge_type": "oob", "challenge_channel": "sms", "challenge_target_label": "+44********00", "code_length": 8,
			"binding_method": "prompt", "continuation_token": s.next(flow{step: "code", upn: f.upn, challenge: c.ID})}
	}
	return failed("invalid_grant")
}

func (s *tenant) introspect(_ *http.Request, f flow) (int, map[string]any) {
	if f.step != "introspect" {
		return failed("invalid_grant")
	}
	return http.StatusOK, map[string]any{"continuation_token": s.next(flow{step: "second", upn: f.upn}),
		"methods": []map[string]any{{"id": "a-key", "challenge_type": "fido"}, {"id": "the-only-one", "challenge_type": "oob", "challenge_channel": "sms", "login_hint": "+44********00"}}}
}

var tokens = map[string]any{"token_type": "Bearer", "access_token": "synthetic", "expires_in": 3600}

func (s *tenant) token(r *http.Request, f flow) (int, map[string]any) {
	switch grant := r.FormValue("grant_type"); {
	case grant == "password" && f.step == "password":
		_, _, unknown := s.h.Who(context.WithoutCancel(r.Context()), cloud.Key{Kind: cloud.ByUPN, Value: f.upn})
		switch {
		case unknown != nil:
			return failed("user_not_found")
		case r.FormValue("password") != password:
			return failed("invalid_grant")
		case s.policy == "":
			return http.StatusOK, tokens
		}
		return failed("invalid_grant", s.policy, s.next(flow{step: "introspect", upn: f.upn}))
	case grant == "mfa_oob" && f.step == "code":
		d, err := s.h.Answer(context.WithoutCancel(r.Context()), cloud.Answer{Challenge: f.challenge, Code: secret.FromString(r.FormValue("oob"))})
		switch {
		case err == nil && d.State == cloud.Approved:
			return http.StatusOK, tokens
		case err == nil && d.State == cloud.Pending:
			return failed("invalid_grant", "invalid_oob_value", s.next(f))
		case err == nil && d.State == cloud.Expired:
			return failed("expired_token")
		}
	}
	return failed("invalid_grant")
}

func (s *tenant) verifier(t *testing.T) *nativeauth.Verifier {
	t.Helper()
	v, err := nativeauth.New(nativeauth.Options{Base: s.URL + "/contoso/", ClientID: client, Client: s.Client(), Who: s.h.Who, Now: s.h.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// proving is the driver with a first factor before each second one, as the
// shim does it.
type proving struct{ *nativeauth.Verifier }

func (p proving) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	if _, err := p.CheckPassword(ctx, r.Subject, secret.FromString(password), r.Client); err != nil {
		return cloud.Challenge{}, err
	}
	return p.Verifier.Begin(ctx, r)
}

func TestVerifier(t *testing.T) {
	later := "a code comes after the challenge only"
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		s := newTenant(t)
		p := s.h.Peer(proving{s.verifier(t)}, map[string]string{
			"a right code is accepted once":          "one word stands for used and wrong codes",
			"a code with the request":                later,
			"an equal request gets the same verdict": later,
			"a key does not pass to another user":    later,
			"one of many logins wins":                later,
			"many equal requests are one login":      later,
			"a far clock needs two codes":            later,
			"several generators":                     later,
			"every algorithm":                        later,
			"two generators with one secret":         later,
			"failures slow one station down":         later,
			"a success ends the count":               later,
			"the clock is set back":                  later,
			"a block counts after an approval":       "what was approved is not asked about again",
			"a block counts between the legs":        "no word says why somebody is refused",
			"who cannot be asked":                    "the same",
			"a resend ends the code before":          "the same",
			"somebody else of the same name":         "no parameter names a security identifier",
			"a sent code":                            "only the tenant knows how long it lasts",
		})
		p.Telephone = nil // neither pushes nor calls
		p.Method = cloud.SMS
		return p
	})
}

func TestPasswordThenText(t *testing.T) {
	s := newTenant(t)
	id := s.h.Ada(t)
	v := s.verifier(t)
	p := s.h.Peer(v, nil)
	key := cloud.Key{Kind: cloud.ByUPN, Value: "Ada@contoso.example"}
	for _, bad := range []string{"", "other", strings.Repeat("x", 300)} {
		if proof, err := v.CheckPassword(t.Context(), key, secret.FromString(bad), cloud.Client{}); err != nil || proof.OK || proof.Reason != cloud.WrongPassword {
			t.Fatalf("%q: %+v, %v", bad, proof, err)
		}
	}
	if proof, err := v.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByUPN, Value: "nobody@contoso.example"}, secret.FromString(password), cloud.Client{}); err != nil || proof.OK || proof.Reason != cloud.WrongPassword {
		t.Fatalf("nobody: %+v, %v", proof, err)
	}
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3}
	if c, err := v.Begin(t.Context(), r); err != nil || c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Fatalf("without a first factor: %+v, %v", c, err)
	}
	proof, err := v.CheckPassword(t.Context(), key, secret.FromString(password), cloud.Client{})
	if err != nil || !proof.OK || proof.User != id {
		t.Fatalf("%+v, %v", proof, err)
	}
	c, err := p.Verifier.Begin(t.Context(), r)
	if err != nil || c.State != cloud.Pending || c.Method != cloud.SMS || c.Prompt != "Enter the code sent to +44********00" {
		t.Fatalf("%+v, %v", c, err)
	}
	if c, err := v.Begin(t.Context(), r); err != nil || c.State != cloud.Refused {
		t.Fatalf("one first factor for two logins: %+v, %v", c, err)
	}
	right := p.SentCode(t, c.ID)
	wrong := "000000"
	if right == wrong {
		wrong = "000001"
	}
	for _, a := range []struct {
		code string
		want cloud.State
	}{{wrong, cloud.Pending}, {right, cloud.Approved}, {right, cloud.Refused}} {
		if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(a.code)}); err != nil || d.State != a.want {
			t.Fatalf("%s: %+v, %v", a.want, d, err)
		}
	}
}

// A proof does not wait for ever.
func TestProofRunsOut(t *testing.T) {
	s := newTenant(t)
	id := s.h.Ada(t)
	v := s.verifier(t)
	if proof, err := v.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString(password), cloud.Client{}); err != nil || !proof.OK {
		t.Fatalf("%+v, %v", proof, err)
	}
	s.h.Advance(2 * time.Minute)
	if c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1}); err != nil || c.State != cloud.Refused {
		t.Errorf("%+v, %v", c, err)
	}
}

// Whom the tenant asks for no second factor, or for one that cannot be given
// here, is not let in.
func TestWithoutASecondFactorNobodyIsLetIn(t *testing.T) {
	for policy, reason := range map[string]cloud.Reason{"": cloud.NotAllowed, "registration_required": cloud.NoMethod} {
		s := newTenant(t)
		s.policy = policy
		id := s.h.Ada(t)
		v := s.verifier(t)
		if proof, err := v.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString(password), cloud.Client{}); err != nil || !proof.OK {
			t.Fatalf("%+v, %v", proof, err)
		}
		if c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1}); err != nil || c.State != cloud.Refused || c.Reason != reason {
			t.Errorf("%q: %+v, %v", policy, c, err)
		}
	}
}

func TestStrangeAnswersLetNobodyIn(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"ok without a token":   {200, `{"token_type":"Bearer"}`},
		"a token with 400":     {400, `{"access_token":"x","error":"invalid_grant"}`},
		"no json":              {200, `approved`},
		"redirect":             {200, `{"challenge_type":"redirect","redirect_reason":"x"}`},
		"another suberror":     {400, `{"error":"invalid_grant","suberror":"delighted"}`},
		"moved":                {302, `{"access_token":"x"}`},
		"too long":             {200, `{"access_token":"` + strings.Repeat("x", 70<<10) + `"}`},
		"hostile error":        {400, `{"error":"<script>alert(1)</script>"}`},
		"a token of two kinds": {500, `{"access_token":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTenant(t)
			id := s.h.Ada(t)
			v := s.verifier(t)
			key := cloud.Key{Kind: cloud.ByID, Value: string(id)}
			if _, err := v.CheckPassword(t.Context(), key, secret.FromString(password), cloud.Client{}); err != nil {
				t.Fatal(err)
			}
			c, err := v.Begin(t.Context(), cloud.Request{Subject: key, Tries: 1})
			if err != nil || c.State != cloud.Pending {
				t.Fatalf("%+v, %v", c, err)
			}
			s.says = func(string) (int, string) { return answer.status, answer.body }
			d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("000000")})
			if err == nil && d.State == cloud.Approved || err != nil && strings.Contains(err.Error(), "script") {
				t.Errorf("%+v, %v", d, err)
			}
			proof, err := v.CheckPassword(t.Context(), key, secret.FromString("anything"), cloud.Client{})
			if err == nil && proof.OK && !strings.Contains(answer.body, "redirect") {
				t.Errorf("the first factor: %+v", proof)
			}
		})
	}
}

func TestMisconfigurationIsSaid(t *testing.T) {
	s := newTenant(t)
	id := s.h.Ada(t)
	v, err := nativeauth.New(nativeauth.Options{Base: s.URL + "/contoso", ClientID: "another", Client: s.Client(), Who: s.h.Who, Now: s.h.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString(password), cloud.Client{}); cloud.KindOf(err) != cloud.Denied || !strings.Contains(err.Error(), "unauthorized_client") {
		t.Errorf("got %v", err)
	}
	for _, o := range []nativeauth.Options{{Base: "http://127.0.0.1/", ClientID: client}, {Base: "https://127.0.0.1/"}, {Base: "https://u:p@127.0.0.1/", ClientID: client}} {
		o.Client = &http.Client{}
		if _, err := nativeauth.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// Guesses of a password reach the tenant five times from one place, then ever
// more slowly; from another place the user is not locked out by them.
func TestPasswordsAreGuessedSlowly(t *testing.T) {
	s := newTenant(t)
	s.h.Ada(t)
	v := s.verifier(t)
	key := cloud.Key{Kind: cloud.ByName, Value: "ada@contoso.example"}
	var heard atomic.Int32
	s.says = func(path string) (int, string) {
		if path == "token" {
			heard.Add(1)
		}
		return 0, ""
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if proof, err := v.CheckPassword(t.Context(), key, secret.FromString(fmt.Sprint("guess ", i)), cloud.Client{Station: "10.1.2.3"}); err != nil || proof.OK {
				t.Errorf("%+v, %v", proof, err)
			}
		})
	}
	all.Wait()
	if n := heard.Load(); n != 5 {
		t.Errorf("the tenant heard of %d passwords", n)
	}
	if proof, err := v.CheckPassword(t.Context(), key, secret.FromString(password), cloud.Client{Station: "10.1.2.3"}); err != nil || proof.OK || proof.Reason != cloud.TooManyTries {
		t.Errorf("the right one while slowed down: %+v, %v", proof, err)
	}
	if proof, err := v.CheckPassword(t.Context(), key, secret.FromString(password), cloud.Client{Station: "10.9.9.9"}); err != nil || !proof.OK {
		t.Errorf("from elsewhere: %+v, %v", proof, err)
	}
	s.h.Advance(15 * time.Minute)
	if proof, err := v.CheckPassword(t.Context(), key, secret.FromString(password), cloud.Client{Station: "10.1.2.3"}); err != nil || !proof.OK {
		t.Errorf("later: %+v, %v", proof, err)
	}
}

// One user's proofs are few, and leave the others room.
func TestProofsOfOneUserAreFew(t *testing.T) {
	s := newTenant(t)
	id := s.h.Ada(t)
	v := s.verifier(t)
	for range 20 {
		if proof, err := v.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString(password), cloud.Client{}); err != nil || !proof.OK {
			t.Fatalf("%+v, %v", proof, err)
		}
	}
	asked := 0
	for range 20 {
		if c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1}); err == nil && c.State == cloud.Pending {
			asked++
		}
	}
	if asked == 0 || asked > 8 {
		t.Errorf("%d logins went on", asked)
	}
}
