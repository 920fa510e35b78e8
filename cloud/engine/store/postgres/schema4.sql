-- From schema version 3 to 4: notes that end by themselves.

-- Slips: how far a sign-in has come, what a refresh token stands for; see
-- engine.Slip. user_id: empty where it is nobody's yet.
CREATE TABLE slips (
  id      text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  data    bytea NOT NULL,
  until   bigint NOT NULL
);
CREATE INDEX slips_until ON slips (until);
CREATE INDEX slips_user ON slips (user_id, id);
