package graph

import (
	"encoding/base32"
	"net/http"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Bounds of a device (concept-authentication-oath-tokens).
const (
	maxSecretText = 128 // characters of Base32
	maxDevices    = 100 // of one PATCH of the inventory; no figure is published
)

// showDevice is a device of the inventory.
func showDevice(h *engine.Hardware, userName string) object {
	hash := "hmacsha1"
	if h.Algorithm == cloud.SHA256 {
		hash = "hmacsha256"
	}
	o := object{"id": h.ID, "displayName": none(h.Name), "serialNumber": h.Serial, "manufacturer": h.Manufacturer, "model": h.Model,
		"secretKey": nil, "timeIntervalInSeconds": h.Period, "hashFunction": hash, "status": h.Stage, "lastUsedDateTime": nil, "assignedTo": nil}
	if h.User != "" {
		o["assignedTo"] = object{"id": string(h.User), "displayName": none(userName)}
	}
	return o
}

// seconds is a number, or one written as text.
type seconds int

// UnmarshalJSON takes both.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*s = seconds(n)
	return err
}

// deviceBody is what a device is uploaded and edited with.
type deviceBody struct {
	ContentID    string   `json:"@contentId"`
	Serial       *string  `json:"serialNumber"`
	Manufacturer *string  `json:"manufacturer"`
	Model        *string  `json:"model"`
	Name         *string  `json:"displayName"`
	Secret       *string  `json:"secretKey"`
	Interval     *seconds `json:"timeIntervalInSeconds"`
	Hash         *string  `json:"hashFunction"`
	AssignTo     *struct {
		ID string `json:"id"`
	} `json:"assignTo"`
}

// apply puts what is given into a device.
func (in *deviceBody) apply(h *engine.Hardware) error {
	for _, s := range []struct {
		given *string
		field *string
	}{{in.Manufacturer, &h.Manufacturer}, {in.Model, &h.Model}, {in.Name, &h.Name}, {in.Serial, &h.Serial}} {
		if s.given != nil {
			*s.field = *s.given
		}
	}
	if in.Interval != nil {
		h.Period = int(*in.Interval)
	}
	if in.Hash != nil {
		switch strings.ToLower(*in.Hash) {
		case "hmacsha1":
			h.Algorithm = cloud.SHA1
		case "hmacsha256":
			h.Algorithm = cloud.SHA256
		default:
			return bad("hashFunction must be hmacsha1 or hmacsha256.")
		}
	}
	return nil
}

// upload makes one device.
func (f *Face) upload(c *call, in *deviceBody) (object, error) {
	h := engine.Hardware{Algorithm: cloud.SHA1}
	if err := in.apply(&h); err != nil {
		return nil, err
	}
	if in.Serial == nil || in.Manufacturer == nil || in.Model == nil || in.Secret == nil || in.Interval == nil {
		return nil, bad("serialNumber, manufacturer, model, secretKey and timeIntervalInSeconds are required.")
	}
	text := strings.TrimRight(strings.ToUpper(*in.Secret), "=")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(text) > maxSecretText || len(text) == 0 {
		return nil, bad("secretKey must be Base32 of at most %d characters.", maxSecretText)
	}
	name := ""
	if in.AssignTo != nil {
		if !c.may(writeMethods) {
			return nil, forbidden()
		}
		p, err := f.person(c.ctx, in.AssignTo.ID)
		if err != nil {
			return nil, err
		}
		h.User, name = p.ID, p.DisplayName
	}
	key := secret.New(raw)
	defer key.Wipe()
	f.rememberDevice(c.ctx, "", *in.Serial)
	made, err := f.core.AddHardware(c.ctx, c.app, h, key)
	if err != nil && cloud.KindOf(err) == cloud.Conflict {
		return nil, fail(f.assume.Second, "badRequest", "A device with this serial number exists already.")
	}
	return showDevice(&made, name), err
}

func (f *Face) addDevice(c *call) (answer, error) {
	var in deviceBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	o, err := f.upload(c, &in)
	if err != nil {
		return answer{}, err
	}
	o["@odata.context"] = c.context(inventoryContext + "/$entity")
	return created(o)
}

const inventoryContext = "directory/authenticationMethodDevices/hardwareOathDevices"

