package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/form"
)

// onHardware changes one device. A device whose Stage is empty after it is
// forgotten.
func (e *Engine) onHardware(ctx context.Context, actor, id, action string, edit func(*writing, *stocked) error) error {
	return e.stock(ctx, actor, action, func(w *writing) (*stocked, error) {
		d, err := e.stocked(w.tx, id)
		if err == nil && d == nil {
			err = refuse(cloud.NotFound, "there is no such token in the inventory")
		}
		if err != nil {
			return nil, err
		}
		return d, edit(w, d)
	})
}

// stock is one transaction on the inventory; what edit returns is written.
func (e *Engine) stock(ctx context.Context, actor, action string, edit func(*writing) (*stocked, error)) error {
	if e.setup.Kind != KindEntra {
		return refuse(cloud.Unsupported, "only a store that rehearses Entra ID has an inventory of tokens")
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		w := &writing{e: e, actor: actor, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
		d, err := edit(w)
		if err != nil {
			return err
		}
		entry := audit.Entry{Time: w.now, Node: e.node, Actor: actor, Action: action}
		if d != nil {
			entry.Subject, entry.Detail = string(d.User), "device="+d.ID+" stage="+d.Stage
			if err := e.putStocked(tx, d); err != nil {
				return err
			}
		}
		return tx.Append(entry)
	}))
}

// stocked is a device, as its user stands by it now; nil: there is none.
func (e *Engine) stocked(r Reader, id string) (*stocked, error) {
	if id == "" || len(id) > 64 {
		return nil, nil
	}
	value, err := e.kept(r, hardwareKept+id)
	if err != nil || value.IsZero() {
		return nil, err
	}
	defer value.Wipe()
	d := &stocked{}
	if err := json.Unmarshal(value.Reveal(), d); err != nil {
		return nil, refuse(cloud.Internal, "a device of the inventory cannot be read")
	}
	if d.Stage == "" {
		return nil, nil
	}
	if d.Stage != HardwareActivated && d.Stage != HardwareAssigned && d.Stage != HardwareFailed {
		return d, nil
	}
	// What was done to the user past the inventory counts.
	u, err := r.User(d.User)
	if err != nil {
		return nil, err
	}
	tokens, err := r.Tokens(d.User)
	has := slices.ContainsFunc(tokens, func(t Token) bool { return t.ID == d.ID })
	if u == nil || d.Stage == HardwareActivated && !has {
		d.User, d.Stage = "", HardwareAvailable
	}
	return d, err
}

func (e *Engine) putStocked(tx Tx, d *stocked) error {
	old, err := e.kept(tx, hardwareKept+d.ID)
	if err != nil {
		return err
	}
	var was stocked
	if !old.IsZero() {
		if err := json.Unmarshal(old.Reveal(), &was); err != nil {
			return refuse(cloud.Internal, "a device of the inventory cannot be read")
		}
	}
	if was.User != d.User {
		if err := errors.Join(holds(tx, was.User, d.ID, false), holds(tx, d.User, d.ID, true)); err != nil {
			return err
		}
	}
	name := hardwareKept + d.ID
	if d.Stage == "" {
		return tx.SetMeta(metaKept+name, []byte{})
	}
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("a device of the inventory cannot be written: %w", err)
	}
	sealed, err := e.key.Seal(value, e.keptBinding(name))
	if err != nil {
		return err
	}
	return tx.SetMeta(metaKept+name, sealed)
}

// holds notes that a user has a device, or has not any more.
func holds(tx Tx, user cloud.UserID, id string, has bool) error {
	if user == "" {
		return nil
	}
	ids, err := hardwareIDs(tx, user)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(other string) bool { return other == id })
	if has {
		ids = append(ids, id)
	}
	if len(ids) == 0 { // the user may be gone, and nothing of them stays
		return tx.RemoveMeta(hardwareUser + string(user))
	}
	return tx.SetMeta(hardwareUser+string(user), []byte(strings.Join(ids, " ")))
}

// takeBack makes the devices available that somebody had who is gone.
func (e *Engine) takeBack(tx Tx, user cloud.UserID) error {
	ids, err := hardwareIDs(tx, user)
	for i := 0; i < len(ids) && err == nil; i++ {
		var d *stocked
		if d, err = e.stocked(tx, ids[i]); d != nil && err == nil {
			err = e.putStocked(tx, d)
		}
	}
	return errors.Join(err, tx.RemoveMeta(hardwareUser+string(user)))
}

func hardwareIDs(r Reader, user cloud.UserID) ([]string, error) {
	value, err := r.Meta(hardwareUser + string(user))
	return strings.Fields(string(value)), err
}

// Hardware is one device by id, or by serial number if id is empty. NotFound:
// it is not in the inventory.
func (e *Engine) Hardware(ctx context.Context, id, serial string) (d Hardware, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		if id == "" && len(serial) <= form.MaxLabel {
			value, err := r.Meta(hardwareSerial + Fold(serial))
			if err != nil {
				return err
			}
			id = string(value)
		}
		found, err := e.stocked(r, id)
		if err == nil && found == nil {
			err = refuse(cloud.NotFound, "there is no such token in the inventory")
		}
		if err != nil {
			return err
		}
		d = found.Hardware
		return nil
	})
	return d, asError(err)
}

// HardwareAfter lists the inventory, ascending by id.
func (e *Engine) HardwareAfter(ctx context.Context, after string, limit int) (all []Hardware, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = nil
		names, err := r.MetaNames(metaKept + hardwareKept)
		for _, name := range names {
			id := strings.TrimPrefix(name, metaKept+hardwareKept)
			if err != nil || len(all) == limit {
				break
			}
			if id <= after {
				continue
			}
			var d *stocked
			if d, err = e.stocked(r, id); d != nil {
				all = append(all, d.Hardware)
			}
		}
		return err
	})
	return all, asError(err)
}

// HardwareOf are the devices of a user, activated or not, and those of their
// generators that never were in the inventory.
func (e *Engine) HardwareOf(ctx context.Context, user cloud.UserID) (all []Hardware, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = nil
		ids, err := hardwareIDs(r, user)
		if err != nil {
			return err
		}
		for _, id := range ids {
			d, err := e.stocked(r, id)
			if err != nil {
				return err
			}
			if d != nil && d.User == user {
				all = append(all, d.Hardware)
			}
		}
		stage := HardwareActivated
		if !e.caps.OATH.Activates {
			stage = HardwareAssigned
		}
		tokens, err := r.Tokens(user)
		for _, t := range tokens {
			known := slices.ContainsFunc(all, func(h Hardware) bool { return h.ID == t.ID })
			if t.Method == cloud.HardwareOATH && !known {
				all = append(all, Hardware{ID: t.ID, Serial: t.Serial, Manufacturer: t.Manufacturer, Model: t.Model, Name: t.Name,
					Algorithm: t.Algorithm, Period: t.Period, User: user, Stage: stage})
			}
		}
		return err
	})
	return all, asError(err)
}
