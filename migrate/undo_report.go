package migrate

import "mfabridge/cloud"

// UndoSummary writes what a whole run of undo, or its preview, came to.
func (r *Report) UndoSummary(u UndoResult, digest string) error {
	return r.line(struct {
		Type    string                `json:"type"`
		Phase   Phase                 `json:"phase"`
		Digest  string                `json:"digest"`
		Run     int                   `json:"run"`
		Users   map[string]int        `json:"users"`
		Changes map[cloud.Outcome]int `json:"changes"`
	}{"summary", PhaseUndo, digest, u.Run, map[string]int{"total": u.Users + u.Left, "left": u.Left, "done": u.Done, "kept": u.Kept,
		"failed": u.Failed, "pending": u.Open}, counted(u.Changes)})
}
