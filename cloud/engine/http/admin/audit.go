package admin

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// maxImportBody is the largest body of an import, in bytes.
const maxImportBody = 4 << 20

// span is which entries somebody wants to read.
type span struct {
	after        int64 // behind this one
	since, until time.Time
}

// asked reads the parameters of GET audit.
func asked(r *http.Request) (s span, err error) {
	query, err := serve.Parameters(r, "after", "since", "until")
	if err != nil {
		return s, err
	}
	if query.Has("after") {
		if s.after, err = strconv.ParseInt(query.Get("after"), 10, 64); err != nil || s.after < 0 {
			return s, &cloud.Error{Kind: cloud.Invalid, Message: "after must be the seq of an entry"}
		}
	}
	for name, at := range map[string]*time.Time{"since": &s.since, "until": &s.until} {
		if !query.Has(name) {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, query.Get(name)); err != nil {
			return s, &cloud.Error{Kind: cloud.Invalid, Message: name + " must be a time as of RFC 3339"}
		}
	}
	return s, nil
}

func (s *span) holds(e *audit.Entry) bool {
	return (s.since.IsZero() || !e.Time.Before(s.since)) && (s.until.IsZero() || e.Time.Before(s.until))
}

// audit answers with one line for each entry, oldest first, and a last one.
func (f *Face) audit(w http.ResponseWriter, r *http.Request) error {
	wanted, err := asked(r)
	if err != nil {
		return err
	}
	out := serve.NewLines(w)
	for e, err := range f.core.Audit(r.Context(), wanted.after) {
		if err != nil {
			return out.Fail(err, wire.AuditLine{Error: wire.FromError(err)})
		}
		if !wanted.holds(&e) {
			continue
		}
		text, err := e.Line()
		if err != nil {
			return out.Fail(err, wire.AuditLine{Error: wire.FromError(err)})
		}
		if out.Put(wire.AuditLine{Entry: text}) != nil {
			return nil // who hung up hears nothing
		}
	}
	return out.Last(wire.AuditLine{End: true})
}

// auditKey answers with what verifies the audit.
func (f *Face) auditKey(w http.ResponseWriter, _ *http.Request) error {
	der, err := x509.MarshalPKIXPublicKey(f.core.AuditPublic())
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.AuditKeyAnswer{SPKI: der})
}

// checkpoints answers with the last signed ones: whoever keeps them elsewhere
// can tell later that nothing before them is gone.
func (f *Face) checkpoints(w http.ResponseWriter, r *http.Request) error {
	all, err := f.core.Checkpoints(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []audit.Checkpoint{}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.CheckpointsAnswer{Checkpoints: text})
}

// importUsers makes users as a directory knows them.
func (f *Face) importUsers(w http.ResponseWriter, r *http.Request) error {
	var body wire.ImportRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	if len(body.Users) == 0 || len(body.Users) > engine.MaxImport {
		return &cloud.Error{Kind: cloud.Invalid, Message: "users must be 1 to " + strconv.Itoa(engine.MaxImport)}
	}
	users := make([]engine.Newcomer, len(body.Users))
	for i := range body.Users {
		n := &body.Users[i]
		users[i] = engine.Newcomer{Profile: n.Known(), Sam: n.Sam, Guest: n.Guest, Roles: n.Roles, Groups: n.Groups}
	}
	answer := wire.ImportAnswer{Results: make([]wire.Imported, len(users))}
	for i, result := range f.core.ImportUsers(r.Context(), by, users) {
		answer.Results[i] = wire.Imported{ID: string(result.ID), Outcome: string(result.Outcome), Error: wire.FromError(result.Err)}
	}
	return serve.Answer(w, http.StatusOK, answer)
}
