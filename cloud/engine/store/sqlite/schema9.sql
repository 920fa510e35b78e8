-- From schema version 8 to 9: repeatable requests are found by what the last
-- transactions left, no more by an index whose pages no two logins share.

-- keys: 16 octets of the SHA-256 of a request's key, one octet for the length
-- of a challenge's id and the id, over and over. until: nanoseconds; when the
-- last of them has ended.
CREATE TABLE recent (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  until INTEGER NOT NULL,
  keys  BLOB NOT NULL
);

DROP INDEX challenges_key;
