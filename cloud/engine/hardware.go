package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/cloud/oath"
	"mfabridge/internal/secret"
)

// Names of Meta values of the inventory. A device lies sealed among the kept
// values; the others lead to its id.
const (
	hardwareKept   = "hardware/"
	hardwareSerial = "hardware-serial/"
	hardwareUser   = "hardware-user/"
)

// Stages of a device in the inventory, in the words of Graph.
const (
	HardwareAvailable = "available"
	HardwareAssigned  = "assigned"
	HardwareActivated = "activated"
	HardwareFailed    = "failedActivation"
)

// Hardware is a hardware token in the inventory of a store that rehearses
// Entra ID: uploaded, then assigned to one user, then activated by a code.
// Only an activated one verifies; it is a generator of the user then, with the
// device's id.
type Hardware struct {
	ID           string          `json:"id"`
	Serial       string          `json:"serial"`
	Manufacturer string          `json:"manufacturer"`
	Model        string          `json:"model"`
	Name         string          `json:"name,omitempty"`
	Algorithm    cloud.Algorithm `json:"algorithm"`
	Period       int             `json:"period"`
	User         cloud.UserID    `json:"user,omitempty"` // empty: nobody has it
	Stage        string          `json:"stage"`
}

// stocked is a device as it is kept, sealed as a whole.
type stocked struct {
	Hardware
	Secret []byte `json:"secret"`
}

func (h *Hardware) oath(key secret.Bytes) cloud.OATH {
	return cloud.OATH{Name: h.Name, Serial: h.Serial, Manufacturer: h.Manufacturer, Model: h.Model, Algorithm: h.Algorithm,
		Digits: 6, Period: h.Period, Secret: key}
}

// AddHardware puts a device into the inventory. Conflict: its serial number is
// there. A User in d is assigned it at once.
func (e *Engine) AddHardware(ctx context.Context, actor string, d Hardware, key secret.Bytes) (Hardware, error) {
	if !e.caps.Methods[cloud.HardwareOATH].Create {
		return Hardware{}, refuse(cloud.Unsupported, "this target has no hardware tokens")
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return Hardware{}, fmt.Errorf("no id can be made: %w", err)
	}
	made := stocked{Hardware: d, Secret: key.Reveal()}
	made.ID, made.Stage, made.User = id.String(), HardwareAvailable, ""
	o := made.oath(key)
	if err := errors.Join(form.CheckOATH(&o), admitOATH(&e.caps.OATH, &o)); err != nil {
		return Hardware{}, refuse(cloud.Invalid, err.Error())
	}
	if d.Serial == "" || d.Manufacturer == "" || d.Model == "" {
		return Hardware{}, refuse(cloud.Invalid, "a hardware token needs a serial number, a manufacturer and a model")
	}
	err = e.stock(ctx, actor, "hardware.add", func(w *writing) (*stocked, error) {
		made.User, made.Stage = "", HardwareAvailable // it may run twice
		at := hardwareSerial + Fold(d.Serial)
		known, err := w.tx.Meta(at)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 {
			return nil, refuse(cloud.Conflict, "the serial number is in the inventory already")
		}
		if err := w.tx.SetMeta(at, []byte(made.ID)); err != nil {
			return nil, err
		}
		if d.User != "" {
			return &made, e.assign(w, &made, d.User)
		}
		return &made, nil
	})
	return made.Hardware, err
}

// EditHardware changes the labels, the period and the hash of a device that
// nobody has.
func (e *Engine) EditHardware(ctx context.Context, actor, id string, edit func(*Hardware)) error {
	return e.onHardware(ctx, actor, id, "hardware.edit", func(_ *writing, d *stocked) error {
		if d.User != "" {
			return refuse(cloud.Conflict, "the token is assigned: unassign it first")
		}
		edited := d.Hardware
		edit(&edited)
		edited.ID, edited.Serial, edited.User, edited.Stage = d.ID, d.Serial, d.User, d.Stage
		o := edited.oath(secret.Bytes{})
		if err := errors.Join(form.CheckOATH(&o), admitOATH(&e.caps.OATH, &o)); err != nil {
			return refuse(cloud.Invalid, err.Error())
		}
		d.Hardware = edited
		return nil
	})
}

// AssignHardware gives a device to a user, who does not verify by it yet.
func (e *Engine) AssignHardware(ctx context.Context, actor, id string, user cloud.UserID) error {
	return e.onHardware(ctx, actor, id, "hardware.assign", func(w *writing, d *stocked) error {
		return e.assign(w, d, user)
	})
}

