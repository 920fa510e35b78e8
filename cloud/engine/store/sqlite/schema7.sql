-- From schema version 6 to 7: notes that end by themselves.

-- Slips: how far a sign-in has come, what a refresh token stands for; see
-- engine.Slip. user: empty where it is nobody's yet.
CREATE TABLE slips (
  id    TEXT PRIMARY KEY,
  user  TEXT NOT NULL,
  data  BLOB NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX slips_until ON slips (until);
CREATE INDEX slips_user ON slips (user, id);
