package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/fixtures"
)

// pagesYAML is the configuration of the demo's engine, for its pages.
const pagesYAML = `store: sqlite:cloud.db
listeners:
  api:   {listen: "127.0.0.1:0"}
  pages: {listen: "127.0.0.1:0"}
`

// withPages serves the pages of the demo's engine while use runs.
func (d *demo) withPages(use func(url string) error) (err error) {
	quiet := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, now: d.p.now}
	if err := os.WriteFile(d.path("pages.yaml"), []byte(pagesYAML), 0o600); err != nil {
		return err
	}
	s, err := quiet.openServer(d.ctx, d.path("pages.yaml"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.start()
	err = use(s.doors.scheme(serve.Pages) + "://" + s.doors.conns[serve.Pages].Addr().String())
	return errors.Join(err, s.drain(d.ctx))
}

// approve has a user of the old app activate the new one, and approve a login.
func (d *demo) approve(vpn *nas) error {
	d.say("\nGrace had the old app, which nobody answers for any more. She was invited by the plan, and activates the new one:")
	d.say("with her password, and with a code of the old app, which was carried over. (Here it is its twin for terminals.)\n")
	return d.withPages(func(url string) error {
		next, err := d.codeAt(fixtures.CanaryDeviceHex, d.p.now().Add(30*time.Second)) // the one of now was used above
		if err != nil {
			return err
		}
		for name, content := range map[string]string{"grace.password": "the voyage of the mark one\n", "grace.code": next + "\n"} {
			if err := os.WriteFile(d.path(name), []byte(content), 0o600); err != nil {
				return err
			}
		}
		text, err := d.command(exitDone, "engine", "user", "password", fixtures.Grace, "--store", "sqlite:@cloud.db", "--password", "file:@grace.password", "--reason", "demo")
		if err != nil {
			return err
		}
		d.print(text, 2)
		text, err = d.command(exitDone, "authenticator", "activate", "--url", url, "--user", fixtures.Grace, "--name", "Grace's phone",
			"--password", "file:@grace.password", "--answer", "file:@grace.code", "--device", "@authenticator.json")
		if err != nil {
			return err
		}
		d.print(text, 4)
		return d.hold(vpn)
	})
}

// hold is a login that waits until it is approved.
func (d *demo) hold(vpn *nas) error {
	type outcome struct {
		reply
		err error
	}
	d.say("\nvpn: %s\n  types nothing but the password, and the VPN waits", fixtures.Grace)
	answered := make(chan outcome, 1)
	go func() {
		r, err := vpn.ask(fixtures.Grace, "checked by the vpn", nil)
		answered <- outcome{r, err}
	}()
	text, err := d.command(exitDone, "authenticator", "approve", "--device", "@authenticator.json", "--wait", "8s")
	d.print(text, 4)
	got := <-answered
	if err := errors.Join(err, got.err); err != nil {
		return err
	}
	d.say("  -> Access-Request  <- %s", got.reply)
	if got.code != accept {
		return errors.New("a login that was approved was not let in")
	}
	return nil
}
