-- From schema version 4 to 5: authenticators that answer for themselves.

-- public_key: the point of P-256 by which a device's signatures are checked,
-- empty for an invitation. opened: when somebody proved to be the one who was
-- invited, 0: not yet.
ALTER TABLE devices ADD COLUMN public_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
