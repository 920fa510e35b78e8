package channel_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
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

func bg() context.Context { return context.Background() }
