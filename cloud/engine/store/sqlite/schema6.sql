-- From schema version 5 to 6: what a device has besides its key.

-- aside: JSON of the engine: the PIN of the device as a hash, where pushes are
-- sent to, what it answered last. Empty: none of it.
ALTER TABLE devices ADD COLUMN aside BLOB NOT NULL DEFAULT x'';
