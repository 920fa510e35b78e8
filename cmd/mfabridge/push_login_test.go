package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
)

const pushYAML = `engine:
  store: sqlite:cloud.db
data: .
cluster_keys: ["file:cluster.key"]
primaries:
  corp:
    type: ldap
    urls: ["%s"]
    ca: %s
    bind_dn: "%s"
    bind_password: file:bind.secret
    base_dn: dc=corp,dc=example
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.1/32"], secret: "file:vpn.secret", primary: corp, code_entry: append, factor_delimiter: ",", push_wait: 3m}
`

// handset is Ada's authenticator, in a process that is neither shim.
type handset struct {
	e      *engine.Engine
	user   cloud.UserID
	device string

	anywhere bool // the client sends no calling station
}

func newHandset(t *testing.T, s story, upn string) handset {
	t.Helper()
	e, _ := enginetest.Open(t, s.path("cloud.db"), engine.Config{})
	found, err := e.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: upn}})
	if err != nil || len(found[0]) != 1 {
		t.Fatalf("%s: %v, %v", upn, found, err)
	}
	id := found[0][0]
	return handset{e: e, user: id, device: enginetest.Activate(t, e, id)}
}

// press answers the one push that comes, and fails if there are several.
func (p handset) press(t *testing.T, answer engine.PushAnswer, number string) {
	t.Helper()
	var push engine.Push
	await(t, func() bool {
		waiting, _, err := p.e.Pushes(t.Context(), p.user, p.device)
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) > 1 {
			t.Fatalf("%d pushes wait", len(waiting))
		}
		if len(waiting) == 1 {
			push = waiting[0]
		}
		return len(waiting) == 1
	}, func() string { return "no push came" })
	if push.App != "vpn" || !strings.HasSuffix(push.From, "198.51.100.7") && !p.anywhere {
		t.Errorf("the push says %+v", push)
	}
	if _, err := p.e.Respond(t.Context(), engine.Response{User: p.user, Device: p.device, Challenge: push.Challenge, Answer: answer, Number: number}); err != nil {
		t.Fatal(err)
	}
}

var shownNumber = regexp.MustCompile(`Reply-Message = "Enter (\d\d) in your app`)

// A login by password and push with the engine, OpenLDAP and radclient: held,
// joined at a second shim, approved and denied in a third process; a code
// behind the password all the same.
func TestPushOverTwoShims(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "oathtool", "oathtool")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: directoryEntry("ada", fixtures.Ada, "")})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	s.write(t, "cluster.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	yaml := s.write(t, "shim.yaml", fmt.Sprintf(pushYAML, slapd.LDAPS, slapd.CAFile, ldaptest.Root))
	ada := newHandset(t, s, fixtures.Ada)
	one, two := startShim(t, yaml), startShim(t, yaml)
	login := func(shim shimProcess, password string, more ...string) chan string {
		answered := make(chan string, 1)
		ctx, cancel := context.WithTimeout(t.Context(), giveUp)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", "8", "-r", "30", "-S", secretFile, shim.address, "auth")
		cmd.Stdin = strings.NewReader(fmt.Sprintf("User-Name = %q, User-Password = %q, Calling-Station-Id = \"198.51.100.7\", %sMessage-Authenticator = 0x00\n", "ada", password, strings.Join(more, "")))
		go func() {
			out, _ := cmd.CombinedOutput()
			answered <- string(out)
		}()
		return answered
	}
	if out := <-login(one, "wrong,push"); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong password with a word:\n%s", out)
	}
	first, second := login(one, "correct horse,push"), login(two, "correct horse,push")
	ada.press(t, engine.PushApprove, "")
	for _, answered := range []chan string{first, second} {
		if out := <-answered; !strings.Contains(out, "Received Access-Accept") {
			t.Errorf("an approved push:\n%s", out)
		}
	}
	denied := login(two, "correct horse")
	ada.press(t, engine.PushDeny, "")
	if out := <-denied; !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a denied push:\n%s", out)
	}
	// The shim shows the number that the phone wants; it may be another shim that
	// waits for it.
	numbers := s.write(t, "numbers.yaml", strings.Replace(fmt.Sprintf(pushYAML, slapd.LDAPS, slapd.CAFile, ldaptest.Root), "push_wait: 3m", "push_wait: 3m, push_number: true", 1))
	three := startShim(t, numbers)
	shown := <-login(three, "correct horse,PUSH") // another login than the one that was approved just now
	number, state := shownNumber.FindStringSubmatch(shown), stateOf.FindStringSubmatch(shown)
	if !strings.Contains(shown, "Received Access-Challenge") || number == nil || state == nil {
		t.Fatalf("no number is shown:\n%s", shown)
	}
	waits := login(two, "", "State = "+state[1]+", ")
	ada.press(t, engine.PushApprove, number[1])
	if out := <-waits; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("a number that was matched:\n%s\n%s", out, two.stop())
	}

	code := oathtool(t, fixtures.CanaryTokenBase32)
	for _, shim := range []shimProcess{one, two} {
		if out := <-login(shim, "correct horse,"+code); !strings.Contains(out, "Received Access-Accept") {
			t.Errorf("a code behind the password, and its repeat at the other shim:\n%s", out)
		}
	}
	log := one.stop() + two.stop()
	if !strings.Contains(log, `"reason":"user_denied"`) || !strings.Contains(log, `"method":"push"`) || strings.Contains(log, code) || strings.Contains(log, "correct horse") {
		t.Errorf("the log is\n%s", log)
	}
}

// A gateway that sends no password, as RD Gateway behind NPS: radclient plays
// it, the engine and the telephone are the genuine ones.
func TestPushWithoutAPassword(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	ada := newHandset(t, s, fixtures.Ada)
	ada.anywhere = true
	shim := startShim(t, s.write(t, "shim.yaml", strings.Replace(radclientYAML, "primary_done_by_client: true", "primary_done_by_client: true, without_password: true", 1)))
	for answer, want := range map[engine.PushAnswer]string{engine.PushApprove: "Received Access-Accept", engine.PushDeny: "Received Access-Reject"} {
		got := make(chan string, 1)
		go func() {
			got <- radclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), "NAS-Port-Type = Virtual")
		}()
		ada.press(t, answer, "")
		if out := <-got; !strings.Contains(out, want) {
			t.Errorf("after %v:\n%s", answer, out)
		}
	}
	if log := shim.stop(); !strings.Contains(log, `"protocol":"without_password"`) {
		t.Error(log)
	}
}
