package channel_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/carrier/carriertest"
)

// subject is a driver for the suite: what stands in engine.yaml, with FOLDER for a
// folder of files, and URL or PORT for where its provider is.
type subject struct {
	channel, conf string
	folder        string
	url, port     string
}

// open opens the driver as the engine does. changes are pairs of what stands in
// the configuration and what is to stand there.
func (s *subject) open(t *testing.T, changes ...string) carrier.Driver {
	t.Helper()
	block := s.channel + ": {providers: [{name: one, mode: live, " + s.conf + "}]"
	switch s.channel {
	case "voice":
		block += ", countries: [\"+44\"]"
	case "whatsapp", "rcs":
		block += ", countries: [all]"
	}
	block += "}\n"
	if s.channel != "text" {
		block += "text: {providers: [{name: texts, mode: live, outbox: {folder: FOLDER/texts}}]}\n"
	}
	block = strings.NewReplacer("FOLDER", s.folder, "URL", s.url, "PORT", s.port).Replace(strings.NewReplacer(changes...).Replace(block))
	conf, err := parse(t, block)
	if err != nil {
		t.Fatal(err)
	}
	d, err := channel.OpenDriver(channel.Options{Config: conf, PublicURL: "https://mfa.contoso.example", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, "one")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// peer is the driver with the openings that all kinds share.
func (s *subject) peer(t *testing.T, p *carriertest.Peer) *carriertest.Peer {
	p.Driver = s.open(t)
	p.Reopen = func(t *testing.T) carrier.Driver { return s.open(t) }
	p.Nowhere = func(t *testing.T) carrier.Driver {
		return s.open(t, "URL", "https://127.0.0.1:1", "PORT", "1", "timeout: 4s", "timeout: 2s")
	}
	p.Inside = func(t *testing.T) carrier.Driver {
		return s.open(t, ", allow_private: true", "", "timeout: 4s", "timeout: 2s")
	}
	p.Hasty = func(t *testing.T) carrier.Driver { return s.open(t, "timeout: 4s", "timeout: 2s") }
	p.Patient = func(t *testing.T) carrier.Driver { return s.open(t, "timeout: 4s", "timeout: 8s") }
	p.Stranger = func(t *testing.T) carrier.Driver { return s.open(t, "FOLDER/key", "FOLDER/other") }
	p.Secrets = append(p.Secrets, aSecret, hookKey)
	return p
}

const hookKey = "CANARY-HOOK-5519"

// company is a provider over HTTPS that reacts as the suite wants, in front of one
// that takes messages.
type company struct {
	*httptest.Server
	accept http.HandlerFunc
	absent http.HandlerFunc // what it says of a number without the channel
	number func(*http.Request) string
	only   string // messages are requests to addresses with this in them

	mu       sync.Mutex
	reaction carriertest.Reaction
	numbers  []string
}

// newCompany starts one, and makes the files that its driver needs.
func newCompany(t *testing.T, c *company, folder string) {
	t.Helper()
	c.Server = httptest.NewUnstartedServer(c)
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // who hangs up is no news
	c.StartTLS()
	t.Cleanup(c.Close)
	write(t, filepath.Join(folder, "ca"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})))
	write(t, filepath.Join(folder, "word"), aSecret+"\n")
	write(t, filepath.Join(folder, "key"), hookKey+"\n")
	write(t, filepath.Join(folder, "other"), "CANARY-OTHER\n")
}

// React implements carriertest.Provider.
func (c *company) React(r carriertest.Reaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaction = r
}

// Had implements carriertest.Provider.
func (c *company) Had() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.numbers...)
}

// ServeHTTP says back what it was told, with the secret, wherever it says no.
func (c *company) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.only != "" && !strings.Contains(r.URL.Path, c.only) {
		c.accept(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	number := c.number(r)
	c.mu.Lock()
	c.numbers = append(c.numbers, number)
	reaction := c.reaction
	c.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	echo := fmt.Sprintf(`{"error":{"message":%q}}`, r.URL.String()+" "+string(body)+" "+aSecret)
	switch reaction {
	case carriertest.Accept:
		c.accept(w, r)
	case carriertest.Absent:
		c.absent(w, r)
	case carriertest.Refuse:
		http.Error(w, echo, http.StatusBadRequest)
	case carriertest.Busy:
		http.Error(w, echo, http.StatusTooManyRequests)
	case carriertest.Silent:
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // to return is to answer 200
	case carriertest.Cut:
		panic(http.ErrAbortHandler)
	case carriertest.Redirect:
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
}

// ofForm is the number in a field of a form.
func ofForm(field string) func(*http.Request) string {
	return func(r *http.Request) string {
		form := url.Values{}
		if body, err := io.ReadAll(r.Body); err == nil {
			form, _ = url.ParseQuery(string(body))
		}
		return strings.TrimPrefix(form.Get(field), "+")
	}
}

// posted is a call of a provider with one header.
func posted(address, media, body, header, value string) *carrier.Call {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return &carrier.Call{Method: http.MethodPost, URL: address, Query: u.Query(), Body: []byte(body), Now: time.Now(), Header: func(name string) string {
		switch name {
		case header:
			return value
		case "Content-Type":
			return media
		}
		return ""
	}}
}

// Reasons for which checks do not fit.
const (
	noChannel   = "it does not say whether a number has the channel"
	noRepeats   = "the provider does not tell a repeat"
	noRevoking  = "messages cannot be called back"
	noReceipts  = "there are no receipts"
	noCalls     = "receipts come by its own connection"
	noAddresses = "it is no service that names addresses"
)

func lacks(reason string, checks ...string) map[string]string {
	all := map[string]string{}
	for _, check := range checks {
		all[check] = reason
	}
	return all
}
