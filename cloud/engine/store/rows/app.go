package rows

import "mfabridge/cloud/engine"

// AppColumns are those of apps.
const AppColumns = "name, role, digest, created, until, disabled"

// App reads one.
func App(r Row) engine.App {
	return engine.App{Name: r.Text(), Role: engine.Role(r.Text()), Digest: r.Bytes(), Created: clock(r), Until: clock(r), Disabled: r.Number() != 0}
}

// AppValues appends what is written.
func AppValues(to []any, a *engine.App) []any {
	return append(to, a.Name, string(a.Role), Full(a.Digest), Nanos(a.Created), Nanos(a.Until), flag(a.Disabled))
}
