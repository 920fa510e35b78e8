package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"iter"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/remote/admin"
)

// auditReader is an engine whose audit is read, wherever it is.
type auditReader interface {
	AuditBetween(ctx context.Context, since, until time.Time) iter.Seq2[audit.Entry, error]
	AuditKey(ctx context.Context) (ed25519.PublicKey, error)
	Checkpoints(ctx context.Context) ([]audit.Checkpoint, error)
	Close() error
}

// auditHere is the engine of a store.
type auditHere struct{ *embedded }

// AuditKey implements auditReader.
func (e auditHere) AuditKey(context.Context) (ed25519.PublicKey, error) { return e.AuditPublic(), nil }

// auditFlags name the engine whose audit is read.
func auditFlags() []cli.Flag {
	flags := adminFlags()
	flags[0].(*cli.StringFlag).Usage = "work on `TARGET`: sqlite:PATH or postgres://USER@HOST/DATABASE, the store of an engine; https://HOST, an engine elsewhere, as an application of role auditor"
	return flags
}

// readAudit opens the engine that a command names, hands it over and closes it.
func (p *program) readAudit(c *cli.Context, use func(auditReader) error) error {
	return p.administer(c, func(e administrator) error {
		switch e := e.(type) {
		case *embedded:
			return use(auditHere{e})
		case admin.Client:
			return use(e)
		}
		return errors.New("this engine's audit cannot be read")
	})
}
