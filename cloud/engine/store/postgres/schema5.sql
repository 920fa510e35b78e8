-- From schema version 4 to 5: messages that go by one channel after the other,
-- and addresses of mail that are confirmed.

-- A MAC of the address that is confirmed; NULL: none is. See engine.User.Proof.
ALTER TABLE users ADD COLUMN email_proof bytea;

-- due: when the next channel is asked, 0: it is not.
CREATE TABLE flights (
  id      text COLLATE "C" PRIMARY KEY, -- of the challenge
  user_id text COLLATE "C" NOT NULL,
  due     bigint NOT NULL,
  state   bytea NOT NULL
);
CREATE INDEX flights_due ON flights (due) WHERE due > 0;
CREATE INDEX flights_of ON flights (user_id);

-- What providers call messages when they tell what became of them.
CREATE TABLE receipts (
  name   text COLLATE "C" PRIMARY KEY,
  flight text COLLATE "C" NOT NULL
);
CREATE INDEX receipts_of ON receipts (flight);
