package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/primary"
	"mfabridge/shim/upstream"
)

// primaries are the first-factor checks that a shim's configuration names.
type primaries struct {
	byName map[string]shim.Primary
	homes  map[string]*upstream.Client
}

func (p *program) primaries(conf *config.Config) (*primaries, error) {
	made := &primaries{byName: make(map[string]shim.Primary), homes: make(map[string]*upstream.Client)}
	for name, c := range conf.Primaries {
		o := upstream.Options{Log: p.logger().With("primary", name), Now: p.now}
		for _, s := range c.Servers {
			o.Homes = append(o.Homes, upstream.Home{Address: s.Address, Secret: s.SharedSecret, Observe: s.MessageAuthenticator == config.Observe})
		}
		client, err := upstream.New(o)
		if err != nil {
			made.close()
			return nil, fmt.Errorf("primaries.%s: %w", name, err)
		}
		made.homes[name] = client
		made.byName[name] = primary.RADIUS{Client: client}
	}
	return made, nil
}

func (p *primaries) close() {
	for _, client := range p.homes {
		client.Close()
	}
}

// check asks every server and says what came of it; a primary of which no
// server answers is an error.
func (p *primaries) check(ctx context.Context, w io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(p.homes)) {
		answers := p.homes[name].Check(ctx)
		answered := 0
		for _, address := range slices.Sorted(maps.Keys(answers)) {
			state := "answers Status-Server"
			if answers[address] != nil {
				state = "does not answer Status-Server"
			} else {
				answered++
			}
			fmt.Fprintf(w, "primary %s: %s %s\n", name, address, state)
		}
		if answered == 0 {
			return hint.New(fmt.Sprintf("no server of primary %s answers", name),
				"check address, port and shared secret, that this host is a client there, and that Status-Server is answered (status_server in FreeRADIUS)")
		}
	}
	return nil
}
