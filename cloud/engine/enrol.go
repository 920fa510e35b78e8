package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/signature"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// appSecret is the size of the secret of an app's generator, in bytes: RFC 4226
// §4 recommends 160 bits.
const appSecret = 20

// wayActivation is the Way of failures with activation codes.
const wayActivation = "activate"

// Enrolment is what a new authenticator says of itself.
type Enrolment struct {
	User      string // a name of the user, as in Activation
	Code      secret.Bytes
	Name      string       // what its user calls it
	PIN       secret.Bytes // zero: none
	Key       []byte       // public, [signature.KeySize] bytes
	Signature []byte       // of [signature.Activation], by that key
}

// Enrolled is what a new authenticator is told. It is told once.
type Enrolled struct {
	User   cloud.UserID
	UPN    string
	Device string
	OATH   cloud.OATH // its generator with the secret; none where policy does not allow one

	Account   string // what it shows the account as
	NeedsPIN  bool   // nothing was made: the same again with a PIN; the code is as good as before
	PINLength int    // of at least so many digits
}

// Enrol makes an invitation into an active authenticator, which signs with the
// key from then on and has a generator of codes. Codes that are wrong, used or
// over, and users who are not there, are refused alike (Denied) and count; a
// key without its signature is refused before and counts nothing.
func (e *Engine) Enrol(ctx context.Context, n Enrolment, client cloud.Client) (Enrolled, error) {
	if err := signature.CheckKey(n.Key); err != nil {
		return Enrolled{}, err
	}
	if err := CheckDeviceName(n.Name); err != nil {
		return Enrolled{}, err
	}
	if n.Code.Len() > form.MaxLabel || len(n.User) > form.MaxName || n.PIN.Len() > maxPINLength || !signature.Holds(n.Key, n.text(), n.Signature) {
		return Enrolled{}, refuse(cloud.Invalid, "the signature is not one by this key")
	}
	made, err := e.enrolPIN(ctx, &n, client.Address)
	if err != nil {
		return Enrolled{}, err
	}
	var s *enrolling
	err = e.store.Update(ctx, func(tx Tx) error {
		s = &enrolling{e: e, tx: tx, n: &n, pin: made, now: e.now(), place: tries.Place(client)}
		return s.run()
	})
	if err != nil {
		return Enrolled{}, asError(err)
	}
	if !s.ok {
		return Enrolled{}, because(cloud.WrongCode, cloud.Denied, "the activation code is wrong, used or over, or too many were tried")
	}
	if !s.made.NeedsPIN {
		e.announce(ctx, s.user, "The authenticator "+quotedName(n.Name)+" can approve sign-ins for "+s.user.UPN+" from now on. If that was not you, call your helpdesk.")
	}
	return s.made, nil
}

// CheckDeviceName refuses what no authenticator can be called.
func CheckDeviceName(name string) error {
	return form.CheckText("the name of an authenticator", name, form.MaxLabel)
}

// text is what the new authenticator has signed.
func (n *Enrolment) text() []byte {
	return signature.Activation(n.User, n.Code, n.Name, n.Key, n.PIN)
}

// enrolPIN is the PIN of the new authenticator, as it is kept; nil: it has none.
func (e *Engine) enrolPIN(ctx context.Context, n *Enrolment, from netip.Addr) (made *pin, err error) {
	if n.PIN.IsZero() {
		return nil, nil
	}
	// Whoever is not there costs the same.
	var user cloud.UserID
	var device string
	err = e.store.View(ctx, func(r Reader) error {
		s, err := settingsOf(r)
		if err != nil {
			return err
		}
		if err := s.CheckPIN(n.PIN); err != nil {
			return err
		}
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: n.User})
		if err != nil || u == nil {
			return err
		}
		a, err := readAside(u)
		if err != nil || a.Activation == nil {
			return err
		}
		user, device = u.ID, a.Activation.Device
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	if err := e.passwords.enterPublic(ctx, from); err != nil {
		return nil, err
	}
	defer e.passwords.leavePublic(from)
	made, err = e.newPIN(ctx, user, device, n.PIN)
	if err == nil {
		made.device = device
	}
	return made, err
}

// enrolling is one Enrol inside its transaction.
type enrolling struct {
	e     *Engine
	tx    Tx
	n     *Enrolment
	pin   *pin
	now   time.Time
	place string
	user  *User
	ok    bool // the code was right
	made  Enrolled
}

func (s *enrolling) run() (err error) {
	subject := cloud.Key{Kind: cloud.ByName, Value: s.n.User}
	if s.user, err = lookUp(s.tx, subject); err != nil {
		return err
	}
	if s.user == nil {
		if shut, err := s.e.stranger(s.tx, wayActivation, s.place, s.now); shut || err != nil {
			return err
		}
	}
	g, err := s.e.tries.Gate(s.tx, tries.Where{User: counted(s.user, subject), Way: wayActivation, Place: s.place}, s.now)
	switch {
	case err != nil:
		return err
	case g.Shut:
		return s.e.countNobody(s.tx, s.now)
	}
	var device string
	if s.user != nil {
		if device, err = s.redeem(); err != nil {
			return err
		}
	}
	s.ok = device != ""
	if s.ok && s.made.NeedsPIN {
		return nil
	}
	if err := g.Count(s.tx, s.ok, s.now); err != nil {
		return err
	}
	if !s.ok {
		entry := audit.Entry{Time: s.now, Node: s.e.node, Actor: appActivation, Action: "device.refused", Detail: fmt.Sprintf("from=%q", s.place)}
		if s.user != nil {
			entry.Subject = string(s.user.ID)
		}
		return s.tx.Append(entry)
	}
	return s.enrol(device)
}

