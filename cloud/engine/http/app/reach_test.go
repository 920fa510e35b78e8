package app_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"mfabridge/cloud/engine"
)

const (
	checkNow = "Check now"
	arrived  = "requests reach this device while this page is open"
)

// Somebody checks by keyboard that requests reach the device, hears the outcome,
// and may do so as often as the engine allows.
func TestRequestsReachTheDevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url, patient)
	h.activated(t, b)
	b.click("Details of " + ada)
	b.sees("Recent answers")
	press := `Array.from(document.querySelectorAll("button")).find((e) => e.innerText === "` + checkNow + `")`
	get[bool](b, `(`+press+`.focus(), true)`)
	b.do(chromedp.KeyEvent("\r"))
	b.sees(arrived)
	b.sees("While this page is closed, this device is not told")
	b.want(`document.getElementById("said").textContent.includes("this device is not told")`)
	b.want(`document.activeElement === ` + press)
	b.inspect("reach")
	b.expect = []string{"429"}
	const often = `document.body.innerText.includes("You have checked several times. Try again in ")`
	tries := 1
	for ; tries < 30 && !get[bool](b, often); tries++ { // more than six only where the minute ends meanwhile
		b.click(checkNow)
		b.want(often + ` || document.querySelectorAll("main .notice").length === 2 && !` + press + `.hasAttribute("aria-disabled")`)
	}
	if tries < 7 || tries == 30 {
		t.Errorf("%d checks, and then it says\n%s", tries, b.page())
	}
	b.quiet()
}

// deaf is between the engine and the page and loses test events.
type deaf struct{ http.ResponseWriter }

func (d deaf) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("event: test")) {
		return len(b), nil
	}
	return d.ResponseWriter.Write(b)
}

func (d deaf) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// patient has the page wait for a test until pass is called.
const patient = `{ const later = setTimeout, held = [];
  window.setTimeout = (work, time, ...more) => time === 10000 ? held.push(work) && 0 : later(work, time, ...more);
  window.pass = () => held.splice(0).map((work) => work()).length > 0; }`

// A test that does not arrive says so, and what to do.
func TestRequestsDoNotReachTheDevice(t *testing.T) {
	t.Parallel()
	h := build(t)
	var elsewhere atomic.Bool
	h.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if elsewhere.Load() && strings.HasSuffix(r.URL.Path, "/v1/test") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"streams":0,"push_service":"none"}`)
			return
		}
		next.ServeHTTP(deaf{w}, r)
	}
	b := open(t, h.url, patient)
	h.activated(t, b)
	b.click("Details of " + ada)
	b.click(checkNow)
	b.sees("Waiting for the test")
	b.want(`pass()`)
	b.sees("The test did not arrive")
	b.want(`document.querySelector("main [role=alert]").innerText.includes("did not arrive")`)
	b.inspect("reach-late")
	elsewhere.Store(true)
	b.click(checkNow)
	b.sees("found no connection of this device")
	h.down()
	b.expect = []string{"net::ERR_"}
	b.click(checkNow)
	b.sees("The server does not answer")
	b.quiet()
}

// With more accounts than connections each check has a stream of its own.
func TestRequestsReachOneOfManyAccounts(t *testing.T) {
	t.Parallel()
	h := build(t)
	b := open(t, h.url, patient)
	for range 5 {
		h.activated(t, b)
	}
	b.click("Details of " + ada)
	b.click(checkNow)
	b.sees(arrived)
	b.quiet()
}

// What the push service does with a test is told, too.
func TestRequestsReachThePushService(t *testing.T) {
	t.Parallel()
	h := build(t)
	var word atomic.Value
	ids := make(chan string, 8)
	h.wake = func(w engine.Wake) engine.Woken {
		ids <- w.Test
		return word.Load().(engine.Woken)
	}
	b := open(t, h.url, patient)
	h.activated(t, b)
	b.kept()
	worker := h.worker(b)
	me, err := h.engine.Owned(t.Context(), h.user)
	if err != nil || len(me.Devices) != 1 {
		t.Fatalf("%+v, %v", me, err)
	}
	point := "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU" // of P-256: its base (SEC 2 §2.4.2)
	if err := h.engine.Subscribe(t.Context(), h.user, me.Devices[0].ID, &engine.Subscription{Endpoint: "https://push.contoso.example/1", P256DH: point, Auth: "AAAAAAAAAAAAAAAAAAAAAA"}); err != nil {
		t.Fatal(err)
	}
	b.click("Details of " + ada)
	word.Store(engine.WokenSent)
	b.click(checkNow)
	b.sees(arrived)
	h.delivers(b, worker, `{"type":"test","id":"`+<-ids+`"}`, `document.body.innerText.includes("It also came through the push service of your browser")`)
	word.Store(engine.WokenGone)
	b.click(checkNow)
	b.sees("did not take the test")
	b.inspect("reach-service")
	word.Store(engine.WokenSent)
	get[bool](b, `pass()`) // what was waited for before
	b.click(checkNow)
	b.sees(arrived)
	b.want(`pass()`)
	b.sees("has not delivered it")
	b.quiet()
}
