package admin

import (
	"net/http"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// groups answers with one line for each group, and a last one.
func (f *Face) groups(w http.ResponseWriter, r *http.Request) error {
	out := serve.NewLines(w)
	for g, err := range f.core.Groups(r.Context()) {
		if err != nil {
			return out.Fail(err, wire.GroupLine{Error: wire.FromError(err)})
		}
		if out.Put(wire.GroupLine{Group: &wire.Group{ID: g.ID, Name: g.Name}}) != nil {
			return nil // who hung up hears nothing
		}
	}
	return out.Last(wire.GroupLine{End: true})
}

func (f *Face) addGroup(w http.ResponseWriter, r *http.Request) error {
	var body wire.GroupRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	if body.User+body.Inner != "" {
		return &cloud.Error{Kind: cloud.Invalid, Message: "a new group is empty: its members join"}
	}
	id, err := f.core.AddGroup(r.Context(), by, body.Group)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusCreated, wire.NewAnswer{ID: id})
}

func (f *Face) removeGroup(w http.ResponseWriter, r *http.Request) error {
	var body wire.GroupRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	if body.User+body.Inner != "" {
		return &cloud.Error{Kind: cloud.Invalid, Message: "a group is removed whole: members leave"}
	}
	return done(w, f.core.RemoveGroup(r.Context(), by, body.Group))
}

// member reads a request that names a group and one member.
func member(r *http.Request) (body wire.GroupRequest, by engine.Actor, err error) {
	if by, err = read(r, &body, &body.By); err == nil && (body.User == "") == (body.Inner == "") {
		err = &cloud.Error{Kind: cloud.Invalid, Message: "exactly one of user and inner must be given"}
	}
	return body, by, err
}

func (f *Face) join(w http.ResponseWriter, r *http.Request) error {
	body, by, err := member(r)
	switch {
	case err != nil:
		return err
	case body.User != "":
		return done(w, f.core.AddUserToGroup(r.Context(), by, body.Group, cloud.UserID(body.User)))
	}
	return done(w, f.core.AddGroupToGroup(r.Context(), by, body.Group, body.Inner))
}

func (f *Face) leave(w http.ResponseWriter, r *http.Request) error {
	body, by, err := member(r)
	if err != nil {
		return err
	}
	kind, who := engine.MemberUser, body.User
	if who == "" {
		kind, who = engine.MemberGroup, body.Inner
	}
	return done(w, f.core.RemoveFromGroup(r.Context(), by, body.Group, kind, who))
}

func (f *Face) policy(w http.ResponseWriter, r *http.Request) error {
	p, err := f.core.Policy(r.Context())
	if err != nil {
		return err
	}
	answer := wire.PolicyAnswer{Methods: []wire.PolicyLine{}}
	for _, method := range engine.PolicyMethods() {
		m := p[method]
		answer.Methods = append(answer.Methods, wire.PolicyLine{Method: string(method), Enabled: m.Enabled, Include: m.Include, Exclude: m.Exclude, SignIn: m.SignIn})
	}
	return serve.Answer(w, http.StatusOK, answer)
}

// setPolicy sets one line, whole.
func (f *Face) setPolicy(w http.ResponseWriter, r *http.Request) error {
	var body wire.PolicyRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	return done(w, f.core.SetPolicy(r.Context(), by, engine.PolicyMethod(body.Method),
		engine.MethodPolicy{Enabled: body.Enabled, Include: body.Include, Exclude: body.Exclude, SignIn: body.SignIn}))
}
