package engine

import (
	"context"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Sizes of a subscription, in bytes: RFC 8291 §2 and §3.2.
const (
	maxEndpoint  = 1024
	subscribeKey = 65
	subscribeMix = 16
)

// Subscription is where a browser hears of pushes, as its PushSubscription says
// (W3C Push API). Keys are Base64url without padding.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	P256DH   string `json:"p256dh"`
	Auth     string `json:"auth"`
}

func (s *Subscription) check() error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case len(s.Endpoint) > maxEndpoint, err != nil, u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "":
		return refuse(cloud.Invalid, fmt.Sprintf("the endpoint of a subscription must be an https address of at most %d bytes", maxEndpoint))
	}
	point, err := base64.RawURLEncoding.DecodeString(s.P256DH)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(point)
	}
	mix, err2 := base64.RawURLEncoding.DecodeString(s.Auth)
	if err != nil || len(point) != subscribeKey || err2 != nil || len(mix) != subscribeMix {
		return refuse(cloud.Invalid, "the keys of a subscription must be a point of P-256 in 65 bytes and a secret of 16, in Base64url")
	}
	return nil
}

// PushKey is the key by which push services know this engine (VAPID, RFC 8292):
// the point of P-256 in 65 bytes, and the private number in 32. It is derived
// from the key for sent codes, which the store was made with and keeps sealed,
// so that all nodes of a store have the same one and no backup is without it.
func (e *Engine) PushKey() (public []byte, private secret.Bytes, err error) {
	for try := range 8 { // one number in 2^32 is no private key
		b, err := hkdf.Key(sha256.New, e.codeKey.Reveal(), nil, fmt.Sprintf("web push %s %d", e.setup.Instance, try), 32)
		if err != nil {
			break
		}
		if key, err := ecdh.P256().NewPrivateKey(b); err == nil {
			return key.PublicKey().Bytes(), secret.New(b), nil
		}
	}
	return nil, secret.Bytes{}, refuse(cloud.Internal, "no key for push services can be made")
}

// Subscribe says where a device hears of pushes; nil: nowhere. Whoever asks has
// proven to be the device.
func (e *Engine) Subscribe(ctx context.Context, user cloud.UserID, device string, s *Subscription) error {
	if s != nil {
		if err := s.check(); err != nil {
			return err
		}
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		d, err := deviceOf(tx, user, device)
		if err != nil {
			return err
		}
		return d.editAside(tx, func(a *deviceAside) { a.Push = s })
	}))
}

// Unsubscribe forgets an endpoint that is gone (RFC 8030 §7.3), if the device
// has no other by now.
func (e *Engine) Unsubscribe(ctx context.Context, user cloud.UserID, device, endpoint string) error {
	err := e.store.Update(ctx, func(tx Tx) error {
		d, err := deviceOf(tx, user, device)
		if err != nil {
			return err
		}
		a, err := d.aside()
		if err != nil || a.Push == nil || a.Push.Endpoint != endpoint {
			return err
		}
		return d.editAside(tx, func(a *deviceAside) { a.Push = nil })
	})
	if cloud.KindOf(err) == cloud.Denied {
		return nil // the device has gone, and all with it
	}
	return asError(err)
}

// Wake is a device to be woken: for a push, for what it is to tell, or for a test.
type Wake struct {
	User         cloud.UserID
	Device       string
	Subscription Subscription
	Push         *Push   // nil: for something else
	Notice       *Notice // nil: for something else
	Test         string  // name of a test event; empty: for something else
}

// Woken is what became of a wake that somebody waited for.
type Woken string

// Words for it.
const (
	WokenNone   Woken = "none"   // the device has not subscribed, or the engine sends nothing
	WokenSent   Woken = "sent"   // the push service has taken it
	WokenGone   Woken = "gone"   // the push service does not know the device any more: it has to subscribe anew
	WokenBusy   Woken = "busy"   // too many wait for that push service
	WokenFailed Woken = "failed" // it was not reached, or has refused
)

// Wakes are the devices of a user that hear of pushes from a push service, with
// all that waits for each.
func (e *Engine) Wakes(ctx context.Context, user cloud.UserID) (wakes []Wake, err error) {
	var ids []string
	subscriptions := map[string]Subscription{}
	err = e.store.View(ctx, func(r Reader) error {
		ids = nil
		devices, err := r.Devices(user)
		if err != nil {
			return err
		}
		for i := range devices {
			d := &devices[i]
			a, err := d.aside()
			if err != nil {
				return err
			}
			if d.State == deviceActive && a.Push != nil {
				ids = append(ids, d.ID)
				subscriptions[d.ID] = *a.Push
			}
		}
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	for _, id := range ids {
		pushes, notices, err := e.Pushes(ctx, user, id)
		if cloud.KindOf(err) == cloud.Denied {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		for i := range pushes {
			wakes = append(wakes, Wake{User: user, Device: id, Subscription: subscriptions[id], Push: &pushes[i]})
		}
		for i := range notices {
			wakes = append(wakes, Wake{User: user, Device: id, Subscription: subscriptions[id], Notice: &notices[i]})
		}
	}
	return wakes, nil
}

// everybody is how many users a listener to all of them may be behind.
const everybody = 4096

// ListenAll is Listen for all users: it names those whose pushes may have
// changed, at first all for whom something waits. One that comes while the
// listener is too far behind is lost: who waits otherwise hears of it.
func (e *Engine) ListenAll(ctx context.Context) (changed <-chan cloud.UserID, leave func(), err error) {
	ch, leave := e.bell.addAll()
	if err := e.hearOthers(ctx); err != nil {
		leave()
		return nil, nil, asError(err)
	}
	if _, _, err := e.ringSince(ctx, e.now(), waitOther, nil); err != nil {
		leave()
		return nil, nil, asError(err)
	}
	return ch, leave, nil
}
