package pages

import (
	"context"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
)

// owner is who asks.
func owner(r *http.Request) engine.Owner {
	caller := serve.CallerOf(r.Context())
	return engine.Owner{User: caller.User, Device: caller.Device}
}

// lasting is the context of what is finished though the caller goes away.
func lasting(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (f *Face) me(w http.ResponseWriter, r *http.Request) error {
	o := owner(r)
	me, err := f.core.Owned(r.Context(), o.User)
	if err != nil {
		return err
	}
	answer := wire.MeAnswer{User: me.User, UPN: me.UPN, Account: me.Settings.AccountName(), Default: me.Default, Methods: []cloud.Preference{},
		MaySelect: []cloud.Preference{}, PIN: me.PIN, PINLength: me.Settings.Length, Limit: me.Settings.Devices, Devices: []wire.OwnDevice{}}
	answer.Methods = append(answer.Methods, me.Methods...)
	answer.MaySelect = append(answer.MaySelect, me.Settings.Select...)
	for _, d := range me.Devices {
		answer.Devices = append(answer.Devices, wire.OwnDevice{Device: wire.Device{ID: d.ID, Name: d.Name, Created: d.Created.UTC(), Used: d.Used, Push: d.Push,
			PIN: d.PIN, Locked: d.Locked}, This: d.ID == o.Device})
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) rename(w http.ResponseWriter, r *http.Request) error {
	var body wire.RenameRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	return done(w, f.core.RenameDevice(lasting(r), owner(r), r.PathValue("id"), body.Name))
}

func (f *Face) remove(w http.ResponseWriter, r *http.Request) error {
	var body wire.RemoveRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	return done(w, f.core.DismissDevice(lasting(r), owner(r), r.PathValue("id"), body.Lost))
}

func (f *Face) unlock(w http.ResponseWriter, r *http.Request) error {
	if err := serve.Read(r, &wire.Nothing{}); err != nil {
		return err
	}
	return done(w, f.core.UnlockDevice(lasting(r), owner(r), r.PathValue("id")))
}

func (f *Face) setDefault(w http.ResponseWriter, r *http.Request) error {
	var body wire.DefaultRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	return done(w, f.core.SetDefault(lasting(r), owner(r), body.Method))
}

func (f *Face) approvals(w http.ResponseWriter, r *http.Request) error {
	all, err := f.core.Approvals(r.Context(), owner(r).User)
	if err != nil {
		return err
	}
	answer := wire.ApprovalsAnswer{Approvals: []wire.Approval{}}
	for _, a := range all {
		answer.Approvals = append(answer.Approvals, wire.Approval{Challenge: a.Challenge, App: a.App, From: place(a.From), At: a.At, State: a.State,
			Device: a.Device, Name: a.Name, Reported: a.Reported})
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) report(w http.ResponseWriter, r *http.Request) error {
	if err := serve.Read(r, &wire.Nothing{}); err != nil {
		return err
	}
	until, err := f.core.ReportApproval(lasting(r), owner(r), cloud.ChallengeID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.ReportAnswer{Blocked: !until.IsZero(), Until: until.UTC()})
}

func (f *Face) setPIN(w http.ResponseWriter, r *http.Request) error {
	var body wire.PINRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	signed, err := wire.Bytes("signature", body.Signature, signature.Size)
	if err != nil {
		return err
	}
	o := owner(r)
	n := engine.NewPIN{User: o.User, Device: o.Device, PIN: wire.Secret(body.PIN), Old: wire.Secret(body.Old), At: time.Unix(body.Time, 0), Signature: signed}
	defer n.PIN.Wipe()
	defer n.Old.Wipe()
	state, left, err := f.core.SetPIN(lasting(r), n)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.PINAnswer{PIN: string(state), Left: left})
}

func (f *Face) subscribe(w http.ResponseWriter, r *http.Request) error {
	var body wire.SubscriptionRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	if f.o.MayPush == nil {
		return &cloud.Error{Kind: cloud.Unsupported, Message: "this engine sends nothing to push services"}
	}
	if err := f.o.MayPush(body.Endpoint); err != nil {
		return &cloud.Error{Kind: cloud.Invalid, Message: err.Error()}
	}
	o := owner(r)
	return done(w, f.core.Subscribe(lasting(r), o.User, o.Device, &engine.Subscription{Endpoint: body.Endpoint, P256DH: body.Keys.P256DH, Auth: body.Keys.Auth}))
}

func (f *Face) unsubscribe(w http.ResponseWriter, r *http.Request) error {
	if err := serve.Read(r, &wire.Nothing{}); err != nil {
		return err
	}
	o := owner(r)
	return done(w, f.core.Subscribe(lasting(r), o.User, o.Device, nil))
}

func (f *Face) seen(w http.ResponseWriter, r *http.Request) error {
	var body wire.SeenRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	o := owner(r)
	return done(w, f.core.SeenNotices(lasting(r), o.User, o.Device, body.IDs))
}

// test sends a test event to whoever asks for it, on all ways that it has.
func (f *Face) test(w http.ResponseWriter, r *http.Request) error {
	var body wire.TestRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	o := owner(r)
	streams, err := f.core.TestStreams(o.User, o.Device, body.ID)
	if err != nil {
		return err
	}
	answer := wire.TestAnswer{Streams: streams, Service: string(engine.WokenNone)}
	if f.o.Wake != nil {
		s, err := f.core.SubscriptionOf(r.Context(), o.User, o.Device)
		if err != nil {
			return err
		}
		if s != nil {
			answer.Service = string(f.o.Wake(r.Context(), engine.Wake{User: o.User, Device: o.Device, Subscription: *s, Test: body.ID}))
		}
	}
	return serve.Answer(w, http.StatusOK, answer)
}
