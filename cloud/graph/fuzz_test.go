package graph_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// Whatever Graph, or something in between, answers: the driver comes to an end,
// answers every change, and says nothing of a number.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(`{"value":[]}`), "1", "Sun, 22 Nov 2026 08:00:00 GMT")
	f.Add(200, []byte(`{"responses":[{"id":"1","status":200,"headers":{"Retry-After":"x"},"body":{"value":[{"id":"x"}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?x"}}]}`), "", "")
	f.Add(429, []byte(`{"error":{"code":"TooManyRequests","innerError":{}}}`), "-1", "x")
	f.Add(503, []byte(`{"Message":"No HTTP resource was found","MessageDetail":null}`), "99999999999999999999", "")
	f.Add(409, []byte(`{"error":"phone +1 4255550101"}`), "Sun, 22 Nov 2099 08:00:00 GMT", "")
	f.Add(200, []byte(`{"responses":[{"id":"1","status":409,"body":null},{"id":"1","status":201,"body":[]}]}`), "0", "")
	f.Add(200, []byte(`{"id":1,"policyMigrationState":{},"authenticationMethodConfigurations":[null,{"includeTargets":null}]}`), "", "")
	f.Fuzz(func(t *testing.T, status int, body []byte, retry, date string) {
		if status < 100 || status > 599 {
			status = 200
		}
		x := newTenant(t)
		var asked atomic.Int32
		answer := tripper(func(*http.Request) (*http.Response, error) {
			if asked.Add(1) > 2000 {
				return nil, errors.New("the driver asks without an end")
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retry}, "Date": {date}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		})
		sometimes := false
		d := x.open(func(o *graph.Options) {
			o.Transport = tripper(func(r *http.Request) (*http.Response, error) {
				if sometimes {
					return answer(r)
				}
				return x.RoundTrip(r)
			})
			o.Sleep = func(_ context.Context, d time.Duration) error {
				if d > time.Hour {
					t.Errorf("waits %v", d)
				}
				return nil
			}
		})
		sometimes = true
		results := d.Write(t.Context(), someChanges())
		for i, r := range results {
			if r.Outcome == "" || r.Outcome == cloud.Failed && r.Err == nil {
				t.Fatalf("change %d: %+v", i, r)
			}
			if r.Err != nil && bytes.Contains([]byte(r.Err.Error()), []byte("4255550101")) {
				t.Fatalf("the error shows a number: %v", r.Err)
			}
		}
		_, _ = d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}})
		_, _ = d.Read(t.Context(), []cloud.UserID{adaID})
		_, _ = d.Preflight(t.Context())
		for _, err := range d.Members(t.Context(), "pilot") {
			if err != nil {
				break
			}
		}
		if asked.Load() > 2000 {
			t.Fatal("the driver asks without an end")
		}
	})
}
