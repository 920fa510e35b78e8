package channel_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// keyed is a call of a service like Twilio's.
func keyed(o *office, address string, form url.Values, key string) (string, error) {
	call := posted(address, formMedia, form.Encode(), "X-Twilio-Signature", twilioSignature(key, address, form))
	call.Now = o.Now()
	reply, err := o.channels.Call(bg(), "calls", *call)
	return string(reply.Body), err
}

// twilioSignature is over the address and the sorted fields.
func twilioSignature(key, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// called begins a login by call, and returns where keys go.
func called(t *testing.T, o *office, p *phoneCompany, id cloud.UserID, way cloud.Preference) (c cloud.Challenge, form url.Values, action string) {
	t.Helper()
	p.answer = func(w http.ResponseWriter) { w.WriteHeader(201); fmt.Fprint(w, `{"sid":"CA1","status":"queued"}`) }
	c = o.ask(t, id, way)
	if c.State != cloud.Pending || c.Method != way {
		t.Fatalf("%+v", c)
	}
	last := p.bodies[len(p.bodies)-1]
	form, err := url.ParseQuery(last[strings.LastIndex(last, " ")+1:])
	if err != nil {
		t.Fatal(err)
	}
	_, action, _ = strings.Cut(form.Get("Twiml"), `action="`)
	action, _, _ = strings.Cut(action, `"`)
	return c, form, strings.ReplaceAll(action, "&amp;", "&")
}

func (o *office) stands(t *testing.T, id cloud.ChallengeID, state cloud.State, reason cloud.Reason) {
	t.Helper()
	ds, err := o.Look(t.Context(), []cloud.ChallengeID{id})
	if err != nil || ds[0].State != state || ds[0].Reason != reason {
		t.Errorf("%+v, %v, want %s %s", ds, err, state, reason)
	}
}

// A key that is pressed in a call decides, and only that.
func TestCallsAreAnsweredByKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys   string
		state  cloud.State
		reason cloud.Reason
		said   string
	}{
		"confirmed":           {"#", cloud.Approved, "", "Goodbye"},
		"fraud":               {"0#", cloud.Refused, cloud.UserDenied, "report"},
		"a wrong key first":   {"5#", cloud.Approved, "", "Goodbye"},
		"three wrong keys":    {"555", cloud.Refused, cloud.TimedOut, "Hangup"},
		"half of fraud":       {"0", cloud.Pending, "", "Gather"},
		"not fraud after all": {"05#", cloud.Approved, "", "Goodbye"},
	} {
		t.Run(name, func(t *testing.T) {
			o, p := newCompanyOffice(t)
			id := o.user(t, "tim", "+44 2079460123")
			ch, form, action := called(t, o, p, id, cloud.VoiceMobile)
			if form.Get("To") != "+442079460123" || form.Has("SendDigits") || !strings.Contains(form.Get("Twiml"), "signs in to vpn") {
				t.Errorf("call: %v", form)
			}
			said := ""
			for _, key := range c.keys {
				var err error
				if said, err = keyed(o, action, url.Values{"Digits": {string(key)}, "CallSid": {"CA1"}}, aSecret); err != nil {
					t.Fatal(err)
				}
				if _, next, more := strings.Cut(said, `action="`); more {
					action, _, _ = strings.Cut(strings.ReplaceAll(next, "&amp;", "&"), `"`)
				}
			}
			if !strings.Contains(said, c.said) {
				t.Errorf("said: %s", said)
			}
			o.stands(t, ch.ID, c.state, c.reason)
		})
	}
}

// A fraud code of two keys is both of them, and no key is none. A call speaks the
// language of its country.
func TestFraudCodeOfTwoKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys   []string
		state  cloud.State
		reason cloud.Reason
		said   string
	}{
		"both":           {[]string{"0", "7", "#"}, cloud.Refused, cloud.UserDenied, "Hangup"},
		"half":           {[]string{"0", "#"}, cloud.Pending, "", "Gather"},
		"half and again": {[]string{"0", "#", "#"}, cloud.Approved, "", "Hangup"},
		"the second":     {[]string{"7", "#"}, cloud.Approved, "", "Hangup"},
		"none":           {[]string{"", "", ""}, cloud.Refused, cloud.TimedOut, "Hangup"},
		"both at once":   {[]string{"07", "#"}, cloud.Approved, "", "Hangup"},
		"half twice":     {[]string{"0", "0", "#"}, cloud.Approved, "", "Hangup"},
	} {
		t.Run(name, func(t *testing.T) {
			o, p := newCompanyOffice(t, `countries: ["+44"]`, `countries: ["+44"]`+"\n  fraud_code: \"07\"\n  languages: {\"+44\": de-DE}")
			ch, form, action := called(t, o, p, o.user(t, "tim", "+44 2079460123"), cloud.VoiceMobile)
			if twiml := form.Get("Twiml"); !strings.Contains(twiml, "de-DE") || strings.Contains(twiml, "en-US") {
				t.Errorf("it says %s", twiml)
			}
			said := ""
			for _, key := range c.keys {
				var err error
				if said, err = keyed(o, action, url.Values{"Digits": {key}, "CallSid": {"CA1"}}, aSecret); err != nil {
					t.Fatal(err)
				}
				if _, next, more := strings.Cut(said, `action="`); more {
					action, _, _ = strings.Cut(strings.ReplaceAll(next, "&amp;", "&"), `"`)
				}
			}
			if !strings.Contains(said, c.said) || strings.Contains(said, "en-US") {
				t.Errorf("said: %s", said)
			}
			o.stands(t, ch.ID, c.state, c.reason)
		})
	}
}

