package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"golang.org/x/text/unicode/norm"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/config"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// proveLimit is how long the engine waits for a primary, over all its servers.
const proveLimit = 15 * time.Second

// maxStation is the longest value of an attribute (RFC 2865 section 5).
const maxStation = 253

// prover is a primary of the shim's kind as the engine asks it.
type prover struct{ shim.Primary }

// Prove implements [engine.Primary]. Names that are nobody's there, or several
// people's, are a definite no.
func (p prover) Prove(ctx context.Context, name string, password secret.Bytes, client cloud.Client) (engine.Proven, error) {
	ctx, cancel := context.WithTimeout(ctx, proveLimit)
	defer cancel()
	request, err := asked(client)
	if err != nil {
		return engine.Proven{}, err
	}
	proof, err := p.Primary.Prove(ctx, shim.Login{User: norm.NFC.String(name), Password: password, Client: client, Request: request})
	if kind := cloud.KindOf(err); err != nil && (kind == cloud.NotFound || kind == cloud.Conflict || kind == cloud.Invalid) {
		return engine.Proven{Reason: cloud.WrongPassword}, nil
	}
	return engine.Proven{OK: proof.OK, Reason: proof.Reason, Subject: proof.Subject, Otherwise: proof.Otherwise, SID: proof.SID}, err
}

// asked is the request that a RADIUS server gets beside name and password: it
// has to say who asks (RFC 2865 section 4.1), and may say for whom.
func asked(client cloud.Client) (radius.Packet, error) {
	w := radius.NewRequest(nil, radius.AccessRequest, 0, [16]byte{})
	w.AddText(radius.NASIdentifier, "mfabridge")
	station := client.Station
	if station == "" && client.Address.IsValid() {
		station = client.Address.String()
	}
	if station != "" && len(station) <= maxStation {
		w.AddText(radius.CallingStationID, station)
	}
	throwaway := make([]byte, 16) // the upstream seals what it sends with its own
	rand.Read(throwaway)
	b, err := radius.NewSecret(throwaway).SealRequest(&w)
	if err != nil {
		return radius.Packet{}, err
	}
	return radius.Parse(b)
}

// openPrimaries has an engine ask those whom its configuration names.
func (p *program) openPrimaries(s *engineServer) (err error) {
	if s.primaries, err = p.primaries(s.conf.FirstFactors()); err != nil {
		return err
	}
	return s.usePrimaries(s.primaries, s.conf)
}

func (s *engineServer) usePrimaries(made *primaries, conf *config.Config) error {
	provers := make(map[string]engine.Primary, len(made.byName))
	for name, one := range made.byName {
		provers[name] = prover{one}
	}
	return s.SetPrimaries(provers, conf.SignIn)
}

// loses says who is asked in the place of a primary now and can be had, so that
// it would be missed: those of the same name, or, where people are to sign in by
// it, those by whom they do; empty: nobody.
func (s *engineServer) loses(ctx context.Context, next *config.Config, name string) string {
	limit, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	before := s.primaries.byName[name]
	if before != nil && before.Ready(limit) == nil {
		return "its servers of before can be asked"
	}
	if next.SignIn != name || s.conf.SignIn == name {
		return ""
	}
	if before = s.primaries.byName[s.conf.SignIn]; before == nil || before.Ready(limit) == nil { // none of who has it from the engine
		return "people sign in by " + s.conf.SignIn + " now, which can be asked"
	}
	return ""
}

// renew takes the primaries of a new configuration, once those that are new or
// changed have been asked. Those that mean the same go on with what they
// remember; those that are gone end a while later.
func (p *program) renew(ctx context.Context, s *engineServer, next *config.Config) error {
	made, gone, err := p.renewPrimaries(s.primaries, s.conf.FirstFactors(), next.FirstFactors())
	if err != nil {
		return err
	}
	loses := func(ctx context.Context, name string) string { return s.loses(ctx, next, name) }
	if err = made.without(s.primaries).takeable(ctx, s.log, loses); err == nil {
		err = s.usePrimaries(made, next)
	}
	if err != nil {
		return errors.Join(err, made.without(s.primaries).close())
	}
	s.primaries = made
	gone.closeLater(s.log)
	return nil
}
