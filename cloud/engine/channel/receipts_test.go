package channel_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
)

// Of a call of a gateway only what can be a receipt is one; the address names the
// message before the provider does.
func TestGatewayTells(t *testing.T) {
	h := gateway(t, func(http.ResponseWriter, *http.Request) {})
	h.Receipts = &channel.Receipts{Signature: "body-sha256", Key: h.Bearer, ID: "id", Status: "s", Map: map[string][]string{"read": {"R"}, "failed": {"F", "G"}}}
	c := caller(t, h)
	const json = "application/json"
	for name, q := range map[string]struct {
		media, body, message string
		want                 carrier.Receipt // none: nothing is told
	}{
		"one":              {json, `{"id":"a","s":"R"}`, "", carrier.Receipt{ID: "a", Status: carrier.Read}},
		"the second word":  {json, `{"id":"a","s":"G"}`, "", carrier.Receipt{ID: "a", Status: carrier.Failed}},
		"a form":           {formMedia + "; charset=utf-8", `id=a&s=R`, "", carrier.Receipt{ID: "a", Status: carrier.Read}},
		"by the address":   {json, `{"id":"a","s":"R"}`, "0011", carrier.Receipt{ID: "0011", Status: carrier.Read, ByNote: true}},
		"by that alone":    {json, `{"s":"R"}`, "0011", carrier.Receipt{ID: "0011", Status: carrier.Read, ByNote: true}},
		"of nobody":        {json, `{"s":"R"}`, "", carrier.Receipt{}},
		"of a strange way": {json, `{"id":"a","s":"X"}`, "", carrier.Receipt{}},
		"of no way":        {json, `{"id":"a"}`, "", carrier.Receipt{}},
		"of the longest":   {json, `{"id":"` + strings.Repeat("a", 256) + `","s":"R"}`, "", carrier.Receipt{ID: strings.Repeat("a", 256), Status: carrier.Read}},
		"of too long a id": {json, `{"id":"` + strings.Repeat("a", 257) + `","s":"R"}`, "", carrier.Receipt{}},
		"no JSON":          {json, `hello`, "", carrier.Receipt{}},
	} {
		call := posted("https://mfa.contoso.example/delivery/v1/a?message="+q.message, q.media, q.body, "X-Signature-256", signature(aSecret, q.body))
		reply, err := c.Call(bg(), *call)
		if err != nil || len(reply.Receipts) > 1 || len(reply.Receipts) == 1 && reply.Receipts[0] != q.want || len(reply.Receipts) == 0 && q.want.ID != "" {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
	h.Receipts = nil
	if reply, err := caller(t, h).Call(bg(), *posted("https://mfa.contoso.example/delivery/v1/a", json, `{}`, "X-Signature-256", signature("", "{}"))); !errors.Is(err, carrier.ErrForged) {
		t.Errorf("without receipts: %+v, %v", reply, err)
	}
}

// Where the fields of a form are what is signed, nothing is believed of another
// body, over which no signature is.
func TestWhatIsNotSignedIsNotBelieved(t *testing.T) {
	h := gateway(t, func(http.ResponseWriter, *http.Request) {})
	h.Receipts = &channel.Receipts{Signature: "twilio", Key: h.Bearer, ID: "id", Status: "s", Map: map[string][]string{"failed": {"F"}}}
	c := caller(t, h)
	const address = "https://mfa.contoso.example/delivery/v1/a?message=0011"
	form := url.Values{"id": {"a"}, "s": {"F"}}
	for name, q := range map[string]struct {
		media, body string
		signed      url.Values
		believed    bool
	}{
		"a form":                 {formMedia, form.Encode(), form, true},
		"a form, unsigned":       {formMedia, form.Encode(), nil, false},
		"a form that is none":    {formMedia, "id=%zz", nil, false},
		"another body":           {"application/json", `{"id":"a","s":"F"}`, nil, false},
		"another body, unnamed":  {"", `{"id":"a","s":"F"}`, nil, false},
		"a form, called another": {"application/json", form.Encode(), form, false},
	} {
		reply, err := c.Call(bg(), *posted(address, q.media, q.body, "X-Twilio-Signature", twilioSignature(aSecret, address, q.signed)))
		if believed := err == nil && len(reply.Receipts) == 1; believed != q.believed || err != nil && !errors.Is(err, carrier.ErrForged) {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
	call := posted(address, formMedia, form.Encode(), "X-Twilio-Signature", twilioSignature(aSecret, address, form))
	call.Method = http.MethodGet
	if reply, err := c.Call(bg(), *call); !errors.Is(err, carrier.ErrForged) {
		t.Errorf("not posted: %+v, %v", reply, err)
	}
}
