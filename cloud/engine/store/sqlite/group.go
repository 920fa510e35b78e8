package sqlite

import (
	"database/sql/driver"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Statements that write groups, members and devices.
const (
	sqlPutDevice     = "INSERT OR REPLACE INTO devices (user, id, name, state, until, created, public_key, opened, aside) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	sqlRemoveDevice  = "DELETE FROM devices WHERE user = $1 AND id = $2"
	sqlPutGroup      = "INSERT OR REPLACE INTO groups (id, name, created) VALUES ($1, $2, $3)"
	sqlRemoveGroup   = "DELETE FROM groups WHERE id = $1"
	sqlAddMember     = "INSERT INTO members (parent, kind, member) VALUES ($1, $2, $3) ON CONFLICT (parent, kind, member) DO NOTHING"
	sqlRemoveMember  = "DELETE FROM members WHERE parent = $1 AND kind = $2 AND member = $3"
	sqlRemoveMembers = "DELETE FROM members WHERE parent = $1"
	sqlLeaveAll      = "DELETE FROM members WHERE member = $1"
)

func (r reader) Devices(user cloud.UserID) (devices []engine.Device, err error) {
	err = r.c.query(sqlDevices, 8, func(row []driver.Value) error {
		devices = append(devices, engine.Device{User: user, ID: text(row[0]), Name: text(row[1]), State: text(row[2]),
			Until: clock(row[3]), Created: clock(row[4]), Key: blob(row[5]), Opened: clock(row[6]), Aside: blob(row[7])})
		return nil
	}, string(user))
	return devices, err
}

func (r reader) groups(sql string, args ...driver.Value) (groups []engine.Group, err error) {
	err = r.c.query(sql, 3, func(row []driver.Value) error {
		groups = append(groups, engine.Group{ID: text(row[0]), Name: text(row[1]), Created: clock(row[2])})
		return nil
	}, args...)
	return groups, err
}

func (r reader) group(sql, arg string) (*engine.Group, error) {
	groups, err := r.groups(sql, arg)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	return &groups[0], nil
}

func (r reader) Group(id string) (*engine.Group, error)        { return r.group(sqlGroup, id) }
func (r reader) GroupNamed(name string) (*engine.Group, error) { return r.group(sqlGroupNamed, name) }

func (r reader) GroupsAfter(id string, limit int) ([]engine.Group, error) {
	return r.groups(sqlGroupsAfter, id, int64(limit))
}

func (r reader) strings(sql string, args ...driver.Value) (list []string, err error) {
	err = r.c.query(sql, 1, func(row []driver.Value) error { list = append(list, text(row[0])); return nil }, args...)
	return list, err
}

func (r reader) MembersAfter(group string, kind engine.MemberKind, member string, limit int) ([]string, error) {
	return r.strings(sqlMembersAfter, group, int64(kind), member, int64(limit))
}

func (r reader) Parents(member string, limit int) ([]string, error) {
	return r.strings(sqlParents, member, int64(limit))
}

func (t tx) PutDevice(d *engine.Device) error {
	return t.do(sqlPutDevice, string(d.User), d.ID, d.Name, d.State, nano(d.Until), nano(d.Created), append([]byte{}, d.Key...), nano(d.Opened), append([]byte{}, d.Aside...))
}

func (t tx) RemoveDevice(user cloud.UserID, id string) error {
	return t.do(sqlRemoveDevice, string(user), id)
}

func (t tx) PutGroup(g *engine.Group) error { return t.do(sqlPutGroup, g.ID, g.Name, nano(g.Created)) }

func (t tx) RemoveGroup(id string) error {
	if err := t.do(sqlRemoveMembers, id); err != nil {
		return err
	}
	return t.do(sqlRemoveGroup, id)
}

func (t tx) AddMember(group string, kind engine.MemberKind, member string) (bool, error) {
	n, err := t.exec(sqlAddMember, group, int64(kind), member)
	return n == 1, err
}

func (t tx) RemoveMember(group string, kind engine.MemberKind, member string) (bool, error) {
	n, err := t.exec(sqlRemoveMember, group, int64(kind), member)
	return n == 1, err
}

func (t tx) LeaveAll(member string) error { return t.do(sqlLeaveAll, member) }
