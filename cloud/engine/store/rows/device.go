package rows

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// DeviceColumns are those of devices, without the user's.
const DeviceColumns = "id, name, state, until, created, public_key, opened, aside"

// Device reads one of a user, which is not in the row.
func Device(r Row, user cloud.UserID) engine.Device {
	return engine.Device{User: user, ID: r.Text(), Name: r.Text(), State: r.Text(), Until: clock(r), Created: clock(r),
		Key: r.Bytes(), Opened: clock(r), Aside: r.Bytes()}
}

// DeviceValues appends what is written, the user first.
func DeviceValues(to []any, d *engine.Device) []any {
	return append(to, string(d.User), d.ID, d.Name, d.State, Nanos(d.Until), Nanos(d.Created), Full(d.Key), Nanos(d.Opened), Full(d.Aside))
}
