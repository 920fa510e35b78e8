package channel_test

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/carrier/carriertest"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/peer"
)

// centreAsPeer is a message centre that reacts as the suite wants.
type centreAsPeer struct{ *smpptest.Centre }

// React implements carriertest.Provider.
func (c centreAsPeer) React(r carriertest.Reaction) {
	c.Lock()
	defer c.Unlock()
	c.Answer = map[carriertest.Reaction]func(int) (uint32, bool){
		carriertest.Refuse: func(int) (uint32, bool) { return 0x0b, true }, // ESME_RINVDSTADR
		carriertest.Busy:   func(int) (uint32, bool) { return 0x58, true }, // ESME_RTHROTTLED
		carriertest.Silent: func(int) (uint32, bool) { return 0, false },
		carriertest.Cut:    func(int) (uint32, bool) { go c.Drop(); return 0, false },
	}[r]
}

// Had implements carriertest.Provider.
func (c centreAsPeer) Had() (all []string) {
	for _, text := range c.Texts() {
		all = append(all, text.To)
	}
	return all
}

func TestCentre(t *testing.T) {
	t.Parallel()
	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
		certified := httptest.NewTLSServer(nil)
		t.Cleanup(certified.Close)
		c := smpptest.Listen(t, &tls.Config{Certificates: certified.TLS.Certificates})
		s := &subject{channel: "text", folder: t.TempDir(), port: strconv.Itoa(int(c.Address.Port())),
			conf: `smpp: {host: 127.0.0.1, port: PORT, system_id: contoso, password: "file:FOLDER/word", from: Contoso, ca: FOLDER/ca, timeout: 4s, allow_private: true}`}
		write(t, filepath.Join(s.folder, "ca"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw})))
		write(t, filepath.Join(s.folder, "word"), smpptest.Password+"\n")
		words := map[carrier.Status]string{carrier.Delivered: "DELIVRD", carrier.Failed: "UNDELIV"}
		return s.peer(t, &carriertest.Peer{Provider: centreAsPeer{c}, Secrets: []string{smpptest.Password}, Statuses: []carrier.Status{carrier.Delivered, carrier.Failed},
			Tell: func(_ *testing.T, _ carrier.Note, taken carrier.Taken, status carrier.Status) *carrier.Call {
				c.Say(smpptest.Receipt(taken.ID, words[status]))
				return nil
			},
			Lacks: map[string]string{"a number without the channel": noChannel, "a repeat is told": noRepeats, "a message is called back": noRevoking,
				"a redirect": noAddresses, "forged receipts": noCalls}})
	})
}

// reacting is a mail server that reacts by what stands in a file, and writes what
// it was given into another one.
const reacting = `
import ssl, sys, asyncio
from aiosmtpd.smtp import SMTP, AuthResult
folder = sys.argv[1]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(folder + "/ca", folder + "/tls")
class Sink:
    async def handle_DATA(self, server, session, envelope):
        with open(folder + "/had", "a") as f:
            f.write(envelope.rcpt_tos[0] + "\n")
        mode = open(folder + "/mode").read()
        if mode == "silent":
            await asyncio.sleep(600)
        if mode == "cut":
            server.transport.abort()
            await asyncio.sleep(600)
        return {"accept": "250 OK", "refuse": "550 5.7.1 not " + envelope.rcpt_tos[0], "busy": "451 4.7.1 later " + envelope.rcpt_tos[0]}[mode]
def check(server, session, envelope, mechanism, data):
    return AuthResult(success=data.password == b"CANARY-SECRET-7731", handled=False)
async def main():
    serve = lambda: SMTP(Sink(), hostname="mail", tls_context=context, require_starttls=True, authenticator=check, auth_required=True)
    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
`

// mailServerAsPeer is that server.
type mailServerAsPeer struct {
	t      *testing.T
	folder string
}

// React implements carriertest.Provider.
func (m mailServerAsPeer) React(r carriertest.Reaction) {
	write(m.t, filepath.Join(m.folder, "mode"), map[carriertest.Reaction]string{carriertest.Accept: "accept", carriertest.Refuse: "refuse", carriertest.Busy: "busy",
		carriertest.Silent: "silent", carriertest.Cut: "cut"}[r])
}

