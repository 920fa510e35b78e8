package rows

import "mfabridge/cloud/engine"

// GroupColumns are those of groups.
const GroupColumns = "id, name, created"

// Group reads one.
func Group(r Row) engine.Group {
	return engine.Group{ID: r.Text(), Name: r.Text(), Created: clock(r)}
}

// GroupValues appends what is written.
func GroupValues(to []any, g *engine.Group) []any {
	return append(to, g.ID, g.Name, Nanos(g.Created))
}