// assign holds the rules of a token that a user is to have.
func (e *Engine) assign(w *writing, d *stocked, user cloud.UserID) error {
	if d.User != "" {
		return refuse(cloud.Conflict, "the token is assigned already")
	}
	u, err := findUser(w.tx, user)
	if err != nil {
		return err
	}
	draft, err := w.load(u)
	if err != nil {
		return err
	}
	held, err := hardwareIDs(w.tx, user)
	if err != nil {
		return err
	}
	for _, t := range draft.tokens {
		held = slices.DeleteFunc(held, func(id string) bool { return id == t.ID })
	}
	if u.Guest {
		return refuse(cloud.Invalid, "a guest cannot have hardware OATH")
	}
	if err := draft.roomForMethod(e, len(held)); err != nil {
		return err
	}
	d.User, d.Stage = user, HardwareAssigned
	return nil
}

// ActivateHardware makes an assigned device verify, if code is one that it
// shows now. Invalid: it is not, and the device says so from then on.
func (e *Engine) ActivateHardware(ctx context.Context, actor, id string, user cloud.UserID, code secret.Bytes, name string) error {
	var wrong error
	err := e.onHardware(ctx, actor, id, "hardware.activate", func(w *writing, d *stocked) error {
		wrong = nil
		if d.User != user {
			return refuse(cloud.NotFound, "the user has no such token")
		}
		if d.Stage == HardwareActivated {
			return refuse(cloud.Conflict, "the token is activated already")
		}
		if name != "" {
			d.Name = name
		}
		o := d.oath(secret.New(slices.Clone(d.Secret)))
		if err := w.identify(&o); err != nil {
			return err
		}
		g, err := oath.New(d.Secret, &o)
		if err != nil {
			return err
		}
		clock, reason, err := g.Check(cleanCode(code.Reveal()), oath.Clock{}, w.now)
		if err != nil {
			return err
		}
		if reason != "" {
			d.Stage, wrong = HardwareFailed, refuse(cloud.Invalid, "the verification code is wrong")
			return nil
		}
		return e.enrol(w, d, &o, clock)
	})
	return errors.Join(err, wrong)
}

// enrol makes an activated device a generator of its user.
func (e *Engine) enrol(w *writing, d *stocked, o *cloud.OATH, clock oath.Clock) error {
	u, err := findUser(w.tx, d.User)
	if err != nil {
		return err
	}
	draft, err := w.load(u)
	if err != nil {
		return err
	}
	t := Token{User: d.User, OATHEntry: cloud.OATHEntry{ID: d.ID, Method: cloud.HardwareOATH}, Clock: clock}
	if err := draft.putToken(w, &t, o); err != nil {
		return err
	}
	d.Stage = HardwareActivated
	return nil
}

// DeactivateHardware takes a device out of use; the user keeps it.
func (e *Engine) DeactivateHardware(ctx context.Context, actor, id string, user cloud.UserID) error {
	return e.onHardware(ctx, actor, id, "hardware.deactivate", func(w *writing, d *stocked) error {
		if d.User != user {
			return refuse(cloud.NotFound, "the user has no such token")
		}
		if d.Stage != HardwareActivated {
			return refuse(cloud.Invalid, "the token is not activated")
		}
		d.Stage = HardwareAssigned
		return e.retire(w, d.User, d.ID)
	})
}

// UnassignHardware takes a device from its user; it is available again. One
// that never was in the inventory is gone then.
func (e *Engine) UnassignHardware(ctx context.Context, actor, id string, user cloud.UserID) error {
	err := e.onHardware(ctx, actor, id, "hardware.unassign", func(w *writing, d *stocked) error {
		if d.User != user {
			return refuse(cloud.NotFound, "the user has no such token")
		}
		if d.Stage == HardwareActivated {
			if err := e.retire(w, d.User, d.ID); err != nil {
				return err
			}
		}
		d.User, d.Stage = "", HardwareAvailable
		return nil
	})
	if err == nil || cloud.KindOf(err) != cloud.NotFound {
		return err
	}
	return e.stock(ctx, actor, "hardware.unassign", func(w *writing) (*stocked, error) {
		return nil, e.retire(w, user, id)
	})
}

// retire removes the generator of a device.
func (e *Engine) retire(w *writing, user cloud.UserID, id string) error {
	u, err := findUser(w.tx, user)
	if err != nil {
		return err
	}
	draft, err := w.load(u)
	if err != nil {
		return err
	}
	c := cloud.Change{User: user, Op: cloud.Remove, Method: cloud.HardwareOATH, ID: id}
	if draft.token(c) < 0 {
		return refuse(cloud.NotFound, "the user has no such token")
	}
	if err := draft.removeToken(w, c); err != nil {
		return err
	}
	if draft.changed {
		return w.tx.PutUser(&draft.user)
	}
	return nil
}

// RemoveHardware takes a device out of the inventory. Conflict: a user has it.
func (e *Engine) RemoveHardware(ctx context.Context, actor, id string) error {
	return e.onHardware(ctx, actor, id, "hardware.remove", func(w *writing, d *stocked) error {
		if d.User != "" {
			return refuse(cloud.Conflict, "the token is assigned: unassign it first")
		}
		d.Stage = ""
		return w.tx.SetMeta(hardwareSerial+Fold(d.Serial), []byte{})
	})
}