// A call that was handed over leaves its place, none goes to a country that is
// closed, and one that brings a code says it and asks nothing.
func TestCallsAreHandedOver(t *testing.T) {
	o, p := newCompanyOffice(t)
	p.answer = func(w http.ResponseWriter) { w.WriteHeader(201); fmt.Fprint(w, `{"sid":"CA1","status":"queued"}`) }
	m := to("x")
	for i := range 40 { // more than may be on their way at once
		if err := o.channels.Calls.Send(t.Context(), m); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	form, err := url.ParseQuery(p.bodies[0][strings.LastIndex(p.bodies[0], " ")+1:])
	if err != nil || strings.Contains(form.Get("Twiml"), "Gather") || !strings.Contains(form.Get("Twiml"), "4") {
		t.Errorf("it says %s, %v", form.Get("Twiml"), err)
	}
	m.To = "+34 600000000"
	if err := o.channels.Calls.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "closed") || len(p.bodies) != 40 {
		t.Errorf("a closed country: %v, %d calls", err, len(p.bodies))
	}
}

func TestCallsAreNotBelievedUnsigned(t *testing.T) {
	o, p := newCompanyOffice(t)
	id := o.user(t, "tim", "+44 2079460123")
	c, form, action := called(t, o, p, id, cloud.VoiceMobile)
	if _, err := keyed(o, action, url.Values{"Digits": {"#"}}, "other"); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("another key: %v", err)
	}
	// A call of another message, as a signature of that one.
	other := strings.Replace(action, "message=", "message=0", 1)
	if _, err := keyed(o, other, url.Values{"Digits": {"#"}}, aSecret); err != nil {
		t.Error(err)
	}
	if _, err := keyed(o, form.Get("StatusCallback"), url.Values{"CallStatus": {"ringing"}}, aSecret); err != nil {
		t.Error(err)
	}
	o.stands(t, c.ID, cloud.Pending, "")
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("#")}); err != nil || d.State == cloud.Approved {
		t.Errorf("typed: %+v, %v", d, err)
	}
	if _, err := keyed(o, form.Get("StatusCallback"), url.Values{"CallStatus": {"no-answer"}}, aSecret); err != nil {
		t.Error(err)
	}
	o.stands(t, c.ID, cloud.Refused, cloud.Undeliverable)
	if _, err := keyed(o, action, url.Values{"Digits": {"#"}}, aSecret); err != nil {
		t.Error(err)
	}
	o.stands(t, c.ID, cloud.Refused, cloud.Undeliverable)
}

// A key that comes late or for a user who is blocked meanwhile approves nothing;
// nobody is called in a country that is closed, or more often than may be.
func TestCallsSayNo(t *testing.T) {
	o, p := newCompanyOffice(t)
	id := o.user(t, "tim", "+44 2079460123")
	c, _, action := called(t, o, p, id, cloud.VoiceMobile)
	o.Advance(181 * time.Second)
	if _, err := keyed(o, action, url.Values{"Digits": {"#"}}, aSecret); err != nil {
		t.Error(err)
	}
	o.stands(t, c.ID, cloud.Expired, cloud.TimedOut)
	c, _, action = called(t, o, p, id, cloud.VoiceMobile)
	if err := o.Block(t.Context(), operator, id, o.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := keyed(o, action, url.Values{"Digits": {"#"}}, aSecret); err != nil {
		t.Error(err)
	}
	o.stands(t, c.ID, cloud.Refused, cloud.UserBlocked)
	calls := len(p.bodies)
	closed := o.ask(t, o.user(t, "rita", "+34 600000000"), cloud.VoiceMobile)
	if closed.State != cloud.Refused || !strings.Contains(closed.Prompt, "trouble verifying") || len(p.bodies) != calls {
		t.Errorf("a closed country: %+v", closed)
	}
	many := o.user(t, "ute", "+44 2079460199")
	var last cloud.Challenge
	for range 21 {
		last = o.ask(t, many, cloud.VoiceMobile)
	}
	if last.Reason != cloud.TooManyTries || last.Prompt == "" {
		t.Errorf("the 21st call in an hour: %+v", last)
	}
	if text := o.ask(t, many, cloud.SMS); text.State != cloud.Pending {
		t.Errorf("calls count as texts: %+v", text)
	}
}

// An office number is called with its extension.
func TestOfficeIsCalledWithItsExtension(t *testing.T) {
	o, p := newCompanyOffice(t)
	id := o.user(t, "tim", "+44 2079460123")
	if r := o.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Office, After: cloud.TextValue("+44 2079460777x123")}}); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	_, form, _ := called(t, o, p, id, cloud.VoiceOffice)
	if form.Get("To") != "+442079460777" || form.Get("SendDigits") != "wwww123" {
		t.Errorf("call: %v", form)
	}
}
