package serve_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// guards lets the token "good" in as an admin, and any that the guard has to
// refuse by itself.
type guards struct{}

func (guards) Authenticate(_ context.Context, token string) (serve.Caller, error) {
	if token == "" || len(token) > 4<<10 {
		token = "good"
	}
	switch token {
	case "good":
		return serve.Caller{App: "all", Role: engine.RoleAdmin}, nil
	case "down":
		return serve.Caller{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the store does not answer"}
	}
	return serve.Caller{}, &cloud.Error{Kind: cloud.Denied, Message: "no"}
}

// table has one route that counts what reaches it and waits for hold.
func table(t *testing.T, limits serve.Limits, handled *atomic.Int64, hold chan struct{}) *serve.Table {
	t.Helper()
	h := func(w http.ResponseWriter, r *http.Request) error {
		var body struct{ Text string }
		if err := serve.Read(r, &body); err != nil {
			return err
		}
		handled.Add(1)
		if body.Text == "panic" {
			panic("a fault with a secret")
		}
		if hold != nil {
			<-hold
		}
		return serve.Answer(w, http.StatusOK, body)
	}
	made, err := serve.New(serve.Options{Auth: guards{}, Limits: limits, Routes: []serve.Route{
		{Listener: serve.API, Method: "POST", Path: "/x", Roles: []engine.Role{engine.RoleAdmin}, Body: 100, Handler: h},
		{Listener: serve.API, Method: "POST", Path: "/other", Roles: []engine.Role{engine.RoleShim}, Body: 100, Handler: h},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// start serves on loopback.
func start(t *testing.T, h http.Handler, timeouts serve.Timeouts) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &serve.Group{Timeouts: timeouts, Connections: 8}
	g.Start(l, h, nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// exchange writes text to a new connection, says more if asked to, and returns
// what comes back until the server closes it.
func exchange(t *testing.T, address, text string, half bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // the server may hang up before all is said
	if half {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("the server did not close: %v", err)
	}
	return string(answer)
}

func TestHostileConnections(t *testing.T) {
	var handled atomic.Int64
	api := table(t, serve.Limits{}, &handled, nil).Handler(serve.API)
	patient := serve.Timeouts{Header: time.Minute, Read: time.Minute}
	noHeader := serve.Timeouts{Header: 200 * time.Millisecond, Read: time.Minute}
	noBody := serve.Timeouts{Header: time.Minute, Read: 300 * time.Millisecond}
	head := "POST /x HTTP/1.1\r\nHost: engine\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		timeouts serve.Timeouts
		text     string
		half     bool
		want     string // status, empty: closed without an answer or with one
	}{
		"nothing at all":           {noHeader, "", false, ""},
		"half a header":            {noHeader, "POST /x HTTP/1.1\r\nHost: eng", false, ""},
		"half a header, then FIN":  {patient, "POST /x HTTP/1.1\r\nHost: eng", true, ""},
		"a slow body":              {noBody, head + "Content-Length: 20\r\n\r\n{\"Text\"", false, "400"},
		"half a body, then FIN":    {patient, head + "Content-Length: 20\r\n\r\n{\"Text\"", true, "400"},
		"a body announced too big": {patient, head + "Content-Length: 101\r\n\r\n", true, "413"},
		"a chunked body too big":   {patient, head + "Transfer-Encoding: chunked\r\n\r\n80\r\n" + strings.Repeat(" ", 128) + "\r\n0\r\n\r\n", true, "413"},
		"a huge header":            {patient, "POST /x HTTP/1.1\r\nHost: e\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", true, "431"},
		"two lengths":              {patient, head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", true, "400"},
		"length and chunks":        {patient, head + "Content-Length: 2\r\nTransfer-Encoding: x\r\n\r\n{}", true, "501"},
		"no HTTP":                  {patient, "\x16\x03\x01\x00", true, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := exchange(t, start(t, api, c.timeouts), c.text, c.half)
			if !strings.HasPrefix(answer, "HTTP/1.1 "+c.want) && (c.want != "" || answer != "") {
				t.Errorf("answered %q, want %s", answer, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if handled.Load() != 0 {
			t.Errorf("%d of them were taken for requests", handled.Load())
		}
	})
}

func TestGuard(t *testing.T) {
	var handled atomic.Int64
	h := table(t, serve.Limits{}, &handled, nil).Handler(serve.API)
	for name, c := range map[string]struct {
		path, auth, body string
		status           int
		retry            string
	}{
		"good":            {"/x", "Bearer good", `{"Text":"a"}`, 200, ""},
		"lower case":      {"/x", "bearer good", `{"Text":"a"}`, 200, ""},
		"wrong token":     {"/x", "Bearer bad", `{}`, 401, ""},
		"no token":        {"/x", "", `{}`, 401, ""},
		"an empty token":  {"/x", "Bearer ", `{}`, 401, ""},
		"a scheme alone":  {"/x", "Bearer", `{}`, 401, ""},
		"another scheme":  {"/x", "Basic good", `{}`, 401, ""},
		"a huge token":    {"/x", "Bearer " + strings.Repeat("g", 4097), `{}`, 401, ""},
		"nobody can say":  {"/x", "Bearer down", `{}`, 503, "1"},
		"another role":    {"/other", "Bearer good", `{}`, 403, ""},
		"a fault of ours": {"/x", "Bearer good", `{"Text":"panic"}`, 500, ""},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", c.auth)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Retry-After") != c.retry || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "with a secret") {
			t.Errorf("%s: the answer explains a fault: %s", name, w.Body)
		}
	}
	for _, secured := range []bool{false, true} {
		r := httptest.NewRequest("POST", "/x", strings.NewReader(`{}`))
		r.Header["Authorization"] = []string{"Bearer good", "Bearer bad"}
		if secured {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 || (w.Header().Get("Strict-Transport-Security") != "") != secured {
			t.Errorf("two tokens, TLS %v: %d %v", secured, w.Code, w.Header())
		}
	}
}

func TestTooManyAtOnce(t *testing.T) {
	var handled atomic.Int64
	hold := make(chan struct{})
	h := table(t, serve.Limits{InFlight: 2}, &handled, hold).Handler(serve.API)
	ask := func() int {
		r := httptest.NewRequest("POST", "/x", strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	codes := make(chan int, 10)
	for range 10 {
		go func() { codes <- ask() }()
	}
	for range 8 {
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("over the limit: %d", code)
		}
	}
	close(hold)
	for range 2 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("within the limit: %d", code)
		}
	}
	if ask() != http.StatusOK {
		t.Error("places were not given back")
	}
}

// Who has proven nothing takes no place by sending slowly; one listener leaves
// the places of another alone, and health is told when all are taken.
func TestPlacesAreKeptFree(t *testing.T) {
	hold := make(chan struct{})
	read := func(w http.ResponseWriter, r *http.Request) error {
		text, err := io.ReadAll(r.Body)
		if err != nil || string(text) == "hold" {
			<-hold
		}
		return serve.Answer(w, http.StatusOK, "ok")
	}
	made, err := serve.New(serve.Options{Limits: serve.Limits{InFlight: 1}, Routes: []serve.Route{
		{Listener: serve.API, Method: "POST", Path: "/open", Open: true, Body: 100, Handler: read},
		{Listener: serve.Ops, Method: "GET", Path: "/healthz", Open: true, Handler: read},
		{Listener: serve.Pages, Method: "POST", Path: "/page", Open: true, Body: 100, Handler: read},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(l serve.Listener, method, path string, body io.Reader) int {
		w := httptest.NewRecorder()
		made.Handler(l).ServeHTTP(w, httptest.NewRequest(method, path, body))
		return w.Code
	}
	slow, rest := io.Pipe()
	codes := make(chan int)
	go func() { codes <- ask(serve.API, "POST", "/open", slow) }()
	if _, err := io.WriteString(rest, "ho"); err != nil { // it is being read
		t.Fatal(err)
	}
	if code := ask(serve.API, "POST", "/open", strings.NewReader("x")); code != http.StatusOK {
		t.Errorf("beside a slow body: %d", code)
	}
	if _, err := io.WriteString(rest, "ld"); err != nil {
		t.Fatal(err)
	}
	rest.Close()
	for { // until it holds the place
		if short, _, _ := made.InFlight(); short == 1 {
			break
		}
		runtime.Gosched()
	}
	if code := ask(serve.API, "POST", "/open", strings.NewReader("x")); code != http.StatusServiceUnavailable {
		t.Errorf("over the limit: %d", code)
	}
	if code := ask(serve.Pages, "POST", "/page", strings.NewReader("x")); code != http.StatusOK {
		t.Errorf("another listener when all places are taken: %d", code)
	}
	if code := ask(serve.Ops, "GET", "/healthz", nil); code != http.StatusOK {
		t.Errorf("health when all places are taken: %d", code)
	}
	close(hold)
	if code := <-codes; code != http.StatusOK {
		t.Errorf("the slow one: %d", code)
	}
	for body, want := range map[io.Reader]int{iotest.ErrReader(errors.New("cut")): http.StatusBadRequest, strings.NewReader(strings.Repeat("x", 101)): http.StatusRequestEntityTooLarge} {
		if code := ask(serve.API, "POST", "/open", body); code != want {
			t.Errorf("a body of %T: %d, want %d", body, code, want)
		}
	}
}

// stuck is somebody who takes nothing of an answer.
type stuck struct {
	http.ResponseWriter
	asked chan struct{} // closed when something is written
	hold  chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	close(s.asked)
	<-s.hold
	return len(b), nil
}

// Whoever does not take a file keeps nobody from anything but files.
func TestFilesHoldNoPlaceOfOthers(t *testing.T) {
	file := func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "file")
		return nil
	}
	made, err := serve.New(serve.Options{Limits: serve.Limits{InFlight: 1}, Routes: []serve.Route{
		{Listener: serve.Pages, Method: "GET", Path: "/file", Open: true, File: true, Handler: file},
		{Listener: serve.Pages, Method: "GET", Path: "/about", Open: true, Handler: file},
	}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(w http.ResponseWriter, path string) {
		made.Handler(serve.Pages).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	}
	slow := &stuck{ResponseWriter: httptest.NewRecorder(), asked: make(chan struct{}), hold: make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); get(slow, "/file") }()
	<-slow.asked
	for path, want := range map[string]int{"/about": http.StatusOK, "/file": http.StatusServiceUnavailable} {
		w := httptest.NewRecorder()
		if get(w, path); w.Code != want {
			t.Errorf("%s beside who takes nothing: %d, want %d", path, w.Code, want)
		}
	}
	close(slow.hold)
	<-done
	w := httptest.NewRecorder()
	if get(w, "/file"); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// Bodies that come slowly at one listener leave those of another alone, and on
// the public one they hold no place, whoever sends them.
func TestSlowBodiesAreOfTheirListener(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadAll(r.Body); err != nil {
			return err
		}
		return serve.Answer(w, http.StatusOK, "ok")
	}
	admin := []engine.Role{engine.RoleAdmin}
	made, err := serve.New(serve.Options{Auth: guards{}, Limits: serve.Limits{InFlight: 1, Gathered: 1}, Routes: []serve.Route{
		{Listener: serve.API, Method: "POST", Path: "/token", Open: true, Body: 100, Handler: read},
		{Listener: serve.Pages, Method: "POST", Path: "/page", Open: true, Body: 100, Handler: read},
		{Listener: serve.Pages, Method: "POST", Path: "/device", Roles: admin, Body: 100, Handler: read},
		{Listener: serve.Pages, Method: "GET", Path: "/me", Roles: admin, Handler: read},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(l serve.Listener, method, path string, body io.Reader) int {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, body)
		r.Header.Set("Authorization", "Bearer good")
		made.Handler(l).ServeHTTP(w, r)
		return w.Code
	}
	slow, rest := io.Pipe()
	code := make(chan int)
	go func() { code <- ask(serve.Pages, "POST", "/device", slow) }()
	if _, err := io.WriteString(rest, "x"); err != nil { // it is being read
		t.Fatal(err)
	}
	if got := ask(serve.Pages, "GET", "/me", nil); got != http.StatusOK {
		t.Errorf("beside the slow body of a device: %d", got)
	}
	if got := ask(serve.Pages, "POST", "/page", strings.NewReader("x")); got != http.StatusServiceUnavailable {
		t.Errorf("one body more than is read at once: %d", got)
	}
	if got := ask(serve.API, "POST", "/token", strings.NewReader("x")); got != http.StatusOK {
		t.Errorf("at another listener: %d", got)
	}
	rest.Close()
	if got := <-code; got != http.StatusOK {
		t.Errorf("the slow one: %d", got)
	}
}

// Large bodies of who has proven nothing are few at once, as they fill memory;
// they keep no small one from being read.
func TestLargeBodiesAreFew(t *testing.T) {
	const small = 32 << 10
	made, err := serve.New(serve.Options{Limits: serve.Limits{Large: 1}, Routes: []serve.Route{
		{Listener: serve.Pages, Method: "POST", Path: "/receipts", Open: true, Body: 4 * small, Handler: func(w http.ResponseWriter, r *http.Request) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			return serve.Answer(w, http.StatusOK, len(body))
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(body io.Reader) (int, string) {
		w := httptest.NewRecorder()
		made.Handler(serve.Pages).ServeHTTP(w, httptest.NewRequest("POST", "/receipts", body))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	sized := func(n int) (int, string) { return ask(strings.NewReader(strings.Repeat("x", n))) }
	slow, rest := io.Pipe()
	done := make(chan string)
	go func() { _, text := ask(slow); done <- text }()
	if _, err := io.WriteString(rest, strings.Repeat("x", small+2)); err != nil { // it holds the place by now
		t.Fatal(err)
	}
	if code, _ := sized(small + 1); code != http.StatusServiceUnavailable {
		t.Errorf("one large body more: %d", code)
	}
	if code, text := sized(small); code != http.StatusOK || text != fmt.Sprint(small) {
		t.Errorf("a small one: %d, %s", code, text)
	}
	rest.Close()
	if text := <-done; text != fmt.Sprint(small+2) {
		t.Errorf("of the slow one arrived %s", text)
	}
	if code, text := sized(4 * small); code != http.StatusOK || text != fmt.Sprint(4*small) {
		t.Errorf("after it: %d, %s", code, text)
	}
	if code, _ := sized(4*small + 1); code != http.StatusRequestEntityTooLarge {
		t.Errorf("one that is too large: %d", code)
	}
}

// Programs read JSON where nothing is, and people a page that leads somewhere.
func TestNobodyIsLost(t *testing.T) {
	t.Parallel()
	var handled atomic.Int64
	made := table(t, serve.Limits{}, &handled, nil)
	ask := func(door serve.Listener, method, path, accept string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, http.NoBody)
		r.Header.Set("Accept", accept)
		made.Handler(door).ServeHTTP(w, r)
		return w
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for path, up := range map[string]string{"/Authenticator": "./", "/a/b": "./../", "/a/b/": "./../../"} {
		w := ask(serve.Pages, "GET", path, browser)
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" ||
			!strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") || strings.Count(w.Body.String(), `<a href="`+up+`">`) != 2 {
			t.Errorf("%s: %d %v\n%s", path, w.Code, w.Header(), w.Body)
		}
	}
	for _, w := range []*httptest.ResponseRecorder{ask(serve.Pages, "GET", "/none", "*/*"), ask(serve.Pages, "POST", "/none", browser), ask(serve.API, "GET", "/none", browser)} {
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), "no such route") {
			t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
		}
	}
}

func TestRoutesMustBeWhole(t *testing.T) {
	h := func(http.ResponseWriter, *http.Request) error { return nil }
	good := serve.Route{Listener: serve.API, Method: "GET", Path: "/x", Open: true, Handler: h}
	for name, edit := range map[string]func(*serve.Route){
		"neither roles nor open": func(r *serve.Route) { r.Open = false },
		"both":                   func(r *serve.Route) { r.Roles = []engine.Role{engine.RoleAdmin} },
		"no listener":            func(r *serve.Route) { r.Listener = "" },
		"no handler":             func(r *serve.Route) { r.Handler = nil },
		"nobody checks tokens":   func(r *serve.Route) { r.Open, r.Roles = false, []engine.Role{engine.RoleAdmin} },
	} {
		r := good
		edit(&r)
		if _, err := serve.New(serve.Options{Routes: []serve.Route{r}}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := serve.New(serve.Options{Routes: []serve.Route{good}}); err != nil {
		t.Error(err)
	}
}

// certify writes a certificate and returns its serial number.
func certify(t *testing.T, dir string, serial int64, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, "c"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "k"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: inner}), 0o600))
	written := time.Unix(serial, 0) // of which the clock of a file system may be too coarse to tell two
	for _, name := range []string{"c", "k"} {
		err = errors.Join(err, os.Chtimes(filepath.Join(dir, name), written, written))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	certify(t, dir, 1, now.Add(time.Hour))
	var failed []error
	c, err := serve.LoadCertificate(filepath.Join(dir, "c"), filepath.Join(dir, "k"), func() time.Time { return now }, func(err error) { failed = append(failed, err) })
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		t.Helper()
		shown, err := c.Config().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return shown.Leaf.SerialNumber.String()
	}
	step := func(what, want string) {
		t.Helper()
		if got := serial(); got != want {
			t.Errorf("%s: certificate %s, want %s", what, got, want)
		}
	}
	step("at first", "1")
	certify(t, dir, 22, now.Add(time.Hour))
	step("at once", "1")
	now = now.Add(11 * time.Second)
	step("after a while", "22")
	certify(t, dir, 333, now.Add(-time.Minute))
	now = now.Add(11 * time.Second)
	step("one that has ended", "22")
	if err := os.WriteFile(filepath.Join(dir, "k"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(11 * time.Second)
	step("one that cannot be read", "22")
	if len(failed) != 2 {
		t.Errorf("heard of %v", failed)
	}
	if err := c.Reload(); err == nil {
		t.Error("Reload took it")
	}
	step("after Reload", "22")
}

func TestShutdownAnswersWhatWasRead(t *testing.T) {
	var handled atomic.Int64
	hold := make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &serve.Group{}
	g.Start(l, table(t, serve.Limits{}, &handled, hold).Handler(serve.API), nil)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /x HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	for handled.Load() == 0 { // until it was read
		select {
		case err := <-g.Failed():
			t.Fatal(err)
		default:
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Shutdown(context.Background()) }()
	for { // until nobody is let in any more
		late, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		late.Close()
	}
	close(hold)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("answered %q, %v", line, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
