package channel_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/peer"
)

// mailServer is a real one, of Python's aiosmtpd, which prints what it takes.
const mailServer = `
import ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
import asyncio
cert, key, mode = sys.argv[1:4]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)
class Sink:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "refuse":
            return "550 5.1.1 no such number " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print("MESSAGE", envelope.mail_from, envelope.rcpt_tos, session.ssl is not None, session.authenticated, envelope.content.decode().replace("\r\n", "|"), flush=True)
        return "250 OK"
def check(server, session, envelope, mechanism, data):
    ok = data.login == b"codes" and data.password == b"CANARY-SECRET-7731"
    return AuthResult(success=ok, handled=False)
async def main():
    loop = asyncio.get_running_loop()
    def serve():
        if mode == "plain":
            return SMTP(Sink(), hostname="mail")
        return SMTP(Sink(), hostname="mail", tls_context=context, require_starttls=True, authenticator=check, auth_required=True)
    server = await loop.create_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
`

// startMail starts a server; messages are the lines that follow.
func startMail(t *testing.T, mode string) (s *channel.SMTP, messages *bufio.Reader) {
	t.Helper()
	python := peer.Python(t, "aiosmtpd", "python3-aiosmtpd")
	folder := t.TempDir()
	cert, key := certificate(t)
	write(t, filepath.Join(folder, "cert"), cert)
	write(t, filepath.Join(folder, "key"), key)
	write(t, filepath.Join(folder, "secret"), aSecret)
	cmd := exec.CommandContext(t.Context(), python, "-c", mailServer, filepath.Join(folder, "cert"), filepath.Join(folder, "key"), mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	messages = bufio.NewReader(out)
	line, err := messages.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(strings.TrimSpace(line))
	return &channel.SMTP{Host: "127.0.0.1", Port: port, CA: filepath.Join(folder, "cert"), User: "codes", Password: "file:" + filepath.Join(folder, "secret"),
		From: "codes@contoso.example", To: "<$digits$>@sms.contoso.example", Subject: "Code for <$application_name$>", Timeout: "8s"}, messages
}

// certificate is one for 127.0.0.1, with its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func mailer(t *testing.T, s *channel.SMTP) *channel.Mailer {
	t.Helper()
	c := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "a", Mode: channel.Live, SMTP: s}}}}
	for _, err := range c.Check("/") {
		t.Fatal(err)
	}
	m, err := channel.NewMailer(s, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailIsTaken(t *testing.T) {
	s, messages := startMail(t, "login")
	if _, err := mailer(t, s).Send(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	got, _ := messages.ReadString('\n')
	for _, want := range []string{"MESSAGE codes@contoso.example ['442079460123@sms.contoso.example'] True True", "Subject: Code for vpn|", "Auto-Submitted: auto-generated|", aCode} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(got, note.ID) {
		t.Error("the message tells the id of the challenge")
	}
	// A message that is sent twice has one name, so that it can be told; others have their own.
	again := note
	again.ID += "2"
	names := map[string]int{nameOf(got): 1}
	for _, n := range []carrier.Note{note, again} {
		if _, err := mailer(t, s).Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		got, _ = messages.ReadString('\n')
		names[nameOf(got)]++
	}
	if len(names) != 2 || names[nameOf(got)] != 1 || names[""] > 0 {
		t.Errorf("names of messages: %v", names)
	}
}

// nameOf is the Message-ID of what the server took.
func nameOf(line string) string {
	_, rest, _ := strings.Cut(line, "Message-ID: ")
	name, _, _ := strings.Cut(rest, "|")
	return name
}

func TestMailSaysNo(t *testing.T) {
	for name, c := range map[string]struct {
		mode, want string
		set        func(s *channel.SMTP)
	}{
		"a wrong password": {"login", "answered 535", func(s *channel.SMTP) { s.User = "other" }},
		"a strange CA":     {"login", "cannot be trusted", func(s *channel.SMTP) { s.CA = "" }},
		"no login":         {"login", "answered 530", func(s *channel.SMTP) { s.User, s.Password = "", "" }},
		"a refusal":        {"refuse", "answered 550", nil},
		"no STARTTLS":      {"plain", "no STARTTLS", nil},
		"nobody there":     {"login", "connection failed", func(s *channel.SMTP) { s.Port = 1 }},
		"TLS at once":      {"login", "", func(s *channel.SMTP) { s.TLS = "implicit" }},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startMail(t, c.mode)
			if c.set != nil {
				c.set(s)
			}
			_, err := mailer(t, s).Send(t.Context(), note)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			leaks(t, "the error", err.Error())
		})
	}
}

