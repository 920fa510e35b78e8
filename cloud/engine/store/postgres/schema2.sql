-- From schema version 1 to 2: authenticators that answer for themselves.

-- public_key: the point of P-256 by which a device's signatures are checked,
-- empty for an invitation. opened: when somebody proved to be the one who was
-- invited, 0: not yet.
ALTER TABLE devices ADD COLUMN public_key bytea NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN opened bigint NOT NULL DEFAULT 0;
