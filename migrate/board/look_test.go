package board_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mfabridge/migrate"
	"mfabridge/migrate/board"
)

const found = `Number(document.getElementById("table").dataset.found)`

// counts are users by what a program reads of the same plan.
type counts struct{ actions, codes map[string]int }

func counted(t *testing.T, p *sample) counts {
	t.Helper()
	var b bytes.Buffer
	if err := migrate.ShowJSON(t.Context(), &b, p, false); err != nil {
		t.Fatal(err)
	}
	c := counts{map[string]int{}, map[string]int{}}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, `{"type":"user"`) {
			continue
		}
		var d struct {
			Action   string
			Findings []struct{ Code string }
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		c.actions[d.Action]++
		had := map[string]bool{}
		for _, f := range d.Findings {
			if !had[f.Code] {
				c.codes[f.Code]++
			}
			had[f.Code] = true
		}
	}
	return c
}

func TestFiltersCountAsJSONDoes(t *testing.T) {
	p := plan(1230)
	want := counted(t, p)
	b := browser(t, 1280, "light")
	b.open(page(t, p, board.Options{}), "")
	for i, action := range []string{"create", "update", "none", "skip"} {
		b.choose("by-action", fmt.Sprint(i))
		if got := get[int](b, found); got != want.actions[action] {
			t.Errorf("%d users with the action %s, JSON has %d", got, action, want.actions[action])
		}
	}
	b.choose("by-action", "")
	options := get[[][2]string](b, `Array.from(document.getElementById("by-code").options, function (o) { return [o.value, o.text]; })`)
	if len(options) != len(want.codes)+1 {
		t.Errorf("the filter has %d findings, JSON %d", len(options)-1, len(want.codes))
	}
	for _, o := range options[1:] {
		b.choose("by-code", o[0])
		if got := get[int](b, found); got != want.codes[o[1]] {
			t.Errorf("%d users with %s, JSON has %d", got, o[1], want.codes[o[1]])
		}
	}
	b.choose("by-code", "")
	for i, users := range []int{0, 123, 369, 615, 123} {
		b.choose("by-outlook", fmt.Sprint(i))
		if got := get[int](b, found); got != users {
			t.Errorf("%d users in group %d of the outlook, want %d", got, i, users)
		}
	}
	b.choose("by-outlook", "1")
	b.choose("by-wave", "0")
	if got := get[int](b, found); got != 123 {
		t.Errorf("%d locked out in the pilot, want 123", got)
	}
	b.quiet()
}

// Typing is never held up: a longer search looks at what the shorter one
// found, and only rows that can be seen exist.
func TestSearchAmongManyUsers(t *testing.T) {
	const users = 100_000
	b := browser(t, 1280, "light")
	b.open(page(t, plan(users), board.Options{}), "")
	examined := `Number(document.getElementById("table").dataset.examined)`
	for _, c := range []struct {
		words           string
		found, examined int
	}{
		{"user9999", 11, users}, {"user9999@", 1, 11}, {"user1", 11_111, users}, {"USER1 23@", 111, 11_111}, {"nobody", 0, users}, {"", users, users},
	} {
		b.choose("words-wanted", c.words)
		if got := get[[2]int](b, "["+found+", "+examined+"]"); got != [2]int{c.found, c.examined} {
			t.Errorf("%q: found and examined %v, want %d and %d", c.words, got, c.found, c.examined)
		}
		if rows := get[int](b, `document.getElementById("rows").rows.length`); rows > 60 {
			t.Errorf("%q: %d rows exist", c.words, rows)
		}
	}
	get[int](b, `document.getElementById("window").scrollTop = 1e9`)
	b.want(`document.getElementById("rows").textContent.includes("user99999@")`)
	b.choose("order", "findings")
	b.want(`document.getElementById("rows").rows[0].textContent.includes("1 error")`)
	b.quiet()
}

