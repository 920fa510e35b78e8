package device

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// ask makes a signed call with a body; nil: without one.
func (c *Client) ask(ctx context.Context, d *Device, method, path string, body, into any) error {
	return c.signed(ctx, func(now time.Time) error {
		return c.call(ctx, call{device: d, now: now, method: method, path: path, body: body}, into)
	})
}

// Me shows the user of a device with all their devices.
func (c *Client) Me(ctx context.Context, d *Device) (me wire.MeAnswer, err error) {
	err = c.ask(ctx, d, http.MethodGet, "/me", nil, &me)
	return me, err
}

// Rename calls a device of the same user something else.
func (c *Client) Rename(ctx context.Context, d *Device, id, name string) error {
	return c.ask(ctx, d, http.MethodPost, "/devices/"+url.PathEscape(id)+"/rename", wire.RenameRequest{Name: name}, nil)
}

// Remove removes a device of the same user, its key and its codes; lost:
// somebody else may have it.
func (c *Client) Remove(ctx context.Context, d *Device, id string, lost bool) error {
	return c.ask(ctx, d, http.MethodPost, "/devices/"+url.PathEscape(id)+"/remove", wire.RemoveRequest{Lost: lost}, nil)
}

// Approvals are the last pushes that the user has answered, newest first.
func (c *Client) Approvals(ctx context.Context, d *Device) ([]wire.Approval, error) {
	var got wire.ApprovalsAnswer
	err := c.ask(ctx, d, http.MethodGet, "/approvals", nil, &got)
	return got.Approvals, err
}

// Report says that a sign-in that was approved was somebody else's.
func (c *Client) Report(ctx context.Context, d *Device, id cloud.ChallengeID) (got wire.ReportAnswer, err error) {
	err = c.ask(ctx, d, http.MethodPost, "/approvals/"+url.PathEscape(string(id))+"/report", wire.Nothing{}, &got)
	return got, err
}

// SetPIN sets the PIN of the device; old is zero where it has none. With a state
// nothing was set.
func (c *Client) SetPIN(ctx context.Context, d *Device, pin, old secret.Bytes) (got wire.PINAnswer, err error) {
	err = c.signed(ctx, func(now time.Time) error {
		signed, err := signature.Make(d.key, signature.PIN(d.User, d.ID, pin, old, now))
		if err != nil {
			return err
		}
		body := wire.PINRequest{PIN: string(pin.Reveal()), Old: string(old.Reveal()), Time: now.Unix(),
			Signature: base64.RawURLEncoding.EncodeToString(signed)}
		return c.call(ctx, call{device: d, now: now, method: http.MethodPost, path: "/pin", body: body}, &got)
	})
	return got, err
}
