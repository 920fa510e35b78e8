-- From schema version 7 to 8: messages that go by one channel after the other,
-- and addresses of mail that are confirmed.

-- A MAC of the address that is confirmed; NULL: none is. See engine.User.Proof.
ALTER TABLE users ADD COLUMN email_proof BLOB;

-- due: when the next channel is asked, 0: it is not.
CREATE TABLE flights (
  id    TEXT PRIMARY KEY,           -- of the challenge
  user  TEXT NOT NULL,
  due   INTEGER NOT NULL,
  state BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX flights_due ON flights (due) WHERE due > 0;
CREATE INDEX flights_of ON flights (user);

-- What providers call messages when they tell what became of them.
CREATE TABLE receipts (
  name   TEXT PRIMARY KEY,
  flight TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX receipts_of ON receipts (flight);
