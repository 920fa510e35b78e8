package app_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"mfabridge/cloud/engine/http/app"
)

// What is sent with the page, and what is not there.
func TestFiles(t *testing.T) {
	t.Parallel()
	h := build(t)
	ask := func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		return w
	}
	page := ask("/authenticator")
	policy := page.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the policy is weak: %s", policy)
	}
	if h := page.Header(); h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Permissions-Policy") != "camera=(self), geolocation=(), microphone=()" {
		t.Errorf("other pages may do more than they should: %v", h)
	}
	if body := page.Body.String(); strings.Contains(body, "<style") || strings.Contains(body, " style=") || strings.Contains(body, "<script>") || strings.Contains(body, "://") {
		t.Error("something stands inline in the page, or comes from elsewhere")
	}
	for path, kind := range map[string]string{"/authenticator": "text/html; charset=utf-8", "/authenticator/main.js": "text/javascript; charset=utf-8", "/authenticator/style.css": "text/css; charset=utf-8",
		"/authenticator/manifest.webmanifest": "application/manifest+json", "/authenticator/icon.svg": "image/svg+xml", "/authenticator/icon-192.png": "image/png", "/authenticator/sw.js": "text/javascript; charset=utf-8"} {
		w := ask(path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" ||
			w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" ||
			!strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		tag := w.Header().Get("Etag")
		if w := ask(path, "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s again: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/authenticator", "/authenticator/de.js"} {
		w, plain := ask(path, "Accept-Encoding", "br, gzip"), ask(path, "Accept-Encoding", "gzip;q=0")
		unpacked, err := gzip.NewReader(w.Body)
		if err != nil || w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" || plain.Header().Get("Content-Encoding") != "" ||
			w.Header().Get("Etag") == plain.Header().Get("Etag") || 2*w.Body.Len() > plain.Body.Len() {
			t.Fatalf("%s by gzip: %v, %v", path, err, w.Header())
		}
		if text, err := io.ReadAll(unpacked); err != nil || string(text) != plain.Body.String() {
			t.Errorf("%s by gzip is another one: %v", path, err)
		}
		if w := ask(path, "Accept-Encoding", "gzip", "If-None-Match", w.Header().Get("Etag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s by gzip again: %d", path, w.Code)
		}
	}
	if w := ask("/authenticator/icon-192.png", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") == "" && !strings.HasPrefix(w.Body.String(), "\x89PNG") {
		t.Errorf("an image that gzip makes no smaller: %v, %d octets", w.Header(), w.Body.Len())
	}
	for _, name := range []string{"main.js", "en.js", "qrdata.js"} {
		if !strings.Contains(page.Body.String(), `<link rel="modulepreload" href="authenticator/`+name+`">`) {
			t.Errorf("the page does not name %s", name)
		}
	}
	if strings.Contains(page.Body.String(), "sw.js") || strings.Contains(page.Body.String(), "<!--") {
		t.Errorf("the page says\n%s", page.Body)
	}
	worker := ask("/authenticator/sw.js")
	if worker.Header().Get("Service-Worker-Allowed") != "../authenticator" || !strings.HasPrefix(worker.Body.String(), "const kept = {") || !strings.Contains(worker.Body.String(), `"main.js"`) {
		t.Errorf("the worker: %v %.80s", worker.Header(), worker.Body)
	}
	for _, path := range []string{"/authenticator/none.js", "/authenticator/index.html", "/authenticator/..%2fapp.go", "/authenticator/../main.js"} {
		if w := ask(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := ask("/authenticator/"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "../authenticator" {
		t.Errorf("with a slash behind it: %d %v", w.Code, w.Header())
	}
}

// Every process that holds an engine makes the page ready when it starts, whether
// anybody opens it or not: that leaves little behind to be collected. It is not
// parallel, so nobody else is at work meanwhile.
func TestThePageIsMadeReadyWithLittle(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := app.New(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 4 {
		t.Errorf("%d MiB were asked for", used)
	}
}
