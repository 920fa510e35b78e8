package channel

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// Ways in which providers sign their calls.
const (
	signTwilio = "twilio"
	signBody   = "body-sha256"
)

// fresh is how old a call may be that says when it was made.
const fresh = 5 * time.Minute

// statuses are the words of receipts that a configuration maps to.
func statuses() []carrier.Status {
	return []carrier.Status{carrier.Sent, carrier.Delivered, carrier.Read, carrier.Failed, carrier.Unreachable}
}

func (k *checking) receipts(at string, r *Receipts) {
	if r == nil {
		return
	}
	if r.Signature != signTwilio && r.Signature != signBody {
		k.Refuse("write twilio or body-sha256", "%s.signature is none that can be checked: what is not signed is not believed", at)
	}
	if r.Signature == signBody && k.channel == "voice" {
		k.Refuse("write signature: twilio", "%s.signature does not cover the address, which says what call a key belongs to: one that was signed once would confirm any other", at)
	}
	if r.Signature == signBody && r.Header == "" {
		r.Header = "X-Signature-256"
	}
	if r.Signature == signTwilio && (r.Header != "" || r.Time != "") {
		k.Refuse("remove it", "%s: header and time are of body-sha256", at)
	}
	if r.Header != "" && !isToken(r.Header) || r.Time != "" && !isToken(r.Time) {
		k.Refuse("write for example X-Signature-256", "%s.header or time is no name of a header", at)
	}
	if !isRef(r.Key) {
		k.Refuse("write file:PATH or env:NAME", "%s.key does not say where the secret is", at)
	}
	r.Key = k.Ref(r.Key)
	if k.channel == "voice" {
		return // keys that were pressed need no map
	}
	if r.Status == "" || len(r.Map) == 0 {
		k.Refuse("write for example status: status and map: {delivered: [DELIVRD]}", "%s needs status and map", at)
	}
	for word := range r.Map {
		if !slices.Contains(statuses(), carrier.Status(word)) {
			k.Refuse("use sent, delivered, read, failed and unreachable", "%s.map: a key is no status", at)
		}
	}
}

// callback is where the provider tells what became of a note: the address holds
// its id, so that a receipt finds it that comes before the answer.
func (c *Caller) callback(n carrier.Note) string {
	if c.hook == "" || c.h.Receipts == nil {
		return ""
	}
	return c.hook + "?message=" + n.Public
}

// Call implements [carrier.Hook] for providers with receipts.
func (c *Caller) Call(_ context.Context, call carrier.Call) (carrier.Reply, error) {
	fields, err := c.believed(call)
	if err != nil {
		return carrier.Reply{}, err
	}
	r := carrier.Receipt{ID: fields(c.h.Receipts.ID), Status: c.status(fields(c.h.Receipts.Status))}
	if id := call.Query.Get("message"); id != "" {
		r.ID, r.ByNote = id, true
	}
	if r.Status == "" || r.ID == "" || len(r.ID) > maxReceiptID {
		return carrier.Reply{}, nil
	}
	return carrier.Reply{Receipts: []carrier.Receipt{r}}, nil
}

func (c *Caller) status(word string) carrier.Status {
	for _, s := range statuses() {
		if slices.Contains(c.h.Receipts.Map[string(s)], word) {
			return s
		}
	}
	return ""
}

// believed checks that a call is the provider's, and reads its fields.
func (c *Caller) believed(call carrier.Call) (field func(string) string, err error) {
	if c.h.Receipts == nil || c.key.IsZero() || call.Method != "POST" {
		return nil, carrier.ErrForged
	}
	form, isForm := url.Values(nil), strings.HasPrefix(call.Header("Content-Type"), "application/x-www-form-urlencoded")
	if isForm {
		if form, err = url.ParseQuery(string(call.Body)); err != nil {
			return nil, carrier.ErrForged
		}
	}
	ok := false
	switch c.h.Receipts.Signature {
	case signTwilio: // of a body that is no form nothing is signed
		ok = isForm && signedLikeTwilio(c.key, call.URL, form, call.Header("X-Twilio-Signature"))
	case signBody:
		ok = c.signedBody(call)
	}
	if !ok {
		return nil, carrier.ErrForged
	}
	return func(name string) string {
		if isForm {
			return form.Get(name)
		}
		value, _ := lookUp(call.Body, name)
		return value
	}, nil
}

// signedLikeTwilio checks the HMAC-SHA-1 of the address and the sorted fields.
func signedLikeTwilio(key secret.Bytes, address string, form url.Values, header string) bool {
	given, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, key.Reveal())
	mac.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			mac.Write([]byte(name + value))
		}
	}
	return hmac.Equal(given, mac.Sum(nil))
}

func (c *Caller) signedBody(call carrier.Call) bool {
	text := call.Body
	if name := c.h.Receipts.Time; name != "" {
		seconds, err := strconv.ParseInt(call.Header(name), 10, 64)
		age := call.Now.Sub(time.Unix(seconds, 0))
		if err != nil || age > fresh || age < -fresh {
			return false
		}
		text = append([]byte(call.Header(name)+"."), text...)
	}
	return signedBy(c.key, text, strings.TrimPrefix(call.Header(c.h.Receipts.Header), "sha256="))
}
