-- From schema version 1 to 2: who users are, groups, authenticators.

-- class: bit 0 guest, bit 1 of another organisation. roles: one a line.
-- devices: how many rows of the table devices are this user's.
ALTER TABLE users ADD COLUMN class INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN devices INTEGER NOT NULL DEFAULT 0;

-- Authenticators, and invitations to become one.
CREATE TABLE devices (
  user    TEXT NOT NULL,
  id      TEXT NOT NULL,
  name    TEXT NOT NULL,
  state   TEXT NOT NULL,            -- invited, active
  until   INTEGER NOT NULL,         -- end of the invitation
  created INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) WITHOUT ROWID;

-- The folded name of a group stands in names, space 2.
CREATE TABLE groups (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;

-- Direct members: users (kind 0) and groups (kind 1).
CREATE TABLE members (
  parent TEXT NOT NULL,
  kind   INTEGER NOT NULL,
  member TEXT NOT NULL,
  PRIMARY KEY (parent, kind, member)
) WITHOUT ROWID;

CREATE INDEX members_of ON members (member, parent);
