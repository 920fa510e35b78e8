package graph_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// tripper changes what goes to and comes from a tenant.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// writes tells whether a request changes something.
func writes(body []byte) bool {
	return bytes.Contains(body, []byte(`"phoneNumber"`)) || bytes.Contains(body, []byte(`"method":"DELETE"`))
}

// mutate sees every request with its body, one at a time though they travel in
// parallel, and may answer in the tenant's place.
func mutate(x *tenant, f func(r *http.Request, body []byte) (*http.Response, error)) tripper {
	var one sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		one.Lock()
		resp, err := f(r, body)
		one.Unlock()
		if resp != nil || err != nil {
			return resp, err
		}
		return x.RoundTrip(r)
	}
}

func someChanges() []cloud.Change {
	return []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"), change(adaID, cloud.Add, cloud.Office, "", "+1 4255550102"),
		change(bobID, cloud.Add, cloud.Mobile, "", "+1 4255550103"), change(bobID, cloud.Add, cloud.Email, "", "bob@home.example")}
}

func outcomes(results []cloud.Result) string {
	var words []string
	for _, r := range results {
		word := string(r.Outcome)
		if r.Err != nil {
			word += " " + cloud.KindOf(r.Err).String()
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

const allDone = "done, done, done, done"

// Of a batch in which some items are throttled, the others are not sent again.
func TestThrottledPartOfABatch(t *testing.T) {
	x := newTenant(t)
	x.fault = func(method, path string, n int) (int, http.Header) {
		if method == "POST" && strings.Contains(path, bobID) && strings.HasSuffix(path, "Methods") && n < 4 {
			return 429, http.Header{"Retry-After": {"3"}}
		}
		return 0, nil
	}
	if got := outcomes(x.open().Write(t.Context(), someChanges())); got != allDone {
		t.Errorf("got %s", got)
	}
	if n := x.calls["POST /users/"+adaID+"/authentication/phoneMethods"]; n != 2 {
		t.Errorf("what was done was sent %d times, want 2 changes once each", n)
	}
	if n := x.calls["POST /users/"+bobID+"/authentication/phoneMethods"]; n != 4 {
		t.Errorf("what was throttled was sent %d times", n)
	}
}

// The answer to a batch comes in part, garbled, or not at all: what was done
// counts, and nothing is done twice.
func TestTornAnswers(t *testing.T) {
	for name, tear := range map[string]func(*http.Response) (*http.Response, error){
		"in the middle": func(r *http.Response) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b[:len(b)/2]), broken{}))
			return r, nil
		},
		"short, as if it were whole": func(r *http.Response) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(b[:len(b)/2]))
			return r, nil
		},
		"a page of a proxy": func(r *http.Response) (*http.Response, error) {
			r.Body = io.NopCloser(strings.NewReader("<html>please log in</html>"))
			return r, nil
		},
		"a refusal of a proxy": func(r *http.Response) (*http.Response, error) {
			r.StatusCode, r.Body = 502, io.NopCloser(strings.NewReader("<html>bad gateway</html>"))
			return r, nil
		},
		"empty":     func(r *http.Response) (*http.Response, error) { r.Body = http.NoBody; return r, nil },
		"no answer": func(*http.Response) (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"answers of others": func(r *http.Response) (*http.Response, error) {
			r.Body = io.NopCloser(strings.NewReader(`{"responses":[{"id":"77","status":201,"body":{}},{"id":"x"},{"id":"-1"}]}`))
			return r, nil
		},
		"none of the answers": func(r *http.Response) (*http.Response, error) {
			r.Body = io.NopCloser(strings.NewReader(`{"responses":[]}`))
			return r, nil
		},
	} {
		for _, before := range []bool{false, true} { // the change came to the tenant, or it did not
			x := newTenant(t)
			torn := 0
			d := x.open(func(o *graph.Options) {
				o.Transport = mutate(x, func(r *http.Request, body []byte) (*http.Response, error) {
					if !writes(body) {
						return nil, nil
					}
					if torn++; torn > 1 {
						return nil, nil
					}
					if before {
						return tear(&http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"responses":[{"id":"1"}]}`))})
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
					resp, err := x.RoundTrip(r)
					if err != nil {
						return nil, err
					}
					return tear(resp)
				})
			})
			if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone {
				t.Errorf("%s, lost before %v: %s", name, before, got)
			}
			if n := x.calls["POST /users/"+adaID+"/authentication/phoneMethods"]; n != 2 {
				t.Errorf("%s, lost before %v: sent %d times", name, before, n)
			}
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// shortLived gives tokens that are over after a few requests.
type shortLived struct{ n atomic.Int32 }

func (s *shortLived) GetToken(context.Context, azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: strings.Repeat("t", int(s.n.Add(1))), ExpiresOn: time.Now()}, nil
}

func TestTokenEndsInTheMiddle(t *testing.T) {
	const parallel = 8
	x := newTenant(t)
	tokens := &shortLived{}
	d := x.open(func(o *graph.Options) {
		o.Credential = tokens
		o.Transport = mutate(x, func(r *http.Request, _ []byte) (*http.Response, error) {
			// Requests travel in parallel: one that was given its token a moment ago is let in.
			if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); len(token) < int(tokens.n.Load())-parallel {
				return reply(401, nil, map[string]any{"error": map[string]string{"code": "InvalidAuthenticationToken"}}, x.date())
			}
			return nil, nil
		})
	})
	if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone || tokens.n.Load() < 3 {
		t.Errorf("got %s with %d tokens", got, tokens.n.Load())
	}
}

// A token that is refused, an application that was removed, and an authority
// that cannot be reached end the run: no user is to blame.
func TestTheCallerIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(x *tenant) (*http.Response, error)
		kind   cloud.Kind
	}{
		"token": {func(x *tenant) (*http.Response, error) {
			return reply(401, nil, map[string]any{"error": map[string]string{"code": "InvalidAuthenticationToken"}}, x.date())
		}, cloud.Denied},
		"permission": {func(x *tenant) (*http.Response, error) {
			return reply(403, nil, map[string]any{"error": map[string]string{"code": "accessDenied"}}, x.date())
		}, cloud.Denied},
	} {
		x := newTenant(t)
		done := 0
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
				if writes(body) {
					if done++; done > 1 {
						return c.answer(x)
					}
				}
				return nil, nil
			})
		})
		results := d.Write(t.Context(), someChanges())
		kind := c.kind.String()
		if got := outcomes(results); got != "done, failed "+kind+", done, failed "+kind {
			t.Errorf("%s: %s", name, got)
		}
		done = -100 // it is given again
		if got := outcomes(d.Write(t.Context(), someChanges())); got != "already, done, already, done" {
			t.Errorf("%s, given again: %s", name, got)
		}
	}
	x := newTenant(t)
	who := &application{roles: everyRole()}
	d := x.open(func(o *graph.Options) { o.Credential = who })
	who.err = errors.New("the authority cannot be reached")
	_ = d
	if _, err := graph.Open(t.Context(), graph.Options{Tenant: "t", Cloud: graph.Global(), Transport: x, Credential: who}); err == nil {
		t.Error("opened without a token")
	}
}

// Users who are deleted while they are written to fail by themselves.
func TestUserIsDeleted(t *testing.T) {
	x := newTenant(t)
	x.people[bobID].phones["mobile"] = "+1 4255550109"
	x.fault = func(method, path string, _ int) (int, http.Header) {
		if method != "GET" && strings.Contains(path, "/authentication/") && strings.Contains(path, bobID) {
			delete(x.people, bobID)
		}
		return 0, nil
	}
	got := outcomes(x.open().Write(t.Context(), []cloud.Change{change(adaID, cloud.Add, cloud.Mobile, "", "+1 4255550101"),
		change(bobID, cloud.Remove, cloud.Mobile, "+1 4255550109", ""), change(bobID, cloud.Add, cloud.Office, "", "+1 4255550104")}))
	if got != "done, already, failed not found" && got != "done, done, failed not found" {
		t.Errorf("got %s", got)
	}
}

// A storm of 429 that ends within what a run stands.
func TestStormThatEnds(t *testing.T) {
	x := newTenant(t)
	storm := 0
	d := x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
			if storm++; storm%3 != 0 {
				return reply(429, http.Header{"Retry-After": {"10"}}, map[string]any{}, x.date())
			}
			return nil, nil
		})
	})
	if got := outcomes(d.Write(t.Context(), someChanges())); got != allDone {
		t.Errorf("got %s", got)
	}
	for _, w := range x.waits {
		if w != 10*time.Second && w != 0 {
			t.Errorf("waited %v", w)
		}
	}
	d = x.open(func(o *graph.Options) {
		o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
			if writes(body) {
				return reply(429, http.Header{"Retry-After": {"3600"}}, map[string]any{}, x.date())
			}
			return nil, nil
		})
	})
	if r := d.Write(t.Context(), []cloud.Change{change(adaID, cloud.Update, cloud.Mobile, "+1 4255550101", "+1 4255550199")})[0]; cloud.KindOf(r.Err) != cloud.Throttled {
		t.Errorf("an hour: %+v", r)
	} else if e := new(cloud.Error); !errors.As(r.Err, &e) || e.RetryAfter != time.Hour {
		t.Errorf("an hour is told as %v", e.RetryAfter)
	}
}

// Who cannot be reached is told of before the first pause, with the cause, and
// no pause is made that no try follows.
func TestUnreachedIsTold(t *testing.T) {
	var log bytes.Buffer
	var pauses, told []int
	_, err := graph.Open(t.Context(), graph.Options{Tenant: "contoso.example", Cloud: graph.Global(),
		Transport: tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }),
		Log:       slog.New(slog.NewTextHandler(&log, nil)),
		Sleep: func(context.Context, time.Duration) error {
			told = append(told, strings.Count(log.String(), "cannot be reached; it is tried again"))
			pauses = append(pauses, len(told))
			return nil
		}})
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("%v; log: %s", err, log.String())
	}
	if want := []int{1, 2, 3, 4, 5}; !slices.Equal(pauses, want) || !slices.Equal(told, want) {
		t.Errorf("pauses %v, told before each %v; want %v", pauses, told, want)
	}
}
