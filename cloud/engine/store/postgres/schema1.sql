-- Schema version 1 of an engine's store on PostgreSQL: where every store
-- begins. It stays as it is; what came later is in schema2.sql and on. Times
-- are nanoseconds since the epoch, 0 for none. Text is compared byte by byte,
-- so that listings ascend as the engine expects.

CREATE TABLE store_version (
  version bigint NOT NULL
);
INSERT INTO store_version VALUES (1);

CREATE TABLE meta (
  name  text COLLATE "C" PRIMARY KEY,
  value bytea NOT NULL
);

-- The number of the last transaction that a process committed: what tells the
-- outcome of a commit whose connection broke. seen: seconds since the epoch.
CREATE TABLE writers (
  id   text COLLATE "C" PRIMARY KEY,
  turn bigint NOT NULL,
  seen bigint NOT NULL
);

-- class: bit 0 guest, bit 1 of another organisation. aliases, roles: one a
-- line. devices: how many rows of the table devices are this user's. aside:
-- rare things that a login has to know.
CREATE TABLE users (
  id            text COLLATE "C" PRIMARY KEY,
  upn           text NOT NULL,
  display_name  text NOT NULL,
  aliases       text NOT NULL,
  sid           text NOT NULL,
  enabled       bigint NOT NULL,
  mobile        text NOT NULL,
  alternate     text NOT NULL,
  office        text NOT NULL,
  email         text NOT NULL,
  preference    text NOT NULL,
  blocked_until bigint NOT NULL,
  password      bytea,
  created       bigint NOT NULL,
  class         bigint NOT NULL,
  roles         text NOT NULL,
  devices       bigint NOT NULL,
  aside         bytea
);

-- Folded names that must be unique: space 0 user principal names and aliases,
-- space 1 security identifiers, space 2 groups.
CREATE TABLE names (
  space   bigint NOT NULL,
  name    text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (space, name)
);

CREATE TABLE tokens (
  user_id      text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  method       text NOT NULL,
  name         text NOT NULL,
  serial       text COLLATE "C" NOT NULL,
  manufacturer text NOT NULL,
  model        text NOT NULL,
  algorithm    text NOT NULL,
  digits       bigint NOT NULL,
  period       bigint NOT NULL,
  fingerprint  text NOT NULL,
  sealed       bytea NOT NULL,
  proven       bigint NOT NULL,
  drift        bigint NOT NULL,
  last_step    bigint NOT NULL,
  seen_step    bigint NOT NULL,
  PRIMARY KEY (user_id, id)
);
CREATE UNIQUE INDEX tokens_serial ON tokens (serial);

-- Last used second (since the epoch) of generators that were removed.
CREATE TABLE spent (
  fingerprint text COLLATE "C" PRIMARY KEY,
  second      bigint NOT NULL
);

-- flags: bit 0 the first factor was proven by who began it, bit 1 a bypass
-- approved it.
CREATE TABLE challenges (
  id          text COLLATE "C" PRIMARY KEY,
  request_key text COLLATE "C",
  user_id     text COLLATE "C" NOT NULL,
  method      text NOT NULL,
  state       text NOT NULL,
  reason      text NOT NULL,
  prompt      text NOT NULL,
  app         text NOT NULL,
  place       text COLLATE "C" NOT NULL,
  tries       bigint NOT NULL,
  sent        bytea,
  context     bytea,
  created     bigint NOT NULL,
  expires     bigint NOT NULL,
  decided     bigint NOT NULL,
  flags       bigint NOT NULL
);
CREATE INDEX challenges_key ON challenges (request_key, created) WHERE request_key IS NOT NULL;

CREATE TABLE attempts (
  challenge  text COLLATE "C" NOT NULL,
  answer_key text COLLATE "C" NOT NULL,
  state      text NOT NULL,
  reason     text NOT NULL,
  tries      bigint NOT NULL,
  at         bigint NOT NULL,
  PRIMARY KEY (challenge, answer_key)
);

CREATE TABLE last_sent (
  user_id   text COLLATE "C" NOT NULL,
  place     text COLLATE "C" NOT NULL,
  challenge text COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, place)
);

CREATE TABLE failures (
  user_id text COLLATE "C" NOT NULL,
  way     text COLLATE "C" NOT NULL,
  place   text COLLATE "C" NOT NULL,
  count   bigint NOT NULL,
  last    bigint NOT NULL,
  PRIMARY KEY (user_id, way, place)
);
CREATE INDEX failures_last ON failures (last);

CREATE TABLE apps (
  name     text COLLATE "C" PRIMARY KEY,
  role     text NOT NULL,
  digest   bytea NOT NULL,
  created  bigint NOT NULL,
  until    bigint NOT NULL,
  disabled bigint NOT NULL
);

CREATE TABLE devices (
  user_id text COLLATE "C" NOT NULL,
  id      text COLLATE "C" NOT NULL,
  name    text NOT NULL,
  state   text NOT NULL,
  until   bigint NOT NULL,
  created bigint NOT NULL,
  PRIMARY KEY (user_id, id)
);

CREATE TABLE groups (
  id      text COLLATE "C" PRIMARY KEY,
  name    text NOT NULL,
  created bigint NOT NULL
);

-- Direct members: users (kind 0) and groups (kind 1).
CREATE TABLE members (
  parent text COLLATE "C" NOT NULL,
  kind   bigint NOT NULL,
  member text COLLATE "C" NOT NULL,
  PRIMARY KEY (parent, kind, member)
);
CREATE INDEX members_of ON members (member, parent);

-- number counts the entries of one node from 1; link ties an entry to the one
-- before it. seq ascends as commits do; the last one stands in audit_end, so
-- that none is given twice, also after a deletion.
CREATE TABLE audit (
  seq     bigint PRIMARY KEY,
  time    bigint NOT NULL,
  node    text COLLATE "C" NOT NULL,
  actor   text NOT NULL,
  action  text NOT NULL,
  subject text NOT NULL,
  detail  text NOT NULL,
  reason  text NOT NULL,
  number  bigint NOT NULL,
  link    bytea NOT NULL
);
CREATE INDEX audit_node ON audit (node, seq);

CREATE TABLE audit_end (
  seq bigint NOT NULL
);
INSERT INTO audit_end VALUES (0);

-- Entries go only from the old end, up to the floor that stands in meta, and
-- change only when what they say of a person is erased.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq > coalesce((SELECT convert_from(value, 'UTF8')::bigint FROM meta WHERE name = 'audit-floor'), 0) THEN
    RAISE EXCEPTION 'the audit is append-only';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_kept();
CREATE TRIGGER audit_is_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit FOR EACH ROW
WHEN (NOT (NEW.seq = OLD.seq AND NEW.time = OLD.time AND NEW.node = OLD.node AND NEW.actor = OLD.actor AND NEW.action = OLD.action
  AND NEW.number = OLD.number AND NEW.detail = '' AND NEW.reason = ''
  AND (length(OLD.link) = 0 AND length(NEW.link) = 0
    OR length(OLD.link) = 64 AND length(NEW.link) = 80 AND substr(NEW.link, 1, 48) = substr(OLD.link, 1, 48))))
EXECUTE FUNCTION audit_refuse();
