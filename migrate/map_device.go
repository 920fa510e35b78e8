package migrate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// deviceRules move the code generators of mobile apps, newest first.
func (d *draft) deviceRules() {
	if d.now.Guest {
		return
	}
	var seen []string
	for _, device := range newestFirst(d.u.Devices) {
		g := d.device(device)
		d.claimGenerator(&g, claimMoves)
		if name := fold(device.Name); name != "" {
			if slices.Contains(seen, name) {
				d.findAt(g.place, DeviceSuperseded, "DeviceName", g.label()+" was activated again later")
				continue
			}
			seen = append(seen, name)
		}
		if deadPlatform(device.NotificationType) {
			d.findAt(g.place, DevicePlatformDead, "NotificationType", g.label()+" gets its pushes by "+device.NotificationType+", which has ended")
		}
		if d.usable(&g, device.Seed) {
			d.place(&g)
		}
	}
}

func (d *draft) device(device legacy.Device) generator {
	g := generator{method: cloud.SoftwareOATH, field: "OathTokenSecretKey", place: device.Place, codes: &deviceCodes, reason: "code of the mobile app",
		kind: "app", oath: d.parameters(device.Seed, device.Generator)}
	g.oath.Serial = serialPrefix + g.oath.Fingerprint
	g.oath.Manufacturer, g.oath.Model = ownManufacturer, modelApp
	g.oath.Name = form.Fit(device.Name, form.MaxLabel)
	if g.named = g.oath.Name != ""; !g.named {
		g.oath.Name = "Mobile app"
	} else {
		g.called = device.Name
	}
	if !d.caps.Methods[cloud.SoftwareOATH].Create && d.caps.Methods[cloud.HardwareOATH].Create {
		g.method = cloud.HardwareOATH
	}
	return g
}

// newestFirst orders by Activated, then LastUsed; without a date is oldest.
func newestFirst(devices []legacy.Device) []legacy.Device {
	if len(devices) < 2 {
		return devices
	}
	sorted := slices.Clone(devices)
	slices.SortStableFunc(sorted, func(a, b legacy.Device) int {
		return cmp.Or(newer(a.Activated, b.Activated), newer(a.LastUsed, b.LastUsed))
	})
	return sorted
}

func newer(a, b time.Time) int { return b.Compare(a) }

// deadPlatform tells the push services that have ended.
func deadPlatform(notificationType string) bool {
	switch strings.ToLower(notificationType) {
	case "c2dm", "mpns", "bps":
		return true
	}
	return false
}
