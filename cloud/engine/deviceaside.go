package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
)

// Bounds on what is kept of one device.
const (
	maxAnswers = 10 // the newest
	maxNotices = 5
)

// deviceAside is what a device has besides its key: in its row as JSON, in
// Device.Aside. Nothing in it lets anybody in: a PIN is a hash under the
// engine's key, and what a subscription says is good only together with the
// engine's VAPID key.
type deviceAside struct {
	PIN     *pin          `json:"pin,omitempty"`
	Push    *Subscription `json:"push,omitempty"`
	Used    time.Time     `json:"used,omitzero"` // the last answer
	Answers []answered    `json:"answers,omitempty"`
	Notices []Notice      `json:"notices,omitempty"`
	Mailed  time.Time     `json:"mailed,omitzero"` // of an invitation: when it went out by mail
}

// answered is a push that this device has answered.
type answered struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	App       string            `json:"app"`
	Place     string            `json:"place"`
	At        time.Time         `json:"at"`
	State     cloud.State       `json:"state"`
	Reported  bool              `json:"reported,omitempty"` // the user says that it was somebody else
}

// Notice is what a device is to tell its user: Text, or what Kind and Name say
// in the language of its user.
type Notice struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`           // in English
	Kind string    `json:"kind,omitempty"` // NoticeDeviceAdded; empty: there is only the text
	Name string    `json:"name,omitempty"` // of the authenticator that it is about, as in Text
}

// NoticeDeviceAdded is the Kind of a notice of another authenticator that can
// approve from now on.
const NoticeDeviceAdded = "device_added"

// aside is what the device has besides its key.
func (d *Device) aside() (a deviceAside, err error) {
	if len(d.Aside) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(d.Aside, &a); err != nil {
		return a, refuse(cloud.Internal, fmt.Sprintf("what is kept of device %s cannot be read", d.ID))
	}
	return a, nil
}

// setAside writes it back; the device is to be stored.
func (d *Device) setAside(a deviceAside) error {
	if extra := len(a.Answers) - maxAnswers; extra > 0 {
		a.Answers = slices.Delete(a.Answers, 0, extra)
	}
	if extra := len(a.Notices) - maxNotices; extra > 0 {
		a.Notices = slices.Delete(a.Notices, 0, extra)
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("what is kept of a device cannot be written: %w", err)
	}
	if d.Aside = b; string(b) == "{}" {
		d.Aside = nil
	}
	return nil
}

// editAside changes what a device has besides its key.
func (d *Device) editAside(tx Tx, edit func(*deviceAside)) error {
	a, err := d.aside()
	if err != nil {
		return err
	}
	edit(&a)
	if err := d.setAside(a); err != nil {
		return err
	}
	return tx.PutDevice(d)
}

// deviceOf is an active device of a user. Denied: it is none.
func deviceOf(r Reader, user cloud.UserID, id string) (*Device, error) {
	devices, err := r.Devices(user)
	if err != nil {
		return nil, err
	}
	for i := range devices {
		if d := &devices[i]; d.ID == id && d.State == deviceActive {
			return d, nil
		}
	}
	return nil, because(cloud.NotActive, cloud.Denied, "the authenticator is not an active one of this user")
}
