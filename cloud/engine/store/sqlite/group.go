package sqlite

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
)

// Statements that write groups, members and devices.
const (
	sqlRemoveDevice  = "DELETE FROM devices WHERE user = $1 AND id = $2"
	sqlRemoveGroup   = "DELETE FROM groups WHERE id = $1"
	sqlAddMember     = "INSERT INTO members (parent, kind, member) VALUES ($1, $2, $3) ON CONFLICT (parent, kind, member) DO NOTHING"
	sqlRemoveMember  = "DELETE FROM members WHERE parent = $1 AND kind = $2 AND member = $3"
	sqlRemoveMembers = "DELETE FROM members WHERE parent = $1"
	sqlLeaveAll      = "DELETE FROM members WHERE member = $1"
)

// Statements that insert or replace.
var (
	sqlPutDevice = rows.Put("devices", "user, id", "user, "+rows.DeviceColumns)
	sqlPutGroup  = rows.Put("groups", "id", rows.GroupColumns)
)

func (r reader) Devices(user cloud.UserID) (devices []engine.Device, err error) {
	err = r.c.query(sqlDevices, func(row rows.Row) { devices = append(devices, rows.Device(row, user)) }, string(user))
	return devices, err
}

func (r reader) groups(sql string, args ...any) (groups []engine.Group, err error) {
	err = r.c.query(sql, func(row rows.Row) { groups = append(groups, rows.Group(row)) }, args...)
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

func (r reader) strings(sql string, args ...any) (list []string, err error) {
	err = r.c.query(sql, func(row rows.Row) { list = append(list, row.Text()) }, args...)
	return list, err
}

func (r reader) MembersAfter(group string, kind engine.MemberKind, member string, limit int) ([]string, error) {
	return r.strings(sqlMembersAfter, group, int64(kind), member, int64(limit))
}

func (r reader) Parents(member string, limit int) ([]string, error) {
	return r.strings(sqlParents, member, int64(limit))
}

func (t tx) PutDevice(d *engine.Device) error {
	return t.do(sqlPutDevice, rows.DeviceValues(nil, d)...)
}

func (t tx) RemoveDevice(user cloud.UserID, id string) error {
	return t.do(sqlRemoveDevice, string(user), id)
}

func (t tx) PutGroup(g *engine.Group) error { return t.do(sqlPutGroup, rows.GroupValues(nil, g)...) }

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
