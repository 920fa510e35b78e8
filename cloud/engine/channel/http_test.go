package channel_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/hint"
)

// What must never be in a log or an error.
const (
	aNumber = "+442079460123"
	aCode   = "482913"
	aSecret = "CANARY-SECRET-7731"
)

var note = carrier.Note{ID: "0123abc", Public: "00112233445566778899aabbccddeeff", Number: aNumber, Text: "Code \"" + aCode + "\" & more\\", Code: aCode, Application: "vpn"}

// leaks says no to what holds a number, a code or a secret.
func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, word := range []string{aNumber, aNumber[1:], aCode, aSecret, "2079460123"} {
		if strings.Contains(text, word) {
			t.Errorf("%s holds %s:\n%s", where, word, text)
		}
	}
}

// gateway is a provider on the loopback.
func gateway(t *testing.T, answer http.HandlerFunc) (h *channel.HTTP) {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	folder := t.TempDir()
	ca := filepath.Join(folder, "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, filepath.Join(folder, "secret"), aSecret+"\n")
	return &channel.HTTP{URL: s.URL + "/send", CA: ca, AllowPrivate: true, Bearer: "file:" + filepath.Join(folder, "secret"),
		Form: map[string]string{"to": "<$number$>", "text": "<$text$>"}}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// caller checks a configuration as a file would be, and opens it.
func caller(t *testing.T, h *channel.HTTP) *channel.Caller {
	t.Helper()
	c := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "a", Mode: channel.Live, HTTP: h}}}}
	for _, err := range c.Check("/") {
		t.Fatal(err)
	}
	opened, err := channel.NewCaller(h, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func TestRequests(t *testing.T) {
	type request struct{ Method, Path, Media, Auth, Extra, Body string }
	var got request
	answer := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = request{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("X-Key"), string(body)}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"status": "queued"}`)
	}
	form := url.Values{"to": {aNumber}, "text": {note.Text}}.Encode()
	for name, c := range map[string]struct {
		set  func(h *channel.HTTP)
		want request
	}{
		"form": {func(h *channel.HTTP) {}, request{"POST", "/send", "application/x-www-form-urlencoded", "Bearer " + aSecret, "", form}},
		"JSON": {func(h *channel.HTTP) {
			h.Form, h.JSON = nil, map[string]any{"n": []any{map[string]any{"to": "<$digits$>", "t": "x<$text$>", "ok": true, "i": uint64(3)}}}
		}, request{"POST", "/send", "application/json", "Bearer " + aSecret, "", ""}},
		"headers and basic": {func(h *channel.HTTP) {
			h.Headers = map[string]string{"X-Key": h.Bearer}
			h.Vars, h.Basic, h.Bearer = map[string]string{"u": "me"}, &channel.Basic{User: "<$u$>", Password: h.Bearer}, ""
			h.Method = "PUT"
		}, request{"PUT", "/send", "application/x-www-form-urlencoded", "Basic bWU6Q0FOQVJZLVNFQ1JFVC03NzMx", aSecret, form}},
		"address": {func(h *channel.HTTP) {
			h.URL += "/<$v$>/<$digits$>"
			h.Vars = map[string]string{"v": "../a?b#c"}
		}, request{"POST", "/send/..%2Fa%3Fb%23c/442079460123", "application/x-www-form-urlencoded", "Bearer " + aSecret, "", form}},
		"query": {func(h *channel.HTTP) { // + stands for a blank there
			h.URL += "?to=<$number$>&v=<$v$>"
			h.Vars = map[string]string{"v": "a b+c&to=x"}
		}, request{"POST", "/send?to=" + url.QueryEscape(aNumber) + "&v=a%20b%2Bc%26to%3Dx", "application/x-www-form-urlencoded", "Bearer " + aSecret, "", form}},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateway(t, answer)
			c.set(h)
			if _, err := caller(t, h).Send(t.Context(), note); err != nil {
				t.Fatal(err)
			}
			if c.want.Media == "application/json" {
				var body struct {
					N []struct {
						To, T string
						OK    bool
						I     int
					}
				}
				if err := json.Unmarshal([]byte(got.Body), &body); err != nil || body.N[0].T != "x"+note.Text || body.N[0].To != aNumber[1:] || !body.N[0].OK || body.N[0].I != 3 {
					t.Errorf("JSON: %v, %s", err, got.Body)
				}
				got.Body = ""
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a provider does that is not taking the message over is an error,
// which says nothing that is secret.
func TestProviderFaults(t *testing.T) {
	rule := func(h *channel.HTTP) {
		h.Success = channel.Success{Status: []int{200, 201}, Field: "messages.0.status", Is: []string{"queued", "0", "null"}}
	}
	say := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); fmt.Fprint(w, text) }
	}
	echo := fmt.Sprintf("%s %s %s", aNumber, aCode, aSecret)
	followed := false
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		set    func(h *channel.HTTP)
		want   string // empty: it is taken
	}{
		"taken":            {say(201, `{"messages": [{"status": "queued"}]}`), rule, ""},
		"taken, a number":  {say(200, `{"messages": [{"status": 0}]}`), rule, ""},
		"taken, null":      {say(200, `{"messages": [{"status": null}]}`), rule, ""},
		"another status":   {say(204, ``), rule, "answered 204"},
		"its status alone": {say(201, ""), func(h *channel.HTTP) { h.Success = channel.Success{Status: []int{201}} }, ""},
		"not its status":   {say(200, ""), func(h *channel.HTTP) { h.Success = channel.Success{Status: []int{201}} }, "answered 200"},
		"not taken":        {say(201, `{"messages": [{"status": "`+echo+`"}]}`), rule, "has not taken"},
		"an object":        {say(201, `{"messages": [{"status": {}}]}`), rule, "without the field"},
		"no field":         {say(201, `{"messages": []}`), rule, "without the field"},
		"no JSON":          {say(201, echo), rule, "without the field"},
		"nothing":          {say(201, ``), rule, "without the field"},
		"bad request":      {say(400, echo), nil, "answered 400"},
		"unauthorized":     {say(401, echo), nil, "answered 401"},
		"too many":         {say(429, echo), nil, "answered 429"},
		"server error":     {say(500, echo), nil, "answered 500"},
		"unavailable":      {say(503, echo), nil, "answered 503"},
		"a redirect":       {redirect(&followed, 302), nil, "redirects are not followed"},
		"another redirect": {redirect(&followed, 307), nil, "redirects are not followed"},
		"a huge answer": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"messages": [{"status": "queued", "x": "`)
			for range 1 << 10 {
				fmt.Fprint(w, strings.Repeat("x", 1<<10))
			}
		}, rule, "more than 65536 bytes"},
		"huge headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}, nil, "broke"},
		"silence":    {func(_ http.ResponseWriter, r *http.Request) { silent(r) }, nil, "in time"},
		"slow words": {slow, rule, "in time"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		}, nil, "broke"},
		"a private network":  {say(200, ""), func(h *channel.HTTP) { h.AllowPrivate = false }, "allow_private is not set"},
		"a strange CA":       {say(200, ""), func(h *channel.HTTP) { h.CA = "" }, "cannot be trusted"},
		"a host that is not": {say(200, ""), func(h *channel.HTTP) { h.URL = "https://sms.invalid/" }, "cannot be looked up"},
		"nobody there":       {say(200, ""), func(h *channel.HTTP) { h.URL = "https://127.0.0.1:1/" }, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateway(t, c.answer)
			h.Timeout = "500ms"
			if c.want != "in time" {
				h.Timeout = "8s"
			}
			if c.set != nil {
				c.set(h)
			}
			_, err := caller(t, h).Send(t.Context(), note)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			leaks(t, "the error", err.Error()+hint.Of(err))
		})
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// A message is known by the id that its provider gave, if receipts may come for
// it; where the status says it all an answer that cannot be read is none the less
// one. The provider hears where to tell what became of it.
func TestIDsOfMessages(t *testing.T) {
	const hook = "https://mfa.contoso.example/delivery/v1/a"
	receipts := func(h *channel.HTTP) *channel.Receipts {
		return &channel.Receipts{Signature: "body-sha256", Key: h.Bearer, ID: "id", Status: "s", Map: map[string][]string{"read": {"x"}}}
	}
	var callbacks []string
	for name, c := range map[string]struct {
		answer   string
		receipts bool
		hook     string
		want     string
	}{
		"named":            {`{"m": [{"id": "x1"}]}`, true, hook, "x1"},
		"without receipts": {`{"m": [{"id": "x1"}]}`, false, hook, ""},
		"without a hook":   {`{"m": [{"id": "x1"}]}`, true, "", "x1"},
		"the longest":      {`{"m": [{"id": "` + strings.Repeat("x", 256) + `"}]}`, true, hook, strings.Repeat("x", 256)},
		"too long":         {`{"m": [{"id": "` + strings.Repeat("x", 257) + `"}]}`, true, hook, ""},
		"nameless":         {`{"m": []}`, true, hook, ""},
		"a flag":           {`{"m": [{"id": true}]}`, true, hook, "true"},
		"no JSON":          {`queued`, true, hook, ""},
		"a long answer":    {`{"m": [{"id": "x1"}], "x": "` + strings.Repeat("x", 64<<10) + `"}`, true, hook, ""},
	} {
		h := gateway(t, func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			callbacks = r.PostForm["tell"]
			fmt.Fprint(w, c.answer)
		})
		h.Form["tell"], h.ID = "<$callback$>", "m.0.id"
		if c.receipts {
			h.Receipts = receipts(h)
		}
		conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "a", Mode: channel.Live, HTTP: h}}}}
		for _, err := range conf.Check("/") {
			t.Fatal(err)
		}
		opened, err := channel.NewCaller(h, c.hook)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := opened.Send(t.Context(), note)
		if err != nil || taken.ID != c.want {
			t.Errorf("%s: %+v, %v", name, taken, err)
		}
		if told := len(callbacks) == 1 && callbacks[0] == hook+"?message="+note.Public; told != (c.receipts && c.hook != "") || !told && len(callbacks) > 0 {
			t.Errorf("%s: it is to tell %q", name, callbacks)
		}
		_ = opened.Close()
	}
}

