package channel_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// phoneCompany stands in for WhatsApp's Cloud API and for a service like
// Twilio's, in the shapes that they publish.
type phoneCompany struct {
	*httptest.Server
	bodies []string
	answer func(w http.ResponseWriter)
}

func newPhoneCompany(t *testing.T) *phoneCompany {
	p := &phoneCompany{answer: func(w http.ResponseWriter) { fmt.Fprint(w, `{"messages":[{"id":"wamid.A"}]}`) }}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.bodies = append(p.bodies, r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		p.answer(w)
	}))
	t.Cleanup(p.Close)
	return p
}

const companies = `text: {providers: [{name: sms, mode: live, outbox: {folder: FOLDER/sms}}]}
whatsapp:
  providers:
    - name: wa
      mode: live
      whatsapp: {url: "URL/v23.0", number: "1066", template: code, language: en_US, token: "file:FOLDER/token", app_secret: "file:FOLDER/app", verify_token: "file:FOLDER/verify", allow_private: true}
voice:
  countries: ["+44"]
  providers:
    - name: calls
      mode: live
      http: {profile: twilio-voice, url: "URL/Accounts/<$account$>/Calls.json", vars: {account: AC1, from: "+14255550100"}, basic: {password: "file:FOLDER/token"}, receipts: {key: "file:FOLDER/token"}, allow_private: true}
`

// newCompanyOffice opens them; change is what stands in place of what.
func newCompanyOffice(t *testing.T, change ...string) (*office, *phoneCompany) {
	t.Helper()
	p := newPhoneCompany(t)
	folder := t.TempDir()
	for name, word := range map[string]string{"token": aSecret, "app": "CANARY-APP", "verify": "CANARY-VERIFY"} {
		write(t, filepath.Join(folder, name), word)
	}
	text := strings.NewReplacer("URL", p.URL, "file:FOLDER", "file:"+folder).Replace(strings.NewReplacer(change...).Replace(companies))
	return newOffice(t, text), p
}

// told is a call of WhatsApp's.
func told(o *office, body, signature string) error {
	_, err := o.channels.Call(bg(), "wa", carrier.Call{Method: "POST", URL: "https://mfa.contoso.example/delivery/v1/wa", Body: []byte(body), Now: o.Now(),
		Query: url.Values{}, Header: func(name string) string { return map[string]string{"X-Hub-Signature-256": signature}[name] }})
	return err
}

func signature(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func statusOf(id, status string, code int) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1066"},"statuses":[{"id":%q,"status":%q,"timestamp":"1793610000","errors":[{"code":%d}]}]}}]}]}`, id, status, code)
}

func TestWhatsAppSendsATemplateWithTheCodeTwice(t *testing.T) {
	o, p := newCompanyOffice(t)
	c := o.ask(t, o.user(t, "asha", "+91 9812345678"), cloud.SMS)
	if len(p.bodies) != 1 || !strings.HasPrefix(p.bodies[0], "/v23.0/1066/messages Bearer "+aSecret+" ") {
		t.Fatalf("asked: %q", p.bodies)
	}
	var m struct {
		Product  string `json:"messaging_product"`
		To, Type string
		Template struct {
			Name       string
			Language   struct{ Code string }
			Components []struct {
				Type, Index string
				SubType     string `json:"sub_type"`
				Parameters  []struct{ Type, Text string }
			}
		}
	}
	if err := json.Unmarshal([]byte(p.bodies[0][strings.Index(p.bodies[0], "{"):]), &m); err != nil {
		t.Fatal(err)
	}
	parts := m.Template.Components
	if m.Product != "whatsapp" || m.To != "919812345678" || m.Type != "template" || m.Template.Language.Code != "en_US" || len(parts) != 2 ||
		parts[1].SubType != "url" || parts[1].Index != "0" || parts[0].Parameters[0].Text != parts[1].Parameters[0].Text {
		t.Fatalf("message: %+v", m)
	}
	d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(parts[0].Parameters[0].Text)})
	if err != nil || d.State != cloud.Approved {
		t.Errorf("its code: %+v, %v", d, err)
	}
}

