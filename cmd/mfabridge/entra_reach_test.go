package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/peer"
)

// certificate makes an RSA key and a certificate of it, both in app.pem, and
// the certificate and the public key by themselves.
func (r *hurriedRun) certificate(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "mfabridge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	r.write(t, "app.crt", block("CERTIFICATE", der))
	r.write(t, "app.pem", block("CERTIFICATE", der)+block("PRIVATE KEY", private))
	r.write(t, "public.pem", block("PUBLIC KEY", public))
}

// An application proves itself by a certificate, as PEM and as PKCS#12.
func TestEntraByCertificate(t *testing.T) {
	r := hurried(t, nil, nil)
	r.certificate(t)
	openssl := peer.Path(t, "openssl", "openssl")
	for file, how := range map[string][]string{"new.pfx": nil, "app.pfx": {"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"}} {
		pack := exec.Command(openssl, append([]string{"pkcs12", "-export", "-in", r.path("app.pem"), "-out", r.path(file), "-passout", "pass:"}, how...)...)
		if out, err := pack.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := os.Chmod(r.path(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(file string) []string {
		at := slices.Index(r.flags, "--client-secret")
		flags := slices.Replace(slices.Clone(r.flags), at, at+2, "--client-certificate", "file:"+r.path(file))
		return append([]string{"preflight", "--to", "entra:contoso.example"}, flags...)
	}
	if got := r.run(t, ask("app.pem")...); got.code == exitDone {
		t.Error("a certificate that nobody registered is taken")
	}
	must(t, exitDone, "engine", "app", "key", "migration", "--public-key", r.path("public.pem"), "--store", r.store, "--reason", "test")
	r.must(t, exitDone, ask("app.pem")...)
	r.must(t, exitDone, ask("app.pfx")...)
	r.write(t, "half.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	for _, file := range []string{"app.crt", "half.pem", "public.pem", "engine.yaml", "new.pfx"} {
		if got := r.run(t, ask(file)...); got.code != exitFailed || !strings.Contains(got.err, "hint: the file holds") {
			t.Errorf("%s: %d %s", file, got.code, got.err)
		}
	}
	if err := os.Chmod(r.path("app.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := r.run(t, ask("app.pem")...); got.code == exitDone {
		t.Error("a key that everybody may read is taken")
	}
}

// What an application may do with tokens is stated by the plan; where it is
// not so, the tokens fail and everything else is done.
func TestActivationThatIsNotSo(t *testing.T) {
	r := hurried(t, nil, nil)
	before := r.listing(t)
	r.must(t, exitDone, r.to("plan", r.path("export"), "-o", r.plan, "--default-country", "US", "--to", "entra:contoso.example", "--oath-activation")...)
	got := r.must(t, exitPartly, r.to("apply", r.plan)...)
	if !strings.Contains(got.out, "hardwareOath failed: ") || !strings.Contains(got.out, "403") {
		t.Errorf("apply: %s", got.out)
	}
	r.must(t, exitPending, r.to("check", r.plan)...)
	r.must(t, exitDone, r.to("undo", r.plan)...)
	if got := r.listing(t); !maps.Equal(got, before) {
		t.Errorf("undo leaves: %s", firstDifference(got, before))
	}
}

// proxy takes CONNECT, tells where to, and connects to a place of its own.
func proxy(t *testing.T, to string) (url string, asked chan string) {
	t.Helper()
	asked = make(chan string, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				request, err := http.ReadRequest(in)
				if err != nil || request.Method != http.MethodConnect {
					return
				}
				asked <- request.Host
				out, err := net.Dial("tcp", to)
				if err != nil {
					_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\n\r\n")
					return
				}
				defer out.Close()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(c, out)
			}()
		}
	}()
	return "http://" + l.Addr().String(), asked
}

// Each cloud has an authority of its own, and all goes through the proxy that
// the environment names.
func TestCloudsThroughAProxy(t *testing.T) {
	dir := story{folder: t.TempDir()}
	word := dir.write(t, "word", "not a secret of anybody")
	for name, login := range map[string]string{"global": "login.microsoftonline.com:443", "usgov": "login.microsoftonline.us:443",
		"usdod": "login.microsoftonline.us:443", "china": "login.chinacloudapi.cn:443"} {
		t.Run(name, func(t *testing.T) {
			url, asked := proxy(t, "127.0.0.1:1")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			cmd := child(ctx, "preflight", "--to", "entra:contoso.example", "--cloud", name, "--client-id", "app", "--client-secret", "file:"+word)
			cmd.Env = append(cmd.Env, "HTTPS_PROXY="+url, "https_proxy="+url, "NO_PROXY=", "no_proxy=")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { stop(); _ = cmd.Wait() }()
			select {
			case host := <-asked:
				if host != login && host != "login.microsoft.com:443" {
					t.Errorf("%s was asked, want %s", host, login)
				}
			case <-time.After(giveUp):
				t.Error("the proxy was not asked")
			}
		})
	}
}

func TestEntraRefusesPlainHTTP(t *testing.T) {
	dir := story{folder: t.TempDir()}
	word := dir.write(t, "word", "not a secret of anybody")
	base := []string{"preflight", "--to", "entra:contoso.example", "--client-id", "app", "--client-secret", "file:" + word}
	for name, c := range map[string]struct {
		code  int
		flags []string
	}{
		"graph":         {exitFailed, []string{"--graph-url", "http://graph.example"}},
		"graph, a name": {exitFailed, []string{"--graph-url", "http://localhost.example"}},
		"no address":    {exitFailed, []string{"--graph-url", "graph.example"}},
		"authority":     {exitUsage, []string{"--authority-url", "http://127.0.0.1:1"}},
		"no host":       {exitUsage, []string{"--authority-url", "https://"}},
		"a version":     {exitFailed, []string{"--graph-url", "https://graph.example/v1.0"}},
		"a tenant":      {exitUsage, []string{"--authority-url", "https://login.example/contoso.example"}},
		"cloud":         {exitUsage, []string{"--cloud", "germany"}},
		"both":          {exitUsage, []string{"--client-certificate", "file:" + word}},
	} {
		if got := mfabridge(t, slices.Concat(base, c.flags)...); got.code != c.code || strings.Contains(got.err, "not a secret") {
			t.Errorf("%s: %d %s", name, got.code, got.err)
		}
	}
	if got := mfabridge(t, base[:5]...); got.code != exitUsage {
		t.Errorf("nobody asks: %d %s", got.code, got.err)
	}
}
