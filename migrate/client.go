package migrate

import (
	"cmp"
	"time"

	"mfabridge/legacy"
)

// radiusType is what the report of attempts calls logins by RADIUS.
const radiusType = "radius"

// Client is a RADIUS client of the old server, as its settings and the report
// of attempts know it. Either may not know it.
type Client struct {
	Name        string // of the settings; else the application's
	Address     string // as written; empty: only the report knows it
	Application string

	InSettings bool
	Secret     bool // the export holds its shared secret
	UserMatch  bool // unknown users are denied

	InActivity bool // the report knows its application
	Shared     bool // other clients have the same application: these figures are of all of them
	Attempts   int64
	Users      int64
	Last       time.Time
}

// clients joins both sources by the name of the application: first those of
// the settings, in their order, then what only the report knows.
func clients(settings []legacy.RadiusClient, applications []legacy.Application) []Client {
	used := map[string]int{}
	for _, c := range settings {
		used[fold(cmp.Or(c.ApplicationName, c.Name))]++
	}
	byName := map[string]legacy.Application{}
	for _, a := range applications {
		if fold(a.Type) == radiusType {
			have := byName[fold(a.Name)]
			have.Name = cmp.Or(have.Name, a.Name)
			have.Attempts += a.Attempts
			have.Users = max(have.Users, a.Users)
			if a.Last.After(have.Last) {
				have.Last = a.Last
			}
			byName[fold(a.Name)] = have
		}
	}
	var out []Client
	for _, c := range settings {
		name := cmp.Or(c.ApplicationName, c.Name)
		client := Client{Name: cmp.Or(c.Name, name, c.IPAddress), Address: c.IPAddress, Application: name, InSettings: true,
			Secret: !c.SharedSecret.IsZero(), UserMatch: c.RequireUserMatch}
		if a, ok := byName[fold(name)]; ok && name != "" {
			client.logged(a, used[fold(name)] > 1)
		}
		out = append(out, client)
	}
	for _, a := range applications {
		key := fold(a.Name)
		if fold(a.Type) != radiusType || used[key] > 0 && key != "" {
			continue
		}
		if merged, ok := byName[key]; ok {
			client := Client{Name: cmp.Or(a.Name, "without a name"), Application: a.Name}
			client.logged(merged, false)
			out = append(out, client)
			delete(byName, key)
		}
	}
	return out
}

func (c *Client) logged(a legacy.Application, shared bool) {
	c.InActivity, c.Shared = true, shared
	c.Attempts, c.Users, c.Last = a.Attempts, a.Users, a.Last
}
