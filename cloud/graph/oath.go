package graph

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/oath"
)

const (
	devicesPath   = "/directory/authenticationMethodDevices/hardwareOathDevices"
	maxSecretText = 128 // Base32 characters of a secret
	maxDrift      = 2   // steps, the minute or two that a sign-in allows; Graph is told of no drift

	statusAvailable = "available"
	statusAssigned  = "assigned"
	statusActivated = "activated"
)

// token makes or removes a hardware token. Where Graph fails at a step, all of
// it is gone through once more after a pause: it goes on from where it stands.
func (d *Directory) token(ctx context.Context, s *step) cloud.Result {
	var r cloud.Result
	var err error
	for _, pause := range visible[1:] {
		if r, err = d.tokenOnce(ctx, s); err == nil || !fails(err) || d.o.Sleep(ctx, pause) != nil {
			break
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		e, ok := errors.AsType[*cloud.Error](err)
		if !ok {
			e = &cloud.Error{Kind: cloud.Unavailable, Message: "a token was begun and not finished", Err: err}
		}
		answered := e.Err == nil
		if whole := strings.ReplaceAll(err.Error(), "\n", "; "); ok && whole != e.Error() { // at which step, and what stays
			e = &cloud.Error{Kind: e.Kind, RetryAfter: e.RetryAfter, Lasting: e.Lasting, Message: whole}
		}
		if answered {
			e = d.alone(s.user.ID, e)
		}
		return cloud.Result{Outcome: cloud.Failed, Err: e}
	}
	return r
}

func (d *Directory) tokenOnce(ctx context.Context, s *step) (cloud.Result, error) {
	r := cloud.Result{Outcome: cloud.Done, ID: s.change.ID}
	var err error
	if s.change.After.IsZero() {
		r.Outcome, err = d.removeToken(ctx, s)
	} else {
		r.ID, err = d.addToken(ctx, s)
	}
	return r, err
}

// fails tells an error of the service, which another try may not meet.
func fails(err error) bool {
	e, ok := errors.AsType[*cloud.Error](err)
	return ok && e.Kind == cloud.Unavailable
}

// addToken goes on from wherever a token with this serial number stands: not in
// the inventory, there, assigned to the user, or activated.
func (d *Directory) addToken(ctx context.Context, s *step) (string, error) {
	o := s.change.After.OATH
	if err := checkToken(o); err != nil {
		return "", err
	}
	device, err := d.device(ctx, o.Serial)
	if err != nil {
		return "", err
	}
	ours := false
	if device == nil {
		if device, ours, err = d.createDevice(ctx, o); err != nil {
			return "", err
		}
	}
	ours = ours || strings.HasPrefix(o.Serial, ownSerial)
	switch {
	case !device.isFree() && !device.isOf(s.user.ID):
		return "", &cloud.Error{Kind: cloud.Conflict, Message: "the token with this serial number is another user's"}
	case device.isFree() && device.Status != statusAvailable && device.Status != "":
		return "", &cloud.Error{Kind: cloud.Conflict, Message: "the token with this serial number is in use, and the inventory does not tell by whom"}
	case device.Status == statusActivated:
		return device.ID, nil
	case device.Status == statusAvailable || device.Status == "":
		body := map[string]any{"device": map[string]string{"id": device.ID}}
		if err := d.one(ctx, http.MethodPost, userPath(s.user.ID)+"/authentication/hardwareOathMethods", body); err != nil {
			err = d.settleAssignment(ctx, s, o.Serial, err)
			if err != nil && ours {
				err = d.withdraw(ctx, device, err)
			}
			if err != nil {
				return device.ID, err
			}
		}
		s.assigned = true
	}
	if !d.o.Activates {
		return device.ID, nil
	}
	err = d.activate(ctx, s, device, ours)
	if err != nil && ours {
		err = d.giveBack(ctx, s, device, err)
	}
	return device.ID, err
}

// checkToken says no before anything is sent.
func checkToken(o *cloud.OATH) error {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodedLen(o.Secret.Len())
	switch {
	case o.Serial == "" || o.Manufacturer == "" || o.Model == "":
		return &cloud.Error{Kind: cloud.Invalid, Message: "a hardware token needs serial number, manufacturer and model"}
	case o.Secret.IsZero() || text > maxSecretText:
		return &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("the secret of a hardware token has 1 to %d characters of Base32", maxSecretText)}
	case o.Digits != 6 || o.Period != 30 && o.Period != 60 || o.Algorithm != cloud.SHA1 && o.Algorithm != cloud.SHA256:
		return &cloud.Error{Kind: cloud.Invalid, Message: "a hardware token has 6 digits, 30 or 60 seconds, and SHA1 or SHA256"}
	}
	return nil
}

