package directory

import (
	"net/http"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// members answers with one line for each member, and a last one.
func (f *Face) members(w http.ResponseWriter, r *http.Request) error {
	if f.Groups == nil {
		return &cloud.Error{Kind: cloud.Unsupported, Message: "this engine knows no groups"}
	}
	out := serve.NewLines(w)
	for id, err := range f.Groups.Members(r.Context(), r.PathValue("group")) {
		if err != nil {
			return out.Fail(err, wire.Member{Error: wire.FromError(err)})
		}
		if out.Put(wire.Member{ID: string(id)}) != nil {
			return nil // who hung up hears nothing
		}
	}
	return out.Last(wire.Member{End: true})
}