// What a webhook is told counts only with the signature of the application over
// exactly these bytes.
func TestWhatsAppIsBelievedOnlySigned(t *testing.T) {
	o, p := newCompanyOffice(t)
	id := o.user(t, "asha", "+91 9812345678")
	failed := statusOf("wamid.A", "failed", 131026)
	for name, s := range map[string]string{"no signature": "", "of another key": signature("other", failed), "of another body": signature("CANARY-APP", failed+" "),
		"without its prefix": signature("CANARY-APP", failed)[7:], "no hexadecimal": "sha256=xyz"} {
		c := o.ask(t, id, cloud.SMS)
		if err := told(o, failed, s); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %v", name, err)
		}
		if due, _ := o.DueFlights(t.Context(), 10); len(due) > 0 {
			t.Errorf("%s: %s goes on", name, c.ID)
		}
	}
	other := strings.Replace(failed, "1066", "1067", 1)
	if err := told(o, other, signature("CANARY-APP", other)); err != nil {
		t.Error(err)
	}
	if due, _ := o.DueFlights(t.Context(), 10); len(due) > 0 {
		t.Error("a receipt of another number counts")
	}
	if err := errors.Join(told(o, failed, signature("CANARY-APP", failed)), told(o, failed, signature("CANARY-APP", failed))); err != nil {
		t.Error(err)
	}
	if due, _ := o.DueFlights(t.Context(), 10); len(due) != 1 {
		t.Errorf("%d are due after a failure that was told twice", len(due))
	}
	if len(p.bodies) != 5 {
		t.Errorf("%d messages", len(p.bodies))
	}
	// The set-up of the webhook.
	for _, c := range []struct{ token, want string }{{"CANARY-VERIFY", "4711"}, {"other", ""}, {"", ""}} {
		reply, err := o.channels.Call(bg(), "wa", carrier.Call{Method: "GET", Query: url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {c.token}, "hub.challenge": {"4711"}},
			Header: func(string) string { return "" }})
		if string(reply.Body) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.token, reply.Body, err)
		}
	}
}

// Whom the webhook is set up for is asked once, and what comes back is nothing
// that a page could be made of. Without secrets nobody is believed, though an
// empty one signs, too.
func TestWhatsAppIsMet(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "token"), aSecret)
	write(t, filepath.Join(folder, "verify"), "CANARY-VERIFY")
	closed := channel.WhatsApp{URL: "https://127.0.0.1/v23.0", Number: "1066", Template: "code", Language: "en_US", Token: "file:" + filepath.Join(folder, "token"), Timeout: "1s"}
	open := closed
	open.VerifyToken = "file:" + filepath.Join(folder, "verify")
	meet := func(w channel.WhatsApp, change func(url.Values)) (string, error) {
		m, err := channel.NewMessenger(&w)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		q := url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {"CANARY-VERIFY"}, "hub.challenge": {strings.Repeat("4", 64)}}
		change(q)
		reply, err := m.Call(bg(), carrier.Call{Method: "GET", Query: q, Header: func(string) string { return "" }})
		return string(reply.Body), err
	}
	if said, err := meet(open, func(url.Values) {}); err != nil || len(said) != 64 {
		t.Errorf("it says %q, %v", said, err)
	}
	for name, change := range map[string]func(url.Values){
		"another mode": func(q url.Values) { q.Set("hub.mode", "unsubscribe") }, "no mode": func(q url.Values) { q.Del("hub.mode") },
		"another token": func(q url.Values) { q.Set("hub.verify_token", "CANARY-VERIFY2") },
		"no challenge":  func(q url.Values) { q.Del("hub.challenge") }, "a long challenge": func(q url.Values) { q.Set("hub.challenge", strings.Repeat("4", 65)) },
		"a page": func(q url.Values) { q.Set("hub.challenge", "<script>alert(1)</script>") },
	} {
		if said, err := meet(open, change); !errors.Is(err, carrier.ErrForged) || said != "" {
			t.Errorf("%s: it says %q, %v", name, said, err)
		}
	}
	if said, err := meet(closed, func(q url.Values) { q.Del("hub.verify_token") }); !errors.Is(err, carrier.ErrForged) || said != "" {
		t.Errorf("without a token: it says %q, %v", said, err)
	}
	m, err := channel.NewMessenger(&closed)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	body := statusOf("wamid.A", "failed", 131026)
	if reply, err := m.Call(bg(), *posted("https://mfa.contoso.example/delivery/v1/wa", "application/json", body, "X-Hub-Signature-256", signature("", body))); !errors.Is(err, carrier.ErrForged) {
		t.Errorf("without a secret: %+v, %v", reply, err)
	}
}

