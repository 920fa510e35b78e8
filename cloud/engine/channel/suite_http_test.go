package channel_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/carrier/carriertest"
)

const formMedia = "application/x-www-form-urlencoded"

// A service of texts that signs its receipts like Twilio, and names messages in
// its answer.
func TestCallerLikeTwilio(t *testing.T) {
	t.Parallel()
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		s := &subject{channel: "text", folder: t.TempDir(), conf: `http: {profile: twilio, url: "URL/Accounts/<$account$>/Messages.json", vars: {account: AC1, from: "+14255550100"}, ` +
			`basic: {password: "file:FOLDER/word"}, receipts: {key: "file:FOLDER/key"}, ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		c := &company{number: ofForm("To"), accept: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid": "SM%s", "status": "queued"}`, ofForm("To")(r))
		}}
		newCompany(t, c, s.folder)
		s.url = c.URL
		words := map[carrier.Status]string{carrier.Sent: "sent", carrier.Delivered: "delivered", carrier.Read: "read", carrier.Failed: "undelivered"}
		return s.peer(t, &carriertest.Peer{Provider: c, Sign: "X-Twilio-Signature",
			Statuses: []carrier.Status{carrier.Sent, carrier.Delivered, carrier.Read, carrier.Failed},
			Tell: func(_ *testing.T, n carrier.Note, taken carrier.Taken, status carrier.Status) *carrier.Call {
				address := "https://mfa.contoso.example/delivery/v1/one?message=" + n.Public
				form := url.Values{"MessageSid": {taken.ID}, "MessageStatus": {words[status]}, "To": {n.Number}}
				return posted(address, formMedia, form.Encode(), "X-Twilio-Signature", twilioSignature(hookKey, address, form))
			},
			Lacks: map[string]string{"a number without the channel": noChannel, "a repeat is told": noRepeats, "a message is called back": noRevoking}})
	})
}

// A gateway of its own shape, whose receipts have a time, and a signature over
// their bytes.
func TestCallerOfOwnShape(t *testing.T) {
	t.Parallel()
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		s := &subject{channel: "text", folder: t.TempDir(), conf: `http: {url: "URL/v2/messages", headers: {X-Api-Key: "file:FOLDER/word"}, json: {messages: [{destination: "<$digits$>", body: "<$text$>"}]}, id: messages.0.id, ` +
			`receipts: {signature: body-sha256, time: X-Timestamp, key: "file:FOLDER/key", id: id, status: state, map: {delivered: [DELIVRD], failed: [UNDELIV], unreachable: [ABSENT]}}, ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		number := func(r *http.Request) string {
			var b struct {
				Messages []struct{ Destination string }
			}
			body, _ := io.ReadAll(r.Body)
			if json.Unmarshal(body, &b) != nil || len(b.Messages) != 1 {
				return ""
			}
			return b.Messages[0].Destination
		}
		c := &company{number: number, accept: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"messages": [{"id": "g-%s"}]}`, number(r))
		}}
		newCompany(t, c, s.folder)
		s.url = c.URL
		words := map[carrier.Status]string{carrier.Delivered: "DELIVRD", carrier.Failed: "UNDELIV", carrier.Unreachable: "ABSENT"}
		return s.peer(t, &carriertest.Peer{Provider: c, Sign: "X-Signature-256", Fresh: 5 * time.Minute,
			Statuses: []carrier.Status{carrier.Delivered, carrier.Failed, carrier.Unreachable},
			Tell: func(_ *testing.T, _ carrier.Note, taken carrier.Taken, status carrier.Status) *carrier.Call {
				now := strconv.FormatInt(time.Now().Unix(), 10)
				body := fmt.Sprintf(`{"id":%q,"state":%q}`, taken.ID, words[status])
				call := posted("https://mfa.contoso.example/delivery/v1/one", "application/json", body, "X-Signature-256", signature(hookKey, now+"."+body))
				inner := call.Header
				call.Header = func(name string) string {
					if name == "X-Timestamp" {
						return now
					}
					return inner(name)
				}
				return call
			},
			Lacks: map[string]string{"a number without the channel": noChannel, "a repeat is told": noRepeats, "a message is called back": noRevoking}})
	})
}

func TestMessenger(t *testing.T) {
	t.Parallel()
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		s := &subject{channel: "whatsapp", folder: t.TempDir(), conf: `whatsapp: {url: "URL/v23.0", number: "1066", template: code, token: "file:FOLDER/word", app_secret: "file:FOLDER/key", ` +
			`verify_token: "file:FOLDER/key", ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		number := func(r *http.Request) string {
			var b struct{ To string }
			body, _ := io.ReadAll(r.Body)
			_ = json.Unmarshal(body, &b)
			return b.To
		}
		c := &company{number: number, accept: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"messages":[{"id":"wamid.%s"}]}`, number(r))
		},
			absent: func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"error":{"code":131026,"message":"%s"}}`, number(r))
			}}
		newCompany(t, c, s.folder)
		s.url = c.URL
		return s.peer(t, &carriertest.Peer{Provider: c, Sign: "X-Hub-Signature-256",
			Statuses: []carrier.Status{carrier.Sent, carrier.Delivered, carrier.Read, carrier.Failed, carrier.Unreachable},
			Tell: func(_ *testing.T, _ carrier.Note, taken carrier.Taken, status carrier.Status) *carrier.Call {
				word, code := string(status), 0
				if status == carrier.Unreachable {
					word, code = "failed", 131026
				}
				body := statusOf(taken.ID, word, code)
				return posted("https://mfa.contoso.example/delivery/v1/one", "application/json", body, "X-Hub-Signature-256", signature(hookKey, body))
			},
			Lacks: map[string]string{"a repeat is told": noRepeats, "a message is called back": noRevoking}})
	})
}

func TestPhone(t *testing.T) {
	t.Parallel()
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		s := &subject{channel: "voice", folder: t.TempDir(), conf: `http: {profile: twilio-voice, url: "URL/Accounts/<$account$>/Calls.json", vars: {account: AC1, from: "+14255550100"}, ` +
			`basic: {password: "file:FOLDER/word"}, receipts: {key: "file:FOLDER/key"}, ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		c := &company{number: ofForm("To"), accept: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid": "CA%s", "status": "queued"}`, ofForm("To")(r))
		}}
		newCompany(t, c, s.folder)
		s.url = c.URL
		keys := map[carrier.Status]string{carrier.Confirmed: "", carrier.Fraud: "0"} // typed before the #
		return s.peer(t, &carriertest.Peer{Provider: c, Sign: "X-Twilio-Signature",
			Statuses: []carrier.Status{carrier.Confirmed, carrier.Fraud, carrier.Declined, carrier.Failed},
			Tell: func(_ *testing.T, n carrier.Note, _ carrier.Taken, status carrier.Status) *carrier.Call {
				address, form := "https://mfa.contoso.example/delivery/v1/one?message="+n.Public, url.Values{"CallStatus": {"completed"}, "To": {n.Number}}
				if typed, pressed := keys[status]; pressed {
					address += "&keys=1&language=en-US&typed=" + typed
					maps.Copy(form, url.Values{"Digits": {"#"}})
				} else if status == carrier.Failed {
					form.Set("CallStatus", "busy")
				}
				return posted(address, formMedia, form.Encode(), "X-Twilio-Signature", twilioSignature(hookKey, address, form))
			},
			Lacks: map[string]string{"a number without the channel": noChannel, "a repeat is told": noRepeats, "a message is called back": noRevoking}})
	})
}