func TestLinksAndKeys(t *testing.T) {
	b := browser(t, 1280, "light")
	b.open(page(t, plan(2500), board.Options{}), "#user=USER2401%40contoso.example")
	dialog := `document.getElementById("user")`
	b.want(dialog + `.open`)
	text := get[string](b, dialog+`.innerText`)
	for _, want := range []string{"user2401@contoso.example", "Must act", "Mobile phone", "none", "+1 ********01", "code from an app or token", "text message", "PUSH_NEEDS_ACTIVATION", "pushes do not move", "sign-in name", "2,402 of 2,500"} {
		if !strings.Contains(text, want) {
			t.Errorf("the user's page does not say %q:\n%s", want, text)
		}
	}
	b.do(chromedp.Click(chromedp.CSS("#next")))
	b.want(dialog + `.innerText.includes("user2402@") && location.hash === "#user=user2402%40contoso.example"`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.want(`!` + dialog + `.open && location.hash === "#users" && document.activeElement.id === "window"`)
	b.do(chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	b.want(dialog + `.open && ` + dialog + `.innerText.includes("user1@")`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.want(`!` + dialog + `.open`)
	get[string](b, `location.hash = "#code=NO_FACTOR_AFTER_APPLY&words=user1"`)
	b.want(found + ` === 111 && document.getElementById("words-wanted").value === "user1"`)
	get[string](b, `location.hash = "#user=nobody"`)
	b.want(`document.getElementById("shown").textContent === "There is no user nobody in this table."`)
	get[string](b, `location.hash = "#user=%E0"`)
	b.quiet()
}

func TestHostileTextsInABrowser(t *testing.T) {
	text := page(t, hostilePlan(), board.Options{})
	b := browser(t, 390, "dark")
	b.open(text, "")
	b.quiet()
	get[bool](b, `(document.querySelector("#rows a").click(), true)`)
	b.want(`document.getElementById("user").open`)
	if title := get[string](b, `document.title`); title != "Migration plan for 30 users" {
		t.Errorf("the title is %q", title)
	}
	if n := get[int](b, `document.querySelectorAll("img, iframe, link, [onerror], [style*=color]").length`); n > 0 {
		t.Errorf("%d elements came from the data", n)
	}
	if !get[bool](b, `document.getElementById("user-body").innerText.includes("\\u202e") && document.getElementById("user-body").innerText.includes("<img src=x")`) {
		t.Error("what stands in the plan is not shown as it is")
	}
	b.want(`document.documentElement.scrollWidth <= 390 && document.getElementById("user").scrollWidth <= 390`)
	// A script and a style that the policy does not know, wherever they come from.
	foreign := strings.Replace(text, "<footer>", `<footer><script>document.title="taken over"</script><p style="color:red" id="styled">x</p><img src="https://example.invalid/x.png">`, 1)
	b = browser(t, 1280, "light")
	b.open(foreign, "")
	if title := get[string](b, `document.title`); title != "Migration plan for 30 users" {
		t.Error("a foreign script ran")
	}
	if colour := get[string](b, `getComputedStyle(document.getElementById("styled")).color`); colour == "rgb(255, 0, 0)" {
		t.Error("a foreign style counts")
	}
	b.want(`document.querySelector("footer img").naturalWidth === 0`)
}

// contrast finds texts that are too pale for their ground (WCAG 2, 1.4.3 AA:
// 4.5 to 1).
const contrast = `(function () {
  function rgb(s) { var m = s.match(/[\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m; }
  function light(c) { return [0.2126, 0.7152, 0.0722].reduce(function (sum, k, i) { var v = c[i] / 255; return sum + k * (v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4)); }, 0); }
  var pale = [];
  document.querySelectorAll("body *").forEach(function (e) {
    var own = Array.from(e.childNodes).some(function (n) { return n.nodeType === 3 && n.textContent.trim(); });
    if (!own || !e.offsetParent || e.disabled) { return; }
    var ground = null;
    for (var p = e; p && !ground; p = p.parentElement) { ground = rgb(getComputedStyle(p).backgroundColor); }
    var a = light(rgb(getComputedStyle(e).color)), b = light(ground || [255, 255, 255]);
    var ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) { pale.push(ratio.toFixed(2) + " " + e.className + " " + e.textContent.slice(0, 40)); }
  });
  return pale;
})()`

func TestReadableOnEveryScreen(t *testing.T) {
	text := page(t, plan(300), board.Options{Wave: "pilot", Reveal: true})
	b := browser(t, 1280, "light")
	for _, width := range []int64{1280, 390, 320} {
		for _, scheme := range []string{"light", "dark"} {
			b.do(chromedp.EmulateViewport(width, 900))
			b.media("screen", scheme)
			b.open(text, "")
			if got := get[int64](b, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("%d wide, %s: the page is %d wide", width, scheme, got)
			}
			for _, pale := range get[[]string](b, contrast) {
				t.Errorf("%d wide, %s: too pale: %s", width, scheme, pale)
			}
			get[bool](b, `(document.querySelector("#rows a").click(), true)`)
			b.want(`document.getElementById("user").open`)
			for _, pale := range get[[]string](b, contrast) {
				t.Errorf("%d wide, %s, a user: too pale: %s", width, scheme, pale)
			}
		}
	}
}

func TestOnPaper(t *testing.T) {
	b := browser(t, 1280, "dark")
	b.open(page(t, plan(20_000), board.Options{}), "")
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages < 5 || pages > 60 {
		t.Errorf("20,000 users make %d pages", pages)
	}
	b.media("print", "dark")
	b.want(`getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"`)
	b.want(`getComputedStyle(document.querySelector(".groups h3")).breakAfter === "auto"`) // else half of the first page is empty
	for id, want := range map[string]string{"named": "block", "users": "none", "signature": "block"} {
		if got := get[string](b, `getComputedStyle(document.getElementById("`+id+`")).display`); got != want {
			t.Errorf("%s is displayed as %s", id, got)
		}
	}
	if n := get[int](b, `document.querySelectorAll("#named tbody tr").length`); n != 400 {
		t.Errorf("%d users are named on paper, want 200 of those locked out and 200 of those who have to act", n)
	}
}