// redeem uses the code up; empty: it is not right.
func (s *enrolling) redeem() (device string, err error) {
	a, err := readAside(s.user)
	if err != nil || a.Activation == nil {
		return "", err
	}
	c := a.Activation
	right := subtle.ConstantTimeCompare(c.MAC, s.e.activationMAC(s.user.ID, c.Device, string(s.n.Code.Reveal()))) == 1
	has, err := s.e.hasWord(s.user, c.Word)
	if err != nil {
		return "", err
	}
	over := !has || !s.now.Before(c.Until)
	if !right && !over {
		return "", nil
	}
	if right && !over && usable(s.user, s.now) == "" {
		if s.made.NeedsPIN, s.made.PINLength, err = s.needsPIN(&a); err != nil || s.made.NeedsPIN {
			return c.Device, err
		}
		device = c.Device
	}
	a.Activation = nil
	if err := setAside(s.user, a); err != nil {
		return "", err
	}
	return device, s.tx.PutUser(s.user)
}

// needsPIN tells whether the PIN is missing that this user needs.
func (s *enrolling) needsPIN(a *aside) (bool, int, error) {
	set, err := settingsOf(s.tx)
	return s.pin == nil && (set.PIN || a.PIN), set.Length, err
}

// enrol makes the device and its generator.
func (s *enrolling) enrol(device string) error {
	if err := s.e.activate(s.tx, s.user.ID, device, s.n.Name, s.n.Key, s.now); err != nil {
		return err
	}
	if err := s.tell(device); err != nil {
		return err
	}
	u, err := s.tx.User(s.user.ID)
	if err != nil {
		return err
	}
	set, err := settingsOf(s.tx)
	if err != nil {
		return err
	}
	s.made = Enrolled{User: u.ID, UPN: u.UPN, Device: device, Account: set.AccountName()}
	may, err := s.e.allowed(s.tx, u.ID)
	if err != nil || !may.SoftwareOATH {
		return err
	}
	random := make([]byte, appSecret)
	rand.Read(random)
	key := secret.New(random)
	print := cloud.Fingerprint(s.e.setup.Instance, key)
	o := cloud.OATH{Name: s.n.Name, Serial: "MFB-" + print, Manufacturer: "mfabridge", Model: "app", Algorithm: cloud.SHA1, Digits: 6, Period: 30,
		Fingerprint: print, Secret: key}
	w := writing{e: s.e, tx: s.tx, now: s.now, byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
	d, err := w.load(u)
	if err != nil {
		return err
	}
	t := Token{User: u.ID, OATHEntry: cloud.OATHEntry{ID: device, Method: cloud.SoftwareOATH}}
	s.made.OATH = o
	return d.putToken(&w, &t, &o)
}

// tell sets the PIN of the new device, and lets the user's others know of it.
func (s *enrolling) tell(device string) error {
	devices, err := s.tx.Devices(s.user.ID)
	if err != nil {
		return err
	}
	for i := range devices {
		d := &devices[i]
		switch {
		case d.ID == device && s.pin != nil && s.pin.device != device:
			err = refuse(cloud.Conflict, "the invitation was opened again meanwhile: try once more")
		case d.ID == device && s.pin != nil:
			err = d.editAside(s.tx, func(a *deviceAside) { a.PIN = s.pin })
		case d.ID != device && d.State == deviceActive:
			name := quotedName(s.n.Name)
			err = d.editAside(s.tx, func(a *deviceAside) {
				a.Notices = append(a.Notices, Notice{ID: device, At: s.now.UTC(), Text: "The authenticator " + name + " can approve your sign-ins from now on.",
					Kind: NoticeDeviceAdded, Name: strings.Trim(name, `"`)})
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// activate makes an invitation into an active device.
func (e *Engine) activate(tx Tx, user cloud.UserID, device, name string, key []byte, now time.Time) error {
	u, err := tx.User(user)
	if err != nil {
		return err
	}
	devices, err := tx.Devices(user)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d Device) bool {
		return d.ID == device && d.State == deviceInvited && now.Before(d.Until)
	})
	if u == nil || i < 0 {
		return because(cloud.NoInvitation, cloud.NotFound, "there is no such invitation, or it is over")
	}
	if why := usable(u, now); why != "" {
		return because(why, cloud.Denied, "the user is disabled or blocked")
	}
	may, err := e.allowed(tx, user)
	if err != nil {
		return err
	}
	if !may.Authenticator {
		return because(cloud.NotAllowed, cloud.Denied, "the method policy does not allow this user an authenticator")
	}
	d := devices[i]
	d.State, d.Name, d.Until, d.Created, d.Key = deviceActive, name, time.Time{}, now, key
	if err := tx.PutDevice(&d); err != nil {
		return err
	}
	if u.Default == "" || u.Default == cloud.OATHCode {
		u.Default = cloud.Push
		if err := tx.PutUser(u); err != nil {
			return err
		}
	}
	return tx.Append(audit.Entry{Time: now, Node: e.node, Actor: "device " + d.ID, Action: "device.activate", Subject: string(user)})
}