// A server that is silent, or that never ends its answer, holds nobody.
func TestMailServerThatDoesNotEnd(t *testing.T) {
	for name, c := range map[string]struct {
		say     func(conn net.Conn)
		timeout string
		want    string
	}{
		"silence": {func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, "600ms", "in time"},
		"endless answer": {func(conn net.Conn) {
			for {
				if _, err := fmt.Fprint(conn, "220-"+aNumber+strings.Repeat("x", 900)+"\r\n"); err != nil {
					return
				}
			}
		}, "8s", "says too much"},
		"nonsense": {func(conn net.Conn) { fmt.Fprint(conn, aNumber+"\r\n"); _ = conn.Close() }, "8s", "connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err == nil {
					c.say(conn)
					_ = conn.Close()
				}
			}()
			s := &channel.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "none", From: "a@contoso.example", To: "<$digits$>@sms.contoso.example", Timeout: c.timeout}
			_, err = mailer(t, s).Send(t.Context(), note)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			leaks(t, "the error", err.Error())
		})
	}
}

// The password goes inside TLS only, also to a server on this machine that would
// take it without.
func TestMailPasswordGoesInsideTLSOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 mail\r\n")
		var all strings.Builder
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			fmt.Fprint(conn, "250-mail\r\n250 AUTH PLAIN LOGIN\r\n")
		}
		heard <- all.String()
	}()
	word := filepath.Join(t.TempDir(), "secret")
	write(t, word, aSecret)
	s := &channel.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "none", User: "codes", Password: "file:" + word, From: "a@contoso.example", To: "<$digits$>@sms.contoso.example", Timeout: "8s"}
	m, err := channel.NewMailer(s, false) // of a configuration that nobody has checked
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Send(t.Context(), note); err == nil || !strings.Contains(err.Error(), "inside TLS") {
		t.Errorf("it says %v", err)
	}
	if got := <-heard; strings.Contains(got, "AUTH") {
		t.Errorf("the server heard\n%s", got)
	}
}

// A server that speaks no TLS of today hears nothing of the message.
func TestMailServerOfOldTLS(t *testing.T) {
	cert, key := certificate(t)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	authority := filepath.Join(t.TempDir(), "cert")
	write(t, authority, cert)
	for version, said := range map[uint16]string{tls.VersionTLS11: "the mail server cannot be used", tls.VersionTLS12: "no answer in time"} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		shaken := make(chan bool, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			shaken <- conn.(*tls.Conn).Handshake() == nil
			_, _ = io.Copy(io.Discard, conn)
		}()
		s := &channel.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "implicit", CA: authority, From: "a@contoso.example", To: "<$digits$>@sms.contoso.example", Timeout: "2s"}
		if _, err := mailer(t, s).Send(t.Context(), note); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("TLS %x: %v", version, err)
		}
		if ok := <-shaken; ok != (version == tls.VersionTLS12) {
			t.Errorf("TLS %x: it was taken: %v", version, ok)
		}
	}
}

// What a server says once it has the message undoes nothing: it was sent, and is
// not to be sent a second way. Many servers take one message a connection.
func TestMailIsTakenWhateverComesThen(t *testing.T) {
	for name, then := range map[string]string{"nothing": "", "goodbye": "421 4.3.2 one message a connection\r\n", "no": "503 5.5.1 no such command\r\n"} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				fmt.Fprint(conn, "220 mail\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					switch line := lines.Text(); {
					case line == "DATA":
						fmt.Fprint(conn, "354 go on\r\n")
						for lines.Scan() && lines.Text() != "." {
						}
						fmt.Fprint(conn, "250 it is mine\r\n")
						lines.Scan() // whatever it is
						fmt.Fprint(conn, then)
						return
					default:
						fmt.Fprint(conn, "250 yes\r\n")
					}
				}
			}()
			s := &channel.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "none", From: "a@contoso.example", To: "<$digits$>@sms.contoso.example", Timeout: "8s"}
			if _, err := mailer(t, s).Send(t.Context(), note); err != nil {
				t.Errorf("it was taken, and is told as: %v", err)
			}
		})
	}
}
