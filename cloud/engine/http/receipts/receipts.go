// Package receipts is /delivery/v1 on the public listener: where the providers
// of texts and calls tell what became of a message, and ask what a call says
// next. docs/delivery.md is its manual.
//
// The routes are open, as no provider has a token of ours: each driver checks
// that a call is signed by its provider before it believes anything. Others are
// told that they are not believed, and nothing else.
package receipts

import (
	"context"
	"io"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/http/serve"
)

// maxBody is the largest body, in bytes: providers put many receipts into one.
const maxBody = 256 << 10

// Core is what this face needs of the channels.
type Core interface {
	Call(ctx context.Context, provider string, c carrier.Call) (carrier.Reply, error)
}

// Face answers for /delivery/v1.
type Face struct {
	core Core
	url  string
	now  func() time.Time
}

// New makes a face. url is the address of the listener as providers know it:
// signatures are over it.
func New(core Core, url string, now func() time.Time) *Face {
	if now == nil {
		now = time.Now
	}
	return &Face{core: core, url: url, now: now}
}

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	path := "/delivery/v1/{provider}"
	return []serve.Route{
		{Listener: serve.Pages, Method: http.MethodGet, Path: path, Open: true, Handler: f.call},
		{Listener: serve.Pages, Method: http.MethodPost, Path: path, Open: true, Body: maxBody, Handler: f.call},
	}
}

func (f *Face) call(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the body cannot be read"}
	}
	reply, err := f.core.Call(context.WithoutCancel(r.Context()), r.PathValue("provider"), carrier.Call{Method: r.Method, URL: f.url + r.URL.RequestURI(),
		Query: r.URL.Query(), Header: r.Header.Get, Body: body, Now: f.now()})
	if err != nil {
		return err
	}
	media := reply.Media
	if media == "" {
		media = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(reply.Body)
	return nil
}
