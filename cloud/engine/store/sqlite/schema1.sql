-- Schema version 1 of an engine's store: where every store begins. It stays as
-- it is; what came later is in schema2.sql and on. Times are nanoseconds since
-- the epoch, 0 for none. Identifiers ascend, so that rows are appended.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  upn           TEXT NOT NULL,
  display_name  TEXT NOT NULL,
  aliases       TEXT NOT NULL,      -- one a line
  sid           TEXT NOT NULL,
  enabled       INTEGER NOT NULL,
  mobile        TEXT NOT NULL,
  alternate     TEXT NOT NULL,
  office        TEXT NOT NULL,
  email         TEXT NOT NULL,
  preference    TEXT NOT NULL,
  blocked_until INTEGER NOT NULL,
  password      BLOB,               -- sealed hash
  created       INTEGER NOT NULL
) WITHOUT ROWID;

-- Folded names that must be unique: space 0 user principal names and aliases,
-- space 1 security identifiers.
CREATE TABLE names (
  space INTEGER NOT NULL,
  name  TEXT NOT NULL,
  user  TEXT NOT NULL,
  PRIMARY KEY (space, name)
) WITHOUT ROWID;

CREATE TABLE tokens (
  user         TEXT NOT NULL,
  id           TEXT NOT NULL,
  method       TEXT NOT NULL,
  name         TEXT NOT NULL,
  serial       TEXT NOT NULL,
  manufacturer TEXT NOT NULL,
  model        TEXT NOT NULL,
  algorithm    TEXT NOT NULL,
  digits       INTEGER NOT NULL,
  period       INTEGER NOT NULL,
  fingerprint  TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  proven       INTEGER NOT NULL,
  drift        INTEGER NOT NULL,
  last_step    INTEGER NOT NULL,
  seen_step    INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_serial ON tokens (serial);

-- Last used second (since the epoch) of generators that were removed, so that
-- registering the same secret again does not bring used codes back.
CREATE TABLE spent (
  fingerprint TEXT PRIMARY KEY,
  second      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE challenges (
  id          TEXT PRIMARY KEY,
  request_key TEXT,                 -- NULL: not repeatable
  user        TEXT NOT NULL,
  method      TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  prompt      TEXT NOT NULL,
  app         TEXT NOT NULL,
  place       TEXT NOT NULL,
  tries       INTEGER NOT NULL,
  sent        BLOB,                 -- HMAC of a sent code
  context     BLOB,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  decided     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX challenges_key ON challenges (request_key, created) WHERE request_key IS NOT NULL;

CREATE TABLE attempts (
  challenge  TEXT NOT NULL,
  answer_key TEXT NOT NULL,
  state      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  tries      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (challenge, answer_key)
) WITHOUT ROWID;

CREATE TABLE last_sent (
  user      TEXT NOT NULL,
  place     TEXT NOT NULL,
  challenge TEXT NOT NULL,
  PRIMARY KEY (user, place)
) WITHOUT ROWID;

CREATE TABLE failures (
  user  TEXT NOT NULL,
  way   TEXT NOT NULL,
  place TEXT NOT NULL,
  count INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  PRIMARY KEY (user, way, place)
) WITHOUT ROWID;
CREATE INDEX failures_last ON failures (last);

CREATE TABLE apps (
  name     TEXT PRIMARY KEY,
  role     TEXT NOT NULL,
  digest   BLOB NOT NULL,
  created  INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  disabled INTEGER NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: a number is never given twice, also after a deletion.
CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  time    INTEGER NOT NULL,
  node    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL,
  reason  TEXT NOT NULL
);
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