func redirect(followed *bool, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			*followed = true
			return
		}
		http.Redirect(w, r, "/elsewhere", code)
	}
}

// slow sends a byte of its answer and then nothing.
func slow(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, "{")
	_ = http.NewResponseController(w).Flush()
	silent(r)
}

// silent waits for the caller to leave, which a server sees only once it has
// read the body.
func silent(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // to return is to answer 200
}

// No name leads into a private network or to this machine, in whatever way the
// address is written; where that is wanted every address is called.
func TestAddressesThatMayBeCalled(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "192.0.1.1": true, "100.63.255.255": true, "100.128.0.1": true, "172.32.0.1": true, "198.20.0.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false, "0.1.2.3": false,
		"100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "198.19.255.255": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00::1": false, "fd00::1%eth0": false, "fec0::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "fec0::1%eth0": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::7f00:1": false, "2002:7f00:1::1": false, "2001:0:1::1": false,
	} {
		at := net.JoinHostPort(address, "443")
		if err := channel.MayDial(false)("tcp", at, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
		if err := channel.MayDial(true)("tcp", at, nil); err != nil {
			t.Errorf("%s, where private ones may be called: %v", address, err)
		}
	}
	for _, private := range []bool{false, true} {
		if channel.MayDial(private)("tcp", "sms.contoso.example:443", nil) == nil {
			t.Error("a name that was not looked up is called")
		}
	}
}

func TestSecretsOfProvidersAreNeeded(t *testing.T) {
	h := gateway(t, func(http.ResponseWriter, *http.Request) {})
	good := h.Bearer
	for name, set := range map[string]func(){
		"gone":      func() { h.Bearer = good + ".none" },
		"two lines": func() { h.Bearer, h.Headers = good, map[string]string{"X-Key": "env:CHANNEL_TEST"} },
		"no CA":     func() { h.Headers, h.CA = nil, h.CA+".none" },
		"empty CA":  func() { h.CA = strings.TrimPrefix(good, "file:") },
	} {
		t.Setenv("CHANNEL_TEST", aSecret+"\nb")
		set()
		if _, err := channel.NewCaller(h, ""); err == nil {
			t.Errorf("%s: it was opened", name)
		} else {
			leaks(t, name, err.Error()+hint.Of(err))
		}
	}
}
