package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel/webpush/webpushtest"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/remote/device"
	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// wokenYAML is an engine that a shim holds, and that wakes devices by one push
// service.
const wokenYAML = `store: sqlite:cloud.db
push: {subject: "mailto:it@contoso.example", hosts: ["%s"], ca: %s, allow_private: true}
listeners:
  api: {listen: "127.0.0.1:0"}
  pages: {listen: "127.0.0.1:0", tls: {cert: engine.crt, key: engine.key}}
`

// A shim that holds its engine wakes a telephone whose page is closed, through the
// push service that its browser has named; the approval ends the login.
func TestShimWakesATelephoneThroughItsPushService(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	certify(t, m.folder, 1)
	service, browser := webpushtest.Serve(t, webpushtest.Created), webpushtest.NewBrowser(t)
	m.write(t, "engine.yaml", fmt.Sprintf(wokenYAML, service.Host(), service.CA))
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, m.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1)))

	phone := m.path("phone.json")
	(&served{dir: m.folder, pages: listening(t, shim.log(), "pages")}).enrol(t, fixtures.Ada, "phone.json")
	vapid := subscribe(t, phone, m.path("engine.crt"), service.URL+"/send/ada", browser)

	login := make(chan string, 1)
	go func() {
		login <- patientRadclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada))
	}()
	r := service.Got(t)
	if err := service.Signed(r, vapid, "mailto:it@contoso.example"); err != nil || r.URL.Path != "/send/ada" {
		t.Errorf("%s: %v", r.URL.Path, err)
	}
	body, _ := io.ReadAll(r.Body)
	text, err := browser.Open(body)
	var said struct {
		Type, Challenge, Application string
	}
	if err != nil || json.Unmarshal(text, &said) != nil || said.Type != "push" || said.Application != "vpn" || said.Challenge == "" {
		t.Fatalf("the browser reads %s, %v", text, err)
	}
	select {
	case out := <-login:
		t.Fatalf("nobody has approved:\n%s", out)
	default:
	}
	if r := must(t, exitDone, "authenticator", "approve", "--device", phone); !strings.Contains(r.out, "vpn") {
		t.Errorf("approve says\n%s", r.out)
	}
	if out := <-login; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("approved:\n%s", out)
	}
	if log := shim.stop(); !strings.Contains(log, `"method":"push"`) || strings.Contains(log, "/send/ada") {
		t.Errorf("the log is\n%s", log)
	}
	if n := len(service.Came); n != 0 {
		t.Errorf("%d more messages for one login", n)
	}
}

// subscribe names a push service for an authenticator as its page does, and
// returns the key by which the engine is known to push services.
func subscribe(t *testing.T, file, authority, endpoint string, browser *webpushtest.Browser) (vapid string) {
	t.Helper()
	var kept struct {
		URL    string       `json:"url"`
		User   cloud.UserID `json:"user_id"`
		Device string       `json:"device"`
		Key    []byte       `json:"key"`
	}
	if err := json.Unmarshal([]byte(readFile(t, file)), &kept); err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(kept.Key)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := loadCA(authority)
	if err != nil {
		t.Fatal(err)
	}
	client, err := device.New(device.Options{URL: kept.URL, CA: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	about, err := client.About(t.Context())
	if err != nil || about.PushKey == "" {
		t.Fatalf("%+v, %v", about, err)
	}
	body := wire.SubscriptionRequest{Endpoint: endpoint}
	body.Keys.P256DH, body.Keys.Auth = browser.Keys()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	h := handheld{user: kept.User, device: kept.Device, key: key.(*ecdsa.PrivateKey)}
	over := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	if err := h.post(over, kept.URL, "/subscription", string(text)); err != nil {
		t.Fatal(err)
	}
	return about.PushKey
}

// patientRadclient asks as a gateway that waits for somebody to look at a telephone.
func patientRadclient(t *testing.T, address, secretFile string, attributes ...string) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", "10", "-r", "5", "-S", secretFile, address, "auth")
	cmd.Stdin = strings.NewReader(strings.Join(append(attributes, `User-Password = "x"`, "Message-Authenticator = 0x00"), ", ") + "\n")
	out, _ := cmd.CombinedOutput()
	return string(out)
}
