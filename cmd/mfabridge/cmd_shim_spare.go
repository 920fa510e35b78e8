package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/shim/bypass"
	"mfabridge/shim/config"
)

// endBypass ends the bypass of a client before its time, also of one that the
// configuration no longer names, or with a configuration that cannot be used.
func (p *program) endBypass(c *cli.Context, by engine.Actor) error {
	data, err := config.Data(c.String("config"))
	if err != nil {
		return &misconfigured{err}
	}
	book, name := bypass.Open(data, p.now), c.String("client")
	all, _ := book.All() // that one cannot be read keeps no other from being ended
	if _, there := book.Of(name); !there {
		if at := slices.IndexFunc(all, func(x bypass.Bypass) bool { return strings.EqualFold(x.Client, name) }); at >= 0 {
			name = all[at].Client
		}
	}
	err = book.End(name, by.Who, by.Reason)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.New(fmt.Sprintf("client %s has no bypass", migrate.Plain(name)), "mfabridge shim check lists those that there are")
	}
	if err == nil {
		fmt.Fprintf(p.out, "client %s asks for the second factor again\n", migrate.Plain(name))
	}
	return err
}

// bypassClient puts the second factor of a client aside for a while.
func (p *program) bypassClient(c *cli.Context, conf *config.Config, by engine.Actor) error {
	book := bypass.Open(conf.Data, p.now)
	client, err := clientOf(conf, c.String("client"))
	if err != nil {
		return err
	}
	if client.Primary == config.None {
		return hint.New(fmt.Sprintf("client %s has primary: none, so that a bypass would leave its logins with nothing that is checked here", client.Name),
			"let single users pass: mfabridge shim bypass --user NAME --client "+client.Name)
	}
	until := p.now().Add(c.Duration("for"))
	if err := book.Allow(bypass.Bypass{Client: client.Name, By: by.Who, Reason: by.Reason, Until: until}); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "client %s asks for no second factor until %s; each login needs the first, of primary %s\n",
		client.Name, stamp(until), client.Primary)
	return nil
}

// tellBypasses says which clients ask for no second factor just now.
func (p *program) tellBypasses(w io.Writer, conf *config.Config) error {
	all, err := bypass.Open(conf.Data, p.now).All()
	for _, x := range all {
		fmt.Fprintf(w, "client %s asks for no second factor until %s: %s allowed that (%s); shim bypass --client %s --end ends it\n",
			migrate.Plain(x.Client), stamp(x.Until), migrate.Plain(x.By), migrate.Plain(x.Reason), migrate.Plain(x.Client))
	}
	if err != nil {
		return hint.Wrap(err, "such a file opens nothing; remove it")
	}
	return nil
}
