package ldaptest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mfabridge/internal/peer"
)

// Root may do everything in a [Slapd].
const (
	Root         = "cn=root,dc=corp,dc=example"
	RootPassword = "not-a-real-password"
)

// Options of a [Slapd].
type Options struct {
	LDIF      string // entries below dc=corp,dc=example, which is made
	SizeLimit int    // most entries of one answer for everybody but Root; 0: no limit
	Anonymous bool   // searches need no bind
	Overlay   string // more lines of slapd.conf for the database
}

// Slapd is OpenLDAP's server.
type Slapd struct {
	LDAP   string // "ldap://127.0.0.1:PORT"; takes StartTLS
	LDAPS  string
	CAFile string // its authority

	stop func()
}

// Start starts a slapd that ends with the test, or skips the test where none
// is installed.
func Start(t testing.TB, o Options) *Slapd {
	t.Helper()
	slapd := peer.Path(t, "slapd", "slapd")
	dir := t.TempDir()
	authority := NewAuthority(t)
	certificate, key := authority.Issue(t, dir)
	s := &Slapd{CAFile: authority.File(t, dir)}
	config := filepath.Join(dir, "slapd.conf")
	write(t, filepath.Join(dir, "ad.schema"), adSchema)
	write(t, config, conf(dir, s.CAFile, certificate, key, o))
	write(t, filepath.Join(dir, "data.ldif"), "dn: dc=corp,dc=example\nobjectClass: domain\ndc: corp\n\n"+o.LDIF)
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(slapd, "-T", "add", "-f", config, "-l", filepath.Join(dir, "data.ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.LDAP, s.LDAPS = "ldap://127.0.0.1:"+peer.FreePort(t), "ldaps://127.0.0.1:"+peer.FreePort(t)
	cmd := exec.Command(slapd, "-d", "0", "-f", config, "-h", s.LDAP+" "+s.LDAPS)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	t.Cleanup(s.stop)
	for _, url := range []string{s.LDAP, s.LDAPS} {
		if !answers(url, s.CAFile, ended) {
			s.stop()
			t.Fatalf("slapd does not answer at %s:\n%s", url, said.String())
		}
	}
	return s
}

// Stop ends the server before the test does.
func (s *Slapd) Stop() { s.stop() }

func conf(dir, ca, certificate, key string, o Options) string {
	var b strings.Builder
	for _, schema := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", schema)
	}
	fmt.Fprintf(&b, "include %s/ad.schema\npidfile %[1]s/slapd.pid\nargsfile %[1]s/slapd.args\n", dir)
	fmt.Fprintf(&b, "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\n")
	fmt.Fprintf(&b, "TLSCACertificateFile %s\nTLSCertificateFile %s\nTLSCertificateKeyFile %s\n", ca, certificate, key)
	fmt.Fprintf(&b, "database mdb\nsuffix dc=corp,dc=example\nrootdn %s\nrootpw %s\ndirectory %s/db\n", Root, RootPassword, dir)
	for _, attribute := range []string{"sAMAccountName", "userPrincipalName", "mail", "objectSid", "member"} {
		fmt.Fprintf(&b, "index %s eq\n", attribute)
	}
	if o.SizeLimit > 0 {
		fmt.Fprintf(&b, "sizelimit size=%d size.prtotal=%[1]d\n", o.SizeLimit)
	}
	if o.Anonymous {
		b.WriteString("access to attrs=userPassword by anonymous auth\naccess to * by * read\n")
	} else {
		b.WriteString("access to attrs=userPassword by anonymous auth\naccess to * by users read by anonymous auth\n")
	}
	return b.String() + o.Overlay
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Dead is the URL of a server on loopback that is not there.
func Dead(t testing.TB) string { return "ldaps://127.0.0.1:" + peer.FreePort(t) }

// answers waits until the server answers, or has ended. One that listens may
// not be ready for TLS yet: it ends the connection then.
func answers(url, authority string, ended <-chan struct{}) bool {
	scheme, address, _ := strings.Cut(url, "://")
	dial := func() (net.Conn, error) { return net.Dial("tcp", address) }
	if scheme == "ldaps" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return false
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(pem)
		dial = func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 2 * time.Second}, "tcp", address, &tls.Config{RootCAs: trusted})
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if c, err := dial(); err == nil {
			_ = c.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-tick.C:
		}
	}
	return false
}
