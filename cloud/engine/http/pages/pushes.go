package pages

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
)

// pushes says what waits for a device; with ?version= and ?wait= once it is
// something else than the device knows, or that time is over.
func (f *Face) pushes(w http.ResponseWriter, r *http.Request) error {
	caller := serve.CallerOf(r.Context())
	known, wait, err := asked(r)
	if err != nil {
		return err
	}
	ear, err := f.core.Listen(r.Context(), caller.User)
	if err != nil {
		return err
	}
	defer ear.Leave()
	over := time.NewTimer(wait)
	defer over.Stop()
	for last := wait == 0; ; {
		answer, err := f.waiting(r.Context(), caller)
		if err != nil {
			return err
		}
		if last || answer.Version != known {
			return serve.Answer(w, http.StatusOK, answer)
		}
		again := time.NewTimer(lookEvery)
		select {
		case <-ear.Rung():
		case <-again.C:
		case <-over.C:
			last = true
		case <-f.ended:
			last = true
		case <-r.Context().Done():
			again.Stop()
			return nil // nobody listens any more
		}
		again.Stop()
	}
}

func (f *Face) waiting(ctx context.Context, caller serve.Caller) (wire.PushesAnswer, error) {
	pushes, notices, err := f.core.Pushes(ctx, caller.User, caller.Device)
	if err != nil {
		return wire.PushesAnswer{}, err
	}
	answer := wire.PushesAnswer{Pushes: []wire.Push{}}
	sum := sha256.New()
	for _, p := range pushes {
		fmt.Fprintln(sum, p.Challenge, p.PIN)
		answer.Pushes = append(answer.Pushes, wire.Push{Challenge: p.Challenge, App: p.App, From: place(p.From), Begun: p.Begun.UTC(), Expires: p.Expires.UTC(), Number: p.Matched, PIN: p.PIN})
	}
	for _, n := range notices {
		fmt.Fprintln(sum, "notice", n.ID)
		answer.Notices = append(answer.Notices, wire.DeviceNotice{ID: n.ID, At: n.At, Text: n.Text, Kind: n.Kind, Name: n.Name})
	}
	answer.Version = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12])
	return answer, nil
}

// place is where a login comes from, as people read it: the core says first
// what kind of place it is.
func place(from string) string {
	_, name, ok := strings.Cut(from, ":")
	if !ok {
		return from
	}
	return name
}

// asked are the parameters of GET pushes.
func asked(r *http.Request) (version string, wait time.Duration, err error) {
	query, err := serve.Parameters(r, "version", "wait")
	if err != nil {
		return "", 0, err
	}
	wait, err = serve.Wait(query.Get("wait"))
	return query.Get("version"), wait, err
}

func (f *Face) press(w http.ResponseWriter, r *http.Request) error {
	var body wire.PressRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	signed, err := wire.Bytes("signature", body.Signature, signature.Size)
	if err != nil {
		return err
	}
	caller := serve.CallerOf(r.Context())
	d, err := f.core.Press(context.WithoutCancel(r.Context()), engine.SignedResponse{
		Response: engine.Response{User: caller.User, Device: caller.Device, Challenge: cloud.ChallengeID(r.PathValue("id")),
			Answer: engine.PushAnswer(body.Answer), Number: body.Number, PIN: wire.Secret(body.PIN)},
		At: time.Unix(body.Time, 0), Signature: signed})
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.PressAnswer{State: d.State, Reason: d.Reason, PIN: string(d.PIN), Left: d.Left})
}
