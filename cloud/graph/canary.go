package graph

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// canaryNumber is of a range that belongs to nobody.
const canaryNumber = "+1 4255550199"

// canaryEnd is how long a canary may take to be taken back once its caller has
// gone.
const canaryEnd = 2 * time.Minute

// Canary writes to a test user what a migration writes, looks whether it is
// there, and takes it back: a telephone number that belongs to nobody, in a
// slot that is empty, and a hardware token, to see whether an application may
// activate one. It takes no administrator, guest or disabled user. What could
// not be taken back is a blocker that says what stays.
func (d *Directory) Canary(ctx context.Context, upn string) ([]cloud.Check, error) {
	found, err := d.Find(ctx, []cloud.Key{{Kind: cloud.ByUPN, Value: upn}})
	if err != nil {
		return nil, err
	}
	if len(found[0]) != 1 {
		return []cloud.Check{blocked("canary.user", "there is no user "+upn, "Name a test user by user principal name.")}, nil
	}
	users, err := d.Read(ctx, found[0])
	if err != nil {
		return []cloud.Check{blocked("canary.user", "the user cannot be read: "+err.Error(), "Mend the permissions of the application.")}, nil
	}
	u := &users[0]
	if u.ID == "" || u.Privileged || u.Guest || u.External || !u.Enabled {
		return []cloud.Check{blocked("canary.user", "this is an administrator, a guest or a disabled user", "Name an ordinary test user.")}, nil
	}
	checks := []cloud.Check{passed("canary.user", upn+" is an ordinary user")}
	checks = append(checks, d.canaryPhone(ctx, u))
	if d.o.Tokenless {
		return checks, nil
	}
	return append(checks, d.canaryToken(ctx, u)...), nil
}

func blocked(name, detail, action string) cloud.Check {
	return cloud.Check{Name: name, Result: cloud.CheckBlocker, Detail: detail, Action: action}
}

// emptySlot is a telephone slot in which a number does no harm; "": none.
func emptySlot(u *cloud.User) cloud.Method {
	switch {
	case u.Office == "":
		return cloud.Office
	case u.Mobile != "" && u.Alternate == "":
		return cloud.AlternateMobile
	case u.Mobile == "":
		return cloud.Mobile
	}
	return ""
}

// canaryPhone writes a number, reads it back and takes it away.
func (d *Directory) canaryPhone(ctx context.Context, u *cloud.User) cloud.Check {
	slot := emptySlot(u)
	if slot == "" {
		return cloud.Check{Name: "canary.phone", Result: cloud.CheckUnknown, Detail: "the user has a number in every slot", Action: "Name a test user with an empty slot."}
	}
	add := cloud.Change{User: u.ID, Op: cloud.Add, Method: slot, After: cloud.TextValue(canaryNumber)}
	written := d.Write(ctx, []cloud.Change{add})[0]
	seen, err := d.seen(ctx, u.ID, slot, add.After)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), canaryEnd)
	defer cancel()
	taken := d.Write(end, []cloud.Change{{User: u.ID, Op: cloud.Remove, Method: slot, Before: add.After}})[0]
	gone, left := d.seen(end, u.ID, slot, cloud.Value{})
	switch {
	case taken.Err != nil || left != nil || !gone:
		return blocked("canary.phone", fmt.Sprintf("the test number may still be the %s of the user: it could not be taken back", slot), "Remove it by hand.")
	case written.Err != nil:
		return blocked("canary.phone", "a number cannot be written: "+written.Err.Error(), "Compare the application's permissions with docs/entra.md.")
	case err != nil:
		return blocked("canary.phone", "a number that was written cannot be read: "+err.Error(), "Compare the application's permissions with docs/entra.md.")
	case !seen:
		return cloud.Check{Name: "canary.phone", Result: cloud.CheckWarning, Detail: "a number was written and taken back, but was not seen in between", Action: "Give check more time behind apply."}
	}
	return passed("canary.phone", fmt.Sprintf("a number was written as %s, read back and removed", slot))
}

// seen waits for a slot to show a value, as long as things may come late.
func (d *Directory) seen(ctx context.Context, id cloud.UserID, slot cloud.Method, want cloud.Value) (bool, error) {
	for _, pause := range visible {
		if err := d.o.Sleep(ctx, pause); err != nil {
			return false, err
		}
		users, err := d.Read(ctx, []cloud.UserID{id})
		if err != nil {
			return false, err
		}
		if holds(slot, users[0].Value(slot, "", want), want) {
			return true, nil
		}
	}
	return false, nil
}

