package migrate

import (
	"context"
	"iter"
	"time"

	"mfabridge/cloud"
)

// Header says what a plan was made from, by what and for which target. It
// holds no secret; personal values in Options are the caller's affair.
type Header struct {
	ToolVersion   string
	PlanID        string // unique; given by the plan file when empty
	Created       time.Time
	Target        Target
	Inputs        []Input           // files that were read, in the order read
	Options       map[string]string // rule options by name, as they were in force
	Capabilities  cloud.Capabilities
	PhoneMetadata string // version of the telephone number metadata
	Accepted      []Acceptance
	Scope         Chosen        // whom the plan is about
	Waves         []Chosen      // in the order of the options
	Preflight     []cloud.Check // what the target said before the plan; nil: it was not asked
}

// Target is where a plan is to be applied.
type Target struct {
	Given    string // as the command line named it, without a secret
	Instance string // cloud.Capabilities.Instance; apply refuses any other
	Product  string
	Existed  bool // false: apply creates it
	// Kind is what apply makes it as, "engine" or "entra"; empty: "engine".
	// Decisions never look at it.
	Kind    string
	Assumed []string // NAME=VALUE of a store that rehearses, as apply makes it
}

// Input is one file of the export and its digest.
type Input struct {
	Name   string
	SHA256 string // hexadecimal
}

// View says how much of a plan is read.
type View uint8

const (
	// Masked is what may be shown to anybody: telephone numbers and addresses
	// are masked, secrets are absent.
	Masked View = iota
	// Revealed are the full values, secrets included. It needs the plan's key.
	Revealed
	// Bare is Revealed without findings, for who needs only the changes of many
	// users.
	Bare
)

// PlanReader is a finished plan. It never changes; all methods may be called
// concurrently and as often as wanted.
type PlanReader interface {
	Header() Header
	Summary() Summary
	Digest() string // hexadecimal SHA-256 of the plan file
	Sealed() bool   // the seal was checked and holds; false: there was no key to check it with

	// Users yields the decisions in the order of the export. It stops at the
	// first error, ctx's included. Revealed and Bare without the key are an
	// error.
	Users(ctx context.Context, view View) iter.Seq2[Decision, error]
	// Problems yields the findings that belong to no user.
	Problems(ctx context.Context) iter.Seq2[Finding, error]
}