// device finds a token of the inventory by its serial number; nil: none.
func (d *Directory) device(ctx context.Context, serial string) (*oathDevice, error) {
	query := url.Values{"$filter": {"serialNumber eq '" + strings.ReplaceAll(serial, "'", "''") + "'"}}
	list, err := all[oathDevice](ctx, d.client, beta, devicesPath+"?"+encode(query), nil)
	if err != nil {
		return nil, fmt.Errorf("the inventory of tokens cannot be read: %w", err)
	}
	var found *oathDevice
	for i := range list {
		if strings.EqualFold(list[i].SerialNumber, serial) {
			if found != nil {
				return nil, &cloud.Error{Kind: cloud.Conflict, Message: "the inventory has several tokens with this serial number"}
			}
			found = &list[i]
		}
	}
	return found, nil
}

// createDevice puts a token into the inventory. ours: nobody else has, a moment
// before.
func (d *Directory) createDevice(ctx context.Context, o *cloud.OATH) (device *oathDevice, ours bool, err error) {
	hash := "hmacsha1"
	if o.Algorithm == cloud.SHA256 {
		hash = "hmacsha256"
	}
	i := &item{method: http.MethodPost, path: devicesPath, body: oathDevice{DisplayName: o.Name, SerialNumber: o.Serial, Manufacturer: o.Manufacturer,
		Model: o.Model, SecretKey: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(o.Secret.Reveal()),
		Interval: json.RawMessage(strconv.Itoa(o.Period)), HashFunction: hash}}
	if err := d.client.changes(ctx, beta, []*item{i}); err != nil {
		return nil, false, err
	}
	var made oathDevice
	err = i.into(&made)
	if err == nil && made.ID != "" {
		return &made, true, nil
	}
	if i.certain() {
		return nil, false, fmt.Errorf("the token cannot be put into the inventory: %w", err)
	}
	// Nothing is known, or it stands there in spite of the answer. It may be seen
	// late, and a second one of the same number would be nobody's.
	device, looked := d.lateDevice(ctx, o.Serial, func(v *oathDevice) bool { return v != nil })
	switch {
	case looked != nil:
		return nil, false, isUnknown(looked)
	case device != nil:
		return device, i.ok() || i.repeatable(), nil
	}
	return nil, false, fmt.Errorf("the token cannot be put into the inventory: %w", errors.Join(err, ctx.Err()))
}

// lateDevice looks for a token until it is as expected, as long as what was
// written may be seen late.
func (d *Directory) lateDevice(ctx context.Context, serial string, expected func(*oathDevice) bool) (device *oathDevice, err error) {
	for _, pause := range visible {
		if err := d.o.Sleep(ctx, pause); err != nil {
			return nil, err
		}
		if device, err = d.device(ctx, serial); err != nil || expected(device) {
			break
		}
	}
	return device, err
}

// withdraw takes a token out of the inventory that was put there a moment ago
// for a user who cannot have it, so that no secret stays where nobody looks for
// it. One that is somebody's after all is not taken: Graph refuses that.
func (d *Directory) withdraw(ctx context.Context, device *oathDevice, cause error) error {
	if fails(cause) || cloud.KindOf(cause) == cloud.Throttled || ctx.Err() != nil {
		return cause // it is gone on with
	}
	if d.dropDevice(ctx, device.ID) != nil {
		return fmt.Errorf("%w; it stays in the inventory, without a user", cause)
	}
	return cause
}

// dropDevice takes a token out of the inventory. That it was taken from its user a
// moment ago may be seen late, and is refused until then.
func (d *Directory) dropDevice(ctx context.Context, id string) (err error) {
	for _, pause := range visible {
		if err := d.o.Sleep(ctx, pause); err != nil {
			return err
		}
		switch err = d.one(ctx, http.MethodDelete, devicesPath+"/"+url.PathEscape(id), nil); {
		case err == nil || cloud.KindOf(err) == cloud.NotFound:
			return nil
		case cloud.KindOf(err) == cloud.Denied:
			return err
		}
	}
	return err
}

// giveBack takes a token from the user again that a plan put there and that
// cannot be activated: what failed leaves nothing behind.
func (d *Directory) giveBack(ctx context.Context, s *step, device *oathDevice, cause error) error {
	if fails(cause) || cloud.KindOf(cause) == cloud.Throttled || ctx.Err() != nil {
		return cause // it is gone on with
	}
	err := d.one(ctx, http.MethodDelete, userPath(s.user.ID)+"/authentication/hardwareOathMethods/"+url.PathEscape(device.ID), nil)
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		return fmt.Errorf("%w; it stays with the user, without being activated", cause)
	}
	return d.withdraw(ctx, device, cause)
}

// settleAssignment looks whether a token is the user's in spite of the answer.
func (d *Directory) settleAssignment(ctx context.Context, s *step, serial string, cause error) error {
	k := cloud.KindOf(cause)
	certain := k == cloud.Denied || k == cloud.Throttled
	device, err := d.lateDevice(ctx, serial, func(v *oathDevice) bool { return certain || v.isOf(s.user.ID) })
	if err != nil {
		return isUnknown(err)
	}
	if !device.isOf(s.user.ID) {
		return fmt.Errorf("the token cannot be assigned: %w", cause)
	}
	return nil
}

