package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	esbuild "github.com/evanw/esbuild/pkg/api"

	"mfabridge/internal/peer"
)

// page is a web page with the published client in a real browser.
type page struct {
	t      *testing.T
	ctx    context.Context
	origin string // of the page
	api    string // base of native authentication
}

// bundle is a module with the published client in it, as a bundler of any
// application would make it.
func bundle(t *testing.T, modules, entry string) []byte {
	t.Helper()
	made := esbuild.Build(esbuild.BuildOptions{EntryPoints: []string{entry}, Bundle: true, Format: esbuild.FormatIIFE, Platform: esbuild.PlatformBrowser,
		NodePaths: []string{modules}, LogLevel: esbuild.LogLevelSilent})
	if len(made.Errors) > 0 || len(made.OutputFiles) != 1 {
		t.Fatalf("the client cannot be bundled: %+v", made.Errors)
	}
	return made.OutputFiles[0].Contents
}

// browse opens a page whose origin is registered with nobody yet.
func browse(t *testing.T, h *house) *page {
	t.Helper()
	path := peer.Path(t, "chromium", "chromium")
	script := bundle(t, peer.Modules(t, "@azure/msal-browser"), filepath.Join("testdata", "driver.js"))
	files := http.NewServeMux()
	files.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><title>driver</title><script src="driver.js"></script>`)
	})
	files.HandleFunc("GET /driver.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(script)
	})
	site, engine := httptest.NewServer(files), httptest.NewServer(h.pages)
	t.Cleanup(site.Close)
	t.Cleanup(engine.Close)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(stop)
	// Its profile is in a folder that it takes away itself: a browser that has ended
	// may write there still, which t.TempDir does not bear.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true))
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	p := &page{t: t, ctx: ctx, origin: strings.Replace(site.URL, "127.0.0.1", "localhost", 1), api: engine.URL + "/native"}
	p.load()
	return p
}

// load opens the page anew: nothing of an earlier sign-in is left.
func (p *page) load() {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(p.origin+"/")); err != nil {
		p.t.Fatal(err)
	}
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("sessionStorage.clear(), localStorage.clear(), true")); err != nil {
		p.t.Fatal(err)
	}
}

// did is what the client says came of a call.
type did struct {
	State      string         `json:"state"`
	Error      string         `json:"error"`
	Sub        string         `json:"sub"`
	Asks       map[string]any `json:"asks"`
	Channel    string         `json:"channel"`
	SentTo     string         `json:"sentTo"`
	CodeLength int            `json:"codeLength"`
	Methods    []struct {
		ID      string `json:"id"`
		Channel string `json:"challenge_channel"`
		Hint    string `json:"login_hint"`
	} `json:"methods"`
	Attributes []struct {
		Name string `json:"name"`
	} `json:"attributes"`

	IDToken     string   `json:"idToken"`
	AccessToken string   `json:"accessToken"`
	Scopes      []string `json:"scopes"`
	Username    string   `json:"username"`
	ID          string   `json:"id"`
}

// call calls a function of the driver.
func (p *page) call(function string, args ...any) (d did) {
	p.t.Helper()
	var list []string
	for _, a := range args {
		text, err := json.Marshal(a)
		if err != nil {
			p.t.Fatal(err)
		}
		list = append(list, string(text))
	}
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("window.driver."+function+"("+strings.Join(list, ",")+").then(JSON.stringify)", chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", function, err)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		p.t.Fatalf("%s: %s: %v", function, text, err)
	}
	return d
}

// in calls a function that must lead to a state.
func (p *page) in(state, function string, args ...any) did {
	p.t.Helper()
	d := p.call(function, args...)
	if d.State != state {
		p.t.Fatalf("%s: %+v, want state %s", function, d, state)
	}
	return d
}

// fails calls a function that must fail.
func (p *page) fails(err, sub, function string, args ...any) did {
	p.t.Helper()
	d := p.call(function, args...)
	if d.Error != err || d.Sub != sub {
		p.t.Fatalf("%s: %+v, want %s/%s", function, d, err, sub)
	}
	return d
}

// create makes the client for an application.
func (p *page) create(client string, types, capabilities []string) {
	p.t.Helper()
	p.load()
	p.call("create", client, p.api, types, capabilities)
}