// addDevices is PATCH of the whole inventory: a delta of new devices. The ones
// before a refusal are made; how a refusal is told is not published.
func (f *Face) addDevices(c *call) (answer, error) {
	var in struct {
		Context string       `json:"@context"`
		Value   []deviceBody `json:"value"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if len(in.Value) == 0 || len(in.Value) > maxDevices {
		return answer{}, bad("value must hold 1 to %d devices.", maxDevices)
	}
	value := []object{}
	for i := range in.Value {
		o, err := f.upload(c, &in.Value[i])
		if err != nil {
			return answer{}, err
		}
		o["@contentId"] = in.Value[i].ContentID
		value = append(value, o)
	}
	return created(object{"@odata.context": c.context(inventoryContext + "/$delta"), "value": value})
}

// named is a device with the name of who has it.
func (f *Face) named(c *call, h *engine.Hardware) object {
	name := ""
	if h.User != "" {
		if p, err := f.core.PersonBy(c.ctx, cloud.Key{Kind: cloud.ByID, Value: string(h.User)}); err == nil {
			name = p.DisplayName
		}
	}
	return showDevice(h, name)
}

func (f *Face) devices(c *call) (answer, error) {
	if c.query.Has("filter") {
		t, err := c.asked(map[string]string{"serialnumber": "eq"}, false)
		if err != nil {
			return answer{}, err
		}
		property, values := t.only()
		if property != "serialnumber" {
			return answer{}, unsupported("serialNumber")
		}
		value := []object{}
		h, err := f.seenDevice(c.ctx, "", values[0])
		if err == nil {
			value = append(value, f.named(c, &h))
		} else if asTrouble(err).status != http.StatusNotFound {
			return answer{}, err
		}
		return okay(object{"@odata.context": c.context(inventoryContext), "value": value})
	}
	return f.list(c, inventoryContext, func(after string, limit int) ([]entry, error) {
		some, err := f.core.HardwareAfter(c.ctx, after, limit)
		var entries []entry
		for i := range some {
			entries = append(entries, entry{some[i].ID, f.named(c, &some[i])})
		}
		return entries, err
	}, nil)
}

func (f *Face) device(c *call) (answer, error) {
	h, err := f.seenDevice(c.ctx, c.vars[0], "")
	if err != nil {
		return answer{}, err
	}
	return okay(f.named(c, &h))
}

func (f *Face) editDevice(c *call) (answer, error) {
	var in deviceBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Secret != nil || in.Serial != nil || in.AssignTo != nil {
		return answer{}, bad("secretKey, serialNumber and assignTo cannot be changed.")
	}
	var wrong error
	f.rememberDevice(c.ctx, c.vars[0], "")
	err := f.core.EditHardware(c.ctx, c.app, c.vars[0], func(h *engine.Hardware) { wrong = in.apply(h) })
	if wrong != nil {
		return answer{}, wrong
	}
	if err != nil && cloud.KindOf(err) == cloud.Conflict {
		return answer{}, bad("An assigned device cannot be updated.")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

func (f *Face) removeDevice(c *call) (answer, error) {
	f.rememberDevice(c.ctx, c.vars[0], "")
	err := f.core.RemoveHardware(c.ctx, c.app, c.vars[0])
	if err != nil && cloud.KindOf(err) == cloud.Conflict {
		return answer{}, bad("An assigned device cannot be deleted.")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

// assignToken gives a user a device of the inventory.
func (f *Face) assignToken(c *call) (answer, error) {
	var in struct {
		Device *struct {
			ID string `json:"id"`
		} `json:"device"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Device == nil || in.Device.ID == "" {
		return answer{}, bad("device is required.")
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if err := f.assignTo(c, in.Device.ID, &p); err != nil {
		return answer{}, err
	}
	h, err := f.core.Hardware(c.ctx, in.Device.ID, "")
	if err != nil {
		return answer{}, err
	}
	return created(object{"@odata.type": "#microsoft.graph.hardwareOathAuthenticationMethod", "id": h.ID, "createdDateTime": f.now().UTC().Format("2006-01-02T15:04:05Z"),
		"device": showDevice(&h, p.DisplayName)})
}

func (f *Face) assignTo(c *call, id string, p *engine.Person) error {
	f.rememberDevice(c.ctx, id, "")
	err := f.core.AssignHardware(c.ctx, c.app, id, p.ID)
	if err != nil && cloud.KindOf(err) == cloud.Conflict {
		return bad("The device is assigned to a user already.")
	}
	return err
}

// codeBody is what a token is activated with.
type codeBody struct {
	Code   string `json:"verificationCode"`
	Name   string `json:"displayName"`
	Serial string `json:"serialNumber"`
	Device *struct {
		ID string `json:"id"`
	} `json:"device"`
}

// activates says whether this application may activate: the pages contradict
// each other, and the store was made to assume one of them.
func (f *Face) activates() error {
	if !f.core.Assumed().Activates {
		return forbidden()
	}
	return nil
}

func (f *Face) activate(c *call, id string, p *engine.Person, in *codeBody) error {
	code := secret.FromString(in.Code)
	defer code.Wipe()
	f.rememberDevice(c.ctx, id, "")
	err := f.core.ActivateHardware(c.ctx, c.app, id, p.ID, code, in.Name)
	if err != nil && cloud.KindOf(err) == cloud.Invalid {
		return fail(f.assume.WrongCode, "badRequest", "The verification code is not valid for the device.")
	}
	return err
}

func (f *Face) activateToken(c *call) (answer, error) {
	var in codeBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err == nil {
		err = f.activates()
	}
	if err == nil {
		err = f.activate(c, c.vars[1], &p, &in)
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

// assignAndActivate does both, by id or by serial number.
func (f *Face) assignAndActivate(c *call) (answer, error) {
	var in codeBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if err := f.activates(); err != nil {
		return answer{}, err
	}
	id := ""
	if strings.EqualFold(c.segments[4], "assignAndActivateBySerialNumber") {
		h, err := f.core.Hardware(c.ctx, "", in.Serial)
		if err != nil {
			return answer{}, err
		}
		id = h.ID
	} else if in.Device != nil {
		id = in.Device.ID
	}
	if id == "" {
		return answer{}, bad("device is required.")
	}
	if err := f.assignTo(c, id, &p); err != nil {
		return answer{}, err
	}
	if err := f.activate(c, id, &p, &in); err != nil {
		if back := f.core.UnassignHardware(c.ctx, c.app, id, p.ID); back != nil {
			return answer{}, back
		}
		return answer{}, err
	}
	return done()
}

func (f *Face) deactivateToken(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err == nil {
		err = f.activates()
	}
	if err == nil {
		f.rememberDevice(c.ctx, c.vars[1], "")
		err = f.core.DeactivateHardware(c.ctx, c.app, c.vars[1], p.ID)
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

func (f *Face) unassignToken(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err == nil {
		f.rememberDevice(c.ctx, c.vars[1], "")
		err = f.core.UnassignHardware(c.ctx, c.app, c.vars[1], p.ID)
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}