// Had implements carriertest.Provider.
func (m mailServerAsPeer) Had() (all []string) {
	text, err := os.ReadFile(filepath.Join(m.folder, "had"))
	if err != nil {
		m.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.TrimSuffix(strings.TrimSpace(line), "@sms.contoso.example"))
	}
	return all
}

// startReacting starts one server for all checks.
func startReacting(t *testing.T) (folder, port string) {
	t.Helper()
	python, folder := peer.Python(t, "aiosmtpd", "python3-aiosmtpd"), t.TempDir()
	cert, key := certificate(t)
	for name, content := range map[string]string{"ca": cert, "tls": key, "word": aSecret} {
		write(t, filepath.Join(folder, name), content)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", reacting, folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return folder, strings.TrimSpace(line)
}

func TestMailer(t *testing.T) {
	t.Parallel()
	folder, port := startReacting(t)
	for channel, to := range map[string]string{"text": `, to: "<$digits$>@sms.contoso.example"`, "email": ""} {
		t.Run(channel, func(t *testing.T) {
			carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
				s := &subject{channel: channel, folder: folder, port: port,
					conf: `smtp: {host: 127.0.0.1, port: PORT, ca: FOLDER/ca, user: codes, password: "file:FOLDER/word", from: codes@contoso.example` + to + `, timeout: 4s}`}
				write(t, filepath.Join(folder, "had"), "")
				p := &carriertest.Peer{Provider: mailServerAsPeer{t, folder}, Lacks: lacks(noReceipts, "receipts", "receipts late and in their order", "forged receipts")}
				if to == "" {
					p.Number = func(n int) string { return fmt.Sprintf("person%d@fabrikam.example", n) }
				}
				p.Lacks["a number without the channel"], p.Lacks["a repeat is told"], p.Lacks["a message is called back"] = noChannel, noRepeats, noRevoking
				p.Lacks["a redirect"], p.Lacks["an address inside"] = noAddresses, "mail servers of an organisation stand inside"
				p.Provider.React(carriertest.Accept)
				return s.peer(t, p)
			})
		})
	}
}

// folderAsPeer is an outbox in a provider's place: it takes everything, but for
// numbers that it does not reach.
type folderAsPeer struct {
	t      *testing.T
	folder string
}

// React implements carriertest.Provider.
func (folderAsPeer) React(carriertest.Reaction) {}

// Had implements carriertest.Provider.
func (f folderAsPeer) Had() (all []string) {
	o := &office{folder: f.folder}
	for _, w := range o.files(f.t, "twin") {
		all = append(all, strings.TrimPrefix(w.To, "+"))
	}
	return all
}

func TestTwins(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"text", "whatsapp", "rcs", "voice", "email"} {
		t.Run(channel, func(t *testing.T) {
			status := carrier.Delivered
			if channel == "voice" {
				status = carrier.Confirmed
			}
			carriertest.Driver(t, func(t *testing.T) *carriertest.Peer {
				s := &subject{channel: channel, folder: t.TempDir(), conf: `outbox: {folder: FOLDER/twin, receipts: ` + string(status) + `}`}
				p := &carriertest.Peer{Provider: folderAsPeer{t, s.folder}, Statuses: []carrier.Status{status},
					Tell:  func(*testing.T, carrier.Note, carrier.Taken, carrier.Status) *carrier.Call { return nil },
					Lacks: lacks("it takes everything", "a note is refused", "a provider that is busy", "a provider that is silent", "a connection that breaks", "a redirect")}
				for _, name := range []string{"nobody is there", "an address inside", "time is up", "a number without the channel"} {
					p.Lacks[name] = "nobody is called"
				}
				p.Lacks["a message is called back"], p.Lacks["forged receipts"], p.Lacks["receipts late and in their order"] = noRevoking, noCalls, "it tells once, at once"
				return s.peer(t, p)
			})
			s := &subject{channel: channel, folder: t.TempDir(), conf: `outbox: {folder: FOLDER/twin, reaches: ["+91"]}`}
			if _, err := s.open(t).Send(t.Context(), note); !errors.Is(err, carrier.ErrUnreachable) || len((folderAsPeer{t, s.folder}).Had()) > 0 {
				t.Errorf("a number that it does not reach: %v", err)
			}
		})
	}
}
