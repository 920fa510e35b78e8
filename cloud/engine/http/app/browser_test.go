package app_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mfabridge/internal/peer"
)

// How long the page is waited for, on machines that are busy, too: waits end as
// soon as it has what they are for.
const (
	comes    = time.Minute     // what it is to show
	patience = 2 * time.Minute // its answer to a question
)

// chromium is the one browser of all tests; each has a profile of its own in it.
var chromium struct {
	sync.Mutex
	ctx  context.Context
	stop context.CancelFunc
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// options are how a browser is started.
func options(path, profile string) []chromedp.ExecAllocatorOption {
	return append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", filepath.Join(profile, "camera.y4m")))
}

func running(t testing.TB) context.Context {
	t.Helper()
	path := peer.Path(t, "chromium", "chromium")
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx
	}
	profile, err := os.MkdirTemp("", "mfa-app-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "camera.y4m"), film(t, filmed), 0o600); err != nil {
		t.Fatal(err)
	}
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options(path, profile)...)
	ctx, _ := chromedp.NewContext(allocated)
	if err := chromedp.Do(ctx); err != nil {
		stop()
		t.Fatal(err)
	}
	chromium.ctx, chromium.stop = ctx, func() { _ = chromedp.Cancel(ctx); stop(); _ = os.RemoveAll(profile) }
	return ctx
}

// tab is a page in a real browser.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu     sync.Mutex
	said   []string // what stands in the console
	expect []string // parts of lines that are expected there
}

// watcher makes what the content policy refuses heard in the console.
const watcher = `document.addEventListener("securitypolicyviolation", function (e) { console.error("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile); });`

// open opens the page in a profile of its own.
func open(t testing.TB, base string, scripts ...string) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(running(t), chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	return start(t, ctx, base, scripts...)
}

// beside opens the page in another tab of the same profile.
func (b *tab) beside() *tab {
	b.t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	b.t.Cleanup(stop)
	return start(b.t, ctx, b.base)
}

func start(t testing.TB, ctx context.Context, base string, scripts ...string) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx, base: base}
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as what it is first used with
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(390, 844))
	// Of several tabs each is one that somebody looks at.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, script := range append(scripts, watcher) {
		if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
			t.Fatal(err)
		}
	}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.said = append(b.said, string(m.Type)+": "+m.Text)
			b.mu.Unlock()
		}
	}()
	b.visit("")
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// visit opens the page anew, with a fragment.
func (b *tab) visit(fragment string) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.base+"/authenticator"+fragment))
	b.want(`document.querySelector("main h1")`)
}

// get is the value of a JavaScript expression, or of the promise that it is.
func get[T any](b *tab, expression string) (v T) {
	b.t.Helper()
	v, err := try[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", expression, err, b.page())
	}
	return v
}

func try[T any](b *tab, expression string) (v T, err error) {
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => JSON.stringify(await (`+expression+`)) ?? "null")()`, chromedp.EvalAwaitPromise))
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(text), &v)
}

// page is what can be read on the page.
func (b *tab) page() string {
	text, err := try[string](b, `document.body.innerText`)
	if err != nil {
		return err.Error()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return text + "\nconsole: " + strings.Join(b.said, "\n")
}

// want waits until a JavaScript expression is true, also on the page that follows
// while it waits.
func (b *tab) want(expression string) {
	b.t.Helper()
	ok, err := b.becomes(expression, comes)
	for range 3 {
		if err == nil || !strings.Contains(err.Error(), "target navigated") {
			break
		}
		ok, err = b.becomes(expression, comes)
	}
	if err != nil || !ok {
		b.t.Fatalf("never true: %s (%v); the page says\n%s", expression, err, b.page())
	}
}

// becomes tells whether a JavaScript expression is true within a time.
func (b *tab) becomes(expression string, within time.Duration) (bool, error) {
	return try[bool](b, `new Promise((done) => { const end = Date.now() + `+strconv.FormatInt(within.Milliseconds(), 10)+`; const look = async () => { let v; try { v = await (`+expression+
		`); } catch { v = false; } v ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 25); }; look(); })`)
}

// sees waits for a text on the page.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.want(`(document.querySelector("dialog[open]") ?? document.body).innerText.includes(` + quote(text) + `)`)
}

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// scope is the dialog in front, or the page.
const scope = `(document.querySelector("dialog[open]") ?? document)`

// click presses the button or link with a text or a label.
func (b *tab) click(text string) {
	b.t.Helper()
	found := `Array.from(` + scope + `.querySelectorAll("button, a, summary, label.button")).find((e) => e.checkVisibility() && (e.innerText.trim() === ` + quote(text) +
		` || e.getAttribute("aria-label") === ` + quote(text) + ` || e.querySelector("strong")?.innerText === ` + quote(text) + `))`
	b.want(`!!` + found)
	get[bool](b, `(`+found+`.click(), true)`)
}

// fill types into the control with a label.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	found := `Array.from(` + scope + `.querySelectorAll("label")).filter((l) => l.checkVisibility()).find((l) => l.innerText === ` + quote(label) + `)?.control`
	b.want(`!!` + found)
	get[bool](b, `((e) => { e.value = `+quote(value)+`; e.dispatchEvent(new Event("input", { bubbles: true })); return true; })(`+found+`)`)
}

// look makes the window so wide, in a colour scheme.
func (b *tab) look(width int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 844))
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "screen",
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails the test if the page complained of anything that is not expected.
func (b *tab) quiet() {
	b.t.Helper()
	get[bool](b, "true") // everything before it has been told
	b.mu.Lock()
	defer b.mu.Unlock()
lines:
	for _, line := range b.said {
		for _, part := range append(b.expect, "Banner not shown") { // the offer to install comes from our button
			if strings.Contains(line, part) {
				continue lines
			}
		}
		b.t.Errorf("the console says %s", line)
	}
}

// settled waits until a sheet that has just come takes presses.
func (b *tab) settled() {
	b.t.Helper()
	get[bool](b, `new Promise((done) => setTimeout(() => done(true), 600))`)
}
