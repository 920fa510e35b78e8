package pfsdk_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy/pfsdk"
)

func TestBadServers(t *testing.T) {
	always := func(f func(w http.ResponseWriter)) map[string]func(http.ResponseWriter, string) bool {
		return map[string]func(http.ResponseWriter, string) bool{"TestSecurity": func(w http.ResponseWriter, _ string) bool { f(w); return true }}
	}
	secure := sdk("TestSecurityResponse", "<TestSecurityResult>secure</TestSecurityResult>")
	for _, c := range []struct {
		name, want string
		answer     func(w http.ResponseWriter)
		tries      int
	}{
		{"torn", "the old server does not answer: the answer to TestSecurity breaks off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10000")
			send(w, secure[:100])
		}, pfsdk.MaxTries},
		{"busy", "the old server does not answer: HTTP 503", func(w http.ResponseWriter) { http.Error(w, "busy", http.StatusServiceUnavailable) }, pfsdk.MaxTries},
		{"cut short", "the document ends within a tag", func(w http.ResponseWriter) { send(w, secure[:100]) }, 1},
		{"huge", "the document has more than 4194304 bytes", func(w http.ResponseWriter) {
			send(w, strings.TrimSuffix(secure, "</soap:Envelope>")+strings.Repeat("<!-- huge -->", 400_000))
		}, 1},
		{"bomb", "a DOCTYPE is refused", func(w http.ResponseWriter) {
			send(w, `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`+strings.Replace(secure, "secure", "&b;", 1))
		}, 1},
		{"deep", "more than 64 elements stand within each other", func(w http.ResponseWriter) { send(w, strings.Repeat("<a>", 100_000)) }, 1},
		{"another encoding", "the server answers in the encoding utf-16, of which only UTF-8 is read", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/xml; charset=utf-16")
			_, _ = w.Write([]byte(secure))
		}, 1},
		{"a page", "the server answers with something that is not XML", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		}, 1},
		{"nothing there", "there is no Web Service SDK at this address (HTTP 404)", func(w http.ResponseWriter) { http.Error(w, "", http.StatusNotFound) }, 1},
		{"failing", "the server answers with HTTP 500", func(w http.ResponseWriter) { http.Error(w, "", http.StatusInternalServerError) }, 1},
		{"redirect", "the server redirects to another address, which is not followed", func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(http.StatusFound)
		}, 1},
		{"forbidden", "the server does not let this account in (HTTP 403)", func(w http.ResponseWriter) { http.Error(w, "", http.StatusForbidden) }, 1},
		{"not secure", `TestSecurity does not answer "secure"`, func(w http.ResponseWriter) { send(w, strings.Replace(secure, ">secure<", ">open<", 1)) }, 1},
		{"something else", "an answer cannot be right: it is not one to TestSecurity", func(w http.ResponseWriter) { send(w, answer("UserIsBlocked", "")) }, 1},
		{"twice", "an answer cannot be right: it is not one to TestSecurity", func(w http.ResponseWriter) { send(w, "<a>"+secure+secure+"</a>") }, 1},
		{"a fault", `TestSecurity: the server answers with a SOAP fault: "no"`, func(w http.ResponseWriter) { fault(w, "soap:Server", "no") }, 1},
	} {
		s, config := start(t, &server{users: people(3), answers: always(c.answer)})
		_, err := pull(t, config, options(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if len(s.all()) != c.tries {
			t.Errorf("%s: asked %d times, want %d", c.name, len(s.all()), c.tries)
		}
	}
}

func TestATornAnswerIsAskedForAgain(t *testing.T) {
	var first atomic.Bool
	_, config := start(t, &server{users: people(5), answers: map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
		if first.Swap(true) {
			return false
		}
		w.Header().Set("Content-Length", "10000")
		send(w, "<a>")
		return true
	}}})
	if result, err := pull(t, config, options(t)); err != nil || result.Users != 5 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestSlowServer(t *testing.T) {
	release := make(chan struct{})
	_, config := start(t, &server{answers: map[string]func(http.ResponseWriter, string) bool{"TestSecurity": func(http.ResponseWriter, string) bool {
		<-release
		return true
	}}})
	defer close(release)
	config.Timeout = 50 * time.Millisecond
	if _, err := pull(t, config, options(t)); !errors.Is(err, pfsdk.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestStrangersAreNotAsked(t *testing.T) {
	s, config := start(t, &server{users: people(3)})
	config.CA = x509.NewCertPool()
	if _, err := pull(t, config, options(t)); err == nil || !strings.Contains(err.Error(), "the TLS connection fails") || !strings.Contains(hint.Of(err), "--ca") {
		t.Errorf("got %v", err)
	}
	if len(s.all()) != 0 {
		t.Error("the password went to a server that nobody vouches for")
	}
	s, config = start(t, &server{users: people(3), byCert: true})
	config.Certificate, config.User, config.Password = nil, account, secret.FromString(password)
	if _, err := pull(t, config, options(t)); err == nil || len(s.all()) != 0 {
		t.Errorf("without a client certificate: %v", err)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	good := pfsdk.Config{URL: "https://mfa.contoso.example/PfWsSdk.asmx", User: account, Password: secret.FromString(password)}
	for _, c := range []struct {
		name, want string
		change     func(*pfsdk.Config)
	}{
		{"good", "", func(*pfsdk.Config) {}},
		{"loopback", "", func(c *pfsdk.Config) { c.URL = "http://127.0.0.1:4898/PfWsSdk.asmx" }},
		{"plain", "the Web Service SDK is asked over https only", func(c *pfsdk.Config) { c.URL = "http://mfa.contoso.example/PfWsSdk.asmx" }},
		{"looks like loopback", "the Web Service SDK is asked over https only", func(c *pfsdk.Config) { c.URL = "http://127.0.0.1.contoso.example/" }},
		{"another scheme", `the Web Service SDK cannot be asked over "ftp"`, func(c *pfsdk.Config) { c.URL = "ftp://mfa.contoso.example/" }},
		{"no host", "the address of the Web Service SDK cannot be read", func(c *pfsdk.Config) { c.URL = "mfa.contoso.example" }},
		{"a password", "the address of the Web Service SDK holds a user or password", func(c *pfsdk.Config) { c.URL = "https://a:b@mfa.contoso.example/" }},
		{"a query", "the address of the Web Service SDK has a query", func(c *pfsdk.Config) { c.URL += "?WSDL" }},
		{"nobody", "there is neither a user nor a client certificate", func(c *pfsdk.Config) { c.User = "" }},
		{"no password", "there is no password of the user", func(c *pfsdk.Config) { c.Password = secret.Bytes{} }},
		{"a colon", "the user's name holds a colon, which HTTP Basic cannot carry", func(c *pfsdk.Config) { c.User = "a:b" }},
		{"an element that is none", "the name of the filter's element is none", func(c *pfsdk.Config) { c.FilterElement = "x><ChangePin" }},
	} {
		config := good
		c.change(&config)
		_, err := pfsdk.NewClient(config, 1)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.contoso.example:3128")
	const address = "https://mfa.contoso.example/PfWsSdk.asmx"
	if proxy, err := pfsdk.ProxyFor(pfsdk.Config{}, address); proxy != nil || err != nil {
		t.Errorf("%v, %v", proxy, err)
	}
	named := &url.URL{Scheme: "http", Host: "other.contoso.example:3128"}
	if proxy, err := pfsdk.ProxyFor(pfsdk.Config{Proxy: named}, address); err != nil || proxy.String() != named.String() {
		t.Errorf("%v, %v", proxy, err)
	}
}