// canaryToken puts a token into the inventory, assigns and activates it, and
// takes all of it back.
func (d *Directory) canaryToken(ctx context.Context, u *cloud.User) []cloud.Check {
	random := make([]byte, 20)
	rand.Read(random)
	o := &cloud.OATH{Name: "mfabridge canary", Serial: ownSerial + "CANARY-" + base32.StdEncoding.EncodeToString(random[:5]), Manufacturer: "mfabridge", Model: "canary",
		Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(random)}
	device, _, err := d.createDevice(ctx, o)
	if err != nil {
		return []cloud.Check{d.notMade(ctx, o.Serial, err)}
	}
	path := userPath(u.ID) + "/authentication/hardwareOathMethods"
	assigned := d.one(ctx, http.MethodPost, path, map[string]any{"device": map[string]string{"id": device.ID}})
	activation := assigned
	if assigned == nil {
		activation = d.tryCode(ctx, path+"/"+url.PathEscape(device.ID)+"/activate", o)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), canaryEnd)
	defer cancel()
	if err := d.dropToken(end, path+"/"+url.PathEscape(device.ID), device.ID); err != nil {
		return []cloud.Check{blocked("canary.token", "the test token "+o.Serial+" could not be taken back: "+err.Error(), "Remove it by hand, from the user and from the inventory.")}
	}
	if assigned != nil {
		return []cloud.Check{blocked("canary.token", "a token cannot be assigned: "+assigned.Error(), "See whether the policy for hardware OATH tokens includes the user, and whether there are five already.")}
	}
	checks := []cloud.Check{passed("canary.token", "a token was put into the inventory, assigned, and taken back")}
	if activation != nil {
		return append(checks, cloud.Check{Name: "canary.activation", Result: cloud.CheckWarning, Detail: "an application may not activate the token of a user here: " + activation.Error(),
			Action: "Plan without --oath-activation: people activate their tokens themselves."})
	}
	return append(checks, passed("canary.activation", "an application may activate the token of a user here: plan with --oath-activation"))
}

// notMade says why the test token did not come into the inventory. Where that is
// not certain it is looked for once more and taken out: it may be seen late.
func (d *Directory) notMade(ctx context.Context, serial string, cause error) cloud.Check {
	switch cloud.KindOf(cause) {
	case cloud.Denied, cloud.Throttled, cloud.Unsupported, cloud.NotFound, cloud.Invalid, cloud.Conflict:
		return blocked("canary.token", cause.Error(), "Grant the application Policy.ReadWrite.AuthenticationMethod, or expect no tokens to move.")
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), canaryEnd)
	defer cancel()
	device, err := d.lateDevice(end, serial, func(v *oathDevice) bool { return v != nil })
	if err == nil && device != nil && d.dropDevice(end, device.ID) == nil {
		return blocked("canary.token", cause.Error()+"; the test token came in all the same, and was taken out", "Ask again when Graph answers.")
	}
	return blocked("canary.token", "the test token "+serial+" may stand in the inventory: "+cause.Error(), "Look for it there, and remove it by hand.")
}

// tryCode activates with the code of now, or of the next step.
func (d *Directory) tryCode(ctx context.Context, path string, o *cloud.OATH) (err error) {
	for try := range 2 {
		at := d.client.serverTime().Add(time.Duration(try) * 30 * time.Second)
		code, failed := tokenCode(o, at)
		if failed != nil {
			return failed
		}
		if err = d.one(ctx, http.MethodPost, path, map[string]string{"verificationCode": code, "displayName": o.Name}); err == nil || cloud.KindOf(err) == cloud.Denied {
			return err
		}
	}
	return err
}

// dropToken takes a token from its user and out of the inventory, wherever it
// stands.
func (d *Directory) dropToken(ctx context.Context, method, device string) (err error) {
	for _, pause := range visible {
		if err = d.o.Sleep(ctx, pause); err != nil {
			return err
		}
		if err = d.one(ctx, http.MethodDelete, method, nil); err == nil || cloud.KindOf(err) == cloud.NotFound {
			return d.dropDevice(ctx, device)
		}
	}
	return err
}
