package receipts_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/http/receipts"
	"mfabridge/cloud/engine/http/serve"
)

// book takes calls of one provider.
type book struct{ got carrier.Call }

func (b *book) Call(_ context.Context, provider string, c carrier.Call) (carrier.Reply, error) {
	if provider != "wa" || c.Header("X-Key") != "right" {
		return carrier.Reply{}, &cloud.Error{Kind: cloud.Denied, Message: "not believed"}
	}
	b.got = c
	return carrier.Reply{Media: "text/xml", Body: []byte("<Response/>")}, nil
}

// A provider's call reaches its driver as it came, with the address that the
// provider was told; everybody else is refused alike.
func TestCallsReachTheirProvider(t *testing.T) {
	b := &book{}
	table, err := serve.New(serve.Options{Routes: receipts.New(b, "https://mfa.contoso.example", time.Now).Routes()})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, key, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("X-Key", key)
		w := httptest.NewRecorder()
		table.Handler(serve.Pages).ServeHTTP(w, r)
		return w
	}
	if w := ask("/delivery/v1/wa?a=b%20c", "right", "x=1"); w.Code != 200 || w.Body.String() != "<Response/>" || w.Header().Get("Content-Type") != "text/xml" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if b.got.URL != "https://mfa.contoso.example/delivery/v1/wa?a=b%20c" || string(b.got.Body) != "x=1" || b.got.Query.Get("a") != "b c" {
		t.Errorf("called with %+v", b.got)
	}
	wrong, nobody := ask("/delivery/v1/wa", "wrong", ""), ask("/delivery/v1/other", "right", "")
	if wrong.Code != 403 || nobody.Code != 403 || wrong.Body.String() != nobody.Body.String() {
		t.Errorf("%d %s, %d %s", wrong.Code, wrong.Body, nobody.Code, nobody.Body)
	}
	if w := ask("/delivery/v1/wa", "right", strings.Repeat("x", 300<<10)); w.Code == 200 {
		t.Error("a body of any size is read")
	}
	other := httptest.NewRecorder()
	table.Handler(serve.API).ServeHTTP(other, httptest.NewRequest("POST", "/delivery/v1/wa", nil))
	if other.Code != 404 {
		t.Errorf("another listener answers %d", other.Code)
	}
}
