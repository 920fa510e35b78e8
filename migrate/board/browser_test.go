package board_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"mfabridge/internal/peer"
)

// tab is a page in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	asked []string // addresses that the page asked for
	said  []string // what stands in the console
}

// browser opens an empty tab of the given size in Chromium, in a colour
// scheme; patience is for machines that are busy.
func browser(t *testing.T, width int64, scheme string) *tab {
	t.Helper()
	const patience = 2 * time.Minute
	path := peer.Path(t, "chromium", "chromium")
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(width, 900))
	b.media("screen", scheme)
	b.listen()
	return b
}

// listen notes what the page asks for and says.
func (b *tab) listen() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	err := chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			b.mu.Lock()
			b.asked = append(b.asked, e.Request.URL)
			b.mu.Unlock()
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	messages := chromedp.Console(b.ctx)
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
}

func (b *tab) media(kind, scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: kind,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open puts a page into a file and shows it.
func (b *tab) open(page, fragment string) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "plan.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://" + path + fragment))
}

// get is the value of a JavaScript expression, as JSON has it.
func get[T any](b *tab, expression string) T {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("JSON.stringify("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		b.t.Fatalf("%s is %s: %v", expression, text, err)
	}
	return v
}

// want waits for a JavaScript expression to become true.
func (b *tab) want(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression)); err != nil {
		b.t.Fatalf("never true: %s: %v; the table says %q", expression, err, get[string](b, `document.getElementById("shown").textContent`))
	}
}

// choose sets a control of the filter and waits for its answer.
func (b *tab) choose(id, value string) {
	b.t.Helper()
	quoted, err := json.Marshal(value)
	if err != nil {
		b.t.Fatal(err)
	}
	get[bool](b, `(function () { var c = document.getElementById("`+id+`"); c.value = `+string(quoted)+`; c.dispatchEvent(new Event("input", { bubbles: true })); return true; })()`)
	b.want(`!document.getElementById("table").hasAttribute("aria-busy")`)
}

// quiet fails the test if the page asked for anything or said anything.
func (b *tab) quiet() {
	b.t.Helper()
	get[bool](b, "true") // everything before it has been told
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.asked {
		if !strings.HasPrefix(url, "file://") || !strings.Contains(url, "/plan.html") {
			b.t.Errorf("the page asked for %s", url)
		}
	}
	if len(b.asked) == 0 {
		b.t.Error("not even the page was seen to be asked for")
	}
	for _, line := range b.said {
		b.t.Errorf("the console says %s", line)
	}
}
