package directory

import (
	"encoding/json"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
)

// flushEvery is how many members go out together.
const flushEvery = 256

// members answers with one line for each member, and a last line that says
// that it is the last: an answer without it was cut off.
func (f *Face) members(w http.ResponseWriter, r *http.Request) error {
	if f.Groups == nil {
		return &cloud.Error{Kind: cloud.Unsupported, Message: "this engine knows no groups"}
	}
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	n := 0
	put := func(m wire.Member) error {
		if n == 0 {
			w.Header().Set("Content-Type", wire.MediaLines)
		}
		if n++; n%flushEvery == 0 {
			if err := control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
				return err
			}
		}
		return lines.Encode(m)
	}
	for id, err := range f.Groups.Members(r.Context(), r.PathValue("group")) {
		switch {
		case err != nil && n == 0:
			return err // nothing was written: it has a status of its own
		case err != nil:
			_ = put(wire.Member{Error: wire.FromError(err)})
			return nil
		}
		if put(wire.Member{ID: string(id)}) != nil {
			return nil // who hung up hears nothing
		}
	}
	_ = put(wire.Member{End: true})
	return nil
}
