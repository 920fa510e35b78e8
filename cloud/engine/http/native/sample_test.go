package native_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"mfabridge/cloud/engine"
	"mfabridge/internal/peer"
)

// step fills the page's form in, sends it and waits for what the page says next.
func (p *page) step(fields map[string]string, says string) {
	p.t.Helper()
	for name, value := range fields {
		name, _ := json.Marshal(name)
		value, _ := json.Marshal(value)
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("(document.getElementById("+string(name)+").value = "+string(value)+", true)")); err != nil {
			p.t.Fatalf("%s: %v", name, err)
		}
	}
	if len(fields) > 0 {
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("(document.getElementById('form').requestSubmit(), true)")); err != nil {
			p.t.Fatal(err)
		}
	}
	p.says(says)
}

func (p *page) says(text string) {
	p.t.Helper()
	want, _ := json.Marshal(text)
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("document.getElementById('says').textContent.includes("+string(want)+") || document.getElementById('problem').textContent.includes("+string(want)+")",
		chromedp.WithPollingTimeout(time.Minute))); err != nil {
		shown, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		p.t.Fatalf("the page never says %s: %v; it shows %q", want, err, shown)
	}
}

// look takes a picture into the folder that MFABRIDGE_PICTURES names, for
// people.
func (p *page) look(name string) {
	p.t.Helper()
	folder := os.Getenv("MFABRIDGE_PICTURES")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// The sample page as it lies in fixtures/native, served as its README says.
func TestSamplePage(t *testing.T) {
	h := build(t)
	h.Advance(time.Since(h.Now()))
	p := browse(t, h)
	site := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(peer.Modules(t, "@azure/msal-browser")))))
	t.Cleanup(site.Close)
	p.origin = strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	app := h.addApp(t, both, func(a *engine.NativeApp) {
		a.Name, a.Origins, a.Brand = "Sample", []string{p.origin}, engine.Brand{Accent: "#0a6847"}
	})
	open := func(client string) {
		t.Helper()
		if err := chromedp.Do(p.ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(p.origin+"/?client_id="+client+"&api="+url.QueryEscape(p.api))); err != nil {
			t.Fatal(err)
		}
	}
	open(app.ID)
	p.says("Who are you?")
	p.look("start")
	p.step(map[string]string{"username": ada}, "Enter your password.")
	p.step(map[string]string{"password": "Wrong-Heron-1"}, "The name or the password is not right.")
	p.look("wrong")
	p.step(map[string]string{"password": password}, "Where shall we send a code?")
	p.step(map[string]string{"id": "3179e48a-750b-4051-897c-87b9720928f7"}, "Enter the code that we have sent to +1*********0.")
	code, _ := h.texts.last(t)
	p.step(map[string]string{"code": code}, "You are signed in.")
	p.look("signed-in")
	shown, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil || !strings.Contains(shown, ada) || !strings.Contains(shown, "pwd, sms, mfa") || !strings.HasPrefix(shown, "Sample") {
		t.Errorf("%q, %v", shown, err)
	}
	open("00000000-0000-4000-8000-000000000000")
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("document.getElementById('problem').textContent !== ''", chromedp.WithPollingTimeout(time.Minute))); err != nil {
		t.Errorf("an application of nobody: %v", err)
	}
}

// The lock file pins the client and names no host.
func TestLockFile(t *testing.T) {
	text, err := os.ReadFile("../../../../fixtures/native/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "http") {
		t.Error("an address stands in the lock file")
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && (p.Integrity == "" || p.Version == "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if v := lock.Packages["node_modules/@azure/msal-browser"].Version; v != "5.29.0" {
		t.Errorf("the client has version %s", v)
	}
}