// Of a call of the provider only what can be a receipt is one.
func TestWhatsAppTellsWhatIsNoReceipt(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "word"), "CANARY-APP")
	m, err := channel.NewMessenger(&channel.WhatsApp{URL: "https://127.0.0.1/v23.0", Number: "1066", Token: "file:" + filepath.Join(folder, "word"),
		AppSecret: "file:" + filepath.Join(folder, "word"), Unreachable: []int{131026}, Timeout: "1s"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	one := statusOf("wamid.A", "failed", 7)
	status := one[strings.Index(one, `{"id":"wamid`) : strings.LastIndex(one, "}]}}")+1]
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"one":               {one, 1},
		"without a number":  {strings.Replace(one, `"phone_number_id":"1066"`, "", 1), 1},
		"of another number": {strings.Replace(one, "1066", "1067", 1), 0},
		"without an id":     {strings.Replace(one, "wamid.A", "", 1), 0},
		"of a long id":      {strings.Replace(one, "wamid.A", strings.Repeat("w", 257), 1), 0},
		"of the longest id": {strings.Replace(one, "wamid.A", strings.Repeat("w", 256), 1), 1},
		"of another status": {strings.Replace(one, `"failed"`, `"eaten"`, 1), 0},
		"too many":          {strings.Replace(one, status, strings.Repeat(status+",", 1000)+status, 1), 1000},
		"something else":    {`{"object":"page"}`, 0},
		"no JSON":           {"hello", 0},
	} {
		reply, err := m.Call(bg(), *posted("https://mfa.contoso.example/delivery/v1/wa", "application/json", c.body, "X-Hub-Signature-256", signature("CANARY-APP", c.body)))
		if err != nil || len(reply.Receipts) != c.want {
			t.Errorf("%s: %d receipts, %v", name, len(reply.Receipts), err)
		}
		for _, r := range reply.Receipts {
			if r.Status != carrier.Failed || !r.At.Equal(time.Unix(1793610000, 0)) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

// What WhatsApp answers is one of: taken, not there, or nobody knows; a code that no
// template takes is not sent, and the template is that of the language.
func TestWhatsAppAnswers(t *testing.T) {
	p, folder := newPhoneCompany(t), t.TempDir()
	write(t, filepath.Join(folder, "word"), "CANARY-APP")
	m, err := channel.NewMessenger(&channel.WhatsApp{URL: p.URL, Number: "1066", Template: "code", Language: "en_US", Languages: map[string]string{"de": "de_AT"}, AllowPrivate: true,
		Token: "file:" + filepath.Join(folder, "word"), AppSecret: "file:" + filepath.Join(folder, "word"), Unreachable: []int{131026}, Timeout: "8s"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for name, c := range map[string]struct {
		status     int
		body       string
		code, lang string
		id         string // empty: an error
		kind       error
		says       string // in the request; empty: nothing is asked
	}{
		"taken":            {200, `{"messages":[{"id":"w"}]}`, aCode, "", "w", nil, `"code":"en_US"`},
		"its language":     {200, `{"messages":[{"id":"w"}]}`, aCode, "de", "w", nil, `"code":"de_AT"`},
		"another language": {200, `{"messages":[{"id":"w"}]}`, aCode, "fr", "w", nil, `"code":"en_US"`},
		"a long code":      {200, `{"messages":[{"id":"w"}]}`, strings.Repeat("1", 15), "", "w", nil, "111111111111111"},
		"too long a code":  {200, `{"messages":[{"id":"w"}]}`, strings.Repeat("1", 16), "", "", nil, ""},
		"no code":          {200, `{"messages":[{"id":"w"}]}`, "", "", "", nil, ""},
		"a long id":        {200, `{"messages":[{"id":"` + strings.Repeat("w", 256) + `"}]}`, aCode, "", strings.Repeat("w", 256), nil, aCode},
		"too long an id":   {200, `{"messages":[{"id":"` + strings.Repeat("w", 257) + `"}]}`, aCode, "", "", carrier.ErrUnknown, aCode},
		"an empty id":      {200, `{"messages":[{"id":""}]}`, aCode, "", "", carrier.ErrUnknown, aCode},
		"no id":            {200, `{}`, aCode, "", "", carrier.ErrUnknown, aCode},
		"not there":        {400, `{"error":{"code":131026}}`, aCode, "", "", carrier.ErrUnreachable, aCode},
		"not allowed":      {401, `{"error":{"code":190}}`, aCode, "", "", carrier.ErrUnwell, aCode},
		"no error":         {500, `{}`, aCode, "", "", carrier.ErrUnwell, aCode},
	} {
		p.bodies, p.answer = nil, func(w http.ResponseWriter) { w.WriteHeader(c.status); fmt.Fprint(w, c.body) }
		n := note
		n.Code, n.Language = c.code, c.lang
		taken, err := m.Send(t.Context(), n)
		if taken.ID != c.id || (err == nil) != (c.id != "") || c.kind != nil && !errors.Is(err, c.kind) || c.kind != carrier.ErrUnreachable && errors.Is(err, carrier.ErrUnreachable) {
			t.Errorf("%s: %+v, %v", name, taken, err)
		}
		if asked := len(p.bodies) == 1 && strings.Contains(p.bodies[0], c.says); asked != (c.says != "") || len(p.bodies) > 1 {
			t.Errorf("%s: it was asked %q", name, p.bodies)
		}
	}
}

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

// A text that has failed goes on, also if that was told before its number was.
func TestWhatsAppTellsOfAFailure(t *testing.T) {
	failed := statusOf("wamid.A", "failed", 1)
	for name, early := range map[string]bool{"in time": false, "before the answer": true} {
		o, p := newCompanyOffice(t)
		tell := func() {
			if err := told(o, failed, signature("CANARY-APP", failed)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if answer := p.answer; early {
			p.answer = func(w http.ResponseWriter) { tell(); answer(w) }
		}
		o.ask(t, o.user(t, "asha", "+91 9812345678"), cloud.SMS)
		if !early {
			tell()
		}
		if due, err := o.DueFlights(t.Context(), 10); err != nil || len(due) != 1 {
			t.Errorf("%s: %d are due, %v", name, len(due), err)
		}
	}
}

// What WhatsApp says of a number at once, or that it fails, leads to SMS.
func TestWhatsAppSaysNo(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"no WhatsApp": func(w http.ResponseWriter) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"code":131026,"message":"x"}}`)
		},
		"an error":   func(w http.ResponseWriter) { w.WriteHeader(500) },
		"a redirect": func(w http.ResponseWriter) { w.Header().Set("Location", "http://169.254.169.254/"); w.WriteHeader(307) },
		"nonsense":   func(w http.ResponseWriter) { fmt.Fprint(w, `{"messages":[]}`) },
	} {
		t.Run(name, func(t *testing.T) {
			o, p := newCompanyOffice(t)
			p.answer = answer
			id := o.user(t, "asha", "+91 9812345678")
			c := o.ask(t, id, cloud.SMS)
			if sms := o.files(t, "sms"); len(sms) != 1 || c.State != cloud.Pending || len(p.bodies) != 1 {
				t.Fatalf("%+v, %+v", c, sms)
			}
			o.ask(t, id, cloud.SMS)
			if again := len(p.bodies) == 2; again == (name == "no WhatsApp") {
				t.Errorf("asked %d times", len(p.bodies))
			}
		})
	}
}

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

func bg() context.Context { return context.Background() }
