// Package verify is /verify/v1: the contracts [cloud.Verifier] and
// [cloud.Passwords] over HTTP. A caller is an application, and it sees the
// challenges that it began and no others; that is the core's promise, and this
// face asks the core as the caller that the token names. The nodes of one
// cluster share an application, so that a challenge begun through one of them
// is answered through another.
//
// Verdicts that a person takes later come by a stream of server-sent events,
// one for each node of a caller ([feed]): a node that was away for a moment goes
// on where it was, and one that was away for longer is told that it missed some.
// One subscription at the core serves all streams and all waiting looks.
package verify

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
	"mfabridge/internal/sleep"
)

// maxBody is the largest body, in bytes: a context of 4 KiB in Base64 and the
// rest of a request.
const maxBody = 16 << 10

// maxLook is the largest body of POST look: a thousand ids.
const maxLook = 64 << 10

// Core is what this face needs of the engine, for one caller.
type Core interface {
	Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error)
	Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error)
	Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error)
	CheckPasswordBy(ctx context.Context, primary string, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error)
	BeginNumber(ctx context.Context, number string, client cloud.Client) (engine.NumberAsked, error)
	AnswerNumber(ctx context.Context, a cloud.Answer, client cloud.Client) (cloud.Proof, error)
	cloud.CodeMatcher
	cloud.Noticeboard
}

// Options of a face.
type Options struct {
	For      func(app string) Core
	Verdicts func(ctx context.Context) iter.Seq2[engine.Verdict, error] // of all callers
	Log      *slog.Logger                                               // nil: nothing is logged
}

// Face answers for /verify/v1.
type Face struct {
	Options
	feeds *feeds
}

// New makes a face that listens for verdicts until ctx ends; all streams end
// with it.
func New(ctx context.Context, o Options) *Face {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Face{Options: o, feeds: newFeeds(ctx)}
	first := o.Verdicts(ctx) // before the first request, so that none is missed
	go f.listen(ctx, first)
	return f
}

// listen hands verdicts out, and begins again when the core's stream breaks:
// then every stream has missed some.
func (f *Face) listen(ctx context.Context, verdicts iter.Seq2[engine.Verdict, error]) {
	for {
		var broken error
		for v, err := range verdicts {
			if err != nil {
				broken = err
				break
			}
			f.feeds.publish(v)
		}
		if ctx.Err() != nil {
			return
		}
		verdicts = f.Verdicts(ctx)
		f.feeds.reset()
		f.Log.WarnContext(ctx, "the core's stream of verdicts broke", "err", broken)
		_ = sleep.For(ctx, time.Second) // if ctx is done, verdicts end
	}
}

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	roles := []engine.Role{engine.RoleShim, engine.RoleAdmin}
	row := func(method, path string, body int64, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.API, Method: method, Path: wire.PathVerify + path, Roles: roles, Body: body, Handler: h}
	}
	look, events := row(http.MethodGet, "/challenges/{id}", 0, f.look), row(http.MethodGet, "/events", 0, f.events)
	look.Streams, events.Streams = true, true
	return []serve.Route{
		row(http.MethodPost, "/challenges", maxBody, f.begin),
		look,
		row(http.MethodPost, "/challenges/{id}/answer", maxBody, f.answer),
		row(http.MethodPost, "/look", maxLook, f.lookMany),
		events,
		row(http.MethodPost, "/passwords", maxBody, f.password),
		row(http.MethodPost, "/numbers", maxBody, f.number),
		row(http.MethodPost, "/numbers/{id}/answer", maxBody, f.numberAnswer),
		row(http.MethodPost, "/match", maxBody, f.match),
		row(http.MethodPost, "/notices", maxBody, f.notice),
	}
}

func (f *Face) core(r *http.Request) Core { return f.For(serve.CallerOf(r.Context()).App) }

func (f *Face) begin(w http.ResponseWriter, r *http.Request) error {
	var body wire.BeginRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	request, err := body.Request()
	if err != nil {
		return err
	}
	// What was begun is finished, also when the caller has hung up: a message
	// goes out or is refused, and an equal key gets the answer.
	c, err := f.core(r).Begin(context.WithoutCancel(r.Context()), request)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.FromChallenge(&c))
}

