package channel_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/carrier/carriertest"
	"mfabridge/cloud/engine/channel/rcs/rcstest"
)

func TestAgent(t *testing.T) {
	t.Parallel()
	service := rcstest.New(t)
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		s := &subject{channel: "rcs", folder: t.TempDir(), conf: `rcs: {url: "URL", agent: ` + rcstest.Agent + `, account: "file:FOLDER/account", token: "file:FOLDER/key", ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		var seen sync.Map
		c := &company{only: "/agentMessages", accept: service.Config.Handler.ServeHTTP,
			number: func(r *http.Request) string {
				if _, again := seen.LoadOrStore(r.FormValue("messageId"), true); again { // the service has it
					return ""
				}
				_, rest, _ := strings.Cut(r.URL.Path, "+")
				number, _, _ := strings.Cut(rest, "/")
				return number
			},
			absent: func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"error":{"status":"NOT_FOUND"}}`, http.StatusNotFound)
			}}
		newCompany(t, c, s.folder)
		write(t, filepath.Join(s.folder, "account"), string(service.File(t).Reveal()))
		s.url = c.URL
		events := map[carrier.Status]string{carrier.Delivered: "DELIVERED", carrier.Read: "READ", carrier.Failed: "TTL_EXPIRATION_REVOKED"}
		return s.peer(t, &carriertest.Peer{Provider: c, Sign: "X-Goog-Signature", Statuses: []carrier.Status{carrier.Delivered, carrier.Read, carrier.Failed},
			Tell: func(_ *testing.T, _ carrier.Note, taken carrier.Taken, status carrier.Status) *carrier.Call {
				event := fmt.Sprintf(`{"eventType":%q,"messageId":%q,"agentId":%q,"sendTime":"2026-11-22T12:00:00Z"}`, events[status], taken.ID, rcstest.Agent)
				mac := hmac.New(sha512.New, []byte(hookKey))
				mac.Write([]byte(event))
				body := fmt.Sprintf(`{"message":{"data":%q}}`, base64.StdEncoding.EncodeToString([]byte(event)))
				return posted("https://mfa.contoso.example/delivery/v1/one", "application/json", body, "X-Goog-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			},
			Revoked: func(n carrier.Note) bool {
				service.Lock()
				defer service.Unlock()
				return slices.ContainsFunc(service.Revoked, func(id string) bool { return strings.ReplaceAll(id, "-", "") == n.Public })
			}})
	})
}
