package channel_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

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