func (f *Face) answer(w http.ResponseWriter, r *http.Request) error {
	var body wire.AnswerRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	a := wire.ToAnswer(cloud.ChallengeID(r.PathValue("id")), &body)
	d, err := f.core(r).Answer(context.WithoutCancel(r.Context()), a)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.FromDecision(&d))
}

// look says where a challenge stands, with ?wait= once it has its verdict or
// that time is over.
func (f *Face) look(w http.ResponseWriter, r *http.Request) error {
	id, caller := cloud.ChallengeID(r.PathValue("id")), serve.CallerOf(r.Context()).App
	wait, err := waiting(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	defer context.AfterFunc(f.feeds.ctx, cancel)() // a server that ends keeps nobody waiting
	for {
		decided, forget := f.feeds.watch(caller, id)
		ds, err := f.core(r).Look(r.Context(), []cloud.ChallengeID{id})
		if err == nil && ds[0].State == cloud.Pending && wait > 0 && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-decided: // or verdicts were missed, and this one may be among them
			}
			forget()
			continue
		}
		forget()
		switch {
		case err != nil:
			return err
		case ds[0].User == "":
			return &cloud.Error{Kind: cloud.NotFound, Message: "there is no such challenge"}
		}
		return serve.Answer(w, http.StatusOK, wire.FromDecision(&ds[0]))
	}
}

func waiting(r *http.Request) (time.Duration, error) {
	query, err := serve.Parameters(r, "wait")
	if err != nil {
		return 0, err
	}
	return serve.Wait(query.Get("wait"))
}

func (f *Face) lookMany(w http.ResponseWriter, r *http.Request) error {
	var body wire.LookRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	ds, err := f.core(r).Look(r.Context(), body.IDs)
	if err != nil {
		return err
	}
	answer := wire.LookAnswer{Challenges: make([]wire.Decision, len(ds))}
	for i := range ds {
		answer.Challenges[i] = wire.FromDecision(&ds[i])
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) password(w http.ResponseWriter, r *http.Request) error {
	var body wire.PasswordRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	subject, password, client, err := body.Parts()
	if err != nil {
		return err
	}
	proof, err := f.core(r).CheckPasswordBy(r.Context(), body.Primary, subject, password, client)
	password.Wipe()
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.FromProof(proof))
}

// number sends a code to whoever signs in with a number.
func (f *Face) number(w http.ResponseWriter, r *http.Request) error {
	var body wire.NumberRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	number, client, err := body.Parts()
	if err != nil {
		return err
	}
	asked, err := f.core(r).BeginNumber(context.WithoutCancel(r.Context()), number, client)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.NumberAsked{ID: string(asked.ID), ExpiresAt: asked.ExpiresAt})
}

// numberAnswer takes that code.
func (f *Face) numberAnswer(w http.ResponseWriter, r *http.Request) error {
	var body wire.NumberAnswer
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	a, client, err := body.Parts(r.PathValue("id"))
	if err != nil {
		return err
	}
	proof, err := f.core(r).AnswerNumber(context.WithoutCancel(r.Context()), a, client)
	a.Code.Wipe()
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.FromProof(proof))
}

// match tells whether a code is right without using it up. A failure counts, so
// the check is not left half done by a caller that hangs up.
func (f *Face) match(w http.ResponseWriter, r *http.Request) error {
	var body wire.MatchRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	subject, code, client, err := body.Parts()
	if err != nil {
		return err
	}
	matches, err := f.core(r).MatchCode(context.WithoutCancel(r.Context()), subject, code, client)
	code.Wipe()
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.MatchAnswer{Matches: matches})
}

// notice puts a notice up, claims it, takes it down, or tells whether it is up.
func (f *Face) notice(w http.ResponseWriter, r *http.Request) error {
	var body wire.NoticeRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	answer := wire.NoticeAnswer{Up: true}
	var err error
	switch core := f.core(r); {
	case body.Down && (body.Claim || body.Life != 0):
		err = &cloud.Error{Kind: cloud.Invalid, Message: "a notice goes up or comes down, not both"}
	case body.Down:
		answer.Up, err = false, core.Withdraw(r.Context(), body.Key)
	case body.Claim:
		answer.Mine, err = core.Claim(r.Context(), body.Key, body.Lifetime())
	case body.Life == 0:
		answer.Up, err = core.Noted(r.Context(), body.Key)
	default:
		err = core.Note(r.Context(), body.Key, body.Lifetime())
	}
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, answer)
}
