package rows

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// UserColumns are those of users. class: bit 0 guest, bit 1 of another
// organisation.
const UserColumns = "id, upn, display_name, aliases, sid, enabled, mobile, alternate, office, email, " +
	"preference, blocked_until, password, created, class, roles, devices, aside, email_proof"

// User reads one.
func User(r Row) *engine.User {
	u := &engine.User{}
	u.ID = cloud.UserID(r.Text())
	u.Profile = cloud.Profile{UPN: r.Text(), DisplayName: r.Text(), Aliases: ofLines(r.Text()), SID: r.Text(), Enabled: r.Number() != 0}
	u.Mobile, u.Alternate, u.Office, u.Email = r.Text(), r.Text(), r.Text(), r.Text()
	u.Default, u.BlockedUntil = cloud.Preference(r.Text()), clock(r)
	u.Password, u.Created = r.Bytes(), clock(r)
	class := r.Number()
	u.Guest, u.External = class&1 != 0, class&2 != 0
	u.Roles, u.Devices, u.Aside, u.Proof = ofLines(r.Text()), int(r.Number()), r.Bytes(), r.Bytes()
	return u
}

// UserValues appends what is written.
func UserValues(to []any, u *engine.User) []any {
	return append(to, string(u.ID), u.UPN, u.DisplayName, lines(u.Aliases), u.SID, flag(u.Enabled), u.Mobile, u.Alternate, u.Office, u.Email,
		string(u.Default), Nanos(u.BlockedUntil), u.Password, Nanos(u.Created),
		flag(u.Guest)|flag(u.External)<<1, lines(u.Roles), int64(u.Devices), u.Aside, u.Proof)
}