// activate proves the token with a code for the clock of the server; if it is
// refused, once more with the code of the next step. A token that was in the
// inventory before and does not take our codes has another secret: it is given
// back, since it is somebody else's. One that the user had already stays: who
// assigned it is not known, and whoever waits to activate it still can.
func (d *Directory) activate(ctx context.Context, s *step, device *oathDevice, ours bool) error {
	o := s.change.After.OATH
	path := userPath(s.user.ID) + "/authentication/hardwareOathMethods/" + url.PathEscape(device.ID)
	var err error
	for try := range 2 {
		at := d.client.serverTime()
		if try > 0 {
			period := time.Duration(o.Period) * time.Second
			if err := d.o.Sleep(ctx, at.Truncate(period).Add(period).Sub(at)+time.Second); err != nil {
				return err
			}
			at = d.client.serverTime()
		}
		code, failed := tokenCode(o, at)
		if failed != nil {
			return failed
		}
		err = d.one(ctx, http.MethodPost, path+"/activate", map[string]string{"verificationCode": code, "displayName": o.Name})
		if err == nil || cloud.KindOf(err) == cloud.Denied || ctx.Err() != nil {
			break
		}
		now, looked := d.device(ctx, o.Serial)
		switch {
		case looked != nil:
			return isUnknown(looked)
		case now != nil && now.Status == statusActivated:
			return nil
		}
	}
	if err == nil {
		return nil
	}
	if !ours && !s.assigned && cloud.KindOf(err) == cloud.Invalid {
		return &cloud.Error{Kind: cloud.Conflict, Message: "the user was assigned a token with this serial number before, which has another secret and stays assigned", Err: err}
	}
	if !ours && cloud.KindOf(err) == cloud.Invalid {
		return errors.Join(&cloud.Error{Kind: cloud.Conflict, Message: "the inventory has a token with this serial number and another secret", Err: err},
			d.one(ctx, http.MethodDelete, path, nil))
	}
	return fmt.Errorf("the token cannot be activated: %w", err)
}

// tokenCode is the code of the step that t is in.
func tokenCode(o *cloud.OATH, t time.Time) (string, error) {
	var code string
	g, err := oath.New(o.Secret.Reveal(), o)
	if err == nil {
		code, err = g.Code(g.Step(t))
	}
	if err != nil {
		return "", &cloud.Error{Kind: cloud.Invalid, Message: "the token's code cannot be computed", Err: err}
	}
	return code, nil
}

// ownSerial begins the serial numbers that a plan gives to generators without
// one: nobody else has put those into the inventory.
const ownSerial = "MFB-"

// removeToken takes the token from the user, and from the inventory if only a
// plan can have put it there. One of a maker goes back to the inventory, where
// it may have been before. Already: the user has none, not even half made.
func (d *Directory) removeToken(ctx context.Context, s *step) (cloud.Outcome, error) {
	id, serial, assigned := s.change.ID, "", true
	for _, e := range s.user.OATH {
		if e.Method == cloud.HardwareOATH && (e.ID == id || id == "" && s.change.Before.OATH != nil && e.Same(*s.change.Before.OATH)) {
			id, serial = e.ID, e.Serial
		}
	}
	if serial == "" { // a run may have ended in the middle of it
		device, err := d.device(ctx, s.change.Before.OATH.Serial)
		if err != nil {
			return cloud.Failed, err
		}
		if device != nil {
			assigned = device.isOf(s.user.ID)
			if assigned || device.isFree() && strings.HasPrefix(device.SerialNumber, ownSerial) {
				id, serial = device.ID, device.SerialNumber
			}
		}
	}
	if serial == "" {
		return cloud.Already, nil
	}
	if assigned {
		err := d.one(ctx, http.MethodDelete, userPath(s.user.ID)+"/authentication/hardwareOathMethods/"+url.PathEscape(id), nil)
		if err != nil && cloud.KindOf(err) == cloud.NotFound {
			err = d.settleAbsence(ctx, s, serial)
		}
		if err != nil {
			return cloud.Failed, err
		}
	}
	if !strings.HasPrefix(serial, ownSerial) {
		return cloud.Done, nil
	}
	if err := d.dropDevice(ctx, id); err != nil {
		return cloud.Failed, fmt.Errorf("the token is no longer the user's, but stays in the inventory as %s: %w", serial, err)
	}
	return cloud.Done, nil
}

// settleAbsence looks whether a token that Graph does not find is the user's all
// the same: a user who was deleted meanwhile may come back with it.
func (d *Directory) settleAbsence(ctx context.Context, s *step, serial string) error {
	device, err := d.lateDevice(ctx, serial, func(v *oathDevice) bool { return !v.isOf(s.user.ID) })
	switch {
	case err != nil:
		return isUnknown(err)
	case device.isOf(s.user.ID):
		return &cloud.Error{Kind: cloud.Unavailable, Message: "Graph does not find the token, and the inventory has it as the user's"}
	}
	return nil
}

// one makes one change of beta.
func (d *Directory) one(ctx context.Context, method, path string, body any) error {
	i := &item{method: method, path: path, body: body}
	if err := d.client.changes(ctx, beta, []*item{i}); err != nil {
		return err
	}
	return i.failed()
}
