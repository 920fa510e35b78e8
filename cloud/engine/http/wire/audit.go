package wire

import (
	"encoding/json"

	"mfabridge/cloud"
)

// Bodies of /admin/v1/audit and users/import.
type (
	// AuditLine is a line of GET audit, as UserLine. Entry is as audit export
	// writes it.
	AuditLine struct {
		Entry json.RawMessage `json:"entry,omitempty"`
		End   bool            `json:"end,omitempty"`
		Error *Error          `json:"error,omitempty"`
	}
	// AuditKeyAnswer is the key that verifies the audit.
	AuditKeyAnswer struct {
		SPKI []byte `json:"spki"` // SubjectPublicKeyInfo in Base64
	}
	// CheckpointsAnswer are the last signed checkpoints of all nodes.
	CheckpointsAnswer struct {
		Checkpoints json.RawMessage `json:"checkpoints"`
	}

	// Newcomer is a user as a directory knows them.
	Newcomer struct {
		Profile
		Sam    string   `json:"sam,omitempty"` // sAMAccountName
		Guest  bool     `json:"guest,omitempty"`
		Roles  []string `json:"roles,omitempty"`
		Groups []string `json:"groups,omitempty"`
	}
	// ImportRequest is the body of POST users/import.
	ImportRequest struct {
		By
		Users []Newcomer `json:"users"`
	}
	// Imported is what became of one of them.
	Imported struct {
		ID      string `json:"id,omitempty"`
		Outcome string `json:"outcome,omitempty"` // made, changed or same
		Error   *Error `json:"error,omitempty"`
	}
	// ImportAnswer answers for each, in their order.
	ImportAnswer struct {
		Results []Imported `json:"results"`
	}
)

// NewNewcomer makes the body of one.
func NewNewcomer(p *cloud.Profile) Newcomer { return Newcomer{Profile: *fromProfile(p)} }

// Known is its profile.
func (n *Newcomer) Known() cloud.Profile { return *n.Profile.profile() }
